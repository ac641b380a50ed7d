"""Duplicates against a slow comparison of all pairs by sets of strings, which shares no code with the fast one."""

from __future__ import annotations

import json
import os
import re
import string
import unicodedata
from itertools import combinations
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plaudit.quality import duplicates
from plaudit.quality.duplicates import (
    Wording,
    canonical_text,
    exact_duplicates,
    near_duplicates,
    shingles,
    similarity,
)
from plaudit.schemas.errors import PlauditError

SIGNS = set(string.whitespace) | set(".,;:!?'\"‘’“”…·、。，；：！？（）()[]【】「」『』《》〈〉")


def slow_shingles(text: str) -> set[str]:
    """Runs of five letters, Han characters written three times, without punctuation and white space."""
    plain = [char for char in unicodedata.normalize("NFC", text).casefold() if char not in SIGNS and not char.isspace()]
    letters = "".join(3 * char if ord(char) >= 0x2E80 else char for char in plain)
    if not letters:
        return set()
    return {letters[start : start + 5] for start in range(max(1, len(letters) - 4))}


def jaccard(a: set[str], b: set[str]) -> float:
    return len(a & b) / len(a | b) if a | b else 1.0


def numbers(text: str) -> list[str]:
    return re.findall("[0-9]+", text)


def slow_clusters(wordings: list[Wording], threshold: float) -> set[tuple[int, ...]]:
    """All pairs compared, then clusters joined until nothing changes."""
    cluster = {index: {index} for index in range(len(wordings))}
    for i, j in combinations(range(len(wordings)), 2):
        a, b = wordings[i], wordings[j]
        if a.group != b.group or len(a.parts) != len(b.parts):
            continue
        parts = list(zip(a.parts, b.parts, strict=True))
        # With no letter anywhere there is nothing to compare: equal texts are found as such.
        if not any(slow_shingles(one) for one in a.parts):
            continue
        if all(jaccard(slow_shingles(x), slow_shingles(y)) >= threshold and numbers(x) == numbers(y) for x, y in parts):
            joined = cluster[i] | cluster[j]
            for index in joined:
                cluster[index] = joined
    return {tuple(sorted(members)) for members in cluster.values() if len(members) > 1}


def texts(*rows: str) -> list[Wording]:
    return [Wording("", (row,)) for row in rows]


@pytest.mark.parametrize(
    ("a", "b", "expected"),
    [
        # abcde bcdef cdefg against abcde bcdef cdefx.
        ("abcdefg", "abcdefx", 2 / 4),
        ("abcdefg", "ABCDEFG!", 1.0),
        ("abc", "abc", 1.0),
        ("abc", "abd", 0.0),
        ("", "", 1.0),
        ("", "abc", 0.0),
        # 你你你好好 你你好好好 你好好好吗 好好好吗吗 好好吗吗吗; the first two are in 你好呀 as well.
        ("你好吗", "你好呀", 2 / 8),
        ("你好吗", "你好吗？", 1.0),
        ("a+b=c", "a-b=c", 0.0),
        ("e\u0301t\u00e9 de l'an", "\u00e9t\u00e9 de l'an", 1.0),
    ],
)
def test_similarity_by_hand(a: str, b: str, expected: float) -> None:
    assert similarity(shingles(a), shingles(b)) == expected == jaccard(slow_shingles(a), slow_shingles(b))


@given(st.text(max_size=30), st.text(max_size=30))
def test_similarity_is_that_of_sets_of_strings(a: str, b: str) -> None:
    assert len(shingles(a)) == len(slow_shingles(a))
    assert similarity(shingles(a), shingles(b)) == jaccard(slow_shingles(a), slow_shingles(b))


WORDS = [
    "how",
    "do",
    "I",
    "bake",
    "a",
    "good",
    "loaf",
    "at",
    "home",
    "请问",
    "怎么",
    "在家",
    "烤",
    "一个",
    "面包",
    "吗",
    "7",
    "8",
]
sentences = st.lists(st.sampled_from(WORDS), max_size=9).map(" ".join)
wordings = st.lists(
    st.builds(Wording, st.sampled_from(["x", "y"]), st.lists(sentences, min_size=1, max_size=2).map(tuple)), max_size=14
)


@given(wordings, st.sampled_from([0.3, 0.5, 0.8, 1.0]))
def test_clusters_are_those_of_all_pairs_compared(rows: list[Wording], threshold: float) -> None:
    found = near_duplicates(rows, threshold)
    assert set(found) == slow_clusters(rows, threshold)
    assert [cluster[0] for cluster in found] == sorted(cluster[0] for cluster in found)


