"""How far a long loop has come and how long it will still take: a bar on a terminal, a few lines in a log."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterable, Iterator
from types import TracebackType
from typing import Self, TextIO, TypeVar

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.progress import Progress as RichProgress

Item = TypeVar("Item")


def duration_text(seconds: float) -> str:
    """A length of time for people: "12 s", "3 min 20 s", "1 h 05 min"."""
    whole = max(0, round(seconds))
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    minutes = round(whole / 60)
    return f"{minutes // 60} h {minutes % 60:02d} min"


class Progress:
    """The progress of `total` pieces of work, shown on standard error.

    with Progress("sampling", total=len(prompts)) as progress:
        for prompt in prompts:
            progress.advance(note=f"score {score:.2f}")

    `completed` pieces that an earlier process did count as done but not towards the speed. `quiet` shows nothing. Off a
    terminal a line appears at most every `interval_s` seconds, and one at the end.
    """

    def __init__(
        self,
        description: str,
        *,
        total: int,
        completed: int = 0,
        quiet: bool = False,
        interval_s: float = 10.0,
        stream: TextIO | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._description, self._total, self._quiet, self._interval_s = description, total, quiet, interval_s
        self._stream, self._clock = stream or sys.stderr, clock
        self._first = self._done = completed
        self._note = ""
        self._began = self._last_line = clock()
        self._bar: RichProgress | None = None
        if not quiet and self._stream.isatty():
            self._bar = self._make_bar()

    def advance(self, num: int = 1, note: str = "") -> None:
        """Counts `num` more pieces as done; `note` says something about the latest (a loss, a score)."""
        self._done += num
        self._note = note or self._note
        if self._bar:
            self._bar.update(self._bar.task_ids[0], completed=self._done, note=escape(self._note))
        elif not self._quiet and self._clock() - self._last_line >= self._interval_s and self._done < self._total:
            self._write_line(self._time_left())

    def say(self, text: str) -> None:
        """A line of its own, where the progress is shown."""
        if self._bar:
            self._bar.console.print(escape(text))
        elif not self._quiet:
            self._stream.write(f"{self._description}: {text}\n")
            self._stream.flush()

    def __enter__(self) -> Self:
        self._began = self._last_line = self._clock()
        if self._bar:
            self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._bar:
            self._bar.stop()
        elif not self._quiet:
            end = "stopped after" if error else "done in"
            self._write_line(f"{end} {duration_text(self._clock() - self._began)}")

    def _time_left(self) -> str:
        elapsed, fresh = self._clock() - self._began, self._done - self._first
        if fresh <= 0:
            return "time left unknown"
        return f"about {duration_text(elapsed / fresh * (self._total - self._done))} left"

    def _write_line(self, ending: str) -> None:
        percent = 100 * self._done // self._total if self._total else 100
        parts = [f"{self._description}: {self._done}/{self._total} ({percent} %)", ending]
        self._stream.write(", ".join([*parts, self._note] if self._note else parts) + "\n")
        self._stream.flush()
        self._last_line = self._clock()

    def _make_bar(self) -> RichProgress:
        bar = RichProgress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
            TextColumn("{task.fields[note]}"),
            console=Console(file=self._stream),
        )
        bar.add_task(escape(self._description), total=self._total, completed=self._done, note="")
        return bar


def tracked(items: Iterable[Item], description: str, *, total: int, quiet: bool = False) -> Iterator[Item]:
    """The items, one by one, with their progress shown."""
    with Progress(description, total=total, quiet=quiet) as progress:
        for item in items:
            yield item
            progress.advance()
