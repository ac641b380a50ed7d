"""Train and test never share a prompt, and nothing moves when data is added."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plaudit.formats import leaked_prompts, open_records, shuffled_sides, split_by_prompt
from plaudit.formats.splits import split_key
from plaudit.schemas.conversation import assistant, prompt_id, user
from plaudit.schemas.errors import PlauditError
from plaudit.schemas.feedback import AnyRecord, Comparison, Demonstration, Document, Prompt, Ranking, Verdict


def demonstration(prompt: str, answer: str = "x") -> Demonstration:
    return Demonstration(id=f"{prompt}-{answer}", prompt=(user(prompt),), completion=(assistant(answer),))


MANY = [demonstration(str(i)) for i in range(4000)]


def test_a_split_is_pinned() -> None:
    """These sides must never change: who was evaluated on last year's test prompts must be able to repeat it.

    The numbers were made with hashlib alone: SHA-256 of "split:0:" and the prompt id, the first 14 hex digits.
    """
    train, test = split_by_prompt(MANY[:20], 0.3, seed=0)
    assert [record.prompt[0].text for record in test] == ["1", "4", "5", "11", "13"]
    assert len(train) + len(test) == 20


def test_the_fraction_is_met_on_average() -> None:
    # 4,000 prompts at 0.2: the standard deviation of the fraction is 0.0063, four of them are allowed.
    _, test = split_by_prompt(MANY, 0.2, seed=1)
    assert abs(len(test) / len(MANY) - 0.2) < 0.0253


def test_seeds_are_independent() -> None:
    sides = [{record.id for record in split_by_prompt(MANY, 0.5, seed)[1]} for seed in (0, 1)]
    # Independent halves share a quarter of 4,000; the standard deviation of their number is 27.4, four are allowed.
    assert abs(len(sides[0] & sides[1]) - 1000) < 110


def test_the_ends_of_the_range() -> None:
    assert split_by_prompt(MANY, 0.0, 0) == (MANY, [])
    assert split_by_prompt(MANY, 1.0, 0) == ([], MANY)
    for test_frac in (-0.1, 1.1, float("nan")):
        with pytest.raises(PlauditError, match="between 0 and 1"):
            split_by_prompt(MANY, test_frac, 0)


@given(
    st.lists(st.tuples(st.sampled_from("pqrstuvw"), st.text(max_size=3)), max_size=30),
    st.floats(0, 1),
    st.integers(0, 2**63),
)
def test_equal_prompts_land_on_the_same_side_and_order_is_kept(
    rows: list[tuple[str, str]], test_frac: float, seed: int
) -> None:
    records = [demonstration(*row) for row in rows]
    train, test = split_by_prompt(records, test_frac, seed)
    assert leaked_prompts(train, test) == []
    in_test = {record.prompt for record in test}
    assert train == [record for record in records if record.prompt not in in_test]
    assert test == [record for record in records if record.prompt in in_test]


def test_added_records_move_nobody() -> None:
    before = {record.id for record in split_by_prompt(MANY[:100], 0.4, 3)[1]}
    after = {record.id for record in split_by_prompt([*MANY[3000:], *MANY[:100][::-1]], 0.4, 3)[1]}
    assert before <= after
    assert not (after - before) & {record.id for record in MANY[:100]}


def test_all_kinds_over_one_prompt_go_together() -> None:
    prompt, x, y = (user("p"),), (assistant("x"),), (assistant("y"),)
    kinds: list[AnyRecord] = [
        Prompt(prompt=prompt),
        Demonstration(prompt=prompt, completion=x),
        Comparison(prompt=prompt, a=x, b=y, verdict=Verdict.B),
        Ranking(prompt=prompt, completions=(x, y), ranks=(0, 1)),
    ]
    assert {split_key(record) for record in kinds} == {prompt_id(prompt)}
    for seed in range(20):
        assert [] in split_by_prompt(kinds, 0.5, seed)


def test_documents_are_split_by_their_text() -> None:
    documents = [Document(text=text) for text in ("a", "b", "a")]
    assert split_key(documents[0]) == split_key(documents[2]) != split_key(documents[1])


def test_leaks_are_named_once_in_the_order_of_the_test_set() -> None:
    train = [demonstration(text) for text in ("a", "b", "c")]
    test = [demonstration("c", "other"), demonstration("d"), demonstration("a"), demonstration("c")]
    assert leaked_prompts(train, test) == [prompt_id((user("c"),)), prompt_id((user("a"),))]
    assert leaked_prompts(train, [demonstration("d")]) == []
    assert leaked_prompts([], test) == []


def comparisons(num: int) -> list[Comparison]:
    prompt, x, y = (user("p"),), (assistant("x"),), (assistant("y"),)
    return [Comparison(id=str(i), prompt=prompt, a=x, b=y, verdict=Verdict.A) for i in range(num)]


def test_shuffled_sides_swap_answers_and_verdict_together() -> None:
    records = comparisons(1000)
    shuffled = shuffled_sides(records, seed=0)
    for before, after in zip(records, shuffled, strict=True):
        swapped = after.verdict is Verdict.B
        assert (after.a, after.b) == ((before.b, before.a) if swapped else (before.a, before.b))
    # 1,000 fair coins: the standard deviation is 15.8, four of them are allowed.
    assert abs(sum(record.verdict is Verdict.B for record in shuffled) - 500) < 64
    assert shuffled == shuffled_sides(records[::-1], seed=0)[::-1]
    assert shuffled != shuffled_sides(records, seed=1)


@pytest.mark.parametrize("verdict", [Verdict.TIE, Verdict.BOTH_BAD, Verdict.INCOMPARABLE])
def test_verdicts_without_a_side_stay(verdict: Verdict) -> None:
    records = [record.model_copy(update={"verdict": verdict}) for record in comparisons(20)]
    assert {record.verdict for record in shuffled_sides(records, 0)} == {verdict}
    assert len({record.a for record in shuffled_sides(records, 0)}) == 2


def test_the_real_pairs_split_without_leaks(real_data: Path) -> None:
    records = open_records(real_data / "hh-harmless-base" / "pairs.jsonl").of(Comparison)
    train, test = split_by_prompt(records, 0.1, seed=0)
    assert leaked_prompts(train, test) == []
    # 1,712 rows at 0.1: the standard deviation of their number is 12.4, four are allowed.
    assert abs(len(test) - 171) < 50
