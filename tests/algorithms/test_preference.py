"""Preference losses: InstructGPT's ranking loss, soft labels, margins, DPO."""

import math
from itertools import combinations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from plaudit.algorithms.preference import dpo_logits, ranking_loss, soft_label_cross_entropy
from plaudit.schemas.preference import Pair, pairs_from_ranks

LN2, LN3, LN4 = math.log(2), math.log(3), math.log(4)


def log_sigmoid(x: float) -> float:
    """log s(x) in plain floats."""
    return -math.log1p(math.exp(-x)) if x > 0 else x - math.log1p(math.exp(x))


def loss_of(scores: list[float] | Tensor, pairs: list[Pair] | tuple[Pair, ...], **settings: float) -> Tensor:
    """`ranking_loss` over records of pairs."""
    margins = settings.pop("margins", None)
    return ranking_loss(
        torch.as_tensor(scores),
        torch.tensor([pair.a for pair in pairs]),
        torch.tensor([pair.b for pair in pairs]),
        torch.tensor([pair.target for pair in pairs]),
        torch.tensor([pair.weight for pair in pairs]),
        margins=None if margins is None else torch.full((len(pairs),), margins),
        denominator=settings.pop("denominator", 1.0),
        **settings,
    )


@pytest.mark.parametrize(
    ("logit", "target", "smoothing", "expected"),
    [
        (0.0, 1.0, 0.0, LN2),
        (0.0, 0.3, 0.0, LN2),
        (LN3, 1.0, 0.0, LN4 - LN3),  # s = 3/4
        (LN3, 0.0, 0.0, LN4),
        (LN3, 0.5, 0.0, LN4 - LN3 / 2),  # a tie: half of each
        (LN3, 0.75, 0.0, LN4 - 0.75 * LN3),
        (LN3, 1.0, 0.1, LN4 - 0.9 * LN3),  # a tenth of the labels are swapped
        (LN3, 0.0, 0.1, LN4 - 0.1 * LN3),
        (LN3, 0.5, 0.1, LN4 - LN3 / 2),  # a tie stays one
        (LN3, 1.0, 0.5, LN4 - LN3 / 2),  # labels that say nothing
    ],
)
def test_soft_labels_worked_by_hand(logit: float, target: float, smoothing: float, expected: float) -> None:
    """With s(x) = 3/4: -log s = ln 4 - ln 3 and -log(1 - s) = ln 4."""
    found = soft_label_cross_entropy(torch.tensor([logit]), torch.tensor([target]), smoothing)
    assert found.item() == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize(
    ("logit", "target", "loss", "gradient"),
    [(100.0, 1.0, 0.0, 0.0), (-100.0, 1.0, 100.0, -1.0), (100.0, 0.0, 100.0, 1.0)],
)
def test_a_gap_of_a_hundred_stays_finite(logit: float, target: float, loss: float, gradient: float) -> None:
    """log(sigmoid(-100)) in two steps would be log 0."""
    x = torch.tensor([logit], requires_grad=True)
    found = soft_label_cross_entropy(x, torch.tensor([target]))
    found.sum().backward()
    assert x.grad is not None
    assert found.item() == pytest.approx(loss, abs=1e-6)
    assert x.grad.item() == pytest.approx(gradient, abs=1e-6)


@given(st.floats(-20, 20), st.floats(0, 1), st.floats(0, 0.5))
def test_the_gradient_is_the_predicted_minus_the_true_probability(logit: float, target: float, e: float) -> None:
    x = torch.tensor([logit], requires_grad=True)
    soft_label_cross_entropy(x, torch.tensor([target]), e).sum().backward()
    assert x.grad is not None
    expected = math.exp(log_sigmoid(logit)) - (target * (1 - e) + (1 - target) * e)
    assert x.grad.item() == pytest.approx(expected, abs=1e-5)


@given(st.floats(-20, 20), st.floats(0, 1), st.floats(0, 0.5))
def test_swapping_the_sides_of_a_pair_changes_nothing(logit: float, target: float, e: float) -> None:
    forth = soft_label_cross_entropy(torch.tensor([logit]), torch.tensor([target]), e)
    back = soft_label_cross_entropy(torch.tensor([-logit]), torch.tensor([1 - target]), e)
    assert forth.item() == pytest.approx(back.item(), rel=1e-5, abs=1e-5)


@given(st.lists(st.tuples(st.floats(-5, 5), st.integers(0, 3)), min_size=2, max_size=6))
def test_the_ranking_loss_is_instructgpts(answers: list[tuple[float, int]]) -> None:
    """-1 / C(K, 2) * sum over pairs of log s(r_better - r_worse), a tie counted half either way."""
    scores, ranks = [score for score, _ in answers], [rank for _, rank in answers]
    total = 0.0
    for i in range(len(answers)):
        for j in range(len(answers)):
            if ranks[i] < ranks[j]:
                total -= log_sigmoid(scores[i] - scores[j])
            elif ranks[i] == ranks[j] and i < j:
                gap = scores[i] - scores[j]
                total -= 0.5 * log_sigmoid(gap) + 0.5 * log_sigmoid(-gap)
    total /= math.comb(len(answers), 2)
    found = loss_of(scores, pairs_from_ranks(ranks, 1.0))
    assert found.item() == pytest.approx(total, rel=1e-4, abs=1e-5)


