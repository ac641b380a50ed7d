"""The reward model's trainer: the loss, what it learns, what it is normalised on, what it is judged by."""

import math
import random
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor

from plaudit.batches.preferences import EncodedGroup, PreferenceRows, collated_groups
from plaudit.models.load import Precision, load_causal_lm, load_codec
from plaudit.models.reward import RewardModel, load_reward_model, new_reward_model
from plaudit.rollout.sampler import Sampling, sampled
from plaudit.runs import read_metrics, spawn_seed
from plaudit.schemas.conversation import assistant, prompt_id, user
from plaudit.schemas.errors import PlauditError
from plaudit.schemas.feedback import Comparison, Ranking, Verdict
from plaudit.schemas.preference import PreferenceGroup
from plaudit.text.preferences import encoded_groups
from plaudit.text.prompts import TooLong, encoded_prompts
from plaudit.trainers.epochs import EpochsConfig
from plaudit.trainers.minibatches import held_out
from plaudit.trainers.reward import (
    RankingLoss,
    RewardConfig,
    RewardResult,
    preference_groups,
    quality_on,
    raw_scores,
    split_groups,
    train,
)
from tests.trainers.toy import ALL, UPPER, fast, letters, rankings

CPU = torch.device("cpu")


def config_of(start: str, out: Path, **changes: object) -> RewardConfig:
    settings = {
        "model": start,
        "out": str(out),
        "train": ALL,
        "optimiser": fast(),
        "epochs": EpochsConfig(num_epochs=4, batch_size=8, micro_batch_size=16),
        "normalise_on": "none",
        "validation_frac": 0.25,
        "precision": Precision.FLOAT32,
        **changes,
    }
    return RewardConfig(**settings)  # type: ignore[arg-type]


def new_model(start: str, seed: int = 0) -> RewardModel:
    return new_reward_model(start, UPPER, seed=seed, precision=Precision.FLOAT32, pad_id=0, device=CPU)


def groups_of(start: str) -> list[EncodedGroup]:
    """Three prompts of 3, 2 and 4 answers; soft labels, ties, weights and margins of every kind."""
    codec, generator = load_codec(start), random.Random(1)
    groups = []
    for number, (num, pairs) in enumerate(
        [
            (3, ((0, 1, 1.0, 1.0, 0.0), (0, 2, 0.5, 0.5, 0.7), (1, 2, 0.25, 2.0, 0.4))),
            (2, ((0, 1, 0.0, 0.3, 0.0),)),
            (4, ((0, 3, 1.0, 1.0, 1.5), (2, 1, 0.9, 0.1, 0.0))),
        ]
    ):
        texts = [letters(generator) for _ in range(num)]
        rows = tuple(codec.encoded((user(f"q{number}"),), (assistant(text),)) for text in texts)
        groups.append(EncodedGroup(rows, pairs))
    return groups


def slow_loss(scores: list[list[float]], groups: list[EncodedGroup], chosen: list[int], smoothing: float) -> float:
    """Pair by pair in plain floats, over the chosen groups' weight."""
    total = weight_sum = 0.0
    for i in chosen:
        for a, b, target, weight, margin in groups[i].pairs:
            lead = scores[i][a] - scores[i][b] - margin * (2 * target - 1)
            probability = 1 / (1 + math.exp(-lead))
            smoothed = (1 - smoothing) * target + smoothing * (1 - target)
            total -= weight * (smoothed * math.log(probability) + (1 - smoothed) * math.log(1 - probability))
            weight_sum += weight
    return total / weight_sum


def scores_alone(model: RewardModel, groups: list[EncodedGroup]) -> list[list[float]]:
    """Each answer run by itself, through the saved model's own classifier."""
    with torch.no_grad():
        return [
            [float(model.full(input_ids=torch.tensor([row.token_ids])).logits[0, 0]) for row in group.rows]
            for group in groups
        ]


