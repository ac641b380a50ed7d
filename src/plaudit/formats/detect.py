"""Which shape has this file? Answered from its first rows' columns; only of texts that are no rows does the name count."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from enum import StrEnum
from itertools import islice
from pathlib import Path

from pydantic import JsonValue

from plaudit.formats import (
    alpaca,
    arena,
    argilla,
    dolly,
    finegrained,
    hh,
    judged,
    label_studio,
    labelled,
    native,
    nemo,
    oasst,
    open_webui,
    openai_chat,
    plain,
    questions,
    ranked,
    renderings,
    sharegpt,
    snapshot,
    spreadsheet,
    tldr,
    trl,
    verl,
)
from plaudit.formats.columns import AS_NAMED, Columns
from plaudit.formats.jsonl import objects
from plaudit.schemas.errors import PlauditError, RowError

_NUM_ROWS = 5


class Shape(StrEnum):
    """The shapes of files plaudit knows."""

    NATIVE = "native"
    TRL = "trl"
    RANKED = "ranked"
    HH = "hh"
    OPENAI_CHAT = "openai-chat"
    LABEL_STUDIO = "label-studio"
    ARGILLA = "argilla"
    ARENA = "arena"
    OPEN_WEBUI = "open-webui"
    SPREADSHEET = "spreadsheet"
    OASST = "oasst"
    OASST_LABELS = "oasst-labels"
    ALPACA = "alpaca"
    SHAREGPT = "sharegpt"
    NEMO = "nemo"
    VERL = "verl"
    TLDR = "tldr"
    DOLLY = "dolly"
    SELF_INSTRUCT = "self-instruct"
    QA_FEEDBACK = "qa-feedback"
    JUDGED = "judged"
    GSM8K = "gsm8k"
    TRUTHFULQA = "truthfulqa"
    TURNS = "turns"
    SCITLDR = "scitldr"
    TATOEBA = "tatoeba"
    LABELLED = "labelled"
    PLAIN = "plain"
    SNAPSHOT = "snapshot"


COLUMNS: dict[Shape, str] = {
    Shape.NATIVE: '"kind" and the fields of that record',
    Shape.TRL: '"prompt" with "completion", "label", or "chosen" and "rejected"',
    Shape.RANKED: '"prompt", "completions", "ranks"',
    Shape.HH: '"chosen", "rejected" as "\\n\\nHuman: ..." dialogues, or "text": [A, B] and "score"',
    Shape.OPENAI_CHAT: '"messages", or "input", "preferred_output", "non_preferred_output"',
    Shape.LABEL_STUDIO: '"data", "annotations"',
    Shape.ARGILLA: '"fields", "responses", or columns "NAME.responses" and "NAME.responses.users"',
    Shape.ARENA: '"conversation_a", "conversation_b", "winner"',
    Shape.OPEN_WEBUI: '"type", "data", "meta", "user_id"',
    Shape.SPREADSHEET: 'a .csv or .tsv table with "judgement", "prompt"',
    Shape.OASST: '"message_tree_id" and "prompt", or "message_id" and "replies"',
    Shape.OASST_LABELS: "the same trees, read for their labels (only where it is named)",
    Shape.ALPACA: '"instruction" with "output" (text or a list, best first), or "chosen" and "rejected"',
    Shape.SHAREGPT: '"conversations" of {"from", "value"}, with or without "chosen" and "rejected", or "kto_tag"',
    Shape.NEMO: '"context", "completions" of {"rank", "completion"}',
    Shape.VERL: '"data_source", "prompt"',
    Shape.TLDR: '"info", "summaries", "choice"',
    Shape.DOLLY: '"instruction", "context", "response"',
    Shape.SELF_INSTRUCT: '"instruction", "instances" of {"input", "output"}',
    Shape.QA_FEEDBACK: '"question", "passages", "prediction 1" to "prediction 4", "preference", "feedback"',
    Shape.JUDGED: '"chosen_instruction", "rejected_instruction"',
    Shape.GSM8K: '"question", "answer" with "#### " before the result',
    Shape.TRUTHFULQA: '"Question", "Best Answer", "Correct Answers", "Incorrect Answers"',
    Shape.TURNS: '"turns": [text, ...]',
    Shape.SCITLDR: '"source": [text, ...], "target": [text, ...]',
    Shape.TATOEBA: "lines of text, translation and attribution, parted by tabs",
    Shape.LABELLED: "a .pos or .neg file of lines, or a .zip of labels/text.txt",
    Shape.PLAIN: '"text", or a .txt file',
    Shape.SNAPSHOT: "a folder with manifest.json",
}
"""What each shape is known by, for people."""

# Marks that no other shape has, whatever the columns beside them are called: an Argilla field may well be a "prompt".
_UNMISTAKABLE: dict[Shape, Callable[[Mapping[str, JsonValue]], bool]] = {
    Shape.NATIVE: native.recognises,
    Shape.LABEL_STUDIO: label_studio.recognises,
    Shape.ARGILLA: argilla.recognises,
    Shape.ARENA: arena.recognises,
    Shape.OPEN_WEBUI: open_webui.recognises,
    Shape.SPREADSHEET: spreadsheet.recognises,
}

_RECOGNISES: dict[Shape, Callable[[Mapping[str, JsonValue]], bool]] = {
    Shape.TRL: trl.recognises,
    Shape.RANKED: ranked.recognises,
    Shape.HH: hh.recognises,
    Shape.OPENAI_CHAT: openai_chat.recognises,
    Shape.OASST: oasst.recognises,
    Shape.ALPACA: alpaca.recognises,
    Shape.SHAREGPT: sharegpt.recognises,
    Shape.NEMO: nemo.recognises,
    Shape.VERL: verl.recognises,
    Shape.TLDR: tldr.recognises,
    Shape.DOLLY: dolly.recognises,
    Shape.SELF_INSTRUCT: renderings.recognises_instances,
    Shape.QA_FEEDBACK: finegrained.recognises,
    Shape.JUDGED: judged.recognises,
    Shape.GSM8K: questions.recognises_gsm8k,
    Shape.TRUTHFULQA: questions.recognises_truthfulqa,
    Shape.TURNS: questions.recognises_turns,
    Shape.SCITLDR: renderings.recognises_scitldr,
}


def detect_shape(path: Path, named: Columns = AS_NAMED) -> Shape:
    """The one shape the file's first rows have. Raises PlauditError where none fits, several do, or rows differ."""
    if path.is_dir() and snapshot.is_snapshot(path):
        return Shape.SNAPSHOT
    if not path.is_dir() and labelled.is_labelled(path):
        return Shape.LABELLED
    if not path.is_dir() and plain.is_text_file(path):
        return Shape.TATOEBA if renderings.is_tatoeba(path) else Shape.PLAIN
    first = list(islice(objects(path), _NUM_ROWS))
    rows = [named.renamed(found.columns)[0] for found in first if not isinstance(found, RowError)]
    if not rows:
        unreadable = next((found for found in first if isinstance(found, RowError)), None)
        raise unreadable or PlauditError(f"{path} holds no rows: check that it was written completely")
    if native.recognises(rows[0]):
        return Shape.NATIVE
    # A row that fits nothing, among others that do, is a broken row of theirs: the reader says what is wrong with it.
    recognised = [shapes for columns in rows if (shapes := _shapes_of(columns))]
    common = set(Shape).intersection(*recognised) if recognised else set()
    if len(common) == 1:
        return common.pop()
    if recognised and not common:
        found = ", ".join(sorted({shape for shapes in recognised for shape in shapes}))
        raise PlauditError(f"{path} mixes rows of the shapes {found}: put each into its own file")
    raise PlauditError(_cannot_tell(path, rows[0], sorted(common)))


def _shapes_of(columns: Mapping[str, JsonValue]) -> list[Shape]:
    unmistakable = next((shape for shape, recognises in _UNMISTAKABLE.items() if recognises(columns)), None)
    if unmistakable is not None:
        return [unmistakable]
    shapes = [shape for shape, recognises in _RECOGNISES.items() if recognises(columns)]
    # Last, because files of other shapes often carry the rendered row as "text" beside their columns.
    return shapes or ([Shape.PLAIN] if plain.recognises(columns) else [])


def _cannot_tell(path: Path, columns: Mapping[str, JsonValue], shapes: list[Shape]) -> str:
    names = ", ".join(columns) or "no columns"
    known = "\n".join(f"  {shape}: {text}" for shape, text in COLUMNS.items())
    if shapes:
        return f"{path} has the columns {names}, which fit {' and '.join(shapes)}: name one with --shape"
    return (
        f"{path} has the columns {names}, which fit no known shape. Rename them, or name a shape with --shape to see "
        f"which column it misses. Known shapes:\n{known}"
    )
