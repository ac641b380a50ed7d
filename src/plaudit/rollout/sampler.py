"""The sampler: a batch of prompts decoded token by token with one random stream an answer."""

from __future__ import annotations

import hashlib
import math
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import groupby

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn
from transformers import PreTrainedModel

from plaudit.batches.rollouts import Rollouts
from plaudit.batches.tokens import EncodedRow, collated, rounded_up
from plaudit.models.trunk import Trunk
from plaudit.rollout.decoding import Decoder, context_of
from plaudit.rollout.packing import packed_for
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
        if not self.temperature > 0 or not math.isfinite(self.temperature):
            raise PlauditError(
                f"temperature must be above 0 and finite, got {self.temperature}; for the likeliest answer set greedy"
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


@dataclass(slots=True)
class _Answer:
    """An answer as it grows: its tokens with their log-probabilities, and what is kept of the network at each.

    `states` [D] are those the tokens were chosen from, `trunk` the trunk's activations: first [P, D], the prompt's, then
    [D] a token.
    """

    prompt: EncodedPrompt
    uniforms: Float[Tensor, "N"]
    tokens: list[int] = field(default_factory=list)
    logprobs: list[float] = field(default_factory=list)
    states: list[Tensor] = field(default_factory=list)
    trunk: list[Tensor] = field(default_factory=list)
    has_ended: bool = False

    @property
    def row(self) -> EncodedRow:
        """The prompt with the answer, which counts."""
        prompt = self.prompt.token_ids
        return EncodedRow((*prompt, *self.tokens), (False,) * len(prompt) + (True,) * len(self.tokens))


class _Decoding:
    """All answers of a call on their way through the decoder, at most `batch_size` at once.

    Where a quarter of the rows have ended, the answers that wait take their places. Without any waiting, ended rows leave by
    eights: each time the whole cache is copied, and a kernel kept for each size.
    """

    def __init__(self, decoder: Decoder, answers: Sequence[_Answer], sampling: Sampling, codec: ChatCodec) -> None:
        self._decoder, self._sampling, self._stop_id = decoder, sampling, codec.stop_id
        self._waiting = deque(answers)
        self._rows: list[_Answer] = []
        self._is_read: list[bool] = []

    def run(self, keep_states: bool, ended: Callable[[int], None]) -> None:
        """Decodes every answer to its end; `ended` hears how many ended in each call of the network."""
        decoder = self._decoder
        while self._waiting or self._rows:
            self._fill()
            chosen = self._draw(keep_states, ended)
            gone = self._is_read if decoder.trunk is not None else [answer.has_ended for answer in self._rows]
            index = self._staying(gone)
            if len(index) < len(self._rows):
                decoder.keep(index)
                self._rows, chosen = [self._rows[i] for i in index.tolist()], chosen[index]
            if not self._rows:
                self._is_read = []
                continue
            trunk = decoder.advance(chosen)
            for i, answer in enumerate(self._rows):
                if trunk is not None and len(answer.trunk) <= len(answer.tokens):
                    answer.trunk.append(trunk[i])
            self._is_read = [answer.has_ended for answer in self._rows]

    def _fill(self) -> None:
        """Lets waiting answers in, the prompt of neighbours read once."""
        num_free = self._sampling.batch_size - len(self._rows)
        if not self._waiting or (self._rows and not self._decoder.can_join) or not num_free:
            return
        coming = [self._waiting.popleft() for _ in range(min(num_free, len(self._waiting)))]
        groups = [list(group) for _, group in groupby(coming, key=lambda answer: id(answer.prompt))]
        trunk = self._decoder.add([group[0].prompt for group in groups], [len(group) for group in groups])
        if trunk is not None:
            for states, group in zip(trunk, groups, strict=True):
                for answer in group:
                    answer.trunk.append(states)
        self._rows += coming
        self._is_read += [False] * len(coming)

    def _draw(self, keep_states: bool, ended: Callable[[int], None]) -> Int[Tensor, "B"]:
        """The next token of every row, written down where the answer goes on."""
        decoder, sampling = self._decoder, self._sampling
        taken = [min(len(answer.tokens), sampling.max_new_tokens - 1) for answer in self._rows]
        uniforms = torch.stack([answer.uniforms[num] for answer, num in zip(self._rows, taken, strict=True)])
        logits = decoder.logits.float() / sampling.temperature
        chosen = drawn(logits, uniforms.to(logits.device), top_p=sampling.top_p, greedy=sampling.greedy)
        logprobs = logits.gather(-1, chosen[:, None]).squeeze(-1) - logits.logsumexp(-1)
        num_ended = 0
        for i, (token, logprob) in enumerate(zip(chosen.tolist(), logprobs.tolist(), strict=True)):
            answer = self._rows[i]
            if answer.has_ended:
                continue
            answer.tokens.append(token)
            answer.logprobs.append(logprob)
            if keep_states:
                answer.states.append(decoder.states[i])
            answer.has_ended = token == self._stop_id or len(answer.tokens) == sampling.max_new_tokens
            num_ended += answer.has_ended
        if num_ended:
            ended(num_ended)
        return chosen

    def _staying(self, gone: Sequence[bool]) -> Int[Tensor, "M"]:
        """The rows to go on with: those that are not gone, and, where copying would not pay yet, some that are."""
        num_going = gone.count(False)
        refills = bool(self._waiting) and self._decoder.can_join
        num_kept = num_going if refills or not num_going else min(rounded_up(num_going), len(gone))
        if refills and num_going and len(gone) - num_going < self._sampling.batch_size / 4:
            num_kept = len(gone)
        order = sorted(range(len(gone)), key=gone.__getitem__)
        return torch.tensor(sorted(order[:num_kept]), dtype=torch.long, device=self._decoder.logits.device)


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
    ended: Callable[[int], None] = lambda num: None,
) -> Rollouts:
    """`num_answers` answers to each prompt, side by side, with the log-probabilities they were drawn at.

    Answer k to a prompt is keyed by (seed, step, prompt id, k); over equal prompts k counts on. At most
    `sampling.batch_size` are decoded at once. `keep_states` keeps the last hidden states, and `trunk`, which must be the
    model's own lower layers, the activations above it, so that no learner computes them again. `ended` hears how many
    answers have ended, as they do. Raises PlauditError for fewer than one answer a prompt, and where the longest prompt with
    its answer could outgrow the model's context.
    """
    _check_fits(model, prompts, sampling, num_answers)
    was_training = model.training
    model.eval()
    seen: dict[str, int] = {}
    answers: list[_Answer] = []
    for prompt in prompts:
        first = seen.get(prompt.id, 0)
        seen[prompt.id] = first + num_answers
        keys = [(seed, step, prompt.id, first + k) for k in range(num_answers)]
        answers += [_Answer(prompt, uniforms) for uniforms in answer_uniforms(keys, sampling.max_new_tokens)]
    # Only the decoding: a tensor made in inference mode could not take part in the learner's backward pass.
    with torch.inference_mode(), packed_for(model, min(len(answers), sampling.batch_size)):
        _Decoding(Decoder(model, codec.pad_id, trunk), answers, sampling, codec).run(keep_states, ended)
    model.train(was_training)
    rollouts = _rollouts(answers, codec, num_answers)
    if keep_states:
        states = torch.stack([state for answer in answers for state in answer.states])
        rollouts = rollouts.with_states(_spread(states, rollouts.rows.answer_mask))
    if trunk is not None:
        kept = torch.cat([x.view(-1, x.shape[-1]) for answer in answers for x in answer.trunk])
        rows = rollouts.rows.with_trunk(_spread(kept, rollouts.rows.attention_mask), trunk.key)
        rollouts = rollouts.with_rows(rows)
    return rollouts


