"""A resumed run is the uninterrupted one, bit for bit: metrics, samples, weights, optimisers."""

import json
import math
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import Tensor

from plaudit.batches.rollouts import Rollouts
from plaudit.checkpoints.folder import load_checkpoint
from plaudit.models.load import Precision, load_codec
from plaudit.models.policy import TrainLayers
from plaudit.models.reward import new_reward_model
from plaudit.models.save import save_scorer
from plaudit.rewards import Scores
from plaudit.runs.manifest import read_manifest
from plaudit.schemas.errors import PlauditError
from plaudit.trainers import dpo, ppo, pretrain, reward, sft
from plaudit.trainers.epochs import EpochsConfig
from tests.equivalence.killed_run import NUM_KILLS, config_of
from tests.trainers import test_dpo, test_pretrain, test_reward, test_sft
from tests.trainers.toy import ALL, ES, LORA, PROMPTS, UPPER, demonstrations, fast, ppo_config, rankings

CLOCKS = {"time", "tokens_per_s", "cpu_seconds"}


def content(run: Path) -> dict[str, object]:
    """All that a run leaves, clock readings apart."""
    metrics = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    found: dict[str, object] = {
        "metrics": [
            {name: x for name, x in row.items() if name not in CLOCKS and not name.startswith("seconds/")}
            for row in metrics
        ]
    }
    for path in sorted(run.rglob("*")):
        name = path.relative_to(run).as_posix()
        if path.suffix == ".safetensors" or name in ("samples.jsonl", "model/config.json"):
            found[name] = path.read_bytes()
    for folder in sorted((run / "checkpoints").glob("step-*")):
        saved = load_checkpoint(folder)
        found[folder.name] = saved.state
    return found


def assert_same(run: Path, other: Path) -> None:
    """Told apart by name before by content, so that a failure says where."""
    a, b = content(run), content(other)
    assert a.keys() == b.keys()
    assert [name for name in a if a[name] != b[name]] == []
    assert any(name.startswith("model/") for name in a)
    assert any(name.startswith("checkpoints/") for name in a)


class Interrupting:
    """The toy scorer, until it is asked for the n-th time: then somebody presses Ctrl-C."""

    def __init__(self, num_calls: int) -> None:
        self.left = num_calls

    def __call__(self, prompts: object, rollouts: Rollouts) -> Scores:
        if not self.left:
            raise KeyboardInterrupt
        self.left -= 1
        return ES(prompts, rollouts)  # type: ignore[arg-type]


@pytest.mark.parametrize("train", [ALL, UPPER, LORA], ids=["all", "upper", "lora"])
def test_ppo(start: str, tmp_path: Path, train: TrainLayers) -> None:
    """Cut in the fourth of six steps, checkpoints every second; and once more in the sixth."""
    settings = {"train": train, "num_steps": 6, "checkpoint_every": 2, "kl_target": 0.2, "ptx_coef": 0.2}
    extra = {"demonstrations": demonstrations(8)}

    def run(name: str, scorer: object, *, resume: bool = False) -> Path:
        config = ppo_config(start, tmp_path / name, resume=resume, **settings)
        ppo.train(config, PROMPTS, scorer=scorer, **extra)  # type: ignore[arg-type]
        return tmp_path / name

    with pytest.raises(KeyboardInterrupt):
        run("cut", Interrupting(3))
    assert read_manifest(tmp_path / "cut" / "manifest.json").status == "interrupted"
    with pytest.raises(KeyboardInterrupt):
        run("cut", Interrupting(3), resume=True)  # from the second step on: 3, 4, 5, then Ctrl-C in 6
    assert_same(run("cut", ES, resume=True), run("whole", ES))
    assert len(read_manifest(tmp_path / "cut" / "manifest.json").starts) == 3


