"""Preference groups as token ids."""

from __future__ import annotations

from collections.abc import Sequence

from plaudit.batches.preferences import EncodedGroup
from plaudit.schemas.errors import PlauditError
from plaudit.schemas.preference import PreferenceGroup
from plaudit.text.chat import ChatCodec


def encoded_groups(
    groups: Sequence[PreferenceGroup], codec: ChatCodec, *, max_tokens: int, drop_too_long: bool
) -> tuple[list[EncodedGroup], list[PreferenceGroup]]:
    """The groups that fit, as rows and as they were. Groups without a pair are left out.

    A group of which one answer is over `max_tokens` is refused, or left out whole under `drop_too_long`: to leave out the
    long answer alone would bias the comparison. Raises PlauditError, also where no group is left.
    """
    encoded: list[EncodedGroup] = []
    kept: list[PreferenceGroup] = []
    for number, group in enumerate(groups, start=1):
        if not group.pairs:
            continue
        cut = group.truncated or (False,) * len(group.completions)
        rows = tuple(
            codec.encoded(group.prompt, completion, truncated=truncated)
            for completion, truncated in zip(group.completions, cut, strict=True)
        )
        longest = max(len(row.token_ids) for row in rows)
        if longest > max_tokens:
            if not drop_too_long:
                raise PlauditError(
                    f"preference {number} has an answer of {longest} tokens with its prompt, over max_tokens = {max_tokens}: "
                    "raise max_tokens, or set drop_too_long to leave such prompts out"
                )
            continue
        pairs = tuple((pair.a, pair.b, pair.target, pair.weight, pair.margin) for pair in group.pairs)
        encoded.append(EncodedGroup(rows, pairs))
        kept.append(group)
    if not encoded:
        raise PlauditError(
            f"none of the {len(groups)} preferences can be used: each needs two answers of at most {max_tokens} tokens "
            "(prompt included) and a verdict on them"
        )
    return encoded, kept
