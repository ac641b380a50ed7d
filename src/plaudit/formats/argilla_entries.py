"""One record of Argilla's, nested or flattened, as its fields and the responses people gave to its questions."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from pydantic import JsonValue

from plaudit.formats.columns import Columns
from plaudit.formats.jsonl import objects
from plaudit.formats.messages import MisfitError, shown
from plaudit.formats.rows import Row
from plaudit.schemas.errors import RowError

_PROMPTS = ("prompt", "instruction", "question", "messages", "conversation", "chat", "input", "text")
_ANSWERS = ("response", "completion", "answer", "output", "reply", "generation")
_STATUSES = ("submitted", "draft", "discarded")
_RESPONSES, _USERS, _STATUS = ".responses", ".responses.users", ".responses.status"
_FLAT = re.compile(r"\.(responses(\.(users|status))?|suggestion(\.(score|agent))?)$")
_LAST_NUMBER = re.compile(r"(\d+)\D*$")

Scale = tuple[float, float]
_USUAL: Scale = (1.0, 5.0)
_WIDEST: Scale = (0.0, 10.0)
"""What Argilla allows."""


@dataclass(frozen=True, slots=True)
class Response:
    """One person's answer to one question, the `index`-th to it. `status` is None where the export does not say."""

    question: str
    index: int
    value: JsonValue
    user: str | None
    status: str | None
    path: str

    @property
    def rating(self) -> int | None:
        """The number of stars, None for anything else."""
        return self.value if isinstance(self.value, int) and not isinstance(self.value, bool) else None


@dataclass(frozen=True, slots=True)
class Entry:
    """What was shown and what was said. Of a flattened row every column may be a field."""

    fields: dict[str, JsonValue]
    responses: list[Response]
    is_nested: bool


def is_nested(columns: Mapping[str, JsonValue]) -> bool:
    """Whether a row has the nested form."""
    return isinstance(columns.get("fields"), dict) and isinstance(columns.get("responses"), dict)


def is_flat(columns: Mapping[str, JsonValue]) -> bool:
    """Whether a row has the flattened form."""
    questions = [name.removesuffix(_USERS) for name in columns if name.endswith(_USERS)]
    return any(f"{question}{_RESPONSES}" in columns for question in questions)


def entry_of(row: Row) -> Entry:
    """The row's fields and responses; takes the columns of the responses. Raises MisfitError."""
    if not (row.has("fields") or is_flat(row.columns)):
        raise MisfitError("fields", "an object, or columns NAME.responses and NAME.responses.users", "neither")
    return _nested(row) if row.has("fields") else _flat(row)


def scales_in(path: Path, named: Columns) -> dict[str, Scale]:
    """The scale of each rating question, which no export holds: 1 to 5 where every value is, else all Argilla allows."""
    scales: dict[str, Scale] = {}
    for found in objects(path):
        if isinstance(found, RowError):
            continue
        try:
            responses = entry_of(Row(found.columns, source="", named=named)).responses
        except (MisfitError, RecursionError):
            continue  # The reader will say so.
        for response in responses:
            if response.rating is not None and response.status in (None, "submitted"):
                fits = _USUAL[0] <= response.rating <= _USUAL[1]
                scales[response.question] = scales.get(response.question, _USUAL) if fits else _WIDEST
    return scales


def ranks_in(response: Response, fields: Collection[str]) -> dict[str, int | None] | None:
    """The rank of each answer by its field, 0 the best; None where the response is no ranking. Raises MisfitError."""
    value = response.value
    if not isinstance(value, list) or not value:
        return None
    if all(isinstance(one, str) and one in fields for one in value) and len(value) > 1:
        return _distinct([(str(one), rank) for rank, one in enumerate(value)], response.path)
    if not all(isinstance(one, dict) and "value" in one for one in value):
        return None
    return _distinct([_placed(one, fields, f"{response.path}[{i}]") for i, one in enumerate(value)], response.path)


def asked_field(entry: Entry, answers: Collection[str]) -> str:
    """The field with the prompt: of a usual name, or the only one that is no answer. Raises MisfitError."""
    others = [name for name in entry.fields if name not in answers]
    usual = [name for name in _PROMPTS if name in others]
    if usual or (entry.is_nested and len(others) == 1):
        return (usual or others)[0]
    got = ", ".join(others) or "no other field"
    raise MisfitError("fields", f"a field with the prompt, as {' or '.join(_PROMPTS)}", got)


