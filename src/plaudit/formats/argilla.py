"""Argilla's records, nested (`to_json`) or with flattened keys (`to_list(flatten=True)`, `to_datasets`).

    {"id", "fields": {"prompt", "response1", ...}, "responses": {"ranking": [{"value", "user_id"}]}, "metadata", ...}
    {"id", "prompt", "response1", ..., "ranking.responses": [value], "ranking.responses.users", "ranking.responses.status"}

    value [{"value": "response1", "rank": 1}, ...]  <-> Ranking; equal ranks are ties, null was not ranked
    value ["response1", "response2"]                 -> Ranking, best first
    value 4, to a question about one answer         <-> Rating

Each person's response is a record; the answers stand in the order of the fields, in which people saw them. Drafts and
discarded responses are left out, counted. A nested export does not say which responses were submitted: they are read and
counted, have `argilla.status` null in `extra`, and are never written as submitted. What else a person answered is
kept as `responses.QUESTION`, other fields as `fields.NAME`. Written are nested rows, with the status.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from functools import partial
from pathlib import Path

from pydantic import JsonValue, ValidationError

from plaudit.formats.argilla_entries import (
    Entry,
    Response,
    Scale,
    asked_field,
    entry_of,
    is_flat,
    is_nested,
    ranks_in,
    rated_field,
    scale_names,
    scales_in,
)
from plaudit.formats.columns import AS_NAMED, Columns
from plaudit.formats.messages import MisfitError, shown
from plaudit.formats.outgoing import CannotCarryError, Losses, Outgoing, not_carried, write_each
from plaudit.formats.rows import Dropped, Item, Provenance, Row, answer_from, items, own, prompt_from, strict
from plaudit.schemas.conversation import Messages, Role, canonical_json
from plaudit.schemas.feedback import AnyRecord, Comparison, Ranking, Rating, Verdict

_NOT_SAID = "whether a response was submitted: a nested export does not say, it may be a draft (flatten it to be sure)"
_NO_TIES = "the ties of a ranking, which a bare list of answers does not say"
_NO_SCALE = "the scale of a rating: taken as 1 to 5, as 0 to 10 where an answer to the question lies outside"
_NOT_READ = "response to a question that neither ranks nor rates answers"
_EMPTY = ("metadata", "suggestions", "vectors")
_RANKS = {Verdict.A: (0, 1), Verdict.B: (1, 0), Verdict.TIE: (0, 0), Verdict.BOTH_BAD: (0, 0)}


def recognises(columns: Mapping[str, JsonValue]) -> bool:
    """Whether a row has one of the two forms."""
    return is_nested(columns) or is_flat(columns)


def read(path: Path) -> Iterator[AnyRecord]:
    """The file's rankings and ratings. Raises RowError."""
    return strict(argilla_items(path))


def argilla_items(path: Path, named: Columns = AS_NAMED) -> Iterator[Item]:
    """The file's records, what was left out, and a RowError for a row that misfits. Reads the file twice."""
    return items(path, partial(records_of, scales=scales_in(path, named)), named)


def write(records: Iterable[AnyRecord], path: Path) -> Losses:
    """Writes a nested row for each prompt and its answers, in it a response a record; comparisons as rankings of two."""
    return write_each(records, path, lambda record, losses: [_row_of(record, losses)], _joined)


def records_of(row: Row, scales: Mapping[str, Scale]) -> Iterator[AnyRecord | Dropped]:
    """The records of one row, one a response that ranks or rates answers."""
    entry = entry_of(row)
    known = _scales(row, entry)
    for name in _EMPTY:
        if row.columns.get(name) == {}:
            row.take(name, "anything")
    shared = row.provenance()
    judged: list[Response] = []
    others: dict[str | None, dict[str, JsonValue]] = {}
    for response in entry.responses:
        if response.status in ("draft", "discarded"):
            yield Dropped(f"{response.status} response")
        elif ranks_in(response, entry.fields) or (response.rating is not None and _rated(response, entry)):
            judged.append(response)
        else:
            others.setdefault(response.user, {})[f"responses.{response.question}"] = response.value
    for response in judged:
        yield from _read_one(
            response, entry, _provenance(response, entry, shared, len(judged)), others, {**scales, **known}
        )
        if response.rating is not None and response.question not in known:
            yield Dropped(_NO_SCALE)
    people = {response.user for response in judged}
    yield from (Dropped(_NOT_READ) for user, answers in others.items() if user not in people for _ in answers)
    if not entry.responses:
        yield Dropped("record without a response")


