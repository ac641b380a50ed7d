"""The errors a user can cause. The command line prints their text and no traceback."""

from __future__ import annotations


class PlauditError(ValueError):
    """A mistake the user can mend. The text names the cause and the next step."""


class RowError(PlauditError):
    """A row of a file that cannot be read: where it stands, which field is wrong, what was expected."""

    def __init__(self, file: str, line: int, field: str, expected: str, got: str) -> None:
        self.file, self.line, self.field, self.expected, self.got = file, line, field, expected, got
        super().__init__(f"{file}:{line}: field {field!r}: expected {expected}, got {got}")
