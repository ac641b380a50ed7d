"""`plaudit sft`: a model that answers as people's demonstrations do."""

from __future__ import annotations

from dataclasses import dataclass, field

from plaudit.cli.agreement import check_chat_model
from plaudit.cli.training import TrainingCommand, of_kinds
from plaudit.schemas.feedback import Correction, Demonstration
from plaudit.schemas.implied import demonstration_of
from plaudit.trainers.sft import SFTConfig, train


@dataclass(frozen=True, kw_only=True, slots=True)
class SFTCommand(TrainingCommand):
    """Fine-tune a model on people's demonstrations."""

    config: SFTConfig = field(default_factory=SFTConfig)

    def run(self) -> int:
        check_chat_model(self.config.model)
        records: list[Demonstration | Correction] = of_kinds(
            self.opened(), Demonstration, Correction, file=self.data, command="sft"
        )
        demonstrations = [demonstration_of(one) if isinstance(one, Correction) else one for one in records]
        with self.recorded():
            result = train(self.config, demonstrations)
        if result.validation_perplexity is not None:
            print(f"perplexity on held-out demonstrations: {result.validation_perplexity:.2f}")
        print(f"the model is in {result.folder}")
        print(f"next: plaudit chat --model {result.folder}")
        return 0
