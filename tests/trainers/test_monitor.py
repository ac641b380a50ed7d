"""The hacking monitor: what it sees, what it calls bad, when it ends a run and with which weights."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor

from plaudit.batches.tokens import TokenRows
from plaudit.evaluation.answers import AnswerSets
from plaudit.evaluation.judges import Judge, ScoreJudge
from plaudit.models.policy import ReferenceModel
from plaudit.rewards import FunctionScorer
from plaudit.rollout.decoding import Decoder
from plaudit.runs import PhaseTimer, read_metrics
from plaudit.runs.manifest import read_manifest
from plaudit.schemas.conversation import Messages, user
from plaudit.schemas.errors import PlauditError
from plaudit.schemas.protocols import Completion, TextScore
from plaudit.trainers import ppo
from plaudit.trainers.monitor import HackingMonitor, Look, MonitorConfig
from tests.trainers.test_memory import NO_MEMORY
from tests.trainers.toy import ES, PROMPTS, experience, fast, new_ppo, ppo_config

HELD = [(user(text),) for text in ("where?", "a held-out question", "so")]


class Hater:
    """A judge to whom an answer is the worse the more e's it has: the opposite of what the scorer pays for."""

    def score(self, prompts: object, completions: list[Completion]) -> list[TextScore]:
        return [TextScore(-float(answer.text.count("e"))) for answer in completions]


def monitor_of(start: str, judge: Judge | None = None, **changes: object) -> HackingMonitor:
    settings = {"every": 1, "num_prompts": 3, "answers_per_prompt": 2, **changes}
    found = HackingMonitor.on(MonitorConfig(**settings), new_ppo(start).actor, HELD, judge)  # type: ignore[arg-type]
    assert found is not None
    return found


def seen(monkeypatch: pytest.MonkeyPatch, monitor: HackingMonitor, **changes: object) -> dict[str, float]:
    """What the monitor says of a look like the reference's, but for the changes."""
    look = monitor._first.model_copy(update=changes)
    answers: AnswerSets = [[Completion("x", True, 1)] * 2] * 3
    monkeypatch.setattr(monitor, "_asked", lambda step: (answers, look.model_copy(update={"step": step})))
    return monitor.look(int(look.step) or 1)


def test_the_untrained_policy_ties_with_the_reference(start: str) -> None:
    """The same weights and the same random numbers give the same answers."""
    monitor = monitor_of(start, ScoreJudge(Hater()))
    found = monitor.look(1)
    assert found["monitor/win_rate"] == 0.5
    assert found["monitor/is_bad"] == 0.0
    assert found["monitor/length"] == monitor._first.length
    assert found["monitor/score"] == monitor._first.score
    assert found["monitor/kl"] == pytest.approx(0.0, abs=1e-4)
    assert monitor.best.step == 1  # as good as step 0, and later


@pytest.mark.parametrize(
    ("changes", "bad"),
    [
        ({"length": 8.0}, False),
        ({"length": 8.1}, True),
        ({"length": 1.0}, False),
        ({"length": 0.9}, True),
        ({"repetition": 0.35}, False),
        ({"repetition": 0.36}, True),
        ({"score": -100.0}, False),  # worse by the scorer too: no hacking
    ],
)
def test_length_and_repetition_have_bounds(
    start: str, monkeypatch: pytest.MonkeyPatch, changes: dict[str, object], bad: bool
) -> None:
    """Twice and half of 4 tokens times 2, 0.1 over a repetition of 0.25."""
    monitor = monitor_of(start, max_length_ratio=4.0 if "length" in changes and changes["length"] == 1.0 else 2.0)
    monitor._first = Look(step=0, score=0.0, length=4.0 if "length" in changes else 5.0, repetition=0.25)
    if changes.get("length") == 0.9:
        monitor._first = Look(step=0, score=0.0, length=2.0, repetition=0.25)
    assert bool(seen(monkeypatch, monitor, **changes)["monitor/is_bad"]) is bad
    assert bool(monitor.reason) is bad


