"""Writes the tree in README.md from the first line of each module's docstring: `python docs/tree.py`."""

import ast
import re
from pathlib import Path

ROOT = Path(__file__).parent.parent
_TREE = re.compile(r"(<!-- tree -->\n).*?(<!-- end of tree -->)", flags=re.DOTALL)


def first_line(path: Path) -> str:
    """The first line of a module's docstring."""
    text = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""
    return text.splitlines()[0] if text else ""


def tree() -> str:
    """The package's rooms and files with a line each."""
    lines = ["```", "src/plaudit/"]
    for room in sorted(path for path in (ROOT / "src" / "plaudit").iterdir() if (path / "__init__.py").is_file()):
        lines.append(f"  {room.name + '/':<24}{first_line(room / '__init__.py')}")
        for module in sorted(room.rglob("*.py")):
            name = module.relative_to(room).as_posix().removesuffix("__init__.py")
            if name:
                lines.append(f"    {name + ' ':<22}{first_line(module)}")
    lines += [
        "tests/                    mirrors src room by room; tests/mutate.py sabotages the code",
        "docs/                     data formats, commands, evaluation, the run folder",
        "recipes/                  whole stories: settings and what came of them",
        "benchmarks/               exact commands and their result tables",
        "```",
    ]
    return "\n".join(lines) + "\n"


def updated(page: str) -> str:
    """The page with the tree as it is now."""
    return _TREE.sub(lambda match: match[1] + tree() + match[2], page)


if __name__ == "__main__":
    readme = ROOT / "README.md"
    readme.write_text(updated(readme.read_text(encoding="utf-8")), encoding="utf-8")
