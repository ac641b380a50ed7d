"""What `plaudit ppo` and `plaudit rloo` share: prompts from any records, and who scores the answers."""

from __future__ import annotations

import os
from abc import abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from pydantic import JsonValue

from plaudit.cli.agreement import check_chat_model, check_scorer_model
from plaudit.cli.training import LearnerConfig, TrainingCommand
from plaudit.cli.user_code import FunctionInterlocutor, module_path, reward_function
from plaudit.evaluation.evaluate import check_unseen
from plaudit.evaluation.judges import Judge, ScoreJudge
from plaudit.evaluation.reward_scorer import RewardModelScorer
from plaudit.formats import Records, open_records
from plaudit.models.load import load_codec
from plaudit.models.policy import TrainLayers
from plaudit.models.reward import load_reward_model
from plaudit.rewards import FunctionScorer, Scorer, TextualScorer
from plaudit.schemas.conversation import Messages, prompt_id, unique_prompts
from plaudit.schemas.errors import PlauditError
from plaudit.schemas.feedback import AnyRecord, Document
from plaudit.schemas.protocols import Interlocutor
from plaudit.trainers.assembly import ActorConfig
from plaudit.trainers.experience import ExperienceConfig
from plaudit.trainers.monitor import MonitorConfig


class ScoredConfig(LearnerConfig, ActorConfig, Protocol):
    """The settings that PPO and RLOO share."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ScoredTrainingCommand(TrainingCommand):
    """A command that samples answers to the prompts of `data` and has them scored."""

    reward_function: str = ""
    """`module.py:function`: f(prompts, completions, **columns) gives one number a completion; replaces a reward model."""
    reward_url: str = ""
    """A server that scores answers (`.../get_reward`); replaces a reward model. Its key comes from PLAUDIT_REWARD_KEY."""

    interlocutor: str = ""
    """`module.py:function`: f(conversations) says what the person replies to each, or None; with experience.max_answers."""

    monitor_prompts: Path | None = None
    """Prompts that are not trained on, for the hacking monitor; needs config.monitor.every above 0."""
    monitor_judge: str = ""
    """Another reward model's folder: whose opinion the monitor compares with the score. Empty watches form alone."""

    @property
    @abstractmethod
    def config(self) -> ScoredConfig:
        """The trainer's settings."""

    def files(self) -> dict[str, Path]:
        # Not super(): a dataclass with slots is a new class, which the zero-argument form does not find.
        found = TrainingCommand.files(self)
        if self.reward_function:
            found["reward_function"] = module_path(self.reward_function, "--reward-function")
        if self.interlocutor:
            found["interlocutor"] = module_path(self.interlocutor, "--interlocutor")
        if self.monitor_prompts is not None:
            found["monitor_prompts"] = self.monitor_prompts
        return found

    def other_side(self, experience: ExperienceConfig) -> Interlocutor | None:
        """Who replies to answers. Raises PlauditError where that and `experience.max_answers` are not given together."""
        if bool(self.interlocutor) != (experience.max_answers > 1):
            raise PlauditError(
                f"interlocutor and experience.max_answers belong together: got interlocutor = {self.interlocutor!r}, "
                f"experience.max_answers = {experience.max_answers}. Set both (max_answers above 1), or neither"
            )
        return FunctionInterlocutor(self.interlocutor) if self.interlocutor else None

    def watched(self, monitor: MonitorConfig, trained: Sequence[Messages]) -> tuple[list[Messages], Judge | None]:
        """The monitor's prompts and judge; none where it is off.

        Raises PlauditError where prompts and `monitor.every` are not given together, or a prompt is trained on.
        """
        if (self.monitor_prompts is None) != (monitor.every == 0):
            raise PlauditError(
                f"monitor_prompts and monitor.every belong together: got monitor_prompts = {self.monitor_prompts}, "
                f"monitor.every = {monitor.every}. Set both (monitor.every above 0), or neither"
            )
        if self.monitor_prompts is None:
            if self.monitor_judge:
                raise PlauditError("monitor_judge needs monitor_prompts to look at")
            return [], None
        held = checked_prompts(open_records(self.monitor_prompts), self.monitor_prompts)
        check_unseen(held, {prompt_id(prompt) for prompt in trained}, str(self.monitor_prompts))
        if not self.monitor_judge:
            return held, None
        judge = load_reward_model(self.monitor_judge, TrainLayers(kind="all"))
        return held, ScoreJudge(RewardModelScorer(judge, load_codec(self.monitor_judge)))

    def scorer(self, records: Sequence[AnyRecord], *, needs_model: bool = False) -> Scorer | None:
        """The scorer that replaces the reward model; None where that one or the span model scores, after a look at both.

        Raises PlauditError where two replacements are asked for, or an ensemble beside one.
        """
        config = self.config
        codec = check_chat_model(config.model)
        if config.span_model:
            check_scorer_model(config.span_model, codec, "spans")
        if self.reward_function and self.reward_url:
            raise PlauditError("give --reward-function or --reward-url, not both")
        replaced = self.reward_function or self.reward_url
        if replaced and config.reward_ensemble:
            raise PlauditError(f"reward_ensemble extends a reward model, which {replaced} replaces: give one of them")
        spans_alone = config.span_model and not config.reward_model
        if needs_model or not (replaced or spans_alone):
            if not config.reward_model:
                raise PlauditError(
                    "reward_model is empty: name a reward model's folder (`plaudit reward` makes one), or have answers scored "
                    "by --reward-function, --reward-url or --span-model"
                    + (". The critic begins as a reward model here (value = reward)" if needs_model else "")
                )
            for folder in (config.reward_model, *config.reward_ensemble):
                note = check_scorer_model(folder, codec)
                if note:
                    print(note)
        if self.reward_function:
            return FunctionScorer(reward_function(self.reward_function), columns_of(records))
        if self.reward_url:
            from plaudit.client import RemoteReward, RemoteScorer

            return TextualScorer(RemoteScorer(RemoteReward(url=self.reward_url), os.environ.get("PLAUDIT_REWARD_KEY")))
        return None


def prompts_of(records: Sequence[AnyRecord]) -> list[Messages]:
    """Every prompt of the records once, in order; an answer that stands with it is not looked at."""
    found = unique_prompts(record.prompt for record in records if not isinstance(record, Document))
    return [prompt for prompt in found if prompt]


def checked_prompts(records: Records, file: Path) -> list[Messages]:
    """The prompts of a file. Raises PlauditError where it has none."""
    prompts = prompts_of(records)
    if not prompts:
        raise PlauditError(
            f"{file} holds no prompts: give a file of prompts, demonstrations, comparisons or rankings "
            f"(`plaudit data check {file}` says what it holds)"
        )
    return prompts


def columns_of(records: Sequence[AnyRecord]) -> dict[str, Mapping[str, JsonValue]]:
    """The further columns of each prompt's first record, by prompt id."""
    found: dict[str, Mapping[str, JsonValue]] = {}
    for record in records:
        if not isinstance(record, Document):
            found.setdefault(prompt_id(record.prompt), record.extra)
    return found
