"""`plaudit data check|convert|show FILE`: look at a file of records before training on it, and change its shape."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import tyro
from rich.console import Console, Group, RenderableType
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from plaudit.formats import Records, Shape, open_records, write_records
from plaudit.formats.columns import names_from
from plaudit.formats.native import KINDS, kind_of
from plaudit.formats.summary import KindSummary, summaries
from plaudit.quality.snapshots import make_snapshot
from plaudit.schemas.conversation import Messages
from plaudit.schemas.errors import PlauditError
from plaudit.schemas.feedback import (
    AnyRecord,
    Comparison,
    Correction,
    Demonstration,
    Document,
    Highlights,
    Ranking,
    Rating,
    Span,
)

_MAX_ERRORS = 20
_MAX_CHARS = 1200
_CONTROL = {code: "�" for code in [*range(32), 127] if chr(code) not in "\n\t"}

Kind = Literal["document", "prompt", "demonstration", "comparison", "ranking", "rating", "correction", "highlights"]


@dataclass(frozen=True, kw_only=True, slots=True)
class DataCheck:
    """Say what a file holds and what is wrong with it."""

    file: tyro.conf.Positional[Path]
    """The file, or the folder of a snapshot or of a data set that `datasets` saved."""
    shape: tyro.conf.EnumChoicesFromValues[Shape | None] = None
    """The file's shape; told from its first rows where this is not given."""
    columns: str = ""
    """The file's names of columns by plaudit's, as in prompt=question,chosen=better."""
    input_template: str = ""
    """Text around every prompt, which stands in for its `{}`, as in 'Question: {}'."""

    def run(self) -> int:
        """Prints; 1 where rows cannot be read."""
        return run(self)


@dataclass(frozen=True, kw_only=True, slots=True)
class DataConvert:
    """Write a file's records in another shape, and say what that shape could not carry."""

    file: tyro.conf.Positional[Path]
    """The file to read, or the folder of a snapshot or of a data set that `datasets` saved."""
    to: tyro.conf.EnumChoicesFromValues[Shape]
    """The shape to write."""
    out: Path
    """Where to write; .jsonl, .json or either with .gz, .parquet, a folder for a snapshot. Nothing there is overwritten."""
    shape: tyro.conf.EnumChoicesFromValues[Shape | None] = None
    """The shape of the file to read; told from its first rows where this is not given."""
    columns: str = ""
    """The file's names of columns by plaudit's, as in prompt=question,chosen=better."""
    input_template: str = ""
    """Text around every prompt, which stands in for its `{}`, as in 'Question: {}'."""
    kind: Kind | None = None
    """Write the records of this kind only; needed where the file holds several and the shape holds one."""
    ties: Literal["drop", "half"] = "drop"
    """What becomes of a tie where the shape knows a better and a worse answer only: left out and counted, or written both ways
    round at half its weight."""
    on_error: Literal["raise", "skip"] = "raise"
    """`skip` leaves out rows that cannot be read, and lists them; `raise` stops at the first."""

    def run(self) -> int:
        """Writes and says what was lost."""
        return run(self)


@dataclass(frozen=True, kw_only=True, slots=True)
class DataShow:
    """Print the first records of a file as people would read them."""

    file: tyro.conf.Positional[Path]
    """The file, or the folder of a snapshot or of a data set that `datasets` saved."""
    num: int = 3
    """How many records to print."""
    shape: tyro.conf.EnumChoicesFromValues[Shape | None] = None
    """The file's shape; told from its first rows where this is not given."""
    columns: str = ""
    """The file's names of columns by plaudit's, as in prompt=question,chosen=better."""
    input_template: str = ""
    """Text around every prompt, which stands in for its `{}`, as in 'Question: {}'."""

    def __post_init__(self) -> None:
        if self.num < 1:
            raise PlauditError(f"--num must be at least 1, got {self.num}")

    def run(self) -> int:
        """Prints."""
        return run(self)


