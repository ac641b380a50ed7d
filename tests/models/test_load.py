"""Models by name: what is found, and what is said where nothing is."""

from pathlib import Path

import gguf
import numpy as np
import pytest
import torch

from plaudit.batches.tokens import TokenRows
from plaudit.models import smollm2
from plaudit.models.load import Precision, device_for, load_causal_lm, load_codec, model_location
from plaudit.models.policy import PolicyModel, TrainLayers
from plaudit.models.tiny import tiny_model, tiny_tokenizer
from plaudit.schemas.errors import PlauditError

ALL = TrainLayers(kind="all")


def written_gguf(path: Path) -> None:
    """The tiny model as a GGUF file. The format keeps the rows of q and k in the order of interleaved rotary pairs."""
    model = tiny_model()
    config = model.config
    writer = gguf.GGUFWriter(str(path), "llama")
    writer.add_context_length(config.max_position_embeddings)
    writer.add_embedding_length(config.hidden_size)
    writer.add_block_count(config.num_hidden_layers)
    writer.add_feed_forward_length(config.intermediate_size)
    writer.add_head_count(config.num_attention_heads)
    writer.add_head_count_kv(config.num_key_value_heads)
    writer.add_layer_norm_rms_eps(config.rms_norm_eps)
    writer.add_rope_dimension_count(config.head_dim)
    writer.add_rope_freq_base(10000.0)
    writer.add_vocab_size(config.vocab_size)
    parts = {
        "self_attn.q_proj": "attn_q",
        "self_attn.k_proj": "attn_k",
        "self_attn.v_proj": "attn_v",
        "self_attn.o_proj": "attn_output",
        "mlp.gate_proj": "ffn_gate",
        "mlp.up_proj": "ffn_up",
        "mlp.down_proj": "ffn_down",
        "input_layernorm": "attn_norm",
        "post_attention_layernorm": "ffn_norm",
    }
    names = {"model.embed_tokens": "token_embd", "model.norm": "output_norm"}
    for layer in range(config.num_hidden_layers):
        names |= {f"model.layers.{layer}.{ours}": f"blk.{layer}.{theirs}" for ours, theirs in parts.items()}
    weights = {name.removesuffix(".weight"): tensor.numpy() for name, tensor in model.state_dict().items()}
    heads = {"attn_q": config.num_attention_heads, "attn_k": config.num_key_value_heads}
    for ours, theirs in names.items():
        weight = weights[ours]
        if num := heads.get(theirs.split(".")[-1]):
            weight = weight.reshape(num, 2, -1, weight.shape[1]).swapaxes(1, 2).reshape(weight.shape)
        writer.add_tensor(f"{theirs}.weight", np.ascontiguousarray(weight))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def test_tiny_is_the_same_every_time_and_ready_for_inference() -> None:
    state = torch.get_rng_state()
    first, second = load_causal_lm("tiny"), load_causal_lm("tiny")
    assert torch.equal(torch.get_rng_state(), state)
    assert all(torch.equal(a, b) for a, b in zip(first.parameters(), second.parameters(), strict=True))
    assert not any(module.training for module in first.modules())
    assert not torch.equal(tiny_model(seed=1).base_model.embed_tokens.weight, first.base_model.embed_tokens.weight)


def test_tiny_has_one_id_a_byte_after_three_special_tokens() -> None:
    tokenizer = tiny_tokenizer()
    assert tokenizer.convert_tokens_to_ids(["<|pad|>", "<|turn|>", "<|end|>"]) == [0, 1, 2]
    assert len(tokenizer) == 259 == load_causal_lm("tiny").config.vocab_size
    assert len(tokenizer.encode("é漢", add_special_tokens=False)) == 5
    assert len(set(tokenizer.encode("".join(map(chr, range(128))), add_special_tokens=False))) == 128


def test_a_folder_loads(tmp_path: Path, rows: TokenRows) -> None:
    load_causal_lm("tiny").save_pretrained(tmp_path)
    tiny_tokenizer().save_pretrained(tmp_path)
    found, expected = (PolicyModel(load_causal_lm(name), ALL)(rows).logprobs for name in (str(tmp_path), "tiny"))
    assert torch.equal(found, expected)
    assert load_codec(str(tmp_path)).writes_the_same_ids_as(load_codec("tiny"))


def test_a_gguf_file_loads_and_can_be_saved(tmp_path: Path, rows: TokenRows) -> None:
    """transformers refuses to save what it read from GGUF, though the weights are plain numbers by then."""
    written_gguf(tmp_path / "tiny.gguf")
    model = load_causal_lm(str(tmp_path / "tiny.gguf"))
    expected = PolicyModel(load_causal_lm("tiny"), ALL)(rows).logprobs
    assert torch.allclose(PolicyModel(model, ALL)(rows).logprobs, expected, atol=1e-5)
    model.save_pretrained(tmp_path / "saved")
    again = load_causal_lm(str(tmp_path / "saved"))
    assert torch.allclose(PolicyModel(again, ALL)(rows).logprobs, expected, atol=1e-5)
    assert not any(module.training for module in model.modules())