def _read_one(
    response: Response,
    entry: Entry,
    provenance: Provenance,
    others: Mapping[str | None, dict[str, JsonValue]],
    scales: Mapping[str, Scale],
) -> Iterator[AnyRecord | Dropped]:
    extra = provenance["extra"]
    extra |= others.get(response.user, {})
    if response.status is None:
        extra["argilla.status"] = None
        yield Dropped(_NOT_SAID)
    ranks = ranks_in(response, entry.fields)
    names = [name for name in entry.fields if name in ranks] if ranks else [str(_rated(response, entry))]
    asked = asked_field(entry, names)
    prompt, leftover = prompt_from(entry.fields[asked], f"fields.{asked}")
    answers: list[Messages] = []
    for name in names:
        answer, beside = answer_from(entry.fields[name], f"fields.{name}")
        answers.append(answer)
        leftover |= beside
    prefix = "fields." if entry.is_nested else ""
    for name in (asked, *names):
        extra.pop(f"{prefix}{name}", None)
    defaults = _defaults(len(names)) if ranks else _defaults(0)
    given: tuple[JsonValue, ...] = (response.question, asked, list(names))
    extra |= leftover | {
        name: value for (name, usual), value in zip(defaults.items(), given, strict=True) if value != usual
    }
    if ranks is None:
        low, high = scales[response.question]
        score = float(response.rating or 0)
        yield Rating(prompt=prompt, completion=answers[0], score=score, minimum=low, maximum=high, **provenance)
        return
    if isinstance(response.value, list) and isinstance(response.value[0], str):
        yield Dropped(_NO_TIES)
    order = tuple(ranks[name] for name in names)
    yield Ranking(prompt=prompt, completions=tuple(answers), ranks=order, **provenance)


def _rated(response: Response, entry: Entry) -> str | None:
    return rated_field(
        response.question, [name for name, value in entry.fields.items() if isinstance(value, str | list)]
    )


def _defaults(num_ranked: int) -> dict[str, JsonValue]:
    """The question, the prompt's field and the answers' where nothing else is known; of a rating for 0 ranked answers."""
    names: list[JsonValue] = [f"response{number}" for number in range(1, num_ranked + 1)] or ["response"]
    question = "ranking" if num_ranked else "rating"
    return {"argilla.question": question, "argilla.prompt": "prompt", "argilla.options": names}


def _provenance(response: Response, entry: Entry, shared: Provenance, num: int) -> Provenance:
    """What a response's record has from its row; its id is the row's where no other response of it is read."""
    fields = {f"fields.{name}": value for name, value in entry.fields.items()} if entry.is_nested else {}
    who = response.index if response.user is None else response.user
    found = own(shared, f"{response.question}:{who}", fields)
    if num == 1:
        found["id"] = shared["id"]
    if response.user is not None:
        found["annotator"] = response.user
    return found


def _scales(row: Row, entry: Entry) -> dict[str, Scale]:
    """The scales that the row's metadata hold, as plaudit writes them; takes them out."""
    metadata = row.columns.get("metadata")
    found = row.columns
    if entry.is_nested and isinstance(metadata, dict):
        found = row.columns["metadata"] = dict(metadata)
    scales: dict[str, Scale] = {}
    for question in {response.question for response in entry.responses if response.rating is not None}:
        names = scale_names(question)
        if all(name in found for name in names):
            low, high = (_number(found.pop(name), f"metadata.{name}") for name in names)
            scales[question] = (low, high)
    return scales


def _number(value: JsonValue, path: str) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or abs(value) > 1e300:
        raise MisfitError(path, "a number", shown(value))
    return float(value)


def _row_of(record: AnyRecord, losses: Losses) -> dict[str, JsonValue]:
    outgoing = Outgoing(record, losses)
    extra = outgoing.extra
    if isinstance(record, Comparison):
        record = _as_ranking(record, outgoing)
    match record:
        case Ranking():
            answers, num_ranked = record.completions, len(record.completions)
            for name, flags in (("unacceptable", record.unacceptable), ("truncated", record.truncated)):
                if flags:
                    outgoing.lose(name)
        case Rating():
            answers, num_ranked = (record.completion,), 0
        case _:
            raise not_carried("argilla", record, "Comparison, Ranking and Rating")
    question, asked, options = (extra.pop(name, usual) for name, usual in _defaults(num_ranked).items())
    if not (isinstance(question, str) and isinstance(asked, str) and isinstance(options, list)):
        raise CannotCarryError("names of a question or of fields that are none")
    names = [str(option) for option in options]
    if len({asked, *names}) != 1 + len(answers):
        raise CannotCarryError("names of fields that are not one each")
    fields: dict[str, JsonValue] = {asked: outgoing.said(record.prompt, f"fields.{asked}", Role.USER)}
    for name, answer in zip(names, answers, strict=True):
        fields[name] = outgoing.said(answer, f"fields.{name}", Role.ASSISTANT)
    outgoing.put_back("fields.", fields)
    person: dict[str, JsonValue] = {"user_id": record.annotator, "status": extra.pop("argilla.status", "submitted")}
    responses: dict[str, JsonValue] = {question: [{"value": _value(record, names)} | person]}
    said: dict[str, JsonValue] = {}
    outgoing.put_back("responses.", said, (question,))
    responses |= {name: [{"value": value} | person] for name, value in said.items()}
    columns: dict[str, JsonValue] = {"fields": fields, "responses": responses}
    for name in _EMPTY:
        columns[name] = extra.pop(name, {})
    if isinstance(record, Rating):
        metadata = columns["metadata"]
        if not isinstance(metadata, dict):
            outgoing.lose("extra.metadata")
        low, high = scale_names(question)
        scale: dict[str, JsonValue] = {low: record.minimum, high: record.maximum}
        columns["metadata"] = (metadata if isinstance(metadata, dict) else {}) | scale
    row = outgoing.open_row(columns)
    row.pop("annotator", None)
    if not _comes_back(record, row):
        raise CannotCarryError("a record that would not be read back as it is")
    return row


