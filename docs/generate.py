"""Writes the tables of settings in docs/commands.md from the commands themselves: `python docs/generate.py`.

A table stands between `<!-- settings of NAME -->` and `<!-- end -->`; everything else on the page is written by hand.
"""

import re
from enum import Enum
from pathlib import Path

from plaudit.cli.fields import REQUIRED, flat_settings, type_text
from plaudit.cli.main import command_class

PAGE = Path(__file__).parent / "commands.md"
_TABLE = re.compile(r"(<!-- settings of ([a-z -]+?) -->\n).*?(<!-- end -->)", flags=re.DOTALL)


def default_text(value: object) -> str:
    """A default for people."""
    match value:
        case _ if value is REQUIRED:
            return "required"
        case None | () | {}:
            return "none"
        case "":
            return "empty"
        case bool():
            return str(value).lower()
        case Enum():
            return str(value.value)
        case tuple():
            return ", ".join(map(default_text, value))
    return str(value)


def table(name: str) -> str:
    """The settings of one command as a Markdown table."""
    rows = ["| setting | values | default | what it does |", "|---|---|---|---|"]
    for setting in flat_settings(command_class(name)):
        doc = " ".join(setting.doc.split()).replace("|", r"\|")
        rows.append(f"| `{setting.name}` | {type_text(setting.hint)} | {default_text(setting.default)} | {doc} |")
    return "\n".join(rows) + "\n"


def updated(page: str) -> str:
    """The page with every table as the commands are now."""
    return _TABLE.sub(lambda match: match[1] + table(match[2]) + match[3], page)


if __name__ == "__main__":
    PAGE.write_text(updated(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
