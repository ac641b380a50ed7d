"""The sampler: a batch of prompts decoded token by token with one random stream an answer."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn
from transformers import PreTrainedModel

from plaudit.batches.rollouts import Rollouts
from plaudit.batches.tokens import EncodedRow, collated, rounded_up
from plaudit.models.trunk import Trunk
from plaudit.rollout.decoding import Decoder
from plaudit.schemas.errors import PlauditError
from plaudit.text.chat import ChatCodec
from plaudit.text.prompts import EncodedPrompt

# Tokens whose probabilities are summed together before one of them is looked for.
_BLOCK = 256


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
    logits: Float[Tensor, "B V"], uniforms: Float[Tensor, "B"], *, top_p: float = 1.0, greedy: bool = False
) -> Int[Tensor, "B"]:
    """One token a row by inverse transform: the first whose cumulative probability exceeds the row's uniform number.

    In two steps, first among blocks of tokens and then within the block found, so that double precision is spent on a few
    hundred sums a row instead of the whole vocabulary.
    """
    if greedy:
        return logits.argmax(-1)
    probabilities = logits.softmax(-1)
    if top_p < 1.0:
        ordered, order = probabilities.sort(dim=-1, descending=True)
        outside = ordered.cumsum(-1) - ordered >= top_p
        probabilities = probabilities.scatter(-1, order, ordered.masked_fill(outside, 0.0))
    num_tokens = logits.shape[-1]
    blocks = nn.functional.pad(probabilities, (0, -num_tokens % _BLOCK)).unflatten(-1, (-1, _BLOCK))
    up_to_block = blocks.sum(-1, dtype=torch.float64).cumsum(-1)
    thresholds = uniforms[:, None] * up_to_block[:, -1:]
    block = _first_above(up_to_block, thresholds)
    before = nn.functional.pad(up_to_block, (1, 0)).gather(-1, block)
    inside = blocks.take_along_dim(block[..., None], dim=1).squeeze(1).double().cumsum(-1)
    return (block * _BLOCK + _first_above(inside, thresholds - before)).squeeze(-1).clamp(max=num_tokens - 1)


def _first_above(cumulative: Float[Tensor, "B n"], thresholds: Float[Tensor, "B 1"]) -> Int[Tensor, "B 1"]:
    """The first column above the threshold; the last one that adds anything, where rounding left none."""
    adds = cumulative.diff(dim=-1, prepend=torch.zeros_like(cumulative[:, :1])) > 0
    last = (adds * torch.arange(1, cumulative.shape[1] + 1, device=adds.device)).max(-1, keepdim=True).values - 1
    return torch.searchsorted(cumulative, thresholds, right=True).minimum(last.clamp(min=0))


class _Answers:
    """The answers of a portion as they grow: each row's tokens, log-probabilities, states and trunk activations."""

    def __init__(self, num_rows: int, max_tokens: int, states: Float[Tensor, "B D"], trunk: bool) -> None:
        self.tokens: list[list[int]] = [[] for _ in range(num_rows)]
        self.logprobs: list[list[float]] = [[] for _ in range(num_rows)]
        self.states = states.new_zeros((num_rows, max_tokens, states.shape[-1]))
        self.trunk = torch.zeros_like(self.states) if trunk else None


def _decoded(decoder: Decoder, uniforms: Float[Tensor, "B num"], sampling: Sampling, stop_id: int) -> _Answers:
    num_rows, device = len(uniforms), decoder.logits.device
    answers = _Answers(num_rows, sampling.max_new_tokens, decoder.states, decoder.trunk is not None)
    uniforms = uniforms.to(device)
    rows, has_stopped = torch.arange(num_rows, device=device), torch.zeros(num_rows, dtype=torch.bool, device=device)
    for step in range(sampling.max_new_tokens):
        logits = decoder.logits.float() / sampling.temperature
        chosen = drawn(logits, uniforms[rows, step], top_p=sampling.top_p, greedy=sampling.greedy)
        chosen_logprobs = logits.gather(-1, chosen[:, None]).squeeze(-1) - logits.logsumexp(-1)
        going = zip(rows.tolist(), has_stopped.tolist(), chosen.tolist(), chosen_logprobs.tolist(), strict=True)
        for row, stopped, token, logprob in going:
            if not stopped:
                answers.tokens[row].append(token)
                answers.logprobs[row].append(logprob)
        answers.states[rows, step] = decoder.states
        # The trunk's activations are wanted at the stop token too: where they are kept, its row stays one call longer.
        is_read = has_stopped
        has_stopped = has_stopped | (chosen == stop_id)
        is_done = has_stopped if answers.trunk is None else is_read
        is_last = step + 1 == sampling.max_new_tokens
        if bool(is_done.all()) or (is_last and answers.trunk is None):
            break
        # Rows leave by eights: each time the whole cache is copied, and a kernel kept for each size.
        num_kept = rounded_up(int((~is_done).sum()))
        if num_kept < len(rows):
            index = is_done.int().argsort(stable=True)[:num_kept].sort().values
            decoder.keep(index)
            rows, chosen, has_stopped = rows[index], chosen[index], has_stopped[index]
        trunk = decoder.advance(chosen)
        if answers.trunk is not None:
            assert trunk is not None
            answers.trunk[rows, step] = trunk
    return answers


