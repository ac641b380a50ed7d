"""How much memory and time a run needs: the arithmetic counted by phase, over the speed of this machine's matrix products.

docs/cost.md explains the counts.
"""

from __future__ import annotations

from dataclasses import dataclass

from plaudit.batches.packing import packing_pays
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
# Adam reads a parameter, its gradient and two moments and writes three of them; clipping and clearing touch the gradient.
_BYTES_AN_UPDATE = 9 * _FLOAT
# The share of the products' speed that a model reaches: the rest goes to norms, activations, softmaxes and overhead.
EFFICIENCY = 0.7
DECODING_EFFICIENCY = 0.7


@dataclass(frozen=True, slots=True)
class ModelSize:
    """Parameter counts: of one layer, and of the output head (which often is the embedding too).

    `matrices` are the layer's, as (outputs, inputs): the products whose speed is measured.
    """

    num_layers: int
    layer_parameters: int
    head_parameters: int
    width: int
    matrices: tuple[tuple[int, int], ...] = ()

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
    """Measured speeds: floating-point operations a second of large matrix products, and of those that decode a batch of
    answers, and bytes a second from and to memory."""

    large: float
    decoding: float
    memory: float


@dataclass(frozen=True, slots=True)
class Work:
    """Floating-point operations in large products and in those of decoding, and bytes moved."""

    large: float = 0.0
    decoding: float = 0.0
    bytes: float = 0.0

    def seconds(self, rates: Rates) -> float:
        """How long that takes."""
        large = self.large / (rates.large * EFFICIENCY)
        return large + self.decoding / (rates.decoding * DECODING_EFFICIENCY) + self.bytes / rates.memory


@dataclass(frozen=True, slots=True)
class Forecast:
    """What a run is likely to need."""

    bytes: float
    seconds: float


@dataclass(frozen=True, slots=True)
class Rows:
    """`num` rows of `length` tokens each, as a network reads them."""

    num: int
    length: int

    @property
    def num_tokens(self) -> int:
        """Tokens of all rows."""
        return self.num * self.length

    def through(self, size: ModelSize, num_layers: int) -> float:
        """Operations of a forward pass: two for each parameter a token meets, and attention's over the row."""
        a_token = 2.0 * size.layer_parameters + 4.0 * size.width * self.length
        return self.num_tokens * num_layers * a_token


def head_flops(size: ModelSize, num_tokens: int) -> float:
    """Operations of the language-model head at so many tokens."""
    return 2.0 * size.head_parameters * num_tokens


def learning_flops(train: TrainLayers, size: ModelSize, rows: Rows, num_head_tokens: int) -> float:
    """Operations of a pass there and back, through the layers that learn over rows and the head at so many tokens.

    Backward costs a forward pass for the inputs' gradient and one for the weights', which adapters and a frozen head do not
    need; with gradient checkpointing the layers run forward once more.
    """
    backward = 1 if train.kind in ("lora", "prefix") else 2
    layers = (1 + backward + train.gradient_checkpointing) * rows.through(size, size.num_trained_layers(train))
    return layers + (3 if train.kind == "all" else 2) * head_flops(size, num_head_tokens)


