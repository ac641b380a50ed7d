"""`plaudit doctor`: a healthy machine and model, and each thing that may be wrong."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from plaudit.cli import doctor
from plaudit.cli.agreement import model_config
from plaudit.cli.doctor import (
    Finding,
    Health,
    forecast_finding,
    free_memory,
    load_finding,
    machine,
    measured_rates,
    model_size,
)
from plaudit.cli.forecast import Forecast, Rates
from plaudit.models.load import load_causal_lm
from tests.cli.conftest import Plaudit, Trained

CPU = torch.device("cpu")


@pytest.fixture(autouse=True)
def known_speed(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """A speed that costs nothing to measure."""
    if "measure" not in request.node.name:
        monkeypatch.setattr(doctor, "measured_rates", lambda device, size=None: Rates(1e11, 2e10, 5e9))


def test_a_healthy_model_on_this_machine(plaudit: Plaudit) -> None:
    outcome = plaudit("doctor", "--model", "tiny")
    assert (outcome.status, outcome.err) == (0, "")
    lines = outcome.out.splitlines()
    assert all(line.split()[0] in ("ok", "warn") for line in lines)
    for words in (
        "versions: python 3.",
        "torch ",
        "logical CPUs",
        "bfloat16: ",
        "memory: ",
        "disk: ",
        "speed: 100 GFLOP/s in large matrix products, 20 in those that decode 64 answers, 5 GB/s of memory",
        "model: tiny: 0.1 million parameters",
        "vocabulary: 259 tokens, 259 embeddings",
        "template: answers end with '<|end|>' (2), rows are padded with '<|pad|>' (0)",
        "context: 512 tokens",
        "layers: 2, and PPO trains the upper 6 unless told otherwise: say --train.num-upper 1 to 2, or --train.kind all",
        "SFT (200 demonstrations, 3 epochs): about ",
        "PPO (24 steps of 128 answers): about ",
        "a rough estimate, wrong by a factor of two either way",
    ):
        assert words in outcome.out


def test_a_busy_machine_is_told_of(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two training runs on two cores wait for each other's threads."""
    busy, idle = load_finding(1.9), load_finding(0.3)
    assert (busy.health, idle.health) == (Health.WARN, Health.OK)
    assert busy.text.startswith(
        "1.9 threads computing in the last minute: beside another busy program a run takes several"
    )
    monkeypatch.setattr(os, "getloadavg", lambda: (1.9, 0.0, 0.0))
    assert busy in machine(CPU)


def test_without_a_model_it_looks_at_the_machine_only(plaudit: Plaudit) -> None:
    outcome = plaudit("doctor")
    assert outcome.status == 0
    assert outcome.out.splitlines()[-1].startswith("ok   speed")


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda model: (model / "chat_template.jinja").unlink(), "has no chat template"),
        (lambda model: _set(model, "config.json", vocab_size=200), "writes ids up to 258, but the model has 200"),
        (
            lambda model: _set(model, "config.json", architectures=["LlamaForSequenceClassification"]),
            "is a reward model",
        ),
    ],
)
def test_a_model_that_does_not_work_fails(
    plaudit: Plaudit, trained: Trained, tmp_path: Path, spoil: Callable[[Path], None], message: str
) -> None:
    model = Path(shutil.copytree(trained.sft, tmp_path / "spoilt"))
    spoil(model)
    outcome = plaudit("doctor", "--model", model)
    assert outcome.status == 1
    assert "fail model: " in outcome.out
    assert message in outcome.out


def _set(model: Path, file: str, **values: object) -> None:
    settings = json.loads((model / file).read_text())
    (model / file).write_text(json.dumps(settings | values))


def test_another_stop_token_in_the_models_config_is_a_warning(
    plaudit: Plaudit, trained: Trained, tmp_path: Path
) -> None:
    model = Path(shutil.copytree(trained.sft, tmp_path / "other"))
    _set(model, "config.json", eos_token_id=7)
    outcome = plaudit("doctor", "--model", model)
    assert outcome.status == 0
    assert "warn stop token: the template ends answers with 2, the model's config says [7]" in outcome.out


