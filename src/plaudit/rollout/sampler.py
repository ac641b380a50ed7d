"""The sampler: a batch of prompts decoded token by token with one random stream an answer."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor
from transformers import DynamicCache, PreTrainedModel

from plaudit.batches.rollouts import Rollouts
from plaudit.batches.tokens import EncodedRow, collated, rounded_up
from plaudit.schemas.errors import PlauditError
from plaudit.text.chat import ChatCodec
from plaudit.text.prompts import EncodedPrompt


@dataclass(frozen=True, kw_only=True, slots=True)
class Sampling:
    """How answers are drawn."""

    max_new_tokens: int = 64
    """The length limit; an answer that reaches it without a stop token is cut off there."""
    temperature: float = 1.0
    """Divides the logits. Lower is more predictable."""
    top_p: float = 1.0
    """Keep the smallest set of tokens with this much probability. Only 1 in training rollouts."""
    greedy: bool = False
    """Take the likeliest token instead of drawing one."""
    batch_size: int = 64
    """Answers decoded at once. More is faster until memory is short."""

    def __post_init__(self) -> None:
        if self.max_new_tokens < 1 or self.batch_size < 1:
            raise PlauditError(
                f"max_new_tokens and batch_size must be at least 1, got {self.max_new_tokens} and {self.batch_size}"
            )
        if not self.temperature > 0:
            raise PlauditError(
                f"temperature must be above 0, got {self.temperature}; for the likeliest answer set greedy"
            )
        if not 0 < self.top_p <= 1:
            raise PlauditError(f"top_p must lie in (0, 1], got {self.top_p}")

    def checked_for_training(self) -> Sampling:
        """Itself; raises PlauditError where the learner could not reproduce its probabilities."""
        if self.top_p != 1.0 or self.greedy:
            raise PlauditError(
                f"training rollouts sample from the policy itself: top_p = {self.top_p}, greedy = {self.greedy} would make "
                "the sampler's probabilities differ from the learner's and the KL estimate negative. Use top_p = 1 and "
                "greedy = false; temperature is allowed, and divides the policy's and the reference's logits alike"
            )
        return self


def answer_uniforms(keys: Sequence[tuple[int | str, ...]], num: int) -> Float[Tensor, "B num"]:
    """`num` uniform numbers for each answer, from a generator seeded by a stable hash of the answer's key."""
    rows = []
    for key in keys:
        digest = hashlib.sha256("\x1f".join(map(str, key)).encode()).digest()
        generator = torch.Generator().manual_seed(int.from_bytes(digest[:8], "big") >> 1)
        rows.append(torch.rand(num, generator=generator, dtype=torch.float64))
    return torch.stack(rows)


def drawn(
    logprobs: Float[Tensor, "B V"], uniforms: Float[Tensor, "B"], *, top_p: float = 1.0, greedy: bool = False
) -> Int[Tensor, "B"]:
    """One token a row by inverse transform: the first whose cumulative probability exceeds the row's uniform number."""
    if greedy:
        return logprobs.argmax(-1)
    probabilities = logprobs.double().exp()
    if top_p < 1.0:
        ordered, order = probabilities.sort(dim=-1, descending=True)
        outside = ordered.cumsum(-1) - ordered >= top_p
        probabilities = probabilities.scatter(-1, order, ordered.masked_fill(outside, 0.0))
    cumulative = probabilities.cumsum(-1)
    thresholds = uniforms[:, None] * cumulative[:, -1:]
    tokens = torch.searchsorted(cumulative, thresholds, right=True).squeeze(-1)
    return tokens.clamp(max=logprobs.shape[-1] - 1)


@dataclass(frozen=True, slots=True)
class _Decoded:
    tokens: list[list[int]]
    logprobs: list[list[float]]


