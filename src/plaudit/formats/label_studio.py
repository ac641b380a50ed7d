"""Label Studio's export of tasks: which of two answers is better (Pairwise), and answers put in order (Ranker).

    {"id", "data": {"prompt", "answer1", "answer2"}, "annotations": [{"id", "completed_by", "lead_time", "result": [
        {"type": "pairwise", "to_name": ["answer1", "answer2"], "value": {"selected": "left"}}]}]}    <-> Comparison
    {"data": {"prompt", "answers": [{"id", "body"}, ...]}, "annotations": [{"result": [
        {"type": "ranker", "to_name": "answers", "value": {"ranker": ...}}]}]}                           <-> Ranking

`rankers` reads the forms of a ranker's value. The first of `to_name`, a list or "answer1,answer2", stood on the left and is
`a`; the names are those of the answers in `data`. What an annotation holds besides its judgement is kept in `extra` under
its own name (`lead_time`, `ground_truth`), what the task holds as `task.NAME`, further data as `data.NAME`, what else
the judgement holds as `result.NAME`. A cancelled annotation's choice counts for nothing: a pair is incomparable, answers are
not ranked. Pairs know no tie, so ties are left out on writing, counted; in rankings they are buckets.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from pydantic import JsonValue

from plaudit.formats import rankers
from plaudit.formats.messages import MisfitError, shown
from plaudit.formats.outgoing import CannotCarryError, Losses, Outgoing, not_carried, single_text, write_each
from plaudit.formats.rows import Dropped, Provenance, Row, answer_from, items, prompt_from, strict
from plaudit.schemas.conversation import Messages, Role, canonical_json
from plaudit.schemas.feedback import AnyRecord, Comparison, Ranking, Verdict

_KINDS = ("pairwise", "ranker")
_SIDES = {"left": Verdict.A, "right": Verdict.B}
_CANCELLED = "cancelled"
_PAIRWISE: dict[str, JsonValue] = {"from_name": "comparison", "to_name": ["answer1", "answer2"]}
_RANKER: dict[str, JsonValue] = {"from_name": "rank", "to_name": "answers"}
_BUCKETS = "the order of a ranker's buckets: taken as they stand in the file, the best first"


def recognises(columns: Mapping[str, JsonValue]) -> bool:
    """Whether a row has this shape."""
    return isinstance(columns.get("data"), dict) and isinstance(columns.get("annotations"), list)


def read(path: Path) -> Iterator[AnyRecord]:
    """The file's comparisons and rankings, one a judgement. Raises RowError."""
    return strict(items(path, records_of))


def write(records: Iterable[AnyRecord], path: Path) -> Losses:
    """Writes a task for each prompt and its answers, in it an annotation a record."""
    return write_each(records, path, lambda record, losses: [_task_of(record, losses)], _joined)


def records_of(row: Row) -> Iterator[AnyRecord | Dropped]:
    """The records of one task."""
    data = _object(row.take("data", "the task's data"), "data")
    annotations = row.items("annotations")
    shared = row.provenance()
    shared["extra"] = {f"task.{name}": value for name, value in shared["extra"].items()}
    if "id" in row.columns and f"{row.columns['id']}" == shared["id"]:
        shared["extra"]["task.id"] = row.columns["id"]
    if not annotations:
        yield Dropped("task without an annotation")
    for index, annotation in enumerate(annotations):
        path = f"annotations[{index}]"
        own = Provenance(**shared)
        own["id"] = f"{shared['id']}:{index}"
        yield from _judgements(_object(annotation, path), path, data, own)


def _judgements(
    annotation: dict[str, JsonValue], path: str, data: dict[str, JsonValue], shared: Provenance
) -> Iterator[AnyRecord | Dropped]:
    results = annotation.get("result")
    if not isinstance(results, list):
        raise MisfitError(f"{path}.result", "a list of results", shown(results))
    found = [_object(result, f"{path}.result[{i}]") for i, result in enumerate(results)]
    judged = [i for i, result in enumerate(found) if result.get("type") in _KINDS]
    is_cancelled = annotation.get("was_cancelled") is True
    if not judged:
        yield Dropped(f"{_CANCELLED if is_cancelled else 'submitted'} annotation without a comparison or ranking")
    provenance = _provenance(annotation, path, shared)
    further: list[JsonValue] = [result for i, result in enumerate(found) if i not in judged]
    if further:
        provenance["extra"]["further_results"] = further
    for i in judged:
        own = Provenance(**provenance)
        if len(judged) > 1:
            own["id"] = f"{provenance['id']}:{i}"
        read_one = _comparison if found[i]["type"] == "pairwise" else _ranking
        yield from read_one(found[i], f"{path}.result[{i}]", data, own, is_cancelled)


