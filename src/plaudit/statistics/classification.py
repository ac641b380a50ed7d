"""How good a yes-or-no prediction is: precision, recall, F1, accuracy, calibration, area under the ROC curve."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.stats import rankdata


@dataclass(frozen=True, slots=True)
class Classification:
    """nan where nothing could be counted: precision with no positive prediction, recall with no positive item."""

    precision: float
    recall: float
    f1: float
    accuracy: float
    n: int


@dataclass(frozen=True, slots=True)
class ReliabilityBin:
    """The predictions of one range: their mean, how often the outcome came true, and how many there were."""

    mean_predicted: float
    observed: float
    count: int


def classify(predicted: ArrayLike, actual: ArrayLike) -> Classification:
    """Precision, recall, F1 of the positive class, and accuracy.

    precision = TP / (TP + FP), recall = TP / (TP + FN), F1 = 2 TP / (2 TP + FP + FN), accuracy = right / all.
    """
    said, true = np.asarray(predicted, dtype=bool), np.asarray(actual, dtype=bool)
    _check_same_length(said, true)
    hits, num_said, num_true = int((said & true).sum()), int(said.sum()), int(true.sum())
    return Classification(
        precision=_ratio(hits, num_said),
        recall=_ratio(hits, num_true),
        f1=_ratio(2 * hits, num_said + num_true),
        accuracy=float((said == true).mean()),
        n=len(said),
    )


def reliability_bins(probabilities: ArrayLike, outcomes: ArrayLike, num_bins: int = 10) -> tuple[ReliabilityBin, ...]:
    """The bins of a reliability plot, lowest first, empty ones left out.

    Bins are equally wide; a probability on a border belongs to the upper bin, 1 to the last. An outcome is 0 or 1, or a
    soft label in between.
    """
    predicted, happened = np.asarray(probabilities, dtype=np.float64), np.asarray(outcomes, dtype=np.float64)
    _check_same_length(predicted, happened)
    if num_bins < 1:
        raise ValueError(f"num_bins must be at least 1, got {num_bins}")
    for name, values in (("probabilities", predicted), ("outcomes", happened)):
        if not ((values >= 0) & (values <= 1)).all():
            raise ValueError(f"{name} must lie in [0, 1]")
    bins = np.minimum((predicted * num_bins).astype(int), num_bins - 1)
    return tuple(
        ReliabilityBin(float(predicted[bins == index].mean()), float(happened[bins == index].mean()), int(count))
        for index, count in enumerate(np.bincount(bins))
        if count
    )


def expected_calibration_error(probabilities: ArrayLike, outcomes: ArrayLike, num_bins: int = 10) -> float:
    """The mean of |predicted - observed| over `reliability_bins`, weighted by count (Naeini et al. 2015)."""
    bins = reliability_bins(probabilities, outcomes, num_bins)
    total = sum(part.count for part in bins)
    return sum(part.count * abs(part.mean_predicted - part.observed) for part in bins) / total


def auroc(scores: ArrayLike, outcomes: ArrayLike) -> float:
    """P(a positive item scores above a negative one), ties half: Mann and Whitney's U over the number of such pairs.

    nan where all items are of one class.
    """
    values, positive = np.asarray(scores, dtype=np.float64), np.asarray(outcomes, dtype=bool)
    _check_same_length(values, positive)
    if np.isnan(values).any():
        raise ValueError("scores hold nan")
    num_positive = int(positive.sum())
    num_pairs = num_positive * (len(positive) - num_positive)
    rank_sum = float(rankdata(values)[positive].sum())
    return _ratio(rank_sum - num_positive * (num_positive + 1) / 2, num_pairs)


def _ratio(part: float, whole: float) -> float:
    return part / whole if whole else math.nan


def _check_same_length(a: NDArray[np.generic], b: NDArray[np.generic]) -> None:
    if a.ndim != 1 or a.shape != b.shape or not len(a):
        raise ValueError(f"expected two lists of the same length, at least 1: got shapes {a.shape} and {b.shape}")
