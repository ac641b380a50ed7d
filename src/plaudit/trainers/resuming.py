"""Where a resumed run goes on, and what people are told of it."""

from __future__ import annotations

from collections.abc import Callable

import torch

from plaudit.checkpoints.folder import Checkpoint, latest_checkpoint
from plaudit.runs import RunDirectory


def last_checkpoint(run: RunDirectory, say: Callable[[str], None]) -> tuple[int, Checkpoint | None]:
    """The step after which the run goes on, and the checkpoint of it; 0 and None where it broke off before its first.

    Cuts what the run wrote of later steps. Raises PlauditError where there are checkpoints and all are damaged.
    """
    step, checkpoint = latest_checkpoint(run, say)
    if checkpoint is None:
        say("there is no checkpoint yet: beginning from the start")
    run.truncate_after(step)
    return step, checkpoint


def tell_of_threads(saved: int | None, say: Callable[[str], None]) -> None:
    """Says so where torch has another number of threads than when the checkpoint was saved."""
    now = torch.get_num_threads()
    if saved is not None and saved != now:
        say(
            f"the checkpoint was saved with {saved} threads, now there are {now}: from here on the numbers equal those of an "
            "uninterrupted run up to rounding, not bit for bit"
        )