@pytest.mark.parametrize("chosen", [[0], [1, 2], [2, 0, 1]])
@pytest.mark.parametrize("micro", [1, 4, 16])
@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_the_loss_against_a_slow_one(start: str, chosen: list[int], micro: int, smoothing: float) -> None:
    """InstructGPT's, with soft labels, ties, weights, margins and label smoothing."""
    model, groups = new_model(start), groups_of(start)
    scores = scores_alone(model, groups)
    objective = RankingLoss(model, collated_groups(groups, 0), collated_groups(groups, 0), micro, smoothing)
    expected = slow_loss(scores, groups, chosen, smoothing)
    found = objective.backward(torch.tensor(chosen))
    assert found["loss"] == pytest.approx(expected, abs=1e-5)
    assert found["num_pairs"] == sum(len(groups[i].pairs) for i in chosen)
    held = objective.validation()
    assert held is not None
    assert held["loss"] == pytest.approx(slow_loss(scores, groups, [0, 1, 2], smoothing), abs=1e-5)


def test_its_gradient_is_that_of_the_slow_loss(start: str) -> None:
    """By small steps of the score head in both directions."""
    model, groups = new_model(start), groups_of(start)
    RankingLoss(model, collated_groups(groups, 0), None, 4, 0.1).backward(torch.arange(3))
    gradient = model.head.weight.grad
    assert gradient is not None
    for i in (0, 17, 63):
        losses = []
        for step in (1e-2, -1e-2):
            with torch.no_grad():
                model.head.weight[0, i] += step
                losses.append(slow_loss(scores_alone(model, groups), groups, [0, 1, 2], 0.1))
                model.head.weight[0, i] -= step
        assert gradient[0, i].item() == pytest.approx((losses[0] - losses[1]) / 2e-2, abs=1e-3)


@pytest.mark.parametrize("micro", [2, 16])
def test_each_answer_is_encoded_once_however_many_its_pairs(start: str, micro: int) -> None:
    model, groups = new_model(start), groups_of(start)
    objective = RankingLoss(model, collated_groups(groups, 0), None, micro, 0.0)
    num_rows: list[int] = []
    model.branch.register_forward_pre_hook(lambda _, arguments: num_rows.append(len(arguments[0])))
    objective.backward(torch.arange(3))
    assert sum(num_rows) == 3 + 2 + 4


def swapped(records: list[Ranking]) -> list[Ranking]:
    """The same rankings, answers in the opposite order."""
    return [
        record.model_copy(update={"completions": record.completions[::-1], "ranks": record.ranks[::-1]})
        for record in records
    ]


@pytest.fixture(scope="module")
def learnt(start: str, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, RewardResult]:
    out = tmp_path_factory.mktemp("reward") / "run"
    return out, train(config_of(start, out), rankings(96))


def test_it_learns_what_people_prefer(learnt: tuple[Path, RewardResult]) -> None:
    """More e's: over nine strict pairs in ten that it never saw. The saved model scores like that by itself."""
    out, result = learnt
    assert result.quality is not None
    assert result.quality.accuracy.value > 0.9
    assert result.fitted.validation is not None
    assert result.quality.accuracy.value == pytest.approx(result.fitted.validation["accuracy"])  # on the held-out pairs
    model, codec = load_reward_model(str(result.folder), UPPER), load_codec(str(result.folder))
    texts = ["abc d", "ee abcd", "eeeeeee"]
    encoded = [EncodedGroup(tuple(codec.encoded((user("new"),), (assistant(t),)) for t in texts), ())]
    scores = raw_scores(model, collated_groups(encoded, 0).rows, 2).tolist()
    assert scores == sorted(scores)
    metrics = read_metrics(out / "metrics.jsonl")
    assert metrics[-1]["validation/accuracy"] > 0.9
    assert "| held-out accuracy |" in (result.folder / "README.md").read_text()


def test_the_side_an_answer_stands_on_changes_no_score(
    start: str, learnt: tuple[Path, RewardResult], tmp_path: Path
) -> None:
    _, result = learnt
    other = train(config_of(start, tmp_path / "run"), swapped(rankings(96)))
    assert other.quality is not None
    assert result.quality is not None
    assert other.quality.accuracy.value == pytest.approx(result.quality.accuracy.value, abs=1e-6)
    a, b = (load_reward_model(str(folder), UPPER) for folder in (result.folder, other.folder))
    rows = collated_groups(groups_of(start), 0).rows
    assert torch.allclose(raw_scores(a, rows, 4), raw_scores(b, rows, 4), atol=1e-3)


