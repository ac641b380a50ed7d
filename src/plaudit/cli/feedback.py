"""`plaudit feedback import|export|stats|quality|snapshot|erase`: what people said, from files into a store and out of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import tyro
from rich.console import Console
from rich.table import Table

from plaudit.cli.store import StoreSettings
from plaudit.formats import Shape, open_records, write_records
from plaudit.formats.native import of_kind
from plaudit.formats.snapshot import read as read_snapshot
from plaudit.quality.cleaning import CleaningConfig
from plaudit.quality.datasheet import About
from plaudit.quality.forgetting import Receipt, forget
from plaudit.quality.from_store import snapshot_of
from plaudit.runs.files import write_json
from plaudit.schemas.errors import PlauditError
from plaudit.schemas.tasks import PersonKind
from plaudit.statistics.intervals import Estimate
from plaudit.store import Project, Query, Store
from plaudit.store.erasure import Erasure
from plaudit.store.errors import UnknownRowError

_PURPOSES = {"training": "training", "statistics": None}


@dataclass(frozen=True, kw_only=True, slots=True)
class ProjectSettings(StoreSettings):
    """A project in a store."""

    project: str = "feedback"
    """The project's name."""


@dataclass(frozen=True, kw_only=True, slots=True)
class FeedbackImport(ProjectSettings):
    """Take a file's records into a store: all of them or none; what is there already is left as it is."""

    file: tyro.conf.Positional[Path]
    """The file, or the folder of a snapshot."""
    source: str = ""
    """Where the rows come from; names in it are somebody's only there. The file's name where this is not given."""
    consent: str = ""
    """On what basis everybody in the file agreed that models are trained on what they said; without it none is."""
    by: tyro.conf.EnumChoicesFromValues[PersonKind] = PersonKind.HUMAN
    """Who judged: people, models or rules. The three are never mixed unsaid."""
    overlap: int = 0
    """Ask so many of our own people about each item too."""
    shape: tyro.conf.EnumChoicesFromValues[Shape | None] = None
    """The file's shape; told from its first rows where this is not given."""

    def run(self) -> int:
        """Imports."""
        records = open_records(self.file, self.shape)
        with self.opened(create=True) as store:
            project = _project(store, self.project)
            done = store.imports.add(
                project.id,
                records,
                source=self.source or self.file.name,
                kind=self.by,
                consent=self.consent,
                overlap=self.overlap,
            )
        known = f", {done.num_known:,} were there" if done.num_known else ""
        print(f"{self.url}: {done.num_new:,} new judgements of {done.num_people:,} people{known}")
        if not self.consent:
            print("nobody's consent to training was given (--consent): no snapshot for training will hold them")
        return 0


@dataclass(frozen=True, kw_only=True, slots=True)
class FeedbackExport(ProjectSettings):
    """Write a project's judgements into a file. People go by their pseudonyms."""

    out: Path
    """Where to write. Nothing there is overwritten."""
    to: tyro.conf.EnumChoicesFromValues[Shape] = Shape.NATIVE
    """The shape to write."""
    purpose: Literal["training", "statistics"] = "training"
    """For training only what everybody whose words they are agreed to; for statistics everything."""
    people: tuple[PersonKind, ...] = (PersonKind.HUMAN,)
    """Whose judgements."""
    kind: str = ""
    """One kind of record only (comparison, ranking, rating, correction, highlights, demonstration), where there are several."""
    ties: Literal["drop", "half"] = "drop"
    """What becomes of a tie where the shape knows a better and a worse answer only: left out and counted, or written both ways
    round at half its weight."""

    def run(self) -> int:
        """Writes."""
        if self.out.exists():
            raise PlauditError(f"{self.out} is there already: name another file")
        with self.opened() as store:
            project = store.projects.named(self.project)
            query = Query(project_id=project.id, purpose=_PURPOSES[self.purpose], people=self.people)
            found = list(store.records.read(query))
            refused = store.records.num_refused(query, len(found))
        if not found:
            raise PlauditError(
                f"no judgement of the project {self.project!r} is to be written: {refused:,} would be, had everybody consented "
                "to training (--purpose statistics writes them)"
                if refused
                else f"no judgement of the project {self.project!r} is to be written"
            )
        records = of_kind(found, self.kind or None, how="--kind")
        losses = write_records(records, self.out, self.to, ties=self.ties)
        print(f"{self.out}: {len(records):,} records")
        if refused:
            print(f"left out {refused:,}: nobody consented to training with them")
        print(losses)
        return 0


