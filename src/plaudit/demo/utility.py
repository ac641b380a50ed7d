"""What the simulated people care about: a documented utility with five parts, hidden from training.

    content  0.62  agreement with the better of two reference answers: F1 of content words, rare words weighing more, words
                   of the prompt not counted; the square root of it, full marks from F1 0.3
    ease     0.20  easy to read: the longest sentence (full marks up to 8 words, none at 18) and few words of three
                   syllables or more (none at a fifth), 7 to 3
    fluency  0.06  no repeated word pairs, no loops, and between content words the small words that make sentences
    brevity  0.06  full marks from 12 to 36 words, none at 4 or 60
    finish   0.06  stops by itself, at the end of a sentence

Words of the prompt do not count, so echoing it earns no content; rare words weigh more, so a bag of usual words earns
little; ease looks at the longest sentence, so a short phrase tacked on earns nothing; brevity has two sides, so neither the
shortest nor the longest answer wins. `tricks.py` tries all of these.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from plaudit.rules.form import ends_with_stop, num_syllables, num_words, sentences
from plaudit.rules.repetition import has_loop, repeated_ngram_frac
from plaudit.rules.words import content_words, words
from plaudit.schemas.conversation import Messages, prompt_id
from plaudit.schemas.protocols import Completion, TextScore

WEIGHTS: Mapping[str, float] = {"content": 0.62, "ease": 0.20, "fluency": 0.06, "brevity": 0.06, "finish": 0.06}
FULL_CONTENT = 0.3
EASY_SENTENCE, HARD_SENTENCE = 8, 18
HARD_WORDS_FRAC = 0.2


@dataclass(frozen=True, slots=True)
class Question:
    """A prompt with two people's reference answers."""

    prompt: Messages
    references: tuple[str, ...]
    kind: str


class HiddenUtility:
    """Scores answers to the questions it knows, in [0, 1]. A TextScorer for evaluation and for simulated people."""

    def __init__(self, questions: Sequence[Question]) -> None:
        self._questions = {prompt_id(question.prompt): question for question in questions}
        spread = Counter(word for question in questions for word in set(content_words(" ".join(question.references))))
        # A word in one question's references alone weighs 1, a word in all of them nothing.
        self._weight = {word: 1 - math.log(num) / math.log(len(questions)) for word, num in spread.items()}

    def _weighed(self, words: Counter[str]) -> float:
        return sum(self._weight.get(word, 1.0) * num for word, num in words.items())

    def _agreement(self, said: Counter[str], wanted: Counter[str]) -> float:
        total = self._weighed(said) + self._weighed(wanted)
        return 2 * self._weighed(said & wanted) / total if total else 0.0

    def _content(self, question: Question, meant: Sequence[str]) -> float:
        asked = {word for message in question.prompt for word in content_words(message.text)}
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
            "content": self._content(question, meant),
            "ease": _ease(answer.text),
            "fluency": _fluency(answer.text, len(meant), length),
            "brevity": min(max(0.0, min((length - 4) / 8, (60 - length) / 24)), 1.0),
            "finish": float(answer.finished and ends_with_stop(answer.text)),
        }

    def score(self, prompts: Sequence[Messages], completions: Sequence[Completion]) -> list[TextScore]:
        """The weighted sum of the parts for each answer."""
        scores = []
        for prompt, answer in zip(prompts, completions, strict=True):
            parts = self.parts(prompt, answer)
            scores.append(TextScore(sum(WEIGHTS[name] * part for name, part in parts.items()), parts))
        return scores


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