def test_shuffled_labels_teach_nothing(start: str, tmp_path: Path) -> None:
    """An accuracy of one half lies within the interval, and the run without shuffling lies far outside."""
    generator = random.Random(0)
    records = []
    for record in rankings(160):
        ranks = list(record.ranks)
        generator.shuffle(ranks)
        records.append(record.model_copy(update={"ranks": tuple(ranks)}))
    epochs = EpochsConfig(num_epochs=2, batch_size=8, micro_batch_size=32)
    result = train(config_of(start, tmp_path / "run", epochs=epochs, validation_frac=0.5), records)
    assert result.quality is not None
    accuracy = result.quality.accuracy
    assert accuracy.low < 0.5 < accuracy.high
    assert abs(accuracy.value - 0.5) < 0.1


def test_it_stops_when_the_held_out_loss_rises_and_keeps_the_best_epoch(start: str, tmp_path: Path) -> None:
    epochs = EpochsConfig(num_epochs=30, batch_size=4, micro_batch_size=32, patience=2)
    config = config_of(start, tmp_path / "run", epochs=epochs, optimiser=fast(3e-2))
    records = rankings(24)
    result = train(config, records)
    rows = read_metrics(tmp_path / "run" / "metrics.jsonl")
    losses = [row["validation/loss"] for row in rows if "validation/loss" in row]
    best = losses.index(min(losses))
    assert len(losses) < 30
    assert (result.fitted.best_epoch, len(losses)) == (best + 1, best + 3)
    codec = load_codec(str(result.folder))
    encoded, groups = encoded_groups(preference_groups(records), codec, max_tokens=512, drop_too_long=False)
    _, held, _ = split_groups(encoded, groups, config.validation_frac, config.seed, codec.pad_id)
    model = load_reward_model(str(result.folder), UPPER)
    found = RankingLoss(model, held, held, 8, 0.0).validation()  # type: ignore[arg-type]
    assert found is not None
    assert found["loss"] == pytest.approx(losses[best], abs=1e-4)


def test_a_prompt_is_never_on_both_sides_of_the_split(start: str) -> None:
    """Three records over each of ten prompts, their answers different, so that nothing is pooled."""
    records = [
        record.model_copy(update={"prompt": (user(f"prompt {i % 10}"),), "source": f"s{i % 10}"})
        for i, record in enumerate(rankings(30))
    ]
    codec = load_codec(start)
    encoded, groups = encoded_groups(preference_groups(records), codec, max_tokens=512, drop_too_long=False)
    data, held, held_groups = split_groups(encoded, groups, 0.3, 0, codec.pad_id)
    assert held is not None
    assert (data.num_groups, held.num_groups) == (21, 9)

    def questions(part: PreferenceRows) -> set[str]:
        rows = part.rows
        return {
            codec.tokenizer.decode(ids[: int(mask.long().argmax())])
            for ids, mask in zip(rows.token_ids, rows.answer_mask, strict=True)
        }

    assert not questions(data) & questions(held)
    out = held_out([prompt_id(group.prompt) for group in groups], 0.3, 0)
    assert held_groups == [group for group, is_out in zip(groups, out, strict=True) if is_out]