def _provenance(annotation: dict[str, JsonValue], path: str, shared: Provenance) -> Provenance:
    kept = {name: value for name, value in annotation.items() if name not in ("id", "completed_by", "result")}
    own_id = annotation.get("id")
    if own_id is not None and not _is_name(own_id):
        raise MisfitError(f"{path}.id", "text or a whole number", shown(own_id))
    person = annotation.get("completed_by")
    name = person.get("id") if isinstance(person, dict) else person
    if person is not None and not _is_name(name):
        raise MisfitError(f"{path}.completed_by", "a person's number or an object with their id", shown(person))
    if isinstance(person, dict):
        kept["completed_by"] = person
    seconds = _seconds(kept.get("lead_time_ms"))
    if seconds is not None and seconds == kept.get("lead_time"):
        del kept["lead_time"]
    return Provenance(
        id=shared["id"] if own_id is None else str(own_id),
        source=shared["source"],
        weight=shared["weight"],
        annotator=shared["annotator"] if person is None else str(name),
        extra=shared["extra"] | kept,
    )


def _comparison(
    result: dict[str, JsonValue], path: str, data: dict[str, JsonValue], own: Provenance, is_cancelled: bool
) -> Iterator[Comparison]:
    left, right = _two_names(result.get("to_name"), f"{path}.to_name")
    value = _object(result.get("value"), f"{path}.value")
    selected = value.get("selected")
    if not isinstance(selected, str) or selected not in _SIDES:
        raise MisfitError(f"{path}.value.selected", "left or right", shown(selected))
    prompt, own["extra"] = _prompt(data, own["extra"])
    sides: list[Messages] = []
    for name in (left, right):
        if name not in data:
            names = ", ".join(data) or "nothing"
            raise MisfitError(f"data.{name}", "the answer that to_name names (give both one name)", f"only {names}")
        answer, leftover = answer_from(data[name], f"data.{name}")
        sides.append(answer)
        own["extra"] |= leftover
    own["extra"] |= _unread(data, "data.", ("prompt", left, right)) | _unread_of(result, _PAIRWISE)
    if is_cancelled or value.keys() != {"selected"}:
        own["extra"]["result.value"] = value
    verdict = Verdict.INCOMPARABLE if is_cancelled else _SIDES[selected]
    reason = _CANCELLED if is_cancelled else ""
    yield Comparison(prompt=prompt, a=sides[0], b=sides[1], verdict=verdict, reason=reason, **own)


def _ranking(
    result: dict[str, JsonValue], path: str, data: dict[str, JsonValue], own: Provenance, is_cancelled: bool
) -> Iterator[Ranking | Dropped]:
    name, entries = rankers.listed(data, result.get("to_name"), path)
    answers = [rankers.answer(entry, f"data.{name}[{i}]") for i, entry in enumerate(entries)]
    value = _object(result.get("value"), f"{path}.value")
    from_name = result.get("from_name")
    ids = [answer.id for answer in answers]
    ranks, is_guessed = rankers.ranks_of(value.get("ranker"), ids, from_name, f"{path}.value.ranker")
    prompt, own["extra"] = _prompt(data, own["extra"])
    own["extra"] |= _unread(data, "data.", ("prompt", name)) | _unread_of(result, _RANKER)
    if name != _list_name(result.get("to_name")):
        own["extra"]["ranker.list"] = name
    if [answer.entry for answer in answers] != rankers.plain_entries(len(answers)):
        own["extra"]["ranker.items"] = [answer.entry for answer in answers]
    if is_guessed and not is_cancelled:
        yield Dropped(_BUCKETS)
    ranks = (None,) * len(ranks) if is_cancelled else ranks
    if value != {"ranker": rankers.value_of(ranks, ids, from_name)}:
        own["extra"]["result.value"] = value
    yield Ranking(prompt=prompt, completions=tuple(answer.completion for answer in answers), ranks=ranks, **own)


