"""How much of the difference is arithmetic: weights multiplied with tokens, counted on paper.

The unit is one multiplication of a weight with a token's activation. Attention's products of activations (about 3 % of a
layer at these lengths), norms, softmaxes and the optimiser are left out. A backward pass costs two forward passes: one
for the inputs' gradient, one for the weights'.
"""

from __future__ import annotations

from dataclasses import dataclass

from plaudit_side import Setting
from transformers import PreTrainedConfig


@dataclass(frozen=True, slots=True)
class Network:
    """The sizes that count: weights of one layer and of the language-model head."""

    num_layers: int
    layer: int
    head: int

    @classmethod
    def of(cls, config: PreTrainedConfig) -> Network:
        """The sizes of a Llama."""
        width, size = config.hidden_size, config.head_dim
        queries, keys = config.num_attention_heads * size, config.num_key_value_heads * size
        layer = width * (2 * queries + 2 * keys + 3 * config.intermediate_size)
        return cls(config.num_hidden_layers, layer, width * config.vocab_size)


@dataclass(frozen=True, slots=True)
class Lengths:
    """Of a step: tokens of the longest and of the mean prompt, tokens of every answer, and the epochs over them."""

    longest_prompt: int
    mean_prompt: float
    answer: int
    num_epochs: int


def trl_products(network: Network, lengths: Lengths) -> float:
    """An episode of TRL's: four whole networks over rows padded to the longest prompt, the head on every position.

    Generation, reference, value and reward are a forward pass each; an epoch is policy and value, forward and backward.
    """
    width = lengths.longest_prompt + lengths.answer
    body = network.num_layers * network.layer * width
    head = network.head * width
    sampling = body + network.head * lengths.answer
    return sampling + (body + head) + 2 * body + lengths.num_epochs * 3 * (2 * body + head)


def least_products(network: Network, setting: Setting, lengths: Lengths) -> float:
    """An episode of a setting, nothing computed twice.

    Every layer runs once, in sampling, a prompt shared by its K answers; what lies below the trained layers is kept from
    there. Reference and reward are the trained layers once more, each epoch three times. The head runs on answers only,
    and has no gradient of its own where it is frozen. A critic on the policy's layers is free; one of its own costs the
    trained layers once for the values and three times an epoch.
    """
    tokens = lengths.mean_prompt / setting.answers_per_prompt + lengths.answer
    trained = setting.num_trained(network.num_layers) * network.layer * tokens
    head = network.head * lengths.answer
    rollout = network.num_layers * network.layer * tokens + head + (trained + head) + trained
    epochs = lengths.num_epochs * (3 * trained + (3 if setting.every_layer else 2) * head)
    critic = 0.0 if setting.value == "policy" else trained + lengths.num_epochs * 3 * trained
    return rollout + epochs + critic


def floor(network: Network, setting: Setting, lengths: Lengths) -> float:
    """How many times less a setting must multiply than TRL does."""
    return trl_products(network, lengths) / least_products(network, setting, lengths)
