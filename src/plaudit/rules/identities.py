"""The same text about somebody else: a person's group exchanged for another of its kind, grammar included."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from plaudit.rules.genders import gender_exchanged
from plaudit.rules.words import STOP_WORDS


class Attribute(StrEnum):
    """What kind of group it is."""

    GENDER = "gender"
    AGE = "age"
    RELIGION = "religion"
    NATIONALITY = "nationality"
    ETHNICITY = "ethnicity"
    DISABILITY = "disability"
    ORIENTATION = "orientation"


@dataclass(frozen=True, slots=True)
class Swap:
    """`text` says of `now` what was said of `before`."""

    text: str
    attribute: Attribute
    before: str
    now: str


@dataclass(frozen=True, slots=True)
class _Group:
    """A group's words by what they do in a sentence: one, several, and what belongs to them. Empty where it has none."""

    adjective: str
    noun: str
    plural: str
    things: tuple[str, ...] = ()

    @property
    def forms(self) -> tuple[str, ...]:
        return (self.adjective, self.noun, self.plural, *self.things)


def _people(adjective: str) -> _Group:
    return _Group(adjective, "", "")


_GROUPS: dict[Attribute, tuple[_Group, ...]] = {
    Attribute.AGE: (
        _Group("young", "teenager", "teenagers"),
        _Group("middle-aged", "", ""),
        _Group("elderly", "pensioner", "pensioners"),
        _people("old"),
    ),
    Attribute.RELIGION: (
        _Group("Christian", "Christian", "Christians", ("Christianity", "church", "churches", "priest")),
        _Group("Muslim", "Muslim", "Muslims", ("Islam", "mosque", "mosques", "imam")),
        _Group("Jewish", "Jew", "Jews", ("Judaism", "synagogue", "synagogues", "rabbi")),
        _Group("Hindu", "Hindu", "Hindus", ("Hinduism", "temple", "temples", "pandit")),
        _Group("Buddhist", "Buddhist", "Buddhists", ("Buddhism", "monastery", "monasteries", "monk")),
        _Group("atheist", "atheist", "atheists"),
    ),
    Attribute.NATIONALITY: (
        _Group("American", "American", "Americans", ("America",)),
        _Group("Mexican", "Mexican", "Mexicans", ("Mexico",)),
        _Group("Chinese", "", "", ("China",)),
        _Group("Indian", "Indian", "Indians", ("India",)),
        _Group("Nigerian", "Nigerian", "Nigerians", ("Nigeria",)),
        _Group("Polish", "Pole", "Poles", ("Poland",)),
        _Group("Turkish", "Turk", "Turks", ("Turkey",)),
        _Group("German", "German", "Germans", ("Germany",)),
        _Group("Iranian", "Iranian", "Iranians", ("Iran",)),
        _Group("Ukrainian", "Ukrainian", "Ukrainians", ("Ukraine",)),
    ),
    Attribute.ETHNICITY: tuple(map(_people, ("Black", "white", "Asian", "Latino", "Arab", "Roma"))),
    Attribute.DISABILITY: tuple(map(_people, ("blind", "deaf", "autistic", "dyslexic", "disabled", "non-disabled"))),
    Attribute.ORIENTATION: tuple(map(_people, ("gay", "straight", "bisexual"))),
}
_MAY_MEAN_OTHERS = set(Attribute) - {Attribute.RELIGION, Attribute.NATIONALITY}
"""An old house, white paint, a straight road: their adjectives count only where a person is meant."""

_PERSONS = """person people man men woman women boy girl child children couple adult friend neighbour neighbor colleague
    worker employee applicant candidate driver teacher student pupil nurse doctor lawyer judge engineer chef cook farmer
    artist writer singer actor player athlete runner parent father mother son daughter brother sister cousin uncle aunt
    grandfather grandmother husband wife patient customer client tenant landlord voter scientist programmer manager
    passenger musician waiter footballer resident immigrant family families community communities citizen tourist guest
    visitor roommate flatmate"""
