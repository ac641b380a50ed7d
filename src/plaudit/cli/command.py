"""What every command is: a dataclass of settings that runs."""

from __future__ import annotations

from dataclasses import Field
from typing import Any, ClassVar, Protocol


class Command(Protocol):
    """A dataclass made from the command line."""

    __dataclass_fields__: ClassVar[dict[str, Field[Any]]]

    def run(self) -> int:
        """Does the work and returns the exit status."""
        ...
