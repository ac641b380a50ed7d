"""The guard against a sampler and a learner that disagree."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from plaudit.models.load import load_codec
from plaudit.rollout import sampler as sampler_module
from plaudit.schemas.errors import PlauditError
from plaudit.trainers.guards import KLGuard
from plaudit.trainers.ppo import PPO
from tests.trainers.toy import QUESTIONS, experience, fast, new_ppo, rows_of

# Mean -1, deviation 1 / sqrt(3), standard error 0.29: 3.5 errors below zero. Then a tenth of that error.
NEAR = torch.tensor([-1.5, -1.5, -0.5, -0.5])
FAR = torch.tensor([-1.05, -1.05, -0.95, -0.95])


def test_two_bad_batches_in_a_row_end_the_run() -> None:
    guard = KLGuard()
    guard.check(FAR)
    with pytest.raises(PlauditError, match=r"mean KL is -1\.000 .* error of 0\.029.*distributions differ.*top-k"):
        guard.check(FAR)


def test_a_good_batch_between_two_bad_ones_clears_the_first() -> None:
    guard = KLGuard()
    for kl in (FAR, -FAR, FAR, NEAR, FAR):
        guard.check(kl)


@pytest.mark.parametrize(
    "kl",
    [
        NEAR,  # not significantly below zero
        torch.tensor([-0.04, -0.04, -0.04]),  # not far below zero: rounding noise has no error of its own
        torch.tensor([5.0, 6.0]),  # far above
        torch.tensor([-3.0]),  # one answer has no standard error
    ],
)
def test_what_chance_or_rounding_explains_is_let_pass(kl: Tensor) -> None:
    guard = KLGuard()
    for _ in range(5):
        guard.check(kl)


def test_answers_all_alike_are_no_error_of_arithmetic() -> None:
    guard = KLGuard()
    guard.check(torch.tensor([-1.0, -1.0]))
    with pytest.raises(PlauditError, match="with a standard error of 0"):
        guard.check(torch.tensor([-1.0, -1.0]))


@given(st.lists(st.floats(-5, 5, width=32), min_size=2, max_size=40))
def test_the_threshold_is_four_standard_errors(values: list[float]) -> None:
    num = len(values)
    mean = sum(values) / num
    error = (sum((x - mean) ** 2 for x in values) / (num - 1)) ** 0.5 / num**0.5
    if abs(mean + 4 * error) < 1e-3 or abs(mean + 0.05) < 1e-3:
        return  # too near the edge for float32
    guard = KLGuard()
    guard.check(torch.tensor(values))
    assert guard.state() == {"was_low": mean < -4 * error and mean < -0.05}


def test_its_memory_survives_a_resumption() -> None:
    first, second = KLGuard(), KLGuard()
    first.check(FAR)
    second.load_state(first.state())
    with pytest.raises(PlauditError):
        second.check(FAR)
    third = KLGuard()
    third.load_state(KLGuard().state())
    third.check(FAR)


def without_e(monkeypatch: pytest.MonkeyPatch, start: str) -> None:
    """A sampler with altered logits: it never draws an e, yet reports the unaltered probabilities."""
    e = load_codec(start).tokenizer.convert_tokens_to_ids("e")
    real = sampler_module.drawn

    def altered(logprobs: Tensor, uniforms: Tensor, **settings: float) -> Tensor:
        logprobs = logprobs.clone()
        logprobs[:, e] = -torch.inf
        return real(logprobs, uniforms, **settings)  # type: ignore[arg-type]

    monkeypatch.setattr(sampler_module, "drawn", altered)


def taught_to_write_es(ppo: PPO) -> None:
    """As after long training for them."""
    rows = rows_of(ppo.actor.codec, *((question, "eeeeeee") for question in QUESTIONS))
    optimiser = torch.optim.Adam([parameter for _, parameter in ppo.policy.trained_parameters()], lr=1e-2)
    for _ in range(40):
        optimiser.zero_grad()
        ppo.policy(rows).logprobs.mean().neg().backward()
        optimiser.step()
    optimiser.zero_grad()


def test_a_sampler_with_altered_logits_is_found_out(start: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The policy has learnt to write e's; a sampler that bans them shows only what has become less likely."""
    ppo = new_ppo(start, optimiser=fast(1e-9), experience=experience(answers_per_prompt=64))
    taught_to_write_es(ppo)
    _, metrics = ppo.step(0)
    assert metrics["kl/k1"] > 0.5  # with an honest sampler all is well
    without_e(monkeypatch, start)
    _, metrics = ppo.step(1)
    assert metrics["kl/k1"] < -0.3
    with pytest.raises(PlauditError, match="sampler's and the learner's distributions differ"):
        ppo.step(2)


def test_before_the_policy_has_moved_nothing_stops_it(start: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Policy and reference are still one: what is left is rounding."""
    without_e(monkeypatch, start)
    ppo = new_ppo(start, num_steps=4, optimiser=fast(1e-9))
    for step in range(4):
        _, metrics = ppo.step(step)
        assert abs(metrics["kl/k1"]) < 1e-4
