"""Names for rows that the store creates: UUIDs of version 7, which sort by the time they were made."""

from __future__ import annotations

import secrets
import threading
import time
import uuid

_RANDOM_BITS = 74


class _Clockwork:
    """The last name's number, so that the next is greater even within the same millisecond."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._last = 0

    def next(self) -> int:
        with self._lock:
            drawn = (time.time_ns() // 1_000_000) << _RANDOM_BITS | secrets.randbits(_RANDOM_BITS - 1)
            self._last = max(drawn, self._last + 1)
            return self._last


_CLOCKWORK = _Clockwork()


def new_id() -> str:
    """A UUIDv7 (RFC 9562, section 5.7): 48 bits of Unix time in milliseconds, then 74 random bits.

    Those of one process rise from call to call.
    """
    number = _CLOCKWORK.next()
    time_ms, high, low = number >> _RANDOM_BITS, number >> 62 & 0xFFF, number & (1 << 62) - 1
    return str(uuid.UUID(int=time_ms << 80 | 0x7 << 76 | high << 64 | 0x2 << 62 | low))