class _Decoder:
    """One batch of answers being decoded. Prompts are padded on the left here, and only here."""

    def __init__(self, model: PreTrainedModel, prompts: Sequence[EncodedPrompt], num_answers: int, pad_id: int) -> None:
        self.model = model
        width = max(len(prompt.token_ids) for prompt in prompts)
        ids = torch.full((len(prompts), width), pad_id, dtype=torch.long)
        mask = torch.zeros((len(prompts), width), dtype=torch.long)
        for i, prompt in enumerate(prompts):
            ids[i, width - len(prompt.token_ids) :] = torch.tensor(prompt.token_ids)
            mask[i, width - len(prompt.token_ids) :] = 1
        device = model.device
        self.cache = DynamicCache(config=model.config)
        logits = self._forward(ids.to(device), mask.to(device), (mask.cumsum(-1) - 1).clamp(min=0).to(device))
        # The prompt ran once; its keys and values now serve all its answers.
        self.cache.batch_repeat_interleave(num_answers)
        self.logits = logits.repeat_interleave(num_answers, dim=0)
        self.mask = mask.to(device).repeat_interleave(num_answers, dim=0)
        self.positions = self.mask.sum(-1, keepdim=True)

    def _forward(self, ids: Tensor, mask: Tensor, positions: Tensor) -> Float[Tensor, "B V"]:
        output = self.model(
            input_ids=ids,
            attention_mask=mask,
            position_ids=positions,
            past_key_values=self.cache,
            use_cache=True,
            logits_to_keep=1,
        )
        logits: Tensor = output.logits[:, -1]
        return logits

    def advance(self, tokens: Int[Tensor, "B"]) -> None:
        """Appends one token a row and computes the next logits."""
        self.mask = torch.cat([self.mask, self.mask.new_ones((len(tokens), 1))], dim=-1)
        self.logits = self._forward(tokens[:, None], self.mask, self.positions)
        self.positions = self.positions + 1

    def keep(self, index: Int[Tensor, "M"]) -> None:
        """Drops all rows but these."""
        self.cache.batch_select_indices(index)
        self.mask, self.positions, self.logits = self.mask[index], self.positions[index], self.logits[index]


def _decoded(decoder: _Decoder, uniforms: Float[Tensor, "B num"], sampling: Sampling, stop_id: int) -> _Decoded:
    num_rows = len(uniforms)
    tokens: list[list[int]] = [[] for _ in range(num_rows)]
    logprobs: list[list[float]] = [[] for _ in range(num_rows)]
    device = decoder.logits.device
    uniforms = uniforms.to(device)
    rows, has_stopped = torch.arange(num_rows, device=device), torch.zeros(num_rows, dtype=torch.bool, device=device)
    for step in range(sampling.max_new_tokens):
        step_logprobs = torch.log_softmax(decoder.logits.float() / sampling.temperature, dim=-1)
        chosen = drawn(step_logprobs, uniforms[rows, step], top_p=sampling.top_p, greedy=sampling.greedy)
        chosen_logprobs = step_logprobs.gather(-1, chosen[:, None]).squeeze(-1)
        going = zip(rows.tolist(), has_stopped.tolist(), chosen.tolist(), chosen_logprobs.tolist(), strict=True)
        for row, stopped, token, logprob in going:
            if not stopped:
                tokens[row].append(token)
                logprobs[row].append(logprob)
        has_stopped = has_stopped | (chosen == stop_id)
        num_going = int((~has_stopped).sum())
        if step + 1 == sampling.max_new_tokens or not num_going:
            break
        # Rows that have stopped leave by eights: each time the whole cache is copied, and a kernel kept for each size.
        num_kept = rounded_up(num_going)
        if num_kept < len(rows):
            index = has_stopped.int().argsort(stable=True)[:num_kept].sort().values
            decoder.keep(index)
            rows, chosen, has_stopped = rows[index], chosen[index], has_stopped[index]
        decoder.advance(chosen)
    return _Decoded(tokens, logprobs)