def _as_ranking(record: Comparison, outgoing: Outgoing) -> Ranking:
    """The ranking of two that says the same."""
    if record.verdict not in _RANKS:
        raise CannotCarryError(f"verdict {record.verdict.value} where the shape holds a ranking")
    for name, is_there in (
        ("kind (a comparison comes back as a ranking of two)", True),
        ("verdict (both_bad as a tie)", record.verdict is Verdict.BOTH_BAD),
        ("strength", record.strength is not None),
        ("margin", record.margin is not None),
        ("reason", bool(record.reason)),
    ):
        if is_there:
            outgoing.lose(name)
    return Ranking(
        id=record.id,
        source=record.source,
        weight=record.weight,
        annotator=record.annotator,
        extra=record.extra,
        prompt=record.prompt,
        completions=(record.a, record.b),
        ranks=_RANKS[record.verdict],
    )


def _value(record: Ranking | Rating, names: list[str]) -> JsonValue:
    if isinstance(record, Ranking):
        ranks = [None if rank is None else rank + 1 for rank in record.ranks]
        return [{"value": name, "rank": rank} for name, rank in zip(names, ranks, strict=True)]
    if not record.score.is_integer() or not 0 <= record.score <= 10:
        raise CannotCarryError("a score that is no whole number from 0 to 10")
    return int(record.score)


def _comes_back(record: Ranking | Rating, row: dict[str, JsonValue]) -> bool:
    """Whether the row is read as this record: names of fields and questions decide, and `extra` may hold any."""
    try:
        found = [one for one in records_of(Row(row, source=record.source), {}) if isinstance(one, Ranking | Rating)]
    except (MisfitError, ValidationError):
        return False
    seen = {"prompt", "annotator", *("completion", "score", "minimum", "maximum", "completions", "ranks")}
    return [one.model_dump(include=seen) for one in found] == [record.model_dump(include=seen)]


def _joined(rows: list[dict[str, JsonValue]]) -> list[dict[str, JsonValue]]:
    """The rows, those that several responses to one record gave as one."""
    keys = [_key(row, number) for number, row in enumerate(rows)]
    num = Counter(keys)
    merged: dict[str, dict[str, JsonValue]] = {}
    for key, row in zip(keys, rows, strict=True):
        if num[key] == 1:
            merged[key] = row
            continue
        first = merged.setdefault(key, row | {"id": _base(row), "responses": {}, "metadata": {}})
        for name in ("responses", "metadata"):
            into, found = first[name], row[name]
            assert isinstance(into, dict)
            assert isinstance(found, dict)
            for entry_name, value in found.items():
                before = into.get(entry_name)
                if isinstance(before, list) and isinstance(value, list):
                    into[entry_name] = [*before, *(one for one in value if one not in before)]
                else:
                    into[entry_name] = value
    return list(merged.values())


def _base(row: Mapping[str, JsonValue]) -> str | None:
    """The id of the record that a response's own id was made from; None where it was made otherwise."""
    responses, own_id = row["responses"], row.get("id")
    assert isinstance(responses, dict)
    (question, given), *_ = responses.items()
    match given:
        case [{"user_id": str(user)}, *_] if isinstance(own_id, str) and own_id.endswith(f":{question}:{user}"):
            return own_id.removesuffix(f":{question}:{user}") or None
    return None


def _key(row: Mapping[str, JsonValue], number: int) -> str:
    base, metadata = _base(row), row["metadata"]
    if base is None or not isinstance(metadata, dict):
        return str(number)
    questions = row["responses"]
    assert isinstance(questions, dict)
    scales = {name for question in questions for name in scale_names(question)}
    rest = {name: value for name, value in row.items() if name not in ("id", "responses", "metadata")}
    kept = {name: value for name, value in metadata.items() if name not in scales}
    return canonical_json([base, rest, kept])