def _spread(vectors: Float[Tensor, "N D"], mask: Bool[Tensor, "B T"]) -> Float[Tensor, "B T D"]:
    """The vectors, one after the other, where the mask counts; zeros elsewhere."""
    spread = torch.zeros((*mask.shape, vectors.shape[-1]), dtype=vectors.dtype, device=vectors.device)
    spread[mask.to(vectors.device)] = vectors
    return spread


def _check_fits(model: PreTrainedModel, prompts: Sequence[EncodedPrompt], sampling: Sampling, num_answers: int) -> None:
    if num_answers < 1:
        raise PlauditError(f"each prompt needs at least one answer, asked for {num_answers}")
    context = context_of(model)
    longest = max((len(prompt.token_ids) for prompt in prompts), default=0)
    if context is not None and longest + sampling.max_new_tokens > context:
        raise PlauditError(
            f"a prompt of {longest} tokens and an answer of up to max_new_tokens = {sampling.max_new_tokens} do not fit into "
            f"the model's context of {context} tokens: lower max_new_tokens, or the limit on the prompt's tokens"
        )


def _rollouts(answers: Sequence[_Answer], codec: ChatCodec, num_answers: int) -> Rollouts:
    rows = collated([answer.row for answer in answers], codec.pad_id)
    flat = torch.tensor([logprob for answer in answers for logprob in answer.logprobs])
    return Rollouts(
        rows=rows,
        logprobs=torch.zeros(rows.token_ids.shape).masked_scatter(rows.answer_mask, flat),
        finished=torch.tensor([answer.tokens[-1] == codec.stop_id for answer in answers]),
        prompt_index=torch.arange(len(answers)) // num_answers,
        texts=tuple(codec.decoded(answer.tokens) for answer in answers),
    )
