"""The two sides of a preference: their shared prompt, which was chosen, and the pairs of a ranking."""

from __future__ import annotations

from collections.abc import Sequence

from plaudit.formats.messages import MisfitError
from plaudit.formats.outgoing import CannotCarryError, Outgoing
from plaudit.schemas.conversation import Messages, Role
from plaudit.schemas.feedback import Comparison, Ranking, Verdict
from plaudit.schemas.preference import pairs_from_ranks


def num_shared(a: Sequence[object], b: Sequence[object]) -> int:
    """How many items the two begin with in common, leaving each at least its last one."""
    limit = max(0, min(len(a), len(b)) - 1)
    return next((index for index in range(limit) if a[index] != b[index]), limit)


def split_shared(a: Messages, b: Messages, field: str) -> tuple[Messages, Messages, Messages]:
    """The turns both dialogues begin with, and what each goes on with.

    Raises MisfitError, naming `field`, where they part at a person's turn: then they are answers to different prompts.
    """
    cut = num_shared(a, b)
    for rest in (a[cut:], b[cut:]):
        if not rest or rest[0].role is not Role.ASSISTANT:
            role = rest[0].role.value if rest else "no"
            raise MisfitError(field, "two dialogues that part at an assistant's turn", f"{role} turn as turn {cut + 1}")
    return a[:cut], a[cut:], b[cut:]


def chosen_and_rejected(record: Comparison, outgoing: Outgoing) -> tuple[Messages, Messages]:
    """The better answer and the worse, for shapes that know no other verdict; strength, reason and sides are lost.

    Raises CannotCarryError for a tie, `both_bad` and `incomparable`.
    """
    if record.verdict not in (Verdict.A, Verdict.B):
        raise CannotCarryError(f"verdict {record.verdict.value} where the shape holds chosen and rejected")
    if record.strength is not None:
        outgoing.lose("strength")
    if record.reason:
        outgoing.lose("reason")
    if record.verdict is Verdict.A:
        return record.a, record.b
    outgoing.lose("verdict (b was chosen: which side an answer stood on)")
    return record.b, record.a


def strict_pairs(record: Ranking, outgoing: Outgoing) -> list[Comparison]:
    """A comparison, the better answer first, for each two answers of different rank.

    Each weighs the row's weight over the number of ranked pairs, ties included, and carries the ranking's id as
    `group_id`, so that a trainer can put the pairs of one prompt into one batch.
    """
    pairs = pairs_from_ranks(record.ranks, record.weight)
    if any(pair.target == 0.5 for pair in pairs):
        outgoing.lose("ranks (ties)")
    if None in record.ranks:
        outgoing.lose("ranks (answers not ranked)")
    for name, flags in (("unacceptable", record.unacceptable), ("truncated", record.truncated)):
        if any(flags):
            outgoing.lose(name)
    ordered = [(p.a, p.b, p.weight) if p.target == 1 else (p.b, p.a, p.weight) for p in pairs if p.target != 0.5]
    if not ordered:
        raise CannotCarryError("a ranking without two answers of different rank")
    return [
        Comparison(
            id=f"{record.id}:{better}>{worse}" if record.id else "",
            source=record.source,
            weight=weight,
            annotator=record.annotator,
            extra=outgoing.extra | {"group_id": record.id},
            prompt=record.prompt,
            a=record.completions[better],
            b=record.completions[worse],
            verdict=Verdict.A,
        )
        for better, worse, weight in ordered
    ]
