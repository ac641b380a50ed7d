"""How often does a model do as it was told? IFEval's four accuracies, with intervals."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from numpy.typing import ArrayLike

from plaudit.rules.instructions import AnyInstruction, followed_loosely, followed_strictly
from plaudit.statistics import Estimate, bootstrap_interval


@dataclass(frozen=True, slots=True)
class InstructionAccuracy:
    """Fractions of prompts whose instructions were all followed, and of instructions that were followed.

    Strict: as the answer stands; loose: also without its first line, its last line and asterisks. `strict_by_kind` is the
    strict fraction of the instructions of each kind.
    """

    prompt_strict: Estimate
    prompt_loose: Estimate
    instruction_strict: Estimate
    instruction_loose: Estimate
    strict_by_kind: dict[str, Estimate]


def instruction_accuracy(
    instructions: Sequence[Sequence[AnyInstruction]], answers: Sequence[str], prompts: Sequence[str] | None = None
) -> InstructionAccuracy:
    """The four accuracies (Zhou et al. 2023, section 3) of `answers[i]` on `instructions[i]`; intervals resample prompts.

    `prompts` names the prompt of each answer where one has several. Raises ValueError where an answer was told nothing.
    """
    if len(instructions) != len(answers) or not answers or not all(instructions):
        raise ValueError(
            f"accuracy wants answers, each with at least one instruction: got {len(answers)} answers and "
            f"{len(instructions)} rows of instructions, {sum(not row for row in instructions)} of them empty"
        )
    rows = [str(row) for row in range(len(answers))] if prompts is None else list(prompts)
    strict = [followed_strictly(told, answer) for told, answer in zip(instructions, answers, strict=True)]
    loose = [followed_loosely(told, answer) for told, answer in zip(instructions, answers, strict=True)]
    told_of = [row for row, told in zip(rows, instructions, strict=True) for _ in told]
    kinds: dict[str, list[tuple[bool, str]]] = defaultdict(list)
    for row, told, followed in zip(rows, instructions, strict, strict=True):
        for instruction, is_followed in zip(told, followed, strict=True):
            kinds[instruction.kind].append((is_followed, row))
    return InstructionAccuracy(
        prompt_strict=_fraction([all(followed) for followed in strict], rows),
        prompt_loose=_fraction([all(followed) for followed in loose], rows),
        instruction_strict=_fraction([one for followed in strict for one in followed], told_of),
        instruction_loose=_fraction([one for followed in loose for one in followed], told_of),
        strict_by_kind={
            kind: _fraction([followed for followed, _ in found], [row for _, row in found])
            for kind, found in sorted(kinds.items())
        },
    )


def _fraction(followed: ArrayLike, prompts: ArrayLike) -> Estimate:
    return bootstrap_interval(followed, clusters=prompts)
