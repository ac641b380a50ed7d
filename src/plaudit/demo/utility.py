"""What the simulated people care about: a documented utility with six parts, hidden from training.

    points   0.55  each sentence makes a point: it speaks of the subject (laundry, plants, ...), which is how much, on
                   average, its content words are used on that subject rather than on others in people's reference answers
                   (not counting those of the question and those said before); and it is short (full marks up to 7
                   words, none at 14); the mean over the sentences, over three where there are fewer
    content  0.17  agreement with the better of two reference answers to this question: F1 of content words, rare words
                   weighing more; the square root of it, full marks from F1 0.2
    brevity  0.13  full marks from 16 to 27 words, none at 4 or 36
    plain    0.05  few words of three syllables or more: none at one in seven
    fluency  0.05  no repeated word pairs, no loops, and between content words the small words that make sentences
    finish   0.05  stops by itself, at the end of a sentence

Words of the prompt count for neither points nor content, so echoing it earns nothing; a stock phrase speaks of one subject
and is asked about eight; a sentence that says nothing lowers the mean, so an added phrase costs; brevity has two sides.
`tricks.py` tries all of these.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

from plaudit.rules.form import ends_with_stop, num_syllables, num_words, sentences
from plaudit.rules.repetition import has_loop, repeated_ngram_frac
from plaudit.rules.words import content_words, words
from plaudit.schemas.conversation import Messages, prompt_id
from plaudit.schemas.protocols import Completion, TextScore

WEIGHTS: Mapping[str, float] = {
    "points": 0.55,
    "content": 0.17,
    "brevity": 0.13,
    "plain": 0.05,
    "fluency": 0.05,
    "finish": 0.05,
}
FULL_CONTENT = 0.2
LEAST_ABOUT, FULL_ABOUT = 0.03, 0.12
LEAST_SENTENCES = 3
SHORT_SENTENCE, LONG_SENTENCE = 7, 14
HARD_WORDS_FRAC = 0.15


@dataclass(frozen=True, slots=True)
class Question:
    """A prompt with two people's reference answers."""

    prompt: Messages
    references: tuple[str, ...]
    kind: str
    subject: str


@dataclass(frozen=True, slots=True)
class _Known:
    """What a question asks of an answer: its subject, its own words, and what each reference says beside them."""

    subject: str
    asked: frozenset[str]
    wanted: tuple[Counter[str], ...]

    @classmethod
    def of(cls, question: Question) -> _Known:
        asked = frozenset(word for message in question.prompt for word in content_words(message.text))
        return cls(question.subject, asked, tuple(_unasked(content_words(text), asked) for text in question.references))


