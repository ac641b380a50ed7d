"""What crosses disk or wire? Conversations, feedback records, model references and snapshots.

Invariant: everything here is frozen, validated on construction, and imports neither torch nor any other room.
"""

from plaudit.schemas.conversation import Message, Messages, Role
from plaudit.schemas.errors import PlauditError, RowError
from plaudit.schemas.feedback import Comparison, Demonstration, Ranking, Rating, Verdict

__all__ = [
    "Comparison",
    "Demonstration",
    "Message",
    "Messages",
    "PlauditError",
    "Ranking",
    "Rating",
    "Role",
    "RowError",
    "Verdict",
]
