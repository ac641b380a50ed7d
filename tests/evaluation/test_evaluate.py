"""One tiny model against another, from prompts to report."""

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from plaudit.client import Patience, RemoteModel, RemoteReward
from plaudit.evaluation.evaluate import EvaluateConfig, JudgeKind, check_unseen, evaluate
from plaudit.models.load import load_causal_lm, load_codec
from plaudit.rollout.sampler import Sampling
from plaudit.schemas.conversation import Messages, assistant, prompt_id, user
from plaudit.schemas.errors import PlauditError
from plaudit.schemas.feedback import Comparison, Demonstration, Verdict
from plaudit.schemas.protocols import Completion, TextScore
from tests.client.conftest import Loopback, Request, json_reply, loopback  # noqa: F401 (a fixture)

PROMPTS = [(user(f"say {word}"),) for word in ("a", "b", "c", "d", "e")]
DEMONSTRATIONS = [Demonstration(prompt=(user("x"),), completion=(assistant("yes"),))]


@pytest.fixture
def config(other_tiny: Path, tmp_path: Path) -> EvaluateConfig:
    return EvaluateConfig(
        model=str(other_tiny),
        against="tiny",
        out=str(tmp_path / "run"),
        num_answers=2,
        sampling=Sampling(max_new_tokens=6, batch_size=4),
        device="cpu",
    )


class Spaces:
    """Likes answers with few bytes over 127."""

    def score(self, prompts: Sequence[Messages], completions: Sequence[Completion]) -> list[TextScore]:
        return [TextScore(-float(sum(ord(c) > 127 for c in answer.text)), {"plain": 1.0}) for answer in completions]


def test_a_scorer_given_in_code(config: EvaluateConfig) -> None:
    found = evaluate(config, [*PROMPTS, PROMPTS[0]], scorer=Spaces(), demonstrations=DEMONSTRATIONS)
    (standing,) = found.result.entrants
    assert (found.result.num_prompts, found.result.num_answers) == (5, 10)
    assert standing.win_rate is not None
    assert standing.win_rate.n == 20
    assert standing.kl is not None
    assert standing.kl > 0
    assert standing.perplexity is not None
    assert standing.components == {"plain": 1.0}
    folder = found.report.parent
    summary = json.loads((folder / "summary.json").read_text())
    assert summary["result"]["entrants"][0]["win_rate"]["value"] == standing.win_rate.value
    assert summary["kl"]["k1"] == standing.kl
    assert {"sample", "judge", "kl", "perplexity"} <= set(summary["seconds_by_phase"])
    assert json.loads((folder / "manifest.json").read_text())["status"] == "finished"
    assert (folder / "win_rates.png").exists()
    page = found.report.read_text()
    assert "5 prompts (1 repeated prompts left out), 2 answers of each model" in page
    assert "a scorer given in code" in page
    rows = [json.loads(line) for line in (folder / "samples.jsonl").read_text().splitlines()]
    assert len(rows) == 10
    assert rows[1]["model"] == config.model
    assert [answer["finished"] in {True, False} for answer in rows[1]["answers"]] == [True, True]


def test_a_long_demonstration_is_read_where_the_limit_allows(config: EvaluateConfig) -> None:
    """Over 1,024 tokens, where the limit stood that nobody could move."""
    long = [Demonstration(prompt=(user("x"),), completion=(assistant("e" * 1100),))]
    with pytest.raises(PlauditError, match=r"has 1107 tokens, over max_tokens = 1024"):
        evaluate(config, PROMPTS[:1], scorer=Spaces(), demonstrations=long)
    found = evaluate(replace(config, max_tokens=1107), PROMPTS[:1], scorer=Spaces(), demonstrations=long)
    assert found.result.entrants[0].perplexity is not None


def test_the_models_share_no_random_numbers(config: EvaluateConfig, tmp_path: Path) -> None:
    """A copy of the baseline gives other answers than the baseline: shared numbers would make every pair (k, k) a tie."""
    load_causal_lm("tiny").save_pretrained(tmp_path / "copy")
    load_codec("tiny").tokenizer.save_pretrained(tmp_path / "copy")
    found = evaluate(replace(config, model=str(tmp_path / "copy")), PROMPTS, scorer=Spaces())
    rows = [json.loads(line) for line in (found.report.parent / "samples.jsonl").read_text().splitlines()]
    assert all(a["answers"][0] != b["answers"][0] for a, b in zip(rows[::2], rows[1::2], strict=True))
    assert found.result.entrants[0].kl == pytest.approx(0.0, abs=1e-5)


def test_portions_change_nothing(config: EvaluateConfig, tmp_path: Path) -> None:
    """Four answers at a time as in the fixture, or all at once: the same texts, so the same result."""
    whole = replace(config, sampling=Sampling(max_new_tokens=6, batch_size=64), out=str(tmp_path / "whole"))
    first, second = evaluate(config, PROMPTS, scorer=Spaces()), evaluate(whole, PROMPTS, scorer=Spaces())
    samples = [(Path(path) / "samples.jsonl").read_text() for path in (config.out, whole.out)]
    assert samples[0] == samples[1]
    assert first.result.entrants[0].win_rate == second.result.entrants[0].win_rate
    assert first.result.entrants[0].kl == pytest.approx(second.result.entrants[0].kl, abs=1e-4)


@pytest.mark.parametrize("sampling", [Sampling(max_new_tokens=3, greedy=True), Sampling(max_new_tokens=3, top_p=0.9)])
def test_no_kl_from_answers_that_are_not_drawn_from_the_policy(config: EvaluateConfig, sampling: Sampling) -> None:
    found = evaluate(replace(config, sampling=sampling), PROMPTS[:2], scorer=Spaces())
    assert found.result.entrants[0].kl is None


