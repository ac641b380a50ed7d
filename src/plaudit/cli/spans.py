"""`plaudit spans`: a model of what people mark in answers, word by word."""

from __future__ import annotations

from dataclasses import dataclass, field

from plaudit.cli.agreement import check_chat_model
from plaudit.cli.training import TrainingCommand, of_kinds
from plaudit.schemas.feedback import Highlights
from plaudit.trainers.spans import SpansConfig, train


@dataclass(frozen=True, kw_only=True, slots=True)
class SpansCommand(TrainingCommand):
    """Fit a model to the spans that people marked in answers; PPO and RLOO can be paid by it, sentence by sentence."""

    config: SpansConfig = field(default_factory=SpansConfig)

    def run(self) -> int:
        check_chat_model(self.config.model)
        marked = of_kinds(self.opened(), Highlights, file=self.data, command="spans")
        with self.recorded():
            result = train(self.config, marked)
        found = (result.fitted.validation or {}).get("auroc")
        if found is None:
            print("how well it tells marked tokens was not measured: held-out answers have none, or nothing else")
        else:
            print(f"area under the ROC curve on the tokens of held-out answers: {found:.3f} (0.5 is chance)")
        print(f"the span model is in {result.folder}")
        print(f"next: plaudit ppo --data {self.data} --model {self.config.model} --span-model {result.folder}")
        return 0
