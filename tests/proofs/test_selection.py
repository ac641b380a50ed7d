"""Choosing what to ask from a fixed pile is never worse than asking at random. A minute or two, so `make prove` runs it.

Held-out accuracy above that of random choice, in points, over forty worlds: the mean over the second to the eighth batch of
twenty labels, and at the last, with their standard errors.

                 disagreement               thompson
    linear       2.1 +- 0.5   3.0 +- 0.5    1.8 +- 0.5   2.2 +- 0.5
    outliers     3.8 +- 0.5   3.1 +- 0.5    3.0 +- 0.5   2.0 +- 0.6
    bent         0.8 +- 0.5   1.5 +- 0.4    1.0 +- 0.3   1.1 +- 0.4
    noisy        2.4 +- 0.7   3.5 +- 0.6    1.4 +- 0.8   2.4 +- 0.7
"""

import pytest

from plaudit.statistics.intervals import bootstrap_interval
from tests.quality.static_pile import WORLDS, gains

pytestmark = pytest.mark.prove


@pytest.mark.parametrize("kind", WORLDS)
def test_no_strategy_is_worse_than_chance_on_a_static_pile(kind: str) -> None:
    """Over forty worlds, 95 % intervals: over all batches surely not half a point worse, at the last surely better, and at
    none surely worse."""
    for strategy, found in gains(kind, range(40)).items():
        later = found[:, 1:]
        assert bootstrap_interval(later.mean(axis=1)).low > -0.005, (kind, strategy)
        assert bootstrap_interval(later[:, -1]).low > 0, (kind, strategy)
        assert all(bootstrap_interval(batch).high > 0 for batch in later.T), (kind, strategy)
