"""Who scores: reward model, a person's function, a server; and which prompts."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread
from typing import ClassVar

import pytest

from plaudit.cli.scoring import columns_of, prompts_of
from plaudit.cli.user_code import reward_function
from plaudit.runs import read_metrics
from plaudit.schemas.conversation import assistant, prompt_id, user
from plaudit.schemas.errors import PlauditError
from plaudit.schemas.feedback import Demonstration, Document, Prompt, Ranking
from tests.cli.conftest import FEW_ANSWERS, Plaudit, Trained


def test_prompts_come_once_from_every_kind_but_documents() -> None:
    a, b = (user("a"),), (user("b"),)
    answers = ((assistant("x"),), (assistant("y"),))
    records = [
        Document(text="page"),
        Demonstration(prompt=a, completion=(assistant("x"),)),
        Ranking(prompt=b, completions=answers, ranks=(0, 1), extra={"place": 1}),
        Prompt(prompt=a, extra={"place": 2}),
        Ranking(prompt=(), completions=answers, ranks=(0, 1)),
    ]
    assert prompts_of(records) == [a, b]
    columns = columns_of(records)
    assert (columns[prompt_id(a)], columns[prompt_id(b)]) == ({}, {"place": 1})


def module(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "f.py"
    path.write_text(text)
    return path


def test_a_function_gets_the_columns_it_has_room_for(tmp_path: Path) -> None:
    path = module(
        tmp_path,
        "def none(prompts, completions):\n    return [1, 2]\n"
        "def one(prompts, completions, place):\n    return place\n"
        "def all_of_them(prompts, completions, **columns):\n    return [len(columns)] * 2\n",
    )
    columns = {"place": [3, 4], "name": ["a", "b"]}
    for name, scores in (("none", [1.0, 2.0]), ("one", [3.0, 4.0]), ("all_of_them", [2.0, 2.0])):
        assert reward_function(f"{path}:{name}")(["p", "q"], ["x", "y"], **columns) == scores


@pytest.mark.parametrize(
    ("text", "spec", "message"),
    [
        ("", "f.py", r"must be module.py:function, got 'f.py'"),
        ("", "f.py:", r"must be module.py:function"),
        ("", "g.py:brief", r"there is no file g.py"),
        ("def brief(): pass\ndef other(): pass", "f.py:breif", r"f.py has no function 'breif'; it has brief, other"),
        ("brief = 3", "f.py:brief", r"has no function 'brief'; it has none"),
        ("x = 1\nimport nowhere", "f.py:brief", r"cannot be imported: ModuleNotFoundError: .*\(f.py, line 2\)"),
        ("def brief(:", "f.py:brief", r"cannot be imported: SyntaxError: .*line 1\)"),
    ],
)
def test_a_function_that_cannot_be_had(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, spec: str, message: str
) -> None:
    monkeypatch.chdir(tmp_path)
    module(tmp_path, text)
    with pytest.raises(PlauditError, match=message):
        reward_function(spec)


def test_a_mistake_inside_the_function_is_told_with_its_line(tmp_path: Path) -> None:
    path = module(tmp_path, "def brief(prompts, completions):\n    return [1 / len(c) for c in completions]\n")
    with pytest.raises(PlauditError, match=r"brief failed: ZeroDivisionError: .*f.py, line 2\)"):
        reward_function(f"{path}:brief")(["p"], [""])


def test_a_reward_function_with_columns_trains_a_policy(plaudit: Plaudit, prompts: Path, tmp_path: Path) -> None:
    module(tmp_path, "def place(prompts, completions, harbour):\n    return [float(h) for h in harbour]\n")
    common = ("--data", prompts, "--model", "tiny", "--reward-function", "f.py:place", *FEW_ANSWERS)
    for command in ("ppo", "rloo"):
        outcome = plaudit(command, *common, "--out", command)
        assert outcome.status == 0
        assert f"the model is in {command}/model" in outcome.out
    scores = [json.loads(line)["score"] for line in Path("ppo/samples.jsonl").read_text().splitlines()]
    asked = [json.loads(line)["prompt"] for line in Path("ppo/samples.jsonl").read_text().splitlines()]
    assert scores == [float(prompt.removeprefix("new ")) for prompt in asked]


PERSON = """
def person(conversations):
    assert all(c[-1]["role"] == "assistant" and c[0]["role"] == "user" for c in conversations)
    return ["and then?"] * len(conversations)