@dataclass(frozen=True, kw_only=True, slots=True)
class FeedbackStats(ProjectSettings):
    """Say what a project holds: judgements by kind and source, items by how many judgements they have, agreement."""

    def run(self) -> int:
        """Prints."""
        from plaudit.quality.panel import agreement

        console = Console()
        with self.opened() as store:
            project = store.projects.named(self.project)
            rows = list(store.judgements.latest(project.id))
            kinds = store.items.kinds(project.id)
            found = agreement(store, project.id)
        if not rows:
            raise PlauditError(f"the project {self.project!r} holds no judgement yet: import some, or ask people")
        console.print(f"{len(rows):,} judgements of {len({row.person_id for row in rows}):,} people")
        _counts(console, "asked for", [kinds[row.item_id] for row in rows])
        _counts(console, "source", [row.source or "asked here" for row in rows])
        overlap = Counter(row.item_id for row in rows if not row.is_repeat)
        _counts(console, "judgements of an item", [str(num) for num in overlap.values()], "items")
        for one in found:
            console.print(f"agreement on {one.what} ({one.num_items:,} items, {one.scale}): alpha {_text(one.alpha)}")
        return 0


@dataclass(frozen=True, kw_only=True, slots=True)
class FeedbackQuality(ProjectSettings):
    """Say what is known of each person: known answers, repetitions, sides, time, skill, and whom to look at."""

    settle: bool = False
    """Keep in the store what each item's judgements come to: P(a is better) of every pair of answers, with its interval."""

    def run(self) -> int:
        """Prints a line a person."""
        from plaudit.quality.consensus import settle
        from plaudit.quality.panel import FALSE_ALARMS, FALSE_FINDS, people_report

        with self.opened() as store:
            project = store.projects.named(self.project).id
            people = people_report(store, project)
            pairs = settle(store, project) if self.settle else []
        table = Table("person", "judged", "seconds", "known", "repeated", "first shown", "ties", "right", "p", box=None)
        for one in people:
            mark = "!!" if one.is_flagged_together else "!" if one.is_flagged else ""
            table.add_row(
                f"{one.pseudonym} {mark}".strip(),
                f"{one.num_judgements:,}",
                "-" if one.median_lead_s is None else f"{one.median_lead_s:.1f}",
                *(_text(value) for value in (one.gold, one.consistency, one.left)),
                "-" if one.tie_frac is None else f"{one.tie_frac:.2f}",
                "-" if one.skill is None else f"{one.skill.accuracy:.2f}",
                "-" if one.skill is None else f"{one.skill.p_value:.3f}",
            )
        Console().print(table)
        print(
            "known, repeated: share of known answers given, of repeated pairs judged alike. first shown: share of verdicts "
            "for the answer that stood first. right: chance that a verdict is right, told by the others'.\n"
            f"!: an honest person looks so with chance {FALSE_ALARMS:g}. !!: of those marked so, {FALSE_FINDS:.0%} are honest "
            "on the mean. Nobody is removed: look at what they said."
        )
        if self.settle:
            sure = sum(not pair.low <= 0.5 <= pair.high for pair in pairs)
            print(f"settled {len(pairs):,} pairs of answers; of {sure:,} the 95 % interval says which is better")
        return 0


@dataclass(frozen=True, kw_only=True, slots=True)
class FeedbackSnapshot(ProjectSettings):
    """Freeze a project's judgements for training, under the hash of their content and the query that found them."""

    out: Path
    """The folder to make."""
    people: tuple[PersonKind, ...] = (PersonKind.HUMAN,)
    """Whose judgements."""
    purpose: Literal["training", "statistics"] = "training"
    """For training only what everybody whose words they are agreed to; for statistics everything."""
    cleaning: CleaningConfig = field(default_factory=CleaningConfig)
    about: About = field(default_factory=About)

    def run(self) -> int:
        """Makes it."""
        with self.opened() as store:
            project = store.projects.named(self.project)
            query = Query(project_id=project.id, people=self.people, purpose=_PURPOSES[self.purpose])
            made = snapshot_of(store, query, self.out, cleaning=self.cleaning, about=self.about)
        print(f"{made.folder}: snapshot {made.snapshot.id[:12]}, described in {made.folder / 'datasheet.md'}")
        for file in made.snapshot.files:
            print(f"  {file.kind}: {file.num_rows:,} rows")
        if made.cleaned is not None:
            print(made.cleaned.summary())
        return 0


