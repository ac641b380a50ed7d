"""Forgetting a person wherever plaudit put them: rows, snapshots, backups; and naming the models that learnt from them.

A model that was trained on a person's rows is not "unlearnt": the receipt names it, and the run to train anew from.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing
from pathlib import Path

from plaudit.quality.from_store import Reader, rewritten
from plaudit.runs.manifest import Manifest, read_manifest
from plaudit.schemas.conversation import Frozen
from plaudit.schemas.errors import PlauditError
from plaudit.store import Store, open_store
from plaudit.store.backup import FILE, KEYS, describe, read_backup
from plaudit.store.erasure import Erased, Erasure


class Rewritten(Frozen):
    """A snapshot without the person; `new_id` is empty where nothing was left of it."""

    old_id: str
    new_id: str
    folder: str


class Trained(Frozen):
    """A run whose data held rows of the person, and the model it started from: train anew from that."""

    folder: str
    snapshot_id: str
    parent: str


class Receipt(Frozen):
    """What was done to forget a person, of whom it says nothing."""

    id: str
    erased_at_ms: int
    num_rows: dict[str, int]
    snapshots: tuple[Rewritten, ...]
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
    store's ledger. Raises UnknownRowError for nobody, and StoreError for a folder that is no backup, before anything is done.
    """
    for folder in backups:
        read_backup(folder)
    erased = Erasure(store.database).erase(person_id)
    gone = []
    for made in store.snapshots.of(erased.project_ids):
        new_id = rewritten(store, made, erased, read)
        if new_id is not None:
            gone.append(Rewritten(old_id=made.id, new_id=new_id, folder=made.folder))
    for folder in backups:
        _forget_in(folder, erased, store.database.now_ms())
    return Receipt(
        id=erased.receipt_id,
        erased_at_ms=store.database.now_ms(),
        num_rows=erased.num_rows,
        snapshots=tuple(gone),
        backups=tuple(map(str, backups)),
        trained=tuple(_trained(runs, {snapshot.old_id for snapshot in gone})),
    )


def _forget_in(folder: Path, erased: Erased, now_ms: int) -> None:
    """Erases the person from a backup, and describes it anew."""
    with closing(open_store(f"sqlite:///{folder / FILE}", keys=folder / KEYS, create=False)) as copy:
        found = Erasure(copy.database).replay([erased.person_id])
    if found:
        describe(folder, now_ms)


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