def answers_of_the_reference(
    start: str, config: RewardConfig, records: list[Ranking]
) -> Callable[[RewardModel], Tensor]:
    codec = load_codec(start)
    prompts, _ = encoded_prompts([r.prompt for r in records], codec, max_tokens=512, too_long=TooLong.REFUSE)
    num = config.num_reference_answers
    prompts = prompts[:num]
    seed = spawn_seed(config.seed, "reference answers")
    model = load_causal_lm(start)
    rows = sampled(model, codec, prompts, Sampling(), num_answers=-(-num // len(prompts)), seed=seed).rows
    return lambda reward: raw_scores(reward, rows, 16)


@pytest.mark.parametrize("num_reference_answers", [10, 50])
def test_scores_of_the_references_own_answers_have_mean_0_and_deviation_1(
    start: str, tmp_path: Path, num_reference_answers: int
) -> None:
    """Not those of the data, and not of another model's answers."""
    records = rankings(24)
    epochs = EpochsConfig(num_epochs=1, batch_size=8)
    config = config_of(
        start, tmp_path / "run", normalise_on="sampled", num_reference_answers=num_reference_answers, epochs=epochs
    )
    result = train(config, records)
    model = load_reward_model(str(result.folder), UPPER)
    raw = answers_of_the_reference(start, config, records)(model)
    assert len(raw) >= num_reference_answers
    assert model.mean == pytest.approx(raw.mean().item(), abs=1e-4)
    assert model.std == pytest.approx(raw.std(correction=0).item(), rel=1e-3)
    normalised = (raw - model.mean) / model.std
    assert abs(normalised.mean().item()) < 1e-3
    assert normalised.std(correction=0).item() == pytest.approx(1.0, abs=1e-3)


def test_the_reference_may_be_another_model_than_the_one_trained_on(start: str, tmp_path: Path) -> None:
    means = []
    for name in ("", "tiny"):
        config = config_of(
            start,
            tmp_path / f"run-{name}",
            normalise_on="sampled",
            reference=name,
            epochs=EpochsConfig(num_epochs=1),
            num_reference_answers=16,
        )
        model = load_reward_model(str(train(config, rankings(16)).folder), UPPER)
        raw = answers_of_the_reference(name or start, config, rankings(16))(model)
        assert model.mean == pytest.approx(raw.mean().item(), abs=1e-4)
        means.append(model.mean)
    assert abs(means[0] - means[1]) > 1e-3


def test_the_training_answers_may_be_the_reference_or_nothing(start: str, tmp_path: Path) -> None:
    records = rankings(16)
    config = config_of(start, tmp_path / "data", normalise_on="data")
    model = load_reward_model(str(train(config, records).folder), UPPER)
    codec = load_codec(start)
    encoded, groups = encoded_groups(preference_groups(records), codec, max_tokens=512, drop_too_long=False)
    data, _, _ = split_groups(encoded, groups, config.validation_frac, config.seed, codec.pad_id)
    raw = raw_scores(model, data.rows, 8)
    assert model.mean == pytest.approx(raw.mean().item(), abs=1e-4)
    assert model.std == pytest.approx(raw.std(correction=0).item(), rel=1e-3)
    off = load_reward_model(str(train(config_of(start, tmp_path / "none"), records).folder), UPPER)
    assert (off.mean, off.std) == (0.0, 1.0)


def test_ties_do_not_count_as_right_or_wrong(start: str) -> None:
    groups = groups_of(start)
    data = collated_groups(groups, 0)
    scores = torch.tensor([3.0, 2.0, 1.0, 0.0, 5.0, 1.0, 4.0, 0.0, 0.0])
    asked = [PreferenceGroup(prompt=(user(name),), completions=(), pairs=(), source=name) for name in "xyz"]
    found = quality_on(scores, data, asked)
    assert found is not None
    # 0 over 1 right; 1 over 2 at target 1/4 wrong; 3 under 4 right; 5 over 8 right; 7 over 6 at 9/10 wrong.
    assert found.accuracy.value == pytest.approx(3 / 5)
    assert {name: estimate.value for name, estimate in found.by_source.items()} == pytest.approx(
        {"x": 1 / 2, "y": 1.0, "z": 1 / 2}
    )
    assert quality_on(scores, replace(data, targets=torch.full_like(data.targets, 0.5))) is None


def test_comparisons_train_as_rankings_do(start: str, tmp_path: Path) -> None:
    """Verdicts in words: a, b, tie, both bad; an incomparable pair is left out."""
    generator = random.Random(5)
    records = []
    for i, verdict in enumerate([Verdict.A, Verdict.B, Verdict.TIE, Verdict.BOTH_BAD, Verdict.INCOMPARABLE] * 2):
        a, b = ((assistant(letters(generator)),) for _ in range(2))
        records.append(Comparison(prompt=(user(f"q{i}"),), a=a, b=b, verdict=verdict, reason="x"))
    result = train(config_of(start, tmp_path / "run"), records)
    assert "8 prompts, 6 training pairs, 2 prompts held out" in (tmp_path / "run" / "log.txt").read_text()
    assert result.fitted.num_updates > 0


def test_nothing_to_learn_from_is_refused(start: str, tmp_path: Path) -> None:
    unranked = rankings(1)[0].model_copy(update={"ranks": (None, None, 0)})
    for records in ([], [unranked]):
        with pytest.raises(PlauditError, match="preferences can be used: each needs two answers"):
            train(config_of(start, tmp_path / "run"), records)
    with pytest.raises(PlauditError, match="over max_tokens = 10"):
        train(config_of(start, tmp_path / "run", max_tokens=10), rankings(2))
