"""What a person gets: one page that works without a network, and the same as CSV. Neither says whose answers they are."""

from __future__ import annotations

import base64
import csv
import hashlib
import io
import json
from importlib.resources import files
from pathlib import Path
from typing import TypedDict

from plaudit.evaluation.studies.study import Study
from plaudit.runs.files import replace_file, write_json
from plaudit.schemas.errors import PlauditError

KEY = "key.json"
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


class ShownRow(TypedDict):
    """A row as the page gets it: `prompt` holds role and text of each message."""

    id: str
    prompt: list[tuple[str, str]]
    a: str
    b: str


def write_study(study: Study, folder: Path) -> list[Path]:
    """Writes `key.json`, and for each person `sheets/<person>.html` and `.csv`; gives the pages' paths.

    Raises PlauditError where the folder holds anything or cannot be written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if any(folder.iterdir()):
            raise PlauditError(f"{folder} is not empty: give a new or empty folder, a study's key is not overwritten")
        sheets = folder / "sheets"
        sheets.mkdir()
        pages = []
        for person in study.people:
            pages.append(sheets / f"{person}.html")
            replace_file(pages[-1], [sheet_html(study, person).encode()])
            replace_file(sheets / f"{person}.csv", [sheet_csv(study, person).encode("utf-8-sig")])
        write_json(folder / KEY, study)
    except OSError as error:
        raise PlauditError(f"cannot write the study into {folder}: {error.strerror}. Give another folder") from error
    return pages


def sheet_html(study: Study, person: str) -> str:
    """The person's page. Its script runs from the page alone: the policy in its head allows nothing else."""
    from jinja2 import Environment, StrictUndefined

    room = files("plaudit.evaluation.studies")
    script = room.joinpath("page.js").read_text(encoding="utf-8")
    data = {
        "study": study.id,
        "person": person,
        "axes": list(study.axes),
        "minimum": study.minimum,
        "maximum": study.maximum,
        "rows": _shown(study, person),
    }
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    page = environment.from_string(room.joinpath("page.html.jinja").read_text(encoding="utf-8"))
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    # Only "<" could end the block of data early; inside a JSON text it may be written so. A lone surrogate cannot be.
    text = json.dumps(data, ensure_ascii=False).replace("<", "\\u003c").encode("utf-8", "replace").decode()
    return page.render(person=person, digest=digest, data=text, script=script)


def sheet_csv(study: Study, person: str) -> str:
    """The person's rows as a table to fill in: `verdict`, a rating of both answers on each axis, `comment`."""
    ratings = [f"{axis}_{side}" for axis in study.axes for side in "ab"]
    stream = io.StringIO()
    writer = csv.writer(stream)
    writer.writerow(["row", "conversation", "answer_a", "answer_b", "verdict", *ratings, "comment"])
    for row in _shown(study, person):
        prompt = "\n".join(f"{role}: {text}" for role, text in row["prompt"])
        texts = [_plain(text) for text in (prompt, row["a"], row["b"])]
        writer.writerow([row["id"], *texts, "", *("" for _ in ratings), ""])
    return stream.getvalue()


def _shown(study: Study, person: str) -> list[ShownRow]:
    """What the person sees of each of their rows."""
    pairs = {pair.id: pair for pair in study.pairs}
    shown: list[ShownRow] = []
    for row in study.rows:
        if row.person == person:
            pair = pairs[row.pair]
            a, b = reversed(pair.answers) if row.swapped else pair.answers
            prompt = [(message.role.value, message.text) for message in pair.prompt]
            shown.append(ShownRow(id=row.id, prompt=prompt, a=a, b=b))
    return shown


def _plain(text: str) -> str:
    """The text as a spreadsheet takes for text: an answer is no formula."""
    return f"'{text}" if text.startswith(_FORMULA) else text