def test_prompts_with_more_answers_weigh_no_more() -> None:
    """Three answers and two answers, all scores equal: each prompt's loss is ln 2, and so is their mean."""
    first = pairs_from_ranks([0, 1, 2], 1.0)
    second = tuple(pair.model_copy(update={"a": pair.a + 3, "b": pair.b + 3}) for pair in pairs_from_ranks([1, 0], 1.0))
    assert loss_of([0.0] * 5, first + second, denominator=2.0).item() == pytest.approx(LN2)


def test_weights_and_denominator() -> None:
    """Weights 3 and 1 on losses ln 4 - ln 3 and ln 4, over 8."""
    pairs = [Pair(a=0, b=1, target=1.0, weight=3.0), Pair(a=0, b=1, target=0.0, weight=1.0)]
    found = loss_of([LN3, 0.0], pairs, denominator=8.0)
    assert found.item() == pytest.approx((3 * (LN4 - LN3) + LN4) / 8, abs=1e-6)


@pytest.mark.parametrize(
    ("target", "expected"),
    [
        (1.0, -log_sigmoid(LN3 - 0.5)),  # the winner must lead by the margin
        (0.0, -log_sigmoid(-LN3 - 0.5)),  # whichever side it is
        (0.5, -0.5 * (log_sigmoid(LN3) + log_sigmoid(-LN3))),  # a tie has no leader
    ],
)
def test_a_margin_is_asked_of_the_preferred_side(target: float, expected: float) -> None:
    pair = Pair(a=0, b=1, target=target)
    assert loss_of([LN3, 0.0], [pair], margins=0.5).item() == pytest.approx(expected, abs=1e-6)
    assert loss_of([LN3, 0.0], [pair], margins=0.0).item() == pytest.approx(loss_of([LN3, 0.0], [pair]).item())


def test_smoothing_reaches_every_pair() -> None:
    pair = Pair(a=0, b=1, target=1.0)
    assert loss_of([LN3, 0.0], [pair], label_smoothing=0.1).item() == pytest.approx(LN4 - 0.9 * LN3, abs=1e-6)


@given(st.integers(0, 2**32 - 1), st.integers(2, 6))
def test_a_step_down_the_loss_parts_winner_and_loser(seed: int, num: int) -> None:
    """The gradient pushes the best answer up and the worst down, and moves no common offset."""
    scores = torch.randn(num, generator=torch.Generator().manual_seed(seed), requires_grad=True)
    loss_of(scores, pairs_from_ranks(list(range(num)), 1.0)).backward()
    assert scores.grad is not None
    assert scores.grad[0] < 0 < scores.grad[-1]
    assert scores.grad.sum().item() == pytest.approx(0.0, abs=1e-6)


@given(st.integers(0, 2**32 - 1), st.integers(1, 5))
def test_shards_of_pairs_add_up_to_the_whole(seed: int, size: int) -> None:
    scores = torch.randn(5, generator=torch.Generator().manual_seed(seed))
    pairs = [Pair(a=i, b=j, target=(i + j) % 3 / 2, weight=1.0 + i) for i, j in combinations(range(5), 2)]
    weight = sum(pair.weight for pair in pairs)
    parts = [loss_of(scores, pairs[i : i + size], denominator=weight) for i in range(0, len(pairs), size)]
    whole = loss_of(scores, pairs, denominator=weight)
    assert sum(part.item() for part in parts) == pytest.approx(whole.item(), rel=1e-5)


def test_dpo_worked_by_hand() -> None:
    """a gained 2 nats over the reference, b lost 1: log-odds 0.1 * 3, and log s(0.3) follows."""
    logits = dpo_logits(
        torch.tensor([-10.0]), torch.tensor([-11.0]), torch.tensor([-12.0]), torch.tensor([-10.0]), beta=0.1
    )
    assert logits.item() == pytest.approx(0.3)
    loss = soft_label_cross_entropy(logits, torch.tensor([1.0]))
    assert loss.item() == pytest.approx(math.log1p(math.exp(-0.3)), abs=1e-6)


def test_dpo_starts_at_even_odds_and_raises_the_better_answer() -> None:
    a, b = torch.tensor([-10.0], requires_grad=True), torch.tensor([-12.0], requires_grad=True)
    logits = dpo_logits(a, b, a.detach(), b.detach(), beta=0.1)
    assert logits.item() == 0
    soft_label_cross_entropy(logits, torch.tensor([1.0])).sum().backward()
    assert a.grad is not None
    assert b.grad is not None
    assert (a.grad.item(), b.grad.item()) == pytest.approx((-0.05, 0.05))
