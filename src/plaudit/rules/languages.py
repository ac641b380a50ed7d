"""Which language is a text in? Told by its script, and among Latin scripts by its little words."""

from __future__ import annotations

import re
from collections import Counter
from functools import cache
from typing import TYPE_CHECKING

from plaudit.rules.words import words
from plaudit.schemas.errors import PlauditError

if TYPE_CHECKING:
    from lingua import LanguageDetector

_SCRIPTS = {
    "ja": "[\u3040-\u30ff]",
    "ko": "[\uac00-\ud7af\u1100-\u11ff]",
    "zh": "[\u3400-\u4dbf\u4e00-\u9fff]",
    "ru": "[\u0400-\u04ff]",
    "ar": "[\u0600-\u06ff]",
    "hi": "[\u0900-\u097f]",
    "el": "[\u0370-\u03ff]",
    "he": "[\u0590-\u05ff]",
    "th": "[\u0e00-\u0e7f]",
    "latin": "[A-Za-z\u00c0-\u024f]",
}
_LITTLE_WORDS = {
    language: frozenset(row.split())
    for language, row in {
        "en": "the and of to is it that was for are with you this have not be at which from they but will what your as",
        "de": "der die das und ist nicht ein eine mit auf für von sich den dem zu auch sie wir ich werden wird oder aber im",
        "fr": "le les des et est une dans pour que qui pas vous nous sur avec ce cette sont au aux du plus mais ou je",
        "es": "el los las y es una en para que por con del se no su más como pero lo sus está son al muy yo también",
        "it": "il gli e è una di che per con non del della sono nel più come ma anche lo si questo alla dei mi molto",
        "pt": "o os as e é uma em para que por com não do da dos das se mais como mas ao no na você são também",
        "nl": "de het een en is van niet dat met op voor zijn te aan er ook maar wij ik je naar bij wordt deze om",
    }.items()
}
LANGUAGES = (*(name for name in _SCRIPTS if name != "latin"), *_LITTLE_WORDS)


def language_of(text: str) -> str | None:
    """The ISO 639-1 code of the text's language, one of `LANGUAGES`; None where nothing tells.

    The script with most letters decides; a Han letter counts twice, being about a word, and kana make a text Japanese from
    a tenth of its Han letters on. A Latin text is of the language whose little words it has most of. Cyrillic counts as
    Russian, Arabic script as Arabic and Devanagari as Hindi, whatever is written in them.
    """
    letters = Counter({name: len(re.findall(pattern, text)) for name, pattern in _SCRIPTS.items()})
    if 10 * letters["ja"] >= letters["zh"] and letters["ja"]:
        letters["ja"] += letters["zh"]
        letters["zh"] = 0
    letters["zh"] *= 2
    [(script, number)] = letters.most_common(1)
    if not number:
        return None
    return script if script != "latin" else _latin_language(text)


def _latin_language(text: str) -> str | None:
    found = words(text)
    hits = Counter({language: sum(word in little for word in found) for language, little in _LITTLE_WORDS.items()})
    [(language, most), (_, second)] = hits.most_common(2)
    return language if most > second else None


def detected_language(text: str) -> str | None:
    """The ISO 639-1 code of the text's language, one of 75, by lingua; None where it cannot tell.

    It tells a sentence without little words, which `language_of` has to leave open; takes 15 to 50 times as long, and 12 s
    and a gigabyte to load. Raises PlauditError where it is not installed.
    """
    language = _lingua().detect_language_of(text)
    return None if language is None else str(language.iso_code_639_1.name).lower()


@cache
def _lingua() -> LanguageDetector:
    # Imported here because it is optional.
    try:
        from lingua import LanguageDetectorBuilder
    except ImportError as error:
        raise PlauditError(
            "telling languages with lingua needs a package that is not installed: `pip install 'plaudit[language]'`, or "
            "choose the detector `own`, which tells 16 languages without it"
        ) from error
    return LanguageDetectorBuilder.from_all_languages().build()
