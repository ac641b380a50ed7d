"""`plaudit doctor`: what could go wrong on this machine and with this model, before it does."""

from __future__ import annotations

import os
import shutil
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path

import torch
from rich.console import Console
from rich.text import Text
from torch import nn
from transformers import AutoModelForCausalLM, PretrainedConfig, PreTrainedModel

from plaudit.cli.agreement import check_language_model, check_vocabulary
from plaudit.cli.forecast import Forecast, ModelSize, Rates, ppo_forecast, sft_forecast
from plaudit.models.anatomy import layers_of
from plaudit.models.load import device_for, load_codec, multiplies_bfloat16
from plaudit.models.policy import TrainLayers
from plaudit.runs import duration_text, installed_versions
from plaudit.schemas.errors import PlauditError
from plaudit.text.chat import ChatCodec
from plaudit.trainers.ppo_config import PPOConfig
from plaudit.trainers.sft import SFTConfig

# A program that computes with all its threads shows more; a browser left open shows less.
_BUSY = 0.8
_LITTLE_MEMORY, _LITTLE_DISK, _NO_DISK = 4e9, 5e9, 1e9
# Weights that no cache holds.
_MEASURED_BYTES = 256e6
# Whose products are measured where no model is named.
_SOME_MODEL = ModelSize(16, 4096 * 1024, 0, 1024, ((4096, 1024),))


class Health(StrEnum):
    """How a check ended. `fail`: a run would not work; `warn`: it would be slow, tight or wrong in places."""

    OK = "ok"
    WARN = "warn"
    FAIL = "fail"


@dataclass(frozen=True, slots=True)
class Finding:
    """One check and how it ended."""

    health: Health
    name: str
    text: str


@dataclass(frozen=True, kw_only=True, slots=True)
class DoctorCommand:
    """Look at this machine and a model before a run: versions, memory, disk, speed, agreement, time a run will need."""

    model: str = ""
    """The model to look at and to estimate runs for; empty looks at the machine only."""
    device: str = "auto"
    """auto, cpu or cuda."""
    num_demonstrations: int = 200
    """For the estimate of an SFT run: demonstrations."""
    demonstration_tokens: int = 128
    """For the estimate of an SFT run: tokens of a demonstration with its prompt."""
    prompt_tokens: int = 64
    """For the estimate of a PPO run: tokens of a prompt."""
    gradient_checkpointing: bool = False
    """For the estimates: with `train.gradient_checkpointing`."""

    def run(self) -> int:
        console = Console(soft_wrap=True)
        colours = {Health.OK: "green", Health.WARN: "yellow", Health.FAIL: "red"}
        worst = Health.OK
        for finding in self.findings():
            line = Text.assemble((f"{finding.health:<5}", colours[finding.health]), f"{finding.name}: {finding.text}")
            console.print(line)
            worst = max(worst, finding.health, key=list(Health).index)
        return 1 if worst is Health.FAIL else 0

    def findings(self) -> Iterator[Finding]:
        """Every check, as it ends."""
        device = device_for(self.device)
        yield from machine(device)
        if self.model:
            yield from self._model_findings(device)
        else:
            yield speed_finding(measured_rates(device))

    def _model_findings(self, device: torch.device) -> Iterator[Finding]:
        try:
            config = check_language_model(self.model)
            size = model_size(config)
            yield Finding(Health.OK, "model", f"{self.model}: {size.parameters / 1e6:.1f} million parameters")
            codec = load_codec(self.model)
            yield from agreement(self.model, config, codec)
        except PlauditError as error:
            yield Finding(Health.FAIL, "model", str(error))
            return
        rates = measured_rates(device, size)
        yield speed_finding(rates)
        sft_config, ppo_config = SFTConfig(), PPOConfig()
        sft_config = replace(sft_config, train=self._checkpointed(sft_config.train))
        ppo_config = replace(ppo_config, train=self._checkpointed(ppo_config.train))
        if ppo_config.train.num_upper > size.num_layers:
            yield Finding(
                Health.WARN,
                "layers",
                f"{size.num_layers}, and PPO trains the upper {ppo_config.train.num_upper} unless told otherwise: say "
                f"--train.num-upper 1 to {size.num_layers}, or --train.kind all",
            )
        sft = sft_forecast(
            sft_config, size, rates, num_demonstrations=self.num_demonstrations, num_tokens=self.demonstration_tokens
        )
        mixed = ppo_config.precision.is_mixed_on(device)
        ppo = ppo_forecast(ppo_config, size, rates, prompt_tokens=self.prompt_tokens, mixed=mixed)
        room = free_memory(device)
        epochs, steps = sft_config.epochs.num_epochs, ppo_config.num_steps
        how = ", gradient checkpointing" if self.gradient_checkpointing else ""
        yield forecast_finding(f"SFT ({self.num_demonstrations} demonstrations, {epochs} epochs{how})", sft, room)
        yield forecast_finding(f"PPO ({steps} steps of {ppo_config.experience.num_answers} answers{how})", ppo, room)

    def _checkpointed(self, train: TrainLayers) -> TrainLayers:
        """The layers, with gradient checkpointing where it was asked for."""
        return replace(train, gradient_checkpointing=self.gradient_checkpointing)