def _prompt(data: dict[str, JsonValue], extra: dict[str, JsonValue]) -> tuple[Messages, dict[str, JsonValue]]:
    """The prompt, and `extra` with what its messages hold besides."""
    if "prompt" not in data:
        raise MisfitError("data.prompt", "the prompt, text or messages", f"only {', '.join(data) or 'nothing'}")
    prompt, leftover = prompt_from(data["prompt"], "data.prompt")
    return prompt, extra | leftover


def _two_names(value: JsonValue, path: str) -> tuple[str, str]:
    names = value.split(",") if isinstance(value, str) else value
    match names:
        case [str(left), str(right)] if len({left.strip(), right.strip(), "prompt", ""}) == 4:
            return left.strip(), right.strip()
    raise MisfitError(path, 'the names of two answers, as a list or as "left,right"', shown(value))


def _object(value: JsonValue, path: str) -> dict[str, JsonValue]:
    if not isinstance(value, dict):
        raise MisfitError(path, "an object", shown(value))
    return value


def _unread(columns: Mapping[str, JsonValue], prefix: str, read_ones: tuple[str, ...]) -> dict[str, JsonValue]:
    return {f"{prefix}{name}": value for name, value in columns.items() if name not in read_ones}


def _unread_of(result: Mapping[str, JsonValue], defaults: Mapping[str, JsonValue]) -> dict[str, JsonValue]:
    """What a result holds besides its value, but for the names that are written where nothing else is known."""
    kept = {name: value for name, value in result.items() if name not in defaults or defaults[name] != value}
    return _unread(kept, "result.", ("type", "value"))


def _is_name(value: JsonValue) -> bool:
    return (isinstance(value, str) and bool(value)) or (isinstance(value, int) and not isinstance(value, bool))


def _seconds(milliseconds: JsonValue) -> float | None:
    if isinstance(milliseconds, bool) or not isinstance(milliseconds, int | float) or abs(milliseconds) > 1e15:
        return None
    return milliseconds / 1000


def _number_or_name(name: str) -> int | str:
    """A number as Label Studio gives its own people and annotations, any other name as it is."""
    return int(name) if name.isdecimal() and len(name) < 19 and str(int(name)) == name else name


def _task_of(record: AnyRecord, losses: Losses) -> dict[str, JsonValue]:
    outgoing = Outgoing(record, losses)
    data: dict[str, JsonValue] = {}
    match record:
        case Comparison():
            data["prompt"] = outgoing.said(record.prompt, "data.prompt", Role.USER)
            result = _pairwise(record, data, outgoing)
        case Ranking():
            data["prompt"] = outgoing.said(record.prompt, "data.prompt", Role.USER)
            result = _ranker(record, data, outgoing)
        case _:
            raise not_carried("label-studio", record, "Comparison and Ranking")
    outgoing.put_back("data.", data)
    outgoing.put_back("result.", result)
    task: dict[str, JsonValue] = {"data": data, "annotations": []}
    outgoing.put_back("task.", task, ("source", "weight", "annotator"))
    if record.source:
        task["source"] = record.source
    if record.weight != 1:
        task["weight"] = record.weight
    task["annotations"] = [_annotation(record, result, outgoing)]
    return task


def _annotation(record: Comparison | Ranking, result: dict[str, JsonValue], outgoing: Outgoing) -> dict[str, JsonValue]:
    extra = outgoing.extra
    further = extra.pop("further_results", [])
    if not _are_further(further):
        outgoing.lose("extra.further_results")
        further = []
    assert isinstance(further, list)
    annotation: dict[str, JsonValue] = {"id": _number_or_name(record.id)} if record.id else {}
    if record.annotator is not None:
        person = extra.pop("completed_by", None)
        is_theirs = isinstance(person, dict) and _is_name(person.get("id")) and str(person["id"]) == record.annotator
        annotation["completed_by"] = person if is_theirs else _number_or_name(record.annotator)
        if person is not None and not is_theirs:
            outgoing.lose("extra.completed_by")
    seconds = _seconds(extra.get("lead_time_ms"))
    if seconds is not None and "lead_time" not in extra:
        annotation["lead_time"] = seconds
    outgoing.put_back("", annotation, ("result", "completed_by"))
    return annotation | {"result": [result, *further]}


def _are_further(value: JsonValue) -> bool:
    return isinstance(value, list) and all(isinstance(one, dict) and one.get("type") not in _KINDS for one in value)


