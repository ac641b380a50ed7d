"""Fixed tricks that might satisfy the hidden utility without being any good. The demo shows that none does."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence

from plaudit.demo.utility import HiddenUtility, Question
from plaudit.rules.form import sentences
from plaudit.rules.words import content_words, words
from plaudit.schemas.protocols import Completion
from plaudit.statistics.winrate import win_value

Answers = Sequence[Sequence[Completion]]

NUM_FINALISTS = 64


def _said(text: str) -> Completion:
    return Completion(text=text, finished=True, num_tokens=len(words(text)))


def _extended(answer: Completion) -> Completion:
    return Completion(text=f"{answer.text} This helps.", finished=answer.finished, num_tokens=answer.num_tokens + 3)


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


def trick_win_rates(
    utility: HiddenUtility, questions: Sequence[Question], sft: Answers, *, others: Sequence[Answers] = ()
) -> dict[str, float]:
    """The win rate of each trick against the SFT model's answers, ties half.

    Besides fixed texts: the shortest and the longest of the model's own answers, their first sentences, the answer
    with the question before it, and one answer to all questions: of all answers of the SFT model and of `others` (a
    method's answers to the same questions each) the one that wins most, found with the utility at hand.
    """
    asked = tuple(zip(questions, sft, strict=True))
    worth = {id(question): [_utility(utility, question, answer) for answer in found] for question, found in asked}

    def rate(
        trick: Callable[[Question, Sequence[Completion]], Sequence[Completion]],
        asked: Sequence[tuple[Question, Sequence[Completion]]] = asked,
    ) -> float:
        wins = [
            win_value(_utility(utility, question, answer), against)
            for question, found in asked
            for answer in trick(question, found)
            for against in worth[id(question)]
        ]
        return sum(wins) / len(wins)

    def to_all(text: str, asked: Sequence[tuple[Question, Sequence[Completion]]]) -> float:
        return rate(lambda question, found: [_said(text)], asked)

    def best_for_all() -> float:
        """Successive halving's idea: all texts face some of the questions, the best of them all questions."""
        texts = sorted({answer.text for found in (sft, *others) for row in found for answer in row})
        texts.sort(key=lambda text: -to_all(text, asked[::4]))
        return max(to_all(text, asked) for text in texts[:NUM_FINALISTS])

    rates = {
        "shortest of its own": rate(lambda q, found: [min(found, key=lambda a: a.num_tokens)]),
        "longest of its own": rate(lambda q, found: [max(found, key=lambda a: a.num_tokens)]),
        "first sentence only": rate(lambda q, found: [_said((sentences(a.text) or [""])[0]) for a in found]),
        "short phrase added": rate(lambda q, found: [_extended(a) for a in found]),
        "one answer to all": best_for_all(),
        "question before answer": rate(lambda q, found: [_said(f"{q.prompt[-1].text} {a.text}") for a in found]),
    }

    def fixed(text: Callable[[Question], str]) -> float:
        return rate(lambda question, found: [_said(text(question))])

    return rates | {name: fixed(text) for name, text in fixed_texts(questions).items()}


def _utility(utility: HiddenUtility, question: Question, answer: Completion) -> float:
    return utility.score([question.prompt], [answer])[0].score
