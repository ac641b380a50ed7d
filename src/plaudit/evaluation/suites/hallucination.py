"""Does an answer keep to its passage? How well the rule tells what people marked, and what it says of the model's answers."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from plaudit.evaluation.suites.choices import too_long
from plaudit.evaluation.suites.subject import Subject
from plaudit.evaluation.suites.suite import Findings, fraction_of, mean_of
from plaudit.rules.support import token_doubts, unsupported_frac, unsupported_spans
from plaudit.schemas.conversation import prompt_id
from plaudit.schemas.feedback import Highlights, Span
from plaudit.statistics import Estimate, auroc, bootstrap_interval

NOT_IN_THE_PASSAGE = frozenset({"Wrong-Grounding", "Unverifiable"})
"""The types of error that speak of the passage; the others (irrelevant, redundant, ...) do not."""


def hallucination(subject: Subject, marked: Sequence[Highlights]) -> Findings:
    """The unsupported fraction of the model's answers to the questions, their passages in the prompt.

    `unsupported` is the mean of `rules.support.unsupported_frac`; `with an unsupported span` the fraction of answers
    that have one. Beside it the same of the answers that people marked, and the AUROC with which a word's doubt tells
    the words in spans marked as not in the passage (Wu et al. 2023) from all others: how far to trust the figures.
    """
    found = subject.answers([row.prompt for row in marked], "hallucination")
    kept = [(row, answer) for row, answer in zip(marked, found, strict=True) if answer is not None]
    own = [unsupported_frac(answer.text, passage_of(row)) for row, answer in kept]
    spans = [unsupported_spans(answer.text, passage_of(row)) for row, answer in kept]
    asked, all_asked = [row.prompt for row, _ in kept], [row.prompt for row in marked]
    figures = {
        "unsupported": mean_of(own, asked),
        "with an unsupported span": fraction_of([bool(row) for row in spans], asked),
        "unsupported, of the marked answers": mean_of(
            [unsupported_frac(row.text, passage_of(row)) for row in marked], all_asked
        ),
        "AUROC of a word's doubt on the marked answers": doubt_auroc(marked),
    }
    rows = [
        {"prompt_id": prompt_id(row.prompt), "prompt": row.prompt, "answer": answer, "unsupported": frac, "spans": part}
        for (row, answer), frac, part in zip(kept, own, spans, strict=True)
    ]
    return Findings(figures, tuple(rows), tuple(asked), too_long(len(marked) - len(kept), "questions"))


def doubt_auroc(marked: Sequence[Highlights]) -> Estimate | None:
    """The AUROC of `token_doubts` over all words; its interval resamples answers. None where the marks are of one kind."""
    doubts, wrong, owners = list[float](), list[bool](), list[str]()
    for row in marked:
        errors = [span for span in row.spans if span.label in NOT_IN_THE_PASSAGE]
        for word in token_doubts(row.text, passage_of(row)):
            doubts.append(word.doubt)
            wrong.append(any(_touches(span, word.start, word.end) for span in errors))
            owners.append(prompt_id(row.prompt))
    if len(set(wrong)) < 2:
        return None
    values, labels = np.array(doubts), np.array(wrong)

    def of_words(numbers: NDArray[np.float64]) -> float:
        chosen = numbers.astype(int)
        return auroc(values[chosen], labels[chosen])

    return bootstrap_interval(np.arange(len(values)), of_words, clusters=owners)


def passage_of(row: Highlights) -> str:
    """The passages of its question: the sentences that the file gives; without those, all of the prompt but its first part."""
    match row.extra.get("passages"):
        case [*parts] if parts and all(isinstance(part, list) for part in parts):
            return "\n".join(str(sentence) for part in parts if isinstance(part, list) for sentence in part)
    return row.prompt[-1].text.partition("\n\n")[2]


def _touches(span: Span, start: int, end: int) -> bool:
    return span.start < end and start < span.end
