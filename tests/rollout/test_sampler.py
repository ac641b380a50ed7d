"""Sampled answers: where they come from, what they depend on, and that the learner sees the same probabilities."""

import math
from collections.abc import Sequence

import pytest
import torch
from scipy.stats import chi2
from torch import Tensor, nn
from transformers import AutoConfig, AutoModelForCausalLM, PreTrainedModel

from plaudit.batches.rollouts import Rollouts
from plaudit.models.anatomy import SPLITTABLE
from plaudit.models.load import load_codec
from plaudit.models.policy import PolicyModel, TrainLayers
from plaudit.models.tiny import tiny_model
from plaudit.rollout.decoding import Decoder
from plaudit.rollout.sampler import Sampling, answer_uniforms, sampled
from plaudit.schemas.conversation import user
from plaudit.schemas.errors import PlauditError
from plaudit.text.prompts import EncodedPrompt, TooLong, encoded_prompts

CODEC = load_codec("tiny")
STOP = CODEC.stop_id


def prompts_of(*texts: str) -> list[EncodedPrompt]:
    return encoded_prompts([(user(text),) for text in texts], CODEC, max_tokens=200, too_long=TooLong.REFUSE)[0]


PROMPTS = prompts_of("hi", "a much longer question than the others", "mid-length one", "z")


