"""Is an answer borne out by its passage? How much of each word's surroundings the passage has, and the spans it has not."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby

from plaudit.rules.repetition import ngrams
from plaudit.rules.words import content_words

MAX_RUN = 12
"""Words in a row; a longer run that both have counts as one of this length."""
_MIN_RUN = 3
"""Fewer words in a row than this may stand in any passage by chance."""

_TOKEN = re.compile(
    r"\d+(?:[.,]\d+)*|[\u3400-\u4dbf\u4e00-\u9fff]|[^\W\d_\u3400-\u4dbf\u4e00-\u9fff]+(?:['’][^\W\d_]+)*|[^\W_]"
)
_SENTENCE_END = re.compile(r"[.!?…][\"'”’)\]]*(?=\s)|[。！？]|\n")
_NUMBERS = "one two three four five six seven eight nine ten eleven twelve"
_DIGITS = {name: str(value) for value, name in enumerate(_NUMBERS.split(), start=1)}


@dataclass(frozen=True, slots=True)
class TokenDoubt:
    """A word of the answer, `answer[start:end]`, and how little the passage bears it out: 0 not at all doubtful, 1 most."""

    start: int
    end: int
    doubt: float


@dataclass(frozen=True, slots=True)
class UnsupportedSpan:
    """A stretch of the answer that the passage does not have.

    `doubt` is the mean of its words', `missing` are those of its content words, names and numbers that the passage has
    nowhere. None missing: its words are all there, but in other company.
    """

    start: int
    end: int
    doubt: float
    missing: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Token:
    start: int
    end: int
    text: str
    stem: str
    is_content: bool
    sentence: int


def token_doubts(answer: str, passage: str) -> list[TokenDoubt]:
    """For each word of the answer the mean of its own doubt and of its sentence's.

    A word's own doubt is 1 / (1 + r), r being the length of the longest run of words through it that the passage has too,
    up to `MAX_RUN`: 1 for a word the passage lacks, 1/2 for one that it has among other words. Words are compared by
    their stems, `1,400` with 1400, `two` with 2. What a passage says in other words is doubted; what it denies is not.
    """
    tokens = _tokens(answer)
    own = [1 / (1 + run) for run in _runs(tokens, passage)]
    doubts = []
    for _, group in groupby(zip(tokens, own, strict=True), key=lambda pair: pair[0].sentence):
        sentence = list(group)
        whole = sum(doubt for _, doubt in sentence) / len(sentence)
        doubts += [TokenDoubt(token.start, token.end, (doubt + whole) / 2) for token, doubt in sentence]
    return doubts


def unsupported_spans(answer: str, passage: str) -> list[UnsupportedSpan]:
    """The stretches of a sentence, each with a content word, of which the passage has no three words in a row, in order."""
    tokens, doubts = _tokens(answer), token_doubts(answer, passage)
    known = {token.stem for token in _tokens(passage)}
    rows = zip(tokens, doubts, _runs(tokens, passage), strict=True)
    spans = []
    for (_, supported), group in groupby(rows, key=lambda row: (row[0].sentence, row[2] >= _MIN_RUN)):
        part = list(group)
        if supported or not any(token.is_content for token, _, _ in part):
            continue
        missing = tuple(token.text for token, _, _ in part if token.is_content and token.stem not in known)
        doubt = sum(doubt.doubt for _, doubt, _ in part) / len(part)
        spans.append(UnsupportedSpan(part[0][0].start, part[-1][0].end, doubt, missing))
    return spans


def unsupported_frac(answer: str, passage: str) -> float:
    """The fraction of the answer's content words, names and numbers that the passage has nowhere; 0 where it has none."""
    known = {token.stem for token in _tokens(passage)}
    content = [token for token in _tokens(answer) if token.is_content]
    return sum(token.stem not in known for token in content) / len(content) if content else 0.0


def _tokens(text: str) -> list[_Token]:
    ends = [match.end() for match in _SENTENCE_END.finditer(text)]
    tokens = []
    for match in _TOKEN.finditer(text):
        word = match.group()
        stems = content_words(word)
        stem = word.replace(",", "") if word[0].isdigit() else "".join(stems) or word.lower().replace("’", "'")
        sentence = sum(end <= match.start() for end in ends)
        tokens.append(_Token(match.start(), match.end(), word, _DIGITS.get(stem, stem), bool(stems), sentence))
    return tokens


def _runs(tokens: Sequence[_Token], passage: str) -> list[int]:
    """For each word the length of the longest run of words through it that the passage has too, up to `MAX_RUN`."""
    said, given = [token.stem for token in tokens], [token.stem for token in _tokens(passage)]
    longest = [0] * len(said)
    for size in range(1, MAX_RUN + 1):
        found = set(ngrams(given, size))
        starts = [start for start, ngram in enumerate(ngrams(said, size)) if ngram in found]
        if not starts:
            break
        for start in starts:
            longest[start : start + size] = [size] * size
    return longest
