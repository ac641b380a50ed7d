"""How well a scorer's numbers agree with people's verdicts on pairs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from plaudit.statistics.classification import (
    ReliabilityBin,
    classify,
    expected_calibration_error,
    reliability_bins,
)
from plaudit.statistics.intervals import Estimate, bootstrap_interval, wilson_interval

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class JudgedPairs:
    """Strict verdicts: answers a and b, whether a was preferred, and the prompt each pair belongs to."""

    a: NDArray[np.int64]
    b: NDArray[np.int64]
    a_preferred: NDArray[np.bool_]
    prompts: NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class RewardQuality:
    """Accuracy on strict pairs with its interval over prompts, calibration of s(score_a - score_b), and slices.

    `precision`, `recall` and `f1` are those of "a is preferred", the sides shuffled as they came.
    """

    accuracy: Estimate
    expected_calibration_error: float
    reliability: tuple[ReliabilityBin, ...]
    precision: float
    recall: float
    f1: float
    by_length_difference: Mapping[str, Estimate]
    by_source: Mapping[str, Estimate]


_LENGTH_EDGES = (-np.inf, -0.5, -0.1, 0.1, 0.5, np.inf)
_LENGTH_NAMES = (
    "preferred much shorter", "preferred shorter", "about as long", "preferred longer", "preferred much longer"
)  # fmt: skip


def correct(scores: Floats, pairs: JudgedPairs) -> Floats:
    """1 where the preferred answer has the higher score, 0.5 where both score the same, else 0."""
    lead = np.where(pairs.a_preferred, 1.0, -1.0) * (scores[pairs.a] - scores[pairs.b])
    return np.where(lead == 0, 0.5, (lead > 0).astype(np.float64))


def reward_quality(scores: Floats, lengths: Floats, pairs: JudgedPairs, sources: Sequence[str]) -> RewardQuality:
    """The quality of `scores` (one an answer) on the pairs. Raises ValueError without a strict pair.

    `lengths` are answer lengths in tokens, `sources` names where each pair came from.
    """
    if not len(pairs.a):
        raise ValueError("reward quality needs at least one strict pair")
    right = correct(scores, pairs)
    difference = scores[pairs.a] - scores[pairs.b]
    probability = 1.0 / (1.0 + np.exp(-difference))
    table = classify(difference > 0, pairs.a_preferred)
    longer = np.where(pairs.a_preferred, 1.0, -1.0) * (lengths[pairs.a] - lengths[pairs.b])
    relative = longer / np.maximum(lengths[pairs.a], lengths[pairs.b])
    slices = np.digitize(relative, _LENGTH_EDGES[1:-1])
    names = np.array([_LENGTH_NAMES[i] for i in slices])
    return RewardQuality(
        accuracy=_accuracy(right, pairs.prompts),
        expected_calibration_error=expected_calibration_error(probability, pairs.a_preferred),
        reliability=reliability_bins(probability, pairs.a_preferred),
        precision=table.precision,
        recall=table.recall,
        f1=table.f1,
        by_length_difference=_by(names, right, pairs, _LENGTH_NAMES),
        by_source=_by(np.array(sources), right, pairs, sorted(set(sources))),
    )


def _accuracy(right: Floats, prompts: NDArray[np.int64]) -> Estimate:
    """The fraction right, by the bootstrap over prompts; by Wilson's interval, a prompt an observation, where that is mute.

    Resampled, pairs of one prompt give no interval, and pairs that are all right (or all wrong) one of no width.
    """
    num_prompts = len(np.unique(prompts))
    if num_prompts > 1 and np.ptp(right) > 0:
        return bootstrap_interval(right, clusters=prompts)
    found = wilson_interval(float(right.mean()) * num_prompts, num_prompts)
    return replace(found, n=len(right))


def _by(labels: NDArray[np.str_], right: Floats, pairs: JudgedPairs, names: Sequence[str]) -> dict[str, Estimate]:
    return {
        name: _accuracy(right[labels == name], pairs.prompts[labels == name])
        for name in names
        if (labels == name).any()
    }
