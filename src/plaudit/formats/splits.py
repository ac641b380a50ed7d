"""Who may be trained on and who only evaluated on: splits by prompt, and the check that none stands on both sides."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from typing import TypeVar

from plaudit.schemas.conversation import Messages, prompt_id, user
from plaudit.schemas.errors import PlauditError
from plaudit.schemas.feedback import AnyRecord, Comparison, Document, Verdict

R = TypeVar("R", bound=AnyRecord)

_SWAPPED = {Verdict.A: Verdict.B, Verdict.B: Verdict.A}


def split_key(record: AnyRecord) -> str:
    """The prompt id by which a record is split; a document counts as its own prompt."""
    prompt: Messages = (user(record.text),) if isinstance(record, Document) else record.prompt
    return prompt_id(prompt)


def split_by_prompt(records: Iterable[R], test_frac: float, seed: int) -> tuple[list[R], list[R]]:
    """Train and test, in the order given. Records over one prompt land on the same side, whatever file they come from.

    A prompt goes to test where the hash of (seed, prompt id), read as a number in [0, 1), is under `test_frac`. So the
    fraction is met on average, not exactly, and a prompt never changes sides when records are added.
    """
    if not 0 <= test_frac <= 1:
        raise PlauditError(f"test_frac must lie between 0 and 1, got {test_frac}")
    train: list[R] = []
    test: list[R] = []
    for record in records:
        (test if _uniform(f"split:{seed}:{split_key(record)}") < test_frac else train).append(record)
    return train, test


def leaked_prompts(train: Iterable[AnyRecord], test: Iterable[AnyRecord]) -> list[str]:
    """The ids of the prompts that stand in both, in the order of the test records. Empty where all is well."""
    trained_on = {split_key(record) for record in train}
    return [key for key in dict.fromkeys(split_key(record) for record in test) if key in trained_on]


def shuffled_sides(comparisons: Iterable[Comparison], seed: int) -> list[Comparison]:
    """The comparisons with `a` and `b` exchanged, verdicts too, in the half that the hash of (seed, id) picks.

    Files list the better answer first; whoever judges by the side an answer stands on is right on all of them.
    """
    return [_swapped(c) if _uniform(f"sides:{seed}:{c.id}") < 0.5 else c for c in comparisons]


def _swapped(comparison: Comparison) -> Comparison:
    verdict = _SWAPPED.get(comparison.verdict, comparison.verdict)
    return comparison.model_copy(update={"a": comparison.b, "b": comparison.a, "verdict": verdict})


def _uniform(text: str) -> float:
    """A number in [0, 1) that depends on the text alone, on every machine."""
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:7]) / 2**56
