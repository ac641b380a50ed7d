"""Answers to be read: every model's side by side, none picked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from plaudit.evaluation.answers import Entrant
from plaudit.evaluation.judges import Judge
from plaudit.schemas.conversation import Messages
from plaudit.schemas.protocols import Completion, TextScore

NUM_SHOWN = 30


@dataclass(frozen=True, slots=True)
class ShownAnswer:
    """One model's answer, with what it is worth where a judge has said so."""

    name: str
    completion: Completion
    utility: TextScore | None


@dataclass(frozen=True, slots=True)
class Sample:
    """A prompt and one answer of each model."""

    prompt: Messages
    answers: tuple[ShownAnswer, ...]


def unpicked_samples(
    prompts: Sequence[Messages], entrants: Sequence[Entrant], judge: Judge | None = None, num: int = NUM_SHOWN
) -> tuple[Sample, ...]:
    """The first `num` prompts with each entrant's first answer."""
    shown = prompts[:num]
    firsts = {entrant.name: [options[:1] for options in entrant.answers[:num]] for entrant in entrants}
    worths = {name: judge and judge.utilities(shown, answers) for name, answers in firsts.items()}

    def answer(name: str, i: int) -> ShownAnswer:
        scores = worths[name]
        return ShownAnswer(name, firsts[name][i][0], scores[i][0] if scores else None)

    return tuple(Sample(prompt, tuple(answer(name, i) for name in firsts)) for i, prompt in enumerate(shown))
