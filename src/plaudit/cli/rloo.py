"""`plaudit rloo`: what PPO does, with the other answers to a prompt in the critic's place."""

from __future__ import annotations

from dataclasses import dataclass, field

from plaudit.cli.scoring import ScoredTrainingCommand, checked_prompts
from plaudit.trainers.rloo import RLOOConfig, train


@dataclass(frozen=True, kw_only=True, slots=True)
class RLOOCommand(ScoredTrainingCommand):
    """Improve a model by RLOO on the prompts of a file, against a reward model, a function or a server."""

    config: RLOOConfig = field(default_factory=RLOOConfig)

    def run(self) -> int:
        config, interlocutor = self.config, self.other_side(self.config.experience)
        records = self.opened()
        prompts = checked_prompts(records, self.data)
        scorer = self.scorer(records)
        held, judge = self.watched(config.monitor, prompts)
        with self.recorded():
            result = train(
                config,
                prompts,
                scorer=scorer,
                held_prompts=held,
                judge=judge,
                interlocutor=interlocutor,
            )
        print(
            f"step {result.step}: score {result.metrics['score/mean']:.3f}, KL {result.metrics['kl/k1']:.3f} nats an answer"
        )
        print(f"the model is in {result.folder}")
        return 0
