"""What every recipe with a program of its own does around it: read settings and files, tell of errors, give an exit status."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TypeVar

from plaudit.cli.main import INTERRUPTED, explained
from plaudit.cli.settings import parsed
from plaudit.formats.jsonl import Located, objects
from plaudit.runs.memory import reuse_freed_memory
from plaudit.schemas.errors import RowError

C = TypeVar("C")


def readable_rows(path: Path) -> Iterator[Located]:
    """Every row of a file of objects. Raises RowError at the first that cannot be read, PlauditError where the file cannot."""
    for row in objects(path):
        if isinstance(row, RowError):
            raise row
        yield row


def exit_status(
    run: Callable[[C], object], config: type[C], name: str, argv: Sequence[str] | None, program: str = "run"
) -> int:
    """0, or what `plaudit` itself would give; errors are one message, with `PLAUDIT_DEBUG=1` a traceback.

    `name` is the recipe's folder, `program` the module in it, `argv` the words behind the program's name, the process's own
    where there are none.
    """
    arguments = list(sys.argv[1:] if argv is None else argv)
    try:
        reuse_freed_memory()
        run(parsed(config, arguments, name=name, prog=f"python -m recipes.{name}.{program}"))
    except KeyboardInterrupt:
        sys.stderr.write("interrupted: the same command goes on after the last stage that ended\n")
        return INTERRUPTED
    except Exception as error:
        if os.environ.get("PLAUDIT_DEBUG") == "1":
            raise
        text, status = explained(error)
        sys.stderr.write(f"{text}\n")
        return status
    return 0
