"""How well does a model predict what people wrote, and how far has it moved from the model it started as?"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from numpy.typing import NDArray
from torch import Tensor

from plaudit.algorithms.kl import k1, k3
from plaudit.batches.rollouts import Rollouts
from plaudit.batches.tokens import TokenRows, collated
from plaudit.models.load import Precision, device_for, load_codec
from plaudit.models.policy import Policy, PolicyModel, Reference, load_frozen_policy
from plaudit.schemas.conversation import prompt_id
from plaudit.schemas.feedback import Demonstration
from plaudit.statistics import Estimate, bootstrap_interval
from plaudit.text.chat import ChatCodec
from plaudit.text.demonstrations import encoded_demonstrations


@torch.no_grad()
def _in_portions(
    logprobs_of: Callable[[TokenRows], Float[Tensor, "b t"]], rows: TokenRows, micro_batch_size: int
) -> Float[Tensor, "B T"]:
    """The log-probabilities of all rows on the CPU, computed a few rows of similar length at a time."""
    found = torch.zeros(rows.token_ids.shape)
    for part in rows.micro_batches(micro_batch_size):
        chosen = rows.select(part.to(rows.token_ids.device))
        found[part, : chosen.token_ids.shape[1]] = logprobs_of(chosen).float().cpu()
    return found


def answer_nll(policy: Policy, rows: TokenRows, micro_batch_size: int) -> Float[Tensor, "B"]:
    """-log p(answer) of each row in nats, on the CPU."""
    return -_in_portions(lambda part: policy(part).logprobs, rows, micro_batch_size).sum(-1)


def mean_nll(policy: Policy, rows: TokenRows, micro_batch_size: int) -> float:
    """Mean negative log-likelihood of the answer tokens, nats a token: the logarithm of the perplexity."""
    return float(answer_nll(policy, rows, micro_batch_size).sum()) / rows.num_answer_tokens


def perplexity_of(
    policy: PolicyModel,
    codec: ChatCodec,
    demonstrations: Sequence[Demonstration],
    *,
    max_tokens: int = 1024,
    micro_batch_size: int = 16,
) -> Estimate:
    """exp(mean negative log-likelihood a token) of the demonstrations' answers; the interval resamples prompts.

    Every token counts once, whatever its record's weight. Raises PlauditError for a demonstration over `max_tokens`.
    """
    rows = measured_rows(demonstrations, codec, max_tokens).to(policy.full.device)
    nll = answer_nll(policy, rows, micro_batch_size).double().numpy()
    num_tokens = rows.answer_mask.sum(-1).cpu().numpy()

    def of_rows(numbers: NDArray[np.float64]) -> float:
        chosen = numbers.astype(int)
        return math.exp(nll[chosen].sum() / num_tokens[chosen].sum())

    prompts = [prompt_id(record.prompt) for record in demonstrations]
    return bootstrap_interval(np.arange(len(prompts)), of_rows, clusters=prompts)


def measured_rows(demonstrations: Sequence[Demonstration], codec: ChatCodec, max_tokens: int) -> TokenRows:
    """The demonstrations as `perplexity_of` reads them. Raises PlauditError for one over `max_tokens`, or for none."""
    encoded, _ = encoded_demonstrations(
        demonstrations,
        codec,
        max_tokens=max_tokens,
        drop_too_long=False,
        next_step="raise max_tokens, or leave them out of the file",
    )
    return collated(encoded, codec.pad_id)


def perplexity(
    model: str,
    demonstrations: Sequence[Demonstration],
    *,
    max_tokens: int = 1024,
    micro_batch_size: int = 16,
    precision: Precision = Precision.FLOAT32,
    device: str = "auto",
) -> Estimate:
    """The perplexity of the demonstrations under the model of that name (see `perplexity_of`)."""
    policy = load_frozen_policy(model, precision=precision, device=device_for(device))
    codec = load_codec(model)
    return perplexity_of(policy, codec, demonstrations, max_tokens=max_tokens, micro_batch_size=micro_batch_size)


@dataclass(frozen=True, slots=True)
class KLToReference:
    """KL(policy || reference) in nats an answer, from the policy's own answers.

    `k1` is the mean of log p - log q summed over an answer, with its standard error over prompts (nan for one prompt);
    `k3` the mean of Schulman's k3 summed likewise: never negative, less noisy near zero.
    """

    k1: float
    standard_error: float
    k3: float
    num_answers: int


def kl_to_reference(
    policy: PolicyModel,
    reference: Reference,
    portions: Sequence[Rollouts],
    *,
    temperature: float = 1.0,
    micro_batch_size: int = 16,
) -> KLToReference:
    """The KL on answers that `policy` sampled at `temperature`, which divides both models' logits.

    `portions` hold different prompts each, as they were sampled. An estimate only for answers drawn from the whole
    distribution: top-p or greedy ones give something else.
    """
    sums_k1, sums_k3, prompts = list[Tensor](), list[Tensor](), list[Tensor]()
    for rollouts in portions:
        rows = rollouts.rows.to(policy.full.device)
        logprobs = _in_portions(lambda part: policy(part, temperature).logprobs, rows, micro_batch_size)
        ref_logprobs = _in_portions(lambda part: reference(part, temperature), rows, micro_batch_size)
        mask = rollouts.rows.answer_mask.cpu()
        sums_k1.append(k1(logprobs, ref_logprobs, mask).sum(-1))
        sums_k3.append(k3(logprobs, ref_logprobs, mask).sum(-1))
        prompts.append(rollouts.prompt_index.cpu() + (int(prompts[-1].max()) + 1 if prompts else 0))
    of_answers = torch.cat(sums_k1).double().numpy()
    return KLToReference(
        k1=float(of_answers.mean()),
        standard_error=_standard_error(of_answers, torch.cat(prompts).numpy()),
        k3=float(torch.cat(sums_k3).double().mean()),
        num_answers=len(of_answers),
    )


def as_reference(policy: Policy) -> Reference:
    """The policy where a reference is asked for: its log-probabilities, no gradient. For one that nobody trains."""

    @torch.no_grad()
    def logprobs(rows: TokenRows, temperature: float = 1.0) -> Float[Tensor, "B T"]:
        return policy(rows, temperature).logprobs

    return logprobs


def _standard_error(values: NDArray[np.float64], clusters: NDArray[np.int64]) -> float:
    """Of the mean, clusters being independent and values within one not: sqrt(G / (G - 1) sum_g r_g**2) / n, where r_g
    is the sum of the residuals of cluster g (Liang & Zeger 1986, for the mean)."""
    _, owners = np.unique(clusters, return_inverse=True)
    sums = np.bincount(owners, weights=values - values.mean())
    num = len(sums)
    return math.sqrt(num / (num - 1) * float((sums**2).sum())) / len(values) if num > 1 else math.nan
