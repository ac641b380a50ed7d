"""Records without the personal data in their texts: rules/personal_data finds it, placeholders stand in its place."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Sequence

from plaudit.rules.personal_data import PersonalKind, PersonalSpan, personal_spans
from plaudit.schemas.conversation import Message, Part, TextPart
from plaudit.schemas.feedback import AnyRecord, Highlights, Span

_NAMES = {"id", "source", "annotator"}
_Passes = list[tuple[PersonalSpan, ...]]
"""What was found and replaced, and what that uncovered, each in the text as it was then."""


def redacted_record(record: AnyRecord) -> tuple[AnyRecord, Counter[PersonalKind]]:
    """The record with placeholders in its messages, text, reason and `extra`, and how much of each kind was found.

    Spans in a highlighted answer move along. An annotator's name that is personal data becomes a pseudonym, the same for
    the same name; whoever guesses the name can confirm it, so pseudonyms from the store are better. `id`, `source` and the
    addresses of pictures stay.
    """
    passes: _Passes = []
    changed = {name: _redacted(value, passes) for name, value in record if name not in _NAMES}
    if isinstance(record, Highlights):
        of_answer: _Passes = []
        _redacted(record.completion[0], of_answer)
        changed["spans"] = _moved_spans(record.spans, of_answer)
    if record.annotator and (in_name := personal_spans(record.annotator)):
        passes.append(in_name)
        changed["annotator"] = _pseudonym(record.annotator)
    found = Counter(span.kind for spans in passes for span in spans)
    return (record.model_copy(update=changed) if found else record), found


def _redacted(value: object, passes: _Passes) -> object:
    """A field's value, texts within it redacted. What was found is appended to `passes`."""
    match value:
        case str():
            return "".join(_redacted_pieces([value], passes)) if personal_spans(value) else value
        case Message():
            return _redacted_message(value, passes)
        case tuple():
            return tuple(_redacted(item, passes) for item in value)
        case list():
            return [_redacted(item, passes) for item in value]
        case dict():
            return {key: _redacted(item, passes) for key, item in value.items()}
    return value


def _redacted_message(message: Message, passes: _Passes) -> Message:
    """A number may run over from one part into the next: the parts are read as one text."""
    if isinstance(message.content, str):
        return message.model_copy(update={"content": _redacted(message.content, passes)})
    texts = [part.text if isinstance(part, TextPart) else "" for part in message.content]
    content: list[Part] = [
        TextPart(text=text) if isinstance(part, TextPart) else part
        for part, text in zip(message.content, _redacted_pieces(texts, passes), strict=True)
    ]
    return message.model_copy(update={"content": tuple(content)})


def _redacted_pieces(pieces: list[str], passes: _Passes) -> list[str]:
    """The pieces of one text; a placeholder stands in the piece in which what it replaces begins."""
    while spans := personal_spans("".join(pieces)):
        passes.append(spans)
        for span in reversed(spans):
            offset, cut = 0, []
            for piece in pieces:
                start, end = max(span.start - offset, 0), max(span.end - offset, 0)
                begins_here = 0 <= span.start - offset < len(piece)
                cut.append(piece[:start] + (span.kind.placeholder if begins_here else "") + piece[end:])
                offset += len(piece)
            pieces = cut
    return pieces


def _moved_spans(marks: Sequence[Span], passes: _Passes) -> tuple[Span, ...]:
    """The marks on the redacted text, in order. One that began or ended within personal data has all of the placeholder."""
    moved = [
        mark.model_copy(update={"start": _moved(mark.start, passes, -1), "end": _moved(mark.end, passes, 1)})
        for mark in marks
    ]
    return tuple(sorted(moved, key=lambda mark: (mark.start, mark.end)))


def _moved(place: int, passes: _Passes, outwards: int) -> int:
    for spans in passes:
        shift = 0
        for span in spans:
            length = len(span.kind.placeholder)
            if span.end <= place:
                shift += length - (span.end - span.start)
            elif span.start < place:
                shift += span.start - place + (length if outwards > 0 else 0)
        place += shift
    return place


def redacted_name(name: str) -> str:
    """An annotator's name as a redacted record bears it; once redacted it stays."""
    return _pseudonym(name) if personal_spans(name) else name


def _pseudonym(name: str) -> str:
    """Letters alone: a digit might look like a number again."""
    letters = str.maketrans("0123456789", "ghijklmnop")
    return "person-" + hashlib.sha256(name.encode("utf-8", "surrogatepass")).hexdigest()[:16].translate(letters)
