"""The table in this folder's docstring names tests that exist."""

import ast
from pathlib import Path

import tests.trainers

TESTS = Path(__file__).parents[1]


def entries() -> list[tuple[str, list[tuple[str, str]]]]:
    """Each item with the (file, test) pairs below it."""
    found: list[tuple[str, list[tuple[str, str]]]] = []
    for line in (tests.trainers.__doc__ or "").splitlines():
        if line.startswith(" " * 8):
            file, name = line.split()
            found[-1][1].append((file, name))
        elif line.startswith(" " * 4):
            found.append((line.strip(), []))
    return found


def test_every_item_is_there() -> None:
    numbered = [int(item.split()[0]) for item, _ in entries() if item[0].isdigit()]
    assert numbered == [i for i in range(1, 30) if i not in (1, 4, 12, 27, 28)]
    assert len(entries()) - len(numbered) == 9


def test_every_item_has_tests_and_they_exist() -> None:
    for item, named in entries():
        assert named, item
        for file, name in named:
            tree = ast.parse((TESTS / file).read_text(encoding="utf-8"))
            functions = {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}
            assert name in functions, f"{item}: {file} has no {name}"
