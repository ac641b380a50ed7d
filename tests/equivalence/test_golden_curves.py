"""Golden curves: what short runs logged when they were last looked at. A change that bends one must say why.

Where that was meant, `python -m tests.equivalence.test_golden_curves` writes them anew; read the difference before
committing it. The bounds leave room for another processor's rounding: see `WITHIN`.
"""

import json
import os
import sys
import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from plaudit.runs import read_metrics
from plaudit.trainers import dpo, ppo, reward, rloo, sft
from plaudit.trainers.epochs import EpochsConfig
from plaudit.trainers.optimisation import OptimiserKind
from tests.trainers import test_dpo, test_reward, test_rloo, test_sft
from tests.trainers.toy import ES, PROMPTS, demonstrations, experience, fast, fine_tuned, ppo_config, rankings

GOLDEN = Path(__file__).with_name("golden_curves.json")
WITHIN = {"max": 2e-3, "mean": 2e-4}
"""Of a metric's largest value in the curve. With AVX-512 and with AVX2 the curves differ by at most a fifth of it."""

EPOCHS = EpochsConfig(num_epochs=2, batch_size=8, micro_batch_size=8, checkpoint=False)
SLOW = replace(fast(2e-3), eps=1e-5)


def _sft(start: str, out: Path) -> None:
    sft.train(test_sft.config_of(out, epochs=EPOCHS, optimiser=SLOW, validation_frac=0.2), demonstrations(60))


def _reward(start: str, out: Path) -> None:
    reward.train(test_reward.config_of(start, out, epochs=EPOCHS, optimiser=SLOW), rankings(48))


def _dpo(start: str, out: Path) -> None:
    dpo.train(test_dpo.config_of(start, out, epochs=EPOCHS, optimiser=SLOW), rankings(48))


def _ppo(start: str, out: Path) -> None:
    settings = {"num_steps": 8, "optimiser": SLOW, "kl_target": 0.5, "ptx_coef": 0.2, "num_epochs": 2}
    ppo.train(ppo_config(start, out, **settings), PROMPTS, scorer=ES, demonstrations=demonstrations(8))


def _ppo_with_muon(start: str, out: Path) -> None:
    muon = replace(SLOW, kind=OptimiserKind.MUON)
    settings = {"num_steps": 8, "optimiser": muon, "score_baseline": "leave_one_out", "gae_lambda": 1.0}
    ppo.train(ppo_config(start, out, experience=experience(answers_per_prompt=3), **settings), PROMPTS, scorer=ES)


def _rloo(start: str, out: Path) -> None:
    rloo.train(test_rloo.config_of(start, out, num_steps=8, optimiser=SLOW), PROMPTS, scorer=ES)


RUNS: dict[str, Callable[[str, Path], None]] = {
    "sft": _sft,
    "reward": _reward,
    "dpo": _dpo,
    "ppo": _ppo,
    "ppo with muon": _ppo_with_muon,
    "rloo": _rloo,
}


def curves_of(run: Path) -> dict[str, list[float]]:
    """Every metric by step, clocks apart."""
    rows = read_metrics(run / "metrics.jsonl")
    names = sorted({name for row in rows for name in row} - {"step", "time", "tokens_per_s", "cpu_seconds"})
    names = [name for name in names if not name.startswith("seconds/")]
    return {name: [float(f"{row[name]:.7g}") for row in rows if name in row] for name in names}


def apart(curve: list[float], golden: list[float]) -> NDArray[np.float64]:
    """|difference| by step, in units of the golden curve's largest value; of 1 where that is smaller than 1e-2."""
    values = np.asarray(golden)
    scale = np.abs(values).max()
    return np.abs(np.asarray(curve) - values) / (scale if scale > 1e-2 else 1.0)


@pytest.mark.parametrize("name", RUNS)
def test_a_run_follows_its_golden_curves(start: str, tmp_path: Path, name: str) -> None:
    RUNS[name](start, tmp_path / "run")
    golden = json.loads(GOLDEN.read_text())[name]
    curves = curves_of(tmp_path / "run")
    assert curves.keys() == golden.keys()
    assert {metric: len(curve) for metric, curve in curves.items()} == {m: len(curve) for m, curve in golden.items()}
    differences = {metric: apart(curve, golden[metric]) for metric, curve in curves.items()}
    largest = {metric: float(found.max()) for metric, found in differences.items()}
    assert {metric: x for metric, x in largest.items() if x > WITHIN["max"]} == {}
    means = {metric: float(found.mean()) for metric, found in differences.items()}
    assert {metric: x for metric, x in means.items() if x > WITHIN["mean"]} == {}


def written(folder: Path) -> None:
    """The golden curves as the code draws them now."""
    start = fine_tuned(folder / "start")
    golden = {}
    for name, run in RUNS.items():
        run(start, folder / name)
        golden[name] = curves_of(folder / name)
    GOLDEN.write_text(json.dumps(golden, indent=1) + "\n")


if __name__ == "__main__":
    if os.environ.get("OMP_NUM_THREADS") != "1":
        sys.exit("set OMP_NUM_THREADS=1: the tests run with one thread")
    with tempfile.TemporaryDirectory() as scratch:
        written(Path(scratch))
