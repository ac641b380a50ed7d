"""Perplexity and KL against a slow reference: one row at a time, no padding, every position spelled out."""

import math
from pathlib import Path

import numpy as np
import pytest
import torch
from transformers import PreTrainedModel

from plaudit.batches.rollouts import Rollouts
from plaudit.batches.tokens import EncodedRow, collated
from plaudit.evaluation.language import (
    _standard_error,
    answer_nll,
    as_reference,
    encoded_demonstrations,
    kl_to_reference,
    mean_nll,
    perplexity,
    perplexity_of,
)
from plaudit.models.load import load_causal_lm
from plaudit.models.policy import PolicyModel, TrainLayers
from plaudit.models.tiny import tiny_model
from plaudit.rollout.sampler import Sampling, sampled
from plaudit.schemas.conversation import assistant, user
from plaudit.schemas.errors import PlauditError
from plaudit.schemas.feedback import Demonstration
from plaudit.text.chat import ChatCodec
from plaudit.text.prompts import TooLong, encoded_prompts

ALL = TrainLayers(kind="all")
DEMONSTRATIONS = [
    Demonstration(prompt=(user("hi"),), completion=(assistant("hello you"),)),
    Demonstration(prompt=(user("hi"),), completion=(assistant("good day"),), weight=3.0),
    Demonstration(prompt=(user("q"),), completion=(assistant("ab"), user("more"), assistant("cdefg"))),
]


@torch.no_grad()
def slow_logprobs(model: PreTrainedModel, row: EncodedRow, temperature: float = 1.0) -> list[float]:
    """log p of each counted token, from the whole model on the row alone."""
    logits = model(torch.tensor([row.token_ids])).logits[0].double() / temperature
    return [
        float(torch.log_softmax(logits[t - 1], -1)[token])
        for t, (token, counts) in enumerate(zip(row.token_ids, row.answer_mask, strict=True))
        if counts
    ]


def test_perplexity_is_that_of_the_answers_tokens_alone(codec: ChatCodec) -> None:
    model = tiny_model()
    rows, _ = encoded_demonstrations(DEMONSTRATIONS, codec, max_tokens=100, drop_too_long=False)
    logprobs = [slow_logprobs(model, row) for row in rows]
    flat = [x for row in logprobs for x in row]
    assert len(flat) == 10 + 9 + 3 + 6  # letters and a stop token for each answer
    policy = PolicyModel(model, ALL)
    batch = collated(rows, codec.pad_id)
    for micro_batch_size in (1, 2, 16):
        assert answer_nll(policy, batch, micro_batch_size).tolist() == pytest.approx(
            [-sum(row) for row in logprobs], rel=1e-5
        )
    assert mean_nll(policy, batch, 2) == pytest.approx(-sum(flat) / len(flat), rel=1e-5)
    found = perplexity_of(policy, codec, DEMONSTRATIONS)
    assert found.value == pytest.approx(math.exp(-sum(flat) / len(flat)), rel=1e-5)
    # two prompts: a resample holds the first two rows, or the third, or all three
    first = math.exp(-sum(logprobs[0] + logprobs[1]) / 19)
    second = math.exp(-sum(logprobs[2]) / 9)
    assert (found.low, found.high, found.n) == (
        pytest.approx(min(first, second), rel=1e-5),
        pytest.approx(max(first, second), rel=1e-5),
        3,
    )
    assert not any(parameter.grad is not None for parameter in model.parameters())


def test_perplexity_by_name(other_tiny: Path, codec: ChatCodec) -> None:
    expected = perplexity_of(PolicyModel(load_causal_lm(str(other_tiny)), ALL), codec, DEMONSTRATIONS)
    assert perplexity(str(other_tiny), DEMONSTRATIONS, device="cpu", micro_batch_size=1).value == pytest.approx(
        expected.value, rel=1e-5
    )
    assert perplexity("tiny", DEMONSTRATIONS, device="cpu").value != pytest.approx(expected.value, rel=1e-3)


