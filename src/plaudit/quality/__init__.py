"""From what many people said to data fit to train on: how likely is each verdict, and which records, frozen under which name?

Invariant: a snapshot is made here and nowhere else, and its id depends on its records alone; people are weighed, never
removed. `labels` and `cleaning` are imported by themselves: snapshots load no scipy.
"""

from plaudit.quality.snapshots import make_snapshot

__all__ = ["make_snapshot"]
