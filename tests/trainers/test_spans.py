"""The span model: its loss by hand, what it learns to mark, what it is worth as a dense reward."""

import math
import random
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from plaudit.batches.rollouts import Rollouts
from plaudit.batches.tokens import collated
from plaudit.models.load import Precision, load_codec
from plaudit.models.reward import load_reward_model, new_reward_model
from plaudit.rewards.spans import SpanScorer
from plaudit.runs import read_metrics
from plaudit.schemas.conversation import assistant, user
from plaudit.schemas.errors import PlauditError
from plaudit.schemas.feedback import Highlights, Span
from plaudit.text.highlights import MarkedRow, encoded_highlights
from plaudit.text.prompts import TooLong, encoded_prompts
from plaudit.trainers import ppo, spans
from plaudit.trainers.epochs import EpochsConfig
from plaudit.trainers.spans import MarkingLoss, SpansConfig, marking_loss, token_logits
from tests.trainers.toy import ALL, PROMPTS, UPPER, fast, letters, moved, ppo_config

CPU = torch.device("cpu")
CODEC = load_codec("tiny")


def highlights(num: int, seed: int = 0) -> list[Highlights]:
    """People mark every e."""
    generator = random.Random(seed)
    records = []
    for i in range(num):
        answer = letters(generator)
        marked = tuple(Span(start=k, end=k + 1, label="e") for k, letter in enumerate(answer) if letter == "e")
        records.append(Highlights(prompt=(user(f"question {i}"),), completion=(assistant(answer),), spans=marked))
    return records


def config_of(start: str, out: Path, **changes: object) -> SpansConfig:
    settings = {
        "model": start,
        "out": str(out),
        "train": ALL,
        "optimiser": fast(),
        "epochs": EpochsConfig(num_epochs=10, batch_size=8, micro_batch_size=8, patience=10),
        "validation_frac": 0.25,
        "precision": Precision.FLOAT32,
        **changes,
    }
    return SpansConfig(**settings)  # type: ignore[arg-type]


def test_the_loss_by_hand() -> None:
    logits = torch.tensor([[0.0, math.log(3), 100.0], [math.log(3), 7.0, 7.0]])
    marked = torch.tensor([[False, True, False], [False, True, True]])
    mask = torch.tensor([[True, True, False], [True, False, False]])
    expected = (math.log(2) + math.log(4 / 3) + math.log(4)) / 3
    assert float(marking_loss(logits, marked, mask, 3.0)) == pytest.approx(expected)


def test_an_answer_counts_by_its_weight(start: str) -> None:
    """At weight 3 like three copies; the tokens are counted by weight."""
    rows, _ = encoded_highlights(highlights(2), CODEC, max_tokens=99)
    heavy = [replace(one, row=replace(one.row, weight=x)) for one, x in zip(rows, (3.0, 1.0), strict=True)]

    def seen(data: list[MarkedRow]) -> tuple[dict[str, float], dict[str, torch.Tensor]]:
        model = new_reward_model(start, ALL, seed=0, precision=Precision.FLOAT32, pad_id=CODEC.pad_id)
        numbers = MarkingLoss(model, data, [], CODEC.pad_id, 1).backward(torch.arange(len(data)))
        return numbers, {name: p.grad for name, p in model.trained_parameters() if p.grad is not None}

    (weighted, gradient), (copied, expected) = seen(heavy), seen([*[rows[0]] * 3, rows[1]])
    assert weighted == pytest.approx(copied, abs=1e-5)
    assert all(torch.allclose(gradient[name], expected[name], atol=1e-6) for name in expected)
    assert weighted["loss"] != pytest.approx(seen(rows)[0]["loss"], abs=1e-4)


def test_the_gradient_does_not_depend_on_the_split(start: str) -> None:
    rows, _ = encoded_highlights(highlights(10), CODEC, max_tokens=99)
    gradients = []
    for micro in (1, 4, 16):
        model = new_reward_model(start, ALL, seed=0, precision=Precision.FLOAT32, pad_id=CODEC.pad_id)
        objective = MarkingLoss(model, rows, [], CODEC.pad_id, micro)
        numbers = objective.backward(torch.arange(10))
        assert numbers["num_tokens"] == sum(sum(one.row.answer_mask) for one in rows)
        gradients.append([parameter.grad for _, parameter in model.trained_parameters()])
    for other in gradients[1:]:
        for one, two in zip(gradients[0], other, strict=True):
            assert one is not None
            assert two is not None
            assert torch.allclose(one, two, atol=1e-5)


