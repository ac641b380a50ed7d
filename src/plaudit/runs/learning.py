"""Which snapshots a run learns from: told by whoever opens the data, noted by the run's manifest and its models' cards."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

_names: ContextVar[tuple[str, ...]] = ContextVar("snapshots", default=())


@contextmanager
def learning_from(*snapshot_ids: str) -> Iterator[None]:
    """Runs and models made inside learn from these: `with learning_from(snapshot.id): train(config, records)`."""
    token = _names.set(snapshot_ids)
    try:
        yield
    finally:
        _names.reset(token)


def snapshots_in_use() -> tuple[str, ...]:
    """The ids of the snapshots that are being learnt from."""
    return _names.get()
