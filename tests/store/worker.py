"""A process in which several people judge at once: `python -m tests.store.worker URL KEYS PROJECT LOG PERSON...`.

Each judgement that the store acknowledged is a line in LOG, written after the acknowledgement.
"""

from __future__ import annotations

import hashlib
import os
import sys
import threading
import time
import uuid
from pathlib import Path

from plaudit.schemas.judgement import Judgement
from plaudit.schemas.tasks import EmptyCause, EmptyQueue
from plaudit.store import Store, open_store
from plaudit.store.errors import StaleLeaseError


def canary_of(person: str) -> str:
    """What a person says and nobody else does; it is written nowhere but in their words."""
    return "canary" + hashlib.sha256(person.encode()).hexdigest()[:16]


def judge(store: Store, project: str, person: str, log: int) -> None:
    """Judges until there is nothing left, each judgement sent twice, as clients with a bad line do."""
    while True:
        task = store.tasks.next(project, person)
        if isinstance(task, EmptyQueue):
            if task.cause in (EmptyCause.DONE, EmptyCause.YOURS_DONE):
                return
            time.sleep(0.05)
            continue
        key, said = uuid.uuid4().hex, Judgement(verdict="a", critique=f"because {canary_of(person)}")
        try:
            for _ in range(2):
                name = store.judgements.submit(task.assignment_id, task.lease_token, said, client_key=key)
        except StaleLeaseError:
            continue
        os.write(log, f"{name} {person}\n".encode())


def main(url: str, keys: str, project: str, log: str, *people: str) -> None:
    """One thread a person."""
    store = open_store(url, keys=keys)
    handle = os.open(Path(log), os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    threads = [threading.Thread(target=judge, args=(store, project, person, handle)) for person in people]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


if __name__ == "__main__":
    main(*sys.argv[1:])
