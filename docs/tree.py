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


def listed(package: Path, depth: int) -> list[str]:
    """A package's line, below it its modules', then those of the packages in it."""
    indent = "  " * depth
    lines = [f"{indent}{package.name + '/':<{26 - len(indent)}}{first_line(package / '__init__.py')}"]
    for module in sorted(package.glob("*.py")):
        if module.name != "__init__.py":
            lines.append(f"{indent}  {module.name:<{24 - len(indent)}}{first_line(module)}")
    for inner in packages(package):
        lines += listed(inner, depth + 1)
    return lines


def packages(folder: Path) -> list[Path]:
    """The packages directly in a folder."""
    return sorted(path for path in folder.iterdir() if (path / "__init__.py").is_file())


def tree() -> str:
    """The package's rooms and files with a line each."""
    lines = ["```", "src/plaudit/"]
    for room in packages(ROOT / "src" / "plaudit"):
        lines += listed(room, 1)
    lines += [
        "tests/                    mirrors src room by room; tests/mutate.py sabotages the code",
        "docs/                     data formats, commands, evaluation, human studies, the run folder",
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
