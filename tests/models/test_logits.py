"""Models that do more to their head's outputs than to call them logits, and those that do what plaudit does not know."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor
from transformers import AutoConfig, AutoModelForCausalLM, PreTrainedModel

from plaudit.batches.tokens import TokenRows
from plaudit.models import policy as policy_module
from plaudit.models.load import Precision, load_codec
from plaudit.models.logits import PLAIN, LogitShape, check_logits, logit_shape
from plaudit.models.policy import PolicyModel, TrainLayers, load_frozen_policy, load_policy
from plaudit.models.tiny import tiny_model
from plaudit.rollout.sampler import Sampling, sampled
from plaudit.schemas.conversation import user
from plaudit.schemas.errors import PlauditError
from plaudit.text.prompts import TooLong, encoded_prompts

CPU = torch.device("cpu")
SHAPES = {
    "granite": ({"logits_scaling": 8.0}, LogitShape(scale=1 / 8)),
    "granitemoe": ({"logits_scaling": 8.0, "num_local_experts": 4}, LogitShape(scale=1 / 8)),
    "cohere": ({"logit_scale": 0.25}, LogitShape(scale=0.25)),
    "cohere2": ({"logit_scale": 0.25}, LogitShape(scale=0.25)),
    "gemma2": ({"head_dim": 16, "final_logit_softcapping": 5.0}, LogitShape(softcap=5.0)),
    "gemma3_text": ({"head_dim": 16, "final_logit_softcapping": 5.0}, LogitShape(softcap=5.0)),
}
every_shape = pytest.mark.parametrize("kind", SHAPES)
# One that scales and one that caps.
BOTH = ("granite", "gemma2")
WAYS = [
    TrainLayers(kind="all"),
    TrainLayers(kind="upper", num_upper=1),
    TrainLayers(kind="lora", lora_rank=4, lora_alpha=8),
    TrainLayers(kind="prefix", prefix_tokens=4),
]
every_way = pytest.mark.parametrize("train", WAYS, ids=lambda train: train.kind)


def small(kind: str) -> PreTrainedModel:
    """A model of that architecture whose head's outputs reach 10 and more, so that a cap of 5 bends them."""
    sizes = {"vocab_size": 259, "hidden_size": 64, "intermediate_size": 128, "num_hidden_layers": 2}
    heads = {"num_attention_heads": 4, "num_key_value_heads": 2, "max_position_embeddings": 512}
    tokens = {"pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 2}
    config = AutoConfig.for_model(kind, **sizes, **heads, **tokens, **SHAPES[kind][0])
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model = AutoModelForCausalLM.from_config(config, dtype=torch.float32).eval()
        torch.nn.init.normal_(model.get_output_embeddings().weight, std=0.5)
    return model


def own_logprobs(model: PreTrainedModel, rows: TokenRows, temperature: float) -> Tensor:
    """Of the tokens that count, one after the other, as the model's own logits have them."""
    logits = model(input_ids=rows.token_ids, attention_mask=rows.attention_mask.long()).logits
    logprobs = torch.log_softmax(logits[:, :-1].double() / temperature, -1)
    chosen = logprobs.gather(-1, rows.token_ids[:, 1:, None]).squeeze(-1)
    return chosen[rows.answer_mask[:, 1:]]


@every_shape
def test_what_the_config_says_of_the_logits_is_known(kind: str) -> None:
    assert logit_shape(small(kind).config) == SHAPES[kind][1]


def test_most_models_do_nothing_to_their_heads_outputs() -> None:
    assert logit_shape(tiny_model().config) == PLAIN == LogitShape(scale=1.0, softcap=None)
    uncapped = AutoConfig.for_model("gemma3_text", final_logit_softcapping=None)
    assert logit_shape(uncapped) == PLAIN


@every_shape
@pytest.mark.parametrize("train", WAYS[:3], ids=lambda train: train.kind)
@pytest.mark.parametrize("temperature", [1.0, 0.7])
def test_log_probabilities_are_the_models_own(
    rows: TokenRows, kind: str, train: TrainLayers, temperature: float
) -> None:
    """With a head that learns and with a frozen one; the reference's too."""
    expected = own_logprobs(small(kind), rows, temperature)
    policy = PolicyModel(small(kind), train)
    prepared = policy.prepared(rows)
    found, reference = policy(prepared, temperature).logprobs, policy.reference()(prepared, temperature)
    assert torch.allclose(found[rows.answer_mask].double(), expected, atol=1e-4)
    assert torch.allclose(reference, found, atol=1e-5)


@pytest.mark.parametrize("kind", BOTH)
@pytest.mark.parametrize("train", WAYS[:2], ids=lambda train: train.kind)
def test_what_is_learnt_is_learnt_for_the_model_itself(rows: TokenRows, kind: str, train: TrainLayers) -> None:
    """The gradient of the loss, through a head that learns and past a frozen one, against autograd's of its own logits."""
    policy, model = PolicyModel(small(kind), train), small(kind)
    policy(policy.prepared(rows), 0.7).logprobs.sum().backward()
    own_logprobs(model, rows, 0.7).sum().backward()
    expected = dict(model.named_parameters())
    for name, parameter in policy.trained_parameters():
        assert parameter.grad is not None
        assert torch.allclose(parameter.grad, expected[name].grad, rtol=1e-3, atol=1e-3), name


@pytest.mark.parametrize("kind", BOTH)
@pytest.mark.parametrize("mixed", [False, True], ids=["float32", "mixed"])
def test_the_sampler_and_the_learner_agree(kind: str, mixed: bool) -> None:
    codec = load_codec("tiny")
    prompts, _ = encoded_prompts([(user("ask"),), (user("me"),)], codec, max_tokens=99, too_long=TooLong.REFUSE)
    policy = PolicyModel(small(kind), WAYS[1], mixed=mixed)
    drawn = sampled(policy.sampler(), codec, prompts, Sampling(max_new_tokens=8), num_answers=4, seed=1)
    found = policy(drawn.rows).logprobs
    # bfloat16 has three digits: of logits up to 10, a head's and a cap's rounding leave some hundredths.
    assert torch.allclose(found, drawn.logprobs, atol=0.15 if mixed else 1e-4)


def doubling(model: PreTrainedModel) -> PreTrainedModel:
    """The model, its logits doubled behind its head, in a way that its config does not tell."""
    forward = model.forward

    def doubled(*args: object, **kwargs: object) -> object:
        output = forward(*args, **kwargs)
        output.logits = 2 * output.logits
        return output

    model.forward = doubled
    return model


@pytest.fixture
def load_tiny(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Has policies loaded from a tiny model that was changed first."""

    def loaded(change: Callable[[PreTrainedModel], PreTrainedModel], dtype: torch.dtype) -> None:
        monkeypatch.setattr(policy_module, "load_causal_lm", lambda *_, **__: change(tiny_model()).to(dtype).eval())

    return loaded


@every_way
@pytest.mark.parametrize("precision", [Precision.FLOAT32, Precision.BFLOAT16, Precision.MIXED])
def test_a_model_that_does_what_nobody_knows_is_refused(
    load_tiny: Callable[..., None], train: TrainLayers, precision: Precision
) -> None:
    """And no other is, in any way of training and at any precision: with weights of 0.02 its logits are nearly alike."""
    load_tiny(lambda model: model, precision.dtype)
    load_policy("tiny", train, precision=precision, device=CPU)
    load_frozen_policy("tiny", precision=precision, device=CPU)
    load_tiny(doubling, precision.dtype)
    message = (
        r"cannot compute the log-probabilities of a 'llama' model: the model's own are up to \d.* nats a token away"
    )
    with pytest.raises(PlauditError, match=message):
        load_policy("tiny", train, precision=precision, device=CPU)
    with pytest.raises(PlauditError, match=message):
        load_frozen_policy("tiny", precision=precision, device=CPU)


@every_shape
def test_a_known_shape_is_not_refused(kind: str) -> None:
    policy = PolicyModel(small(kind), WAYS[1])
    check_logits(policy.full, lambda rows: policy(rows).logprobs)
    policy.logit_shape = PLAIN
    with pytest.raises(PlauditError, match=f"log-probabilities of a '{kind}' model"):
        check_logits(policy.full, lambda rows: policy(rows).logprobs)


def test_the_check_leaves_the_model_as_it_was() -> None:
    model = tiny_model()
    model.train()
    model.base_model.layers[0].eval()
    policy = PolicyModel(model, WAYS[0])
    modes, state = [module.training for module in model.modules()], torch.get_rng_state()
    check_logits(model, lambda rows: policy(rows).logprobs)
    assert [module.training for module in model.modules()] == modes
    assert torch.equal(torch.get_rng_state(), state)
    assert all(parameter.grad is None for parameter in model.parameters())
