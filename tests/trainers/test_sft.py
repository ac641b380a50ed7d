"""Supervised fine-tuning: what the loss counts, what it learns, when it stops."""

import math
import random
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor

from plaudit.batches.tokens import TokenRows
from plaudit.models.load import Precision, load_causal_lm, load_codec
from plaudit.models.policy import PolicyModel
from plaudit.models.tiny import tiny_model
from plaudit.rollout.sampler import Sampling, sampled
from plaudit.runs import read_metrics
from plaudit.schemas.conversation import assistant, prompt_id, user
from plaudit.schemas.errors import PlauditError
from plaudit.schemas.feedback import Demonstration
from plaudit.text.demonstrations import encoded_demonstrations
from plaudit.text.prompts import TooLong, encoded_prompts
from plaudit.trainers import sft
from plaudit.trainers.epochs import EpochsConfig
from plaudit.trainers.minibatches import held_out
from plaudit.trainers.optimisation import OptimiserKind
from plaudit.trainers.sft import DemonstrationLoss, SFTConfig, mean_nll, train
from tests.trainers.toy import ALL, UPPER, demonstrations, fast, letters, rows_of

PAIRS = [("hi", "abc"), ("what is this?", "e"), ("why", ""), ("go on", "a longer answer")]


def config_of(out: Path, **changes: object) -> SFTConfig:
    epochs = EpochsConfig(num_epochs=3, batch_size=8)
    settings = {"model": "tiny", "out": str(out), "optimiser": fast(), "epochs": epochs, "precision": Precision.FLOAT32}
    return SFTConfig(**{**settings, **changes})  # type: ignore[arg-type]


def slow_sums(rows: TokenRows, weights: list[float]) -> tuple[Tensor, float]:
    """Sum of weight * -log p over the answers' tokens by plain transformers, a row at a time; the weights' sum."""
    model = tiny_model()
    total, weight_sum = torch.zeros(()), 0.0
    for i, weight in enumerate(weights):
        length = int(rows.lengths[i])
        ids = rows.token_ids[i : i + 1, :length]
        logprobs = torch.log_softmax(model(input_ids=ids).logits[0], -1)
        for t in range(length):
            if rows.answer_mask[i, t]:
                total = total - weight * logprobs[t - 1, ids[0, t]]
                weight_sum += weight
    return total, weight_sum


def loss_over(rows: TokenRows, weights: list[float], micro: int = 2) -> tuple[PolicyModel, DemonstrationLoss]:
    policy = PolicyModel(load_causal_lm("tiny"), ALL)
    return policy, DemonstrationLoss(policy, rows, torch.tensor(weights), None, micro)


def gradients(policy: PolicyModel) -> dict[str, Tensor]:
    return {name: p.grad.clone() for name, p in policy.trained_parameters() if p.grad is not None}


@pytest.mark.parametrize("weights", [[1.0] * 4, [0.5, 2.0, 0.0, 1.0]])
def test_the_loss_is_the_weighted_mean_over_the_assistants_tokens(weights: list[float]) -> None:
    """Stop tokens included; the denominator is the minibatch's, whatever its micro-batches."""
    rows = rows_of(load_codec("tiny"), *PAIRS)
    expected, denominator = slow_sums(rows, weights)
    assert denominator == sum(w * (len(answer) + 1) for w, (_, answer) in zip(weights, PAIRS, strict=True))
    policy, objective = loss_over(rows, weights)
    found = objective.backward(torch.arange(4))
    assert found["loss"] == pytest.approx(float(expected.detach()) / denominator, abs=1e-5)
    assert found["num_tokens"] == pytest.approx(denominator)
    assert gradients(policy).keys() == {name for name, _ in policy.trained_parameters()}


def test_a_weight_counts_like_so_many_copies() -> None:
    codec = load_codec("tiny")
    weighted, one = loss_over(rows_of(codec, *PAIRS[:2]), [3.0, 1.0])
    copied, other = loss_over(rows_of(codec, PAIRS[0], PAIRS[0], PAIRS[0], PAIRS[1]), [1.0] * 4)
    assert one.backward(torch.arange(2))["loss"] == pytest.approx(other.backward(torch.arange(4))["loss"], abs=1e-6)
    a, b = gradients(weighted), gradients(copied)
    assert all(torch.allclose(a[name], b[name], atol=1e-6) for name in a)


