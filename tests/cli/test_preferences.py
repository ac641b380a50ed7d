"""Ratings and corrections train too: what becomes of them is said."""

from pathlib import Path

import pytest

from tests.cli.conftest import FAST, Plaudit, Trained, write_rows


def said(text: str) -> list[dict[str, str]]:
    return [{"role": "assistant", "content": text}]


def rated(i: int, answer: str, score: float) -> dict[str, object]:
    prompt = [{"role": "user", "content": f"question {i}"}]
    return {"kind": "rating", "prompt": prompt, "completion": said(answer), "score": score, "annotator": "ada"}


def corrected(i: int, better: str) -> dict[str, object]:
    prompt = [{"role": "user", "content": f"question {i}"}]
    return {"kind": "correction", "prompt": prompt, "completion": said("an answer"), "corrected": said(better)}


@pytest.mark.parametrize("command", ["reward", "dpo"])
def test_ratings_of_one_prompt_rank_its_answers(
    plaudit: Plaudit, tmp_path: Path, trained: Trained, command: str
) -> None:
    rows = [rated(i, answer, score) for i in range(8) for answer, score in (("aa", 1.0), ("b", 0.0))]
    file = write_rows(tmp_path / "said.jsonl", *rows, rated(9, "alone", 1.0))
    outcome = plaudit(command, "--data", file, "--model", trained.sft, "--out", "run", *FAST)
    assert outcome.status == 0
    assert f"{file}: 16 of 17 ratings rank answers to one prompt (8 rankings)" in outcome.out


def test_thumbs_rank_the_answers_that_got_them(plaudit: Plaudit, tmp_path: Path, trained: Trained) -> None:
    """TRL's unpaired type: a prompt, an answer, a label."""
    rows = [
        {"prompt": f"q {i}", "completion": text, "label": text == "yes"} for i in range(8) for text in ("yes", "no")
    ]
    file = write_rows(tmp_path / "thumbs.jsonl", *rows)
    outcome = plaudit("reward", "--data", file, "--model", trained.sft, "--out", "run", *FAST)
    assert outcome.status == 0
    assert "16 of 16 ratings rank answers to one prompt (8 rankings)" in outcome.out


@pytest.mark.parametrize("command", ["reward", "dpo"])
def test_a_correction_beats_the_answer_it_changed(
    plaudit: Plaudit, tmp_path: Path, trained: Trained, command: str
) -> None:
    rows = [corrected(i, "a better one") for i in range(8)]
    file = write_rows(tmp_path / "said.jsonl", *rows, corrected(9, "an answer"))
    outcome = plaudit(command, "--data", file, "--model", trained.sft, "--out", "run", *FAST)
    assert outcome.status == 0
    assert f"{file}: 8 of 9 corrections changed the answer, and beat it" in outcome.out


def test_what_compares_no_two_answers_is_refused(plaudit: Plaudit, tmp_path: Path, trained: Trained) -> None:
    for i, rows in enumerate(([rated(0, "a", 1.0), rated(1, "b", 0.0)], [corrected(2, "an answer")])):
        file = write_rows(tmp_path / f"said-{i}.jsonl", *rows)
        outcome = plaudit("reward", "--data", file, "--model", trained.sft, "--out", "run", *FAST)
        assert outcome.status == 2
        assert f"nothing in {file} compares two answers to one prompt" in outcome.err
    assert not Path("run").exists()


def test_fine_tuning_imitates_corrections(plaudit: Plaudit, tmp_path: Path) -> None:
    file = write_rows(tmp_path / "said.jsonl", *(corrected(i, f"better {i}") for i in range(12)))
    assert plaudit("sft", "--data", file, "--model", "tiny", "--out", "run", *FAST).status == 0


@pytest.mark.parametrize("command", ["reward", "dpo"])
def test_people_weighed_by_skill(plaudit: Plaudit, tmp_path: Path, trained: Trained, command: str) -> None:
    """Five people agree on every pair but for one who says the opposite."""
    rows = [
        {
            "kind": "ranking",
            "prompt": [{"role": "user", "content": f"question {i}"}],
            "completions": [said("aa"), said("bb"), said("cc")],
            "ranks": [2, 1, 0] if person == "mallory" else [0, 1, 2],
            "annotator": person,
        }
        for i in range(8)
        for person in ("ada", "ben", "cho", "dee", "mallory")
    ]
    file = write_rows(tmp_path / "said.jsonl", *rows)
    words = ("--data", file, "--model", trained.sft, *FAST)
    outcome = plaudit(command, *words, "--out", "run", "--people", "by_skill")
    assert outcome.status == 0
    assert "5 people, weighed by skill; 1 to look at (2 % false alarms each)" in outcome.out
    assert "  mallory: right 0.1" in outcome.out
    assert "in 24 verdicts; clicks at random with chance 0.00, turns verdicts round with 1.00" in outcome.out
    assert "people" in Path("run/inputs.json").read_text(encoding="utf-8")
    assert "weighed by skill" not in plaudit(command, *words, "--out", "run-2").out
