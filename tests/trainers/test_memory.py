"""Memory runs out: the run goes on in smaller portions, says so, and ends where it would have ended."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor

from plaudit.batches.tokens import TokenRows
from plaudit.models.load import Precision
from plaudit.models.policy import PolicyModel
from plaudit.models.reward import RewardModel, load_reward_model
from plaudit.rollout.decoding import Decoder
from plaudit.trainers import dpo, ppo, reward, rloo, sft
from plaudit.trainers.epochs import EpochsConfig
from plaudit.trainers.memory import Portions, in_portions
from plaudit.trainers.optimisation import OptimiserKind
from tests.trainers.toy import ALL, ES, PROMPTS, demonstrations, experience, fast, ppo_config, rankings

NO_MEMORY = "[enforce fail at alloc_cpu.cpp:127] err == 0. DefaultCPUAllocator: can't allocate memory: you tried to"
Run = Callable[[Path, int], object]
# Its updates are the gradients: what a broken attempt leaves behind shows, and rounding stays rounding.
SGD = fast(kind=OptimiserKind.SGD)


class Narrow:
    """Memory for `most` rows at once with gradients: more fail, after all of the forward pass."""

    def __init__(self, forward: Callable[..., object], most: int) -> None:
        self.forward, self.most, self.num_failed = forward, most, 0

    def __call__(self, model: object, rows: object, *rest: object) -> object:
        found = self.forward(model, rows, *rest)
        if torch.is_grad_enabled() and len(rows) > self.most:  # type: ignore[arg-type]
            self.num_failed += 1
            raise RuntimeError(NO_MEMORY)
        return found


def epochs(micro: int) -> EpochsConfig:
    return EpochsConfig(num_epochs=2, batch_size=8, micro_batch_size=micro)


def fine_tune(out: Path, micro: int) -> object:
    config = sft.SFTConfig(model="tiny", out=str(out), optimiser=SGD, epochs=epochs(micro), precision=Precision.FLOAT32)
    return sft.train(config, demonstrations(20))


def fit_reward(start: str, out: Path, micro: int) -> object:
    config = reward.RewardConfig(
        model=start,
        out=str(out),
        train=ALL,
        optimiser=SGD,
        epochs=epochs(micro),
        normalise_on="data",
        precision=Precision.FLOAT32,
    )
    return reward.train(config, rankings(12))


def prefer(start: str, out: Path, micro: int) -> object:
    config = dpo.DPOConfig(
        model=start, out=str(out), train=ALL, optimiser=SGD, epochs=epochs(micro), precision=Precision.FLOAT32
    )
    return dpo.train(config, rankings(12))


def improve(start: str, out: Path, micro: int) -> object:
    config = ppo_config(
        start,
        out,
        train=ALL,
        micro_batch_size=micro,
        ptx_coef=0.5,
        ptx_batch_size=8,
        optimiser=SGD,
        value_optimiser=SGD,
    )
    return ppo.train(config, PROMPTS, scorer=ES, demonstrations=demonstrations(16))


def improve_without_critic(start: str, out: Path, micro: int) -> object:
    config = rloo.RLOOConfig(
        model=start,
        reward_model="",
        out=str(out),
        train=ALL,
        experience=experience(),
        num_steps=2,
        num_minibatches=2,
        micro_batch_size=micro,
        optimiser=SGD,
        precision=Precision.FLOAT32,
    )
    return rloo.train(config, PROMPTS, scorer=ES)


@pytest.mark.parametrize("kind", ["sft", "reward", "dpo", "ppo", "rloo"])
def test_the_run_ends_where_one_with_small_portions_from_the_start_does(
    start: str, tmp_path: Path, kind: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Portions are halved twice; gradients of a broken attempt count nowhere, so the weights are equal."""
    runs: dict[str, Run] = {
        "sft": fine_tune,
        "reward": partial(fit_reward, start),
        "dpo": partial(prefer, start),
        "ppo": partial(improve, start),
        "rloo": partial(improve_without_critic, start),
    }
    # Rankings go through in whole prompts, of three answers each.
    first, last = (12, 3) if kind in ("reward", "dpo") else (8, 2)
    runs[kind](tmp_path / "small", last)
    model = RewardModel if kind == "reward" else PolicyModel
    narrow = Narrow(model.forward, last)
    monkeypatch.setattr(model, "forward", lambda *given: narrow(*given))
    capsys.readouterr()
    runs[kind](tmp_path / "run", first)
    assert narrow.num_failed == 2
    expected, found = (load_file(tmp_path / run / "model/model.safetensors") for run in ("small", "run"))
    assert found.keys() == expected.keys()
    if kind in ("sft", "reward"):
        assert all(torch.equal(found[name], expected[name]) for name in found)
    else:  # the reference had run in larger portions before
        assert all(torch.allclose(found[name], expected[name], atol=1e-5) for name in found)
    told = capsys.readouterr().err
    log = (tmp_path / "run/log.txt").read_text()
    for text in (told, log):
        assert f"out of memory: going on with {first // 2} rows at once" in text
        assert f"out of memory: going on with {last} rows at once" in text


