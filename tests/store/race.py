"""Many people at once, their workers killed in the middle: what must hold afterwards."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from plaudit.store import Store
from plaudit.store.audit import faults
from tests.store.conftest import Panel, panel_of


@dataclass(frozen=True)
class Outcome:
    """How it went: judgements that were acknowledged, and that are there; kills; seconds; who and what it was."""

    panel: Panel
    num_acknowledged: int
    num_stored: int
    num_killed: int
    seconds: float


def raced(
    store: Store, url: str, keys: Path, scratch: Path, *, num_people: int, num_items: int, num_workers: int
) -> Outcome:
    """People judge in several processes, of which all are killed once and started again. Asserts what was promised."""
    panel = panel_of(store, num_people, overlap=3, lease_s=2)
    for index in range(num_items):
        panel.item(f"q{index}")
    began = time.perf_counter()
    draws = random.Random(0)
    workers = [_worker(panel, url, keys, scratch, index, num_workers) for index in range(num_workers)]
    num_killed = 0
    for index in range(num_workers):
        log = scratch / f"log{index}"
        while workers[index].poll() is None and not (log.exists() and log.stat().st_size):
            time.sleep(0.01)
        time.sleep(draws.uniform(0.0, 0.2))
        if workers[index].poll() is None:
            workers[index].send_signal(signal.SIGKILL)
            num_killed += 1
        workers[index].wait()
        workers[index] = _worker(panel, url, keys, scratch, index, num_workers)
    assert [worker.wait(timeout=540) for worker in workers] == [0] * num_workers
    seconds = time.perf_counter() - began
    acknowledged = [line.split() for path in scratch.glob("log*") for line in path.read_text().splitlines()]
    stored = list(store.judgements.latest(panel.project))
    there = {row.id: row.person_id for row in stored}
    # Nothing that was acknowledged is lost, nothing counted twice.
    assert all(there.get(name) == person for name, person in acknowledged)
    assert len(there) == len(stored)
    assert max(Counter((row.item_id, row.person_id) for row in stored).values()) == 1
    # Never more than were wanted of an item, and in the end as many.
    assert Counter(Counter(row.item_id for row in stored).values()) == {3: num_items}
    with store.database.read() as session:
        assert list(faults(session)) == []
    return Outcome(panel, len(acknowledged), len(stored), num_killed, seconds)


def _worker(panel: Panel, url: str, keys: Path, scratch: Path, index: int, num_workers: int) -> subprocess.Popen[bytes]:
    people = panel.people[index::num_workers]
    arguments = [url, str(keys), panel.project, str(scratch / f"log{index}"), *people]
    return subprocess.Popen([sys.executable, "-m", "tests.store.worker", *arguments])
