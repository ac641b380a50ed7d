"""What does a model read? Frozen tensor records and their collation.

Invariant: rows are padded on the right, masks are bool with True = counts, and a record is complete when it exists: no
field is filled in later except by making a new record.
"""

from plaudit.batches.preferences import EncodedGroup, PreferenceRows, collated_groups
from plaudit.batches.rollouts import Rollouts
from plaudit.batches.tokens import EncodedRow, TokenRows, collated

__all__ = [
    "EncodedGroup",
    "EncodedRow",
    "PreferenceRows",
    "Rollouts",
    "TokenRows",
    "collated",
    "collated_groups",
]
