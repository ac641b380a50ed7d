"""What plaudit's config fields and metrics are called in TRL, whose names many dashboards and scripts know.

A name stands here only where both mean the same quantity, so that renaming is all it takes. TRL's
`completions/clipped_ratio`, for one, is 1 - `answer/stop_frac`: no entry.
"""

from __future__ import annotations

from collections.abc import Mapping

TRL_FLAGS: dict[str, str] = {
    "model_name_or_path": "model",
    "sft_model_path": "model",
    "reward_model_path": "reward_model",
    "output_dir": "out",
    "seed": "seed",
    "max_length": "max_tokens",
    "beta": "beta",
    "label_smoothing": "label_smoothing",
    "num_train_epochs": "epochs.num_epochs",
    "per_device_train_batch_size": "epochs.micro_batch_size",
    "learning_rate": "optimiser.learning_rate",
    "lr_scheduler_type": "optimiser.schedule",
    "warmup_ratio": "optimiser.warmup_frac",
    "weight_decay": "optimiser.weight_decay",
    "adam_epsilon": "optimiser.eps",
    "max_grad_norm": "optimiser.max_grad_norm",
    "lora_r": "train.lora_rank",
    "lora_alpha": "train.lora_alpha",
    "num_ppo_epochs": "num_epochs",
    "num_mini_batches": "num_minibatches",
    "local_rollout_forward_batch_size": "micro_batch_size",
    "response_length": "experience.sampling.max_new_tokens",
    "temperature": "experience.sampling.temperature",
    "missing_eos_penalty": "experience.truncated_penalty",
    "kl_coef": "kl_coef",
    "cliprange": "policy_clip",
    "cliprange_value": "value_clip",
    "vf_coef": "vf_coef",
    "gamma": "gamma",
    "lam": "gae_lambda",
    "whiten_rewards": "whiten_rewards",
}
"""TRL's flag -> plaudit's config field, dots where it lies in a nested config. Not every command has every field."""

TRL_METRICS: dict[str, str] = {
    "loss/policy": "loss/policy_avg",
    "loss/value": "loss/value_avg",
    "score/mean": "objective/scores",
    "reward/mean": "objective/rlhf_reward",
    "kl/k1": "objective/kl",
    "policy/approx_kl": "policy/approxkl_avg",
    "policy/clip_frac": "policy/clipfrac_avg",
    "policy/entropy": "policy/entropy_avg",
    "policy/ratio_mean": "val/ratio",
    "policy/ratio_var": "val/ratio_var",
    "value/clip_frac": "val/clipfrac_avg",
    "answer/length": "completions/mean_length",
    "lr": "lr",
    "episodes": "episode",
}
"""plaudit's metric -> TRL's. `reward/mean` and `objective/rlhf_reward` sum over an answer and average over answers."""

OWN_METRICS: tuple[str, ...] = (
    "score/std",
    "loss/ptx",
    "kl/k3",
    "value/explained_variance",
    "answer/stop_frac",
    "grad_norm/policy",
    "grad_norm/value",
    "kl_coef",
    "tokens_per_s",
    "cpu_seconds",
)
"""Metrics TRL has no word for. `score/<component>` and `seconds/<phase>` are families, named by what a run has.

`tokens_per_s` counts the tokens of sampled answers, by the seconds of the whole step; `cpu_seconds` are the step's, over all
threads and all phases of learning, a monitor's look left out.
"""


def trl_name(metric: str) -> str:
    """TRL's name of a metric; its own where TRL has none. A score's component is what TRL calls a reward function."""
    group, _, name = metric.partition("/")
    if group == "score" and metric not in {*TRL_METRICS, *OWN_METRICS}:
        return f"rewards/{name}/mean"
    return TRL_METRICS.get(metric, metric)


def as_trl_metrics(values: Mapping[str, float]) -> dict[str, float]:
    """The values under TRL's names, for a tracker."""
    return {trl_name(metric): value for metric, value in values.items()}
