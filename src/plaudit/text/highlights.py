"""What people marked in answers, token by token."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Literal

from plaudit.batches.tokens import EncodedRow
from plaudit.schemas.errors import PlauditError
from plaudit.schemas.feedback import Highlights, Span
from plaudit.text.chat import ChatCodec

Scored = Literal["low", "high", "all"]
"""Which spans count that carry a number."""


@dataclass(frozen=True, slots=True)
class MarkedRow:
    """An answer as a row; `marked` is True on its tokens that hold a character of a marked span, False elsewhere."""

    row: EncodedRow
    marked: tuple[bool, ...]


def encoded_highlights(
    records: Sequence[Highlights],
    codec: ChatCodec,
    *,
    max_tokens: int,
    labels: Collection[str] = (),
    scored: Scored = "low",
) -> tuple[list[MarkedRow], list[Highlights]]:
    """The answers that fit, as rows and as they were. With `labels` only spans of these count.

    Of spans with a number (a step of a solution: 1 right, 0 wrong) those below 1/2 count under `low`, the others under
    `high`. Raises PlauditError where no answer fits, or no span has one of the labels.
    """
    found = [_marked(record, codec, labels, scored) for record in records]
    kept = [len(one.row.token_ids) <= max_tokens for one in found]
    if not any(kept):
        raise PlauditError(f"none of the {len(records)} marked answers fits into max_tokens = {max_tokens}: raise it")
    known = {span.label for record in records for span in record.spans}
    if missing := sorted(set(labels) - known):
        raise PlauditError(
            f"no span is labelled {', '.join(missing)}: the data have {', '.join(sorted(known)) or 'none'}"
        )
    rows = [one for one, fits in zip(found, kept, strict=True) if fits]
    return rows, [record for record, fits in zip(records, kept, strict=True) if fits]


def _marked(record: Highlights, codec: ChatCodec, labels: Collection[str], scored: Scored) -> MarkedRow:
    row = codec.encoded(record.prompt, record.completion, record.weight)
    spans = [span for span in record.spans if (not labels or span.label in labels) and _counts(span, scored)]
    first = len(row.prompt)
    places = token_places(row.token_ids[first:], codec)
    marked = (_touches(place, spans) for place in places)
    return MarkedRow(row, (*(False,) * first, *marked))


def _counts(span: Span, scored: Scored) -> bool:
    return span.score is None or scored == "all" or (span.score < 0.5) == (scored == "low")


def token_places(token_ids: Sequence[int], codec: ChatCodec) -> list[tuple[int, int]]:
    """The characters of the decoded answer that each token holds, from the first up to but not including the last.

    A character of several tokens is whole with its last; a special token holds none.
    """
    places, start = [], 0
    for num in range(1, len(token_ids) + 1):
        text = codec.decoded(token_ids[:num])
        # Bytes that are no character yet.
        end = len(text.rstrip("\N{REPLACEMENT CHARACTER}"))
        places.append((start, max(start, end)))
        start = max(start, end)
    return places


def _touches(place: tuple[int, int], spans: Sequence[Span]) -> bool:
    return any(place[0] < span.end and span.start < place[1] for span in spans)
