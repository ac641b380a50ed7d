"""Roughly how much memory and time a run needs, from the model's size and the measured speed of matrix products."""

from __future__ import annotations

from dataclasses import dataclass

from plaudit.models.policy import HEAD_CHUNK, TrainLayers
from plaudit.trainers.ppo_config import PPOConfig
from plaudit.trainers.sft import SFTConfig

_FLOAT = 4
# Python, torch and the libraries around them.
_RUNTIME_BYTES = 0.6e9
# Logits, their log-softmax and their gradient.
_LOGIT_COPIES = 3
# What is kept of a layer for the backward pass, in hidden states: inputs and outputs of norms, attention and feed-forward.
_STATES_A_LAYER = 20
# A model reaches about this share of the speed of one large product; the rest goes to attention, norms and overhead.
_EFFICIENCY = 0.5


@dataclass(frozen=True, slots=True)
class ModelSize:
    """Parameter counts: of one layer, and of the output head (which often is the embedding too)."""

    num_layers: int
    layer_parameters: int
    head_parameters: int
    width: int

    @property
    def parameters(self) -> int:
        """Of the whole, the embedding counted once."""
        return self.num_layers * self.layer_parameters + self.head_parameters

    def num_trained_layers(self, train: TrainLayers) -> int:
        """The layers that a gradient passes through."""
        return min(train.num_upper, self.num_layers) if train.kind == "upper" else self.num_layers

    def num_trained(self, train: TrainLayers) -> int:
        """The parameters that learn; an adapter's are not worth counting."""
        if train.kind in ("lora", "prefix"):
            return 0
        head = self.head_parameters if train.kind == "all" else 0
        return self.num_trained_layers(train) * self.layer_parameters + head


@dataclass(frozen=True, slots=True)
class Rates:
    """Measured floating-point operations a second: of large matrix products, and of those that decode a batch of answers."""

    large: float
    decoding: float


@dataclass(frozen=True, slots=True)
class Forecast:
    """What a run is likely to need."""

    bytes: float
    seconds: float


def forward_flops(size: ModelSize, num_layers: int, *, head: bool) -> float:
    """Operations a token: two for each parameter it meets."""
    return 2.0 * (num_layers * size.layer_parameters + (size.head_parameters if head else 0))


def training_flops(size: ModelSize, train: TrainLayers) -> float:
    """Operations a token of an update: forward, and twice that backward, through the layers that learn and the head.

    With gradient checkpointing the layers run forward once more.
    """
    layers = size.num_trained_layers(train)
    again = forward_flops(size, layers, head=False) if train.gradient_checkpointing else 0.0
    return 3.0 * forward_flops(size, layers, head=True) + again


def sft_forecast(
    config: SFTConfig, size: ModelSize, rates: Rates, *, num_demonstrations: int, num_tokens: int
) -> Forecast:
    """For `num_demonstrations` of `num_tokens` tokens each, no epoch cut short."""
    seen = num_demonstrations * num_tokens
    frozen = size.num_layers - size.num_trained_layers(config.train)
    flops = seen * forward_flops(size, frozen, head=False)
    flops += config.epochs.num_epochs * seen * training_flops(size, config.train)
    return Forecast(
        _training_bytes(size, config.train, config.epochs.micro_batch_size * num_tokens),
        flops / (rates.large * _EFFICIENCY),
    )


def ppo_forecast(config: PPOConfig, size: ModelSize, rates: Rates, *, prompt_tokens: int) -> Forecast:
    """For prompts of `prompt_tokens` tokens and answers that reach the length limit.

    Deciding a token runs all layers once; then trunk, reference, critic and reward model run over whole rows, and the
    updates over them `num_epochs` times.
    """
    experience = config.experience
    answer_tokens = experience.sampling.max_new_tokens
    num_tokens = experience.num_answers * (prompt_tokens + answer_tokens)
    trained = size.num_trained_layers(config.train)
    whole = forward_flops(size, size.num_layers, head=True)
    decoding = experience.num_answers * answer_tokens * whole
    large = experience.prompts_per_step * prompt_tokens * whole
    large += num_tokens * (forward_flops(size, size.num_layers - trained, head=False))
    large += num_tokens * (3 * forward_flops(size, trained, head=True))
    large += config.num_epochs * num_tokens * training_flops(size, config.train)
    seconds = decoding / (rates.decoding * _EFFICIENCY) + large / (rates.large * _EFFICIENCY)
    row = prompt_tokens + answer_tokens
    kept_activations = num_tokens * size.width * _FLOAT
    cache = experience.sampling.batch_size * row * size.num_layers * 2 * size.width * _FLOAT
    # The reference's own layers, and the reward model whole.
    others = (size.num_trained(config.train) + size.parameters) * _FLOAT
    training = _training_bytes(size, config.train, config.micro_batch_size * row)
    return Forecast(training + others + kept_activations + cache, config.num_steps * seconds)


def _training_bytes(size: ModelSize, train: TrainLayers, num_tokens: int) -> float:
    """Weights, gradients and Adam's two moments, and what one micro-batch keeps for the backward pass."""
    weights = size.parameters * _FLOAT
    learning = 3 * size.num_trained(train) * _FLOAT
    layers = size.num_trained_layers(train)
    # Of every layer its input, and of the one that runs again in the backward pass all.
    states = layers + _STATES_A_LAYER if train.gradient_checkpointing else layers * _STATES_A_LAYER
    activations = num_tokens * states * size.width * _FLOAT
    logits = min(HEAD_CHUNK, num_tokens) * (size.head_parameters / size.width) * _LOGIT_COPIES * _FLOAT
    return _RUNTIME_BYTES + weights + learning + activations + logits
