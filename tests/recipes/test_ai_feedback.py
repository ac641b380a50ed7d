"""recipes/ai_feedback on `tiny` and the miniature of HH-RLHF; its labels worked by hand."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from plaudit.evaluation.answers import AnswerSets
from plaudit.evaluation.judges import Judged
from plaudit.schemas.conversation import Messages, assistant, user
from plaudit.schemas.errors import PlauditError
from plaudit.schemas.feedback import Comparison, Verdict
from plaudit.schemas.protocols import Completion
from recipes.ai_feedback import run as module
from recipes.ai_feedback.labels import judge_labels, self_labels
from recipes.ai_feedback.run import main, run
from recipes.ai_feedback.settings import AIFeedbackConfig

PAIRS = [
    Comparison(prompt=(user(f"q{i}"),), a=(assistant("x"),), b=(assistant("y"),), verdict=verdict)
    for i, verdict in enumerate([Verdict.A, Verdict.B, Verdict.A, Verdict.B])
]


def config_of(miniature: Path, out: Path) -> AIFeedbackConfig:
    return AIFeedbackConfig(
        model="tiny",
        data=str(miniature),
        out=str(out),
        num_people=16,
        num_unlabelled=24,
        num_test=20,
        num_judged=3,
        confidence=0.5,
        max_tokens=200,
        num_upper=1,
        learning_rate=1e-2,
    )


class Terse:
    """In the place of a judge of two thousand tokens of context, which `tiny` has not."""

    def __init__(self, *_: object) -> None:
        pass

    def complete(self, prompts: Sequence[Messages], *, num_answers: int, seed: int) -> list[list[Completion]]:
        return [[Completion("Verdict: A", True, 4)]] * len(prompts)


def test_end_to_end_and_again(miniature: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LocalCompleter", Terse)
    config = config_of(miniature, tmp_path / "out")
    page = run(config)
    summary = json.loads((tmp_path / "out" / "summary.json").read_text())
    assert summary["accuracies"].keys() == {"few", "self", "all"}
    assert summary["self_labels"]["pairs"] == summary["self_labels"]["of"] > 20
    # Always the first: nothing is decided in both orders.
    told = {name: summary["judge"][name] for name in ("asked", "with_a_word", "decided", "position_consistency")}
    assert told == {"asked": 3, "with_a_word": 3, "decided": 0, "position_consistency": 0.0}
    assert summary["against_few"].keys() == {"self", "all"}
    assert "Labels that people did not give" in page.read_text()
    before = (tmp_path / "out" / "self" / "metrics.jsonl").read_bytes()
    assert run(config) == page
    assert (tmp_path / "out" / "self" / "metrics.jsonl").read_bytes() == before


def test_only_what_the_model_is_sure_of_is_labelled() -> None:
    """Log-odds of log 3 are 3/4. People say A, B, A, B."""
    margins = np.array([np.log(3), np.log(2), -5.0, -5.0])
    found = self_labels(PAIRS, margins, 0.75)
    assert [record.verdict for record in found.records] == [Verdict.A, Verdict.B, Verdict.B]
    assert [record.prompt for record in found.records] == [PAIRS[i].prompt for i in (0, 2, 3)]
    assert found.agreement is not None
    assert found.agreement.value == pytest.approx(2 / 3)
    assert found.asked == 4
    assert {record.annotator for record in found.records} == {"the model itself"}
    assert self_labels(PAIRS, np.zeros(4), 0.75).agreement is None


class Said:
    """A judge of given words."""

    def __init__(self, *words: float) -> None:
        self._words = words

    def utilities(self, prompts: Sequence[Messages], answers: AnswerSets) -> None:
        return None

    def judged(self, prompts: Sequence[Messages], a: AnswerSets, b: AnswerSets) -> Judged:
        assert [answers[0].text for answers in (*a, *b)] == ["x"] * 4 + ["y"] * 4
        return Judged(tuple(np.array([[word]]) for word in self._words), 0.5)


def test_a_judge_beside_people() -> None:
    found = judge_labels(Said(1.0, 0.0, 0.5, np.nan), PAIRS)
    assert (found.asked, found.with_a_word, found.decided) == (4, 3, 2)
    assert found.agreement is not None
    assert (found.agreement.value, found.kappa, found.position_consistency) == (1.0, 1.0, 0.5)
    silent = judge_labels(Said(*[np.nan] * 4), PAIRS)
    assert (silent.with_a_word, silent.agreement, silent.kappa) == (0, None, None)


def test_settings_that_cannot_be_are_refused(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(PlauditError, match="confidence must lie in"):
        AIFeedbackConfig(confidence=0.4)
    with pytest.raises(PlauditError, match="num_judged must lie in"):
        AIFeedbackConfig(num_judged=2000)
    monkeypatch.delenv("PLAUDIT_DATA", raising=False)
    assert main([]) == 2
    assert "PLAUDIT_DATA is unset" in capsys.readouterr().err
