"""Fixed tricks that might satisfy the hidden utility without being any good. The demo shows that none does."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence

from plaudit.demo.utility import HiddenUtility, Question
from plaudit.rules.form import sentences
from plaudit.rules.words import content_words, words
from plaudit.schemas.protocols import Completion
from plaudit.statistics.winrate import win_value

Answers = Sequence[Sequence[Completion]]

NUM_FINALISTS = 64
ADDED = ("This helps.", "Keep it clean and dry.", "Take your time.", "Start small.", "Ask someone you trust.")
"""Stock sentences, to stand after what the model says."""
NUM_SENTENCES, WIDTH, MOST_SENTENCES, NUM_TRIED = 200, 6, 4, 40
"""The search for a text put together of sentences: how many it may choose from, how many texts it goes on with, how long
they grow, how many of the longer ones it looks at closely."""


def _said(text: str) -> Completion:
    return Completion(text=text, finished=True, num_tokens=len(words(text)))


def _first(answer: Completion) -> str:
    return next(iter(sentences(answer.text)), "")


def usual_words(questions: Sequence[Question], num: int) -> list[str]:
    """The content words that most references share, as they are written there."""
    counts = Counter(
        word
        for question in questions
        for text in question.references
        for word in set(words(text))
        if content_words(word)
    )
    return [word for word, _ in counts.most_common(num)]


def fixed_texts(questions: Sequence[Question]) -> Mapping[str, Callable[[Question], str]]:
    """Answers that need no model, made with full knowledge of the references' usual words."""
    usual = usual_words(questions, 14)

    def asked(question: Question) -> str:
        return question.prompt[-1].text.rstrip("?.!")

    def named(question: Question) -> str:
        return " and the ".join(word for word in words(asked(question)) if content_words(word))

    stock = (
        "Use a little warm water and a clean cloth, wait a few minutes and check it again, so that you keep it safe."
    )
    return {
        "always declining": lambda q: (
            "I am sorry, but I cannot help with that. Please ask someone you trust for advice."
        ),
        "stock phrase": lambda q: (
            "That depends on many things, so take your time, start small and ask someone you trust."
        ),
        "stock advice": lambda q: stock,
        "short stock advice": lambda q: "Use warm water. Wait a few minutes. Check it again. Keep it clean and dry.",
        "stock reason": lambda q: "Keep it in a cool and dry place and check it every day, because this keeps it safe.",
        "echo": lambda q: asked(q) + ".",
        "echo and stock": lambda q: f"{asked(q)}: it depends, so take your time and ask someone you trust.",
        "naming the subject": lambda q: f"It is about the {named(q)}, which many people need to know about every day.",
        "subject and stock": lambda q: f"For the {named(q)}, {stock[0].lower()}{stock[1:]}",
        "usual words": lambda q: "The " + ", and the ".join(usual[:12]) + ".",
        "echo and usual words": lambda q: f"{asked(q)}, the " + ", and the ".join(usual[:8]) + ".",
    }


class _Trial:
    """Questions with the SFT model's answers, which a trick's answers are to beat."""

    def __init__(self, utility: HiddenUtility, questions: Sequence[Question], sft: Answers) -> None:
        self._utility = utility
        self._asked = [
            (q, found, [self._worth(q, answer) for answer in found]) for q, found in zip(questions, sft, strict=True)
        ]

    def _worth(self, question: Question, answer: Completion) -> float:
        return self._utility.score([question.prompt], [answer])[0].score

    def rate(self, trick: Callable[[Question, Sequence[Completion]], Sequence[Completion]], *, every: int = 1) -> float:
        """How often the trick's answers win, ties half; on each question, or on one in `every`."""
        wins = [
            win_value(own, against)
            for question, found, worth in self._asked[::every]
            for own in [self._worth(question, answer) for answer in trick(question, found)]
            for against in worth
        ]
        return sum(wins) / len(wins)

    def to_all(self, text: str, *, every: int = 1) -> float:
        """How often the text wins as the answer to every question."""
        return self.rate(lambda question, found: [_said(text)], every=every)

    def best(self, texts: Iterable[str], num: int, *, every: int) -> list[str]:
        """The `num` texts that win most as answers to one question in `every`."""
        return sorted(texts, key=lambda text: -self.to_all(text, every=every))[:num]

    def best_for_all(self, texts: Iterable[str]) -> float:
        """Successive halving's idea: all texts face some of the questions, the best of them all questions."""
        return max(self.to_all(text) for text in self.best(texts, NUM_FINALISTS, every=4))

    def best_composed(self, texts: Iterable[str]) -> float:
        """The best text of up to four sentences out of those texts, each first chosen for itself: a beam search."""
        parts = self.best(sorted({sentence for text in texts for sentence in sentences(text)}), NUM_SENTENCES, every=4)
        beam = parts[:WIDTH]
        for _ in range(MOST_SENTENCES - 1):
            longer = {f"{text} {part}" for text in beam for part in parts if part not in text}
            tried = self.best(sorted(longer), NUM_TRIED, every=8)
            beam = self.best([*beam, *tried], WIDTH, every=2)
        return max(map(self.to_all, beam))


def trick_win_rates(
    utility: HiddenUtility, questions: Sequence[Question], sft: Answers, *, others: Sequence[Answers] = ()
) -> dict[str, float]:
    """The win rate of each trick against the SFT model's answers, ties half.

    Besides fixed texts: the shortest and the longest of the model's own answers, their first sentences, the answer
    with the question before it or with a stock sentence after it, and two that are looked for with the utility at hand.
    One answer to all questions: of all answers of the SFT model and of `others` (a method's answers to the same
    questions each) the one that wins most. Sentences put together: the best text made of sentences of those answers.
    """
    trial = _Trial(utility, questions, sft)
    texts = sorted({answer.text for found in (sft, *others) for row in found for answer in row})

    def changed(change: Callable[[Question, Completion], str]) -> float:
        return trial.rate(lambda question, found: [_said(change(question, answer)) for answer in found])

    def followed(start: Callable[[Completion], str], added: str) -> float:
        return changed(lambda question, answer: f"{start(answer)} {added}")

    def fixed(text: Callable[[Question], str]) -> float:
        return trial.rate(lambda question, found: [_said(text(question))])

    return {
        "shortest of its own": trial.rate(lambda q, found: [min(found, key=lambda a: a.num_tokens)]),
        "longest of its own": trial.rate(lambda q, found: [max(found, key=lambda a: a.num_tokens)]),
        "first sentence only": changed(lambda q, a: _first(a)),
        "first two sentences": changed(lambda q, a: " ".join(sentences(a.text)[:2])),
        "question before answer": changed(lambda q, a: f"{q.prompt[-1].text} {a.text}"),
        **{f"its own, then: {added}": followed(lambda a: a.text, added) for added in ADDED},
        **{f"its first sentence, then: {added}": followed(_first, added) for added in ADDED},
        "one answer to all": trial.best_for_all(texts),
        "sentences put together": trial.best_composed(texts),
        **{name: fixed(text) for name, text in fixed_texts(questions).items()},
    }
