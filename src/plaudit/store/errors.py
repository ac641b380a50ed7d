"""What the store refuses, each with a word that programs can tell apart."""

from __future__ import annotations

from plaudit.schemas.errors import PlauditError


class StoreError(PlauditError):
    """The store refused, and wrote nothing. `code` is one word for programs, the text is for people."""

    code = "refused"


class UnknownRowError(StoreError):
    """Nothing of this name is in the store."""

    code = "unknown"


class NotAllowedError(StoreError):
    """This person may not do that."""

    code = "not_allowed"


class StaleLeaseError(StoreError):
    """The lease has expired, was given back, or is somebody else's. What was written can be handed in no more."""

    code = "stale_lease"


class AlreadyJudgedError(StoreError):
    """A judgement stands already, handed in under another key."""

    code = "already_judged"


class WithdrawnError(StoreError):
    """The item was withdrawn; nobody is asked about it any more."""

    code = "withdrawn"


class InvalidError(StoreError):
    """The content does not fit what was asked."""

    code = "invalid"


class WrongVersionError(StoreError):
    """The database was written by another version of plaudit."""

    code = "wrong_version"


class UnavailableError(StoreError):
    """The database cannot be reached, is locked, read-only or full."""

    code = "unavailable"
