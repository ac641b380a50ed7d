"""The language-modelling term on demonstrations."""

import math

import pytest
import torch
from torch import Tensor
from transformers import AutoModelForCausalLM

from plaudit.models.load import load_causal_lm, load_codec
from plaudit.models.policy import PolicyModel
from plaudit.schemas.conversation import assistant, user
from plaudit.schemas.feedback import Demonstration
from plaudit.trainers.memory import Portions
from plaudit.trainers.ptx import PTX
from tests.trainers.toy import ALL, LORA, UPPER, new_ppo, rows_of, snapshot

PAIRS = [("hi", "abc"), ("what?", "e"), ("why", "dd dd"), ("go on", ""), ("tell me", "eeeeee")]


def ptx_of(
    start: str, train: object = UPPER, weights: tuple[float, ...] = (1.0,) * 5, **changes: int
) -> tuple[PolicyModel, PTX]:
    policy = PolicyModel(load_causal_lm(start), train)  # type: ignore[arg-type]
    settings = {
        "coef": 3.0,
        "batch_size": 5,
        "portions": Portions(changes.pop("micro_batch_size", 2)),
        "seed": 0,
        **changes,
    }
    return policy, PTX(policy, rows_of(load_codec(start), *PAIRS), torch.tensor(weights), **settings)  # type: ignore[arg-type]


def slow_nll(start: str, weights: tuple[float, ...] = (1.0,) * 5) -> tuple[float, dict[str, Tensor]]:
    """Mean negative log-likelihood of the answers' tokens by plain transformers, a row at a time, and its gradient."""
    model = AutoModelForCausalLM.from_pretrained(start)
    codec = load_codec(start)
    total, num = torch.zeros(()), 0.0
    for pair, weight in zip(PAIRS, weights, strict=True):
        rows = rows_of(codec, pair)
        logprobs = torch.log_softmax(model(input_ids=rows.token_ids).logits[0], -1)
        for t in rows.answer_mask[0].nonzero().flatten().tolist():
            total = total - weight * logprobs[t - 1, rows.token_ids[0, t]]
            num += weight
    (total / num).backward()
    return float(total.detach()) / num, {name: p.grad for name, p in model.named_parameters() if p.grad is not None}


@pytest.mark.parametrize("train", [ALL, UPPER], ids=["all", "upper"])
@pytest.mark.parametrize("weights", [(1.0,) * 5, (0.5, 3.0, 1.0, 0.25, 2.0)])
def test_its_gradient_is_added_to_what_is_there(start: str, train: object, weights: tuple[float, ...]) -> None:
    """coef times that of the weighted mean over the answers' tokens, stop tokens included; both norms are reported."""
    policy, ptx = ptx_of(start, train, weights)
    before = {}
    generator = torch.Generator().manual_seed(0)
    for name, parameter in policy.trained_parameters():
        before[name] = torch.randn(parameter.shape, generator=generator)
        parameter.grad = before[name].clone()
    found = ptx.backward(0)
    loss, gradient = slow_nll(start, weights)
    for name, parameter in policy.trained_parameters():
        assert parameter.grad is not None
        assert torch.allclose(parameter.grad - before[name], 3.0 * gradient[name], atol=1e-4), name
    assert found["loss/ptx"] == pytest.approx(loss, abs=1e-5)
    ours = [name for name, _ in policy.trained_parameters()]
    norm = math.sqrt(sum(float((3.0 * gradient[name]).pow(2).sum()) for name in ours))
    assert found["grad_norm/ptx"] == pytest.approx(norm, rel=1e-4)
    norm = math.sqrt(sum(float(x.pow(2).sum()) for x in before.values()))
    assert found["grad_norm/ppo"] == pytest.approx(norm, rel=1e-4)


@pytest.mark.parametrize("train", [ALL, UPPER, LORA], ids=["all", "upper", "lora"])
def test_alone_it_is_the_whole_gradient_and_descending_it_learns(start: str, train: object) -> None:
    policy, ptx = ptx_of(start, train)
    losses = []
    for update in range(5):
        numbers = ptx.backward(update)
        assert numbers["grad_norm/ppo"] == 0
        losses.append(numbers["loss/ptx"])
        with torch.no_grad():
            for _, parameter in policy.trained_parameters():
                assert parameter.grad is not None
                parameter.sub_(0.01 * parameter.grad)
                parameter.grad = None
    assert losses == sorted(losses, reverse=True)
    assert losses[-1] < losses[0] - 1e-3


def test_micro_batches_change_nothing(start: str) -> None:
    gradients = []
    for size in (1, 5):
        policy, ptx = ptx_of(start, micro_batch_size=size)
        ptx.backward(0)
        gradients.append({name: p.grad for name, p in policy.trained_parameters()})
    for name, gradient in gradients[0].items():
        assert torch.allclose(gradient, gradients[1][name], atol=1e-5)


def test_every_demonstration_takes_part_once_a_pass_in_an_order_of_the_update_alone(start: str) -> None:
    """So that a resumed run draws what the uninterrupted one would have drawn."""
    policy, ptx = ptx_of(start, batch_size=2)
    seen: list[int] = []
    real = policy.forward

    def spy(rows: object, temperature: float = 1.0) -> object:
        answers = [rows.token_ids[i][rows.answer_mask[i]] for i in range(len(rows))]  # type: ignore[attr-defined, arg-type]
        texts = [load_codec(start).decoded(ids.tolist()) for ids in answers]
        seen.extend([answer for _, answer in PAIRS].index(text) for text in texts)
        return real(rows, temperature)  # type: ignore[arg-type]

    policy.forward = spy  # type: ignore[method-assign, assignment]
    for update in range(6):
        ptx.backward(update)
    first, second = seen[:5], seen[5:]
    assert sorted(first) == sorted(second) == [0, 1, 2, 3, 4]
    assert first != second
    seen.clear()
    ptx.backward(3)
    ptx.backward(4)
    ptx.backward(5)
    assert seen == second


def test_a_runs_demonstrations_keep_their_weights(start: str) -> None:
    """At weight 3 like three copies of it."""

    def loss(*weights: float) -> float:
        records = [
            Demonstration(prompt=(user(question),), completion=(assistant(answer),), weight=weight)
            for (question, answer), weight in zip([PAIRS[0], *[PAIRS[2]] * 3], weights, strict=False)
        ]
        ptx = PTX.on(records, new_ppo(start).actor, coef=0.5, batch_size=8)
        assert ptx is not None
        return ptx.backward(0)["loss/ptx"]

    assert loss(1.0, 3.0) == pytest.approx(loss(1.0, 1.0, 1.0, 1.0), abs=1e-5)
    assert loss(1.0, 3.0) != pytest.approx(loss(1.0, 1.0), abs=1e-3)


def test_nothing_but_the_gradient_moves(start: str) -> None:
    policy, ptx = ptx_of(start)
    before = snapshot(policy.trained_parameters())
    ptx.backward(0)
    after = snapshot(policy.trained_parameters())
    assert all(torch.equal(before[name], after[name]) for name in before)
