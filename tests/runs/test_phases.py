"""Phases share time without counting any twice."""

import threading
import time

import pytest

from plaudit.runs.phases import PhaseTimer


class Clock:
    """A clock that moves when told to."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def test_nested_phases_are_counted_once() -> None:
    wall, cpu = Clock(), Clock()
    timer = PhaseTimer(wall, cpu)

    def work(seconds: float) -> None:
        wall.now += seconds
        cpu.now += 2 * seconds

    work(50)
    with timer("step"):
        work(1)
        with timer("sample"):
            work(2)
            with timer("step"):
                work(4)
            work(8)
        work(16)
    work(50)
    with timer("sample"):
        work(32)
    assert timer.seconds() == {"step": 21.0, "sample": 42.0}
    assert timer.cpu_seconds() == {"step": 42.0, "sample": 84.0}


def test_an_open_phase_counts_up_to_now() -> None:
    clock = Clock()
    timer = PhaseTimer(clock, clock)
    with timer("a"):
        clock.now += 1
        assert timer.seconds() == {"a": 1.0}
        clock.now += 2
    assert timer.seconds() == {"a": 3.0}


def test_an_error_closes_the_phase() -> None:
    clock = Clock()
    timer = PhaseTimer(clock, clock)

    def fail() -> None:
        clock.now += 1
        raise KeyError

    with pytest.raises(KeyError), timer("outer"), timer("inner"):
        fail()
    clock.now += 5
    with timer("after"):
        clock.now += 2
    assert timer.seconds() == {"inner": 1.0, "outer": 0.0, "after": 2.0}


def test_the_real_clocks_tell_waiting_from_working() -> None:
    timer = PhaseTimer()
    with timer("wait"):
        threading.Event().wait(0.05)
    with timer("work"):
        end = time.process_time() + 0.05
        while time.process_time() < end:
            pass
    assert timer.seconds()["wait"] >= 0.05
    assert timer.cpu_seconds()["wait"] < 0.04
    assert timer.cpu_seconds()["work"] >= 0.05
