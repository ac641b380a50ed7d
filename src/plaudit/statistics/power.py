"""How many judgements does a study need? Sample sizes by the normal and the exact distribution, clustered by prompt."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.special import ndtr, ndtri
from scipy.stats import binom, nct
from scipy.stats import t as student

_MAX_NUM = 10_000_000
_NEARLY_ALL = 1e-9


@dataclass(frozen=True, kw_only=True, slots=True)
class Clustering:
    """How judgements hang together. Each prompt has `pairs_per_prompt` pairs, each pair `people_per_pair` people.

    `pair_correlation` is that of two people's verdicts on one pair, `prompt_correlation` that of verdicts on two pairs of
    one prompt.
    """

    pairs_per_prompt: int = 1
    people_per_pair: int = 1
    pair_correlation: float = 0.0
    prompt_correlation: float = 0.0

    def __post_init__(self) -> None:
        if self.pairs_per_prompt < 1 or self.people_per_pair < 1:
            raise ValueError("a prompt has at least one pair, and a pair at least one person")
        if not 0 <= self.prompt_correlation <= self.pair_correlation <= 1:
            raise ValueError(
                "two people on one pair agree at least as much as on two pairs of one prompt: expected 0 <= "
                f"prompt_correlation <= pair_correlation <= 1, got {self.prompt_correlation} and {self.pair_correlation}"
            )

    @property
    def per_prompt(self) -> int:
        """Judgements of one prompt."""
        return self.pairs_per_prompt * self.people_per_pair

    @property
    def design_effect(self) -> float:
        """By how much the variance of a mean exceeds that of as many independent judgements.

        1 + (k - 1) rho_pair + (q - 1) k rho_prompt with k people a pair and q pairs a prompt; for q = 1 it is Kish's
        1 + (k - 1) rho (Kish 1965, section 5.4).
        """
        k, q = self.people_per_pair, self.pairs_per_prompt
        return 1 + (k - 1) * self.pair_correlation + (q - 1) * k * self.prompt_correlation


def verdict_variance(win_rate: float, tie_frac: float) -> float:
    """The variance of a verdict (1 win, 0.5 tie, 0 loss) of that mean: p (1 - p) - t / 4, t the share of ties.

    Raises ValueError where so many ties leave no room for that mean.
    """
    if not 0 <= tie_frac < 1 or not tie_frac / 2 <= win_rate <= 1 - tie_frac / 2:
        raise ValueError(
            f"with {tie_frac:g} of ties the win rate lies between {tie_frac / 2:g} and {1 - tie_frac / 2:g}, not at "
            f"{win_rate:g}"
        )
    return win_rate * (1 - win_rate) - tie_frac / 4


def win_rate_power(
    num: int, margin: float, *, tie_frac: float = 0.0, alpha: float = 0.05, effect: float = 1.0
) -> float:
    """P(the two-sided test at `alpha` says that the win rate is not 0.5), where it is 0.5 + margin, by the normal law.

    `num` judgements of design effect `effect`. Phi((margin sqrt(num / effect) - z sd_0) / sd_1) and the other tail, sd_0
    and sd_1 the standard deviations of a verdict at 0.5 and at 0.5 + margin.
    """
    _check(alpha)
    null = math.sqrt(verdict_variance(0.5, tie_frac))
    other = math.sqrt(verdict_variance(0.5 + margin, tie_frac))
    z, shift = float(ndtri(1 - alpha / 2)), abs(margin) * math.sqrt(num / effect)
    if other == 0:
        return float(shift > z * null)
    return float(ndtr((shift - z * null) / other) + ndtr((-shift - z * null) / other))


def exact_win_rate_power(num: int, margin: float, *, tie_frac: float = 0.0, alpha: float = 0.05) -> float:
    """The power of the exact two-sided sign test on `num` independent verdicts, ties left out.

    sum_m P(m verdicts are no ties) P(the smaller side of m has at most c_m), c_m the largest count with
    2 P(X <= c_m) <= alpha for X binomial(m, 1/2).
    """
    _check(alpha)
    verdict_variance(0.5 + margin, tie_frac)
    low, high = binom.ppf([_NEARLY_ALL, 1 - _NEARLY_ALL], num, 1 - tie_frac).astype(int)
    strict = np.arange(low, high + 1)
    critical = binom.ppf(alpha / 2, strict, 0.5)
    critical = np.where(2 * binom.cdf(critical, strict, 0.5) <= alpha, critical, critical - 1)
    win = (0.5 + margin - tie_frac / 2) / (1 - tie_frac)
    rejected = binom.cdf(critical, strict, win) + binom.cdf(critical, strict, 1 - win)
    return float((binom.pmf(strict, num, 1 - tie_frac) * rejected).sum())


def judgements_for_win_rate(
    margin: float, *, power: float = 0.8, alpha: float = 0.05, tie_frac: float = 0.0, effect: float = 1.0
) -> int:
    """The fewest judgements with that power by the normal law: effect ((z_a sd_0 + z_b sd_1) / margin)^2, rounded up."""
    _check(alpha, power)
    _check_margin(margin)
    null = math.sqrt(verdict_variance(0.5, tie_frac))
    other = math.sqrt(verdict_variance(0.5 + margin, tie_frac))
    z_a, z_b = float(ndtri(1 - alpha / 2)), float(ndtri(power))
    return math.ceil(effect * ((z_a * null + z_b * other) / margin) ** 2)


def exact_judgements_for_win_rate(
    margin: float, *, power: float = 0.8, alpha: float = 0.05, tie_frac: float = 0.0, effect: float = 1.0
) -> int:
    """The fewest judgements from which on the exact sign test has that power, times the design effect.

    The exact power goes up and down by single steps of the counts; the number given is one that no larger one of the
    next steps falls short of.
    """
    near = judgements_for_win_rate(margin, power=power, alpha=alpha, tie_frac=tie_frac)

    def enough(num: int) -> bool:
        return exact_win_rate_power(num, margin, tie_frac=tie_frac, alpha=alpha) >= power

    # From above downwards: the last number that falls short is just below the answer.
    num = max(8, math.ceil(1.3 * near) + 20)
    while not enough(num):
        num = math.ceil(1.3 * num)
    while num > 1 and enough(num - 1):
        num -= 1
    return math.ceil(effect * num)


def mean_difference_power(num: int, difference: float, deviation: float, *, alpha: float = 0.05) -> float:
    """P(Student's two-sided test says that the mean of `num` differences is not 0), by the noncentral t distribution.

    `deviation` is the standard deviation of one difference.
    """
    _check(alpha)
    if num < 2:
        return 0.0
    critical, shift = student.ppf(1 - alpha / 2, num - 1), abs(difference) / deviation * math.sqrt(num)
    return float(nct.sf(critical, num - 1, shift) + nct.cdf(-critical, num - 1, shift))


def paired_deviation(deviation: float, correlation: float) -> float:
    """The standard deviation of the difference of two ratings: sd sqrt(2 (1 - rho)), rho between one person's two."""
    if not deviation > 0 or not -1 <= correlation < 1:
        raise ValueError(
            f"expected a deviation above 0 and a correlation in [-1, 1), got {deviation} and {correlation}"
        )
    return deviation * math.sqrt(2 * (1 - correlation))


def judgements_for_mean_difference(
    difference: float, deviation: float, *, power: float = 0.8, alpha: float = 0.05, effect: float = 1.0
) -> int:
    """The fewest paired ratings whose mean difference is told from 0 with that power, times the design effect."""
    _check(alpha, power)
    _check_margin(difference)
    if not deviation > 0:
        raise ValueError(f"deviation must be above 0, got {deviation}")
    return math.ceil(
        effect * _fewest(lambda num: mean_difference_power(num, difference, deviation, alpha=alpha) >= power)
    )


def _fewest(enough: Callable[[int], bool]) -> int:
    """The smallest number that is enough, where every larger one is too."""
    low, high = 1, 2
    while not enough(high):
        low, high = high, 2 * high
        if high > _MAX_NUM:
            raise ValueError(f"more than {_MAX_NUM} judgements: choose a larger margin")
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if enough(middle) else (middle, high)
    return high


def _check(alpha: float, power: float = 0.5) -> None:
    if not 0 < alpha < 1 or not 0 < power < 1 or power <= alpha / 2:
        raise ValueError(f"alpha and power are fractions such as 0.05 and 0.8, got {alpha} and {power}")


def _check_margin(margin: float) -> None:
    if not margin > 0:
        raise ValueError(f"the margin that a study should find is above 0, got {margin}")
