"""Groups of answers with their pairs."""

import torch
from hypothesis import given
from hypothesis import strategies as st

from plaudit.batches.preferences import EncodedGroup, PreferenceRows, collated_groups
from plaudit.batches.tokens import EncodedRow


def group(first: int, lengths: list[int], pairs: list[tuple[int, int, float, float, float]]) -> EncodedGroup:
    """Answers whose first token names them: `first`, `first` + 1, ..."""
    rows = [EncodedRow((first + i, *[1] * length), (False, *[True] * length)) for i, length in enumerate(lengths)]
    return EncodedGroup(tuple(rows), tuple(pairs))


GROUPS = [
    group(10, [1, 4, 2], [(0, 1, 1.0, 0.5, 0.0), (1, 2, 0.5, 0.5, 0.25)]),
    group(20, [1], []),
    group(30, [3, 2], [(1, 0, 0.0, 2.0, 0.0)]),
]


def judged(preferences: PreferenceRows) -> set[tuple[int, int, float, float, float]]:
    """The pairs by the names of their answers, in whatever order."""
    names = preferences.rows.token_ids[:, 0]
    columns = (preferences.targets, preferences.weights, preferences.margins)
    return {
        (int(names[a]), int(names[b]), *(float(column[i]) for column in columns))
        for i, (a, b) in enumerate(zip(preferences.pair_a.tolist(), preferences.pair_b.tolist(), strict=True))
    }


PAIRS = {(10, 11, 1.0, 0.5, 0.0), (11, 12, 0.5, 0.5, 0.25), (31, 30, 0.0, 2.0, 0.0)}


def test_each_answer_is_one_row_and_pairs_point_at_rows() -> None:
    found = collated_groups(GROUPS, pad_id=0)
    assert found.rows.token_ids[:, 0].tolist() == [10, 11, 12, 20, 30, 31]
    assert found.group_of_row.tolist() == [0, 0, 0, 1, 2, 2]
    assert found.group_of_pair.tolist() == [0, 0, 2]
    assert found.num_groups == 3
    assert judged(found) == PAIRS


def test_groups_without_pairs_make_an_empty_list_of_pairs() -> None:
    found = collated_groups([GROUPS[1]], pad_id=0)
    assert (len(found.rows), len(found.pair_a), len(found.targets)) == (1, 0, 0)


def test_selected_groups_keep_their_answers_pairs_and_reference() -> None:
    found = collated_groups(GROUPS, pad_id=0)
    found = found.with_rows(found.rows, ref_logprobs=-found.rows.token_ids[:, 0].float())
    chosen = found.select_groups(torch.tensor([2, 1]))
    assert judged(chosen) == {(31, 30, 0.0, 2.0, 0.0)}
    assert sorted(chosen.rows.token_ids[:, 0].tolist()) == [20, 30, 31]
    assert chosen.ref_logprobs is not None
    assert torch.equal(chosen.ref_logprobs, -chosen.rows.token_ids[:, 0].float())
    assert chosen.group_of_row.tolist() == [1, 0, 0]  # in the order asked for: group 2 is now 0


@given(st.integers(1, 8))
def test_micro_batches_hold_every_pair_once_and_split_no_group(max_rows: int) -> None:
    parts = collated_groups(GROUPS, pad_id=0).micro_batches(max_rows)
    assert sum(len(part.pair_a) for part in parts) == len(PAIRS)
    assert set().union(*(judged(part) for part in parts)) == PAIRS
    for part in parts:
        assert len(part.rows) <= max_rows or part.num_groups == 1
