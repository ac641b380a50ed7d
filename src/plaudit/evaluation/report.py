"""The report: one self-contained page, its plots as files, and the numbers as JSON."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.resources import files
from pathlib import Path

from plaudit.evaluation.figures import Figure
from plaudit.evaluation.samples import Sample
from plaudit.evaluation.tables import Table
from plaudit.runs.files import replace_file, write_json
from plaudit.schemas.errors import PlauditError

# HTML allows no control characters besides white space, and a lone surrogate cannot be written at all.
_UNPRINTABLE = dict.fromkeys([*range(9), 11, 12, *range(14, 32), 127, *range(55296, 57344)], "�")


@dataclass(frozen=True, slots=True)
class Report:
    """What the page shows, in this order. A section that is empty is left out; `intro` holds one text a paragraph.

    `summary` becomes summary.json as it stands.
    """

    title: str
    intro: tuple[str, ...] = ()
    tables: tuple[Table, ...] = ()
    figures: tuple[Figure, ...] = ()
    samples: tuple[Sample, ...] = ()
    samples_intro: str = ""
    """What is said of the samples where they are not simply the first prompts."""
    notes: tuple[str, ...] = ()
    summary: Mapping[str, object] = field(default_factory=dict)

    def __post_init__(self) -> None:
        names = [figure.name for figure in self.figures]
        if len(set(names)) < len(names):
            raise ValueError(f"two figures of one name would be one file: {names}")


def write_report(report: Report, folder: Path) -> Path:
    """Writes `report.html`, `summary.json` and `<figure>.png` into the folder; gives the page's path.

    The page loads nothing: no script, no font, no picture from elsewhere. Raises PlauditError where it cannot be
    written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for figure in report.figures:
            replace_file(folder / f"{figure.name}.png", [figure.light])
        write_json(folder / "summary.json", report.summary)
        path = folder / "report.html"
        replace_file(path, [report_html(report).encode()])
    except OSError as error:
        raise PlauditError(
            f"cannot write the report into {folder}: {error.strerror}. Give a folder you may write to"
        ) from error
    return path


def report_html(report: Report) -> str:
    """The page. Every text is escaped; what a page cannot hold becomes U+FFFD."""
    from jinja2 import Environment, StrictUndefined

    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    environment.filters["data_uri"] = _data_uri
    source = files("plaudit.evaluation").joinpath("report.html.jinja").read_text(encoding="utf-8")
    return environment.from_string(source).render(report=report).translate(_UNPRINTABLE)


def _data_uri(png: bytes) -> str:
    return f"data:image/png;base64,{base64.b64encode(png).decode()}"
