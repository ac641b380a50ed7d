"""What people said of the replies in OpenAssistant's trees, label by label. By name only: a tree is read as `oasst`.

    "labels": {"quality": {"value": 0.75, "count": 3}, "toxicity": {"value": 0.25, "count": 3}, ...}  <-> a Rating each

A value is the mean of `count` people's, from 0 to 1. More is better in every Rating: of a fault (toxicity, spam, ...) it is the
negative value, between -1 and 0. Each label is a source of its own ("trees.jsonl#toxicity"), so that nothing takes one for
another, but for quality, which is what a rating from elsewhere is written as. Other labels are kept in `extra`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from copy import deepcopy
from pathlib import Path

from pydantic import JsonValue

from plaudit.formats.messages import MisfitError, shown
from plaudit.formats.oasst import Fields, provenance_of, tree_records
from plaudit.formats.oasst_trees import asked_of, left_over, reply_of, tree_columns
from plaudit.formats.outgoing import CannotCarryError, Losses, Outgoing, not_carried, write_each
from plaudit.formats.rows import Dropped, Provenance, Row, items, strict
from plaudit.schemas.conversation import Messages, assistant, canonical_json
from plaudit.schemas.feedback import AnyRecord, Rating

_MAIN = "quality"
_MERITS = (_MAIN, "helpfulness", "creativity", "humor")
_FAULTS = (
    *("spam", "fails_task", "lang_mismatch", "pii", "not_appropriate", "hate_speech", "sexual_content", "toxicity"),
    *("violence", "excessive_harm", "threat", "misleading"),
)
_OF_PROMPT = "labels of a prompter's message"
_NO_LABEL = "reply without a label"


def read(path: Path) -> Iterator[Rating]:
    """The ratings of the trees' replies, depth first. Raises RowError."""
    for record in strict(items(path, records_of)):
        assert isinstance(record, Rating)
        yield record


def write(records: Iterable[AnyRecord], path: Path) -> Losses:
    """Writes a tree for each rated answer, the ratings as labels of its one reply."""
    return write_each(records, path, lambda record, losses: [_tree_of(record, losses)], _joined)


def records_of(row: Row) -> Iterator[AnyRecord | Dropped]:
    """The ratings of one tree."""
    return tree_records(row, _ratings)


def _ratings(
    prompt: Fields, _: str, replies: Sequence[tuple[str, Fields]], conversation: Messages, shared: Provenance
) -> Iterator[Rating | Dropped]:
    if prompt.get("labels"):
        yield Dropped(_OF_PROMPT)
    for path, reply in replies:
        labels = reply.get("labels") or {}
        if not isinstance(labels, dict):
            raise MisfitError(f"{path}.labels", "an object of labels", shown(labels))
        known = [name for name in labels if name in _MERITS or name in _FAULTS]
        if not known:
            yield Dropped(_NO_LABEL)
        others = {name: value for name, value in labels.items() if name not in known}
        provenance = provenance_of(shared, reply, {})
        provenance["extra"].pop("labels", None)
        if others:
            provenance["extra"]["labels"] = others
        answer = (assistant(str(reply["text"])),)
        for name in known:
            value, further = _label(labels[name], f"{path}.labels.{name}")
            own = _own(provenance, name, further)
            if name in _MERITS:
                yield Rating(prompt=conversation, completion=answer, score=value, **own)
            else:
                yield Rating(prompt=conversation, completion=answer, score=0 - value, minimum=-1, maximum=0, **own)


def _label(value: JsonValue, path: str) -> tuple[float, dict[str, JsonValue]]:
    """The label's value, and what is kept beside it."""
    if not isinstance(value, dict):
        raise MisfitError(path, "an object with value and count", shown(value))
    number = value.get("value")
    if isinstance(number, bool) or not isinstance(number, int | float) or not 0 <= number <= 1:
        raise MisfitError(f"{path}.value", "a number from 0 to 1", shown(number))
    return float(number), {f"label.{name}": entry for name, entry in value.items() if name != "value"}


