"""The four accuracies, worked by hand."""

import pytest

from plaudit.evaluation.instruction_accuracy import instruction_accuracy
from plaudit.rules.instructions import AnyInstruction, instruction_from

LOWER = instruction_from({"kind": "all_lowercase"})
NO_COMMAS = instruction_from({"kind": "no_commas"})
SHORT = instruction_from({"kind": "num_words", "at_most": 3})
TOLD: list[list[AnyInstruction]] = [[LOWER, NO_COMMAS], [LOWER], [SHORT, NO_COMMAS, LOWER]]
ANSWERS = ["all is well", "Sure:\nall is well", "well, well, well, no."]


def test_accuracies_worked_by_hand() -> None:
    # strict: both; none of one; one of three. loose: the second loses its first line.
    found = instruction_accuracy(TOLD, ANSWERS)
    assert found.prompt_strict.value == pytest.approx(1 / 3)
    assert found.prompt_loose.value == pytest.approx(2 / 3)
    assert found.instruction_strict.value == pytest.approx(3 / 6)
    assert found.instruction_loose.value == pytest.approx(4 / 6)
    assert {kind: (part.value, part.n) for kind, part in found.strict_by_kind.items()} == {
        "all_lowercase": (pytest.approx(2 / 3), 3),
        "no_commas": (0.5, 2),
        "num_words": (0.0, 1),
    }
    assert (found.prompt_strict.n, found.instruction_strict.n) == (3, 6)
    assert found.prompt_strict.low <= 1 / 3 <= found.prompt_strict.high


def test_answers_to_one_prompt_are_drawn_together() -> None:
    told, answers = [[LOWER]] * 8, ["yes", "No"] * 4
    apart = instruction_accuracy(told, answers).prompt_strict
    together = instruction_accuracy(told, answers, ["a", "a", "b", "b", "c", "c", "d", "d"]).prompt_strict
    assert apart.value == together.value == 0.5
    assert apart.low < 0.5 < apart.high
    assert together.low == together.high == 0.5  # every prompt has one of two


@pytest.mark.parametrize(("told", "answers"), [([], []), ([[LOWER]], []), ([[]], ["yes"])])
def test_every_answer_was_told_something(told: list[list[AnyInstruction]], answers: list[str]) -> None:
    with pytest.raises(ValueError, match="each with at least one instruction"):
        instruction_accuracy(told, answers)
