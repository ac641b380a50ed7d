"""How much memory the process has needed, and giving back what it needs no longer."""

from __future__ import annotations

import ctypes
import gc
import sys
from contextlib import suppress
from pathlib import Path

if sys.platform != "win32":
    import resource


def peak_rss_mb() -> float:
    """The most resident memory this process has held so far, in MB (10**6 bytes); 0.0 on Windows: not measured.

    On Linux `getrusage` also reports the peak of the process that started this one (it survives fork and exec), so the
    kernel's own mark of this address space, VmHWM, is read where there is one.
    """
    status = Path("/proc/self/status")
    if status.exists():
        for line in status.read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024 / 1e6
    if sys.platform == "win32":
        return 0.0
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e6


def give_memory_back() -> None:
    """Collects garbage and returns free memory to the system, where the C library can (glibc): by itself it keeps it."""
    gc.collect()
    if sys.platform == "linux":
        with suppress(OSError, AttributeError):
            ctypes.CDLL("libc.so.6").malloc_trim(0)
