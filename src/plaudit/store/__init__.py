"""Who said what about which answer, and may it be used? Feedback as rows, on SQLite or PostgreSQL.

Invariant: what was acknowledged is on disk, what was refused is not; judgements are never changed; a person's words lie
under that person's key; every change stands in a chained log. Tables and their migrations live here alone. No torch.
"""

from plaudit.store.engine import DEFAULT_URL
from plaudit.store.errors import StoreError
from plaudit.store.items import Origin
from plaudit.store.judgements import Stored
from plaudit.store.opening import Store, open_store
from plaudit.store.projects import Project
from plaudit.store.records import Query

__all__ = ["DEFAULT_URL", "Origin", "Project", "Query", "Store", "StoreError", "Stored", "open_store"]