"""


def test_a_function_replies_to_answers(plaudit: Plaudit, prompts: Path, trained: Trained, tmp_path: Path) -> None:
    """And is named in inputs.json, as all is that a run began with."""
    module(tmp_path, PERSON + "def f(prompts, completions):\n    return [float(len(p)) for p in prompts]\n")
    words = ("--data", prompts, "--model", trained.sft, "--reward-function", "f.py:f", *FEW_ANSWERS)
    # Room for what `trained` says, which is nine tokens with the stop token.
    several = (
        "--interlocutor",
        "f.py:person",
        "--experience.max-answers",
        2,
        "--experience.sampling.max-new-tokens",
        12,
    )
    for command in ("ppo", "rloo"):
        assert plaudit(command, *words, *several, "--out", command).status == 0
        rows = [json.loads(line) for line in Path(command, "samples.jsonl").read_text().splitlines()]
        assert any(row.get("turns", [])[1:] == ["and then?"] for row in rows)
        assert "interlocutor" in json.loads(Path(command, "inputs.json").read_text())["sha256"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--interlocutor", "f.py:person"), "experience.max_answers belong together"),
        (("--experience.max-answers", 2), "experience.max_answers belong together"),
        (("--interlocutor", "g.py:person", "--experience.max-answers", 2), "--interlocutor: there is no file g.py"),
        (("--interlocutor", "f.py:who", "--experience.max-answers", 2), "f.py has no function 'who'; it has f, person"),
        (("--interlocutor", "f.py:f", "--experience.max-answers", 2), "interlocutor f.py:f failed: TypeError"),
        (("--interlocutor", "f.py:person", "--experience.max-answers", 0), "must be at least 1"),
    ],
)
def test_an_interlocutor_that_cannot_be_had(
    plaudit: Plaudit, prompts: Path, trained: Trained, tmp_path: Path, options: tuple[object, ...], message: str
) -> None:
    module(tmp_path, PERSON + "def f(prompts, completions):\n    return [1.0] * len(prompts)\n")
    words = ("--data", prompts, "--model", trained.sft, "--reward-function", "f.py:f", *FEW_ANSWERS, "--out", "run")
    # Long enough for answers that end, which are replied to.
    assert message in plaudit("ppo", *words, "--experience.sampling.max-new-tokens", 12, *options).refused()


@pytest.mark.parametrize("body", ["return [1.0]", "return [float('nan')] * len(completions)", "return ['a'] * 8"])
def test_a_function_that_returns_nonsense_ends_the_run(
    plaudit: Plaudit, prompts: Path, tmp_path: Path, body: str
) -> None:
    module(tmp_path, f"def f(prompts, completions):\n    {body}\n")
    words = ("--data", prompts, "--model", "tiny", "--reward-function", "f.py:f", "--out", "run", *FEW_ANSWERS)
    outcome = plaudit("ppo", *words)
    assert outcome.status == 2
    assert "reward function" in outcome.err


def test_a_reward_model_scores_and_starts_the_critic(plaudit: Plaudit, prompts: Path, trained: Trained) -> None:
    words = ("--data", prompts, "--model", trained.sft, "--reward-model", trained.reward, *FEW_ANSWERS)
    outcome = plaudit("ppo", *words, "--value", "reward", "--out", "run")
    assert outcome.status == 0
    assert "another tokenizer" not in outcome.out


def test_an_ensemble_scores_and_its_members_are_looked_at(plaudit: Plaudit, prompts: Path, trained: Trained) -> None:
    words = ("--data", prompts, "--model", trained.sft, "--reward-model", trained.reward, "--out", "run", *FEW_ANSWERS)
    refused = plaudit("rloo", *words, "--reward-ensemble", trained.reward, trained.sft).refused()
    assert "is a language model, not a reward model" in refused
    outcome = plaudit("rloo", *words, "--reward-ensemble", trained.reward, "--spread-coef", "0.5")
    assert outcome.status == 0
    rows = read_metrics(Path("run/metrics.jsonl"))
    # Twice the same model: no spread.
    assert {row["score/ensemble_spread"] for row in rows} == {0.0}
    assert all(row["score/ensemble_mean"] == row["score/mean"] for row in rows)


def test_a_reward_model_with_another_template_is_allowed_and_told(
    plaudit: Plaudit, prompts: Path, trained: Trained, tmp_path: Path
) -> None:
    other = tmp_path / "other"
    other.mkdir()
    for file in trained.reward.iterdir():
        (other / file.name).write_bytes(file.read_bytes())
    template = other / "chat_template.jinja"
    template.write_text(template.read_text().replace("<|turn|>", "<|turn|>>"))
    words = ("--data", prompts, "--model", trained.sft, "--reward-model", other, *FEW_ANSWERS, "--out", "run")
    outcome = plaudit("ppo", *words)
    assert outcome.status == 0
    assert f"the reward model '{other}' has another tokenizer or template than the policy: answers are" in outcome.out


def test_ptx_takes_demonstrations(plaudit: Plaudit, prompts: Path, demonstrations: Path, tmp_path: Path) -> None:
    module(tmp_path, "def f(prompts, completions):\n    return [0.0] * len(completions)\n")
    words = ("--data", prompts, "--model", "tiny", "--reward-function", "f.py:f", *FEW_ANSWERS)
    outcome = plaudit("ppo", *words, "--demonstrations", demonstrations, "--ptx-coef", "0.5", "--out", "run")
    assert outcome.status == 0
    assert "loss/ptx" in json.loads(Path("run/metrics.jsonl").read_text().splitlines()[0])
    assert "demonstrations" in json.loads(Path("run/inputs.json").read_text())["sha256"]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (
            ("--reward-function", "f.py:f", "--reward-url", "http://x"),
            "give --reward-function or --reward-url, not both",
        ),
        (
            ("--ptx-coef", "0.5"),
            "demonstrations and ptx_coef belong together: got demonstrations = None, ptx_coef = 0.5",
        ),
        (("--demonstrations", "prompts.jsonl"), "demonstrations and ptx_coef belong together"),
        (("--reward-model", "runs/none/model"), "model 'runs/none/model': there is no such folder"),
        (("--reward-model", "tiny"), "reward_model 'tiny' is a language model, not a reward model"),
        (
            ("--reward-function", "f.py:f", "--reward-ensemble", "b"),
            "reward_ensemble extends a reward model, which f.py:f replaces",
        ),
        (("--reward-model", ""), "reward_model is empty: name a reward model's folder"),
        (
            ("--reward-function", "f.py:f", "--reward-model", "", "--value", "reward"),
            "The critic begins as a reward model",
        ),
        (("--reward-url", "not-a-url"), "'not-a-url' is no address of a server"),
        (("--num-minibatches", "999"), "num_minibatches = 999, but a step has 128 answers"),
        (("--experience.sampling.top-p", "0.9"), "training rollouts sample from the policy itself"),
        (("--reward-function", "f.py:f", "--experience.max-prompt-tokens", "3"), "over max_prompt_tokens = 3"),
    ],
)
def test_impossible_combinations(
    plaudit: Plaudit, prompts: Path, tmp_path: Path, words: tuple[str, ...], message: str
) -> None:
    module(tmp_path, "def f(prompts, completions):\n    return [0.0] * len(completions)\n")
    assert message in plaudit("ppo", "--data", prompts.name, "--model", "tiny", "--out", "run", *words).refused()
    assert not Path("run").exists()


class _Scores(BaseHTTPRequestHandler):
    """Scores an answer by its length, as OpenRLHF's server would."""

    keys: ClassVar[list[str | None]] = []

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.keys.append(self.headers["Authorization"])
        payload = json.dumps({"rewards": [len(query) / 10 for query in body["query"]]}).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(payload)))
        self.end_headers()
        self.wfile.write(payload)

    def log_message(self, format: str, *args: object) -> None:
        pass


