"""The code on docs/measures.md runs, and its table counts what is there."""

import re
from pathlib import Path

import pytest

from plaudit.evaluation.sets import alarming_prompts, harmful_prompts, identity_pairs, instructed_prompts

PAGE = (Path(__file__).parents[2] / "docs" / "measures.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```python\n(.*?)```", PAGE, flags=re.DOTALL)


@pytest.mark.parametrize("code", BLOCKS, ids=[block.splitlines()[0] for block in BLOCKS])
def test_the_code_runs(code: str) -> None:
    exec(compile(code, "docs/measures.md", "exec"), {})


def test_the_sets_are_as_large_as_the_page_says() -> None:
    for name, rows in (
        ("harmful_prompts", harmful_prompts()),
        ("alarming_prompts", alarming_prompts()),
        ("identity_pairs", identity_pairs()),
        ("instructed_prompts", instructed_prompts()),
    ):
        assert f"| `{name}()` | {len(rows)} " in PAGE
    assert f"of {len({row.kind for row in harmful_prompts()})} kinds" in PAGE
    assert f"with {sum(len(row.instructions) for row in instructed_prompts())} checkable" in PAGE
