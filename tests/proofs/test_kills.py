"""Twenty PPO runs, each killed three times at random moments, end as the one that was not. Minutes, so `make prove` runs it."""

from __future__ import annotations

from pathlib import Path

import pytest

from plaudit.trainers import ppo
from tests.equivalence.killed_run import config_of
from tests.equivalence.test_resume import assert_same, run_killed
from tests.trainers.toy import ES, PROMPTS, demonstrations

pytestmark = pytest.mark.prove


def test_twenty_runs_of_three_kills_end_alike(start: str, tmp_path: Path) -> None:
    ppo.train(config_of(start, tmp_path / "whole", resume=False), PROMPTS, scorer=ES, demonstrations=demonstrations(10))
    for seed in range(1, 21):
        killed = tmp_path / f"killed-{seed}"
        run_killed(start, killed, seed)
        assert_same(killed, tmp_path / "whole")
