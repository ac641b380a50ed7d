"""`plaudit study plan|sheet|report`: people compare models' answers blind, and what they say, with intervals."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from rich.console import Console

from plaudit.cli.evaluate import show_tables
from plaudit.cli.training import of_kinds
from plaudit.evaluation.studies.answers import SheetLine, collected, csv_lines, read_study
from plaudit.evaluation.studies.plan import StudyPlan, plan_table, planned
from plaudit.evaluation.studies.report import study_notes, study_report
from plaudit.evaluation.studies.results import first_judgements
from plaudit.evaluation.studies.sheet import write_study
from plaudit.evaluation.studies.study import StudyConfig, made_study, study_pairs
from plaudit.formats import Shape, open_records, write_records
from plaudit.formats.jsonl import objects
from plaudit.schemas.errors import PlauditError, RowError
from plaudit.schemas.feedback import Ranking

_MAX_ERRORS = 20


@dataclass(frozen=True, kw_only=True, slots=True)
class StudyPlanCommand:
    """Say how many prompts, pairs and people a study needs to find a given margin."""

    config: StudyPlan = field(default_factory=StudyPlan)

    def run(self) -> int:
        """Prints the table."""
        show_tables([plan_table(self.config, planned(self.config))], Console())
        return 0


@dataclass(frozen=True, kw_only=True, slots=True)
class StudySheetCommand:
    """Make a blind sheet for each person, a page that works offline and a CSV file, from models' answers."""

    answers: tuple[Path, ...]
    """Two or more models' files of answers to the same prompts, as `plaudit sample` writes them."""
    out: Path = Path("study")
    """The folder to make: `sheets/` for people, `key.json` for you alone."""
    names: tuple[str, ...] = ()
    """What the models are called in the report, in the order of the files; else as their files say, or the files' names."""
    config: StudyConfig = field(default_factory=StudyConfig)

    def run(self) -> int:
        """Writes the sheets and the key."""
        if self.names and len(self.names) != len(self.answers):
            raise PlauditError(f"one name a file: got {len(self.names)} names for {len(self.answers)} files")
        rows = [
            of_kinds(open_records(path), Ranking, file=path, command="study sheet --answers") for path in self.answers
        ]
        names = self.names or tuple(_model_of(found, path) for found, path in zip(rows, self.answers, strict=True))
        if len(set(names)) < len(names):
            raise PlauditError(f"every model needs a name of its own, got {', '.join(names)}: give --names")
        pairs = study_pairs(dict(zip(names, rows, strict=True)), self.config.answers_per_prompt)
        study = made_study(self.config, pairs)
        pages = write_study(study, self.out)
        num_left_out = max(map(len, rows)) - len({pair.prompt for pair in pairs})
        print(
            f"{self.out}: {len(study.pairs)} pairs of {', '.join(study.models)}, {len(study.rows)} rows for "
            f"{len(pages)} people"
            + (f" ({num_left_out} prompts without answers of every model)" if num_left_out > 0 else "")
        )
        for person, page in zip(study.people, pages, strict=True):
            print(f"  {page}: {sum(row.person == person for row in study.rows)} rows")
        print(
            f"next: each person opens their page, or fills in the CSV beside it; keep {self.out / 'key.json'} to yourself, "
            "then"
        )
        print(f"      plaudit study report --study {self.out} --answers FILE ...")
        return 0


@dataclass(frozen=True, kw_only=True, slots=True)
class StudyReportCommand:
    """Say what people's sheets say: win rates, ratings, agreement, habits; a table, a page with plots, JSON."""

    answers: tuple[Path, ...]
    """What people saved from their pages (.json), or their filled-in tables (.csv)."""
    study: Path = Path("study")
    """The study's folder, or its key.json."""
    out: Path = Path("study-report")
    """The folder for report.html, summary.json, the plots, and verdicts.jsonl with the verdicts as feedback records."""
    on_error: Literal["raise", "skip"] = "raise"
    """`skip` leaves out lines that cannot be read, and lists them; `raise` stops at the first."""

    def run(self) -> int:
        """Prints the tables and writes the report."""
        if self.out.exists() and (not self.out.is_dir() or any(self.out.iterdir())):
            raise PlauditError(f"{self.out} is not empty: give a new or empty folder")
        study = read_study(self.study)
        lines = (line for path in self.answers for line in sheet_lines(path))
        found = collected(study, lines, skip_errors=self.on_error == "skip")
        for text in map(str, found.errors[:_MAX_ERRORS]):
            print(text)
        if found.errors:
            print(f"{len(found.errors)} lines cannot be read and were left out")
        result, tables = study_report(study, found.judgements, self.out)
        verdicts = self.out / "verdicts.jsonl"
        write_records([one.comparison(study) for one in first_judgements(found.judgements)], verdicts, Shape.NATIVE)
        show_tables(tables, Console())
        for text in study_notes(result):
            print(text)
        print(f"report: {self.out / 'report.html'}")
        print(f"verdicts as records: {verdicts}")
        return 0


def sheet_lines(path: Path) -> Iterator[SheetLine | RowError]:
    """The lines of a filled-in sheet: CSV by its name, else JSON."""
    if path.suffix.lower() in {".csv", ".tsv"}:
        yield from csv_lines(path)
        return
    for found in objects(path):
        yield found if isinstance(found, RowError) else SheetLine(str(path), found.line, found.columns)


def _model_of(rows: list[Ranking], path: Path) -> str:
    """The model that a file of answers says made them; the file's name where it does not say."""
    made_by = {str(row.extra.get("model", "")) for row in rows}
    return made_by.pop() if len(made_by) == 1 and "" not in made_by else path.name.split(".")[0]
