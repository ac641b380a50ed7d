"""Demonstrations as token ids."""

from __future__ import annotations

from collections.abc import Sequence

from plaudit.batches.tokens import EncodedRow
from plaudit.schemas.errors import PlauditError
from plaudit.schemas.feedback import Demonstration
from plaudit.text.chat import ChatCodec


def encoded_demonstrations(
    demonstrations: Sequence[Demonstration],
    codec: ChatCodec,
    *,
    max_tokens: int,
    drop_too_long: bool,
    next_step: str = "raise max_tokens, or set drop_too_long to leave them out",
) -> tuple[list[EncodedRow], list[Demonstration]]:
    """The demonstrations that fit, as rows and as they were.

    Raises PlauditError for a long one, or if none is left. `next_step` is what to do about a long one, for callers whose
    users have no setting `drop_too_long`.
    """
    rows = [codec.encoded(record.prompt, record.completion, record.weight) for record in demonstrations]
    fits = [len(row.token_ids) <= max_tokens for row in rows]
    if not all(fits) and not drop_too_long:
        number = fits.index(False)
        raise PlauditError(
            f"demonstration {number + 1} has {len(rows[number].token_ids)} tokens, over max_tokens = {max_tokens} "
            f"({fits.count(False)} of {len(rows)} are): {next_step}"
        )
    if not any(fits):
        raise PlauditError("there is no demonstration to read" + (f" within {max_tokens} tokens" if rows else ""))
    kept = [row for row, fit in zip(rows, fits, strict=True) if fit]
    return kept, [record for record, fit in zip(demonstrations, fits, strict=True) if fit]