def rated_field(question: str, fields: Iterable[str]) -> str | None:
    """The field that a rating question is about: the only answer, or the one whose name or number the question has."""
    answers = [name for name in fields if name.lower().startswith(_ANSWERS)]
    if len(answers) == 1:
        return answers[0]
    named = [name for name in answers if name in question]
    if named:
        return max(named, key=len)
    number = _LAST_NUMBER.search(question)
    numbered = [name for name in answers if number and (own := _LAST_NUMBER.search(name)) and own[1] == number[1]]
    return numbered[0] if len(numbered) == 1 else None


def scale_names(question: str) -> tuple[str, str]:
    """The names under which plaudit writes a rating question's scale into the metadata."""
    return f"{question}.minimum", f"{question}.maximum"


def _nested(row: Row) -> Entry:
    fields = row.take("fields", "an object of fields")
    given = row.take("responses", "an object of responses by question")
    for name, value in (("fields", fields), ("responses", given)):
        if not isinstance(value, dict):
            raise MisfitError(name, "an object", shown(value))
    assert isinstance(fields, dict)
    assert isinstance(given, dict)
    responses: list[Response] = []
    for question, found in given.items():
        if not isinstance(found, list):
            raise MisfitError(f"responses.{question}", "a list of responses", shown(found))
        for index, one in enumerate(found):
            path = f"responses.{question}[{index}]"
            if not isinstance(one, dict) or "value" not in one:
                raise MisfitError(path, "an object with value and user_id", shown(one))
            user, status = _user(one.get("user_id"), f"{path}.user_id"), _status(one.get("status"), f"{path}.status")
            responses.append(Response(question, index, one["value"], user, status, f"{path}.value"))
    return Entry(fields, responses, is_nested=True)


def _flat(row: Row) -> Entry:
    names = [name for name, value in row.columns.items() if value is not None and not _FLAT.search(name)]
    fields = {name: row.columns[name] for name in names}
    return Entry(fields, list(_flat_responses(row)), is_nested=False)


def _flat_responses(row: Row) -> Iterator[Response]:
    for column in [name for name in row.columns if name.endswith(_RESPONSES)]:
        question = column.removesuffix(_RESPONSES)
        taken = [f"{question}{ending}" for ending in (_RESPONSES, _USERS, _STATUS)]
        values, users, statuses = (row.items(name) if row.has(name) else [] for name in taken)
        for name in taken:
            row.columns.pop(name, None)
        for name, found in zip(taken[1:], (users, statuses), strict=True):
            if found and len(found) != len(values):
                raise MisfitError(name, f"one entry a response, {len(values)}", str(len(found)))
        for index, value in enumerate(values):
            path = f"{column}[{index}]"
            user = _user(users[index], f"{taken[1]}[{index}]") if users else None
            status = _status(statuses[index], f"{taken[2]}[{index}]") if statuses else None
            yield Response(question, index, value, user, status, path)


def _user(value: JsonValue, path: str) -> str | None:
    if value is not None and not isinstance(value, str):
        raise MisfitError(path, "text or null", shown(value))
    # Argilla writes the name of Python's nothing where a response has no user.
    return value if value and value != "None" else None


def _status(value: JsonValue, path: str) -> str | None:
    if value is not None and value not in _STATUSES:
        raise MisfitError(path, f"{', '.join(_STATUSES)} or null", shown(value))
    return value if isinstance(value, str) else None


def _placed(value: JsonValue, fields: Collection[str], path: str) -> tuple[str, int | None]:
    """The field that an option of a ranking names, and its rank."""
    assert isinstance(value, dict)
    name, rank = value["value"], value.get("rank")
    if not isinstance(name, str) or name not in fields:
        raise MisfitError(f"{path}.value", "the name of the field with this answer", shown(name))
    if rank is not None and (isinstance(rank, bool) or not isinstance(rank, int) or rank < 1):
        raise MisfitError(f"{path}.rank", "a whole number from 1 (best), or null", shown(rank))
    return name, None if rank is None else rank - 1


def _distinct(placed: list[tuple[str, int | None]], path: str) -> dict[str, int | None]:
    ranks = dict(placed)
    if len(ranks) != len(placed):
        raise MisfitError(path, "each answer once", ", ".join(name for name, _ in placed))
    return ranks