@given(wordings.flatmap(lambda rows: st.tuples(st.just(rows), st.permutations(range(len(rows))))))
def test_the_order_of_the_texts_makes_no_other_clusters(drawn: tuple[list[Wording], list[int]]) -> None:
    rows, order = drawn
    shuffled = near_duplicates([rows[index] for index in order], 0.5)
    assert {tuple(sorted(order[place] for place in cluster)) for cluster in shuffled} == set(near_duplicates(rows, 0.5))


def test_many_rows_are_compared_a_portion_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = texts(*(f"{word} the lazy dog sleeps {'very ' * (place % 3)}well" for place, word in enumerate(4 * WORDS)))
    whole = near_duplicates(rows, 0.7)
    monkeypatch.setattr(duplicates, "_ROWS", 7)
    assert near_duplicates(rows, 0.7) == whole
    assert set(whole) == slow_clusters(rows, 0.7)


def test_english_and_chinese_texts_with_a_slip_are_alike() -> None:
    rows = texts(
        "Please explain to me how a heat pump works in winter.",
        "请给我解释一下热泵在冬天是怎么工作的，谢谢你。",
        "please explain to me, how a heat pump works in winter",
        "请给我解释一下热泵在冬天是怎么工作的谢谢您",
        "Please explain to me how a bill becomes a law in Wales.",
        "请给我解释一下为什么海水是咸的，谢谢你。",
    )
    assert near_duplicates(rows, 0.8) == [(0, 2), (1, 3)]


def test_what_differs_in_a_number_or_a_sign_is_another_question() -> None:
    assert near_duplicates(texts("What is 1234567 plus 20?", "What is 1234567 plus 21?"), 0.7) == []
    assert near_duplicates(texts("Solve x + yyyyyyyyy", "Solve x * yyyyyyyyy"), 1.0) == []
    assert exact_duplicates(texts("What is 3+4?", "What is 3*4?", "what is 3+4?")) == []


def test_every_part_must_be_alike() -> None:
    """One passage and two questions about it: nine tenths of the words are the same, and the rows are not."""
    passage = "The tide turned at noon and the boats went out to the grey rocks. " * 8
    rows = [Wording("", (passage, "Who went out?")), Wording("", (passage, "What turned at noon?"))]
    assert near_duplicates(rows, 0.8) == []
    assert near_duplicates(texts(*(" ".join(row.parts) for row in rows)), 0.8) == [(0, 1)]


def test_a_chain_hangs_together_and_groups_do_not() -> None:
    chain = ["abcdefghijkl", "abcdefghijklmn", "abcdefghijklmnop"]
    assert near_duplicates(texts(*chain), 0.8) == [(0, 1, 2)]
    assert near_duplicates(texts(chain[0], chain[2]), 0.8) == []
    assert near_duplicates([Wording(name, ("the same text",)) for name in "aab"], 0.8) == [(0, 1)]


def test_equal_texts_are_those_that_differ_in_white_space_and_composition_alone() -> None:
    rows = texts("caf\u00e9  au\nlait", "Caf\u00e9 au lait", "cafe\u0301 au lait ", "", " ")
    assert exact_duplicates(rows) == [(0, 2), (3, 4)]
    assert canonical_text("\ta  b\u3000c\n") == "a b c"
    assert exact_duplicates([Wording("x", ("a", "b")), Wording("y", ("a", "b")), Wording("x", ("ab", ""))]) == []


def test_nothing_and_nonsense() -> None:
    assert near_duplicates([], 0.8) == exact_duplicates([]) == []
    assert near_duplicates(texts("", "", "?!"), 0.8) == []
    assert near_duplicates([Wording("", ()), Wording("", ())], 0.8) == []
    for threshold in (0.0, -1.0, 1.1, float("nan")):
        with pytest.raises(PlauditError, match="must lie above 0 and at most at 1, got"):
            near_duplicates([], threshold)


def test_published_records_have_the_duplicates_that_all_pairs_show() -> None:
    folder = os.environ.get("PLAUDIT_DATA")
    if not folder:
        pytest.skip("set PLAUDIT_DATA to the folder of data sets")
    lines = (Path(folder) / "oasst1-zh" / "oaast_sft_zh.jsonl").read_text(encoding="utf-8").splitlines()
    rows = [json.loads(line) for line in lines] if lines[0].startswith("{") else json.loads("\n".join(lines))
    prompts = texts(*(row["instruction"] for row in rows[:250]))
    assert set(near_duplicates(prompts, 0.5)) == slow_clusters(prompts, 0.5) != set()
