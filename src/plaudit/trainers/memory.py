"""What a run does when memory runs out: it goes on in smaller portions, which changes no result beyond rounding."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

import torch

from plaudit.runs import Progress, RunDirectory
from plaudit.runs.memory import give_memory_back, is_out_of_memory

T = TypeVar("T")


@dataclass(slots=True)
class Portions:
    """How many rows run at once, in all parts of a run that hold this object."""

    size: int


def in_portions(
    work: Callable[[], T],
    portions: Portions,
    *,
    say: Callable[[str], None],
    clear: Callable[[], None] | None = None,
) -> T:
    """What `work` returns. Where memory runs out the portions are halved, for good, and `work` begins anew.

    `clear` takes back what a broken attempt left behind (half-accumulated gradients). Portions of one row that do not fit
    raise what torch or numpy did.
    """
    while True:
        try:
            return work()
        except (MemoryError, RuntimeError) as error:
            if portions.size == 1 or not is_out_of_memory(error):
                raise
        # Only now, outside of the handler, does the traceback hold the attempt's tensors no longer.
        portions.size //= 2
        if clear is not None:
            clear()
        give_memory_back()
        if torch.cuda.is_available():
            torch.cuda.empty_cache()
        say(f"out of memory: going on with {portions.size} rows at once, half of what it was")


def told(run: RunDirectory, progress: Progress | None = None) -> Callable[[str], None]:
    """Says a thing on the terminal and in the run's log; without a progress, where one would show it."""
    shown = progress or Progress(run.manifest.command, total=0)

    def say(text: str) -> None:
        run.log(text)
        shown.say(text)

    return say
