"""Win rates: ties half, prompts resampled, lengths matched in whole numbers."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from plaudit.statistics.winrate import Answers, length_matched_pairs, length_matched_win_rate, win_rate, win_value

ANSWERS = st.lists(st.tuples(st.integers(0, 60), st.sampled_from([0.0, 0.5, 1.0])), max_size=5).map(
    lambda pairs: Answers([length for length, _ in pairs], [utility for _, utility in pairs])
)


def test_a_tie_is_half_a_win() -> None:
    assert [win_value(2, 1), win_value(1, 2), win_value(1, 1)] == [1.0, 0.0, 0.5]
    assert win_value(math.inf, math.inf) == 0.5
    with pytest.raises(ValueError, match="nan"):
        win_value(1.0, math.nan)


def test_the_win_rate_of_four_answers() -> None:
    found = win_rate([1, 0.5, 0, 1], ["p", "p", "q", "q"], level=0.75, num_resamples=1001)
    # prompt p has 3/4, prompt q 1/2: resamples pp, pq, qp, qq have means 3/4, 5/8, 5/8, 1/2
    assert (found.value, found.low, found.high, found.n) == (0.625, 0.5, 0.75, 4)


def test_swapping_the_sides_mirrors_the_estimate() -> None:
    rng = np.random.default_rng(0)
    wins, prompts = rng.choice([0, 0.5, 1], size=120), np.arange(120) // 4
    found, mirrored = win_rate(wins, prompts), win_rate(1 - wins, prompts)
    assert mirrored.value == pytest.approx(1 - found.value, abs=1e-12)
    assert (mirrored.low, mirrored.high) == pytest.approx((1 - found.high, 1 - found.low), abs=1e-12)


def test_coverage_with_four_answers_a_prompt() -> None:
    """1,000 evaluations of 64 prompts whose own win probabilities differ: the interval holds the mean 0.6."""
    rng, held = np.random.default_rng(3), 0
    prompts = np.repeat(np.arange(64), 4)
    for trial in range(1000):
        wins = rng.random(256) < rng.beta(1.2, 0.8, size=64)[prompts]
        found = win_rate(wins, prompts, num_resamples=300, seed=trial)
        held += found.low <= 0.6 <= found.high
    assert 0.93 <= held / 1000 <= 0.97


@pytest.mark.parametrize("wins", [[2.0, 0.0], [-0.5, 1.0], [math.nan, 1.0]])
def test_scores_are_not_wins(wins: list[float]) -> None:
    with pytest.raises(ValueError, match="a win is 1"):
        win_rate(wins, [0, 1])


def test_pairs_within_ten_percent_of_the_longer_worked_by_hand() -> None:
    a = Answers([27, 30, 100], [1.0, 2.0, 3.0])
    b = Answers([30, 33, 26, 90, 89], [2.0, 1.0, 1.0, 9.0, 0.0])
    # 27: 30 (3 of 30) loses, 33 (6 of 33) is too far, 26 (1 of 27) ties.
    # 30: 30 ties, 33 (3 of 33) wins, 26 (4 of 30) is too far.
    # 100: 90 (10 of 100) loses, 89 (11 of 100) is too far.
    assert length_matched_pairs(a, b) == [0.0, 0.5, 0.5, 1.0, 0.0]
    assert length_matched_pairs(Answers([0], [1.0]), Answers([0, 1], [0.0, 0.0])) == [1.0]


@given(st.integers(1, 100_000), st.integers(1, 50))
def test_the_border_itself_counts_whatever_its_size(tens: int, percent: int) -> None:
    shorter = Answers([tens * (100 - percent)], [0.0])
    longer, too_long = Answers([tens * 100], [0.0]), Answers([tens * 100 + 1], [0.0])
    assert length_matched_pairs(shorter, longer, percent) == [0.5]
    assert length_matched_pairs(shorter, too_long, percent) == []


@given(ANSWERS, ANSWERS)
def test_the_other_side_sees_the_same_pairs_mirrored(a: Answers, b: Answers) -> None:
    assert sorted(length_matched_pairs(b, a)) == sorted(1 - win for win in length_matched_pairs(a, b))


def test_under_a_hundred_pairs_nothing_was_measured() -> None:
    """Four by four answers of one length are 16 pairs a prompt; 6 prompts give 96, the seventh's 2 by 2 the hundred."""
    four, two = Answers([9] * 4, [1.0, 1.0, 0.0, 0.0]), Answers([9] * 2, [1.0, 1.0])
    worst = Answers([9] * 4, [-1.0] * 4)
    assert length_matched_win_rate([four] * 6, [worst] * 6) is None
    found = length_matched_win_rate([*[four] * 6, two], [*[worst] * 6, Answers([9] * 2, [-1.0] * 2)])
    assert found is not None
    assert (found.value, found.low, found.high, found.n) == (1.0, 1.0, 1.0, 100)


def test_every_pair_counts_once_and_prompts_are_resampled() -> None:
    """Prompt one: 64 pairs won; prompt two: 36 lost; a third matches nothing and has no say."""
    win, lose = Answers([10] * 8, [1.0] * 8), Answers([10] * 6, [-1.0] * 6)
    even_8, even_6 = Answers([10] * 8, [0.0] * 8), Answers([10] * 6, [0.0] * 6)
    found = length_matched_win_rate(
        [win, lose, Answers([10], [1.0])], [even_8, even_6, Answers([50], [0.0])], level=0.75, num_resamples=1001
    )
    assert found is not None
    assert (found.value, found.low, found.high, found.n) == (0.64, 0.0, 1.0, 100)


def test_a_longer_model_that_is_no_better_gets_half() -> None:
    """Utility grows with length and with nothing else: the plain rate says 1, the matched rate about a half."""
    rng = np.random.default_rng(0)
    a, b = [], []
    for _ in range(200):
        long, short = rng.integers(90, 131, size=4), rng.integers(70, 111, size=4)
        a.append(Answers(long.tolist(), (long + rng.normal(scale=30, size=4)).tolist()))
        b.append(Answers(short.tolist(), (short + rng.normal(scale=30, size=4)).tolist()))
    plain = np.mean([x > y for left, right in zip(a, b, strict=True) for x in left.utilities for y in right.utilities])
    found = length_matched_win_rate(a, b)
    assert found is not None
    assert plain > 0.65
    assert 0.5 <= found.value < 0.56


def test_rows_that_do_not_belong_together_are_refused() -> None:
    with pytest.raises(ValueError, match="one utility an answer"):
        Answers([1, 2], [0.0])
    with pytest.raises(ValueError, match="zip"):
        length_matched_win_rate([Answers([], [])], [])