def _pairwise(record: Comparison, data: dict[str, JsonValue], outgoing: Outgoing) -> dict[str, JsonValue]:
    value = outgoing.extra.pop("result.value", None)
    is_cancelled = outgoing.extra.get("was_cancelled") is True
    chosen = value.get("selected") if isinstance(value, dict) else None
    kept: dict[str, JsonValue] | None = value if isinstance(value, dict) else None
    if record.verdict is Verdict.INCOMPARABLE and is_cancelled and chosen in _SIDES:
        selected = str(chosen)
    elif record.verdict in _SIDES.values():
        selected = "left" if record.verdict is Verdict.A else "right"
        if is_cancelled:
            outgoing.lose("extra.was_cancelled")
            del outgoing.extra["was_cancelled"]
    else:
        raise CannotCarryError(f"verdict {record.verdict.value} where the shape holds left or right")
    if kept is not None and chosen != selected:
        outgoing.lose("extra.result.value")
        kept = None
    is_plain_reason = record.reason == (_CANCELLED if record.verdict is Verdict.INCOMPARABLE else "")
    for name, is_there in (
        ("strength", record.strength is not None),
        ("margin", record.margin is not None),
        ("reason", not is_plain_reason),
    ):
        if is_there:
            outgoing.lose(name)
    names = outgoing.extra.pop("result.to_name", _PAIRWISE["to_name"])
    try:
        left, right = _two_names(names, "")
    except MisfitError:
        outgoing.lose("extra.result.to_name")
        names, left, right = ["answer1", "answer2"], "answer1", "answer2"
    data[left] = outgoing.said(record.a, f"data.{left}", Role.ASSISTANT)
    data[right] = outgoing.said(record.b, f"data.{right}", Role.ASSISTANT)
    from_name = outgoing.extra.pop("result.from_name", _PAIRWISE["from_name"])
    return {"type": "pairwise", "from_name": from_name, "to_name": names, "value": kept or {"selected": selected}}


def _ranker(record: Ranking, data: dict[str, JsonValue], outgoing: Outgoing) -> dict[str, JsonValue]:
    for flag_name, flags in (("unacceptable", record.unacceptable), ("truncated", record.truncated)):
        if flags:
            outgoing.lose(flag_name)
    extra = outgoing.extra
    to_name, from_name = (extra.pop(f"result.{key}", default) for key, default in reversed(_RANKER.items()))
    wanted = extra.pop("ranker.list", None)
    name = _list_name(wanted, to_name)
    if wanted not in (None, name):
        outgoing.lose("extra.ranker.list")
    texts = [single_text(completion, Role.ASSISTANT) for completion in record.completions]
    known = extra.pop("ranker.items", None)
    entries, is_known = rankers.entries_of(texts, known)
    if known is not None and not is_known:
        outgoing.lose("extra.ranker.items")
    data[name] = list(entries)
    ids = [str(entry["id"]) for entry in entries]
    value = extra.pop("result.value", None)
    is_cancelled = extra.get("was_cancelled") is True
    if is_cancelled and set(record.ranks) != {None}:
        outgoing.lose("extra.was_cancelled")
        del extra["was_cancelled"]
        is_cancelled = False
    if value is not None and not rankers.says(value, None if is_cancelled else record.ranks, ids, from_name):
        outgoing.lose("extra.result.value")
        value = None
    ranker = rankers.value_of(record.ranks, ids, from_name)
    value = {"ranker": ranker} if value is None else value
    return {"type": "ranker", "from_name": from_name, "to_name": to_name, "value": value}


def _list_name(*wanted: JsonValue) -> str:
    """The first of these that can be the name of the list of answers."""
    names = [name for name in wanted if isinstance(name, str) and name not in ("", "prompt")]
    return (names or ["answers"])[0]


def _joined(tasks: list[dict[str, JsonValue]]) -> list[dict[str, JsonValue]]:
    """The tasks, those over the same data as one."""
    annotations: dict[str, list[JsonValue]] = {}
    by_key: dict[str, dict[str, JsonValue]] = {}
    for task in tasks:
        key = canonical_json({name: value for name, value in task.items() if name != "annotations"})
        found = task["annotations"]
        assert isinstance(found, list)
        annotations.setdefault(key, []).extend(found)
        by_key.setdefault(key, task)
    return [task | {"annotations": annotations[key]} for key, task in by_key.items()]