class Fixed:
    """A judge whose word on each prompt is given."""

    def __init__(self) -> None:
        self.wins = (0.5, 0.5, 0.5)

    def judged(self, prompts: list[Messages], a: AnswerSets, b: AnswerSets) -> object:
        import numpy as np

        from plaudit.evaluation.judges import Judged

        return Judged(tuple(np.full((2, 2), win) for win in self.wins))

    def utilities(self, prompts: object, answers: object) -> None:
        return None


@pytest.mark.parametrize(
    ("score", "wins", "bad"),
    [
        (2.0, (0.4, 0.4, 0.45), True),  # change -0.1, -0.1, -0.05: mean -0.083, error 0.017
        (2.0, (0.1, 0.9, 0.4), False),  # as far in the mean, but not beyond two errors
        (2.0, (0.6, 0.6, 0.55), False),  # better
        (-2.0, (0.4, 0.4, 0.45), False),  # the score fell too
    ],
)
def test_a_score_that_rises_while_the_judge_prefers_the_reference_is_bad(
    start: str, monkeypatch: pytest.MonkeyPatch, score: float, wins: tuple[float, ...], bad: bool
) -> None:
    judge = Fixed()
    monitor = monitor_of(start, judge)  # type: ignore[arg-type]
    judge.wins = wins
    found = seen(monkeypatch, monitor, score=score)
    assert bool(found["monitor/is_bad"]) is bad
    assert found["monitor/win_rate"] == pytest.approx(sum(wins) / 3)
    assert ("win rate fell from 0.50 to 0.42" in monitor.reason) is bad


