"""The forms in which Label Studio's Ranker says an order: `{"rank": [ids]}`, a bare list, and buckets of ids.

    {"rank": ["id2", "id1"]}, ["id2", "id1"]        best first; the one key is the tag's name
    {"good": ["id2", "id3"], "bad": [], "_": [...]}  a bucket ties; what lies in "_" or nowhere is not ranked

Buckets whose names are whole numbers have these as ranks, which is how ties and gaps are written. Others count in the order
of a number in their names, or as they stand in the file: not every database keeps the order of an object's keys.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from pydantic import JsonValue

from plaudit.formats.messages import MisfitError, shown
from plaudit.schemas.conversation import Messages, assistant

_UNPLACED = "_"
_TEXTS = ("body", "text", "title", "html")
_NUMBER = re.compile(r"\d{1,9}")

Ranks = tuple[int | None, ...]


@dataclass(frozen=True, slots=True)
class Answer:
    """One entry of the list that is ranked: its id, its text as an answer, and the entry with null for that text."""

    id: str
    completion: Messages
    entry: dict[str, JsonValue]


def listed(data: Mapping[str, JsonValue], to_name: JsonValue, path: str) -> tuple[str, list[JsonValue]]:
    """The name and the entries of the list being ranked: the one of that name, or else the only list of objects."""
    if isinstance(to_name, str) and to_name != "prompt" and isinstance(found := data.get(to_name), list):
        return to_name, found
    lists = {name: value for name, value in data.items() if name != "prompt" and _are_entries(value)}
    if len(lists) == 1:
        ((name, entries),) = lists.items()
        assert isinstance(entries, list)
        return name, entries
    expected = "the name of a list of answers in data"
    raise MisfitError(f"{path}.to_name", expected, f"{shown(to_name)}; data has {', '.join(data) or 'nothing'}")


def answer(value: JsonValue, path: str) -> Answer:
    """One entry of the list. Its text is the first of body, text, title and html that is one."""
    if not isinstance(value, dict):
        raise MisfitError(path, "an answer with id and body", shown(value))
    own_id = value.get("id")
    if isinstance(own_id, bool) or not isinstance(own_id, str | int):
        raise MisfitError(f"{path}.id", "text or a whole number", shown(own_id))
    for name in _TEXTS:
        text = value.get(name)
        if isinstance(text, str):
            return Answer(str(own_id), (assistant(text),), value | {name: None})
    raise MisfitError(f"{path}.body", "the text of an answer", shown(value.get("body")))


def plain_entries(num: int) -> list[dict[str, JsonValue]]:
    """The entries that are written where nothing is known of them, their texts to come."""
    return [{"id": f"answer{number}", "body": None} for number in range(1, num + 1)]


def entries_of(texts: Sequence[str], known: JsonValue) -> tuple[list[dict[str, JsonValue]], bool]:
    """The texts as entries of a list, and whether in those that a reader kept, which need not fit."""
    listed_ones = known if isinstance(known, list) and len(known) == len(texts) else []
    kept = [entry for entry in listed_ones if isinstance(entry, dict) and _text_name(entry) and _has_id(entry)]
    is_known = len({str(entry["id"]) for entry in kept}) == len(texts)
    entries = kept if is_known else plain_entries(len(texts))
    return [entry | {_text_name(entry): text} for entry, text in zip(entries, texts, strict=True)], is_known


def ranks_of(value: JsonValue, ids: Sequence[str], from_name: JsonValue, path: str) -> tuple[Ranks, bool]:
    """The rank of each id, and whether the order of buckets had to be taken from the file."""
    if len(set(ids)) != len(ids):
        raise MisfitError(path, "answers with different ids", ", ".join(ids))
    if isinstance(value, list):
        tiers, is_guessed = dict(enumerate([one] for one in _ids(value, path))), False
    elif isinstance(value, dict):
        tiers, is_guessed = _tiers(value, from_name, path)
    else:
        raise MisfitError(path, "a list of ids, or lists of ids by name", shown(value))
    ranks: dict[str, int] = {}
    for rank, placed in tiers.items():
        for one in placed:
            if one not in ids or one in ranks:
                fault = "twice" if one in ranks else f"which is none of {', '.join(ids)}"
                raise MisfitError(path, "each answer's id once at most", f"{one!r}, {fault}")
            ranks[one] = rank
    return tuple(ranks.get(one) for one in ids), is_guessed


def value_of(ranks: Ranks, ids: Sequence[str], from_name: JsonValue) -> dict[str, JsonValue]:
    """The ranks as a ranker's value: a plain order where they are one, else a bucket for each rank."""
    placed = sorted((rank, one) for rank, one in zip(ranks, ids, strict=True) if rank is not None)
    unplaced = {_UNPLACED: [one for rank, one in zip(ranks, ids, strict=True) if rank is None]}
    left = unplaced if unplaced[_UNPLACED] else {}
    if placed and [rank for rank, _ in placed] == list(range(len(placed))) and not left:
        return {_tag(from_name): [one for _, one in placed]}
    buckets: dict[str, JsonValue] = {}
    for tier in sorted({rank for rank, _ in placed}):
        buckets[str(tier)] = [one for rank, one in zip(ranks, ids, strict=True) if rank == tier]
    if list(buckets) == [from_name]:
        buckets |= {str(tier + 1): []}  # One bucket of the tag's name would be a plain order.
    return buckets | {name: list(unranked) for name, unranked in left.items()}