def test_a_score_stands_at_the_token_that_was_read(start: str) -> None:
    """What a plain classifier gives for the row cut off behind that token."""
    model = new_reward_model(start, UPPER, seed=0, precision=Precision.FLOAT32, pad_id=CODEC.pad_id)
    moved(model)
    rows, _ = encoded_highlights(highlights(3), CODEC, max_tokens=99)
    found = token_logits(model, collated([one.row for one in rows], CODEC.pad_id), 2)
    for i, one in enumerate(rows):
        for t, counts in enumerate(one.row.answer_mask):
            if counts:
                ids = torch.tensor([one.row.token_ids[: t + 1]])
                hidden = model.full.base_model(input_ids=ids).last_hidden_state
                assert found[i, t].item() == pytest.approx(model.head(hidden[0, -1]).item(), abs=1e-4)
            else:
                assert found[i, t] == 0


def test_it_learns_what_people_mark(start: str, tmp_path: Path) -> None:
    result = spans.train(config_of(start, tmp_path / "run"), highlights(96))
    assert result.fitted.validation is not None
    assert result.fitted.validation["auroc"] > 0.95
    again = load_reward_model(str(result.folder), UPPER)
    rows, _ = encoded_highlights(highlights(20, seed=1), CODEC, max_tokens=99)
    for one in rows:
        logits = token_logits(again, collated([one.row], CODEC.pad_id), 1)[0]
        counted = torch.tensor(one.row.answer_mask)
        marked = torch.tensor(one.marked)
        if (marked & counted).any():
            assert logits[marked].min() > logits[counted & ~marked].max() - 1.0
    curve = [
        row["validation/loss"] for row in read_metrics(tmp_path / "run" / "metrics.jsonl") if "validation/loss" in row
    ]
    assert curve[-1] < curve[0]


def rollouts_of(*answers: str) -> Rollouts:
    rows = collated([CODEC.encoded(PROMPTS[0], (assistant(answer),)) for answer in answers], CODEC.pad_id)
    num = len(answers)
    return Rollouts(
        rows=rows,
        logprobs=torch.zeros(rows.token_ids.shape),
        finished=torch.ones(num, dtype=torch.bool),
        prompt_index=torch.zeros(num, dtype=torch.long),
        texts=answers,
    )


def test_a_sentence_is_charged_at_its_last_token(start: str) -> None:
    model = new_reward_model(start, UPPER, seed=0, precision=Precision.FLOAT32, pad_id=CODEC.pad_id)
    moved(model, by=0.3)
    rollouts = rollouts_of("It is 3.5 here. No! 好。坏。", "one")
    prompts, _ = encoded_prompts(PROMPTS[:1], CODEC, max_tokens=99, too_long=TooLong.REFUSE)
    scores = SpanScorer(model, CODEC, policy_codec=CODEC, weight=-2.0)(prompts, rollouts)
    assert scores.dense is not None
    chances = torch.sigmoid(token_logits(model, rollouts.rows, 4))
    first = int(rollouts.rows.answer_mask[0].int().argmax())
    # Bytes: "It is 3.5 here. ", "No! ", two Chinese characters, two more and the stop token.
    parts, column = [16, 4, 6, 7], first
    for size in parts:
        expected = -2.0 * float(chances[0, column : column + size].mean())
        assert float(scores.dense[0, column + size - 1]) == pytest.approx(expected, abs=1e-6)
        column += size
    assert int((scores.dense[0] != 0).sum()) == 4
    assert int((scores.dense[1] != 0).sum()) == 1
    assert torch.equal(scores.total, torch.zeros(2))
    assert torch.allclose(scores.components["spans"], scores.dense.sum(-1))


def test_ppo_unlearns_what_people_mark(start: str, tmp_path: Path) -> None:
    folder = spans.train(config_of(start, tmp_path / "spans"), highlights(96)).folder
    scorer = SpanScorer(load_reward_model(str(folder), UPPER), CODEC, policy_codec=CODEC, weight=-3.0)
    settings = {"num_steps": 12, "score_baseline": "leave_one_out", "gae_lambda": 1.0}
    ppo.train(ppo_config(start, tmp_path / "run", **settings), PROMPTS, scorer=scorer)
    rows = read_metrics(tmp_path / "run" / "metrics.jsonl")
    assert sum(row["score/spans"] for row in rows[-4:]) > sum(row["score/spans"] for row in rows[:4])


def test_a_span_model_of_another_tokenizer_is_refused(start: str) -> None:
    model = new_reward_model(start, UPPER, seed=0, precision=Precision.FLOAT32, pad_id=CODEC.pad_id)
    other = load_codec("tiny")
    other.tokenizer.chat_template = f"{other.tokenizer.chat_template} "
    with pytest.raises(PlauditError, match="pays single tokens"):
        SpanScorer(model, CODEC, policy_codec=other)
    with pytest.raises(PlauditError, match="validation_frac"):
        SpansConfig(validation_frac=1.0)
