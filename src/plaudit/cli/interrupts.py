"""Ctrl-C that is heard wherever it falls, also while an object is being cleared away."""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager

AGAIN_AFTER = 0.02
"""Seconds after which an interrupt that was swallowed comes again; it is swallowed again where that was too soon."""


@contextmanager
def heard_interrupts() -> Iterator[None]:
    """Python drops what is raised in `__del__` and in weak references' callbacks, KeyboardInterrupt included.

    A run that Ctrl-C reaches there would go on. Here such an interrupt is sent once more.
    """
    before = sys.unraisablehook

    def hook(dropped: sys.UnraisableHookArgs) -> None:
        if issubclass(dropped.exc_type, KeyboardInterrupt):
            threading.Timer(AGAIN_AFTER, os.kill, (os.getpid(), signal.SIGINT)).start()
        else:
            before(dropped)

    sys.unraisablehook = hook
    try:
        yield
    finally:
        sys.unraisablehook = before
