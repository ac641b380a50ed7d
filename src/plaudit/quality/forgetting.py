"""Forgetting a person wherever plaudit put them: rows, snapshots, backups; and naming the models that learnt from them.

A model that was trained on a person's rows is not "unlearnt": the receipt names it, and the run to train anew from.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

from pydantic import ValidationError

from plaudit.quality.from_store import MANIFEST, Reader, bury, rewritten, tombstone
from plaudit.runs.manifest import Manifest, read_manifest
from plaudit.schemas.conversation import Frozen
from plaudit.schemas.errors import PlauditError
from plaudit.schemas.snapshot import DatasetSnapshot
from plaudit.store import Store, open_store
from plaudit.store.backup import FILE, KEYS, check, describe, read_backup
from plaudit.store.erasure import Erased, Erasure
from plaudit.store.snapshots import Made


class Rewritten(Frozen):
    """A snapshot without the person; `new_id` is empty where nothing was left of it."""

    old_id: str
    new_id: str
    folder: str


class Missing(Frozen):
    """A snapshot that was made and is not where it was put: wherever it is now, it may hold the person."""

    snapshot_id: str
    folder: str


class Failed(Frozen):
    """A snapshot, or without an id a backup, that could not be rewritten, and why: it may hold the person."""

    snapshot_id: str
    folder: str
    reason: str


class Trained(Frozen):
    """A run whose data held rows of the person, or may have, and the model it started from: train anew from that."""

    folder: str
    snapshot_id: str
    parent: str


class Receipt(Frozen):
    """What was done to forget a person, of whom it says nothing, and what could not be done."""

    id: str
    erased_at_ms: int
    num_rows: dict[str, int]
    snapshots: tuple[Rewritten, ...]
    missing: tuple[Missing, ...]
    failed: tuple[Failed, ...]
    backups: tuple[str, ...]
    trained: tuple[Trained, ...]


def forget(
    store: Store,
    person_id: str,
    *,
    read: Reader,
    backups: Sequence[Path] = (),
    runs: Sequence[Path] = (),
) -> Receipt:
    """Erases a person from the store, its snapshots and these backups; names the runs below `runs` that learnt from them.

    `read` reads a snapshot's folder. A backup that is not named here forgets the person when it is restored with the
    store's ledger. Raises UnknownRowError for nobody, StoreError for a folder that is no backup, and PlauditError for a
    snapshot that cannot be read, before anything is done.

    What fails later is in the receipt. Called again for somebody who was erased, it does what was left undone, and the
    receipt has the same id; of the rows it then knows the judgements alone, and snapshots of every project are looked at.
    """
    erasure = Erasure(store.database)
    if person_id in erasure.ledger():
        erased = erasure.resumed(person_id)
    else:
        _check(store, erasure.projects(person_id), read, backups)
        erased = erasure.erase(person_id)
    work = _Reach(store, erased)
    for made in store.snapshots.of(erased.project_ids):
        work.rewrite(made, read)
    for folder in backups:
        work.forget_in(folder)
    replaced = store.snapshots.replaced()
    gone = tuple(
        Rewritten(old_id=old.id, new_id=new_id, folder=old.folder)
        for old, new_id in replaced
        if tombstone(Path(old.folder)).get("receipt") == erased.receipt_id
    )
    held = {one.old_id for one in gone} | {one.snapshot_id for one in work.missing}
    held |= {one.snapshot_id for one in work.failed if one.snapshot_id}
    # What somebody else was taken out of before held this person too.
    while earlier := {old.id for old, new_id in replaced if new_id in held} - held:
        held |= earlier
    return Receipt(
        id=erased.receipt_id,
        erased_at_ms=erasure.ledger()[person_id],
        num_rows=erased.num_rows,
        snapshots=gone,
        missing=tuple(work.missing),
        failed=tuple(work.failed),
        backups=tuple(work.backups),
        trained=tuple(_trained(runs, held)),
    )


def _check(store: Store, projects: Sequence[str], read: Reader, backups: Sequence[Path]) -> None:
    """Raises PlauditError for a backup or a remembered snapshot that cannot be read."""
    for folder in backups:
        read_backup(folder)
    for made in store.snapshots.of(projects):
        folder = Path(made.folder)
        try:
            if not tombstone(folder) and (folder / MANIFEST).is_file():
                for _ in read(folder):
                    pass
        except (PlauditError, OSError) as error:
            raise PlauditError(f"nothing was erased: {error}; or move the folder: it counts as missing then") from error


@dataclass(frozen=True, slots=True)
class _Reach:
    """What an erasure reached outside the store, and what it did not."""

    store: Store
    erased: Erased
    missing: list[Missing] = field(default_factory=list)
    failed: list[Failed] = field(default_factory=list)
    backups: list[str] = field(default_factory=list)

    def rewrite(self, made: Made, read: Reader) -> None:
        """Takes out of a snapshot what is no more in the store; finishes what an earlier run began."""
        folder = Path(made.folder)
        try:
            if (old := tombstone(folder)).get("erased") == made.id:
                bury(self.store, made, old["replaced_by"], old["receipt"])
            elif not (folder / MANIFEST).is_file():
                self.missing.append(Missing(snapshot_id=made.id, folder=made.folder))
            else:
                filters = DatasetSnapshot.model_validate_json((folder / MANIFEST).read_bytes()).filters
                rewritten(self.store, made, list(read(folder)), filters, self.erased.receipt_id)
        except (PlauditError, OSError, ValidationError) as error:
            self.failed.append(Failed(snapshot_id=made.id, folder=made.folder, reason=str(error)))

    def forget_in(self, folder: Path) -> None:
        """Erases the person from a backup, and describes it anew; so too where an earlier run came only half way."""
        person_id = self.erased.person_id
        try:
            with closing(open_store(f"sqlite:///{folder / FILE}", keys=folder / KEYS, create=False)) as copy:
                erasure = Erasure(copy.database)
                if was_here := person_id in erasure.ledger():
                    erasure.resumed(person_id)
                else:
                    read_backup(folder)
                    was_here = bool(erasure.replay([person_id]))
                check(copy, "the backup")
            if was_here:
                describe(folder, self.store.database.now_ms())
        except (PlauditError, OSError) as error:
            self.failed.append(Failed(snapshot_id="", folder=str(folder), reason=str(error)))
        else:
            self.backups.append(str(folder))


def _trained(roots: Iterable[Path], snapshots: set[str]) -> Iterator[Trained]:
    for root in roots:
        for path in sorted(root.rglob("manifest.json")):
            run = _run(path)
            for name in run.snapshots if run else ():
                if name in snapshots:
                    yield Trained(folder=str(path.parent), snapshot_id=name, parent=(run.parent if run else None) or "")


def _run(path: Path) -> Manifest | None:
    """The manifest of a run; None for one of a snapshot or of anything else."""
    try:
        return read_manifest(path)
    except PlauditError:
        return None