def run(config: DataCheck | DataConvert | DataShow, console: Console | None = None) -> int:
    """The exit status: 0, or 1 where `check` found rows that cannot be read. Raises PlauditError."""
    console = console or Console()
    match config:
        case DataCheck():
            return check(config, console)
        case DataShow():
            return show(config, console)
        case DataConvert():
            return convert(config, console)


def check(config: DataCheck, console: Console) -> int:
    """Prints counts by kind, what to look at, and the first twenty errors; 1 where there are errors."""
    records = _opened(config, "skip")
    console.print(Text(f"{config.file}: shape {records.shape}, {len(records)} records"), soft_wrap=True)
    if records.columns:
        named = ", ".join(f"{ours}={theirs}" for ours, theirs in records.columns.items())
        console.print(Text(_printable(f"columns {named}")), soft_wrap=True)
    found = summaries(records)
    if found:
        console.print(_counts(found))
    for line in [*_findings(found), *_left_out(records)]:
        console.print(Text(line), soft_wrap=True)
    return 1 if _print_errors(records, console) else 0


def convert(config: DataConvert, console: Console) -> int:
    """Writes the file in another shape and prints what was lost. Raises PlauditError where the target exists."""
    if config.out.exists():
        raise PlauditError(f"{config.out} exists: name another file, or delete it first")
    records = _opened(config, config.on_error)
    chosen = records.of(KINDS[config.kind]) if config.kind else list(records)
    _check_convertible(config, records, chosen)
    if config.to is Shape.SNAPSHOT:
        snapshot = make_snapshot(chosen, config.out, filters={"kind": config.kind} if config.kind else None)
        console.print(Text(f"{config.out}: snapshot {snapshot.id} of {len(chosen)} records"), soft_wrap=True)
    else:
        losses = write_records(chosen, config.out, config.to, ties=config.ties)
        num_written = len(chosen) - losses.records.total()
        console.print(Text(f"{config.out}: {num_written} records as {config.to}"), soft_wrap=True)
        console.print(Text(str(losses)), soft_wrap=True)
    for line in _left_out(records):
        console.print(Text(line), soft_wrap=True)
    _print_errors(records, console)
    return 0


def show(config: DataShow, console: Console) -> int:
    """Prints the first `num` records."""
    records = _opened(config, "raise")
    for record in records[: config.num]:
        console.print(_panel(record))
    num_shown = min(config.num, len(records))
    console.print(Text(f"{num_shown} of {len(records)} records, shape {records.shape}"), soft_wrap=True)
    return 0


def _opened(config: DataCheck | DataConvert | DataShow, on_error: Literal["raise", "skip"]) -> Records:
    return open_records(
        config.file,
        config.shape,
        on_error,
        columns=names_from(config.columns),
        input_template=config.input_template,
    )


def _check_convertible(config: DataConvert, records: Records, chosen: Sequence[AnyRecord]) -> None:
    kinds = sorted({kind_of(record) for record in records})
    if not kinds:
        raise PlauditError(f"{config.file} holds no row that can be read: `plaudit data check` says why")
    if not chosen:
        raise PlauditError(f"{config.file} holds no {config.kind} records, only {' and '.join(kinds)}")
    if config.kind is None and len(kinds) > 1 and config.to is not Shape.SNAPSHOT:
        raise PlauditError(f"{config.file} holds {' and '.join(kinds)} records: choose one of them with --kind")


def _counts(found: Iterable[KindSummary]) -> Table:
    table = Table()
    table.add_column("kind", no_wrap=True)
    for heading in ("records", "prompts", "answers each", "prompt chars", "answer chars"):
        table.add_column(heading, justify="right")
    for summary in found:
        table.add_row(
            summary.kind,
            str(summary.num_records),
            str(summary.num_prompts),
            f"{summary.mean_answers:.1f}",
            f"{summary.mean_prompt_chars:.0f}",
            f"{summary.mean_answer_chars:.0f}",
        )
    return table


