"""recipes/dense_feedback on `tiny` and a miniature of the data: the rows' shape, and none of their text."""

from __future__ import annotations

import importlib.util
import json
import random
from dataclasses import replace
from itertools import combinations
from pathlib import Path

import pytest

from plaudit.cli.main import main as plaudit
from plaudit.models.load import Precision
from plaudit.runs import read_metrics
from plaudit.schemas.conversation import assistant, user
from plaudit.schemas.feedback import Highlights, Ranking, Span
from recipes.dense_feedback.run import People, main, run
from recipes.dense_feedback.settings import SETS, DenseConfig
from recipes.dense_feedback.spans import span_quality

ROOT = Path(__file__).parents[2]
ANSWERS = ("the tree is tall", "the tree is red", "it is red", "tall")


def row(i: int, generator: random.Random) -> dict[str, object]:
    """A question about a tall tree; what is red is marked, and loses."""
    answers = list(ANSWERS)
    generator.shuffle(answers)
    ranks = ["red" in answer for answer in answers]
    pairs = combinations(range(4), 2)
    start = answers[0].find("red")
    errors = [{"error type": "Wrong", "start": start, "end": start + 3}] if start >= 0 else []
    return {
        "question": f"what is tree {i}?",
        "passages": [["Tree", f"Tree {i} is tall."]],
        **{f"prediction {k}": answer for k, answer in enumerate(answers, start=1)},
        "preference": [0 if ranks[a] == ranks[b] else 1 if ranks[b] else 2 for a, b in pairs],
        "feedback": {"errors": errors, "missing-info": [], "corrected-prediction": "the tree is tall"},
        "gold": "tall",
    }


@pytest.fixture
def config(tmp_path: Path) -> DenseConfig:
    file = tmp_path / "data" / SETS
    file.parent.mkdir(parents=True)
    generator = random.Random(0)
    file.write_text("".join(f"{json.dumps(row(i, generator))}\n" for i in range(40)))
    return DenseConfig(
        model="tiny",
        data=str(tmp_path / "data"),
        out=str(tmp_path / "out"),
        num_upper=1,
        max_tokens=200,
        max_new_tokens=6,
        num_steps=2,
        prompts_per_step=4,
        answers_per_prompt=2,
        num_eval=4,
        span_rate=1e-2,
        precision=Precision.FLOAT32,
    )


def test_end_to_end_and_again(config: DenseConfig) -> None:
    page = run(config)
    summary = json.loads((config.folder / "summary.json").read_text())
    assert summary["spans"]["words"] > 20
    assert summary["spans"]["pairs"] > 20
    assert summary["result"]["entrants"][0]["gain"]["n"] == 4
    assert "What people mark" in page.read_text()
    before = (config.folder / "ppo" / "metrics.jsonl").read_bytes()
    assert run(config) == page  # nothing is trained anew
    assert (config.folder / "ppo" / "metrics.jsonl").read_bytes() == before


def test_no_question_is_on_both_sides_and_long_ones_are_left_out(config: DenseConfig) -> None:
    found = People.read(config)
    learnt, held = ({record.prompt for record in part} for part in (found.learnt, found.held))
    assert not learnt & held
    assert len(learnt | held) == 40
    assert len(found.asked()) == len(held) > 5
    assert {record.prompt for record in found.demonstrations()} == learnt
    assert People.read(replace(config, max_tokens=20)).learnt == []


class Known:
    """Says what it was told of each answer."""

    def __init__(self, chance_of_red: float) -> None:
        self._red = chance_of_red

    def chances(self, prompt: object, answer: object) -> list[tuple[int, int, float]]:
        text = answer[-1].text  # type: ignore[index]
        return [(i, i + 1, self._red if "red" in text and i >= text.find("red") else 0.25) for i in range(len(text))]

    def expected_marks(self, prompt: object, answer: object) -> float:
        values = [value for _, _, value in self.chances(prompt, answer)]
        return sum(values) / len(values)


@pytest.mark.parametrize(("chance", "right"), [(0.75, 1.0), (0.0, 0.0), (0.25, 0.5)])
def test_the_quality_of_a_model_that_knows_and_of_one_that_does_not(chance: float, right: float) -> None:
    prompts = [(user(f"q{i}\n\nthe tree is tall"),) for i in range(4)]
    marked = [
        Highlights(prompt=p, completion=(assistant("is red"),), spans=(Span(start=3, end=6, label="x"),))
        for p in prompts
    ]
    answers = ((assistant("tall and green"),), (assistant("is red"),))
    people = [Ranking(prompt=p, completions=answers, ranks=(0, 1)) for p in prompts]
    found = span_quality(Known(chance), marked, people, people)  # type: ignore[arg-type]
    assert (found.words, found.pairs) == (8, 4)
    assert found.model.value == right
    assert found.preferred.value == right
    assert (found.length_rule, found.by_length.value) == ("the longer", 1.0)
    assert found.over_length.value == right - 1.0
    # "is" stands in the passage, "red" does not.
    assert found.overlap.value == 1.0


def test_data_that_is_not_there_is_told(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PLAUDIT_DATA", raising=False)
    assert main([]) == 2
    assert "PLAUDIT_DATA is unset" in capsys.readouterr().err


def test_a_word_is_a_reward(start: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the person says is heard as it is meant; PPO goes on until nothing is said, and is paid for that."""
    monkeypatch.chdir(ROOT)
    spec = importlib.util.spec_from_file_location("words", ROOT / "recipes" / "dense_feedback" / "words.py")
    assert spec is not None
    assert spec.loader is not None
    words = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(words)
    answers = ["Fine.", "It is so.", "It is", "", "word " * 31, "word " * 32]
    assert [value > 0 for value in words.heard([""] * 6, answers)] == [True, True, False, False, False, False]
    replies = words.reply([[{"role": "assistant", "content": answer}] for answer in answers])
    assert replies == [None, None, "incomplete", "That is no answer, it is useless.", "too long", "太长了"]
    (tmp_path / "prompts.jsonl").write_text('{"prompt": "hi"}\n{"prompt": "why?"}\n')
    changes = ("--model", start, "--data", tmp_path / "prompts.jsonl", "--out", tmp_path / "run", "--num-steps", 1)
    few = ("--experience.prompts-per-step", 2, "--experience.answers-per-prompt", 2, "--train.num-upper", 1)
    config = ROOT / "recipes" / "dense_feedback" / "words.toml"
    assert plaudit([str(word) for word in ("ppo", "--config", config, *changes, *few)]) == 0
    (metrics,) = read_metrics(tmp_path / "run" / "metrics.jsonl")
    assert metrics["episode/answers"] > 1
