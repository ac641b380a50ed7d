"""The two sides of a preference: their shared prompt, which was chosen, and the pairs of a ranking."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from plaudit.formats.messages import MisfitError
from plaudit.formats.outgoing import CannotCarryError, Losses, Outgoing
from plaudit.schemas.conversation import Messages, Role
from plaudit.schemas.feedback import AnyRecord, Comparison, Ranking, Verdict
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


def halved_ties(records: Iterable[AnyRecord], losses: Losses, *, in_rankings: bool) -> Iterator[AnyRecord]:
    """The records, each tie both ways round at half its weight, with its id as `group_id`; `both_bad` is a tie here.

    Rankings become their pairs where `in_rankings`. Never a coin: who exports twice has the same file twice.
    """
    for record in records:
        match record:
            case Comparison(verdict=Verdict.TIE | Verdict.BOTH_BAD):
                if record.verdict is Verdict.BOTH_BAD:
                    Outgoing(record, losses).lose("verdict (both_bad as a tie)")
                yield from _both_ways(record)
            case Ranking() if in_rankings:
                pairs = pairs_of(record, Outgoing(record, losses))
                if not pairs:
                    losses.records["a ranking without two ranked answers"] += 1
                for pair in pairs:
                    yield from _both_ways(pair) if pair.verdict is Verdict.TIE else [pair]
            case _:
                yield record


def _both_ways(tie: Comparison) -> Iterator[Comparison]:
    extra = {"group_id": tie.id} | tie.extra
    for verdict, way in ((Verdict.A, "a>b"), (Verdict.B, "b>a")):
        own_id = f"{tie.id}:{way}" if tie.id else ""
        yield tie.model_copy(update={"id": own_id, "weight": tie.weight / 2, "extra": extra, "verdict": verdict})


def strict_pairs(record: Ranking, outgoing: Outgoing) -> list[Comparison]:
    """A comparison, the better answer first, for each two answers of different rank; ties are lost.

    Raises CannotCarryError where there are none.
    """
    found = pairs_of(record, outgoing)
    strict = [pair for pair in found if pair.verdict is not Verdict.TIE]
    if len(strict) < len(found):
        outgoing.lose("ranks (ties)")
    if not strict:
        raise CannotCarryError("a ranking without two answers of different rank")
    return strict


def pairs_of(record: Ranking, outgoing: Outgoing) -> list[Comparison]:
    """A comparison for each two ranked answers, the better one first, or a tie.

    Each weighs the row's weight over the number of ranked pairs, ties included, and carries the ranking's id as
    `group_id`, so that a trainer can put the pairs of one prompt into one batch.
    """
    if None in record.ranks:
        outgoing.lose("ranks (answers not ranked)")
    for name, flags in (("unacceptable", record.unacceptable), ("truncated", record.truncated)):
        if any(flags):
            outgoing.lose(name)
    pairs = pairs_from_ranks(record.ranks, record.weight)
    ordered = [(p.b, p.a, p) if p.target == 0 else (p.a, p.b, p) for p in pairs]
    return [
        Comparison(
            id=f"{record.id}:{first}{'=' if pair.target == 0.5 else '>'}{second}" if record.id else "",
            source=record.source,
            weight=pair.weight,
            annotator=record.annotator,
            extra=outgoing.extra | {"group_id": record.id},
            prompt=record.prompt,
            a=record.completions[first],
            b=record.completions[second],
            verdict=Verdict.TIE if pair.target == 0.5 else Verdict.A,
        )
        for first, second, pair in ordered
    ]
