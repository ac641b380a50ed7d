"""From verdicts to what a preference loss consumes: one prompt, its answers once each, and weighted pairs of them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import combinations

from pydantic import Field

from plaudit.schemas.conversation import Frozen, Messages, canonical_json
from plaudit.schemas.feedback import Comparison, Ranking, Verdict


class Pair(Frozen):
    """`target` = P(answer `a` beats answer `b`); `a` and `b` index the group's completions."""

    a: int = Field(ge=0)
    b: int = Field(ge=0)
    target: float = Field(ge=0, le=1)
    weight: float = Field(default=1.0, ge=0)
    margin: float = 0.0


class PreferenceGroup(Frozen):
    """All that was said about the answers to one prompt. Each answer is encoded once, whatever the number of pairs."""

    prompt: Messages
    completions: tuple[Messages, ...]
    pairs: tuple[Pair, ...]
    truncated: tuple[bool, ...] = ()
    source: str = ""


def pairs_from_ranks(ranks: Sequence[int | None], weight: float) -> tuple[Pair, ...]:
    """Every pair of ranked answers: target 1, 0 or 0.5 for a tie; the row's weight is shared among them equally."""
    ranked = [(index, rank) for index, rank in enumerate(ranks) if rank is not None]
    found = [(i, j, 0.5 if p == q else float(p < q)) for (i, p), (j, q) in combinations(ranked, 2)]
    return tuple(Pair(a=i, b=j, target=target, weight=weight / len(found)) for i, j, target in found)


def preference_group(record: Ranking | Comparison) -> PreferenceGroup:
    """The pairs of one record. An incomparable pair gives none; `both_bad` is a tie here."""
    if isinstance(record, Ranking):
        pairs = pairs_from_ranks(record.ranks, record.weight)
        return PreferenceGroup(
            prompt=record.prompt,
            completions=record.completions,
            pairs=pairs,
            truncated=record.truncated,
            source=record.source,
        )
    targets = {Verdict.A: 1.0, Verdict.B: 0.0, Verdict.TIE: 0.5, Verdict.BOTH_BAD: 0.5}
    target = targets.get(record.verdict)
    pairs = ()
    if target is not None:
        pairs = (Pair(a=0, b=1, target=target, weight=record.weight, margin=record.margin or 0.0),)
    return PreferenceGroup(prompt=record.prompt, completions=(record.a, record.b), pairs=pairs, source=record.source)


def pooled(groups: Iterable[PreferenceGroup]) -> list[PreferenceGroup]:
    """Groups over the same prompt and answers joined: several people's pairs, the answers still encoded once.

    Pairs over the same two answers with the same margin merge: weights add up, the target is their weighted mean.
    """
    merged: dict[str, tuple[PreferenceGroup, dict[tuple[int, int, float], list[float]]]] = {}
    for group in groups:
        dump = group.model_dump(mode="json", include={"prompt", "completions", "truncated", "source"})
        _, sums = merged.setdefault(canonical_json(dump), (group, {}))
        for pair in group.pairs:
            entry = sums.setdefault((pair.a, pair.b, pair.margin), [0.0, 0.0])
            entry[0] += pair.weight
            entry[1] += pair.weight * pair.target
    return [
        group.model_copy(
            update={
                "pairs": tuple(
                    Pair(a=a, b=b, margin=margin, weight=weight, target=min(1.0, total / weight))
                    for (a, b, margin), (weight, total) in sums.items()
                    if weight > 0
                )
            }
        )
        for group, sums in merged.values()
    ]
