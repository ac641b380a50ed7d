"""How well does the span model tell what people mark? Words beside word overlap, whole answers beside their length."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from plaudit.batches.tokens import collated
from plaudit.evaluation.suites.hallucination import passage_of
from plaudit.models.reward import RewardModel
from plaudit.rules.support import token_doubts
from plaudit.schemas.conversation import Messages, prompt_id
from plaudit.schemas.feedback import Comparison, Highlights, Ranking
from plaudit.schemas.preference import pooled, preference_group
from plaudit.statistics import Estimate, auroc, bootstrap_interval, paired_difference
from plaudit.text.chat import ChatCodec
from plaudit.text.highlights import token_places
from plaudit.trainers.spans import token_logits

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class SpanQuality:
    """AUROCs of words in marked spans against all others, and accuracies on strict preferences, with their differences."""

    words: int
    model: Estimate
    overlap: Estimate
    over_overlap: Estimate
    pairs: int
    preferred: Estimate
    by_length: Estimate
    over_length: Estimate
    length_rule: str


class Reader:
    """The span model at work on texts."""

    def __init__(self, model: RewardModel, codec: ChatCodec, micro_batch_size: int = 4) -> None:
        self._model, self._codec, self._micro_batch_size = model, codec, micro_batch_size

    def chances(self, prompt: Messages, answer: Messages) -> list[tuple[int, int, float]]:
        """The characters of each token of the answer, and the chance that a person marks it."""
        row = self._codec.encoded(prompt, answer)
        logits = token_logits(self._model, collated([row], self._codec.pad_id), self._micro_batch_size)[0]
        counted = torch.tensor(row.answer_mask)
        values = torch.sigmoid(logits[counted]).tolist()
        places = token_places([t for t, c in zip(row.token_ids, row.answer_mask, strict=True) if c], self._codec)
        return [(start, end, value) for (start, end), value in zip(places, values, strict=True)]

    def expected_marks(self, prompt: Messages, answer: Messages) -> float:
        """The mean chance over the answer's tokens."""
        return float(np.mean([value for _, _, value in self.chances(prompt, answer)]))


def word_table(reader: Reader, records: Sequence[Highlights]) -> tuple[Floats, Floats, NDArray[np.bool_], list[str]]:
    """For every word of the answers: the model's chance, word overlap's doubt, whether people marked it, and the prompt."""
    chances, doubts, marked, owners = list[float](), list[float](), list[bool](), list[str]()
    for record in records:
        tokens = reader.chances(record.prompt, record.completion)
        for word in token_doubts(record.text, passage_of(record)):
            inside = [value for start, end, value in tokens if start < word.end and word.start < end]
            chances.append(max(inside, default=0.0))
            doubts.append(word.doubt)
            marked.append(any(span.start < word.end and word.start < span.end for span in record.spans))
            owners.append(prompt_id(record.prompt))
    return np.array(chances), np.array(doubts), np.array(marked), owners


def span_quality(
    reader: Reader,
    marked: Sequence[Highlights],
    preferences: Sequence[Comparison | Ranking],
    learnt: Sequence[Comparison | Ranking],
) -> SpanQuality:
    """On held-out answers. The length rule (longer or shorter wins) is the one that was right more often on `learnt`."""
    chances, doubts, truth, owners = word_table(reader, marked)
    rows = np.arange(len(truth))

    def told_by(values: Floats) -> Callable[[Floats], float]:
        return lambda chosen: auroc(values[chosen.astype(int)], truth[chosen.astype(int)])

    def difference(chosen: Floats) -> float:
        return told_by(chances)(chosen) - told_by(doubts)(chosen)

    pairs = strict_pairs(preferences)
    longer_won = [len(better[-1].text) > len(worse[-1].text) for _, better, worse in strict_pairs(learnt)]
    sign, rule = (1, "the longer") if np.mean(longer_won) > 0.5 else (-1, "the shorter")
    own = [
        _right(reader.expected_marks(prompt, worse) - reader.expected_marks(prompt, better))
        for prompt, better, worse in pairs
    ]
    length = [_right(sign * (len(better[-1].text) - len(worse[-1].text))) for _, better, worse in pairs]
    clusters = [prompt_id(prompt) for prompt, _, _ in pairs]
    return SpanQuality(
        words=len(truth),
        model=bootstrap_interval(rows, told_by(chances), clusters=owners),
        overlap=bootstrap_interval(rows, told_by(doubts), clusters=owners),
        over_overlap=bootstrap_interval(rows, difference, clusters=owners),
        pairs=len(pairs),
        preferred=bootstrap_interval(own, clusters=clusters),
        by_length=bootstrap_interval(length, clusters=clusters),
        over_length=paired_difference(own, length, clusters=clusters),
        length_rule=rule,
    )


def strict_pairs(records: Sequence[Comparison | Ranking]) -> list[tuple[Messages, Messages, Messages]]:
    """Prompt, better and worse answer of every pair without a tie."""
    found = []
    for group in pooled(preference_group(record) for record in records):
        for pair in group.pairs:
            if pair.target != 0.5:
                a, b = group.completions[pair.a], group.completions[pair.b]
                found.append((group.prompt, a, b) if pair.target > 0.5 else (group.prompt, b, a))
    return found


def _right(margin: float) -> float:
    return 1.0 if margin > 0 else 0.5 if margin == 0 else 0.0