def says(value: JsonValue, ranks: Ranks | None, ids: Sequence[str], from_name: JsonValue) -> bool:
    """Whether a kept `value` of a result still says these ranks, or any."""
    try:
        found, _ = ranks_of(value.get("ranker") if isinstance(value, dict) else None, ids, from_name, "")
    except MisfitError:
        return False
    return ranks is None or found == ranks


def _tiers(value: Mapping[str, JsonValue], from_name: JsonValue, path: str) -> tuple[dict[int, list[str]], bool]:
    """The ids by rank, and whether the order of buckets was taken from the file."""
    buckets = {name: _ids(listed_ids, f"{path}.{name}") for name, listed_ids in value.items()}
    placed = {name: found for name, found in buckets.items() if name != _UNPLACED}
    if len(placed) == 1 and next(iter(placed)) in (from_name, _tag(from_name)):
        (order,) = placed.values()
        return dict(enumerate([one] for one in order)), False
    if all(_NUMBER.fullmatch(name) and str(int(name)) == name for name in placed):
        return {int(name): found for name, found in placed.items()}, False
    filled = [name for name, found in placed.items() if found]
    numbers = [int(found[-1]) if (found := _NUMBER.findall(name)) else None for name in filled]
    if None not in numbers and len(set(numbers)) == len(numbers):
        filled.sort(key=lambda name: int(_NUMBER.findall(name)[-1]))
        return {rank: placed[name] for rank, name in enumerate(filled)}, False
    return {rank: placed[name] for rank, name in enumerate(filled)}, len(filled) > 1


def _ids(value: JsonValue, path: str) -> list[str]:
    if not isinstance(value, list):
        raise MisfitError(path, "a list of ids", shown(value))
    for one in value:
        if isinstance(one, bool) or not isinstance(one, str | int):
            raise MisfitError(path, "a list of ids", f"{shown(one)} in it")
    return [str(one) for one in value]


def _tag(from_name: JsonValue) -> str:
    """The key of a plain order: the tag's name. One that reads as a bucket's could be taken for it."""
    is_name = isinstance(from_name, str) and from_name not in ("", _UNPLACED)
    return from_name if is_name and isinstance(from_name, str) else "rank"


def _are_entries(value: JsonValue) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(one, dict) and "id" in one for one in value)


def _has_id(entry: Mapping[str, JsonValue]) -> bool:
    return isinstance(entry.get("id"), str | int) and not isinstance(entry.get("id"), bool)


def _text_name(entry: Mapping[str, JsonValue]) -> str:
    """The name that the entry's text goes under: the one with null, as `answer` leaves it."""
    return next((name for name in _TEXTS if name in entry and entry[name] is None), "")
