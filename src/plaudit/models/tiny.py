"""`tiny`: a two-layer model with a byte-level tokenizer, made in code from a seed. For tests and dry runs."""

from __future__ import annotations

import torch
from tokenizers import Tokenizer, decoders, pre_tokenizers
from tokenizers.models import BPE
from transformers import AutoConfig, AutoModelForCausalLM, PreTrainedModel, PreTrainedTokenizerFast

NAME = "tiny"
_SPECIAL = ("<|pad|>", "<|turn|>", "<|end|>")
_TEMPLATE = (
    "{% for message in messages %}{{ '<|turn|>' + message['role'][0] + message['content'] + '<|end|>' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|turn|>a' }}{% endif %}"
)


def tiny_tokenizer() -> PreTrainedTokenizerFast:
    """One id a byte after three special tokens: pad 0, turn 1, end 2. 259 ids."""
    vocab = {token: i for i, token in enumerate((*_SPECIAL, *sorted(pre_tokenizers.ByteLevel.alphabet())))}
    tokenizer = Tokenizer(BPE(vocab=vocab, merges=[]))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    tokenizer.decoder = decoders.ByteLevel()
    fast = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        pad_token=_SPECIAL[0],
        bos_token=_SPECIAL[1],
        eos_token=_SPECIAL[2],
        model_max_length=512,
    )
    fast.chat_template = _TEMPLATE
    fast.name_or_path = NAME
    return fast


def tiny_model(seed: int = 0, *, num_layers: int = 2, width: int = 64) -> PreTrainedModel:
    """A randomly initialised Llama of `num_layers` layers. The global generator is left as it was."""
    config = AutoConfig.for_model(
        "llama",
        vocab_size=256 + len(_SPECIAL),
        hidden_size=width,
        intermediate_size=2 * width,
        num_hidden_layers=num_layers,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=512,
        tie_word_embeddings=True,
        pad_token_id=0,
        bos_token_id=1,
        eos_token_id=2,
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = AutoModelForCausalLM.from_config(config, dtype=torch.float32)
    # Both: peft reads the one, a prefix of plaudit's the other.
    model.name_or_path = model.config.name_or_path = NAME
    return model
