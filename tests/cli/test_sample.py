"""`plaudit sample`: what is written, what follows from the seed, what is refused."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from plaudit.formats import open_records
from plaudit.schemas.feedback import Ranking
from tests.cli.conftest import FAST, Plaudit, Trained, write_rows

SHORT = ("--sampling.max-new-tokens", "5")


def rows(path: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def test_rows_to_be_ranked(plaudit: Plaudit, prompts: Path) -> None:
    words = ("--model", "tiny", "--prompts", prompts, "--num-answers", "3", "--out", "out.jsonl", *SHORT)
    outcome = plaudit("sample", *words)
    assert outcome.status == 0
    assert "out.jsonl: 3 answers each to 6 prompts" in outcome.out
    found = rows(Path("out.jsonl"))
    assert [row["prompt"] for row in found] == [f"new {i}" for i in range(6)]
    for row in found:
        assert row["ranks"] == [None, None, None]
        assert len(row["completions"]) == len(row["truncated"]) == 3
        assert (row["model"], row["seed"]) == ("tiny", 0)
        assert row["sampling"]["max_new_tokens"] == 5
    cut = sum(flag for row in found for flag in row["truncated"])
    # A random model stops by itself once in 259 tokens.
    assert cut >= 15
    assert f"{cut} answers cut off at 5 tokens" in outcome.out
    assert all(record.ranks == (None,) * 3 for record in open_records("out.jsonl").of(Ranking))


def test_columns_of_other_names_and_a_template(plaudit: Plaudit, tmp_path: Path) -> None:
    pytest.importorskip("pyarrow", reason="pip install 'plaudit[parquet]' to run this")
    write_rows(tmp_path / "asked.jsonl", {"question": "one"}, {"question": "two"})
    named = ("--columns", "prompt=question", "--input-template", "Say: {}")
    words = ("--prompts", "asked.jsonl", *named, *SHORT)
    assert plaudit("sample", "--model", "tiny", *words, "--num-answers", "2", "--out", "out.parquet").status == 0
    rankings = open_records("out.parquet").of(Ranking)
    assert [(record.prompt[0].text, record.ranks) for record in rankings] == [
        ("Say: one", (None, None)),
        ("Say: two", (None, None)),
    ]


def test_rows_that_are_left_out_are_counted(plaudit: Plaudit, tmp_path: Path) -> None:
    (tmp_path / "p.jsonl").write_text('{"prompt": "q"}\n{"prompt": 1}\n')
    words = ("--model", "tiny", "--prompts", "p.jsonl", "--out", "out.jsonl", "--on-error", "skip", *SHORT)
    assert "p.jsonl: left out 1: rows that cannot be read" in plaudit("sample", *words).out


def test_answers_follow_from_seed_and_prompt_not_from_neighbours(plaudit: Plaudit, prompts: Path) -> None:
    words = ("--model", "tiny", "--prompts", prompts, *SHORT)
    for name, more in (("a", ()), ("b", ("--sampling.batch-size", "1")), ("c", ("--seed", "1"))):
        assert plaudit("sample", *words, "--out", f"{name}.jsonl", *more).status == 0
    answers = {name: [row["completions"] for row in rows(Path(f"{name}.jsonl"))] for name in "abc"}
    assert answers["a"] == answers["b"] != answers["c"]


def test_ranked_by_people_the_file_trains_a_reward_model(plaudit: Plaudit, prompts: Path, trained: Trained) -> None:
    words = ("--model", trained.sft, "--prompts", prompts, "--num-answers", "2", "--out", "out.jsonl", *SHORT)
    assert plaudit("sample", *words).status == 0
    unranked = plaudit("reward", "--data", "out.jsonl", "--model", trained.sft, "--out", "run", *FAST)
    assert "none of the 6 preferences can be used" in unranked.refused()
    write_rows(Path("ranked.jsonl"), *(row | {"ranks": [1, 0]} for row in rows(Path("out.jsonl"))))
    words = ("--data", "ranked.jsonl", "--model", trained.sft, "--out", "run", "--normalise-on", "data")
    assert plaudit("reward", *words, *FAST).status == 0


def test_long_prompts_are_refused_dropped_or_cut_at_a_turn(plaudit: Plaudit, tmp_path: Path) -> None:
    turns = [{"role": "user", "content": "long " * 9}, {"role": "assistant", "content": "a"}]
    long = {"prompt": [*turns, {"role": "user", "content": "short"}]}
    write_rows(tmp_path / "p.jsonl", {"prompt": [{"role": "user", "content": "q"}]}, long)
    words = ("--model", "tiny", "--prompts", "p.jsonl", "--max-prompt-tokens", "20", *SHORT)
    assert "prompt 2 has" in plaudit("sample", *words, "--out", "refuse.jsonl").refused()
    dropped = plaudit("sample", *words, "--out", "drop.jsonl", "--prompt-too-long", "drop")
    assert "to 1 prompts (1 longer prompts dropped)" in dropped.out
    assert plaudit("sample", *words, "--out", "cut.jsonl", "--prompt-too-long", "truncate").status == 0
    assert rows(Path("cut.jsonl"))[1]["prompt"] == "short"


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (("--num-answers", "1"), "num_answers must be at least 2, or there is nothing to rank: got 1"),
        (("--out", "prompts.jsonl"), "prompts.jsonl exists: name another file, or delete it first"),
        (
            ("--out", "out.CSV"),
            "out.CSV would hold rows of JSON under a name that ends in .csv: name a file that ends in .jsonl",
        ),
        (("--prompts", "pages.txt"), "pages.txt holds no prompts"),
        (("--sampling.temperature", "0"), "temperature must be above 0"),
    ],
)
def test_what_is_refused(plaudit: Plaudit, prompts: Path, tmp_path: Path, more: tuple[str, ...], message: str) -> None:
    (tmp_path / "pages.txt").write_text("a page")
    given = {"--model": "tiny", "--prompts": prompts.name, "--out": "out.jsonl"}
    given |= dict(zip(more[::2], more[1::2], strict=True))
    assert message in plaudit("sample", *(word for pair in given.items() for word in pair)).refused()
    assert not Path("out.jsonl").exists()
