"""Do the trainers make answers better? Under a permutation test on answers sampled before and after.

The toy score is the number of e's in an answer of at most eight letters; the policy begins with letters at random.
"""

from pathlib import Path

import pytest

from plaudit.models.load import Precision, load_causal_lm, load_codec
from plaudit.rollout.sampler import Sampling, sampled
from plaudit.statistics.significance import permutation_test
from plaudit.text.prompts import TooLong, encoded_prompts
from plaudit.trainers import dpo, ppo, reward, rloo
from plaudit.trainers.epochs import EpochsConfig
from tests.trainers.test_dpo import config_of as dpo_config
from tests.trainers.test_reward import config_of as reward_config
from tests.trainers.test_rloo import config_of as rloo_config
from tests.trainers.toy import ALL, ES, PROMPTS, experience, fast, ppo_config, rankings

NUM_ANSWERS = 16


def scores_of(folder: str) -> list[float]:
    """The toy score of answers drawn with a seed that no training uses, in the order of the prompts."""
    codec = load_codec(folder)
    prompts, _ = encoded_prompts(PROMPTS, codec, max_tokens=99, too_long=TooLong.REFUSE)
    sampling = Sampling(max_new_tokens=8)
    found = sampled(load_causal_lm(folder), codec, prompts, sampling, num_answers=NUM_ANSWERS, seed=12345)
    return [float(text.count("e")) for text in found.texts]


def assert_better(before: str, after: str, least: float) -> None:
    """By at least so many e's an answer, and not by chance."""
    old, new = scores_of(before), scores_of(after)
    gain = sum(new) / len(new) - sum(old) / len(old)
    assert gain > least
    assert permutation_test(new, old, paired=True) < 0.01


@pytest.mark.parametrize("train", ["all", "upper"])
def test_ppo(start: str, tmp_path: Path, train: str) -> None:
    settings = {} if train == "upper" else {"train": ALL}
    config = ppo_config(
        start,
        tmp_path / "run",
        num_steps=12,
        experience=experience(prompts_per_step=6, answers_per_prompt=4),
        **settings,
    )
    result = ppo.train(config, PROMPTS, scorer=ES)
    assert_better(start, str(result.folder), 0.7)
    assert result.metrics["kl/k1"] > 0


def test_rloo(start: str, tmp_path: Path) -> None:
    config = rloo_config(
        start, tmp_path / "run", num_steps=12, experience=experience(prompts_per_step=6, answers_per_prompt=4)
    )
    assert_better(start, str(rloo.train(config, PROMPTS, scorer=ES).folder), 0.7)


def test_dpo(start: str, tmp_path: Path) -> None:
    epochs = EpochsConfig(num_epochs=3, batch_size=8, micro_batch_size=32)
    config = dpo_config(start, tmp_path / "run", epochs=epochs, train=ALL, optimiser=fast(3e-3))
    assert_better(start, str(dpo.train(config, rankings(64)).folder), 0.7)


def test_ppo_from_rankings_alone(start: str, tmp_path: Path) -> None:
    """The whole chain: people's rankings, a reward model, PPO against it; the toy score is seen in the rankings only."""
    fitted = reward.train(reward_config(start, tmp_path / "reward", normalise_on="data"), rankings(96))
    config = ppo_config(
        start,
        tmp_path / "run",
        reward_model=str(fitted.folder),
        num_steps=12,
        experience=experience(prompts_per_step=6, answers_per_prompt=4),
    )
    assert_better(start, str(ppo.train(config, PROMPTS).folder), 0.4)


def test_a_higher_penalty_stays_nearer_to_the_reference(start: str, tmp_path: Path) -> None:
    """The divergence after the same steps falls with the coefficient, and so does the score."""
    found = []
    for kl_coef in (0.0, 0.3, 3.0):
        config = ppo_config(
            start,
            tmp_path / f"run-{kl_coef}",
            kl_coef=kl_coef,
            num_steps=10,
            experience=experience(prompts_per_step=6, answers_per_prompt=4),
            precision=Precision.FLOAT32,
        )
        metrics = ppo.train(config, PROMPTS, scorer=ES).metrics
        found.append((metrics["kl/k1"], metrics["score/mean"]))
    assert found == sorted(found, reverse=True)
    assert found[0][0] > 2 * found[2][0]
