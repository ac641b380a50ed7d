"""Peak memory rises with what is held, stays when it is let go, and is this process's own."""

import subprocess
import sys

import pytest

from plaudit.runs.memory import peak_rss_mb


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
