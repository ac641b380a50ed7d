"""From what many people said to data fit to train on: which records, frozen under which name?

Invariant: a snapshot is made here and nowhere else, and its id depends on its records alone.
"""

from plaudit.quality.snapshots import make_snapshot, snapshot_id

__all__ = ["make_snapshot", "snapshot_id"]