def _own(shared: Provenance, label: str, further: dict[str, JsonValue]) -> Provenance:
    named: dict[str, JsonValue] = {} if label == _MAIN else {"label": label}
    return Provenance(
        id=shared["id"] if label == _MAIN else f"{shared['id']}:{label}",
        source=shared["source"] if label == _MAIN else f"{shared['source']}#{label}",
        weight=shared["weight"],
        annotator=shared["annotator"],
        extra=shared["extra"] | named | further,
    )


def _tree_of(record: AnyRecord, losses: Losses) -> dict[str, JsonValue]:
    if not isinstance(record, Rating):
        raise not_carried("oasst-labels", record, "Rating")
    outgoing = Outgoing(record, losses)
    extra = outgoing.extra
    label = extra.pop("label", _MAIN)
    if not isinstance(label, str) or label not in (*_MERITS, *_FAULTS):
        raise CannotCarryError("a label that is none of OpenAssistant's")
    entry: dict[str, JsonValue] = {"value": _value(record, label, outgoing)}
    outgoing.put_back("label.", entry)
    labels = extra.pop("labels", {})
    if not isinstance(labels, dict) or any(name in (*_MERITS, *_FAULTS) for name in labels):
        outgoing.lose("extra.labels")
        labels = {}
    own_id, source = record.id, record.source
    if label != _MAIN:
        own_id, source = own_id.removesuffix(f":{label}"), source.removesuffix(f"#{label}")
        for name, is_other in (("id", own_id == record.id), ("source", source == record.source)):
            if is_other:
                outgoing.lose(f"{name} (one that does not end in the label's name)")
    whole = record.model_copy(update={"id": own_id, "source": source})
    written = Outgoing(whole, losses)
    written.extra = extra
    columns = tree_columns(whole, written)
    beside: Fields = ({"message_id": own_id} if own_id else {}) | {"labels": labels | {label: entry}}
    reply = reply_of(record.completion, left_over(written, beside), written)
    columns["prompt"] = asked_of(whole, record.prompt, [reply], {}, written)
    return written.open_row(columns)


def _value(record: Rating, label: str, outgoing: Outgoing) -> float:
    """The score from 0 to 1, of a fault from 1 to 0."""
    low, high = (0.0, 1.0) if label in _MERITS else (-1.0, 0.0)
    if (record.minimum, record.maximum) != (low, high):
        if record.maximum <= record.minimum:
            raise CannotCarryError("a scale of one value")
        outgoing.lose("minimum and maximum (the score as a part of its scale)")
        score = low + min(1.0, max(0.0, (record.score - record.minimum) / (record.maximum - record.minimum)))
    else:
        score = record.score
    return score if label in _MERITS else 0 - score


def _joined(trees: list[dict[str, JsonValue]]) -> list[dict[str, JsonValue]]:
    """The trees, those that differ in their reply's labels alone as one."""
    merged: dict[str, list[dict[str, JsonValue]]] = {}
    for tree in trees:
        labels = _labels(tree)
        same = merged.setdefault(_key(tree), [])
        for other in same:
            if _is_beside(labels, _labels(other)):
                _labels(other).update(labels)
                break
        else:
            same.append(tree)
    return [tree for same in merged.values() for tree in same]


def _labels(tree: Mapping[str, JsonValue]) -> dict[str, JsonValue]:
    """The labels of the tree's last reply, which alone has some."""
    match tree:
        case {"labels": dict(labels)}:
            return labels
        case {"prompt": dict(below)} | {"replies": [dict(below), *_]}:
            return _labels(below)
    raise AssertionError(tree)


def _key(tree: dict[str, JsonValue]) -> str:
    copied = deepcopy(tree)
    _labels(copied).clear()
    return canonical_json(copied)


def _is_beside(labels: Mapping[str, JsonValue], others: Mapping[str, JsonValue]) -> bool:
    """Whether both can be said of one reply: no rating twice, and the same of labels that are kept only."""
    return all(
        name not in _MERITS and name not in _FAULTS and others[name] == value
        for name, value in labels.items()
        if name in others
    )
