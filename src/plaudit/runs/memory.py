"""How much memory the process has needed, and when freed memory is kept or given back."""

from __future__ import annotations

import ctypes
import gc
import os
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


_NO_MEMORY = ("out of memory", "can't allocate memory", "could not create a primitive")
_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3  # malloc.h
_LARGEST_REUSED = 1 << 30


def is_out_of_memory(error: Exception) -> bool:
    """Whether that is what went wrong.

    torch reports it as a RuntimeError: in one way on CUDA, in another on the CPU, in a third where oneDNN found no room for
    the code of a product.
    """
    text = str(error).lower()
    return isinstance(error, MemoryError) or any(words in text for words in _NO_MEMORY)


def reuse_freed_memory() -> None:
    """Has the C library (glibc) keep freed blocks of up to a GiB for the next use instead of returning each at once.

    A training step frees and asks for the same few large tensors thousands of times; mapped anew, every page of them is
    cleared by the system first, a quarter of a step's CPU seconds. Settings of the environment, where given, stand.
    """
    if sys.platform != "linux" or any(name in os.environ for name in ("MALLOC_MMAP_THRESHOLD_", "GLIBC_TUNABLES")):
        return
    with suppress(OSError, AttributeError):
        library = ctypes.CDLL("libc.so.6")
        library.mallopt(_M_MMAP_THRESHOLD, _LARGEST_REUSED)
        library.mallopt(_M_TRIM_THRESHOLD, _LARGEST_REUSED)


def give_memory_back() -> None:
    """Collects garbage and returns free memory to the system, where the C library can (glibc): by itself it keeps it."""
    gc.collect()
    if sys.platform == "linux":
        with suppress(OSError, AttributeError):
            ctypes.CDLL("libc.so.6").malloc_trim(0)
