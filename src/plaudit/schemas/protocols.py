"""The roles that servers, judges and evaluations receive by injection."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

from plaudit.schemas.conversation import Messages


@dataclass(frozen=True, slots=True)
class Completion:
    """One sampled answer. `finished` is True where the model stopped by itself, not at the length limit."""

    text: str
    finished: bool
    num_tokens: int


@dataclass(frozen=True, slots=True)
class TextScore:
    """A scorer's word on one answer: the number that counts, and its parts by name."""

    score: float
    components: dict[str, float] = field(default_factory=dict)


class Completer(Protocol):
    """Answers prompts."""

    def complete(self, prompts: Sequence[Messages], *, num_answers: int, seed: int) -> list[list[Completion]]:
        """`num_answers` completions for each prompt, in the order of the prompts."""
        ...


class Interlocutor(Protocol):
    """The other side of a conversation of several turns: a script, a person's function, a model that plays the user."""

    def replies(self, conversations: Sequence[Messages]) -> Sequence[str | None]:
        """What is said to the last answer of each conversation; None ends it."""
        ...


class TextScorer(Protocol):
    """Judges answers as text: one score a completion, higher is better."""

    def score(self, prompts: Sequence[Messages], completions: Sequence[Completion]) -> list[TextScore]:
        """One `TextScore` for each (prompt, completion)."""
        ...
