"""`plaudit reward`: a model that scores answers as the people who ranked them would."""

from __future__ import annotations

from dataclasses import dataclass, field

from plaudit.cli.agreement import check_chat_model
from plaudit.cli.preferences import PreferenceCommand
from plaudit.evaluation.figures import drawn, length_slices_figure, reliability_figure
from plaudit.evaluation.report import Report, write_report
from plaudit.evaluation.reward_quality import RewardQuality
from plaudit.evaluation.tables import quality_table
from plaudit.statistics import Estimate
from plaudit.trainers.reward import RewardConfig, train


@dataclass(frozen=True, kw_only=True, slots=True)
class RewardCommand(PreferenceCommand):
    """Fit a reward model to people's rankings and comparisons."""

    config: RewardConfig = field(default_factory=RewardConfig)

    def run(self) -> int:
        check_chat_model(self.config.model)
        records = self.preferences("reward")
        with self.recorded():
            result = train(self.config, records)
        if result.quality is None:
            print("its quality was not measured: no strict pair is held out (validation_frac, or all pairs are ties)")
        else:
            print("\n".join(quality_lines(result.quality)))
            print(
                f"its calibration and where it is right: {write_report(quality_report(result.quality), self.run_folder)}"
            )
        print(f"the reward model is in {result.folder}")
        print(f"next: plaudit ppo --data {self.data} --model {self.config.model} --reward-model {result.folder}")
        return 0


def quality_lines(quality: RewardQuality) -> list[str]:
    """What was measured on the held-out pairs, for people."""
    lines = [f"accuracy on held-out pairs: {_shown(quality.accuracy)}"]
    lines.append(f"calibration error (ECE): {quality.expected_calibration_error:.3f}")
    for title, slices in (("by length", quality.by_length_difference), ("by source", quality.by_source)):
        lines += [f"  {title}, {name}: {_shown(estimate)}" for name, estimate in slices.items()]
    return lines


def quality_report(quality: RewardQuality) -> Report:
    """The same as a page with plots."""
    return Report(
        title="The reward model on held-out pairs",
        intro=("Strict pairs over prompts that no pair of was learnt from; intervals are bootstraps over prompts.",),
        tables=(quality_table(quality),),
        figures=drawn(reliability_figure(quality), length_slices_figure(quality)),
        summary={"reward_model": quality},
    )


def _shown(estimate: Estimate) -> str:
    return f"{estimate.value:.3f} (95 % {estimate.low:.3f} to {estimate.high:.3f}, {estimate.n} pairs)"