def test_a_demonstration_too_long_is_refused_or_dropped(codec: ChatCodec) -> None:
    with pytest.raises(PlauditError, match=r"demonstration 3 has \d+ tokens, over max_tokens = 20 \(1 of 3 are\)"):
        perplexity_of(PolicyModel(tiny_model(), ALL), codec, DEMONSTRATIONS, max_tokens=20)
    rows, kept = encoded_demonstrations(DEMONSTRATIONS, codec, max_tokens=20, drop_too_long=True)
    assert (len(rows), kept) == (2, DEMONSTRATIONS[:2])
    with pytest.raises(PlauditError, match="no demonstration to read within 3 tokens"):
        encoded_demonstrations(DEMONSTRATIONS, codec, max_tokens=3, drop_too_long=True)
    with pytest.raises(PlauditError, match=r"no demonstration to read$"):
        encoded_demonstrations([], codec, max_tokens=3, drop_too_long=True)


def rollouts_of(model: PreTrainedModel, codec: ChatCodec, texts: list[str], temperature: float) -> Rollouts:
    prompts, _ = encoded_prompts([(user(text),) for text in texts], codec, max_tokens=50, too_long=TooLong.REFUSE)
    sampling = Sampling(max_new_tokens=9, temperature=temperature)
    return sampled(model, codec, prompts, sampling, num_answers=3, seed=0)


def row_of(rollouts: Rollouts, i: int) -> EncodedRow:
    length = int(rollouts.rows.lengths[i])
    rows = rollouts.rows
    return EncodedRow(tuple(rows.token_ids[i, :length].tolist()), tuple(rows.answer_mask[i, :length].tolist()))


def test_kl_is_the_sum_over_answers_at_the_sampling_temperature(codec: ChatCodec) -> None:
    model, other, temperature = tiny_model(), tiny_model(seed=1), 0.7
    portions = [rollouts_of(model, codec, texts, temperature) for texts in (["a", "longer"], ["c"])]
    sums_k1, sums_k3 = [], []
    for rollouts in portions:
        for i in range(len(rollouts)):
            p = np.array(slow_logprobs(model, row_of(rollouts, i), temperature))
            q = np.array(slow_logprobs(other, row_of(rollouts, i), temperature))
            sums_k1.append(float((p - q).sum()))
            sums_k3.append(float((np.exp(q - p) - 1 - (q - p)).sum()))
    by_prompt = np.array(sums_k1).reshape(3, 3).mean(axis=1)
    for micro_batch_size in (1, 16):
        found = kl_to_reference(
            PolicyModel(model, ALL),
            as_reference(PolicyModel(other, ALL)),
            portions,
            temperature=temperature,
            micro_batch_size=micro_batch_size,
        )
        assert found.k1 == pytest.approx(np.mean(sums_k1), rel=1e-5)
        assert found.k3 == pytest.approx(np.mean(sums_k3), rel=1e-5)
        # as many answers to each prompt: the standard error of the prompts' means
        assert found.standard_error == pytest.approx(by_prompt.std(ddof=1) / math.sqrt(3), rel=1e-4)
        assert found.num_answers == 9


def test_a_model_is_at_no_distance_from_itself_and_its_frozen_reference(codec: ChatCodec) -> None:
    policy = PolicyModel(tiny_model(), TrainLayers(kind="upper", num_upper=1))
    rollouts = rollouts_of(policy.full, codec, ["a"], 1.0)
    found = kl_to_reference(policy, policy.reference(), [rollouts])
    assert (found.k1, found.k3) == (0.0, 0.0)
    assert math.isnan(found.standard_error)


def test_the_standard_error_of_unequal_clusters_by_hand() -> None:
    # mean 3; residual sums -2 + 0 = -2 and -1 + 3 = 2; sqrt(2 / 1 * (4 + 4)) / 4 = 1
    assert _standard_error(np.array([1.0, 2.0, 3.0, 6.0]), np.array([5, 0, 5, 0])) == 1.0
    # mean 3; residual sums -3 and 3; sqrt(2 * 18) / 3 = 2
    assert _standard_error(np.array([0.0, 4.0, 5.0]), np.array([1, 2, 2])) == 2.0
