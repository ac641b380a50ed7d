"""docs/numerics.md explains every number that a run of PPO writes, and none that it does not."""

import re
from pathlib import Path

from plaudit.runs import read_metrics
from plaudit.trainers import ppo
from tests.rollout.test_episodes import Curious
from tests.trainers.toy import ES, PROMPTS, demonstrations, experience, ppo_config

PAGE = (Path(__file__).parents[2] / "docs" / "numerics.md").read_text(encoding="utf-8")
PLAIN = {"step", "time", "episodes", "updates", "kl_coef", "lr"}


def documented() -> set[str]:
    rows = [line.split("|")[1] for line in PAGE.splitlines() if line.startswith("| `")]
    return {name for row in rows for name in re.findall(r"`([^`]+)`", row)}


def test_every_metric_is_explained(start: str, tmp_path: Path) -> None:
    ppo.train(
        ppo_config(start, tmp_path / "run", num_steps=1, ptx_coef=0.1, experience=experience(max_answers=2)),
        PROMPTS,
        scorer=ES,
        demonstrations=demonstrations(8),
        interlocutor=Curious(),
    )
    [row] = read_metrics(tmp_path / "run" / "metrics.jsonl")
    families = {name.removesuffix("...") for name in documented() if name.endswith("...")}
    written = {name for name in row if not name.startswith((*families, "loss/"))} - PLAIN
    named = {name for name in documented() if not name.endswith("...") and "<" not in name}
    assert written == named
