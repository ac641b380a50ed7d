"""The policy and its frozen reference."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Literal, Protocol

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from transformers import PreTrainedModel
from transformers.pytorch_utils import Conv1D

from plaudit.algorithms.logprobs import frozen_head_logprobs, shaped_logits, token_logprobs
from plaudit.batches.tokens import TokenRows, rounded_up
from plaudit.models.anatomy import layers_of, upper_parts, viewed
from plaudit.models.kept import KeptActivations
from plaudit.models.load import Precision, load_causal_lm
from plaudit.models.logits import PLAIN, LogitShape, check_logits, logit_shape
from plaudit.models.prefix import new_prefix, prefix_off, prefixes_of
from plaudit.models.trunk import Branch, arithmetic, check_num_upper, trunk_of
from plaudit.schemas.errors import PlauditError

# Rows of the language-model head computed at once: bounds the [rows, vocabulary] tensors whatever the batch. Enough for the
# head to be multiplied as fast as by more.
HEAD_CHUNK = 512


@dataclass(frozen=True, kw_only=True, slots=True)
class TrainLayers:
    """Which parameters learn."""

    kind: Literal["all", "upper", "lora", "prefix"] = "upper"
    """`all`: every layer; `upper`: the top `num_upper` layers, head frozen, far cheaper; `lora`: adapters in every layer;
    `prefix`: keys and values before the prompt in every layer, the fewest parameters."""
    num_upper: int = 6
    """How many upper layers learn under `upper`. More fits more, costs more, and forgets more. Layers below run once in
    Llama, Qwen 2 and 3, Mistral, Gemma, GPT-2 and GPT-NeoX; elsewhere each network of a run computes them itself."""
    lora_rank: int = 16
    """Rank of the adapters under `lora`. Higher fits more."""
    lora_alpha: int = 32
    """The adapters' output is scaled by alpha / rank."""
    prefix_tokens: int = 16
    """Tokens that a prefix stands for under `prefix`. More fits more."""
    gradient_checkpointing: bool = False
    """Keep only the inputs of the layers and run each again in the backward pass: less memory, a third more time."""

    def __post_init__(self) -> None:
        for name, number in (
            ("num_upper", self.num_upper),
            ("lora_rank", self.lora_rank),
            ("lora_alpha", self.lora_alpha),
            ("prefix_tokens", self.prefix_tokens),
        ):
            if number < 1:
                raise PlauditError(f"{name} must be at least 1, got {number}")

    @property
    def upper(self) -> int | None:
        """The number of upper layers that learn; None where that does not bound them."""
        return self.num_upper if self.kind == "upper" else None


@dataclass(frozen=True, slots=True)
class TokenStats:
    """What a policy says of the counted tokens, zero elsewhere. `hidden` is the state *before* each token."""

    logprobs: Float[Tensor, "B T"]
    entropy: Float[Tensor, "B T"]
    hidden: Float[Tensor, "B T D"]


class Policy(Protocol):
    """What a trainer knows of the model it improves."""

    def prepared(self, rows: TokenRows) -> TokenRows:
        """The rows with all that is constant in training computed once."""
        ...

    def __call__(self, rows: TokenRows, temperature: float = 1.0) -> TokenStats:
        """Log-probabilities of the answer tokens, with gradient."""
        ...

    def trained_parameters(self) -> Iterator[tuple[str, nn.Parameter]]:
        """Names and parameters that learn."""
        ...


class Reference(Protocol):
    """The frozen policy that the KL is measured against."""

    def __call__(self, rows: TokenRows, temperature: float = 1.0) -> Float[Tensor, "B T"]:
        """Log-probabilities of the answer tokens, no gradient."""
        ...


def before(hidden: Float[Tensor, "B T D"]) -> Float[Tensor, "B T D"]:
    """Column t holds the state that column t's token was chosen in: hidden[t - 1]; zeros in column 0."""
    return torch.cat([torch.zeros_like(hidden[:, :1]), hidden[:, :-1]], dim=1)


def answer_stats(
    hidden: Float[Tensor, "B T D"],
    head: nn.Module,
    rows: TokenRows,
    temperature: float,
    *,
    shape: LogitShape = PLAIN,
    mixed: bool = False,
) -> TokenStats:
    """Log-probability and entropy of the answer tokens. The head runs on counted positions only, in chunks.

    The positions' number is filled up to a multiple of 64, as `TokenRows.select` rounds widths: a kernel is kept for each.
    `shape` is what the model makes of the head's outputs.
    """
    states = before(hidden)
    mask = rows.answer_mask
    chosen, targets = states[mask], rows.token_ids[mask]
    filled = nn.functional.pad(chosen, (0, 0, 0, rounded_up(len(chosen), 64) - len(chosen)))
    parts = []
    # At least once: rows without a counted token get zeros.
    for i in range(0, max(1, len(targets)), HEAD_CHUNK):
        chunk = slice(i, i + HEAD_CHUNK)
        parts.append(_head_stats(head, filled[chunk], targets[chunk], temperature, shape=shape, mixed=mixed))
    zeros = torch.zeros(rows.token_ids.shape, device=hidden.device)
    logprobs = zeros.masked_scatter(mask, torch.cat([part[0] for part in parts]))
    entropy = zeros.masked_scatter(mask, torch.cat([part[1] for part in parts]))
    return TokenStats(logprobs, entropy, states)


