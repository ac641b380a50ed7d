"""A file's columns under the names plaudit reads, and what is put around its prompts."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

from pydantic import JsonValue

from plaudit.formats.messages import MisfitError, shown
from plaudit.schemas.conversation import Message, Role
from plaudit.schemas.errors import PlauditError
from plaudit.schemas.feedback import AnyRecord, Document

_HOLE = "{}"


@dataclass(frozen=True, kw_only=True, slots=True)
class Tags:
    """What a file calls the parts of a turn and its speakers, where ShareGPT has `from`, `value`, `human` and `gpt`."""

    columns: Collection[str]
    keys: Mapping[str, str]
    """ShareGPT's key of a turn by the file's."""
    speakers: Mapping[str, str]
    """ShareGPT's speaker by the file's."""

    def renamed(self, value: JsonValue) -> JsonValue:
        """A turn or a list of turns in ShareGPT's words; anything else as it is, for the reader to refuse."""
        if isinstance(value, list):
            return [self.renamed(turn) for turn in value]
        if not isinstance(value, dict):
            return value
        turn = {self.keys.get(key, key): entry for key, entry in value.items()}
        speaker = turn.get("from")
        if isinstance(speaker, str):
            turn["from"] = self.speakers.get(speaker, speaker)
        return turn


@dataclass(frozen=True, kw_only=True, slots=True)
class Columns:
    """How a file's rows are taken. Raises PlauditError for a template without exactly one place for the prompt."""

    names: Mapping[str, str] = field(default_factory=dict)
    """The file's name of a column by the name plaudit reads it under: {"prompt": "question"}."""
    input_template: str = ""
    """Text around each record's last message of the user, which stands in for its `{}`."""
    must_occur: bool = True
    """Whether each of the file's names must stand in some row of it."""
    required: Collection[str] = ()
    """Columns that every row must have, by plaudit's names."""
    tags: Tags | None = None

    def __post_init__(self) -> None:
        if self.input_template and self.input_template.count(_HOLE) != 1:
            raise PlauditError(
                f"an input template needs one {_HOLE} where the prompt goes, got {self.input_template!r}: write it as in "
                f"'Question: {_HOLE}'"
            )

    def renamed(self, row: Mapping[str, JsonValue]) -> tuple[dict[str, JsonValue], dict[str, JsonValue]]:
        """The row under plaudit's names, and the columns whose names others have taken. Raises MisfitError."""
        named = {ours: row[theirs] for ours, theirs in self.names.items() if theirs in row}
        moved = set(self.names.values())
        rest = {name: value for name, value in row.items() if name not in moved}
        displaced = {name: value for name, value in rest.items() if name in self.names}
        columns = named | {name: value for name, value in rest.items() if name not in displaced}
        if self.tags is not None:
            columns |= {name: self.tags.renamed(columns[name]) for name in self.tags.columns if name in columns}
        for ours in self.required:
            if columns.get(ours) is None:
                theirs = self.names.get(ours, ours)
                raise MisfitError(theirs, "a value, as dataset_info.json says", shown(row.get(theirs)))
        return columns, displaced

    def asked(self, record: AnyRecord) -> AnyRecord:
        """The record with its prompt in the template. Raises MisfitError where there is no text to put into it."""
        if not self.input_template:
            return record
        wanted = "a last message of the user, in text, for the input template"
        if isinstance(record, Document) or not record.prompt:
            raise MisfitError("prompt", wanted, "none")
        last = record.prompt[-1]
        if last.role is not Role.USER or not isinstance(last.content, str):
            raise MisfitError("prompt", wanted, f"pictures or a message of the {last.role.value}")
        around = Message(role=Role.USER, content=self.input_template.replace(_HOLE, last.content))
        return record.model_copy(update={"prompt": (*record.prompt[:-1], around)})


AS_NAMED = Columns()
"""Every column under its own name."""


def names_from(text: str) -> dict[str, str]:
    """The names that `prompt=question,chosen=better` gives. Raises PlauditError for anything else."""
    names: dict[str, str] = {}
    for pair in filter(None, (piece.strip() for piece in text.split(","))):
        ours, _, theirs = (part.strip() for part in pair.partition("="))
        if not ours or not theirs or ours in names:
            what = f"{ours!r} twice" if ours in names else repr(pair)
            raise PlauditError(f"columns are named as in prompt=question,chosen=better: got {what}")
        names[ours] = theirs
    return names
