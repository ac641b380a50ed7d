"""Style counted by hand, and differences that only change sign when the sides do."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plaudit.rules.style import STYLE_NAMES, Style, style_of

DRESSED = """# Tea

Boil **fresh** water. __Then__:

1. Warm the pot
2) Add leaves
   - two spoons
   * `stir`

---
* * *

## A word of *warning*

**Hot!** Not `**bold**`, nor #this, nor -this, nor in__it__self.

```python
# no heading
- no item
**no bold**
```
"""


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", (0, 0, 0, 0)),
        ("Plain words, and a line\nmore.", (6, 0, 0, 0)),
        ("喝茶 **很好**", (4, 0, 0, 1)),
        ("# One\n#Not one\n####### nor this\n###### Six\n    # nor code", (8, 2, 0, 0)),
        ("- a\n+ b\n* c\n10. d\n3) e\n-f\n1.g", (10, 0, 5, 0)),
        ("**a** and **b c**, ***d***, 2 ** 3 ** 4, ** e **, ****", (9, 0, 0, 3)),
        ("__a__ snake__case__name __b c__", (6, 0, 0, 2)),
        ("- - -\n***\n_ _ _\n---", (0, 0, 0, 0)),
        ("```\n# a\n", (1, 0, 0, 0)),
        ("~~~~\n- a\n~~~\n- b\n~~~~\n- c", (3, 0, 1, 0)),
        ("```- a``` **b**\n- `c`", (3, 0, 1, 1)),
        ("x ``a ` **b**`` **c**", (4, 0, 0, 1)),
    ],
)
def test_counts(text: str, expected: tuple[int, ...]) -> None:
    assert style_of(text) == Style(*expected)


def test_a_page_of_everything() -> None:
    found = style_of(DRESSED)
    assert (found.num_headings, found.num_list_items, found.num_bold) == (2, 4, 3)


def test_differences_worked_by_hand() -> None:
    """(30 - 10) / 41, (0 - 1) / 2, (8 - 2) / 11, nothing on either side."""
    found = Style(30, 0, 8, 0).differences(Style(10, 1, 2, 0))
    assert found == pytest.approx({"length": 20 / 41, "headings": -0.5, "lists": 6 / 11, "bold": 0.0})
    assert tuple(found) == STYLE_NAMES


counts = st.builds(Style, *[st.integers(0, 500)] * 4)


@given(counts, counts)
def test_exchanging_the_sides_changes_the_sign(a: Style, b: Style) -> None:
    forth, back = a.differences(b), b.differences(a)
    assert all(forth[name] == -back[name] and abs(forth[name]) < 1 for name in STYLE_NAMES)


@given(st.text(alphabet="ab *_`#-1.\n~", max_size=60), st.text(alphabet="ab *_#-1.\n", max_size=30))
def test_what_stands_in_a_code_block_is_no_dress(prose: str, code: str) -> None:
    bare = style_of(prose.replace("`", "").replace("~", "") + "\n\n")
    coded = style_of(prose.replace("`", "").replace("~", "") + f"\n\n```\n{code}\n```\n")
    assert (coded.num_headings, coded.num_list_items, coded.num_bold) == (
        bare.num_headings,
        bare.num_list_items,
        bare.num_bold,
    )