def sft_forecast(
    config: SFTConfig, size: ModelSize, rates: Rates, *, num_demonstrations: int, num_tokens: int
) -> Forecast:
    """For `num_demonstrations` of `num_tokens` tokens each, all of them counted, no epoch cut short."""
    train, rows = config.train, Rows(num_demonstrations, num_tokens)
    an_epoch = learning_flops(train, size, rows, rows.num_tokens)
    num_updates = config.epochs.num_epochs * -(-num_demonstrations // config.epochs.batch_size)
    work = Work(
        large=rows.through(size, size.num_layers - size.num_trained_layers(train))
        + config.epochs.num_epochs * an_epoch,
        bytes=num_updates * size.num_trained(train) * _BYTES_AN_UPDATE,
    )
    memory = _training_bytes(size, train, config.epochs.micro_batch_size * num_tokens)
    return Forecast(memory, work.seconds(rates))


def learner_rows(config: PPOConfig, size: ModelSize, prompt_tokens: int, answer_tokens: int) -> Rows:
    """A step's answers as the learner reads them: side by side behind their prompt where that pays."""
    k, num_prompts = config.experience.answers_per_prompt, config.experience.prompts_per_step
    apart = Rows(num_prompts * k, prompt_tokens + answer_tokens)
    packed = Rows(num_prompts, prompt_tokens + k * answer_tokens)
    pays = packing_pays((packed.num, packed.length), (apart.num, apart.length), size.width)
    return packed if k > 1 and pays else apart


def ppo_work(
    config: PPOConfig,
    size: ModelSize,
    *,
    prompt_tokens: int,
    answer_tokens: int,
    mixed: bool = False,
    demonstration_tokens: int = 128,
) -> dict[str, Work]:
    """The work of one step by phase, as `seconds/...` in metrics.jsonl names them.

    The reward model shares the policy's trunk where there is one. `mixed` is whether matrices are multiplied in bfloat16:
    then the learner says the old log-probabilities anew.
    """
    experience, train = config.experience, config.train
    num_answer_tokens = experience.num_answers * answer_tokens
    rows = learner_rows(config, size, prompt_tokens, answer_tokens)
    branch, head = rows.through(size, size.num_trained_layers(train)), head_flops(size, num_answer_tokens)
    # A token that is decided sees the prompt and half of an answer, at the mean.
    seen = 4.0 * size.width * (prompt_tokens + answer_tokens / 2)
    decoding = num_answer_tokens * size.num_layers * (2.0 * size.layer_parameters + seen) + head
    reading = Rows(experience.prompts_per_step, prompt_tokens).through(size, size.num_layers)
    own_critic = branch if config.value == "reward" else 0.0
    num_updates = config.num_epochs * config.num_minibatches
    update = config.num_epochs * (learning_flops(train, size, rows, num_answer_tokens) + 3 * own_critic)
    if config.ptx_coef > 0:
        shown = Rows(num_updates * config.ptx_batch_size, demonstration_tokens)
        update += learning_flops(train, size, shown, shown.num_tokens)
    num_trained = size.num_trained(train) * (2 if own_critic else 1)
    return {
        "sample": Work(large=reading, decoding=decoding),
        "score": Work(large=branch),
        "old": Work(large=branch + head if mixed else 0.0),
        "reference": Work(large=branch + head),
        "value": Work(large=own_critic),
        "update": Work(large=update, bytes=num_updates * num_trained * _BYTES_AN_UPDATE),
    }


def ppo_forecast(
    config: PPOConfig, size: ModelSize, rates: Rates, *, prompt_tokens: int, mixed: bool = False
) -> Forecast:
    """For prompts of `prompt_tokens` tokens and answers that reach the length limit."""
    experience = config.experience
    answer_tokens = experience.sampling.max_new_tokens
    phases = ppo_work(config, size, prompt_tokens=prompt_tokens, answer_tokens=answer_tokens, mixed=mixed)
    row = prompt_tokens + answer_tokens
    kept_activations = experience.num_answers * row * size.width * _FLOAT
    cache = experience.sampling.batch_size * row * size.num_layers * 2 * size.width * _FLOAT
    # The reference's own layers, and the reward model whole.
    others = (size.num_trained(config.train) + size.parameters) * _FLOAT
    training = _training_bytes(size, config.train, config.micro_batch_size * row)
    seconds = config.num_steps * sum(work.seconds(rates) for work in phases.values())
    return Forecast(training + others + kept_activations + cache, seconds)


def _training_bytes(size: ModelSize, train: TrainLayers, num_tokens: int) -> float:
    """Weights, gradients and Adam's two moments, and what one micro-batch keeps for the backward pass."""
    weights = size.parameters * _FLOAT
    learning = 3 * size.num_trained(train) * _FLOAT
    layers = size.num_trained_layers(train)
    # Of every layer its input, and of the one that runs again in the backward pass all.
    states = layers + _STATES_A_LAYER if train.gradient_checkpointing else layers * _STATES_A_LAYER
    activations = num_tokens * states * size.width * _FLOAT
    # A head that learns keeps one tensor of them all for its backward pass.
    positions = min(HEAD_CHUNK, num_tokens) * _LOGIT_COPIES + (num_tokens if train.kind == "all" else 0)
    logits = positions * (size.head_parameters / size.width) * _FLOAT
    return _RUNTIME_BYTES + weights + learning + activations + logits