def test_a_reward_model_judges_and_is_judged(config: EvaluateConfig, tiny_reward: Path) -> None:
    records = [
        Comparison(prompt=(user("z"),), a=(assistant("aa"),), b=(assistant("b"),), verdict=Verdict.A, source="held out")
    ]
    found = evaluate(replace(config, reward_model=str(tiny_reward)), PROMPTS, records=records)
    assert found.quality is not None
    assert found.quality.accuracy.n == 1
    assert [table.title for table in found.tables][-1] == "Reward model on people's verdicts"
    names = {entry.name for entry in found.report.parent.iterdir()}
    assert {"reliability.png", "accuracy_by_length.png", "win_rates.png", "seconds.png"} <= names


def test_people_judge_the_answers_they_saw(config: EvaluateConfig, tmp_path: Path) -> None:
    """The same seed samples the same answers again, so what people said of the first pair of each prompt is found."""
    evaluate(replace(config, out=str(tmp_path / "before")), PROMPTS, scorer=Spaces())
    rows = [json.loads(line) for line in (tmp_path / "before" / "samples.jsonl").read_text().splitlines()]
    records = [
        Comparison(
            prompt=prompt,
            a=(assistant(of_model["answers"][0]["text"]),),
            b=(assistant(of_baseline["answers"][0]["text"]),),
            verdict=Verdict.A,
        )
        for prompt, of_baseline, of_model in zip(PROMPTS, rows[::2], rows[1::2], strict=True)
    ]
    found = evaluate(replace(config, judge=JudgeKind.PEOPLE), PROMPTS, records=records)
    (standing,) = found.result.entrants
    assert standing.win_rate is not None
    assert (standing.win_rate.value, standing.win_rate.n, standing.num_left_out) == (1.0, 5, 15)
    assert "15 pairs have no verdict" in found.report.read_text()


def test_judges_over_http(config: EvaluateConfig, tmp_path: Path, loopback: Loopback) -> None:  # noqa: F811
    def answer(request: Request) -> object:
        if request.path == "/get_reward":
            queries = request.body["query"]
            assert isinstance(queries, list)
            return {"rewards": [float(len(query)) for query in queries]}
        return {"choices": [{"message": {"content": "Verdict: A"}, "finish_reason": "stop"}]}

    loopback.answer = lambda request: json_reply(answer(request))
    patience = Patience(max_tries=1)
    remote = RemoteReward(url=f"{loopback.url}/get_reward", patience=patience)
    found = evaluate(replace(config, judge=JudgeKind.REMOTE_REWARD, remote_reward=remote), PROMPTS)
    assert found.result.entrants[0].utility is not None
    model = RemoteModel(base_url=f"{loopback.url}/v1", model="judge", temperature=0.0, patience=patience)
    asked = replace(config, judge=JudgeKind.MODEL, judge_model=model, out=str(tmp_path / "model"))
    (standing,) = evaluate(asked, PROMPTS).result.entrants
    assert standing.win_rate is not None
    # always the first shown: every pair a tie
    assert (standing.win_rate.value, standing.position_consistency) == (0.5, 0.0)


def test_leaked_prompts_are_refused_before_anything_is_written(config: EvaluateConfig) -> None:
    trained = {prompt_id(prompt) for prompt in PROMPTS[1:]}
    expected = (
        r"4 of the 5 prompts to evaluate on were trained on: 'say b', 'say c', 'say d' and more\. They would flatter"
    )
    with pytest.raises(PlauditError, match=expected):
        evaluate(config, PROMPTS, scorer=Spaces(), trained_prompt_ids=trained)
    with pytest.raises(PlauditError, match="1 of the 1 demonstrations to evaluate on were trained on: 'x'"):
        evaluate(config, PROMPTS, demonstrations=DEMONSTRATIONS, trained_prompt_ids={prompt_id((user("x"),))})
    record = Comparison(prompt=PROMPTS[4], a=(assistant("a"),), b=(assistant("b"),), verdict=Verdict.A)
    with pytest.raises(PlauditError, match="1 of the 1 people's verdicts"):
        evaluate(config, PROMPTS[:4], records=[record], trained_prompt_ids={prompt_id(PROMPTS[4])})
    assert not Path(config.out).exists()
    check_unseen(PROMPTS, {"another"})


def test_what_cannot_work_is_refused_before_anything_is_written(config: EvaluateConfig) -> None:
    with pytest.raises(PlauditError, match="judge = people needs their comparisons"):
        evaluate(replace(config, judge=JudgeKind.PEOPLE), PROMPTS)
    with pytest.raises(PlauditError, match="which model of"):
        evaluate(replace(config, judge=JudgeKind.MODEL), PROMPTS)
    with pytest.raises(PlauditError, match="there are no prompts"):
        evaluate(config, [], scorer=Spaces())
    # Nothing but settings that there are is named.
    message = r"prompt 1 has \d+ tokens, over max_prompt_tokens = 4: raise the limit, or leave the prompt out$"
    with pytest.raises(PlauditError, match=message):
        evaluate(replace(config, max_prompt_tokens=4), PROMPTS, scorer=Spaces())
    message = (
        r"demonstration 1 has \d+ tokens, over max_tokens = 5 \(1 of 1 are\): raise max_tokens, or leave them out of"
    )
    with pytest.raises(PlauditError, match=message):
        evaluate(replace(config, max_tokens=5), PROMPTS, scorer=Spaces(), demonstrations=DEMONSTRATIONS)
    with pytest.raises(PlauditError, match="name two models"):
        replace(config, against=config.model)
    with pytest.raises(PlauditError, match="at least 1"):
        replace(config, num_answers=0)
    assert not Path(config.out).exists()