def random_model(architecture: str = "llama", *, dropout: float = 0.0, stop_bias: float = 3.0) -> PreTrainedModel:
    """Random weights, and a head that stops after a dozen tokens on average."""
    if architecture == "llama":
        model = tiny_model()
    else:
        sizes = {"vocab_size": 259, "hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4}
        extra = {"intermediate_size": 64, "num_key_value_heads": 2, "head_dim": 8}
        if architecture == "gpt2":
            extra = {"resid_pdrop": dropout, "embd_pdrop": dropout, "attn_pdrop": dropout, "n_positions": 128}
        elif architecture == "mistral":
            extra["sliding_window"] = 16  # shorter than the rows
        config = AutoConfig.for_model(architecture, **sizes, **extra, bos_token_id=1, eos_token_id=2)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            model = AutoModelForCausalLM.from_config(config, dtype=torch.float32)
    head = nn.Linear(model.config.hidden_size, 259)
    with torch.no_grad():
        # Sharper than at the start (logits deviate by about 2), so that temperature and neighbours would show.
        head.weight.normal_(std=2 / model.config.hidden_size**0.5, generator=torch.Generator().manual_seed(0))
        head.bias.zero_()
        head.bias[STOP] = stop_bias
    model.lm_head = head
    return model.eval()


def answers_of(rollouts: Rollouts) -> list[list[int]]:
    rows = rollouts.rows
    return [rows.token_ids[i][rows.answer_mask[i]].tolist() for i in range(len(rows))]


def sample(
    model: PreTrainedModel,
    prompts: Sequence[EncodedPrompt] = PROMPTS,
    *,
    num_answers: int = 3,
    seed: int = 0,
    step: int = 0,
    **settings: float,
) -> Rollouts:
    sampling = Sampling(**{"max_new_tokens": 12, **settings})  # type: ignore[arg-type]
    return sampled(model, CODEC, prompts, sampling, num_answers=num_answers, seed=seed, step=step)


@torch.no_grad()
def slow_answer(
    model: PreTrainedModel, prompt: EncodedPrompt, uniforms: Sequence[float], temperature: float, *, greedy: bool
) -> tuple[list[int], list[float]]:
    """One answer without cache, batch or padding: the whole text run anew for every token, sums in plain floats."""
    ids, logprobs = list(prompt.token_ids), []
    for uniform in uniforms:
        logits = (model(input_ids=torch.tensor([ids])).logits[0, -1] / temperature).tolist()
        weights = [math.exp(x - max(logits)) for x in logits]
        total, below = sum(weights), 0.0
        token = logits.index(max(logits))
        if not greedy:
            for token, weight in enumerate(weights):  # noqa: B007 (the token it ends with is the answer)
                below += weight
                if below > uniform * total:
                    break
        ids.append(token)
        logprobs.append(math.log(weights[token] / total))
        if token == STOP:
            break
    return ids[len(prompt.token_ids) :], logprobs


@pytest.mark.parametrize("temperature", [1.0, 0.7])
@pytest.mark.parametrize("greedy", [False, True])
def test_answers_are_those_of_a_slow_sampler(temperature: float, greedy: bool) -> None:
    model = random_model()
    found = sample(model, temperature=temperature, greedy=greedy, num_answers=2)
    for i, answer in enumerate(answers_of(found)):
        prompt = PROMPTS[i // 2]
        uniforms = answer_uniforms([(0, 0, prompt.id, i % 2)], 12)[0].tolist()
        tokens, logprobs = slow_answer(model, prompt, uniforms, temperature, greedy=greedy)
        assert answer == tokens
        row = found.logprobs[i][found.rows.answer_mask[i]]
        assert row.tolist() == pytest.approx(logprobs, abs=1e-4)


@pytest.mark.parametrize("temperature", [1.0, 0.7])
@pytest.mark.parametrize("architecture", sorted(SPLITTABLE))
def test_the_sampler_and_the_learner_agree(architecture: str, temperature: float) -> None:
    """So that the first minibatch's ratio is 1: the same temperature divides both, cache and padding change nothing."""
    model = random_model(architecture)
    rollouts = sample(model, temperature=temperature)
    policy = PolicyModel(model, TrainLayers(kind="upper", num_upper=1))
    rows = policy.prepared(rollouts.rows)
    learner = policy(rows, temperature).logprobs
    assert (learner - rollouts.logprobs).abs().max() < 1e-4
    assert (policy.reference()(rows, temperature) - rollouts.logprobs).abs().max() < 1e-4
    assert ((learner - rollouts.logprobs).exp() - 1).abs().max() < 1e-4
    assert not rollouts.logprobs[~rollouts.rows.answer_mask].any()
    assert (policy(rows, 2.0).logprobs - rollouts.logprobs).abs().max() > 0.1
    whole = PolicyModel(model, TrainLayers(kind="all"))  # whose head learns, and keeps its logits
    assert (whole(rollouts.rows, temperature).logprobs - rollouts.logprobs).abs().max() < 1e-4


@pytest.mark.parametrize("batch_size", [4, 64])
@pytest.mark.parametrize("architecture", sorted(SPLITTABLE))
def test_what_the_sampler_keeps_is_what_the_learner_would_compute(architecture: str, batch_size: int) -> None:
    """The trunk's activations at every token, the stop token included, and the states the tokens were chosen from."""
    policy = PolicyModel(random_model(architecture), TrainLayers(kind="upper", num_upper=1))
    trunk = policy.branch.trunk
    assert trunk is not None
    sampling = Sampling(max_new_tokens=12, batch_size=batch_size)
    kept = sampled(policy.sampler(), CODEC, PROMPTS, sampling, num_answers=6, seed=0, keep_states=True, trunk=trunk)
    plain = sample(policy.sampler(), num_answers=6, batch_size=batch_size)
    assert answers_of(kept) == answers_of(plain)
    assert torch.allclose(kept.logprobs, plain.logprobs, atol=1e-5)
    assert not bool(kept.finished.all())
    assert bool(kept.finished.any())
    rows, computed = kept.rows, trunk.prepared(plain.rows)
    assert rows.trunk_key == trunk.key
    assert rows.trunk is not None
    assert computed.trunk is not None
    assert torch.allclose(rows.trunk[rows.attention_mask], computed.trunk[rows.attention_mask], atol=1e-5)
    assert kept.states is not None
    assert torch.allclose(kept.states[rows.answer_mask], policy(computed).hidden[rows.answer_mask], atol=1e-5)
    (policy(rows).logprobs * kept.states.sum(-1)).sum().backward()  # and it can be learnt from


@pytest.mark.parametrize(
    "train", [TrainLayers(kind="all"), TrainLayers(kind="upper", num_upper=1), TrainLayers(kind="lora")]
)
def test_under_mixed_precision_the_sampler_computes_what_the_learner_does(train: TrainLayers) -> None:
    """But for products rounded in batches of another shape: also after the learner has moved, and what it keeps."""
    policy = PolicyModel(random_model(), train, mixed=True)
    trunk = policy.branch.trunk
    for _ in range(2):
        kept, plain = (
            sampled(policy.sampler(), CODEC, PROMPTS, Sampling(max_new_tokens=12), num_answers=3, seed=0, trunk=x)
            for x in (trunk, None)
        )
        rows = kept.rows
        with torch.no_grad():
            off = (policy(rows).logprobs - kept.logprobs)[rows.answer_mask].abs()
            assert off.mean() < 0.01
            assert off.max() < 0.1
            if trunk is not None:
                assert rows.trunk is not None
                computed = trunk(plain.rows)[rows.attention_mask]
                assert (rows.trunk[rows.attention_mask] - computed).norm() < 0.01 * computed.norm()
            for _, parameter in policy.trained_parameters():
                parameter.add_(0.05 * torch.randn(parameter.shape, generator=torch.Generator().manual_seed(0)))


def test_what_was_sampled_can_be_learnt_from() -> None:
    """No tensor of a rollout is an inference tensor, which autograd would refuse to keep."""
    model = random_model()
    rollouts = sample(model)
    policy = PolicyModel(model, TrainLayers(kind="all"))
    (policy(rollouts.rows).logprobs * rollouts.logprobs).sum().backward()
    assert all(parameter.grad is not None for _, parameter in policy.trained_parameters() if parameter.dim() == 1)


def test_an_answer_ends_with_its_stop_token_which_counts() -> None:
    rollouts = sample(random_model(), num_answers=16)
    answers, rows = answers_of(rollouts), rollouts.rows
    assert 10 < sum(rollouts.finished.tolist()) < 60  # of 64: both cases are there
    for i, answer in enumerate(answers):
        finished = bool(rollouts.finished[i])
        assert answer.count(STOP) == finished
        assert (answer[-1] == STOP) == finished
        assert len(answer) == 12 or finished
        assert rollouts.num_tokens[i] == len(answer)
        prompt = PROMPTS[int(rollouts.prompt_index[i])].token_ids
        assert rows.token_ids[i, : rows.lengths[i]].tolist() == [*prompt, *answer]
        assert rows.answer_mask[i].nonzero().flatten().tolist() == list(range(len(prompt), len(prompt) + len(answer)))
        assert rollouts.texts[i] == CODEC.decoded([token for token in answer if token != STOP])
        assert "<|end|>" not in rollouts.texts[i]


def test_answers_lie_side_by_side_in_the_order_of_the_prompts() -> None:
    rollouts = sample(random_model(), num_answers=3)
    assert rollouts.prompt_index.tolist() == [0, 0, 0, 1, 1, 1, 2, 2, 2, 3, 3, 3]


def test_the_same_key_gives_the_same_answer_and_another_key_another() -> None:
    model = random_model(stop_bias=-9.0)
    first = sample(model)
    assert sample(model).texts == first.texts
    assert torch.equal(sample(model).logprobs, first.logprobs)
    for other in (sample(model, seed=1), sample(model, step=1)):
        assert not set(other.texts) & set(first.texts)
    assert len(set(first.texts)) == len(first)


@pytest.mark.parametrize("order", [[0, 1, 2, 3], [3, 1, 0, 2], [2], [1, 2]])
@pytest.mark.parametrize("num_answers", [1, 3, 5])
@pytest.mark.parametrize("batch_size", [1, 6, 64])
def test_an_answer_does_not_depend_on_its_neighbours(order: list[int], num_answers: int, batch_size: int) -> None:
    model = random_model()
    expected = {}
    for prompt in PROMPTS:
        alone = sample(model, [prompt], num_answers=5)
        for k, answer in enumerate(answers_of(alone)):
            expected[prompt.id, k] = (answer, alone.logprobs[k][alone.rows.answer_mask[k]])
    found = sample(model, [PROMPTS[i] for i in order], num_answers=num_answers, batch_size=batch_size)
    for i, answer in enumerate(answers_of(found)):
        tokens, logprobs = expected[PROMPTS[order[i // num_answers]].id, i % num_answers]
        assert answer == tokens
        assert torch.allclose(found.logprobs[i][found.rows.answer_mask[i]], logprobs, atol=1e-5)


@pytest.mark.parametrize("batch_size", [1, 4, 64])
def test_equal_prompts_in_one_call_get_different_answers(batch_size: int) -> None:
    """The index counts on: the same prompt twice with two answers each has the answers 0 to 3."""
    model = random_model(stop_bias=-9.0)
    twice = sample(model, [PROMPTS[0], PROMPTS[1], PROMPTS[0]], num_answers=2, batch_size=batch_size)
    once = sample(model, [PROMPTS[0]], num_answers=4)
    assert twice.texts[:2] + twice.texts[4:] == once.texts
    assert len(set(once.texts)) == 4


@pytest.mark.parametrize("architecture", ["llama", "gpt2"])
@torch.no_grad()
def test_left_padding_does_not_change_the_logits(architecture: str) -> None:
    """Neither after the prompt nor after a token more: positions start where the prompt does."""
    model = random_model(architecture)
    together = Decoder(model, CODEC.pad_id)
    together.add(PROMPTS, [2] * 4)
    first = together.logits.clone()
    together.advance(torch.full((8,), 100))
    for i, prompt in enumerate(PROMPTS):
        ids = torch.tensor([[*prompt.token_ids, 100]])
        plain = model(input_ids=ids).logits[0, -2:]
        for k in (2 * i, 2 * i + 1):
            assert torch.allclose(first[k], plain[0], atol=1e-5)
            assert torch.allclose(together.logits[k], plain[1], atol=1e-5)


@pytest.mark.parametrize("training", [False, True])
def test_dropout_is_off_while_sampling_and_the_mode_stays(training: bool) -> None:
    model = random_model("gpt2", dropout=0.5)
    expected = sample(model)
    model.train(training)
    assert sample(model).texts == expected.texts
    assert model.training is training
    assert not any(parameter.grad is not None for parameter in model.parameters())


def test_sampling_from_an_adapted_model_leaves_its_dropout_off() -> None:
    policy = PolicyModel(random_model("gpt2", dropout=0.5), TrainLayers(kind="lora"))
    rows = sample(policy.full).rows
    assert torch.equal(policy(rows).logprobs, policy(rows).logprobs)


def chi_square(observed: Tensor, expected: Tensor) -> float:
    """The p-value of the counts, tokens pooled (in the order of their ids) until each pool expects at least 20."""
    pools: list[list[float]] = [[0.0, 0.0]]
    for seen, wanted in zip(observed.tolist(), expected.tolist(), strict=True):
        if pools[-1][1] >= 20:
            pools.append([0.0, 0.0])
        pools[-1][0] += seen
        pools[-1][1] += wanted
    assert len(pools) >= 10
    return float(chi2.sf(sum((seen - wanted) ** 2 / wanted for seen, wanted in pools), len(pools) - 1))


@pytest.mark.parametrize("temperature", [1.0, 0.7])
def test_first_tokens_are_distributed_as_the_softmax(temperature: float) -> None:
    """Through everything: keys, generators, one forward pass for 4,000 answers. A wrong temperature is found out."""
    model, num = random_model(), 4000
    rollouts = sample(model, PROMPTS[:1], num_answers=num, max_new_tokens=1, temperature=temperature, batch_size=num)
    observed = torch.bincount(torch.tensor(answers_of(rollouts)).flatten(), minlength=259)
    with torch.no_grad():
        logits = model(input_ids=torch.tensor([PROMPTS[0].token_ids])).logits[0, -1].double()
    assert chi_square(observed, num * torch.softmax(logits / temperature, -1)) > 1e-3
    assert chi_square(observed, num * torch.softmax(logits / (temperature + 0.3), -1)) < 1e-6


@pytest.mark.parametrize("settings", [{"top_p": 0.9}, {"greedy": True}])
def test_training_refuses_what_the_learner_cannot_reproduce(settings: dict[str, float]) -> None:
    with pytest.raises(PlauditError, match="sampler's probabilities differ from the learner's"):
        Sampling(**settings).checked_for_training()  # type: ignore[arg-type]


def test_training_allows_temperature() -> None:
    sampling = Sampling(temperature=0.7)
    assert sampling.checked_for_training() is sampling


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"max_new_tokens": 0}, "must be at least 1, got 0"),
        ({"batch_size": 0}, "must be at least 1"),
        ({"temperature": 0.0}, "temperature must be above 0 and finite, got 0.0; for the likeliest answer set greedy"),
        ({"temperature": math.nan}, "temperature must be above 0"),
        ({"temperature": math.inf}, "temperature must be above 0 and finite, got inf"),
        ({"top_p": 0.0}, r"top_p must lie in \(0, 1\], got 0.0"),
        ({"top_p": 1.1}, "top_p must lie in"),
    ],
)
def test_impossible_settings_are_refused(settings: dict[str, float], message: str) -> None:
    with pytest.raises(PlauditError, match=message):
        Sampling(**settings)  # type: ignore[arg-type]


@pytest.mark.parametrize("batch_size", [1, 2, 3, 6])
def test_no_more_answers_are_decoded_at_once_than_the_batch_size_says(batch_size: int) -> None:
    """One prompt's answers too: they are split, and stay the answers they were."""
    model, sizes = random_model(), []
    expected = sample(model, num_answers=5)
    model.lm_head.register_forward_pre_hook(lambda _, args: sizes.append(len(args[0])))
    found = sample(model, num_answers=5, batch_size=batch_size)
    assert max(sizes) <= batch_size
    assert answers_of(found) == answers_of(expected)
    assert found.prompt_index.tolist() == expected.prompt_index.tolist()


@pytest.mark.parametrize("architecture", ["llama", "mistral", "gpt2"])
def test_waiting_prompts_take_the_places_of_answers_that_have_ended(architecture: str) -> None:
    """Fewer calls than one batch after the other would make; each answer is what it is alone. With a window that forgets
    what a newcomer would need (mistral) the batches follow each other."""
    prompts = prompts_of(*(f"{'long ' * (i % 3)}question {i}" for i in range(9)))
    model, calls = random_model(architecture), []
    alone = [answers_of(sample(model, [prompt], num_answers=3))[k] for prompt in prompts for k in range(3)]
    model.lm_head.register_forward_pre_hook(lambda _, given: calls.append(len(given[0])))
    ended: list[int] = []
    sampling = Sampling(max_new_tokens=12, batch_size=8)
    found = sampled(model, CODEC, prompts, sampling, num_answers=3, seed=0, ended=ended.append)
    assert answers_of(found) == alone
    assert (max(calls), sum(ended)) == (8, 27)
    batches = [alone[i : i + 8] for i in range(0, 27, 8)]
    one_after_the_other = sum(max(map(len, batch)) for batch in batches)
    num_steps = len(calls) - sum(1 for num in calls if num < 0)
    assert (num_steps < one_after_the_other) == (architecture != "mistral")


@pytest.mark.parametrize("num_answers", [0, -1])
def test_fewer_than_one_answer_is_refused(num_answers: int) -> None:
    with pytest.raises(PlauditError, match=f"at least one answer, asked for {num_answers}"):
        sample(random_model(), num_answers=num_answers)


@pytest.mark.parametrize("architecture", ["llama", "gpt2"])
def test_what_outgrows_the_models_context_is_refused(architecture: str) -> None:
    """Positions beyond it were never trained (llama) or do not exist (gpt2)."""
    model = random_model(architecture)
    context = 512 if architecture == "llama" else 128
    longest = max(len(prompt.token_ids) for prompt in PROMPTS)
    message = f"prompt of {longest} tokens and .* max_new_tokens = {context} do not fit .* context of {context} tokens"
    with pytest.raises(PlauditError, match=message):
        sample(model, max_new_tokens=context)
    sample(model, max_new_tokens=context - longest, num_answers=1)


def test_a_row_that_waits_at_the_end_of_the_context_stays_inside_it() -> None:
    """An answer that has ended may be carried along while others go on; GPT-2 has no position behind the last."""
    model, prompt = random_model("gpt2"), PROMPTS[0]
    context = len(prompt.token_ids) + 2
    model.config.n_positions = context
    model.transformer.wpe = nn.Embedding.from_pretrained(model.transformer.wpe.weight[:context])
    decoder = Decoder(model, CODEC.pad_id)
    with torch.inference_mode():
        decoder.add([prompt], [1])
        for _ in range(4):
            decoder.advance(torch.tensor([5]))
    assert decoder.positions.tolist() == [[context - 1]]
    assert bool(decoder.logits.isfinite().all())
