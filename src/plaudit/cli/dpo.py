"""`plaudit dpo`: people's rankings straight into the model, no reward model between."""

from __future__ import annotations

from dataclasses import dataclass, field

from plaudit.cli.agreement import check_chat_model
from plaudit.cli.preferences import PreferenceCommand
from plaudit.trainers.dpo import DPOConfig, train


@dataclass(frozen=True, kw_only=True, slots=True)
class DPOCommand(PreferenceCommand):
    """Improve a model on people's rankings and comparisons by DPO."""

    config: DPOConfig = field(default_factory=DPOConfig)

    def run(self) -> int:
        check_chat_model(self.config.model)
        records = self.preferences("dpo")
        with self.recorded():
            result = train(self.config, records)
        numbers = result.fitted.validation
        if numbers is not None:
            print(f"held-out pairs ordered as people did: {100 * numbers['accuracy']:.0f} %")
        print(f"the model is in {result.folder}")
        print(f"next: plaudit chat --model {result.folder}")
        return 0
