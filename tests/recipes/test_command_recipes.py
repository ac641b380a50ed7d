"""The recipes that are a few `plaudit` commands: their settings parse, their scripts and rewards do what they say."""

from __future__ import annotations

import importlib.util
import json
import re
import shlex
from collections.abc import Callable, Sequence
from pathlib import Path
from types import ModuleType

import pytest

from plaudit.cli.main import command_class, main
from plaudit.cli.settings import parsed
from recipes.python_reward import problems
from recipes.style import data as styles
from recipes.summarise import data as abstracts

ROOT = Path(__file__).parents[2]
RECIPES = ("python_reward", "summarise", "style")
SHORT = {
    "sft": ("--epochs.num-epochs", "1", "--optimiser.learning-rate", "1e-2"),
    "ppo": (
        *(
            "--num-steps",
            "1",
            "--train.num-upper",
            "1",
            "--experience.prompts-per-step",
            "3",
            "--micro-batch-size",
            "8",
        ),
        *("--experience.answers-per-prompt", "4", "--experience.sampling.max-new-tokens", "4"),
        *("--experience.max-prompt-tokens", "600"),
    ),
    "evaluate": ("--sampling.max-new-tokens", "4", "--num-answers", "1", "--max-prompt-tokens", "600"),
}


def loaded(file: str) -> ModuleType:
    """A file of the recipes as a module."""
    spec = importlib.util.spec_from_file_location(Path(file).stem, ROOT / "recipes" / file)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def called(program: Callable[[Sequence[str]], int], *words: object) -> None:
    """The program with these words on its command line."""
    assert program([str(word) for word in words]) == 0


