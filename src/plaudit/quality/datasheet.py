"""What a snapshot holds and how it came to be, as a page for people: the questions of Gebru et al. 2021.

The records answer most of them. What they do not say is in `About`; what nobody said is "not stated".
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import fmean, median

from plaudit.quality.cleaning_report import Cleaned
from plaudit.quality.contents import answers_of, middle_of, prose_of, text_of
from plaudit.rules.languages import language_of
from plaudit.rules.personal_data import redacted
from plaudit.schemas.conversation import Messages, canonical_json, prompt_id
from plaudit.schemas.feedback import AnyRecord, Comparison, Document, Ranking, Rating
from plaudit.schemas.preference import preference_group
from plaudit.schemas.snapshot import DatasetSnapshot

_UNSAID = "not stated"
_PERCENTS = (0, 5, 25, 50, 75, 95, 100)
_BREAK = "\n\n"


@dataclass(frozen=True, kw_only=True, slots=True)
class About:
    """What only people know of a data set. Every field is a sentence or two, shown as it is; empty is "not stated"."""

    title: str = ""
    """What the set is called."""
    purpose: str = ""
    """Why it was made, and for which task."""
    creators: str = ""
    """Who made it, and who paid for it."""
    people: str = ""
    """Who judged or wrote, how they were found, and what they were paid."""
    collection: str = ""
    """How the prompts were chosen, which models answered, what people saw and were told."""
    period: str = ""
    """When it was collected."""
    consent: str = ""
    """On which basis people's words may be used: consent, contract, a licence."""
    licence: str = ""
    """Under which licence the set may be passed on."""
    uses: str = ""
    """What it has been used for, and is fit for."""
    unfit_uses: str = ""
    """What it should not be used for."""
    maintenance: str = ""
    """Whom to ask, how to have one's words erased, and what happens to old versions."""


def datasheet(
    records: Iterable[AnyRecord],
    snapshot: DatasetSnapshot,
    *,
    about: About | None = None,
    cleaned: Cleaned | None = None,
) -> str:
    """A page of Markdown on the records of a snapshot. People are counted, never named, and no record is quoted."""
    about, found = about or About(), list(records)
    sections = {
        "Motivation": {"Why was it made?": about.purpose, "Who made it, and who paid?": about.creators},
        "Composition": _composition(found),
        "Collection": {
            "How was it collected?": about.collection,
            "When?": about.period,
            "How many people's words are in it?": _people(found),
            "Who are they?": about.people,
            "On which basis may their words be used?": about.consent,
        },
        "Cleaning": _cleaning(snapshot, cleaned),
        "Uses": {"What is it fit for?": about.uses, "What is it not fit for?": about.unfit_uses},
        "Distribution": {"Under which licence?": about.licence},
        "Maintenance": {"Who looks after it?": about.maintenance},
    }
    page = [f"# {about.title or 'Data set'}", f"Snapshot `{snapshot.id}`, made {snapshot.created_at or _UNSAID}."]
    for title, answers in sections.items():
        page.append(f"## {title}")
        page += [
            f"**{question}**{_BREAK if answer.startswith('|') else ' '}{answer or _UNSAID}"
            for question, answer in answers.items()
        ]
    return "\n\n".join(page) + "\n"


def _composition(records: Sequence[AnyRecord]) -> dict[str, str]:
    prompts = [record.prompt for record in records if not isinstance(record, Document)]
    answers = [answer for record in records for answer in answers_of(record)]
    weights = [record.weight for record in records]
    kinds = Counter((type(record).__name__.lower(), redacted(record.source) or _UNSAID) for record in records)
    return {
        "What is in it?": _table(
            ("kind", "source", "records"), [(kind, source, str(kinds[kind, source])) for kind, source in sorted(kinds)]
        ),
        "How many different prompts?": str(len(set(map(prompt_id, prompts)))),
        "In which languages?": _shares(language_of(prose_of(record)) or "cannot be told" for record in records),
        "How long are they, in characters?": _table(
            ("", *(f"{percent} %" for percent in _PERCENTS)),
            [("prompt", *_quantiles(prompts)), ("answer", *_quantiles(answers))],
        ),
        "What was said?": _said(records),
        "How much do the records weigh?": f"{min(weights):g} to {max(weights):g}, {fmean(weights):g} on the mean",
    }


def _people(records: Sequence[AnyRecord]) -> str:
    """How many there are, and how unequally they spoke."""
    spoke = Counter(record.annotator for record in records if record.annotator is not None)
    if not spoke:
        return _UNSAID
    unnamed = len(records) - spoke.total()
    return (
        f"{len(spoke)}, with {median(spoke.values()):g} records each on the median and {max(spoke.values())} at most; "
        f"{unnamed} records name nobody"
    )


def _said(records: Sequence[AnyRecord]) -> str:
    """Shares of verdicts, of ties among ranked pairs, and of scores above the middle."""
    comparisons = [record.verdict.value.replace("_", " ") for record in records if isinstance(record, Comparison)]
    rankings = [record for record in records if isinstance(record, Ranking)]
    targets = [pair.target for ranking in rankings for pair in preference_group(ranking).pairs]
    ratings = [record for record in records if isinstance(record, Rating)]
    parts = [
        f"Comparisons: {_shares(comparisons)}." if comparisons else "",
        f"Rankings: {fmean(target == 0.5 for target in targets):.1%} of {len(targets)} ranked pairs are ties."
        if targets
        else "",
        f"Ratings: {fmean(record.score > middle_of(record) for record in ratings):.1%} of {len(ratings)} lie above the "
        "middle of their scale."
        if ratings
        else "",
    ]
    return " ".join(filter(None, parts)) or "nothing that can be counted"


def _cleaning(snapshot: DatasetSnapshot, cleaned: Cleaned | None) -> dict[str, str]:
    """How the records were chosen, and what became of the others."""
    filters = "; ".join(f"{name}: {canonical_json(value)}" for name, value in sorted(snapshot.filters.items()))
    if cleaned is None:
        return {"How were the records chosen?": filters, "What was left out?": "", "Is there personal data in it?": ""}
    kinds = ", ".join(f"{kind.value.replace('_', ' ')} {number}" for kind, number in cleaned.personal_data.items())
    return {
        "How were the records chosen?": filters,
        "What was left out?": _table(
            ("rule", "records"),
            [(rule.value.replace("_", " "), str(number)) for rule, number in cleaned.num_dropped.items()],
        )
        if cleaned.dropped
        else "nothing",
        "Is there personal data in it?": f"By its shape it was found in {len(cleaned.with_personal_data)} records ({kinds}) "
        "and taken out; names and addresses have no shape and were not looked for"
        if kinds
        else "None was found by its shape, or none was looked for",
        "Do verdicts contradict each other?": "; ".join(
            f"at odds with {conflict.value.replace('_', ' ')}: {number}"
            for conflict, number in cleaned.num_conflicts.items()
        )
        or "no",
    }


def _quantiles(texts: Sequence[Messages]) -> list[str]:
    """The lengths at `_PERCENTS`, each one that occurs."""
    lengths = sorted(len(text_of(messages)) for messages in texts)
    last = len(lengths) - 1
    return [str(lengths[round(percent / 100 * last)]) if lengths else "" for percent in _PERCENTS]


def _shares(values: Iterable[str]) -> str:
    counts = Counter(values)
    return ", ".join(f"{value} {number / counts.total():.1%}" for value, number in counts.most_common())


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(cell.replace("|", r"\|") for cell in line) + " |" for line in lines)
