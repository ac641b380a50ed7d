"""OpenAI's comparisons of summaries ("Learning to summarize from human feedback", Stiennon et al. 2020).

    {"info": {"post", "title", "subreddit", ...}, "summaries": [{"text", "policy", "note"}, {...}], "choice": 0 or 1,
     "worker", "batch", "split", "extra": {"confidence"}}  <-> Comparison

The worker is the annotator. A Reddit post with its subreddit and title is asked as in the paper ("SUBREDDIT: r/...", "TITLE:",
"POST:", "TL;DR:"), any other text as it stands. `info` and all else is kept in `extra`, what belongs to one summary as
`summaries[0].policy`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from pydantic import JsonValue

from plaudit.formats.messages import MisfitError, shown
from plaudit.formats.outgoing import CannotCarryError, Losses, Outgoing, not_carried, single_text, write_each
from plaudit.formats.rows import Row, items, strict
from plaudit.schemas.conversation import Messages, Role, assistant, user
from plaudit.schemas.feedback import AnyRecord, Comparison, Verdict

_VERDICTS = (Verdict.A, Verdict.B)


def recognises(columns: Mapping[str, JsonValue]) -> bool:
    """Whether a row has this shape."""
    return columns.keys() >= {"info", "summaries", "choice"}


def read(path: Path) -> Iterator[Comparison]:
    """The file's comparisons. Raises RowError."""
    for record in strict(items(path, records_of)):
        assert isinstance(record, Comparison)
        yield record


def write(records: Iterable[AnyRecord], path: Path) -> Losses:
    """Writes one row a comparison of two texts; ties, which the shape does not know, are left out, counted."""
    return write_each(records, path, lambda record, losses: [_row_of(record, losses)])


def records_of(row: Row) -> list[AnyRecord]:
    """The comparison of one row."""
    info = row.take("info", "an object with post or article")
    asked = _asked(info)
    if info != {"post": asked}:
        row.leave("info", info)
    summaries = row.items("summaries")
    if len(summaries) != 2:
        raise MisfitError("summaries", "two summaries", str(len(summaries)))
    a, b = (_summary(row, value, f"summaries[{i}]") for i, value in enumerate(summaries))
    choice = row.take("choice", "0 or 1")
    if isinstance(choice, bool) or choice not in (0, 1):
        raise MisfitError("choice", "0 or 1", shown(choice))
    provenance = row.provenance()
    worker = provenance["extra"].get("worker")
    if provenance["annotator"] is None and isinstance(worker, str) and worker:
        provenance["annotator"] = worker
        del provenance["extra"]["worker"]
    return [Comparison(prompt=(user(asked),), a=a, b=b, verdict=_VERDICTS[int(choice)], **provenance)]


def _asked(info: JsonValue) -> str:
    match info:
        case {"post": str(post), "title": str(title), "subreddit": str(subreddit)}:
            return f"SUBREDDIT: r/{subreddit}\n\nTITLE: {title}\n\nPOST: {post}\n\nTL;DR:"
        case {"post": str(text)} | {"article": str(text)}:
            return text
    raise MisfitError("info", "an object with the text of a post or an article", shown(info))


def _summary(row: Row, value: JsonValue, path: str) -> Messages:
    if not isinstance(value, dict) or not isinstance(value.get("text"), str):
        raise MisfitError(path, "a summary with text", shown(value))
    for name, entry in value.items():
        if name != "text":
            row.leave(f"{path}.{name}", entry)
    return (assistant(str(value["text"])),)


def _row_of(record: AnyRecord, losses: Losses) -> dict[str, JsonValue]:
    if not isinstance(record, Comparison):
        raise not_carried("tldr", record, "Comparison")
    if record.verdict not in _VERDICTS:
        raise CannotCarryError(f"verdict {record.verdict.value} where the shape holds a choice of 0 or 1")
    outgoing = Outgoing(record, losses)
    for name, is_there in (
        ("strength", record.strength is not None),
        ("margin", record.margin is not None),
        ("reason", bool(record.reason)),
    ):
        if is_there:
            outgoing.lose(name)
    asked = single_text(record.prompt, Role.USER)
    info = outgoing.extra.pop("info", None)
    if info is not None and _asked_or_none(info) != asked:
        outgoing.lose("extra.info")
        info = None
    summaries: list[JsonValue] = []
    for index, answer in enumerate((record.a, record.b)):
        path = f"summaries[{index}]."
        further = [name for name in outgoing.extra if name.startswith(path)]
        text: dict[str, JsonValue] = {"text": single_text(answer, Role.ASSISTANT)}
        summaries.append(text | {name.removeprefix(path): outgoing.extra.pop(name) for name in further})
    columns: dict[str, JsonValue] = {
        "info": info or {"post": asked},
        "summaries": summaries,
        "choice": _VERDICTS.index(record.verdict),
    }
    if record.annotator is not None and "worker" not in outgoing.extra:
        columns["worker"] = record.annotator
    row = outgoing.open_row(columns)
    if "worker" in columns:
        row.pop("annotator", None)
    return row


def _asked_or_none(info: JsonValue) -> str | None:
    try:
        return _asked(info)
    except MisfitError:
        return None
