"""The recipe's settings; recipe.toml fills them."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from plaudit.client.openai_compatible import RemoteModel
from plaudit.schemas.errors import PlauditError
from plaudit.trainers.reward import RewardConfig
from recipes.hh_cpu.settings import HHConfig, Subsets


@dataclass(frozen=True, kw_only=True, slots=True)
class AIFeedbackConfig:
    """Labels that people gave few of: a judge model's beside them, and those that a reward model is sure of itself."""

    model: str = "smollm2-135m"
    """The model that reward models start from, and the judge where no server is named."""
    data: str = ""
    """The folder of data sets; empty means $PLAUDIT_DATA."""
    out: str = "runs/ai_feedback"
    """The folder for every model, measurement and the report. A finished stage in it is not repeated."""
    num_people: int = 300
    """Pairs whose labels by people the first reward model learns from."""
    num_unlabelled: int = 1200
    """Further pairs, whose labels by people only the last reward model sees."""
    num_test: int = 400
    """Pairs of other dialogues, for the accuracies."""
    num_judged: int = 60
    """Of the further pairs, those that the judge is asked about."""
    confidence: float = 0.75
    """A pair that the first reward model is at least so sure of is learnt from under its label."""
    judge: RemoteModel = field(default_factory=lambda: RemoteModel(temperature=0.0))
    """The judge, where `judge.model` names one; else `model` itself."""
    max_tokens: int = 256
    """Longest prompt with either answer."""
    num_upper: int = 8
    """Upper layers that the reward models train."""
    learning_rate: float = 1e-4
    """Their peak rate."""
    seed: int = 0
    """Everything random follows from it."""

    def __post_init__(self) -> None:
        if not 0.5 <= self.confidence < 1:
            raise PlauditError(f"confidence must lie in [0.5, 1), got {self.confidence}")
        if not 1 <= self.num_judged <= self.num_unlabelled:
            raise PlauditError(
                f"num_judged must lie in [1, num_unlabelled = {self.num_unlabelled}], got {self.num_judged}"
            )

    @property
    def rows(self) -> HHConfig:
        """Which rows of HH-RLHF: as recipes/hh_cpu draws them."""
        subsets = Subsets(
            num_demonstrations=1,
            num_held_demonstrations=1,
            num_train_pairs=self.num_people + self.num_unlabelled,
            num_test_pairs=self.num_test,
            num_shuffled_pairs=1,
            num_eval_prompts=1,
            max_tokens=self.max_tokens,
        )
        return HHConfig(
            model=self.model, data=self.data, out=self.out, num_upper=self.num_upper, subsets=subsets, seed=self.seed
        )

    def reward_config(self, stage: str, *, resume: bool) -> RewardConfig:
        """One of the reward models."""
        base = self.rows.reward_config(stage, resume=resume)
        optimiser = replace(base.optimiser, learning_rate=self.learning_rate)
        return replace(base, model=self.model, optimiser=optimiser, normalise_on="none")