@contextmanager
def scoring_server() -> Iterator[str]:
    with HTTPServer(("127.0.0.1", 0), _Scores) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/get_reward"
        server.shutdown()


def test_a_server_scores(plaudit: Plaudit, prompts: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PLAUDIT_REWARD_KEY", "swordfish")
    with scoring_server() as url:
        words = ("--data", prompts, "--model", "tiny", "--reward-url", url, "--out", "run", *FEW_ANSWERS)
        assert plaudit("rloo", *words).status == 0
    assert _Scores.keys == ["Bearer swordfish"] * 2
    assert not [name for name in os.listdir("run") if "swordfish" in name]
    assert "swordfish" not in Path("run/inputs.json").read_text() + Path("run/config.json").read_text()


def test_prompts_may_stand_in_a_file_of_rankings(plaudit: Plaudit, rankings: Path, tmp_path: Path) -> None:
    module(tmp_path, "def f(prompts, completions):\n    return [0.0] * len(completions)\n")
    words = ("--data", rankings, "--model", "tiny", "--reward-function", "f.py:f", "--out", "run", *FEW_ANSWERS)
    assert plaudit("ppo", *words).status == 0


@pytest.fixture
def held(tmp_path: Path) -> Path:
    path = tmp_path / "held.jsonl"
    path.write_text("".join(json.dumps({"prompt": f"held {i}"}) + "\n" for i in range(3)))
    return path


def test_the_monitor_looks_at_prompts_of_its_own(plaudit: Plaudit, prompts: Path, held: Path, trained: Trained) -> None:
    words = ("--data", prompts, "--model", trained.sft, "--reward-model", trained.reward, *FEW_ANSWERS)
    watch = ("--monitor.every", "1", "--monitor-prompts", held, "--monitor-judge", trained.reward)
    for command in ("ppo", "rloo"):
        assert plaudit(command, *words, *watch, "--out", command).status == 0
        row = json.loads(Path(command, "metrics.jsonl").read_text().splitlines()[0])
        assert 0 <= row["monitor/win_rate"] <= 1
        assert row["monitor/length"] > 0
    assert plaudit("ppo", *words, *watch[:4], "--out", "form").status == 0
    row = json.loads(Path("form", "metrics.jsonl").read_text().splitlines()[0])
    assert "monitor/win_rate" not in row
    assert "monitor/repetition" in row


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--monitor.every", "1"), "monitor_prompts and monitor.every belong together"),
        (("--monitor-prompts", "held.jsonl"), "monitor_prompts and monitor.every belong together"),
        (("--monitor-judge", "somewhere"), "monitor_judge needs monitor_prompts"),
        (("--monitor.every", "1", "--monitor-prompts", "prompts.jsonl"), "were trained on"),
        (
            ("--monitor.every", "1", "--monitor-prompts", "held.jsonl", "--monitor-judge", "nowhere"),
            "'nowhere' could not",
        ),
    ],
)
def test_a_monitor_that_cannot_be(
    plaudit: Plaudit, prompts: Path, held: Path, trained: Trained, words: tuple[str, ...], message: str
) -> None:
    common = ("--data", prompts, "--model", trained.sft, "--reward-model", trained.reward, *FEW_ANSWERS)
    outcome = plaudit("ppo", *common, "--out", "run", *words)
    assert outcome.status == 2
    assert message in outcome.err
    assert not Path("run", "metrics.jsonl").exists()