def machine(device: torch.device) -> Iterator[Finding]:
    """What the machine has."""
    yield Finding(Health.OK, "versions", ", ".join(f"{name} {text}" for name, text in installed_versions().items()))
    if device.type == "cuda":
        yield Finding(Health.OK, "device", f"{torch.cuda.get_device_name(device)}")
    else:
        num_cpus, num_threads = os.cpu_count() or 1, torch.get_num_threads()
        few = num_threads * 2 < num_cpus
        hint = "; torch usually takes half of them or all: is OMP_NUM_THREADS set?" if few else ""
        yield Finding(
            Health.WARN if few else Health.OK, "device", f"{num_threads} threads on {num_cpus} logical CPUs{hint}"
        )
    if sys.platform != "win32":
        yield load_finding(os.getloadavg()[0])
    own = multiplies_bfloat16(device)
    yield Finding(
        Health.OK, "bfloat16", "in hardware: `auto` multiplies in it" if own else "not in hardware: `auto` is float32"
    )
    memory = free_memory(device)
    if memory is None:
        yield Finding(Health.WARN, "memory", "how much is free cannot be told on this system")
    else:
        yield Finding(Health.WARN if memory < _LITTLE_MEMORY else Health.OK, "memory", f"{memory / 1e9:.1f} GB free")
    disk = shutil.disk_usage(Path.cwd()).free
    health = Health.FAIL if disk < _NO_DISK else Health.WARN if disk < _LITTLE_DISK else Health.OK
    yield Finding(health, "disk", f"{disk / 1e9:.1f} GB free here")


def load_finding(busy: float) -> Finding:
    """How many programs have computed here during the last minute, of all users, this one among them."""
    if busy < _BUSY:
        return Finding(Health.OK, "load", f"{busy:.1f} threads computing in the last minute")
    return Finding(
        Health.WARN,
        "load",
        f"{busy:.1f} threads computing in the last minute: beside another busy program a run takes several times as long, "
        "because each of its threads waits for the slowest at every step. Wait until the other has ended",
    )


def speed_finding(rates: Rates) -> Finding:
    """How fast this machine is at what a model does."""
    return Finding(
        Health.OK,
        "speed",
        f"{rates.large / 1e9:.0f} GFLOP/s in large matrix products, {rates.decoding / 1e9:.0f} in those that decode 64 "
        f"answers, {rates.memory / 1e9:.0f} GB/s of memory",
    )


def free_memory(device: torch.device) -> float | None:
    """Bytes a run may still take; None where the system does not say."""
    if device.type == "cuda":
        return float(torch.cuda.mem_get_info(device)[0])
    if sys.platform != "linux":
        return None
    lines = Path("/proc/meminfo").read_text().splitlines()
    free = next(float(line.split()[1]) * 1024 for line in lines if line.startswith("MemAvailable:"))
    # A container may be allowed less than the machine has.
    limit, used = Path("/sys/fs/cgroup/memory.max"), Path("/sys/fs/cgroup/memory.current")
    if limit.is_file() and used.is_file() and (allowed := limit.read_text().strip()) != "max":
        free = min(free, float(allowed) - float(used.read_text()))
    return free