def test_what_is_halved_and_for_how_long() -> None:
    portions, tried, said, cleared = Portions(8), list[int](), list[str](), list[int]()

    def work() -> str:
        tried.append(portions.size)
        if portions.size > 2:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB")
        return "done"

    assert in_portions(work, portions, say=said.append, clear=lambda: cleared.append(portions.size)) == "done"
    assert (tried, cleared) == ([8, 4, 2], [4, 2])
    assert said == [f"out of memory: going on with {size} rows at once, half of what it was" for size in (4, 2)]
    assert in_portions(work, portions, say=said.append) == "done"
    assert tried[3:] == [2]


@pytest.mark.parametrize("error", [RuntimeError(NO_MEMORY), MemoryError()])
def test_one_row_that_does_not_fit_is_an_error(error: Exception) -> None:
    def work() -> None:
        raise error

    portions = Portions(1)
    with pytest.raises(type(error)):
        in_portions(work, portions, say=print)
    assert portions.size == 1


def test_other_errors_are_not_tried_again() -> None:
    tried = list[int]()

    def work() -> None:
        tried.append(1)
        raise RuntimeError("shapes do not match")

    with pytest.raises(RuntimeError, match="shapes"):
        in_portions(work, Portions(8), say=print)
    assert tried == [1]


@pytest.mark.parametrize("room_for", ["scores", "answers"])
def test_a_reward_models_normalisation_goes_on_in_smaller_portions(
    start: str, tmp_path: Path, room_for: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """It comes after the fit, which a want of memory must not undo. Its scores are the same."""
    config = reward.RewardConfig(
        model=start,
        out=str(tmp_path / "small"),
        optimiser=SGD,
        epochs=epochs(3),
        precision=Precision.FLOAT32,
        train=ALL,
    )
    reward.train(config, rankings(12))
    forward, add = RewardModel.forward, Decoder.add

    def scored(self: RewardModel, rows: TokenRows) -> Tensor:
        if room_for == "scores" and len(rows) > 3:
            raise RuntimeError(NO_MEMORY)
        return forward(self, rows)

    def answered(self: Decoder, prompts: list[object], repeats: list[int]) -> object:
        if room_for == "answers" and sum(repeats) + len(self) > 16:
            raise RuntimeError(NO_MEMORY)
        return add(self, prompts, repeats)  # type: ignore[arg-type]

    monkeypatch.setattr(RewardModel, "forward", scored)
    monkeypatch.setattr(Decoder, "add", answered)
    capsys.readouterr()
    reward.train(replace(config, out=str(tmp_path / "run"), epochs=epochs(12)), rankings(12))
    says = f"out of memory: going on with {3 if room_for == 'scores' else 16} rows at once"
    assert says in capsys.readouterr().err
    assert says in (tmp_path / "run/log.txt").read_text()
    small, run = (load_reward_model(str(tmp_path / name / "model"), ALL) for name in ("small", "run"))
    assert (run.mean, run.std) == pytest.approx((small.mean, small.std), abs=1e-4)


def test_a_resumed_run_keeps_the_smaller_portions(start: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """They are part of the state that a resumed run's numbers depend on to the bit."""
    forward = PolicyModel.forward
    narrow = Narrow(forward, 2)
    monkeypatch.setattr(PolicyModel, "forward", lambda *given: narrow(*given))
    fine_tune(tmp_path / "sft", 8)
    config = ppo_config(start, tmp_path / "ppo", train=ALL, micro_batch_size=8, checkpoint_every=1)
    ppo.train(config, PROMPTS, scorer=ES)
    for run in ("sft", "ppo"):
        newest = max((tmp_path / run / "checkpoints").iterdir())
        assert '"rows_at_once": 2' in (newest / "state.json").read_text().replace('":2', '": 2')


SMALL = """
import resource, sys
from plaudit.schemas.conversation import assistant, user
from plaudit.schemas.feedback import Demonstration
from plaudit.trainers.epochs import EpochsConfig
from plaudit.trainers.sft import SFTConfig, train
import transformers.models.llama.modeling_llama, torch
rows = [Demonstration(prompt=(user("q"),), completion=(assistant("x" * 480 + str(i % 10)),)) for i in range(384)]
epochs = EpochsConfig(num_epochs=1, batch_size=384, micro_batch_size=384, checkpoint=False)
config = SFTConfig(model="tiny", out=sys.argv[1], epochs=epochs, validation_frac=0.0, max_tokens=600)
torch.set_num_threads(1)
used = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (used + 900 * 2**20, resource.RLIM_INFINITY))
train(config, rows)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="limits of address space are Linux's")
def test_a_process_that_may_have_no_more_memory_finishes(tmp_path: Path) -> None:
    """A real limit of the address space, in a process of its own: 384 rows do not fit, fewer do."""
    done = subprocess.run(
        [sys.executable, "-c", SMALL, str(tmp_path / "run")],
        capture_output=True,
        text=True,
        check=False,
        # So that what is freed leaves the address space, and none of it is set aside for threads.
        env={**os.environ, "MALLOC_MMAP_THRESHOLD_": "131072", "MALLOC_ARENA_MAX": "1"},
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert "out of memory: going on with 192 rows at once" in done.stderr
    assert (tmp_path / "run/model/model.safetensors").exists()