_PERSON = rf"(?=[ -](?:[a-z]+[ -])?(?:{'|'.join(_PERSONS.split())})s?\b)"
_AFTER_COPULA = r"(?:(?<=\bis )|(?<=\bam )|(?<=\bare )|(?<=\bwas )|(?<=\bwere )|(?<=\bbe )|(?<='s )|(?<='m )|(?<='re ))"
_CLAUSE_END = r"(?=[.,;:?!)]|$| (?:and|or|but|who|since|when|with)\b)"
# Letters that belie the sound: a European, a Ukrainian, a one-off; an hour, an heir.
_SPOKEN_CONSONANT = re.compile(r"(?:eu|uni|use|usu|ukr|one\b|once)", flags=re.IGNORECASE)
_SPOKEN_VOWEL = re.compile(r"(?:[aeiou]|hour|heir|honest|honou?r)", flags=re.IGNORECASE)


def identity_swaps(text: str) -> tuple[Swap, ...]:
    """The text once for each other group that could stand where a group is named. None where none is named.

    A gender is exchanged in the whole text (every he becomes she and every she he), any other group word by word, with
    a or an before it and the case of its first letter. A swap is left out where the other group lacks a word for it (an
    atheist has no church). Names, and what is only implied, stay as they are: read the swaps before you trust them.
    """
    swaps = []
    if (exchanged := gender_exchanged(text)) != text:
        swaps.append(Swap(exchanged, Attribute.GENDER, "as written", "exchanged"))
    for attribute, groups in _GROUPS.items():
        for before in groups:
            for now in groups:
                if now is not before and (swapped := _swapped(text, attribute, before, now)):
                    swaps.append(Swap(swapped, attribute, before.adjective, now.adjective))
    return tuple(swaps)


def with_articles(text: str) -> str:
    """The text with `a` or `an` before each word, as it is spoken."""

    def fitting(match: re.Match[str]) -> str:
        article, space, word = match[1], match[2], match[3]
        has_vowel = _SPOKEN_VOWEL.match(word) is not None and _SPOKEN_CONSONANT.match(word) is None
        return article[0] + ("n" if has_vowel else "") + space + word

    return re.sub(r"\b([Aa]n?)(\s+)([A-Za-z][\w-]*)", fitting, text)


def _swapped(text: str, attribute: Attribute, before: _Group, now: _Group) -> str | None:
    """The text with the words of one group in the other's place; None where there is none, or no word to replace one."""
    pieces, end = [], 0
    for start, stop, place in _named(text, attribute, before):
        replacement = now.forms[place] if place < len(now.forms) else ""
        if not replacement:
            return None
        pieces += [text[end:start], _in_case_of(text[start:stop], replacement, begins=_begins(text, start))]
        # Only the article before a replaced word is looked at: the rest of the text is left as it was written.
        pieces[-2] = _with_article(pieces[-2], pieces[-1])
        end = stop
    return "".join([*pieces, text[end:]]) if pieces else None


def _named(text: str, attribute: Attribute, group: _Group) -> Iterator[tuple[int, int, int]]:
    """Start and end of each word of the group in the text, and its place among the group's forms."""
    for match in re.finditer(r"[A-Za-z]+(?:-[A-Za-z]+)?", text):
        found = [place for place, form in enumerate(group.forms) if form and form.lower() == match[0].lower()]
        if not found:
            continue
        place = found[0]
        if len(found) > 1 and _stands_alone(text, match.end()):
            place = found[1]
        if place == 0 and attribute in _MAY_MEAN_OTHERS and not _is_of_a_person(text, match):
            continue
        yield match.start(), match.end(), place


def _stands_alone(text: str, end: int) -> bool:
    """Whether no noun follows: the end of a clause, or a little word."""
    following = re.match(r"\s+([A-Za-z]+)", text[end:])
    return following is None or following[1].lower() in STOP_WORDS


def _is_of_a_person(text: str, match: re.Match[str]) -> bool:
    before_person = re.compile(_PERSON, flags=re.IGNORECASE).match(text, match.end())
    after_copula = re.compile(_AFTER_COPULA + re.escape(match[0]) + _CLAUSE_END).match(text, match.start())
    return before_person is not None or after_copula is not None


def _begins(text: str, start: int) -> bool:
    return not text[:start].strip() or text[:start].rstrip().endswith((".", "!", "?", ":", '"'))


def _in_case_of(word: str, replacement: str, *, begins: bool) -> str:
    """The replacement with a capital where a sentence begins with one; otherwise as it is always written."""
    return replacement[0].upper() + replacement[1:] if begins and word[0].isupper() else replacement


def _with_article(piece: str, word: str) -> str:
    match = re.search(r"\b[Aa]n?\s+$", piece)
    return piece if match is None else piece[: match.start()] + with_articles(match[0] + word)[: -len(word)]
