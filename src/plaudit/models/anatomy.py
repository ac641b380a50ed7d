"""Where an architecture keeps its parts: its stack of layers, the norm behind it, and what it adds in front of it."""

from __future__ import annotations

import copy

from torch import Tensor, nn
from transformers import PreTrainedModel

from plaudit.schemas.errors import PlauditError

# Architectures whose body is: embed, layers, norm, with nothing else done to `inputs_embeds` than to add positions, and
# which take a mask and positions of their caller's.
SPLITTABLE = frozenset({"llama", "qwen2", "qwen3", "mistral", "gemma", "gpt2", "gpt_neox"})
# What adds positions to `inputs_embeds`, by architecture; the others turn keys and queries in each layer.
_POSITIONS = {"gpt2": "wpe"}


def can_split(body: PreTrainedModel) -> bool:
    """Whether the body's upper layers can be fed with what its lower ones put out."""
    kind = body.config.model_type
    # Earlier releases of transformers scaled whatever was fed into Gemma's layers, later ones what its embedding puts out.
    return kind in SPLITTABLE and (
        kind != "gemma" or "embed_scale" in dict(body.get_input_embeddings().named_buffers())
    )


def layers_of(body: PreTrainedModel) -> nn.ModuleList:
    """The stack of layers, whatever the architecture calls it. Raises PlauditError where there is not exactly one."""
    stack: nn.ModuleList = body.get_submodule(upper_parts(body)[0])
    return stack


def upper_parts(body: PreTrainedModel) -> tuple[str, ...]:
    """The names of the stack of layers and of the modules with weights behind it, first the stack.

    Raises PlauditError where there is not exactly one stack.
    """
    children = dict(body.named_children())
    stacks = [name for name, module in children.items() if isinstance(module, nn.ModuleList)]
    if len(stacks) != 1:
        raise PlauditError(
            f"cannot find the layers of a {body.config.model_type!r} model: train 'all' or 'lora', without "
            "gradient_checkpointing"
        )
    names = list(children)
    behind = names[names.index(stacks[0]) + 1 :]
    return stacks[0], *(name for name in behind if any(True for _ in children[name].parameters()))


def part_of(body: PreTrainedModel, start: int, end: int) -> PreTrainedModel:
    """A view of a body with only layers [start, end); it shares every parameter with the original.

    What stands behind the layers is in the view that has the last of them, positions are added in the one with the first.
    """
    (stack, *behind), layers = upper_parts(body), layers_of(body)
    part = viewed(body)
    part.config = copy.deepcopy(body.config)
    part.config.num_hidden_layers = end - start
    if part.config.to_dict().get("layer_types"):
        part.config.layer_types = list(body.config.layer_types)[start:end]
    part.add_module(stack, nn.ModuleList(list(layers)[start:end]))
    if end < len(layers):
        for name in behind:
            part.add_module(name, nn.Identity())
    if start and body.config.model_type in _POSITIONS:
        part.add_module(_POSITIONS[body.config.model_type], _NoPositions())
    return part


def viewed(body: PreTrainedModel) -> PreTrainedModel:
    """A body of the same parts, in which a part can be replaced while the original keeps its own."""
    view = copy.copy(body)
    view._modules = dict(body._modules)
    return view


class _NoPositions(nn.Module):
    """Adds nothing: the layers below have the positions already."""

    def forward(self, positions: Tensor) -> Tensor:
        return positions.new_zeros(())