def rows(path: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def commands(recipe: str) -> list[list[str]]:
    """The `plaudit` commands of a recipe's script, as words."""
    text = (ROOT / "recipes" / recipe / "run.sh").read_text(encoding="utf-8").replace("\\\n", " ")
    lines = re.findall(r"^\s*plaudit (.*)$", text.replace("$here", f"recipes/{recipe}"), re.MULTILINE)
    return [shlex.split(line) for line in lines]


@pytest.mark.parametrize("recipe", RECIPES)
def test_every_command_of_the_script_parses(recipe: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    found = commands(recipe)
    assert [words[0] for words in found][:3] == ["sft", "ppo", "evaluate"]
    for name, *words in found:
        parsed(command_class(name), words, name=name)


def test_problems_are_different_solvable_and_worked_out(tmp_path: Path) -> None:
    called(problems.main, "--out", tmp_path, "--num-practice", 50, "--num-test", 20, "--num-demonstrations", 30)
    every = [row for name in ("demonstrations", "practice", "test") for row in rows(tmp_path / f"{name}.jsonl")]
    assert len({row["prompt"] for row in every}) == 100
    for row in every:
        steps = re.findall(r"(\d+) ([+-]) (\d+) = (-?\d+)\.", str(row["completion"]))
        assert len(steps) == 3
        total = int(re.findall(r"has (\d+)", str(row["prompt"]))[0])
        for before, sign, number, after in steps:
            assert int(before) == total
            total = total + int(number) if sign == "+" else total - int(number)
            assert int(after) == total >= 0
        assert row["ground_truth"] == str(total)
        assert str(row["completion"]).endswith(f"The answer is {total}.")
        gains = re.findall(r"(?:finds|given|another) (\d+)", str(row["prompt"]))
        losses = re.findall(r"(?:away|loses|sells) (\d+)", str(row["prompt"]))
        has = int(re.findall(r"has (\d+)", str(row["prompt"]))[0])
        assert has + sum(map(int, gains)) - sum(map(int, losses)) == total


def test_the_last_number_is_the_answer() -> None:
    correct = loaded("python_reward/rewards.py").correct
    answers = [
        "3 + 4 = 7. The answer is 7.",
        "The answer is 8.",
        "",
        "seven",
        "It costs 1,234 dollars",
        "-7",
        "7.0",
        "7 or 9",
    ]
    truths = ["7", "7", "7", "7", "1234", "-7", "7", "7"]
    assert correct([""] * 8, answers, truths) == [1, 0, 0, 0, 1, 1, 1, 0]


def test_rouge_l_is_that_of_the_nearest_reference() -> None:
    rouge_l = loaded("summarise/rewards.py").rouge_l
    found = rouge_l(["", "", ""], ["the cat sat", "a dog", ""], [["the cat ran", "cats sat"], ["a dog"], ["x"]])
    # "cat sat" (stemmed) of two words and three: precision 2/3, recall 1.
    assert found == pytest.approx([0.8, 1.0, 0.0])


def test_abstracts_are_told_apart_and_kept_short(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source = tmp_path / "scitldr"
    source.mkdir()
    for name, numbers in (("train", range(30)), ("test", range(25, 45))):
        made = [{"source": [f"We do {i}.", "It works."], "target": [f"do {i}", "works"]} for i in numbers]
        made.append({"source": ["word " * 200], "target": ["long"]})
        (source / f"{name}.jsonl").write_text("".join(f"{json.dumps(row)}\n" for row in made))
    words = ("--scitldr", source, "--out", tmp_path / "out", "--num-demonstrations", 10, "--num-practice", 15)
    called(abstracts.main, *words, "--num-test", 12)
    found = {name: rows(tmp_path / "out" / f"{name}.jsonl") for name in ("demonstrations", "practice", "test")}
    assert {name: len(part) for name, part in found.items()} == {"demonstrations": 10, "practice": 15, "test": 12}
    every = [row for part in found.values() for row in part]
    assert len({row["prompt"] for row in every}) == 37
    assert all(row["references"] == [row["completion"], "works"] for row in every)
    assert not any("word word" in str(row["prompt"]) for row in every)
    assert abstracts.main([str(word) for word in (*words, "--num-test", 99)]) == 2
    assert "training and 15 test abstracts" in capsys.readouterr().err


def test_attributes_worked_by_hand() -> None:
    style = loaded("style/rewards.py")
    assert style.attributes_of("The cat sat on the mat.") == ["brief", "formal", "in English"]
    assert style.attributes_of("It’s on the mat, isn't it?") == ["brief", "casual", "in English"]
    assert style.attributes_of("this is the house that the man built " * 6) == ["full", "formal", "in English"]
    assert style.attributes_of("猫坐在垫子上。") == ["brief", "formal", "in Chinese"]
    assert style.attributes_of("") == []
    asked = [["brief", "formal"], ["full", "casual", "in English"], ["in Chinese"]]
    answers = ["Well! It is what it is to all of us."] * 3
    assert style.kept([""] * 3, answers, asked) == pytest.approx([1 / 2, 2 / 3, 0])
    assert style.all_kept([""] * 2, ["Yes.", "Yes!"], [["formal"], ["formal"]]) == [1, 0]


def test_styles_are_those_of_the_answers_and_questions_lie_apart(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source = tmp_path / "data"
    made = [
        {
            "instruction": f"what is {i}?",
            "context": "" if i % 5 else "x",
            "response": f"It is the {i} of it.",
            "category": "open_qa",
        }
        for i in range(60)
    ]
    made.append({"instruction": "sum up", "context": "", "response": "It is.", "category": "summarization"})
    theirs = [{"instruction": f"什么是{i}？", "input": "", "output": f"这是{i}。"} for i in range(6)]
    for name, part in ((styles.DOLLY, made), (styles.CHINESE, theirs)):
        (source / name).parent.mkdir(parents=True)
        (source / name).write_text("".join(f"{json.dumps(row)}\n" for row in part))
    counts = ("--num-english", 20, "--num-chinese", 5, "--num-practice", 15, "--num-test", 10)
    called(styles.main, "--data", source, "--out", tmp_path / "out", *counts)
    found = {name: rows(tmp_path / "out" / f"{name}.jsonl") for name in ("demonstrations", "practice", "test")}
    assert {name: len(part) for name, part in found.items()} == {"demonstrations": 25, "practice": 15, "test": 10}
    every = [row for part in found.values() for row in part]
    questions = [row["prompt"][-1]["content"] for row in every]  # type: ignore[index]
    assert len(set(questions)) == 50
    assert "sum up" not in questions
    for row in every:
        assert row["prompt"][0] == {"role": "system", "content": f"Answer {', '.join(row['style'])}."}  # type: ignore[index,arg-type]
    assert {tuple(row["style"]) for row in found["demonstrations"]} == {  # type: ignore[arg-type]
        ("brief", "formal", "in English"),
        ("brief", "formal", "in Chinese"),
    }
    assert styles.main(["--data", str(source), "--out", str(tmp_path / "out")]) == 2
    assert "48 English and 6 Chinese rows fit" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("program", "name", "flag"), [(abstracts.main, "train.jsonl", "--scitldr"), (styles.main, styles.DOLLY, "--data")]
)
def test_other_data_is_told_in_one_line(
    program: Callable[[Sequence[str]], int], name: str, flag: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = [flag, str(tmp_path / "data"), "--out", str(tmp_path / "out")]
    assert program(words) == 2
    assert capsys.readouterr().err == f"plaudit: there is no file {tmp_path / 'data' / name}: check the name\n"
    (tmp_path / "data" / name).parent.mkdir(parents=True)
    (tmp_path / "data" / name).write_text('{"a": 1}\n')
    assert program(words) == 2
    assert f"{name}:1: field " in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("recipe", RECIPES)
def test_end_to_end_on_tiny(recipe: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The script's commands one after the other, on a few rows."""
    run = tmp_path / "runs" / recipe
    if recipe == "python_reward":
        counts = ("--num-demonstrations", 24, "--num-practice", 8, "--num-test", 5)
        called(problems.main, "--out", run / "problems", *counts)
    else:
        columns = {"references": ["1", "x"]} if recipe == "summarise" else {"style": ["brief", "formal"]}
        made = [{"prompt": f"do {i}", "completion": f"{i}", **columns} for i in range(40)]
        (run / "data").mkdir(parents=True)
        for name, part in (("demonstrations", made[:24]), ("practice", made[24:32]), ("test", made[32:])):
            (run / "data" / f"{name}.jsonl").write_text("".join(f"{json.dumps(row)}\n" for row in part))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "recipes").symlink_to(ROOT / "recipes")
    for name, *words in commands(recipe)[:3]:
        model = ("--model", "tiny") if name == "sft" else ()
        assert main([name, *words, *model, *SHORT[name], "--precision", "float32"]) == 0
    summary = json.loads((run / "evaluate" / "summary.json").read_text())
    (ppo,) = summary["result"]["entrants"]
    assert ppo["gain"]["n"] == summary["result"]["num_prompts"]
    assert ppo["utility"]["value"] >= 0
