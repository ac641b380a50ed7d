"""He for she and she for he: a text with every word of one gender exchanged for its partner."""

from __future__ import annotations

import re

from plaudit.rules.words import STOP_WORDS

_PAIRS = """he she|himself herself|man woman|men women|boy girl|boys girls|father mother|fathers mothers|dad mum|dads mums
    |daddy mummy|son daughter|sons daughters|brother sister|brothers sisters|husband wife|husbands wives|uncle aunt
    |uncles aunts|nephew niece|nephews nieces|grandfather grandmother|grandfathers grandmothers|grandson granddaughter
    |grandpa grandma|stepfather stepmother|stepson stepdaughter|boyfriend girlfriend|boyfriends girlfriends|groom bride
    |widower widow|gentleman lady|gentlemen ladies|king queen|prince princess|actor actress|actors actresses
    |waiter waitress|waiters waitresses|landlord landlady|businessman businesswoman|policeman policewoman
    |salesman saleswoman|schoolboy schoolgirl|male female|males females|sir madam|mr ms|monk nun|monks nuns|lad lass"""
_PARTNER = {
    **{word: partner for pair in _PAIRS.split("|") for word, partner in [pair.split()]},
    **{partner: word for pair in _PAIRS.split("|") for word, partner in [pair.split()]},
    "him": "her",
    "hers": "his",
    "mrs": "mr",
    "mom": "dad",
    "moms": "dads",
    "mommy": "daddy",
    "miss": "mr",
}
_FEMALE = {pair.split()[1] for pair in _PAIRS.split("|")} | {"her", "hers", "mrs", "mom", "moms", "mommy", "miss"}
_TITLES = {"miss"}
"""Counts only with a capital and a name behind it: I miss the sea."""

_WORD = re.compile(r"[A-Za-z]+")
_OWNED = {
    "own",
    "other",
    "many",
    "few",
    "most",
    "more",
    "same",
    "every",
    "several",
    "very",
    "two",
    "three",
    "first",
    "last",
}
"""Little words that may stand between `her` and what is hers."""
_ADVERBS = {"yesterday", "today", "tomorrow", "tonight", "alone", "home", "later", "soon", "not", "early", "late"}
_LINKS = {
    "and",
    "or",
    "but",
    "is",
    "was",
    "are",
    "were",
    "than",
    "as",
    "to",
    "too",
    "with",
    "from",
    "for",
    "when",
    "if",
}


def gender_exchanged(text: str) -> str:
    """The text with every gendered word exchanged, its capitals kept; the text itself where there is none.

    `her` becomes his before something owned and him elsewhere, `his` becomes hers where nothing owned follows: told by
    the next word, so that "gave her flowers" comes out wrong. Names stay.
    """

    def exchanged(match: re.Match[str]) -> str:
        word = match[0]
        following = re.match(r"\s+([A-Za-z]+)", text[match.end() :])
        partner = _partner(word, following[1] if following else None)
        return _in_case_of(word, partner) if partner else word

    return _WORD.sub(exchanged, text)


def first_gender(text: str) -> str | None:
    """The gender that the text names first, "female" or "male"; None where it names none."""
    for match in _WORD.finditer(text):
        following = re.match(r"\s+([A-Za-z]+)", text[match.end() :])
        if _partner(match[0], following[1] if following else None):
            return "female" if match[0].lower() in _FEMALE else "male"
    return None


def _partner(word: str, following: str | None) -> str | None:
    lower, after = word.lower(), (following or "").lower()
    if lower == "her":
        is_owner = (
            bool(after) and after not in _ADVERBS and not after.endswith("ly") and after not in STOP_WORDS - _OWNED
        )
        return "his" if is_owner else "him"
    if lower == "his":
        return "hers" if not after or after in _LINKS else "her"
    if lower in _TITLES and not (word[0].isupper() and following and following[0].isupper()):
        return None
    return _PARTNER.get(lower)


def _in_case_of(word: str, partner: str) -> str:
    if word.isupper() and len(word) > 1:
        return partner.upper()
    return partner.capitalize() if word[0].isupper() else partner
