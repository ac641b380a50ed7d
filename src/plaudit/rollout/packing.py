"""Weights in the order of oneDNN's kernels: decoding multiplies few rows, which takes a third less time on a CPU with them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn

# Below these a copy in another order is not worth making.
MIN_ROWS, MIN_WEIGHTS = 8, 1 << 16


@contextmanager
def packed_for(model: nn.Module, num_rows: int) -> Iterator[None]:
    """While it lasts, the model's linear layers multiply by copies of their weights that are laid out for `num_rows` rows.

    For inference alone, and on CPUs: nothing that is done inside has a gradient, and the copies are of the weights as they are
    now. Results differ from the layers' own by rounding. They need as much memory again as the layers' weights.
    """
    layers = [layer for layer in model.modules() if type(layer) is nn.Linear] if num_rows >= MIN_ROWS else []
    chosen = [layer for layer in layers if layer.weight.numel() >= MIN_WEIGHTS and _can_pack(layer.weight)]
    try:
        with torch.no_grad():
            for layer in chosen:
                layer.forward = _product(layer, num_rows)  # type: ignore[method-assign,assignment]
        yield
    finally:
        for layer in chosen:
            # The class's own is seen again.
            vars(layer).pop("forward", None)


def _can_pack(weight: Tensor) -> bool:
    if weight.device.type != "cpu" or not torch.backends.mkldnn.is_available():
        return False
    return weight.dtype == torch.float32 or (
        weight.dtype == torch.bfloat16 and bool(torch.ops.mkldnn._is_mkldnn_bf16_supported())
    )


def _product(layer: nn.Linear, num_rows: int) -> Callable[[Tensor], Tensor]:
    """The layer's forward pass with the weight in another order. As under autocast, the input takes the weight's type."""
    dtype, weight = layer.weight.dtype, torch.ops.mkldnn._reorder_linear_weight(layer.weight, num_rows)
    bias = None if layer.bias is None else layer.bias.to(dtype)

    def forward(x: Tensor) -> Tensor:
        product: Tensor = torch.ops.mkldnn._linear_pointwise(x.to(dtype), weight, bias, "none", [], "")
        return product

    return forward
