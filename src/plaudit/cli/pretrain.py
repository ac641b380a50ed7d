"""`plaudit pretrain`: a model that has read more."""

from __future__ import annotations

from dataclasses import dataclass, field

from plaudit.cli.agreement import check_language_model
from plaudit.cli.training import TrainingCommand, of_kinds
from plaudit.schemas.feedback import Document
from plaudit.trainers.pretrain import PretrainConfig, train


@dataclass(frozen=True, kw_only=True, slots=True)
class PretrainCommand(TrainingCommand):
    """Train a model further on plain documents, every token of them."""

    config: PretrainConfig = field(default_factory=PretrainConfig)

    def run(self) -> int:
        check_language_model(self.config.model)
        documents = of_kinds(self.opened(), Document, file=self.data, command="pretrain")
        with self.recorded():
            result = train(self.config, documents)
        if result.validation_perplexity is not None:
            print(f"perplexity on held-out documents: {result.validation_perplexity:.2f}")
        print(f"the model is in {result.folder}")
        return 0
