"""`plaudit export`: a model as a folder that plain transformers, and what builds on it, loads."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from plaudit.cli.agreement import check_chat_model
from plaudit.models.load import Precision, load_causal_lm
from plaudit.models.policy import PolicyModel, TrainLayers
from plaudit.models.prefix import base_of, folder_of, is_adapter, is_prefix
from plaudit.models.save import save_policy
from plaudit.schemas.errors import PlauditError


@dataclass(frozen=True, kw_only=True, slots=True)
class ExportCommand:
    """Write a model as a plain Hugging Face folder with its tokenizer, chat template and card."""

    model: str
    """The model: an adapter's folder, a .gguf file, any folder, a hub id, `smollm2-135m` or `tiny`."""
    out: Path
    """The folder to write; it must be new or empty."""
    merge: bool = False
    """Add an adapter's weights to those of its base model. Needed for an adapter, refused for any other model."""
    precision: Literal["float32", "bfloat16"] = "float32"
    """Type of the weights that are written; bfloat16 halves the folder and rounds the weights."""

    def run(self) -> int:
        if is_prefix(self.model):
            raise PlauditError(
                f"{self.model} is a prefix, which no weights can hold: give the folder itself to peft, or train with "
                "train.kind = 'lora' for one that can be merged"
            )
        if is_adapter(self.model) and not self.merge:
            raise PlauditError(
                f"{self.model} is an adapter, which needs its base model beside it: give --merge to write both as one"
            )
        if self.merge and not is_adapter(self.model):
            raise PlauditError(f"{self.model} is no adapter, so there is nothing to merge: leave --merge out")
        if self.out.exists() and (not self.out.is_dir() or any(self.out.iterdir())):
            raise PlauditError(f"{self.out} is not empty: give a new or empty folder")
        codec = check_chat_model(self.model)
        model = load_causal_lm(self.model, precision=Precision(self.precision))
        parent = base_of(folder_of(self.model)) if self.merge else self.model
        self.out.parent.mkdir(parents=True, exist_ok=True)
        whole = PolicyModel(model, TrainLayers(kind="all"))
        save_policy(
            whole, codec.tokenizer, self.out, made_by="export" if self.merge else "copy", parent=parent, numbers={}
        )
        print(
            f"{self.out}: {sum(p.numel() for p in model.parameters()) / 1e6:.1f} million parameters, {self.precision}"
        )
        return 0