def test_records_of_weight_0_are_left_out(tmp_path: Path) -> None:
    """A minibatch of nothing else would be a mean over no token."""
    records = demonstrations(16)
    weightless = [record.model_copy(update={"weight": 0.0}) for record in records[:8]]
    once = EpochsConfig(num_epochs=2, batch_size=1)

    def weights(name: str, given: list[Demonstration]) -> dict[str, Tensor]:
        return load_file(train(config_of(tmp_path / name, epochs=once), given).folder / "model.safetensors")

    found, expected = weights("some", [*weightless, *records[8:]]), weights("others", records[8:])
    assert all(torch.equal(found[name], expected[name]) for name in expected)


def test_reading_the_loss_keeps_no_graph() -> None:
    """torch warns, once a process unless told to warn always, where a number is read off a tensor with gradient."""
    _, objective = loss_over(rows_of(load_codec("tiny"), *PAIRS), [1.0] * 4)
    torch.set_warn_always(True)
    try:
        objective.backward(torch.arange(4))
    finally:
        torch.set_warn_always(False)


def test_held_out_perplexity_is_the_exponent_of_the_mean_over_tokens() -> None:
    rows = rows_of(load_codec("tiny"), *PAIRS)
    total, num = slow_sums(rows, [1.0] * 4)
    policy = PolicyModel(load_causal_lm("tiny"), UPPER)
    expected = float(total.detach()) / num
    for micro in (1, 16):
        assert mean_nll(policy, rows, micro) == pytest.approx(expected, abs=1e-5)
    found = DemonstrationLoss(policy, rows, torch.ones(4), rows, 2).validation()
    assert found is not None
    assert found["perplexity"] == pytest.approx(math.exp(expected), rel=1e-4)


def test_a_hopeless_perplexity_is_infinite_and_no_crash(monkeypatch: pytest.MonkeyPatch) -> None:
    policy = PolicyModel(load_causal_lm("tiny"), ALL)
    rows = rows_of(load_codec("tiny"), *PAIRS)
    with torch.no_grad():
        policy.full.base_model.norm.weight.mul_(1e5)
    found = DemonstrationLoss(policy, rows, torch.ones(4), rows, 2).validation()
    assert found is not None
    assert found["loss"] > 710
    assert found["perplexity"] == math.inf


def test_two_demonstrations_are_learnt_by_heart(tmp_path: Path) -> None:
    """Greedy answers are the demonstrations, and end where they end."""
    pairs = [("hi", "bad cab"), ("why", "ace")]
    records = [Demonstration(prompt=(user(q),), completion=(assistant(a),)) for q, a in pairs]
    config = config_of(
        tmp_path / "run",
        epochs=EpochsConfig(num_epochs=60, batch_size=2, checkpoint=False),
        validation_frac=0,
    )
    result = train(config, records)
    assert result.fitted.num_updates == 60
    assert result.validation_perplexity is None
    codec = load_codec(str(result.folder))
    prompts, _ = encoded_prompts([(user(q),) for q, _ in pairs], codec, max_tokens=99, too_long=TooLong.REFUSE)
    model = load_causal_lm(str(result.folder))
    found = sampled(model, codec, prompts, Sampling(greedy=True, max_new_tokens=20), num_answers=1, seed=0)
    assert found.texts == ("bad cab", "ace")
    assert found.finished.tolist() == [True, True]


@pytest.mark.parametrize("kind", list(OptimiserKind))
def test_every_optimiser_learns(tmp_path: Path, kind: OptimiserKind) -> None:
    adaptive = {OptimiserKind.ADAMW: 1e-2, OptimiserKind.RMSPROP: 3e-3, OptimiserKind.MUON: 1e-2}
    rate = adaptive.get(kind, 0.3)
    config = config_of(tmp_path / "run", optimiser=fast(rate, kind=kind), validation_frac=0)
    train(config, demonstrations(32))
    losses = [row["train/loss"] for row in read_metrics(tmp_path / "run" / "metrics.jsonl")]
    assert len(losses) == 12
    assert losses[-1] < losses[0] - 1


def random_demonstrations(num: int) -> list[Demonstration]:
    """Nothing in them can be learnt but their letters: a model that goes on learning knows the training rows by heart."""
    generator = random.Random(3)
    return [
        Demonstration(prompt=(user(f"{i}{letters(generator)}"),), completion=(assistant(letters(generator)),))
        for i in range(num)
    ]


