"""`plaudit dpo`: people's rankings straight into the model, no reward model between."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from plaudit.cli.agreement import check_chat_model
from plaudit.cli.preferences import PeopleCount, preferences
from plaudit.cli.training import TrainingCommand
from plaudit.trainers.dpo import DPOConfig, train


@dataclass(frozen=True, kw_only=True, slots=True)
class DPOCommand(TrainingCommand):
    """Improve a model on people's rankings and comparisons by DPO."""

    people: PeopleCount = "alike"
    """`by_skill` weighs people by what their verdicts say of them: a liar's are turned round, a clicker's count for nothing."""
    config: DPOConfig = field(default_factory=DPOConfig)

    @property
    def run_folder(self) -> Path:
        return Path(self.config.out)

    @property
    def resumes(self) -> bool:
        return self.config.resume

    def run(self) -> int:
        check_chat_model(self.config.model)
        records = preferences(self.opened(), file=self.data, command="dpo", people=self.people)
        with self.recorded():
            result = train(self.config, records)
        numbers = result.fitted.validation
        if numbers is not None:
            print(f"held-out pairs ordered as people did: {100 * numbers['accuracy']:.0f} %")
        print(f"the model is in {result.folder}")
        print(f"next: plaudit chat --model {result.folder}")
        return 0