def _head_stats(
    head: nn.Module,
    states: Float[Tensor, "M D"],
    wanted: Int[Tensor, "n"],
    temperature: float,
    *,
    shape: LogitShape,
    mixed: bool,
) -> tuple[Float[Tensor, "n"], Float[Tensor, "n"]]:
    """Log-probability and entropy of the n wanted tokens from the first n states; the others fill the shape up."""
    with arithmetic(states.device, mixed=mixed):
        if isinstance(head, nn.Linear) and not head.weight.requires_grad:
            filled = nn.functional.pad(wanted, (0, len(states) - len(wanted)))
            logprobs, entropy = frozen_head_logprobs(
                states, head.weight, head.bias, filled, temperature, scale=shape.scale, softcap=shape.softcap
            )
            return logprobs[: len(wanted)], entropy[: len(wanted)]
        logits = shaped_logits(head(states)[: len(wanted)], shape.scale, shape.softcap)
    return token_logprobs(logits, wanted, temperature)


class PolicyModel(nn.Module):
    """A causal language model of which some layers learn."""

    def __init__(self, model: PreTrainedModel, train: TrainLayers, *, mixed: bool = False) -> None:
        super().__init__()
        self.train_layers, self.mixed = train, mixed
        model.requires_grad_(train.kind == "all")
        trunk = trunk_of(model, train.upper, mixed=mixed)
        self._has_new_prefix = train.kind == "prefix" and not prefixes_of(model)
        if train.kind == "lora":
            model = with_lora(model, train, "CAUSAL_LM")
        elif train.kind == "prefix":
            learning_prefix(model, train)
        elif train.kind == "upper":
            _upper_layers(model, train.num_upper).requires_grad_(True)
        self.full = model
        self._copies: list[PreTrainedModel] = []
        causal_lm = model.get_base_model() if train.kind == "lora" else model
        self.branch = Branch(causal_lm.base_model, trunk, mixed=mixed, recompute=train.gradient_checkpointing)
        self.head: nn.Module = causal_lm.get_output_embeddings()
        self.logit_shape = logit_shape(model.config)

    def prepared(self, rows: TokenRows, known: KeptActivations | None = None) -> TokenRows:
        """The rows with the frozen layers' activations, where there are frozen layers below; those `known` are not computed."""
        trunk = self.branch.trunk
        return rows if trunk is None else trunk.prepared(rows, known)

    def forward(self, rows: TokenRows, temperature: float = 1.0) -> TokenStats:
        return answer_stats(self.branch(rows), self.head, rows, temperature, shape=self.logit_shape, mixed=self.mixed)

    @property
    def width(self) -> int:
        """The size of a hidden state."""
        return int(self.full.config.hidden_size)

    def sampler(self) -> PreTrainedModel:
        """The network to sample from: itself, or under `mixed` a copy that computes the same, brought up to date here."""
        if not self.mixed:
            return self.full
        if not self._copies:
            # In a list, so that it is no child module: it is neither trained nor saved.
            self._copies.append(_multiplying_in_bfloat16(self.full))
        with torch.no_grad():
            # By every name: a matrix that two modules share is two in the copy.
            copied = dict(self._copies[0].named_parameters(remove_duplicate=False))
            for name, parameter in self.full.named_parameters(remove_duplicate=False):
                if parameter.requires_grad:
                    copied[name].copy_(parameter)
        return self._copies[0]

    def trained_parameters(self) -> Iterator[tuple[str, nn.Parameter]]:
        """Names (as in the saved model) and parameters that learn."""
        return ((name, parameter) for name, parameter in self.full.named_parameters() if parameter.requires_grad)

    def reference(self) -> ReferenceModel:
        """This policy as it is now, frozen; without adapters or a prefix it was given here. Else what learns is copied."""
        return ReferenceModel(self)

    @property
    def has_new_parts(self) -> bool:
        """Whether all that learns was added here: adapters, or a prefix that the model did not come with."""
        return self.train_layers.kind == "lora" or self._has_new_prefix

    def without_new_parts(self) -> AbstractContextManager[None]:
        """While it lasts the network is the one it was given."""
        off: AbstractContextManager[None] = nullcontext()
        if self.train_layers.kind == "lora":
            off = self.full.disable_adapter()
        elif self._has_new_prefix:
            off = prefix_off(self.full)
        return off