@dataclass(frozen=True, kw_only=True, slots=True)
class FeedbackErase(StoreSettings):
    """Forget a person: rows, words, snapshots, backups; name the models trained on them; leave a receipt."""

    person: str
    """The person's pseudonym, or SOURCE:NAME for somebody of that name in an imported source. A receipt's id does what that
    erasure left undone, because it stopped half way or something could not be found or read."""
    out: Path = Path("receipt.json")
    """Where to write the receipt, which says nothing of the person."""
    backups: tuple[Path, ...] = ()
    """Backups that forget the person too; others do when they are restored."""
    runs: tuple[Path, ...] = ()
    """Folders to search for runs that learnt from the person's rows."""
    yes: bool = False
    """Do it; without this it is only said what would be done."""

    def run(self) -> int:
        """Erases, or says what would be erased. 1 where something could not be rewritten."""
        if self.out.exists():
            raise PlauditError(f"{self.out} is there already: name another file for the receipt")
        with self.opened() as store:
            erased = Erasure(store.database).receipts()
            person = erased.get(self.person) or self._person(store, erased)
            if not self.yes:
                rows = "what was left" if self.person in erased else _rows_text(Erasure(store.database).preview(person))
                print(f"would remove {rows}; nothing was done: add --yes to do it, for good")
                return 0
            receipt = forget(store, person, read=read_snapshot, backups=self.backups, runs=self.runs)
        write_json(self.out, receipt)
        _tell(receipt, self.out)
        return 1 if receipt.failed else 0

    def _person(self, store: Store, erased: dict[str, str]) -> str:
        try:
            return store.people.named(self.person)
        except UnknownRowError as error:
            source, _, name = self.person.partition(":")
            person = store.people.found_as(source, name) if name else None
            if person is not None:
                return person
            hint = f"; the last erasure here is finished by --person {list(erased)[-1]}" if erased else ""
            raise UnknownRowError(f"{error}{hint}") from error


def _project(store: Store, name: str) -> Project:
    """The project of this name, made where there is none."""
    try:
        return store.projects.named(name)
    except UnknownRowError:
        return store.projects.create(name)


def _counts(console: Console, what: str, values: Sequence[str], of: str = "judgements") -> None:
    table = Table(what, of, box=None)
    for value, num in sorted(Counter(values).items(), key=lambda pair: (-pair[1], pair[0])):
        table.add_row(value, f"{num:,}")
    console.print(table)


def _text(estimate: Estimate | None) -> str:
    return "-" if estimate is None else f"{estimate.value:.2f} [{estimate.low:.2f}, {estimate.high:.2f}]"


def _rows_text(rows: dict[str, int]) -> str:
    return ", ".join(f"{num:,} {name}{'s' if num != 1 else ''}" for name, num in rows.items()) or "the person alone"


def _tell(receipt: Receipt, path: Path) -> None:
    print(f"removed {_rows_text(receipt.num_rows)}; receipt {receipt.id} in {path}")
    for snapshot in receipt.snapshots:
        print(f"  snapshot {snapshot.old_id[:12]} -> {snapshot.new_id[:12] or 'nothing left'} ({snapshot.folder})")
    for folder in receipt.backups:
        print(f"  backup {folder} forgot the person")
    unseen = {one.snapshot_id for one in receipt.missing} | {one.snapshot_id for one in receipt.failed}
    for run in receipt.trained:
        what = "on a snapshot that may hold their rows" if run.snapshot_id in unseen else "on their rows"
        print(
            f"  trained {what}: {run.folder}. It cannot unlearn them: train anew"
            + (f" from {run.parent}" if run.parent else "")
        )
    for missing in receipt.missing:
        print(f"  snapshot {missing.snapshot_id[:12]} is not in {missing.folder}: where it is now it may hold them")
    for failed in receipt.failed:
        print(f"  {failed.folder} may still hold them: {failed.reason}")
    if receipt.missing or receipt.failed:
        print(f"  once they are in their place and can be read: plaudit feedback erase --person {receipt.id} --yes")
