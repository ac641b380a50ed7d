"""The reward model: a score for answers that explains people's rankings of them."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from transformers import PreTrainedModel

from plaudit.algorithms.preference import ranking_loss
from plaudit.batches.preferences import EncodedGroup, PreferenceRows, collated_groups
from plaudit.batches.tokens import TokenRows
from plaudit.evaluation.reward_quality import JudgedPairs, RewardQuality, reward_quality
from plaudit.models.kept import KeptActivations
from plaudit.models.load import Precision, device_for, load_codec
from plaudit.models.policy import TrainLayers, load_frozen_policy
from plaudit.models.reward import RewardModel, new_reward_model
from plaudit.models.save import save_scorer
from plaudit.rollout.decoding import context_of
from plaudit.rollout.sampler import Sampling, sampled
from plaudit.runs import RunDirectory, spawn_seed
from plaudit.schemas.conversation import Messages, prompt_id, unique_prompts
from plaudit.schemas.errors import PlauditError
from plaudit.schemas.feedback import Comparison, Ranking
from plaudit.schemas.preference import PreferenceGroup, pooled, preference_group
from plaudit.text.chat import ChatCodec
from plaudit.text.preferences import encoded_groups
from plaudit.text.prompts import EncodedPrompt, TooLong, encoded_prompts
from plaudit.trainers.admission import check_rows_fit, rows_of_groups, say_left_out, unused_groups
from plaudit.trainers.epochs import EpochsConfig, Fitted, fit
from plaudit.trainers.memory import Portions, in_portions, told
from plaudit.trainers.minibatches import held_out, permutation
from plaudit.trainers.optimisation import OptimiserConfig


@dataclass(frozen=True, kw_only=True, slots=True)
class RewardConfig:
    """A reward model from rankings and comparisons."""

    model: str = "runs/sft/model"
    """The model whose layers it starts from: the SFT model, as a rule."""
    out: str = "runs/reward"
    """The run folder; the reward model lands in its `model/`."""
    train: TrainLayers = field(default_factory=TrainLayers)
    """Which parameters learn, besides the score head."""
    optimiser: OptimiserConfig = field(default_factory=lambda: OptimiserConfig(learning_rate=5e-5))
    """How they move."""
    epochs: EpochsConfig = field(default_factory=lambda: EpochsConfig(num_epochs=2, batch_size=8, micro_batch_size=16))
    """How long and in what portions; an item is a prompt with all its answers."""
    label_smoothing: float = 0.0
    """The share of labels taken to be swapped. Raising it makes the model less sure of every pair."""
    max_tokens: int = 512
    """Longest prompt with answer. Longer ones are refused, or left out and counted under `drop_too_long`."""
    drop_too_long: bool = False
    """Leave out prompts with an answer over max_tokens instead of refusing them."""
    validation_frac: float = 0.15
    """Held-out share of the prompts, for accuracy and early stopping."""
    normalise_on: Literal["sampled", "data", "none"] = "sampled"
    """Mean 0 and deviation 1 over: fresh answers of `reference`; some of the training answers (if the reference wrote them);
    off."""
    reference: str = ""
    """The reference policy for `sampled`; empty means `model`."""
    num_reference_answers: int = 64
    """How many answers are scored for the normalisation. More make its mean and deviation surer."""
    precision: Precision = Precision.AUTO
    """Type of weights and arithmetic; `auto` is float32, with bfloat16 products where the hardware has them."""
    device: str = "auto"
    """auto, cpu or cuda."""
    seed: int = 0
    """Everything random follows from it."""
    resume: bool = False
    """Continue the run in `out` from its last checkpoint."""

    def __post_init__(self) -> None:
        if not 0 <= self.label_smoothing < 0.5:
            raise PlauditError(f"label_smoothing must lie in [0, 0.5), got {self.label_smoothing}")
        if not 0 <= self.validation_frac < 1:
            raise PlauditError(f"validation_frac must lie in [0, 1), got {self.validation_frac}")
        if self.num_reference_answers < 2:
            raise PlauditError("num_reference_answers must be at least 2: one answer has no deviation")


@dataclass(frozen=True, slots=True)
class RewardResult:
    """Where the model is, how the fit ended, and its quality on held-out strict pairs (None without any)."""

    folder: Path
    fitted: Fitted
    quality: RewardQuality | None


@torch.no_grad()
def raw_scores(model: RewardModel, rows: TokenRows, micro_batch_size: int) -> Float[Tensor, "B"]:
    """The raw score of every row, on the model's device."""
    device = model.head.weight.device
    scores = torch.empty(len(rows), device=device)
    for part in rows.micro_batches(micro_batch_size):
        scores[part] = model(rows.select(part).to(device))
    return scores


