"""README's tree says what the modules say of themselves, its table of results what the committed runs say."""

import runpy
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_the_tree_in_the_readme_is_current() -> None:
    written = (ROOT / "README.md").read_text(encoding="utf-8")
    assert runpy.run_path(str(ROOT / "docs" / "tree.py"))["updated"](written) == written, "run `make docs`"


def test_the_demos_table_in_the_readme_is_current() -> None:
    written = (ROOT / "README.md").read_text(encoding="utf-8")
    assert runpy.run_path(str(ROOT / "docs" / "results.py"))["updated"](written) == written, "run `make docs`"
    assert "<!-- demo -->" in written


def test_every_module_says_what_it_is() -> None:
    first_line = runpy.run_path(str(ROOT / "docs" / "tree.py"))["first_line"]
    silent = [str(path.relative_to(ROOT)) for path in (ROOT / "src").rglob("*.py") if not first_line(path)]
    assert silent == []


def test_the_tables_on_quality_are_those_of_the_committed_figures() -> None:
    written = (ROOT / "docs" / "quality.md").read_text(encoding="utf-8")
    assert runpy.run_path(str(ROOT / "docs" / "quality_tables.py"))["updated"](written) == written, "run `make docs`"
    assert "| 50 |" in written