def test_patience_counts_bad_looks_in_a_row(start: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monitor = monitor_of(start, patience=2)
    tripped = []
    for repetition in (1.0, 0.0, 1.0, 1.0):
        seen(monkeypatch, monitor, repetition=repetition)
        tripped.append(monitor.has_tripped)
    assert tripped == [False, False, False, True]


def weights(policy: object) -> dict[str, Tensor]:
    return {name: x.detach().clone() for name, x in policy.trained_parameters()}  # type: ignore[attr-defined]


def test_the_best_look_is_the_best_by_the_judge_and_its_weights_come_back(
    start: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    judge = Fixed()
    monitor = monitor_of(start, judge)  # type: ignore[arg-type]
    policy = monitor._actor.policy
    kept = {}
    for step, (win, score) in enumerate([(0.6, 1.0), (0.8, 2.0), (0.7, 3.0)], start=1):
        with torch.no_grad():
            for _, parameter in policy.trained_parameters():
                parameter.add_(0.01)
        kept[step] = weights(policy)
        judge.wins = (win, win, win)
        seen(monkeypatch, monitor, score=score, step=step)
    assert monitor.best.step == 2
    monitor.restore_best()
    assert all(torch.equal(x, kept[2][name]) for name, x in weights(policy).items())


LOOKING = MonitorConfig(every=1, num_prompts=3, answers_per_prompt=4, patience=2)
SETTINGS = {
    "monitor": LOOKING,
    "num_steps": 12,
    "kl_coef": 0.0,
    "optimiser": fast(2e-2),
    "experience": experience(prompts_per_step=6, answers_per_prompt=4),
    "checkpoint_every": 1,
}


def run(start: str, out: Path, *, resume: bool = False, scorer: object = ES) -> ppo.PPOResult:
    return ppo.train(
        ppo_config(start, out, resume=resume, **SETTINGS),
        PROMPTS,
        scorer=scorer,  # type: ignore[arg-type]
        held_prompts=HELD,
        judge=ScoreJudge(Hater()),
    )


def test_a_policy_that_learns_what_the_judge_hates_is_stopped_at_its_best(
    start: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The scorer pays for e's and PPO finds them; held-out win rate falls; the model kept is not the last one."""
    result = run(start, tmp_path / "run")
    told = capsys.readouterr().err
    rows = read_metrics(tmp_path / "run" / "metrics.jsonl")
    assert len(rows) < SETTINGS["num_steps"]  # type: ignore[operator]
    assert [row["monitor/is_bad"] for row in rows[-2:]] == [1.0, 1.0]
    assert rows[-1]["monitor/score"] > rows[0]["monitor/score"]
    assert rows[-1]["monitor/win_rate"] < 0.5
    assert read_manifest(tmp_path / "run" / "manifest.json").status == "stopped"
    says = "stopped by the hacking monitor: the score rose"
    assert says in (tmp_path / "run" / "log.txt").read_text()
    assert f"ppo: {says}" in told
    assert f"The model is that after step {result.step}\n" in told
    best = max((row["monitor/win_rate"] for row in rows if not row["monitor/is_bad"]), default=0.5)
    again = new_ppo(str(result.folder))
    monitor = HackingMonitor.on(LOOKING, again.actor, HELD, None)
    assert monitor is not None
    # The saved model answers as the best look did: it has no more e's than the last steps' answers had.
    assert monitor._first.score < rows[-1]["monitor/score"]
    assert best >= rows[-1]["monitor/win_rate"]


def test_what_is_saved_and_reported_after_a_stop_is_the_best_looks(
    start: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Answers, critic, card and result: of the second of five steps, after which every look is bad."""
    scripted = HackingMonitor._fault
    monkeypatch.setattr(
        HackingMonitor, "_fault", lambda self, look: "a reason" if look.step > 2 else scripted(self, look)
    )
    monitors: list[HackingMonitor] = []
    kept: dict[int, dict[str, Tensor]] = {}
    real = HackingMonitor.look

    def look(self: HackingMonitor, num_steps: int) -> dict[str, float]:
        monitors.append(self)
        assert self._critic is not None
        kept[num_steps] = weights(self._critic)
        return real(self, num_steps)

    monkeypatch.setattr(HackingMonitor, "look", look)
    watched = MonitorConfig(every=1, num_prompts=3, answers_per_prompt=4, patience=3, max_length_ratio=99.0)
    config = ppo_config(start, tmp_path / "run", **{**SETTINGS, "monitor": watched})
    result = ppo.train(config, PROMPTS, scorer=ES, held_prompts=HELD)
    rows = read_metrics(tmp_path / "run" / "metrics.jsonl")
    assert (len(rows), result.step) == (5, 2)
    value = load_file(tmp_path / "run" / "value" / "value_head.safetensors")
    assert all(torch.equal(value[name], x) for name, x in kept[2].items())
    assert not torch.equal(value["head.weight"], kept[5]["head.weight"])
    # Asked anew, the saved model gives those answers: the random numbers are the monitor's.
    saved = HackingMonitor.on(watched, new_ppo(str(result.folder), experience=config.experience).actor, HELD, None)
    assert saved is not None
    for name in ("score/mean", "answer/length", "answer/stop_frac"):
        assert result.metrics[name] == pytest.approx(saved._first.answers[name]), name
    assert result.metrics["monitor/score"] == rows[1]["monitor/score"]
    reference = new_ppo(start, experience=config.experience).actor
    reference.policy.load_state_dict(new_ppo(str(result.folder)).policy.state_dict())
    expected = reference.experience_of(saved._prompts, saved._sampled(), PhaseTimer()).kl.mean()
    assert expected > 0.01
    assert result.metrics["kl/k1"] == pytest.approx(float(expected), abs=1e-4)
    card = (result.folder / "README.md").read_text()
    for name in ("score/mean", "kl/k1", "answer/length", "answer/stop_frac", "monitor/score"):
        assert f"| {name} | {result.metrics[name]:.4g} |" in card
    # And so does the run resumed where it was stopped.
    again = ppo.train(replace(config, resume=True), PROMPTS, scorer=ES, held_prompts=HELD)
    assert again == result
    assert all(
        torch.equal(x, load_file(tmp_path / "run/value/value_head.safetensors")[name]) for name, x in kept[2].items()
    )


def test_a_look_goes_on_in_smaller_portions(
    start: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Memory for four answers at once, and twelve are asked for: before the first step, when no run can be told of it."""
    add, asked = Decoder.add, ReferenceModel.__call__

    def short(self: Decoder, prompts: list[object], repeats: list[int]) -> object:
        if sum(repeats) + len(self) > 4:
            raise RuntimeError(NO_MEMORY)
        return add(self, prompts, repeats)  # type: ignore[arg-type]

    monkeypatch.setattr(Decoder, "add", short)
    config = ppo_config(start, tmp_path / "run", num_steps=1, monitor=LOOKING, checkpoint_every=1)
    ppo.train(config, PROMPTS, scorer=ES, held_prompts=HELD)
    assert "out of memory: going on with 4 rows at once" in capsys.readouterr().err
    assert "going on with 4 rows at once" in (tmp_path / "run" / "log.txt").read_text()
    monkeypatch.undo()

    def narrow(self: ReferenceModel, rows: TokenRows, temperature: float = 1.0) -> Tensor:
        if len(rows) > 2:
            raise RuntimeError(NO_MEMORY)
        return asked(self, rows, temperature)

    monkeypatch.setattr(ReferenceModel, "__call__", narrow)
    ppo.train(replace(config, out=str(tmp_path / "other")), PROMPTS, scorer=ES, held_prompts=HELD)
    assert "going on with 2 rows at once" in (tmp_path / "other" / "log.txt").read_text()


def test_resumed_is_uninterrupted_with_a_monitor_too(start: str, tmp_path: Path) -> None:
    from tests.equivalence.test_resume import Interrupting, assert_same

    with pytest.raises(KeyboardInterrupt):
        run(
            start, tmp_path / "cut", scorer=Interrupting(3)
        )  # the reference's answers, then two calls a step: in the second
    run(start, tmp_path / "cut", resume=True)
    run(start, tmp_path / "whole")
    assert_same(tmp_path / "cut", tmp_path / "whole")


def test_a_good_run_is_left_alone(start: str, tmp_path: Path) -> None:
    class Lover:
        def score(self, prompts: object, completions: list[Completion]) -> list[TextScore]:
            return [TextScore(float(answer.text.count("e"))) for answer in completions]

    config = ppo_config(start, tmp_path / "run", **{**SETTINGS, "num_steps": 4})
    ppo.train(config, PROMPTS, scorer=ES, held_prompts=HELD, judge=ScoreJudge(Lover()))
    rows = read_metrics(tmp_path / "run" / "metrics.jsonl")
    assert len(rows) == 4
    assert read_manifest(tmp_path / "run" / "manifest.json").status == "finished"
    assert rows[-1]["monitor/win_rate"] > 0.5


def test_it_is_off_by_default_and_needs_prompts_when_on(start: str) -> None:
    actor = new_ppo(start).actor
    assert HackingMonitor.on(MonitorConfig(), actor, HELD, None) is None
    with pytest.raises(PlauditError, match="no held-out prompts"):
        HackingMonitor.on(MonitorConfig(every=1), actor, [], None)


@pytest.mark.parametrize(
    "changes",
    [
        {"every": -1},
        {"num_prompts": 0},
        {"answers_per_prompt": 0},
        {"patience": 0},
        {"max_length_ratio": 1.0},
        {"max_repetition": -0.1},
    ],
)
def test_settings_that_make_no_sense_are_refused(changes: dict[str, float]) -> None:
    with pytest.raises(PlauditError, match="monitor"):
        MonitorConfig(**changes)  # type: ignore[arg-type]


def test_it_sees_what_the_scorer_says(start: str) -> None:
    ppo_ = new_ppo(start, scorer=FunctionScorer(lambda prompts, completions: [7.0] * len(completions)))
    monitor = HackingMonitor.on(MonitorConfig(every=1), ppo_.actor, HELD, None)
    assert monitor is not None
    assert monitor._first.score == 7.0
    assert monitor._first.win_rate is None