def test_ppo_with_a_critic_of_its_own(start: str, tmp_path: Path) -> None:
    model = new_reward_model(start, UPPER, seed=0, precision=Precision.FLOAT32, pad_id=0, device=torch.device("cpu"))
    save_scorer(model, load_codec(start).tokenizer, tmp_path / "reward", parent=start, numbers={})
    settings = {"value": "reward", "reward_model": str(tmp_path / "reward"), "num_steps": 4, "checkpoint_every": 1}
    with pytest.raises(KeyboardInterrupt):
        ppo.train(ppo_config(start, tmp_path / "cut", **settings), PROMPTS, scorer=Interrupting(2))
    ppo.train(ppo_config(start, tmp_path / "cut", resume=True, **settings), PROMPTS, scorer=ES)
    ppo.train(ppo_config(start, tmp_path / "whole", **settings), PROMPTS, scorer=ES)
    assert_same(tmp_path / "cut", tmp_path / "whole")


def test_a_finished_run_resumed_writes_the_same_model_again(start: str, tmp_path: Path) -> None:
    settings = {"num_steps": 2, "checkpoint_every": 1}
    first = ppo.train(ppo_config(start, tmp_path / "run", **settings), PROMPTS, scorer=ES)
    before = content(tmp_path / "run")
    again = ppo.train(ppo_config(start, tmp_path / "run", resume=True, **settings), PROMPTS, scorer=Interrupting(0))
    assert content(tmp_path / "run") == before
    assert again.metrics == first.metrics


def run_killed(start: str, out: Path, seed: int) -> None:
    """A run that is killed at moments which the seed says, and let end at last."""
    root = Path(__file__).parents[2]
    command = [sys.executable, "-m", "tests.equivalence.killed_run", start, str(out), str(seed)]
    done = subprocess.run(command, cwd=root, capture_output=True, text=True, timeout=300, check=False)
    assert done.stdout.splitlines() == ["killed by 9"] * NUM_KILLS + ["ended"], done.stderr[-3000:]


def test_ppo_killed_three_times_at_random_moments(start: str, tmp_path: Path) -> None:
    run_killed(start, tmp_path / "killed", 0)
    ppo.train(config_of(start, tmp_path / "whole", resume=False), PROMPTS, scorer=ES, demonstrations=demonstrations(10))
    assert_same(tmp_path / "killed", tmp_path / "whole")
    manifest = read_manifest(tmp_path / "killed" / "manifest.json")
    assert (manifest.status, len(manifest.starts)) == ("finished", NUM_KILLS + 1)


EPOCHS = EpochsConfig(num_epochs=4, batch_size=6, micro_batch_size=8, patience=4)


def sft_run(start: str, out: Path, *, resume: bool = False) -> None:
    config = test_sft.config_of(out, model=start, epochs=EPOCHS, validation_frac=0.2, resume=resume)
    sft.train(config, demonstrations(30))


def pretrain_run(start: str, out: Path, *, resume: bool = False) -> None:
    config = test_pretrain.config_of(out, epochs=EPOCHS, resume=resume)
    pretrain.train(config, test_pretrain.DOCUMENTS * 2)


def reward_run(start: str, out: Path, *, resume: bool = False) -> None:
    config = test_reward.config_of(
        start, out, epochs=EPOCHS, resume=resume, train=UPPER, normalise_on="sampled", num_reference_answers=8
    )
    reward.train(config, rankings(24))


def dpo_run(start: str, out: Path, *, resume: bool = False) -> None:
    config = test_dpo.config_of(start, out, epochs=EPOCHS, resume=resume, optimiser=fast(3e-3))
    dpo.train(config, rankings(24))


RUNS = [
    (sft_run, sft.DemonstrationLoss),
    (pretrain_run, sft.DemonstrationLoss),
    (reward_run, reward.RankingLoss),
    (dpo_run, dpo.PreferenceLoss),
]