class RankingLoss:
    """InstructGPT's loss: all pairs of a prompt in one batch, each answer encoded once."""

    def __init__(
        self,
        model: RewardModel,
        data: PreferenceRows,
        held: PreferenceRows | None,
        micro: int,
        smoothing: float,
        known: KeptActivations | None = None,
    ) -> None:
        self._model, self.portions, self._smoothing = model, Portions(micro), smoothing
        self._data = self._prepared(data, known)
        self._held = None if held is None else self._prepared(held, known)

    def _prepared(self, data: PreferenceRows, known: KeptActivations | None) -> PreferenceRows:
        data = data.to(self._model.head.weight.device)
        return data.with_rows(self._model.prepared(data.rows, known))

    @property
    def num_items(self) -> int:
        return self._data.num_groups

    def trained_parameters(self) -> Iterator[tuple[str, nn.Parameter]]:
        return self._model.trained_parameters()

    def _loss(self, data: PreferenceRows, scores: Float[Tensor, "B"], denominator: float) -> Float[Tensor, ""]:
        return ranking_loss(
            scores,
            data.pair_a,
            data.pair_b,
            data.targets,
            data.weights,
            margins=data.margins,
            label_smoothing=self._smoothing,
            denominator=denominator,
        )

    def backward(self, index: Int[Tensor, "n"]) -> dict[str, float]:
        batch = self._data.select_groups(index)
        denominator = float(batch.weights.sum())
        total = 0.0
        for part in batch.micro_batches(self.portions.size):
            loss = self._loss(part, self._model(part.rows), denominator)
            loss.backward()
            total += float(loss.detach())
        return {"loss": total, "num_pairs": float(len(batch.weights))}

    @torch.no_grad()
    def validation(self) -> dict[str, float] | None:
        if self._held is None:
            return None
        scores = raw_scores(self._model, self._held.rows, self.portions.size)
        loss = float(self._loss(self._held, scores, float(self._held.weights.sum())))
        quality = quality_on(scores, self._held)
        return {"loss": loss} | ({} if quality is None else {"accuracy": quality.accuracy.value})


def quality_on(
    scores: Float[Tensor, "B"], data: PreferenceRows, groups: Sequence[PreferenceGroup] = ()
) -> RewardQuality | None:
    """The quality of the scores on the strict pairs (a target other than 1/2); None where there is none.

    `groups` are those that `data` encodes: with them intervals treat two groups over one prompt as one, and accuracy is
    told by source.
    """
    data, scores = data.to(torch.device("cpu")), scores.cpu()
    strict = data.targets != 0.5
    if not bool(strict.any()):
        return None
    of_pair = data.group_of_pair[strict].tolist()
    names = [prompt_id(groups[group].prompt) if groups else str(group) for group in of_pair]
    sources = [groups[group].source or "unnamed" if groups else "all" for group in of_pair]
    pairs = JudgedPairs(
        data.pair_a[strict].numpy(),
        data.pair_b[strict].numpy(),
        (data.targets[strict] > 0.5).numpy(),
        np.unique(names, return_inverse=True)[1],
    )
    lengths = data.rows.answer_mask.sum(-1).double().numpy()
    return reward_quality(scores.double().numpy(), lengths, pairs, sources)


def preference_groups(records: Sequence[Ranking | Comparison | PreferenceGroup]) -> list[PreferenceGroup]:
    """The records as groups, those over the same prompt and answers pooled."""
    return pooled(record if isinstance(record, PreferenceGroup) else preference_group(record) for record in records)


def split_groups(
    encoded: Sequence[EncodedGroup], groups: Sequence[PreferenceGroup], frac: float, seed: int, pad_id: int
) -> tuple[PreferenceRows, PreferenceRows | None, list[PreferenceGroup]]:
    """Training rows, held-out rows (None without any) and the held-out groups, split by prompt."""
    out = held_out([prompt_id(group.prompt) for group in groups], frac, seed)
    learnt = [group for group, is_out in zip(encoded, out, strict=True) if not is_out]
    held = [group for group, is_out in zip(encoded, out, strict=True) if is_out]
    held_groups = [group for group, is_out in zip(groups, out, strict=True) if is_out]
    return collated_groups(learnt, pad_id), collated_groups(held, pad_id) if held else None, held_groups


