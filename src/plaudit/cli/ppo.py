"""`plaudit ppo`: a model whose answers score higher, and that has not strayed far."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from plaudit.cli.scoring import ScoredTrainingCommand, checked_prompts
from plaudit.cli.training import of_kinds
from plaudit.formats import open_records
from plaudit.schemas.errors import PlauditError
from plaudit.schemas.feedback import Demonstration
from plaudit.trainers.ppo import train
from plaudit.trainers.ppo_config import PPOConfig


@dataclass(frozen=True, kw_only=True, slots=True)
class PPOCommand(ScoredTrainingCommand):
    """Improve a model by PPO on the prompts of a file, against a reward model, a function or a server."""

    demonstrations: Path | None = None
    """Demonstrations for the PTX term, which keeps the model from forgetting them; needs ptx_coef above 0."""
    config: PPOConfig = field(default_factory=PPOConfig)

    def __post_init__(self) -> None:
        if (self.demonstrations is None) != (self.config.ptx_coef == 0):
            raise PlauditError(
                f"demonstrations and ptx_coef belong together: got demonstrations = {self.demonstrations}, ptx_coef = "
                f"{self.config.ptx_coef}. Set both (ptx_coef above 0), or neither"
            )

    def files(self) -> dict[str, Path]:
        found = ScoredTrainingCommand.files(self)
        return found if self.demonstrations is None else found | {"demonstrations": self.demonstrations}

    def run(self) -> int:
        config, interlocutor = self.config, self.other_side(self.config.experience)
        records = self.opened()
        prompts = checked_prompts(records, self.data)
        scorer = self.scorer(records, needs_model=config.value == "reward")
        demonstrations: list[Demonstration] = []
        if self.demonstrations is not None:
            opened = open_records(self.demonstrations)
            demonstrations = of_kinds(opened, Demonstration, file=self.demonstrations, command="ppo --demonstrations")
        held, judge = self.watched(config.monitor, prompts)
        with self.recorded():
            result = train(
                config,
                prompts,
                scorer=scorer,
                demonstrations=demonstrations,
                held_prompts=held,
                judge=judge,
                interlocutor=interlocutor,
            )
        print(
            f"step {result.step}: score {result.metrics['score/mean']:.3f}, KL {result.metrics['kl/k1']:.3f} nats an answer, "
            f"{100 * result.metrics['answer/stop_frac']:.0f} % of the answers stop by themselves"
        )
        print(
            f"the model is in {result.folder}, best and worst answers of every step in {self.run_folder}/samples.jsonl"
        )
        print(f"next: plaudit evaluate --model {result.folder} --against {config.model} --prompts FILE")
        return 0
