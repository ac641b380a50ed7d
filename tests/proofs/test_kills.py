"""Twenty PPO runs, each killed three times at random moments, end as the one that was not. Minutes, so `make prove` runs it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from plaudit.trainers import ppo
from tests.equivalence.killed_run import NUM_KILLS, config_of
from tests.equivalence.test_resume import assert_same
from tests.trainers.toy import ES, PROMPTS, demonstrations

pytestmark = pytest.mark.prove
ROOT = Path(__file__).parents[2]


def test_twenty_runs_of_three_kills_end_alike(start: str, tmp_path: Path) -> None:
    ppo.train(config_of(start, tmp_path / "whole", resume=False), PROMPTS, scorer=ES, demonstrations=demonstrations(10))
    for seed in range(1, 21):
        killed = tmp_path / f"killed-{seed}"
        command = [sys.executable, "-m", "tests.equivalence.killed_run", start, str(killed), str(seed)]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=600, check=False)
        assert done.stdout.splitlines() == ["killed by 9"] * NUM_KILLS + ["ended"], done.stderr[-3000:]
        assert_same(killed, tmp_path / "whole")