def measured_rates(device: torch.device, size: ModelSize = _SOME_MODEL, num_decoded: int = 64) -> Rates:
    """How fast products with a model's matrices are in the type of `auto`, and how fast memory is copied.

    The matrices of a layer are multiplied with 1024 rows, and with `num_decoded` as where so many answers are decoded, each
    time with other copies of them: a large model's weights do not stay in a cache from one token to the next.
    """
    dtype = torch.bfloat16 if multiplies_bfloat16(device) else torch.float32
    num_weights = sum(rows * columns for rows, columns in size.matrices)
    num_layers = max(1, min(size.num_layers, int(_MEASURED_BYTES / (num_weights * dtype.itemsize))))
    layers = [[torch.ones(shape, device=device, dtype=dtype) for shape in size.matrices] for _ in range(num_layers)]

    def rate(num_rows: int) -> float:
        inputs = {columns: torch.ones(num_rows, columns, device=device, dtype=dtype) for _, columns in size.matrices}

        def products() -> None:
            for layer in layers:
                for matrix in layer:
                    nn.functional.linear(inputs[matrix.shape[1]], matrix)

        return 2.0 * num_rows * num_weights * num_layers / _least_seconds(products, device)

    large, decoding = rate(1024), rate(num_decoded)
    source = torch.ones(int(_MEASURED_BYTES / 4), device=device)
    target = torch.empty_like(source)
    memory = 2 * _MEASURED_BYTES / _least_seconds(lambda: target.copy_(source), device)
    return Rates(large, decoding, memory)


def _least_seconds(work: Callable[[], object], device: torch.device, enough: float = 1.0) -> float:
    """The best of several tries, so that a neighbour's work on the same machine counts for less."""

    def once() -> float:
        begin = time.perf_counter()
        work()
        if device.type == "cuda":
            torch.cuda.synchronize(device)
        return time.perf_counter() - begin

    once()
    tries = [once()]
    while sum(tries) < enough and len(tries) < 20:
        tries.append(once())
    return min(tries)


def model_size(config: PretrainedConfig) -> ModelSize:
    """The size of a model of these settings; nothing is loaded."""
    with torch.device("meta"):
        model = AutoModelForCausalLM.from_config(config)
    head = model.get_output_embeddings().weight.numel()
    text = config.get_text_config()
    body = sum(p.numel() for p in model.base_model.parameters()) - model.get_input_embeddings().weight.numel()
    return ModelSize(
        text.num_hidden_layers, body // text.num_hidden_layers, head, text.hidden_size, _matrices(model.base_model)
    )


def _matrices(body: PreTrainedModel) -> tuple[tuple[int, int], ...]:
    """The shapes of a layer's matrices; some that are usual where the architecture's cannot be told."""
    try:
        layer = layers_of(body)[0]
    except PlauditError:
        return _SOME_MODEL.matrices
    found = tuple((len(x), x.shape[1]) for x in layer.parameters() if x.dim() == 2)
    return found or _SOME_MODEL.matrices


def agreement(name: str, config: PretrainedConfig, codec: ChatCodec) -> Iterator[Finding]:
    """Whether tokenizer, template and model belong together. Raises PlauditError where they do not."""
    check_vocabulary(name, config, codec)
    text, tokens = config.get_text_config(), codec.tokenizer.convert_ids_to_tokens
    yield Finding(Health.OK, "vocabulary", f"{len(codec.tokenizer)} tokens, {text.vocab_size} embeddings")
    stop, pad = f"{tokens(codec.stop_id)!r} ({codec.stop_id})", f"{tokens(codec.pad_id)!r} ({codec.pad_id})"
    yield Finding(Health.OK, "template", f"answers end with {stop}, rows are padded with {pad}")
    ends = config.eos_token_id if isinstance(config.eos_token_id, list) else [config.eos_token_id]
    if codec.stop_id not in ends:
        yield Finding(
            Health.WARN,
            "stop token",
            f"the template ends answers with {codec.stop_id}, the model's config says {ends}: plaudit stops where the "
            "template does, other programs may not",
        )
    yield Finding(Health.OK, "context", f"{text.max_position_embeddings} tokens")


def forecast_finding(what: str, forecast: Forecast, free: float | None) -> Finding:
    """A forecast beside the memory there is."""
    text = (
        f"about {duration_text(forecast.seconds)} and {forecast.bytes / 1e9:.1f} GB with default settings: a rough "
        "estimate, wrong by a factor of two either way"
    )
    if free is not None and forecast.bytes > free:
        text += (
            f". Only {free / 1e9:.1f} GB are free: use a smaller micro batch, gradient checkpointing, fewer "
            "trained layers or a smaller model"
        )
        return Finding(Health.WARN, what, text)
    return Finding(Health.OK, what, text)