def train(
    config: RewardConfig,
    records: Sequence[Ranking | Comparison | PreferenceGroup],
    *,
    known: KeptActivations | None = None,
) -> RewardResult:
    """Fits a reward model to the records, normalises it, and writes it to `<out>/model`.

    `known` are the frozen layers' activations of answers as they were sampled, which need not be computed again.
    """
    codec = load_codec(config.model)
    given = preference_groups(records)
    encoded, groups = encoded_groups(given, codec, max_tokens=config.max_tokens, drop_too_long=config.drop_too_long)
    data, held, held_groups = split_groups(encoded, groups, config.validation_frac, config.seed, codec.pad_id)
    model = new_reward_model(
        config.model,
        config.train,
        seed=spawn_seed(config.seed, "score head"),
        precision=config.precision,
        pad_id=codec.pad_id,
        device=device_for(config.device),
    )
    check_rows_fit(rows_of_groups(encoded), model.full, config.model)
    asked, no_room = _asked(config, model, codec, [group.prompt for group in groups])
    run = RunDirectory.create(
        config.out,
        command="reward",
        config=asdict(config),
        seed=config.seed,
        resume=config.resume,
        may_change={"resume"},
        parent=config.model,
    )
    with run:
        run.log(f"{len(groups)} prompts, {len(data.targets)} training pairs, {len(held_groups)} prompts held out")
        say = told(run)
        say_left_out("prompts", unused_groups(given, groups, config.max_tokens), say)
        say_left_out("prompts of the normalisation", {"no room for an answer in the model's context": no_room}, say)
        micro = config.epochs.micro_batch_size
        objective = RankingLoss(model, data, held, micro, config.label_smoothing, known)
        fitted = fit(objective, config.epochs, config.optimiser, run, seed=config.seed, resume=config.resume)
        scored = partial(_scored, model, objective.portions, say)
        if config.normalise_on != "none":
            _normalise(model, scored(_own_answers(config, codec, data, asked, say)))
        quality = None if held is None else quality_on(scored(held.rows), held, held_groups)
        numbers = {} if quality is None else {"held-out accuracy": quality.accuracy.value}
        folder = run.path / "model"
        save_scorer(model, codec.tokenizer, folder, parent=config.model, numbers=numbers)
    return RewardResult(folder, fitted, quality)


def _asked(
    config: RewardConfig, model: RewardModel, codec: ChatCodec, prompts: Sequence[Messages]
) -> tuple[list[EncodedPrompt], int]:
    """The prompts that the reference answers for the normalisation, and how many leave its answers no room.

    Settled before the fit, so that no run ends without its model for want of them: raises PlauditError where none is left.
    """
    if config.normalise_on != "sampled":
        return [], 0
    contexts = [context_of(model.full)]
    if config.reference not in ("", config.model):
        contexts.append(context_of(_reference(config)))
    context = min((one for one in contexts if one is not None), default=sys.maxsize)
    unique = unique_prompts(prompts)
    encoded, _ = encoded_prompts(unique, codec, max_tokens=config.max_tokens, too_long=TooLong.DROP)
    room = context - Sampling().max_new_tokens
    fitting = [prompt for prompt in encoded if len(prompt.token_ids) <= room]
    if not fitting:
        raise PlauditError(
            f"no prompt leaves room for an answer of {Sampling().max_new_tokens} tokens in the model's context of "
            f"{context}, so the reference cannot answer any: set normalise_on to 'data' or 'none'"
        )
    return fitting[: config.num_reference_answers], len(encoded) - len(fitting)


def _reference(config: RewardConfig) -> PreTrainedModel:
    """The model whose own answers are to have mean 0."""
    name = config.reference or config.model
    return load_frozen_policy(name, precision=config.precision, device=device_for(config.device)).sampler()


def _own_answers(
    config: RewardConfig,
    codec: ChatCodec,
    data: PreferenceRows,
    asked: Sequence[EncodedPrompt],
    say: Callable[[str], None],
) -> TokenRows:
    """What the scores are normalised on: fresh answers of the reference to the prompts, or some of the training answers."""
    if config.normalise_on == "data":
        return data.rows.select(permutation(len(data.rows), config.seed, "normalise")[: config.num_reference_answers])
    reference, decoding = _reference(config), Portions(Sampling().batch_size)
    per_prompt = -(-config.num_reference_answers // len(asked))
    seed = spawn_seed(config.seed, "reference answers")

    def answers() -> TokenRows:
        sampling = Sampling(batch_size=decoding.size)
        return sampled(reference, codec, asked, sampling, num_answers=per_prompt, seed=seed).rows

    return in_portions(answers, decoding, say=say)


def _scored(model: RewardModel, portions: Portions, say: Callable[[str], None], rows: TokenRows) -> Float[Tensor, "B"]:
    """The raw scores of the rows, in the portions that the fit ended with or smaller ones."""
    return in_portions(lambda: raw_scores(model, rows, portions.size), portions, say=say)


def _normalise(model: RewardModel, scores: Float[Tensor, "B"]) -> None:
    """Sets mean and deviation to those of the scores. (Ziegler et al. 2019, section 2.1.)"""
    model.mean, model.std = float(scores.mean()), max(float(scores.std(correction=0)), 1e-6)
