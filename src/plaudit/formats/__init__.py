"""How do other people's files become records, and records other people's files? One module a shape, or a few alike.

Invariant: a file is read whole or not at all, every column that is not understood is kept in `extra`, and whatever a
written shape cannot carry is counted by name. Imports schemas only, no torch.
"""

from plaudit.formats.detect import Shape
from plaudit.formats.files import Records, open_records, write_records
from plaudit.formats.outgoing import Losses
from plaudit.formats.splits import leaked_prompts, shuffled_sides, split_by_prompt
from plaudit.formats.trl import extract_prompt, is_conversational

__all__ = [
    "Losses",
    "Records",
    "Shape",
    "extract_prompt",
    "is_conversational",
    "leaked_prompts",
    "open_records",
    "shuffled_sides",
    "split_by_prompt",
    "write_records",
]