def test_it_stops_when_the_held_out_loss_rises_and_keeps_the_best_epoch(tmp_path: Path) -> None:
    epochs = EpochsConfig(num_epochs=40, batch_size=4, patience=2)
    config = config_of(tmp_path / "run", epochs=epochs, validation_frac=0.5, optimiser=fast(1e-2))
    records = random_demonstrations(24)
    result = train(config, records)
    rows = read_metrics(tmp_path / "run" / "metrics.jsonl")
    losses = [row["validation/loss"] for row in rows if "validation/loss" in row]
    best = min(range(len(losses)), key=losses.__getitem__)
    assert 3 < len(losses) < 40
    assert (result.fitted.best_epoch, len(losses)) == (best + 1, best + 3)
    assert result.fitted.validation is not None
    assert result.fitted.validation["loss"] == losses[best]
    assert result.validation_perplexity == pytest.approx(math.exp(losses[best]))
    # The saved model is the best epoch's: on the held-out rows it has that very loss.
    policy, codec = PolicyModel(load_causal_lm(str(result.folder)), UPPER), load_codec(str(result.folder))
    num_held = 0
    total = 0.0
    for record in records:
        row = rows_of(codec, (record.prompt[0].text, record.completion[0].text))
        if any(record.prompt == held.prompt for held in held_of(config, records)):
            total += mean_nll(policy, row, 1) * row.num_answer_tokens
            num_held += row.num_answer_tokens
    assert total / num_held == pytest.approx(losses[best], abs=1e-4)


def held_of(config: SFTConfig, records: list[Demonstration]) -> list[Demonstration]:
    out = held_out([prompt_id(record.prompt) for record in records], config.validation_frac, config.seed)
    return [record for record, is_out in zip(records, out, strict=True) if is_out]


def test_a_prompt_is_never_on_both_sides_of_the_split(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Four answers to each of six prompts; what the trainer encodes for learning and for holding out."""
    sides: list[set[str]] = []
    real = sft.collated

    def spy(rows: list, pad_id: int) -> TokenRows:
        codec = load_codec("tiny")
        texts = {codec.tokenizer.decode(ids[: row.answer_mask.index(True)]) for row in rows if (ids := row.token_ids)}
        sides.append(texts)
        return real(rows, pad_id)

    monkeypatch.setattr(sft, "collated", spy)
    epochs = EpochsConfig(num_epochs=1, batch_size=8)
    train(config_of(tmp_path / "run", epochs=epochs, validation_frac=0.4), demonstrations(24))
    learnt, held = sides
    assert (len(learnt), len(held)) == (4, 2)
    assert not learnt & held


def test_a_demonstration_over_the_limit_is_refused_or_dropped_and_counted(tmp_path: Path) -> None:
    codec, records = load_codec("tiny"), demonstrations(6)
    long = Demonstration(prompt=(user("q"),), completion=(assistant("e" * 90),))
    with pytest.raises(PlauditError, match=r"demonstration 7 has 97 tokens, over max_tokens = 64 \(1 of 7 are\)"):
        encoded_demonstrations([*records, long], codec, max_tokens=64, drop_too_long=False)
    rows, kept = encoded_demonstrations([long, *records], codec, max_tokens=64, drop_too_long=True)
    assert kept == records
    assert len(rows) == 6
    with pytest.raises(PlauditError, match=r"no demonstration to \w+ .*within 64 tokens"):
        encoded_demonstrations([long], codec, max_tokens=64, drop_too_long=True)
    with pytest.raises(PlauditError, match="there is no demonstration to"):
        encoded_demonstrations([], codec, max_tokens=64, drop_too_long=False)
    train(config_of(tmp_path / "run", max_tokens=64, drop_too_long=True), [long, *demonstrations(16)])
    assert "16 demonstrations (3 held out), 1 dropped" in (tmp_path / "run" / "log.txt").read_text()


def test_the_loss_is_on_every_answer_of_a_conversation_and_on_no_turn_of_the_person() -> None:
    codec = load_codec("tiny")
    turns = (assistant("ab"), user("more"), assistant("cde"))
    rows, _ = encoded_demonstrations(
        [Demonstration(prompt=(user("hi"),), completion=turns, weight=0.25)], codec, max_tokens=64, drop_too_long=False
    )
    counted = [token for token, counts in zip(rows[0].token_ids, rows[0].answer_mask, strict=True) if counts]
    assert codec.tokenizer.decode(counted) == "ab<|end|>cde<|end|>"
    assert rows[0].weight == 0.25