def healths(device: torch.device = CPU) -> dict[str, Finding]:
    return {finding.name: finding for finding in machine(device)}


def test_little_room_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    for free, health in ((6e9, Health.OK), (4e9, Health.WARN), (5e8, Health.FAIL)):
        monkeypatch.setattr(doctor.shutil, "disk_usage", lambda path, free=free: SimpleNamespace(free=free))
        assert healths()["disk"].health is health
    for room, health in ((8e9, Health.OK), (1e9, Health.WARN), (None, Health.WARN)):
        monkeypatch.setattr(doctor, "free_memory", lambda device, room=room: room)
        assert healths()["memory"].health is health


def test_few_threads_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor.os, "cpu_count", lambda: 8)
    monkeypatch.setattr(doctor.torch, "get_num_threads", lambda: 1)
    finding = healths()["device"]
    assert finding.health is Health.WARN
    assert "1 threads on 8 logical CPUs" in finding.text
    monkeypatch.setattr(doctor.torch, "get_num_threads", lambda: 4)
    assert healths()["device"].health is Health.OK


def test_bfloat16_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    for own, text in ((True, "in hardware"), (False, "not in hardware")):
        monkeypatch.setattr(doctor, "multiplies_bfloat16", lambda device, own=own: own)
        assert healths()["bfloat16"].text.startswith(text)


def test_a_forecast_over_the_memory_there_is_warns() -> None:
    assert forecast_finding("PPO", Forecast(bytes=3e9, seconds=90), 4e9).health is Health.OK
    assert forecast_finding("PPO", Forecast(bytes=3e9, seconds=90), None).health is Health.OK
    tight = forecast_finding("PPO", Forecast(bytes=3e9, seconds=90), 2e9)
    assert tight.health is Health.WARN
    assert "about 1 min 30 s and 3.0 GB" in tight.text
    assert "Only 2.0 GB are free" in tight.text


def test_a_models_size_is_that_of_its_weights() -> None:
    size = model_size(model_config("tiny"))
    model = load_causal_lm("tiny")
    total = sum(parameter.numel() for parameter in model.parameters())
    assert (size.num_layers, size.width, size.head_parameters) == (2, 64, 259 * 64)
    # The final norm, 64 weights, is counted with the layers.
    assert size.parameters == total
    # Queries, keys, values, output; gate, up, down.
    assert size.matrices == ((64, 64), (32, 64), (32, 64), (64, 64), (128, 64), (128, 64), (64, 128))


def test_free_memory_is_that_of_the_system() -> None:
    free = free_memory(CPU)
    assert free is None or 1e8 < free < 1e14


def test_measured_rates_are_positive() -> None:
    rates = measured_rates(CPU, model_size(model_config("tiny")))
    assert min(rates.large, rates.decoding, rates.memory) > 1e6


def test_gradient_checkpointing_is_in_the_estimates(plaudit: Plaudit) -> None:
    """Of two layers 2 inputs and 20 states are kept, not 40: 18 states less, of eight rows of a million tokens."""
    arguments = ("doctor", "--model", "tiny", "--demonstration-tokens", "1000000", "--prompt-tokens", "100000")
    found = []
    for more in ((), ("--gradient-checkpointing",)):
        lines = plaudit(*arguments, *more).out.splitlines()
        found.append([float(line.split(" GB with")[0].split()[-1]) for line in lines if " GB with" in line])
    (sft, ppo), (less_sft, less_ppo) = found
    state = 8 * 1_000_000 * 64 * 4 / 1e9
    assert sft - less_sft == pytest.approx(18 * state, abs=0.1)  # as printed
    assert less_ppo < ppo
    assert lines[-1].count("answers, gradient checkpointing): about") == 1
