"""Peak memory rises with what is held, stays when it is let go, and is this process's own."""

import os
import platform
import subprocess
import sys
from pathlib import Path

import pytest

from plaudit.runs.memory import give_memory_back, is_out_of_memory, peak_rss_mb, reuse_freed_memory


@pytest.mark.parametrize(
    ("error", "is_that"),
    [
        (MemoryError(), True),
        (RuntimeError("CUDA out of memory. Tried to allocate 2.00 GiB"), True),
        (
            RuntimeError("[enforce fail at alloc_cpu.cpp:127] err == 0. DefaultCPUAllocator: can't allocate memory"),
            True,
        ),
        (RuntimeError("could not create a primitive"), True),
        (RuntimeError("mat1 and mat2 shapes cannot be multiplied"), False),
        (ValueError("a primitive value"), False),
    ],
)
def test_out_of_memory_is_told_by_what_the_libraries_say(error: Exception, is_that: bool) -> None:
    assert is_out_of_memory(error) is is_that


def test_the_peak_follows_an_allocation_of_known_size() -> None:
    code = (
        "from plaudit.runs.memory import peak_rss_mb as peak; before = peak(); held = b'x' * 200_000_000;"
        "during = peak(); del held; print(during - before, peak() - during)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    rise, fall = map(float, done.stdout.split())
    assert rise == pytest.approx(200, rel=0.05)  # pages of other things come and go meanwhile
    assert abs(fall) < 1  # the kernel adds up its per-core counters now and then


@pytest.mark.skipif(sys.platform != "linux", reason="the peak of the starting process is told apart on Linux only")
def test_a_large_parent_does_not_count() -> None:
    code = "from plaudit.runs.memory import peak_rss_mb as peak; print(peak())"
    held = b"x" * 300_000_000
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert float(done.stdout) < len(held) / 1e6 < peak_rss_mb()


def resident_mb() -> float:
    """What the process holds now."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc can be asked to give memory back")
def test_what_is_no_longer_used_goes_back() -> None:
    """Small pieces between which one is kept stay with the process until it is told to let go."""
    held = [bytes(20_000) for _ in range(5_000)]
    kept = held[::50]
    full = resident_mb()
    del held
    give_memory_back()
    assert resident_mb() < full - 60
    assert len(kept) == 100


def page_faults_of(prelude: str, environment: dict[str, str]) -> int:
    """Page faults of a process that asks for 100 MB and frees them, twenty times over, after `prelude`."""
    code = (
        "import resource; from plaudit.runs.memory import reuse_freed_memory;" + prelude + "bytearray(100_000_000);"
        "faults = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_minflt; before = faults();"
        "[len(bytearray(100_000_000)) for _ in range(20)]; print(faults() - before)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env=os.environ | environment
    )
    return int(done.stdout)


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc can be told what to keep")
def test_freed_blocks_are_used_again() -> None:
    """Mapped anew each time, the 100 MB cost 24,414 faults of 4 KiB, twenty times."""
    assert page_faults_of("", {}) > 20 * 40  # at 2 MiB a page, where the system hands out such
    assert page_faults_of("reuse_freed_memory();", {}) < 20


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc can be told what to keep")
@pytest.mark.parametrize("own", [{"MALLOC_MMAP_THRESHOLD_": "65536"}, {"GLIBC_TUNABLES": "glibc.malloc.arena_max=4"}])
def test_the_environment_s_own_settings_stand(own: dict[str, str]) -> None:
    assert page_faults_of("reuse_freed_memory();", own) > 20 * 40


def test_it_may_be_asked_twice() -> None:
    reuse_freed_memory()
    reuse_freed_memory()