def sampled(
    model: PreTrainedModel,
    codec: ChatCodec,
    prompts: Sequence[EncodedPrompt],
    sampling: Sampling,
    *,
    num_answers: int,
    seed: int,
    step: int = 0,
    keep_states: bool = False,
    trunk: Trunk | None = None,
) -> Rollouts:
    """`num_answers` answers to each prompt, side by side, with the log-probabilities they were drawn at.

    Answer k to a prompt is keyed by (seed, step, prompt id, k); over equal prompts k counts on. At most
    `sampling.batch_size` are decoded at once, one prompt's answers too. `keep_states` keeps the last hidden states, and
    `trunk`, which must be the model's own lower layers, the activations above it, so that no learner computes them again.
    Raises PlauditError for fewer than one answer a prompt, and where the longest prompt with its answer could outgrow the
    model's context.
    """
    _check_fits(model, prompts, sampling, num_answers)
    was_training = model.training
    model.eval()
    seen: dict[str, int] = {}
    rows: list[EncodedRow] = []
    logprobs: list[list[float]] = []
    kept = _Kept([] if keep_states else None, [] if trunk is not None else None)
    for batch, num in _portions(prompts, sampling, num_answers):
        keys: list[tuple[int | str, ...]] = []
        for prompt in batch:
            first = seen.get(prompt.id, 0)
            seen[prompt.id] = first + num
            keys += [(seed, step, prompt.id, first + k) for k in range(num)]
        uniforms = answer_uniforms(keys, sampling.max_new_tokens)
        # Only the decoding: a tensor made in inference mode could not take part in the learner's backward pass.
        with torch.inference_mode():
            decoder = Decoder(model, batch, num, codec.pad_id, trunk)
            decoded = _decoded(decoder, uniforms, sampling, codec.stop_id)
        for i, answer in enumerate(decoded.tokens):
            prompt_ids = batch[i // num].token_ids
            mask = (False,) * len(prompt_ids) + (True,) * len(answer)
            rows.append(EncodedRow((*prompt_ids, *answer), mask))
            kept.add(decoder, decoded, i, num, len(prompt_ids))
        logprobs += decoded.logprobs
    model.train(was_training)
    rollouts = _rollouts(rows, logprobs, codec, num_answers)
    return rollouts if trunk is None and not keep_states else kept.put_into(rollouts, trunk)


@dataclass(frozen=True, slots=True)
class _Kept:
    """What the network had in hand for each answer: the states [N, D] its N tokens were chosen from, the trunk's
    activations [P + N, D] at the prompt's tokens and its own. None where it is not kept."""

    states: list[Float[Tensor, "N D"]] | None
    trunk: list[Float[Tensor, "L D"]] | None

    def add(self, decoder: Decoder, decoded: _Answers, row: int, num_answers: int, num_prompt: int) -> None:
        """Takes over what a portion knows of one of its rows."""
        num = len(decoded.tokens[row])
        if self.states is not None:
            self.states.append(decoded.states[row, :num])
        if self.trunk is not None:
            assert decoder.prompt_trunk is not None
            assert decoded.trunk is not None
            prompt = decoder.prompt_trunk[row // num_answers]
            self.trunk.append(torch.cat([prompt[len(prompt) - num_prompt :], decoded.trunk[row, :num]]))

    def put_into(self, rollouts: Rollouts, trunk: Trunk | None) -> Rollouts:
        """The rollouts with all of it, in the columns of the tokens."""
        rows = rollouts.rows
        if self.states is not None:
            rollouts = rollouts.with_states(_spread(self.states, rows.answer_mask))
        if self.trunk is not None:
            assert trunk is not None
            rollouts = rollouts.with_rows(rows.with_trunk(_spread(self.trunk, rows.attention_mask), trunk.key))
        return rollouts


def _spread(parts: Sequence[Float[Tensor, "_ D"]], mask: Bool[Tensor, "B T"]) -> Float[Tensor, "B T D"]:
    """The rows of the parts, one after the other, where the mask counts; zeros elsewhere."""
    spread = parts[0].new_zeros((*mask.shape, parts[0].shape[-1]))
    spread[mask] = torch.cat(list(parts))
    return spread


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


def decoded_together(
    prompts: Sequence[EncodedPrompt], sampling: Sampling, num_answers: int
) -> Iterator[Sequence[EncodedPrompt]]:
    """The prompts in the portions that `sampled` decodes together; a caller who samples these one by one can say how far
    it has come, and gets the same answers as long as no prompt stands there twice."""
    per_batch = max(1, sampling.batch_size // max(1, num_answers))
    for start in range(0, len(prompts), per_batch):
        yield prompts[start : start + per_batch]


def _portions(
    prompts: Sequence[EncodedPrompt], sampling: Sampling, num_answers: int
) -> Iterator[tuple[Sequence[EncodedPrompt], int]]:
    """Which prompts are decoded together with how many answers each: whole prompts, or one prompt in several portions."""
    for batch in decoded_together(prompts, sampling, num_answers):
        for first in range(0, num_answers, sampling.batch_size):
            yield batch, min(sampling.batch_size, num_answers - first)


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
