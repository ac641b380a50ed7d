"""How far people agree beyond chance."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

Scale = Literal["nominal", "ordinal", "interval"]


def krippendorff_alpha(ratings: Sequence[Sequence[float | None]], scale: Scale) -> float:
    """Krippendorff's alpha: 1 = perfect agreement, 0 = chance, below 0 = worse than chance.

    `ratings[item][person]`; None where a person did not rate the item. Items with fewer than two ratings cannot
    disagree and are left out. nan where no item is left, or where only one value was ever used.

    alpha = 1 - (n - 1) sum_ck o_ck d_ck / sum_ck n_c n_k d_ck, o the coincidences within items, n_c the values' totals,
    d the squared distance on the scale (Krippendorff 2011, "Computing Krippendorff's Alpha-Reliability").
    """
    items = [[value for value in item if value is not None] for item in ratings]
    items = [item for item in items if len(item) >= 2]
    values = sorted({value for item in items for value in item})
    if len(values) < 2:
        return math.nan
    position = {value: index for index, value in enumerate(values)}
    coincidences = np.zeros((len(values), len(values)))
    for item in items:
        counts = np.bincount([position[value] for value in item], minlength=len(values))
        coincidences += (np.outer(counts, counts) - np.diag(counts)) / (len(item) - 1)
    totals = coincidences.sum(axis=1)
    distances = _squared_distances(np.asarray(values, dtype=np.float64), totals, scale)
    expected = float((np.outer(totals, totals) * distances).sum())
    return 1 - (float(totals.sum()) - 1) * float((coincidences * distances).sum()) / expected


def cohen_kappa(first: ArrayLike, second: ArrayLike) -> float:
    """Cohen's kappa of two people who put the same items into classes: 1 = perfect agreement, 0 = chance.

    kappa = (p_o - p_e) / (1 - p_e), p_o the share of items on which they agree, p_e = sum_k p_k q_k what their habits
    alone would give (Cohen 1960, eq. 1). nan where both always say the same one thing.
    """
    a, b = np.asarray(first), np.asarray(second)
    if a.ndim != 1 or a.shape != b.shape or not len(a):
        raise ValueError(f"expected two lists of the same length, at least 1: got shapes {a.shape} and {b.shape}")
    by_chance = float(sum((a == value).mean() * (b == value).mean() for value in np.union1d(a, b)))
    return math.nan if by_chance == 1 else (float((a == b).mean()) - by_chance) / (1 - by_chance)


def _squared_distances(values: NDArray[np.float64], totals: NDArray[np.float64], scale: Scale) -> NDArray[np.float64]:
    """Between all values: 0 or 1 (nominal), the ratings passed over, ends half (ordinal), the difference (interval)."""
    if scale == "nominal":
        return 1 - np.eye(len(values))
    places = values if scale == "interval" else np.cumsum(totals) - totals / 2
    return (places[:, None] - places[None, :]) ** 2