def test_precision_and_device() -> None:
    assert load_causal_lm("tiny", precision=Precision.BFLOAT16).dtype == torch.bfloat16
    assert load_causal_lm("tiny", device=torch.device("cpu")).device == torch.device("cpu")
    assert device_for("cpu") == torch.device("cpu")
    assert device_for("auto").type == ("cuda" if torch.cuda.is_available() else "cpu")


def test_a_device_torch_does_not_know_is_refused() -> None:
    with pytest.raises(PlauditError, match="'gpu' is not one torch knows: use auto, cpu or cuda"):
        device_for("gpu")


@pytest.mark.parametrize("name", ["mps", "meta", "xpu", "privateuseone"])
def test_a_device_that_plaudit_does_not_compute_on_is_refused(name: str) -> None:
    with pytest.raises(PlauditError, match=rf"device '{name}'.* use auto, cpu or cuda"):
        device_for(name)


def test_a_device_beyond_those_there_are_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    for name in ("cuda", "cuda:0", "cuda:1", "cpu:0"):
        assert device_for(name) == torch.device(name)
    with pytest.raises(PlauditError, match="'cuda:2': torch sees 2 of that kind here, counted from cuda:0"):
        device_for("cuda:2")
    with pytest.raises(PlauditError, match="'cpu:1': torch sees 1 of that kind here, counted from cpu:0"):
        device_for("cpu:1")


@pytest.mark.skipif(torch.cuda.is_available(), reason="needs a machine without a CUDA device")
def test_cuda_where_there_is_none_is_refused() -> None:
    with pytest.raises(PlauditError, match="torch sees no CUDA device here; use --device cpu or auto"):
        device_for("cuda")


@pytest.mark.parametrize("load", [load_causal_lm, load_codec])
def test_a_folder_without_a_model_is_refused_with_what_would_do(load: object, tmp_path: Path) -> None:
    assert callable(load)
    for name, problem in ((tmp_path, r"holds no config\.json"), (tmp_path / "nowhere", "there is no such folder")):
        with pytest.raises(PlauditError, match=rf"{problem}.*save_pretrained.*'tiny'"):
            load(str(name))


def test_a_gguf_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(PlauditError, match="no such file"):
        load_causal_lm(str(tmp_path / "absent.gguf"))


@pytest.mark.parametrize("content", ["{", '{"model_type": "unheard-of"}'])
def test_a_broken_config_is_refused_in_one_line(tmp_path: Path, content: str) -> None:
    (tmp_path / "config.json").write_text(content)
    with pytest.raises(PlauditError, match="could not be loaded: ") as caught:
        load_causal_lm(str(tmp_path))
    assert "\n" not in str(caught.value)


def test_a_hub_id_without_network_is_refused_in_one_line() -> None:
    with pytest.raises(PlauditError, match="'nobody/nothing' could not be loaded: "):
        load_causal_lm("nobody/nothing")


def test_a_hub_id_is_left_to_transformers() -> None:
    assert model_location("some/model") == ("some/model", {})


@pytest.fixture
def converted() -> str:
    if not (smollm2.cache_folder() / smollm2.NAME / "config.json").is_file():
        pytest.skip(f"{smollm2.NAME} is not in the cache: any run with --model {smollm2.NAME} fetches it")
    return smollm2.NAME


def test_smollm2_has_the_weights_it_always_had_and_splits(converted: str, rows: TokenRows) -> None:
    """The key of its lower 24 layers: what every branch trained on them was trained on."""
    model = load_causal_lm(converted)
    split = PolicyModel(model, TrainLayers(kind="upper", num_upper=6))
    assert split.branch.trunk is not None
    assert split.branch.trunk.key.startswith("703e66fa6c55902c")
    with torch.no_grad():
        found = split(split.prepared(rows)).logprobs
        expected = PolicyModel(model, ALL)(rows).logprobs
    assert torch.allclose(found, expected, atol=1e-4)  # 30 layers of float32


def test_a_runs_folder_is_named_with_the_model_in_it(tmp_path: Path) -> None:
    """The likeliest slip: `--out runs/sft`, then `--model runs/sft`."""
    (tmp_path / "model").mkdir()
    for name in ("manifest.json", "config.json"):
        (tmp_path / name).write_text("{}", encoding="utf-8")
    for load in (load_causal_lm, load_codec):
        with pytest.raises(PlauditError, match=f"that is a run's folder, its model is {tmp_path / 'model'}"):
            load(str(tmp_path))
