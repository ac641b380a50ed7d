"""What people filled in, checked against the study's key: every mistake with its file, line, field and what was expected."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from pydantic import JsonValue, ValidationError

from plaudit.evaluation.studies.study import Study, StudyPair, StudyRow
from plaudit.schemas.conversation import assistant
from plaudit.schemas.errors import PlauditError, RowError
from plaudit.schemas.feedback import Comparison, Verdict

WINS = {Verdict.A: 1.0, Verdict.B: 0.0, Verdict.TIE: 0.5, Verdict.BOTH_BAD: 0.5}
_SWAPPED = {Verdict.A: Verdict.B, Verdict.B: Verdict.A}


@dataclass(frozen=True, slots=True)
class SheetLine:
    """One filled-in line: the columns as they stand in the file."""

    file: str
    line: int
    columns: Mapping[str, JsonValue]

    def wrong(self, name: str, expected: str, got: JsonValue) -> RowError:
        """The error to raise about a field."""
        shown = "nothing" if got is None or got == "" else repr(got)
        return RowError(self.file, self.line, name, expected, shown)


@dataclass(frozen=True, slots=True)
class Judgement:
    """One person's word on a pair, with the study's first model as `a`, whichever side it stood on.

    `ratings` holds, by axis, that of the first and of the second model's answer.
    """

    row: StudyRow
    pair: StudyPair
    verdict: Verdict
    ratings: Mapping[str, tuple[int, int]]
    comment: str = ""
    seconds: float | None = None

    @property
    def win(self) -> float | None:
        """1 where the first model's answer is better, 0 where the second's is, 0.5 for a tie; None without a word."""
        return WINS.get(self.verdict)

    @property
    def left_won(self) -> bool | None:
        """Whether the answer that stood first won; None for anything but a strict verdict."""
        return None if self.verdict not in _SWAPPED else (self.verdict is Verdict.A) != self.row.swapped

    def comparison(self, study: Study) -> Comparison:
        """The same as a feedback record, for training and for calibrating a judge."""
        return Comparison(
            prompt=self.pair.prompt,
            a=(assistant(self.pair.answers[0]),),
            b=(assistant(self.pair.answers[1]),),
            verdict=self.verdict,
            annotator=self.row.person,
            source=f"study {study.id}",
            reason=self.comment,
            extra={"models": list(self.pair.models), "row": self.row.id},
        )


@dataclass(slots=True)
class Collected:
    """The judgements of a study; `errors` are the lines left out, where that was asked for."""

    judgements: list[Judgement] = field(default_factory=list)
    errors: list[RowError] = field(default_factory=list)


def read_study(path: Path) -> Study:
    """The key at `path`, a file or the study's folder. Raises PlauditError where it cannot be read as one."""
    path = path / "key.json" if path.is_dir() else path
    try:
        return Study.model_validate_json(path.read_bytes())
    except OSError as error:
        raise PlauditError(
            f"{path} cannot be read: {error.strerror}. Give the folder of `plaudit study sheet`"
        ) from error
    except ValidationError as error:
        raise PlauditError(f"{path} is not the key of a study: {error.errors()[0]['msg']}") from error


def csv_lines(path: Path) -> Iterator[SheetLine | RowError]:
    """The lines of a CSV file, separated by commas, semicolons or tabs; in the place of a broken one, its RowError."""
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except OSError as error:
        raise PlauditError(f"{path} cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise PlauditError(f"{path} is not UTF-8 text: save it as `CSV UTF-8`") from error
    header = text.split("\n", 1)[0]
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=max(",;\t", key=header.count))
    names = next(reader, [])
    for name in ("row", "verdict"):
        if name not in names:
            raise RowError(str(path), 1, name, f"a column called {name}", f"columns {', '.join(names) or 'none'}")
    start = reader.line_num + 1
    for cells in reader:
        line, start = start, reader.line_num + 1
        if not any(cell.strip() for cell in cells):
            continue
        if len(cells) != len(names):
            yield RowError(str(path), line, "(row)", f"{len(names)} cells", f"{len(cells)}")
            continue
        yield SheetLine(str(path), line, dict(zip(names, cells, strict=True)))


