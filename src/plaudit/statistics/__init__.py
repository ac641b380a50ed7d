"""How sure can we be of a number? Intervals, tests, win rates, classification and agreement.

Invariant: every estimate comes with its interval or says that it was not measured (None or nan); answers to one prompt
are never counted as independent. Takes arrays, gives numbers, raises ValueError; no torch, no other room.
"""

from plaudit.statistics.classification import Classification, auroc, classify, expected_calibration_error
from plaudit.statistics.intervals import Estimate, bootstrap_interval, paired_difference, wilson_interval
from plaudit.statistics.winrate import length_matched_win_rate, win_rate

__all__ = [
    "Classification",
    "Estimate",
    "auroc",
    "bootstrap_interval",
    "classify",
    "expected_calibration_error",
    "length_matched_win_rate",
    "paired_difference",
    "wilson_interval",
    "win_rate",
]