def load_policy(name: str, train: TrainLayers, *, precision: Precision, device: torch.device) -> PolicyModel:
    """The causal model of that name as a policy that learns.

    Raises PlauditError where it cannot be had, and where its log-probabilities are not what plaudit computes.
    """
    model = load_causal_lm(name, precision=precision, device=device)
    if prefixes_of(model) and train.kind != "prefix":
        raise PlauditError(
            f"{name} learnt a prefix, which fits the layers as they are: train it on with train.kind = 'prefix', or start "
            "from the model below it"
        )
    return _checked(PolicyModel(model, train, mixed=precision.is_mixed_on(device)))


def load_frozen_policy(name: str, *, precision: Precision, device: torch.device) -> PolicyModel:
    """The causal model of that name as a policy to sample from and to ask.

    Raises PlauditError where it cannot be had, and where its log-probabilities are not what plaudit computes.
    """
    model = load_causal_lm(name, precision=precision, device=device)
    policy = PolicyModel(model, TrainLayers(kind="all"), mixed=precision.is_mixed_on(device))
    return _checked(policy.requires_grad_(False))


def _checked(policy: PolicyModel) -> PolicyModel:
    """Itself, where it computes what the model in it does."""
    check_logits(policy.full, lambda rows: policy(rows).logprobs, mixed=policy.mixed)
    return policy


def _multiplying_in_bfloat16(model: PreTrainedModel) -> PreTrainedModel:
    """A frozen copy that runs under autocast, the matrices of its products rounded once instead of anew for each token.

    Everything between the products stays in float32, so that its numbers are the learner's but for the rounding of
    products in batches of another shape.
    """
    twin = copy.deepcopy(model).requires_grad_(False)
    for module in twin.modules():
        if isinstance(module, nn.Linear):
            # A new parameter: an embedding that shares the matrix is looked up in float32.
            module.weight = nn.Parameter(module.weight.to(torch.bfloat16), requires_grad=False)
    twin.forward = torch.autocast(model.device.type, dtype=torch.bfloat16)(twin.forward)
    return twin


class ReferenceModel:
    """The policy as it was, for log-probabilities only."""

    def __init__(self, policy: PolicyModel) -> None:
        self._policy = policy
        self._head: nn.Module
        if policy.has_new_parts:
            self._branch, self._head = policy.branch, policy.head
        elif policy.branch.trunk is not None:
            self._branch, self._head = frozen_copy(policy.branch), policy.head
        else:
            shared = {id(parameter): parameter for parameter in policy.full.parameters() if not parameter.requires_grad}
            whole = copy.deepcopy(policy.full, shared).requires_grad_(False)
            self._branch, self._head = Branch(whole.base_model, None, mixed=policy.mixed), whole.get_output_embeddings()

    @torch.no_grad()
    def __call__(self, rows: TokenRows, temperature: float = 1.0) -> Float[Tensor, "B T"]:
        policy, shape = self._policy, self._policy.logit_shape
        with policy.without_new_parts():
            states = self._branch(rows)
            return answer_stats(states, self._head, rows, temperature, shape=shape, mixed=policy.mixed).logprobs


def frozen_copy(branch: Branch) -> Branch:
    """The branch with its own copy of layers and norm, frozen; embedding and trunk stay shared."""
    twin = copy.copy(branch)
    twin._modules = dict(branch._modules)
    body = viewed(branch.body)
    for name in upper_parts(body):
        body.add_module(name, copy.deepcopy(branch.body.get_submodule(name)).requires_grad_(False))
    twin.body = body
    return twin


def _upper_layers(model: PreTrainedModel, num_upper: int) -> nn.ModuleList:
    """The top layers and the final norm, wherever the architecture keeps them."""
    body = model.base_model
    layers = layers_of(body)
    check_num_upper(num_upper, len(layers))
    return nn.ModuleList([*list(layers)[-num_upper:], *(body.get_submodule(name) for name in upper_parts(body)[1:])])


def learning_prefix(model: PreTrainedModel, train: TrainLayers) -> None:
    """Lets the model's prefix learn; gives it one where it has none."""
    if not prefixes_of(model):
        new_prefix(model, train.prefix_tokens)
    for prefix in prefixes_of(model):
        prefix.requires_grad_(True)


def with_lora(
    model: PreTrainedModel, train: TrainLayers, task_type: str, modules_to_save: list[str] | None = None
) -> PreTrainedModel:
    """The model with new adapters in every layer; `modules_to_save` learn whole and are saved with them."""
    from peft import LoraConfig, get_peft_model

    config = LoraConfig(
        r=train.lora_rank,
        lora_alpha=train.lora_alpha,
        target_modules="all-linear",
        task_type=task_type,
        modules_to_save=modules_to_save,
        # GPT-2's layers keep their matrices the other way round.
        fan_in_fan_out=any(isinstance(module, Conv1D) for module in model.modules()),
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        adapted: PreTrainedModel = get_peft_model(model, config)
    return adapted.eval()
