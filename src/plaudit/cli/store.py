"""`plaudit store backup|restore|check|migrate`: what whoever looks after a store of feedback needs."""

from __future__ import annotations

import os
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from plaudit.schemas.errors import PlauditError
from plaudit.store import DEFAULT_URL, Store, open_store
from plaudit.store.backup import back_up, check, restore
from plaudit.store.erasure import Erasure
from plaudit.store.opening import migrate_store


@dataclass(frozen=True, kw_only=True, slots=True)
class StoreSettings:
    """Where the feedback lies."""

    store: str = ""
    """`sqlite:///FILE` or `postgresql://HOST/NAME`; else `PLAUDIT_STORE`, else `sqlite:///plaudit.db`."""
    keys: str = ""
    """The folder with people's keys; else `PLAUDIT_KEYS`, else beside the SQLite file."""

    @property
    def url(self) -> str:
        """The address."""
        return self.store or os.environ.get("PLAUDIT_STORE", "") or DEFAULT_URL

    @property
    def key_folder(self) -> str | None:
        """Where the keys are, if that is said."""
        return self.keys or os.environ.get("PLAUDIT_KEYS") or None

    def opened(self, *, create: bool = False) -> closing[Store]:
        """The store, to be closed."""
        return closing(open_store(self.url, keys=self.key_folder, create=create))


@dataclass(frozen=True, kw_only=True, slots=True)
class StoreBackup(StoreSettings):
    """Write the whole store, keys included, into a new folder, and read it back before calling it a backup."""

    out: Path
    """The folder to make. Keep it as safe as the store: it holds the keys."""

    def run(self) -> int:
        """Writes it."""
        with self.opened() as store:
            backup = back_up(store, self.out)
        num = backup.num_rows
        print(f"{self.out}: {num['judgement']:,} judgements of {num['person']:,} people, read back and verified")
        return 0


@dataclass(frozen=True, kw_only=True, slots=True)
class StoreRestore(StoreSettings):
    """Put a backup into an empty database of either kind, and forget again whoever was erased since."""

    backup: Path
    """The backup's folder."""
    erased_in: str = ""
    """The store in use until now: whoever was erased there is erased from what comes back. `none` if it is lost."""

    def run(self) -> int:
        """Restores."""
        if not self.erased_in:
            raise PlauditError(
                "who was erased since the backup? Give --erased-in with the address of the store used until now, or "
                "`--erased-in none` where it is lost: then look for receipts, and erase those people again"
            )
        ledger = {}
        if self.erased_in != "none":
            # Its keys are not needed for its ledger.
            with closing(
                open_store(self.erased_in, keys=self.backup / "keys", create=False, check_keys=False)
            ) as before:
                ledger = Erasure(before.database).ledger()
        restored = restore(self.backup, self.url, keys=self.key_folder, erased=ledger)
        num = restored.backup.num_rows
        print(f"{self.url}: {num['judgement']:,} judgements of {num['person']:,} people, as they were backed up")
        if restored.erased:
            print(f"{len(restored.erased)} people who were erased since then are erased here too")
        return 0


@dataclass(frozen=True, kw_only=True, slots=True)
class StoreCheck(StoreSettings):
    """Say whether the store can be trusted: its file, its keys, its audit log, every judgement against the log."""

    def run(self) -> int:
        """Prints; a fault is an error."""
        with closing(open_store(self.url, keys=self.key_folder, create=False, check_keys=False)) as store:
            check(store, f"the store {self.url}")
        print(f"{self.url}: the audit log is whole, and every judgement is as it was given")
        return 0


@dataclass(frozen=True, kw_only=True, slots=True)
class StoreMigrate(StoreSettings):
    """Bring the tables of an older plaudit's store up to date. Make a backup first."""

    def run(self) -> int:
        """Migrates."""
        before, after = migrate_store(self.url)
        print(
            f"{self.url}: " + (f"is of version {after} already" if before == after else f"version {before} -> {after}")
        )
        return 0
