"""Names abroad: every flag leads to a field, every metric is listed once, and renaming loses none."""

from dataclasses import fields, is_dataclass
from typing import get_type_hints

import pytest

from plaudit.runs.metric_names import OWN_METRICS, TRL_FLAGS, TRL_METRICS, as_trl_metrics, trl_name


@pytest.mark.parametrize(
    ("metric", "name"),
    [
        ("kl/k1", "objective/kl"),
        ("score/mean", "objective/scores"),
        ("score/learned", "rewards/learned/mean"),
        ("score/std", "score/std"),
        ("episodes", "episode"),
        ("answer/stop_frac", "answer/stop_frac"),
        ("seconds/sample", "seconds/sample"),
    ],
)
def test_names(metric: str, name: str) -> None:
    assert trl_name(metric) == name


def test_renaming_loses_no_metric() -> None:
    """Two metrics under one name would overwrite each other on a tracker."""
    metrics = [*TRL_METRICS, *OWN_METRICS, "score/learned", "score/brief", "seconds/sample", "loss/lm"]
    values = {metric: float(index) for index, metric in enumerate(metrics)}
    assert sorted(as_trl_metrics(values).values()) == sorted(values.values())


def test_a_metric_is_either_translated_or_our_own() -> None:
    assert TRL_METRICS.keys().isdisjoint(OWN_METRICS)


def field_paths(config: type) -> set[str]:
    """The dotted names of a config's fields, nested configs included."""
    paths: set[str] = set()
    hints = get_type_hints(config)
    for field in fields(config):
        paths.add(field.name)
        if is_dataclass(hints[field.name]):
            paths |= {f"{field.name}.{inner}" for inner in field_paths(hints[field.name])}
    return paths


def test_every_flag_leads_to_a_field_that_exists() -> None:
    from plaudit.trainers.dpo import DPOConfig
    from plaudit.trainers.ppo_config import PPOConfig
    from plaudit.trainers.reward import RewardConfig
    from plaudit.trainers.sft import SFTConfig

    known = set.union(*(field_paths(config) for config in (SFTConfig, RewardConfig, DPOConfig, PPOConfig)))
    assert {flag: field for flag, field in TRL_FLAGS.items() if field not in known} == {}


def test_the_flags_of_trls_ppo_are_covered() -> None:
    flags = "num_ppo_epochs num_mini_batches response_length missing_eos_penalty kl_coef cliprange cliprange_value"
    assert {*flags.split(), "vf_coef", "gamma", "lam", "whiten_rewards", "temperature"} <= TRL_FLAGS.keys()