def collected(study: Study, lines: Iterable[SheetLine | RowError], *, skip_errors: bool = False) -> Collected:
    """The judgements in the lines. Lines without any entry were not answered yet and are passed over.

    Raises RowError at the first mistake, or with `skip_errors` keeps it and goes on. The same line twice counts once.
    """
    rows, pairs = {row.id: row for row in study.rows}, {pair.id: pair for pair in study.pairs}
    found, seen = Collected(), dict[str, tuple[SheetLine, Judgement]]()
    for line in lines:
        try:
            if isinstance(line, RowError):
                raise line
            judgement = _judgement(study, rows, pairs, line)
            if judgement is None:
                continue
            earlier = seen.setdefault(judgement.row.id, (line, judgement))
            if earlier[0] is line:
                found.judgements.append(judgement)
            elif (earlier[1].verdict, earlier[1].ratings) != (judgement.verdict, judgement.ratings):
                place = f"another in {earlier[0].file}:{earlier[0].line}"
                raise RowError(line.file, line.line, "row", "one answer to a row", place)
        except RowError as error:
            if not skip_errors:
                raise
            found.errors.append(error)
    return found


def _judgement(
    study: Study, rows: Mapping[str, StudyRow], pairs: Mapping[str, StudyPair], line: SheetLine
) -> Judgement | None:
    columns = line.columns
    if columns.get("study", study.id) != study.id:
        raise line.wrong("study", f"{study.id}, the study of this key", columns["study"])
    name = columns.get("row")
    row = rows.get(name.strip()) if isinstance(name, str) else None
    if row is None:
        raise line.wrong("row", "a row of this study", name)
    names = [f"{axis}_{side}" for axis in study.axes for side in "ab"]
    if all(columns.get(key) in (None, "") for key in ("verdict", *names)):
        return None
    shown = _verdict(line)
    ratings = {key: _rating(study, line, key) for key in names if shown is not Verdict.INCOMPARABLE or columns.get(key)}
    by_axis: dict[str, tuple[int, int]] = {}
    for axis in study.axes:
        if f"{axis}_a" in ratings and f"{axis}_b" in ratings:
            left, right = ratings[f"{axis}_a"], ratings[f"{axis}_b"]
            by_axis[axis] = (right, left) if row.swapped else (left, right)
    verdict = _SWAPPED.get(shown, shown) if row.swapped else shown
    comment = columns.get("comment")
    return Judgement(
        row, pairs[row.pair], verdict, by_axis, comment.strip() if isinstance(comment, str) else "", _seconds(line)
    )


def _verdict(line: SheetLine) -> Verdict:
    """The verdict as the person saw the sides."""
    value = line.columns.get("verdict")
    try:
        return Verdict(value.strip().lower() if isinstance(value, str) else "")
    except ValueError:
        raise line.wrong("verdict", "a, b, tie, both_bad or incomparable", value) from None


def _rating(study: Study, line: SheetLine, name: str) -> int:
    value = line.columns.get(name)
    text = str(value).strip() if isinstance(value, str | int) and not isinstance(value, bool) else ""
    if not text.isdecimal() or not study.minimum <= int(text) <= study.maximum:
        raise line.wrong(name, f"a whole number from {study.minimum} to {study.maximum}", value)
    return int(text)


def _seconds(line: SheetLine) -> float | None:
    value = line.columns.get("seconds")
    if value is None or value == "":
        return None
    try:
        seconds = float(value) if isinstance(value, str | int | float) else -1.0
    except ValueError:
        seconds = -1.0
    if not 0 <= seconds < float("inf"):
        raise line.wrong("seconds", "a number from 0 on, or nothing", value)
    return seconds
