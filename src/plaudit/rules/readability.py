"""How hard is a text to read? Flesch's two formulas for English, mean lengths for English and Chinese."""

from __future__ import annotations

import re
from dataclasses import dataclass

from plaudit.rules.form import num_syllables, sentences
from plaudit.rules.words import words

_HAN = re.compile("[\u3400-\u4dbf\u4e00-\u9fff]")
_LATIN_WORD = re.compile(r"[a-z]+(?:'[a-z]+)*")
# Two vowels that are spoken one after the other, by what stands round them.
_HIATUS = re.compile(
    r"(?<![aectsgxln])i[ao]|\bli(?=on)|i(?=ate)"  # radio, lion, associate; not nation, million
    r"|(?<![ctsgx])i(?:ou|um)|(?<![ctghsxrf])ie(?=n)|[rcx]ie(?=ty|nce)|qui(?=et)|die(?=t)"  # serious, science, society, quiet
    r"|crea(?=t)|thea(?=t)|(?<=[aeiou]\w)ea(?=s?\b)|reali|eu(?=m\b)|eo(?=ry)"  # create, idea, museum; not tea, team
    r"|(?<![qg])u(?:a(?!r|de)|e(?=n[ct]))|po(?=e[mt])|(?<![gqb])ui(?=n|ty|d\b)|[aeouy]i(?=ng)|yee"  # actual, poem, being
)
_SILENT_END = re.compile(r"(?<![dt])(?<![cdt]r)(?<![aeiouy])ed$|(?<![cs]h)(?<![aeiouyszxcgl])es$|[aeiouy]les?$")
_SPOKEN_NOT = re.compile(r"[^aeiouyr]n't$")


@dataclass(frozen=True, slots=True)
class Readability:
    """None where there is nothing to measure: no sentence, no English word, no Chinese character.

    `reading_ease` and `grade` are of the English words alone, and of texts that are at least half English.
    """

    reading_ease: float | None
    grade: float | None
    words_per_sentence: float | None
    letters_per_word: float | None
    han_per_sentence: float | None
    num_sentences: int


def readability(text: str) -> Readability:
    """Both formulas and the mean lengths of the text's sentences and words.

    With w words a sentence and s syllables a word: reading ease 206.835 - 1.015 w - 84.6 s (Flesch 1948; 60 to 70 is
    plain English, under 30 very hard), grade 0.39 w + 11.8 s - 15.59 (Kincaid et al. 1975; years of school in the US).
    A Chinese text has no such formula here: its measure is characters (`han`) a sentence.
    """
    num_sentences = len(sentences(text))
    found = words(text)
    english = [word for word in found if _LATIN_WORD.fullmatch(word)]
    num_han = sum(_HAN.fullmatch(word) is not None for word in found)
    if not num_sentences:
        return Readability(None, None, None, None, None, 0)
    ease = grade = None
    if english and len(english) >= num_han:
        length = len(english) / num_sentences
        syllables = sum(map(num_spoken_syllables, english)) / len(english)
        ease = 206.835 - 1.015 * length - 84.6 * syllables
        grade = 0.39 * length + 11.8 * syllables - 15.59
    return Readability(
        reading_ease=ease,
        grade=grade,
        words_per_sentence=len(found) / num_sentences if len(found) > num_han else None,
        letters_per_word=sum(len(word.replace("'", "")) for word in english) / len(english) if english else None,
        han_per_sentence=num_han / num_sentences if num_han else None,
        num_sentences=num_sentences,
    )


def num_spoken_syllables(word: str) -> int:
    """About how many syllables an English word has when spoken; at least 1.

    Starts from `form.num_syllables` (groups of vowels, less a silent e) and mends what English does most: -ed and -es
    that are silent (walked, makes), -le after a vowel (whole), vowels that part (create, idea, being), prism
    and rhythm, and n't after a consonant (didn't). Names and loan words may come out wrong by one.
    """
    plain = re.sub(r"'\w+$", "", word.lower().removesuffix("n't"))
    number = num_syllables(plain)
    if number > 1 and _SILENT_END.search(plain):
        number -= 1
    number += len(_HIATUS.findall(plain)) + plain.endswith(("sm", "thm"))
    return max(1, number + (_SPOKEN_NOT.search(word.lower()) is not None))
