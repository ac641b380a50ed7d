"""What the simulated people care about: a documented utility with six parts, hidden from training.

    subject  0.44  speaks of the matter: the share of content words that people's reference answers on the same subject
                   (laundry, plants, ...) use too, words used on many subjects weighing less; full marks from 0.7
    content  0.22  agreement with the better of two reference answers: F1 of content words, rare words weighing more; the
                   square root of it, full marks from F1 0.3
    ease     0.15  easy to read: the longest sentence (full marks up to 8 words, none at 18) and few words of three
                   syllables or more (none at a fifth), 7 to 3
    brevity  0.13  full marks from 20 to 36 words, none at 8 or 60
    fluency  0.03  no repeated word pairs, no loops, and between content words the small words that make sentences
    finish   0.03  stops by itself, at the end of a sentence

Words of the prompt count for neither subject nor content, so echoing it earns nothing; a stock phrase speaks of one subject
and is asked about eight; rare words weigh more, so a bag of usual words earns little; ease looks at the longest sentence, so
a short phrase tacked on earns nothing; brevity has two sides. `tricks.py` tries all of these.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from plaudit.rules.form import ends_with_stop, num_syllables, num_words, sentences
from plaudit.rules.repetition import has_loop, repeated_ngram_frac
from plaudit.rules.words import content_words, words
from plaudit.schemas.conversation import Messages, prompt_id
from plaudit.schemas.protocols import Completion, TextScore

WEIGHTS: Mapping[str, float] = {
    "subject": 0.44,
    "content": 0.22,
    "ease": 0.15,
    "brevity": 0.13,
    "fluency": 0.03,
    "finish": 0.03,
}
FULL_SUBJECT = 0.7
FULL_CONTENT = 0.3
# Fewer words than this are too few to show what an answer is about.
LEAST_WORDS = 4
EASY_SENTENCE, HARD_SENTENCE = 8, 18
HARD_WORDS_FRAC = 0.2


@dataclass(frozen=True, slots=True)
class Question:
    """A prompt with two people's reference answers."""

    prompt: Messages
    references: tuple[str, ...]
    kind: str
    subject: str


class HiddenUtility:
    """Scores answers to the questions it knows, in [0, 1]. A TextScorer for evaluation and for simulated people."""

    def __init__(self, questions: Sequence[Question]) -> None:
        self._questions = {prompt_id(question.prompt): question for question in questions}
        spread = Counter(word for question in questions for word in set(content_words(" ".join(question.references))))
        subjects = defaultdict[str, set[str]](set)
        for question in questions:
            subjects[question.subject] |= set(content_words(" ".join(question.references)))
        self._on_subject = {
            name: {word: _specialty(sum(word in other for other in subjects.values()), len(subjects)) for word in found}
            for name, found in subjects.items()
        }
        # A word in one question's references alone weighs 1, a word in all of them nothing.
        self._weight = {word: 1 - math.log(num) / math.log(len(questions)) for word, num in spread.items()}

    def _weighed(self, words: Counter[str]) -> float:
        return sum(self._weight.get(word, 1.0) * num for word, num in words.items())

    def _agreement(self, said: Counter[str], wanted: Counter[str]) -> float:
        total = self._weighed(said) + self._weighed(wanted)
        return 2 * self._weighed(said & wanted) / total if total else 0.0

    def _subject(self, question: Question, meant: Sequence[str]) -> float:
        asked = _asked(question)
        weights = [self._on_subject[question.subject].get(word, 0.0) for word in meant if word not in asked]
        return min(1.0, sum(weights) / max(LEAST_WORDS, len(weights)) / FULL_SUBJECT)

    def _content(self, question: Question, meant: Sequence[str]) -> float:
        asked = _asked(question)
        said = Counter(word for word in meant if word not in asked)
        agreement = max(
            self._agreement(said, Counter(word for word in content_words(reference) if word not in asked))
            for reference in question.references
        )
        return math.sqrt(min(1.0, agreement / FULL_CONTENT))

    def parts(self, prompt: Messages, answer: Completion) -> dict[str, float]:
        """Each part in [0, 1]. Raises KeyError for a prompt it does not know."""
        question = self._questions[prompt_id(prompt)]
        meant, length = content_words(answer.text), num_words(answer.text)
        return {
            "subject": self._subject(question, meant),
            "content": self._content(question, meant),
            "ease": _ease(answer.text),
            "fluency": _fluency(answer.text, len(meant), length),
            "brevity": min(max(0.0, min((length - 8) / 12, (60 - length) / 24)), 1.0),
            "finish": float(answer.finished and ends_with_stop(answer.text)),
        }

    def score(self, prompts: Sequence[Messages], completions: Sequence[Completion]) -> list[TextScore]:
        """The weighted sum of the parts for each answer."""
        scores = []
        for prompt, answer in zip(prompts, completions, strict=True):
            parts = self.parts(prompt, answer)
            scores.append(TextScore(sum(WEIGHTS[name] * part for name, part in parts.items()), parts))
        return scores


def _asked(question: Question) -> set[str]:
    return {word for message in question.prompt for word in content_words(message.text)}


def _specialty(num_subjects: int, num_all: int) -> float:
    """1 for a word of one subject, falling to 0.2 for one used on all."""
    return 1.0 - 0.8 * math.log(num_subjects) / math.log(num_all) if num_all > 1 else 1.0


def _fluency(text: str, num_content: int, length: int) -> float:
    """The worse of two: words that do not go round in circles, and small words between those that carry meaning."""
    if not length:
        return 0.0
    flow = max(0.0, 1.0 - 3.0 * repeated_ngram_frac(text, 2) - 0.5 * has_loop(text))
    small_words = 1.0 - num_content / length
    return min(flow, max(0.0, min(1.0, (small_words - 0.15) / 0.2)))


def _ease(text: str) -> float:
    """How easy the text is to read: 0.7 for its longest sentence, 0.3 for few words of three syllables or more."""
    found = sentences(text)
    if not found:
        return 0.0
    longest = max(num_words(sentence) for sentence in found)
    hard = sum(num_syllables(word) >= 3 for word in words(text)) / num_words(text)
    short_enough = min(1.0, max(0.0, (HARD_SENTENCE - longest) / (HARD_SENTENCE - EASY_SENTENCE)))
    return 0.7 * short_enough + 0.3 * max(0.0, 1.0 - hard / HARD_WORDS_FRAC)
