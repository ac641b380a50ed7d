"""How long each phase of a run took."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager


class PhaseTimer:
    """Wall and CPU seconds by phase. A phase inside another pauses it, so the sum over phases is the time inside any.

    timer = PhaseTimer()
    with timer("sample"):
        ...
    timer.seconds()  # {"sample": 1.9}

    CPU seconds are this process's, over all its threads, not its children's. Not for several threads at once.
    """

    def __init__(
        self, wall: Callable[[], float] = time.perf_counter, cpu: Callable[[], float] = time.process_time
    ) -> None:
        self._wall_clock, self._cpu_clock = wall, cpu
        self._wall: dict[str, float] = {}
        self._cpu: dict[str, float] = {}
        self._open: list[str] = []
        self._mark = (wall(), cpu())

    @contextmanager
    def __call__(self, phase: str) -> Iterator[None]:
        """Charges what passes inside to `phase`."""
        self._charge()
        self._open.append(phase)
        try:
            yield
        finally:
            self._charge()
            self._open.pop()

    def seconds(self) -> dict[str, float]:
        """Wall seconds by phase up to now, in the order in which the phases first ended or were interrupted."""
        self._charge()
        return dict(self._wall)

    def cpu_seconds(self) -> dict[str, float]:
        """CPU seconds by phase up to now."""
        self._charge()
        return dict(self._cpu)

    def _charge(self) -> None:
        """Gives the time since the last mark to the innermost open phase."""
        now = (self._wall_clock(), self._cpu_clock())
        if self._open:
            phase = self._open[-1]
            self._wall[phase] = self._wall.get(phase, 0.0) + now[0] - self._mark[0]
            self._cpu[phase] = self._cpu.get(phase, 0.0) + now[1] - self._mark[1]
        self._mark = now