@pytest.mark.parametrize(("run", "objective"), RUNS, ids=["sft", "pretrain", "reward", "dpo"])
@pytest.mark.parametrize("num_updates", [7, 8])
def test_epochs(
    start: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    run: Callable[..., None],
    objective: type,
    num_updates: int,
) -> None:
    """Cut in the middle of an epoch, or between two, and let go on."""
    run(start, tmp_path / "whole")
    left = [num_updates]
    backward = objective.backward  # type: ignore[attr-defined]

    def cut(self: object, index: Tensor) -> dict[str, float]:
        if not left[0]:
            raise KeyboardInterrupt
        left[0] -= 1
        return backward(self, index)  # type: ignore[no-any-return]

    with monkeypatch.context() as patch:
        patch.setattr(objective, "backward", cut)
        with pytest.raises(KeyboardInterrupt):
            run(start, tmp_path / "cut")
    assert not (tmp_path / "cut" / "model").exists()
    run(start, tmp_path / "cut", resume=True)
    assert_same(tmp_path / "cut", tmp_path / "whole")


def test_another_config_is_no_resumption(start: str, tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        ppo.train(ppo_config(start, tmp_path / "run", checkpoint_every=1), PROMPTS, scorer=Interrupting(1))
    changed = ppo_config(start, tmp_path / "run", checkpoint_every=1, kl_coef=0.5, resume=True)
    with pytest.raises(PlauditError, match=r"kl_coef was 0\.05, now 0\.5"):
        ppo.train(changed, PROMPTS, scorer=ES)


def test_a_run_cut_before_its_first_checkpoint_begins_anew(
    start: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    settings = {"num_steps": 4, "checkpoint_every": 3}
    with pytest.raises(KeyboardInterrupt):
        ppo.train(ppo_config(start, tmp_path / "cut", **settings), PROMPTS, scorer=Interrupting(2))
    capsys.readouterr()
    ppo.train(ppo_config(start, tmp_path / "cut", resume=True, **settings), PROMPTS, scorer=ES)
    assert "ppo: there is no checkpoint yet: beginning from the start" in capsys.readouterr().err
    ppo.train(ppo_config(start, tmp_path / "whole", **settings), PROMPTS, scorer=ES)
    assert_same(tmp_path / "cut", tmp_path / "whole")


def test_a_run_whose_checkpoints_are_all_damaged_says_so(start: str, tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        ppo.train(ppo_config(start, tmp_path / "run", checkpoint_every=1), PROMPTS, scorer=Interrupting(1))
    (tmp_path / "run" / "checkpoints" / "step-000001" / "state.json").write_text("{}")
    with pytest.raises(PlauditError, match="no usable checkpoint to resume from: start a new run"):
        ppo.train(ppo_config(start, tmp_path / "run", checkpoint_every=1, resume=True), PROMPTS, scorer=ES)


def test_another_number_of_threads_is_told(
    start: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(KeyboardInterrupt):
        ppo.train(ppo_config(start, tmp_path / "run", checkpoint_every=1), PROMPTS, scorer=Interrupting(1))
    resumed = ppo_config(start, tmp_path / "run", checkpoint_every=1, resume=True)
    with monkeypatch.context() as patch:
        patch.setattr(torch, "get_num_threads", lambda: 7)
        ppo.train(resumed, PROMPTS, scorer=ES)
    says = "the checkpoint was saved with 1 threads, now there are 7"
    assert f"ppo: {says}" in capsys.readouterr().err
    assert says in (tmp_path / "run" / "log.txt").read_text()


def test_a_metric_that_is_no_number_survives(start: str, tmp_path: Path) -> None:
    """Scores all alike: the critic's explained variance is nothing over nothing. The checkpoint carries it as it is."""

    def alike(prompts: object, rollouts: Rollouts) -> Scores:
        return Scores(torch.ones(len(rollouts)))

    settings = {"kl_coef": 0.0, "num_steps": 1, "checkpoint_every": 1, "gae_lambda": 1.0}
    first = ppo.train(ppo_config(start, tmp_path / "run", **settings), PROMPTS, scorer=alike)
    assert math.isnan(first.metrics["value/explained_variance"])
    again = ppo.train(ppo_config(start, tmp_path / "run", resume=True, **settings), PROMPTS, scorer=alike)
    assert math.isnan(again.metrics["value/explained_variance"])
