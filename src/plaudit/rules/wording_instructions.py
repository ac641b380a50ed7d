"""Checkable instructions on the words of an answer: which it has, how often, in which language and case, how it ends."""

from __future__ import annotations

import re
from typing import Literal, Self

from pydantic import Field, model_validator

from plaudit.rules.languages import LANGUAGES, language_of
from plaudit.schemas.conversation import Frozen


class Instruction(Frozen):
    """Something that was asked of an answer and that a program can check."""

    def is_followed(self, text: str) -> bool:
        """Whether the text does as it was told."""
        raise NotImplementedError


class Counted(Instruction):
    """A number that must lie in a range; None is no bound."""

    at_least: int | None = Field(default=None, ge=0)
    at_most: int | None = Field(default=None, ge=0)

    @model_validator(mode="after")
    def _check(self) -> Self:
        low, high = self.at_least, self.at_most
        if (low is None and high is None) or (low is not None and high is not None and low > high):
            raise ValueError(f"an instruction that counts needs at_least, at_most or both in order: got {low}, {high}")
        return self

    def allows(self, number: int) -> bool:
        """Whether the number lies in the range."""
        return (self.at_least is None or number >= self.at_least) and (self.at_most is None or number <= self.at_most)


def occurrences(word: str, text: str) -> int:
    """How often the word or phrase stands in the text, as a whole and in any case. Chinese has no word borders."""
    head, tail = (r"(?<!\w)" if _has_borders(word[0]) else ""), (r"(?!\w)" if _has_borders(word[-1]) else "")
    inner = r"\s+".join(map(re.escape, word.split()))
    return len(re.findall(f"{head}{inner}{tail}", text, flags=re.IGNORECASE))


def _has_borders(letter: str) -> bool:
    return re.match(r"\w", letter) is not None and not "\u3040" <= letter <= "\u9fff"


class IncludeKeywords(Instruction):
    """Use every one of these words."""

    kind: Literal["include_keywords"] = "include_keywords"
    words: tuple[str, ...] = Field(min_length=1)

    def is_followed(self, text: str) -> bool:
        return all(occurrences(word, text) for word in self.words)


class KeywordFrequency(Counted):
    """Use the word so often."""

    kind: Literal["keyword_frequency"] = "keyword_frequency"
    word: str = Field(min_length=1)

    def is_followed(self, text: str) -> bool:
        return self.allows(occurrences(self.word, text))


class ForbiddenWords(Instruction):
    """Use none of these words."""

    kind: Literal["forbidden_words"] = "forbidden_words"
    words: tuple[str, ...] = Field(min_length=1)

    def is_followed(self, text: str) -> bool:
        return not any(occurrences(word, text) for word in self.words)


class LetterFrequency(Counted):
    """Use the letter so often, in either case."""

    kind: Literal["letter_frequency"] = "letter_frequency"
    letter: str = Field(min_length=1, max_length=1)

    def is_followed(self, text: str) -> bool:
        return self.allows(text.lower().count(self.letter.lower()))


class ResponseLanguage(Instruction):
    """Answer in this language and no other."""

    kind: Literal["response_language"] = "response_language"
    language: str

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.language not in LANGUAGES:
            raise ValueError(f"no rule tells the language {self.language!r}; there are {', '.join(LANGUAGES)}")
        return self

    def is_followed(self, text: str) -> bool:
        return language_of(text) == self.language


class AllUppercase(Instruction):
    """Write in capital letters only."""

    kind: Literal["all_uppercase"] = "all_uppercase"

    def is_followed(self, text: str) -> bool:
        return text.isupper()


class AllLowercase(Instruction):
    """Write without a capital letter."""

    kind: Literal["all_lowercase"] = "all_lowercase"

    def is_followed(self, text: str) -> bool:
        return text.islower()


class CapitalWordFrequency(Counted):
    """Write so many words in capital letters throughout. A word of one letter counts, as `I` and `A` do."""

    kind: Literal["capital_word_frequency"] = "capital_word_frequency"

    def is_followed(self, text: str) -> bool:
        return self.allows(sum(word.isupper() for word in re.findall(r"\w+(?:['’-]\w+)*", text)))


class NoCommas(Instruction):
    """Write without commas, Chinese and Arabic ones included."""

    kind: Literal["no_commas"] = "no_commas"

    def is_followed(self, text: str) -> bool:
        return not set(",，、،") & set(text)


class Quoted(Instruction):
    """Put the whole answer in double quotation marks."""

    kind: Literal["quoted"] = "quoted"

    def is_followed(self, text: str) -> bool:
        bare = text.strip()
        return len(bare) > 2 and (bare[0], bare[-1]) in {('"', '"'), ("“", "”"), ("„", "“"), ("「", "」")}


class EndsWith(Instruction):
    """End with exactly this phrase and nothing after it; case and closing quotes aside."""

    kind: Literal["ends_with"] = "ends_with"
    phrase: str = Field(min_length=1)

    def is_followed(self, text: str) -> bool:
        return text.strip().strip('"”').lower().endswith(self.phrase.strip().lower())


class RepeatsPrompt(Instruction):
    """Say the request over again, word for word, then answer it."""

    kind: Literal["repeats_prompt"] = "repeats_prompt"
    request: str = Field(min_length=1)

    def is_followed(self, text: str) -> bool:
        said, wanted = text.strip().lower(), self.request.strip().lower()
        return said.startswith(wanted) and len(said) > len(wanted)


class ChoosesFrom(Instruction):
    """Give one of these options. Words round the option are allowed, a second option is not."""

    kind: Literal["chooses_from"] = "chooses_from"
    options: tuple[str, ...] = Field(min_length=2)

    def is_followed(self, text: str) -> bool:
        return sum(occurrences(option, text) > 0 for option in self.options) == 1
