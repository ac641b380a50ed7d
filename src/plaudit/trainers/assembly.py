"""Networks, prompts and scorer of a run that learns from its own answers, put together from its config."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from plaudit.models.load import Precision, device_for, load_codec
from plaudit.models.policy import PolicyModel, TrainLayers, load_policy
from plaudit.models.reward import RewardModel, load_reward_model
from plaudit.rewards.ensemble import EnsembleScorer
from plaudit.rewards.learned import LearnedScorer
from plaudit.rewards.scorer import Scorer, Summed
from plaudit.rewards.spans import SpanScorer
from plaudit.runs import PhaseTimer
from plaudit.schemas.conversation import Messages
from plaudit.schemas.errors import PlauditError
from plaudit.schemas.protocols import Interlocutor
from plaudit.text.chat import ChatCodec
from plaudit.text.prompts import TooLong, encoded_prompts
from plaudit.trainers.admission import check_prompts_fit, say_left_out
from plaudit.trainers.experience import Actor, ExperienceConfig


class ActorConfig(Protocol):
    """The settings that PPO and RLOO share."""

    @property
    def model(self) -> str: ...
    @property
    def reward_model(self) -> str: ...
    @property
    def reward_ensemble(self) -> tuple[str, ...]: ...
    @property
    def spread_coef(self) -> float: ...
    @property
    def span_model(self) -> str: ...
    @property
    def span_weight(self) -> float: ...
    @property
    def train(self) -> TrainLayers: ...
    @property
    def experience(self) -> ExperienceConfig: ...
    @property
    def prompt_too_long(self) -> TooLong: ...
    @property
    def micro_batch_size(self) -> int: ...
    @property
    def precision(self) -> Precision: ...
    @property
    def device(self) -> str: ...
    @property
    def seed(self) -> int: ...


@dataclass(frozen=True, slots=True)
class Assembled:
    """The actor, and the reward model it is scored by, if there is one."""

    actor: Actor
    reward: RewardModel | None


def assembled_actor(
    config: ActorConfig,
    prompts: Sequence[Messages],
    scorer: Scorer | None,
    *,
    needs_reward_model: bool = False,
    interlocutor: Interlocutor | None = None,
) -> Assembled:
    """The actor of a run. The reward model is loaded where no scorer is given, or where a critic starts from it.

    The config's span model, where there is one, adds to either; without a reward model it is the scorer.

    A reward model on the same frozen layers as the policy is moved onto the policy's. Raises PlauditError for a critic
    that would read another tokenizer's ids, and for a prompt that leaves no room for an answer in the policy's context.
    """
    codec, limit = load_codec(config.model), config.experience.max_prompt_tokens
    encoded, num_dropped = encoded_prompts(prompts, codec, max_tokens=limit, too_long=config.prompt_too_long)
    device = device_for(config.device)
    policy = load_policy(config.model, config.train, precision=config.precision, device=device)
    check_prompts_fit(encoded, policy.full, config.model, max_new_tokens=config.experience.sampling.max_new_tokens)
    reward, spans = None, None
    if config.span_model:
        spans = _span_scorer(config, policy, codec)
    alone = spans is not None and not config.reward_model
    if needs_reward_model or (scorer is None and not alone):
        reward = _frozen_scorer(config, config.reward_model, policy)
        reward_codec = load_codec(config.reward_model)
        if needs_reward_model and not reward_codec.writes_the_same_ids_as(codec):
            raise PlauditError(
                f"a critic begun as the reward model reads the policy's tokens, but {config.reward_model!r} has another "
                f"tokenizer or chat template than {config.model!r}: set value to 'policy'"
            )
        scorer = scorer or _learned_scorer(config, reward, reward_codec, policy, codec)
    if spans is not None:
        scorer = spans if scorer is None else Summed(scorer, spans)
    assert scorer is not None
    actor = Actor(
        config.experience,
        policy,
        policy.reference(),
        codec,
        scorer,
        encoded,
        seed=config.seed,
        micro_batch_size=config.micro_batch_size,
        timer=PhaseTimer(),
        interlocutor=interlocutor,
    )
    say_left_out("prompts", {f"over experience.max_prompt_tokens = {limit}": num_dropped}, actor.say)
    return Assembled(actor, reward)


def _learned_scorer(
    config: ActorConfig, reward: RewardModel, reward_codec: ChatCodec, policy: PolicyModel, codec: ChatCodec
) -> Scorer:
    """The reward model as a scorer, with the other members of its ensemble where it has one."""
    first = LearnedScorer(reward, reward_codec, policy_codec=codec)
    if not config.reward_ensemble:
        return first
    others = [
        LearnedScorer(_frozen_scorer(config, folder, policy), load_codec(folder), policy_codec=codec)
        for folder in config.reward_ensemble
    ]
    return EnsembleScorer([first, *others], config.spread_coef)


def _span_scorer(config: ActorConfig, policy: PolicyModel, codec: ChatCodec) -> SpanScorer:
    """The config's span model as a scorer."""
    model = _frozen_scorer(config, config.span_model, policy)
    return SpanScorer(model, load_codec(config.span_model), policy_codec=codec, weight=config.span_weight)


def _frozen_scorer(config: ActorConfig, folder: str, policy: PolicyModel) -> RewardModel:
    """The scorer in a folder, on the policy's frozen layers where they are the same."""
    model = load_reward_model(folder, config.train, precision=config.precision, device=device_for(config.device))
    model.requires_grad_(False)
    model.on_trunk(policy.branch.trunk)
    return model
