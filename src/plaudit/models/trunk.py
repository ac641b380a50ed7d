"""One network seen as two: the frozen layers below, and the layers a role owns above."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import partial

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint
from transformers import PreTrainedModel

from plaudit.batches.packing import packed
from plaudit.batches.tokens import TokenRows
from plaudit.models.anatomy import can_split, layers_of, part_of, upper_parts
from plaudit.models.kept import KeptActivations
from plaudit.schemas.errors import PlauditError

# The attention of models with a prefix, as transformers knows it by name.
PREFIXED = "sdpa_behind_prefix"


def arithmetic(device: torch.device, *, mixed: bool) -> AbstractContextManager[object]:
    """Matrix products in bfloat16 where `mixed`, else as the weights are."""
    return torch.autocast(device.type, dtype=torch.bfloat16) if mixed else nullcontext()


def hidden_states(
    body: PreTrainedModel, rows: TokenRows, inputs_embeds: Tensor | None = None, *, mixed: bool = False
) -> Float[Tensor, "B T D"]:
    """The last hidden states of a body over rows, no key-value cache built. A prompt that rows share is read once.

    Each row's numbers are what it would get alone, to rounding; padding may hold anything.
    """
    packing = packed(rows, body.config.hidden_size) if _packs(body, rows) else None
    inputs = {"input_ids": rows.token_ids} if inputs_embeds is None else {"inputs_embeds": inputs_embeds}
    if packing is None:
        inputs["attention_mask"] = rows.attention_mask.long()
    else:
        inputs = {name: packing.pack(x) for name, x in inputs.items()}
        inputs |= {"attention_mask": packing.visible_mask[:, None], "position_ids": packing.positions}
    with arithmetic(rows.token_ids.device, mixed=mixed):
        hidden = body(**inputs, use_cache=False).last_hidden_state
    assert isinstance(hidden, Tensor)
    return hidden if packing is None else packing.unpack(hidden)


def _packs(body: PreTrainedModel, rows: TokenRows) -> bool:
    """Whether the body takes positions and a mask of its caller's, and looks back over whole rows."""
    config = body.config
    window = config.to_dict().get("sliding_window")
    return (
        can_split(body)
        and config._attn_implementation in ("sdpa", PREFIXED)
        and (window is None or rows.token_ids.shape[1] <= window)
    )


@contextmanager
def recomputing(body: PreTrainedModel) -> Iterator[None]:
    """While it lasts, a layer that is run keeps its input only; the backward pass runs the layer again for the rest.

    (Chen et al. 2016, "Training deep nets with sublinear memory cost", a segment a layer.) Deviates from transformers'
    `gradient_checkpointing_enable`, which does nothing in a model in evaluation mode, as all of plaudit's are.
    """
    layers = list(layers_of(body))
    for layer in layers:
        layer.forward = partial(checkpoint, layer.forward, use_reentrant=False)
    try:
        yield
    finally:
        for layer in layers:
            del layer.forward


class Trunk:
    """The frozen lower layers, shared by every role that branches from them.

    `key` is the SHA-256 of their weights and depth: two trunks with one key compute the same, wherever they were loaded.
    """

    def __init__(self, body: PreTrainedModel, num_layers: int, *, mixed: bool = False) -> None:
        self.num_layers, self.mixed = num_layers, mixed
        self._lower = part_of(body, 0, num_layers)
        self._lower.requires_grad_(False)
        digest = hashlib.sha256(f"{num_layers}{' mixed' if mixed else ''}".encode())
        for name, tensor in sorted(self._lower.state_dict().items()):
            digest.update(f"{name} {tuple(tensor.shape)} {tensor.dtype}".encode())
            digest.update(tensor.detach().cpu().contiguous().view(torch.uint8).numpy())
        self.key = digest.hexdigest()

    def lend_to(self, body: PreTrainedModel) -> None:
        """Puts its modules where a body has equal ones of its own, whose memory that frees."""
        (stack, *behind), layers = upper_parts(body), layers_of(body)
        for name, module in self._lower.named_children():
            if name == stack:
                for i, layer in enumerate(module.children()):
                    layers[i] = layer
            elif name not in behind:
                body.add_module(name, module)

    @torch.no_grad()
    def __call__(self, rows: TokenRows) -> Float[Tensor, "B T D"]:
        """The activations where the branches begin: those kept in the rows if they are this trunk's, else computed."""
        if rows.trunk is not None and rows.trunk_key == self.key:
            return rows.trunk
        return hidden_states(self._lower, rows, mixed=self.mixed)

    @torch.no_grad()
    def prepared(self, rows: TokenRows, known: KeptActivations | None = None, micro_batch_size: int = 16) -> TokenRows:
        """The rows with the activations in them: those that are `known`, the others computed in portions of similar length.

        Padding may hold anything.
        """
        if rows.trunk_key == self.key:
            return rows
        shape = (*rows.token_ids.shape, int(self._lower.config.hidden_size))
        filled = torch.zeros(shape, dtype=self._lower.dtype, device=rows.token_ids.device)
        unknown = []
        for row, states in enumerate((known or KeptActivations()).of(rows, self.key)):
            if states is None:
                unknown.append(row)
            else:
                filled[row, : len(states)] = states
        for part in rows.micro_batches(micro_batch_size, torch.tensor(unknown)) if unknown else ():
            states = hidden_states(self._lower, rows.select(part), mixed=self.mixed)
            filled[part, : states.shape[1]] = states
        return rows.with_trunk(filled, self.key)


class Branch(nn.Module):
    """Layers owned by one role: the whole body, or those above a trunk. With `recompute` they keep only their inputs."""

    def __init__(
        self, body: PreTrainedModel, trunk: Trunk | None, *, mixed: bool = False, recompute: bool = False
    ) -> None:
        super().__init__()
        self.trunk, self.mixed, self.recompute = trunk, mixed, recompute
        if recompute:
            layers_of(body)  # Raises now, not in the first step.
        if trunk is None:
            self.body = body
        else:
            self.body = part_of(body, trunk.num_layers, len(layers_of(body)))

    def forward(self, rows: TokenRows) -> Float[Tensor, "B T D"]:
        """The final hidden states, after the last norm."""
        states = None if self.trunk is None else self.trunk(rows)
        with recomputing(self.body) if self.recompute and torch.is_grad_enabled() else nullcontext():
            return hidden_states(self.body, rows, states, mixed=self.mixed)


def check_num_upper(num_upper: int, num_layers: int) -> None:
    """Raises PlauditError for a number of upper layers that a model of `num_layers` does not have."""
    if not 1 <= num_upper <= num_layers:
        raise PlauditError(f"num_upper = {num_upper}, but the model has {num_layers} layers: choose 1 to {num_layers}")


def trunk_of(model: PreTrainedModel, num_trained: int | None, *, mixed: bool = False) -> Trunk | None:
    """The trunk below the upper `num_trained` layers; None for all layers, or where the architecture cannot be split.

    Raises PlauditError for a number of layers the model does not have.
    """
    if num_trained is None:
        return None
    check_num_upper(num_trained, num_layers := int(model.config.num_hidden_layers))
    if num_trained == num_layers or not can_split(model.base_model):
        return None
    return Trunk(model.base_model, num_layers - num_trained, mixed=mixed)