def sampled(
    model: PreTrainedModel,
    codec: ChatCodec,
    prompts: Sequence[EncodedPrompt],
    sampling: Sampling,
    *,
    num_answers: int,
    seed: int,
    step: int = 0,
) -> Rollouts:
    """`num_answers` answers to each prompt, side by side, with the log-probabilities they were drawn at.

    Answer k to a prompt is keyed by (seed, step, prompt id, k); over equal prompts k counts on. At most
    `sampling.batch_size` are decoded at once, one prompt's answers too. Raises PlauditError for fewer than one answer a
    prompt, and where the longest prompt with its answer could outgrow the model's context.
    """
    _check_fits(model, prompts, sampling, num_answers)
    was_training = model.training
    model.eval()
    seen: dict[str, int] = {}
    rows: list[EncodedRow] = []
    logprobs: list[list[float]] = []
    for batch, num in _portions(prompts, num_answers, sampling.batch_size):
        keys: list[tuple[int | str, ...]] = []
        for prompt in batch:
            first = seen.get(prompt.id, 0)
            seen[prompt.id] = first + num
            keys += [(seed, step, prompt.id, first + k) for k in range(num)]
        uniforms = answer_uniforms(keys, sampling.max_new_tokens)
        # Only the decoding: a tensor made in inference mode could not take part in the learner's backward pass.
        with torch.inference_mode():
            decoder = _Decoder(model, batch, num, codec.pad_id)
            decoded = _decoded(decoder, uniforms, sampling, codec.stop_id)
        for i, answer in enumerate(decoded.tokens):
            prompt_ids = batch[i // num].token_ids
            mask = (False,) * len(prompt_ids) + (True,) * len(answer)
            rows.append(EncodedRow((*prompt_ids, *answer), mask))
        logprobs += decoded.logprobs
    model.train(was_training)
    return _rollouts(rows, logprobs, codec, num_answers)


def _check_fits(model: PreTrainedModel, prompts: Sequence[EncodedPrompt], sampling: Sampling, num_answers: int) -> None:
    if num_answers < 1:
        raise PlauditError(f"each prompt needs at least one answer, asked for {num_answers}")
    settings = model.config.get_text_config().to_dict()
    context = settings.get("max_position_embeddings") or settings.get("n_positions")
    longest = max((len(prompt.token_ids) for prompt in prompts), default=0)
    if context is not None and longest + sampling.max_new_tokens > context:
        raise PlauditError(
            f"a prompt of {longest} tokens and an answer of up to max_new_tokens = {sampling.max_new_tokens} do not fit into "
            f"the model's context of {context} tokens: lower max_new_tokens, or the limit on the prompt's tokens"
        )


def _portions(
    prompts: Sequence[EncodedPrompt], num_answers: int, batch_size: int
) -> Iterator[tuple[Sequence[EncodedPrompt], int]]:
    """Which prompts are decoded together with how many answers each: whole prompts, or one prompt in several portions."""
    per_batch = max(1, batch_size // num_answers)
    for start in range(0, len(prompts), per_batch):
        for first in range(0, num_answers, batch_size):
            yield prompts[start : start + per_batch], min(batch_size, num_answers - first)


def _rollouts(rows: list[EncodedRow], logprobs: list[list[float]], codec: ChatCodec, num_answers: int) -> Rollouts:
    token_rows = collated(rows, codec.pad_id)
    flat = torch.tensor([logprob for answer in logprobs for logprob in answer])
    per_token = torch.zeros(token_rows.token_ids.shape).masked_scatter(token_rows.answer_mask, flat)
    answers = [row.token_ids[-len(answer) :] for row, answer in zip(rows, logprobs, strict=True)]
    return Rollouts(
        rows=token_rows,
        logprobs=per_token,
        finished=torch.tensor([answer[-1] == codec.stop_id for answer in answers]),
        prompt_index=torch.arange(len(rows)) // num_answers,
        texts=tuple(codec.decoded(answer) for answer in answers),
    )