class HiddenUtility:
    """Scores answers to the questions it knows, in [0, 1]. A TextScorer for evaluation and for simulated people."""

    def __init__(self, questions: Sequence[Question]) -> None:
        self._questions = {prompt_id(question.prompt): _Known.of(question) for question in questions}
        asked_on = defaultdict[str, Counter[str]](Counter)
        for question in questions:
            for word in set(content_words(" ".join(question.references))):
                asked_on[word][question.subject] += 1
        usual = 1 / max(2, len({question.subject for question in questions}))
        self._subjects_of = {word: _specialties(subjects, usual) for word, subjects in asked_on.items()}
        # A word in one question's references alone weighs 1, a word in all of them nothing.
        most = math.log(max(2, len(questions)))
        self._weight = {word: 1 - math.log(subjects.total()) / most for word, subjects in asked_on.items()}

    def _weighed(self, words: Counter[str]) -> float:
        return sum(self._weight.get(word, 1.0) * num for word, num in words.items())

    def _agreement(self, said: Counter[str], wanted: Counter[str]) -> float:
        total = self._weighed(said) + self._weighed(wanted)
        return 2 * self._weighed(said & wanted) / total if total else 0.0

    def _points(self, question: _Known, answer: _Read) -> float:
        said, total = set(question.asked), 0.0
        for meant, short in answer.sentences:
            new = set(meant) - said
            said |= new
            about = sum(self._subjects_of.get(word, {}).get(question.subject, 0.0) for word in new) / max(1, len(new))
            total += _rising(about, LEAST_ABOUT, FULL_ABOUT) * short
        return total / max(LEAST_SENTENCES, len(answer.sentences))

    def _content(self, question: _Known, meant: Sequence[str]) -> float:
        said = _unasked(meant, question.asked)
        agreement = max(self._agreement(said, wanted) for wanted in question.wanted)
        return math.sqrt(min(1.0, agreement / FULL_CONTENT))

    def parts(self, prompt: Messages, answer: Completion) -> dict[str, float]:
        """Each part in [0, 1]. Raises KeyError for a prompt it does not know."""
        question = self._questions[prompt_id(prompt)]
        read = _read(answer.text)
        return {
            "points": self._points(question, read),
            "content": self._content(question, read.meant),
            "brevity": read.brevity,
            "plain": read.plain,
            "fluency": read.fluency,
            "finish": float(answer.finished and read.ends),
        }

    def score(self, prompts: Sequence[Messages], completions: Sequence[Completion]) -> list[TextScore]:
        """The weighted sum of the parts for each answer."""
        scores = []
        for prompt, answer in zip(prompts, completions, strict=True):
            parts = self.parts(prompt, answer)
            scores.append(TextScore(sum(WEIGHTS[name] * part for name, part in parts.items()), parts))
        return scores


@dataclass(frozen=True, slots=True)
class _Read:
    """What an answer is like, whatever was asked: its content words, and each sentence's with how short it is."""

    meant: tuple[str, ...]
    sentences: tuple[tuple[tuple[str, ...], float], ...]
    brevity: float
    plain: float
    fluency: float
    ends: bool


@lru_cache(maxsize=4096)
def _read(text: str) -> _Read:
    meant, length = tuple(content_words(text)), num_words(text)
    return _Read(
        meant=meant,
        sentences=tuple((tuple(content_words(found)), _short(num_words(found))) for found in sentences(text)),
        brevity=min(max(0.0, min((length - 4) / 12, (36 - length) / 9)), 1.0),
        plain=_plain(text),
        fluency=_fluency(text, len(meant), length),
        ends=ends_with_stop(text),
    )


def _short(length: int) -> float:
    return min(1.0, max(0.0, (LONG_SENTENCE - length) / (LONG_SENTENCE - SHORT_SENTENCE)))


def _rising(x: float, least: float, full: float) -> float:
    """0 up to `least`, 1 from `full` on, a line between."""
    return min(1.0, max(0.0, (x - least) / (full - least)))


def _unasked(found: Sequence[str], asked: frozenset[str]) -> Counter[str]:
    return Counter(word for word in found if word not in asked)


def _specialties(asked_on: Counter[str], usual: float) -> dict[str, float]:
    """For each subject how much a word belongs to it: from 0 (its share is `usual`, or less) to 1 (said on no other)."""
    total = asked_on.total()
    return {subject: max(0.0, (num / total - usual) / (1 - usual)) for subject, num in asked_on.items()}


def _fluency(text: str, num_content: int, length: int) -> float:
    """The worse of two: words that do not go round in circles, and small words between those that carry meaning."""
    if not length:
        return 0.0
    flow = max(0.0, 1.0 - 3.0 * repeated_ngram_frac(text, 2) - 0.5 * has_loop(text))
    small_words = 1.0 - num_content / length
    return min(flow, max(0.0, min(1.0, (small_words - 0.15) / 0.2)))


def _plain(text: str) -> float:
    """1 without words of three syllables or more, 0 with many."""
    found = words(text)
    hard = sum(num_syllables(word) >= 3 for word in found)
    return max(0.0, 1.0 - hard / len(found) / HARD_WORDS_FRAC) if found else 0.0
