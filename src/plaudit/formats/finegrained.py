"""Fine-grained feedback on answers with passages at hand (Wu et al. 2023, QA-feedback). Only read.

    {"question", "passages": [[title, sentence, ...], ...], "prediction 1" ... "prediction 4", "preference": [6 of 0, 1, 2],
     "feedback": {"errors": [{"error type", "start", "end", ...}], "missing-info", "corrected-prediction"}, "gold"}

A row gives up to three kinds of record over one prompt, the question and after it the passages:

    the four answers            -> Ranking, where the preferences make an order; else six Comparisons that share the weight
    the errors in the first     -> Highlights, a span an error, its type as the label
    the first answer rewritten  -> Correction

`preference` speaks of the pairs (1,2), (1,3), (1,4), (2,3), (2,4), (3,4): 0 is a tie, 1 the first better, 2 the second.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import combinations

from pydantic import JsonValue

from plaudit.formats.messages import MisfitError, shown
from plaudit.formats.rows import Dropped, Provenance, Row, own
from plaudit.schemas.conversation import Messages, assistant, user
from plaudit.schemas.feedback import AnyRecord, Comparison, Correction, Highlights, Ranking, Span, Verdict

_PREDICTIONS = tuple(f"prediction {number}" for number in range(1, 5))
_PAIRS = tuple(combinations(range(len(_PREDICTIONS)), 2))
_READ = ("error type", "start", "end")
_VERDICTS = (Verdict.TIE, Verdict.A, Verdict.B)


def recognises(columns: Mapping[str, JsonValue]) -> bool:
    """Whether a row has this shape."""
    return columns.keys() >= {"question", "feedback", "preference", *_PREDICTIONS}


def records_of(row: Row) -> list[AnyRecord | Dropped]:
    """The records of one row."""
    passages = [_passage(value, f"passages[{i}]") for i, value in enumerate(row.items("passages"))]
    row.leave("passages", row.columns["passages"])
    prompt = (user("\n\n".join([row.text("question"), *passages])),)
    answers = tuple((assistant(row.text(name)),) for name in _PREDICTIONS)
    verdicts = [_verdict(value, f"preference[{i}]") for i, value in enumerate(row.items("preference"))]
    if len(verdicts) != len(_PAIRS):
        raise MisfitError("preference", f"{len(_PAIRS)} values, one a pair", str(len(verdicts)))
    feedback = row.take("feedback", "an object with errors and corrected-prediction")
    if not isinstance(feedback, dict):
        raise MisfitError("feedback", "an object with errors and corrected-prediction", shown(feedback))
    spans, notes = _spans(feedback.get("errors"), "feedback.errors")
    corrected = feedback.get("corrected-prediction")
    if not isinstance(corrected, str):
        raise MisfitError("feedback.corrected-prediction", "text", shown(corrected))
    further = {name: value for name, value in feedback.items() if name not in ("errors", "corrected-prediction")}
    shared = row.provenance()
    marked = own(shared, "highlights", further | notes)
    return [
        *_preferences(prompt, answers, verdicts, shared),
        Highlights(prompt=prompt, completion=answers[0], spans=spans, **marked),
        Correction(
            prompt=prompt,
            completion=answers[0],
            corrected=(assistant(corrected),),
            **own(shared, "correction", {}),
        )
        if corrected.strip()
        else Dropped("correction without text"),
    ]


def _preferences(
    prompt: Messages, answers: tuple[Messages, ...], verdicts: Sequence[Verdict], shared: Provenance
) -> list[AnyRecord]:
    ranks = _order(verdicts)
    if ranks is not None:
        return [Ranking(prompt=prompt, completions=answers, ranks=ranks, **own(shared, "ranking", {}))]
    return [
        Comparison(
            prompt=prompt,
            a=answers[i],
            b=answers[j],
            verdict=verdict,
            **own(shared, f"{i + 1}-{j + 1}", {}, len(_PAIRS)),
        )
        for (i, j), verdict in zip(_PAIRS, verdicts, strict=True)
    ]


def _order(verdicts: Sequence[Verdict]) -> tuple[int, ...] | None:
    """The ranks that give every pair its verdict; None where no order does."""
    num_better = [0] * len(_PREDICTIONS)
    for (i, j), verdict in zip(_PAIRS, verdicts, strict=True):
        num_better[i] += verdict is Verdict.B
        num_better[j] += verdict is Verdict.A
    places = sorted(set(num_better))
    ranks = tuple(places.index(num) for num in num_better)
    implied = [
        Verdict.TIE if ranks[i] == ranks[j] else Verdict.A if ranks[i] < ranks[j] else Verdict.B for i, j in _PAIRS
    ]
    return ranks if implied == list(verdicts) else None


def _passage(value: JsonValue, path: str) -> str:
    """A passage as published from its start: the title, a blank line, the sentences; one from the middle gets the title too."""
    match value:
        case [str(title), *sentences] if sentences and all(isinstance(sentence, str) for sentence in sentences):
            text = " ".join(map(str, sentences))
            return text if text.startswith(f"{title}\n") else f"{title}\n\n{text}"
    raise MisfitError(path, "a title and sentences, all text", shown(value))


def _verdict(value: JsonValue, path: str) -> Verdict:
    if not isinstance(value, int) or isinstance(value, bool) or value not in range(len(_VERDICTS)):
        raise MisfitError(path, "0 (tie), 1 (the first is better) or 2 (the second)", shown(value))
    return _VERDICTS[value]


def _spans(errors: JsonValue, path: str) -> tuple[tuple[Span, ...], dict[str, JsonValue]]:
    """The errors as spans in order, and what else is said of each, by its place in that order."""
    if not isinstance(errors, list):
        raise MisfitError(path, "a list of errors", shown(errors))
    found: list[tuple[Span, dict[str, JsonValue]]] = []
    for index, error in enumerate(errors):
        where = f"{path}[{index}]"
        if not isinstance(error, dict):
            raise MisfitError(where, "an error with its type, start and end", shown(error))
        label, start, end = (error.get(name) for name in _READ)
        if not isinstance(label, str) or not label:
            raise MisfitError(f"{where}.error type", "a name", shown(label))
        if type(start) is not int or type(end) is not int or not 0 <= start < end:
            raise MisfitError(where, "a start from 0 and a later end", f"start {shown(start)}, end {shown(end)}")
        further = {name: value for name, value in error.items() if name not in _READ}
        found.append((Span(start=start, end=end, label=label), further))
    found.sort(key=lambda pair: (pair[0].start, pair[0].end))
    notes = {f"spans[{i}].{name}": value for i, (_, further) in enumerate(found) for name, value in further.items()}
    return tuple(span for span, _ in found), notes