def _findings(found: Iterable[KindSummary]) -> list[str]:
    lines: list[str] = []
    for summary in found:
        counted = {
            "empty answers": summary.num_empty_answers,
            "records with the same answer twice": summary.num_same_answers,
            "duplicates of an earlier record": summary.num_duplicates,
            "ids used before": summary.num_repeated_ids,
        }
        lines += [f"{summary.kind}: {count} {what}" for what, count in counted.items() if count]
        if summary.verdicts:
            lines.append(f"{summary.kind}: verdicts {_numbered(summary.verdicts)}")
        if summary.kind == "ranking":
            lines.append(
                f"ranking: {summary.num_ranked_pairs} pairs of ranked answers, {summary.num_tied_pairs} of them ties "
                f"(in {summary.num_tied_rankings} rankings), {summary.num_unranked_answers} answers not ranked"
            )
        if summary.kind == "highlights":
            lines.append(f"highlights: spans {_numbered(summary.spans) or 'none'}")
        if summary.further:
            lines.append(_printable(f"{summary.kind}: kept in extra {_numbered(summary.further)}"))
    return lines


def _numbered(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{name} {count}" for name, count in sorted(counts.items()))


def _left_out(records: Records) -> list[str]:
    return [f"left out {count}: {reason}" for reason, count in records.dropped.items()]


def _print_errors(records: Records, console: Console) -> int:
    for error in records.skipped[:_MAX_ERRORS]:
        console.print(Text(_printable(str(error)), style="red"), soft_wrap=True)
    if len(records.skipped) > _MAX_ERRORS:
        console.print(Text(f"... and {len(records.skipped) - _MAX_ERRORS} more", style="red"))
    if records.skipped:
        console.print(Text(f"{len(records.skipped)} rows cannot be read", style="red"))
    return len(records.skipped)


def _panel(record: AnyRecord) -> Panel:
    title = f"{kind_of(record)} {record.id} from {record.source}, weight {record.weight:g}"
    parts: list[RenderableType] = []
    if isinstance(record, Document):
        parts.append(_shortened(record.text))
    else:
        parts += _turns(record.prompt)
    for label, answer in _labelled_answers(record):
        parts += [Text(label, style="bold"), *_turns(answer)]
    if isinstance(record, Highlights):
        parts += [_span_line(span, record.text) for span in record.spans]
    return Panel(Group(*parts), title=Text(_printable(title)), title_align="left")


def _labelled_answers(record: AnyRecord) -> list[tuple[str, Messages]]:
    """Each answer with what was said about it."""
    match record:
        case Demonstration():
            return [("demonstration", record.completion)]
        case Comparison():
            return [(f"a (verdict: {record.verdict.value})", record.a), ("b", record.b)]
        case Ranking():
            return [(_rank_label(record, i), answer) for i, answer in enumerate(record.completions)]
        case Rating():
            label = f"rated {record.score:g} between {record.minimum:g} and {record.maximum:g}"
            return [(label, record.completion)]
        case Highlights():
            return [(f"{len(record.spans)} spans marked", record.completion)]
        case Correction():
            return [("before", record.completion), ("corrected", record.corrected)]
    return []


def _span_line(span: Span, text: str) -> Text:
    score = "" if span.score is None else f" {span.score:g}"
    return Text.assemble(
        (_printable(f"{span.start}-{span.end} {span.label}{score}: "), "yellow"),
        _shortened(text[span.start : span.end]),
    )


def _rank_label(record: Ranking, index: int) -> str:
    rank = record.ranks[index]
    words = ["not ranked" if rank is None else f"rank {rank}"]
    words += [
        name
        for name, flags in (("unacceptable", record.unacceptable), ("truncated", record.truncated))
        if flags and flags[index]
    ]
    return ", ".join(words)


def _turns(messages: Messages) -> list[RenderableType]:
    return [Text.assemble((f"{message.role.value}: ", "cyan"), _shortened(message.text)) for message in messages]


def _shortened(text: str) -> Text:
    cut = text if len(text) <= _MAX_CHARS else f"{text[:_MAX_CHARS]}... ({len(text)} characters)"
    return Text(_printable(cut))


def _printable(text: str) -> str:
    """The text without control characters, so that no file moves the cursor of who looks at it."""
    return text.translate(_CONTROL)
