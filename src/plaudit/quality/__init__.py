"""From what many people said to data fit to train on: how likely is each verdict, and which records, frozen under which name?

Invariant: a snapshot is made here and nowhere else, and its id depends on its records alone; people are weighed, never
removed.
"""

from plaudit.quality.labels import WeighedPreferences, weighed_preferences
from plaudit.quality.snapshots import make_snapshot, snapshot_id

__all__ = ["WeighedPreferences", "make_snapshot", "snapshot_id", "weighed_preferences"]
