"""Labels and people's habits from many people's labels of the same items, with nothing else to go by."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import logsumexp

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

_MAX_ROUNDS, _ROUNDING = 500, 1e-8


@dataclass(frozen=True, slots=True)
class Habits:
    """`posterior` [I, C] is each item's chance of each class, `confusion` [J, C, C] each person's P(says k | is c).

    `prior` [C] is how common the classes are.
    """

    posterior: Floats
    confusion: Floats
    prior: Floats


def dawid_skene(
    items: ArrayLike,
    people: ArrayLike,
    labels: ArrayLike,
    num_classes: int,
    *,
    right: float = 2.0,
    wrong: float = 1.0,
) -> Habits:
    """The classes of I items and the habits of J people, from labels given one by one: `items`, `people`, `labels` [N].

    Expectation-maximisation (Dawid and Skene 1979, eqs. 2.3 to 2.5), started from the shares of votes. Each row of a
    person's confusion has a Dirichlet prior of `right` counts for the right class and `wrong` spread over the others, so that a
    person with few labels is taken for a little better than chance rather than for perfect. Items and people are numbered
    from 0. Raises ValueError for labels outside 0..C-1, and for nothing to go by.
    """
    item, person, label = (np.asarray(x, np.int64) for x in (items, people, labels))
    if not (item.shape == person.shape == label.shape and item.ndim == 1 and len(item)):
        raise ValueError(f"expected three lists of one length above 0: got {item.shape}, {person.shape}, {label.shape}")
    if num_classes < 2 or label.min() < 0 or label.max() >= num_classes:
        raise ValueError(f"labels must lie in 0..{num_classes - 1} and there be two classes, got {np.unique(label)}")
    if not (right > 0 and wrong > 0):
        raise ValueError(f"the prior's counts must be above 0, got right = {right}, wrong = {wrong}")
    num_items, num_people = int(item.max()) + 1, int(person.max()) + 1
    posterior = np.zeros((num_items, num_classes))
    np.add.at(posterior, (item, label), 1.0)
    posterior = (posterior + 1 / num_classes) / (posterior.sum(1, keepdims=True) + 1)
    counts = np.full((num_classes, num_classes), wrong / (num_classes - 1))
    np.fill_diagonal(counts, right)
    for _ in range(_MAX_ROUNDS):
        confusion = np.tile(counts, (num_people, 1, 1))
        np.add.at(confusion.transpose(0, 2, 1), (person, label), posterior[item])
        confusion /= confusion.sum(-1, keepdims=True)
        prior = (posterior.sum(0) + 1) / (num_items + num_classes)
        scores = np.tile(np.log(prior), (num_items, 1))
        np.add.at(scores, item, np.log(confusion)[person, :, label])
        found = np.exp(scores - logsumexp(scores, axis=1, keepdims=True))
        moved, posterior = float(np.abs(found - posterior).max()), found
        if moved < _ROUNDING:
            break
    return Habits(posterior, confusion, prior)
