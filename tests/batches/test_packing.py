"""Answers to one prompt in one row: every token in its place, seeing what it saw before."""

import torch
from hypothesis import given
from hypothesis import strategies as st

from plaudit.batches.packing import Packing, packed
from plaudit.batches.tokens import EncodedRow, TokenRows, collated

P, Q, A, B, C = 11, 12, 21, 22, 23
WIDE = 10_000  # a network so wide that attention costs nothing: packing always pays


def rows_of(answers: list[tuple[int, int, int]]) -> TokenRows:
    """Rows of (prompt, its length, the answer's length), every cell with a token id of its own but for the prompts."""
    rows = []
    for number, (prompt, start, length) in enumerate(answers):
        own = range(1000 * (number + 1), 1000 * (number + 1) + length)
        rows.append(EncodedRow((*range(100 * prompt, 100 * prompt + start), *own), (False,) * start + (True,) * length))
    return collated(rows, pad_id=0)


def seen(packing: Packing, tokens: torch.Tensor, g: int, column: int) -> list[int]:
    """What one packed cell attends to."""
    return tokens[g][packing.visible_mask[g, column]].tolist()


def test_two_answers_to_one_prompt_by_hand() -> None:
    both = [EncodedRow((P, Q, A, B), (False, False, True, True)), EncodedRow((P, Q, C), (False, False, True))]
    rows = collated(both, pad_id=0)
    packing = packed(rows, WIDE)
    assert packing is not None
    tokens = packing.pack(rows.token_ids)
    assert tokens.tolist() == [[P, Q, A, B, C, P, P, P]]
    assert packing.positions[0, :5].tolist() == [0, 1, 2, 3, 2]
    assert [seen(packing, tokens, 0, column) for column in range(5)] == [
        [P],
        [P, Q],
        [P, Q, A],
        [P, Q, A, B],
        [P, Q, C],
    ]
    assert packing.unpack(tokens)[rows.attention_mask].tolist() == [P, Q, A, B, P, Q, C]


answers = st.lists(st.tuples(st.integers(0, 2), st.integers(0, 5)), min_size=1, max_size=9)


@given(answers)
def test_every_token_sees_what_it_saw_in_a_row_of_its_own(pairs: list[tuple[int, int]]) -> None:
    rows = rows_of([(prompt, 2 + prompt, length) for prompt, length in pairs])
    packing = packed(rows, WIDE)
    if packing is None:
        # Nothing is shared, or padding to the longest group costs more cells than the prompts that are read again.
        groups = [[(p, n) for p, n in pairs if p == prompt] for prompt in {p for p, _ in pairs}]
        widest = max(2 + group[0][0] + sum(n for _, n in group) for group in groups)
        assert len(groups) == len(pairs) or len(groups) * widest >= len(pairs) * rows.token_ids.shape[1]
        return
    tokens, width = packing.pack(rows.token_ids), packing.positions.shape[1]
    assert len(tokens) == len({prompt for prompt, _ in pairs})
    for i, length in enumerate(rows.lengths.tolist()):
        for t in range(length):
            g, column = divmod(int(packing.target[i, t]), width)
            assert seen(packing, tokens, g, column) == rows.token_ids[i, : t + 1].tolist()
            assert packing.positions[g, column] == t
    # Padding too sees something: a row of a softmax with nothing in it is not a number.
    assert bool(packing.visible_mask.any(-1).all())


def test_nothing_is_packed_where_no_prompt_is_shared_or_none_is_known() -> None:
    rows = rows_of([(0, 3, 2), (1, 3, 2)])
    assert packed(rows, WIDE) is None
    unknown = TokenRows(rows.token_ids, rows.attention_mask, rows.answer_mask)
    assert packed(unknown, WIDE) is None


def test_long_answers_to_a_short_prompt_are_left_apart() -> None:
    """By hand, at width 64: 8 rows of 408 tokens cost 8 * 408 * (384 + 408), one of 3208 costs 3208 * (384 + 3208)."""
    rows = rows_of([(0, 8, 400)] * 8)
    assert 3208 * (384 + 3208) > 8 * 408 * (384 + 408)
    assert packed(rows, 64) is None
    # A network of width 4096: 3208 * (24576 + 3208) against 3264 * (24576 + 408); still a row too long to pay.
    assert packed(rows, 4096) is None
    # The same answers to a long prompt.
    assert packed(rows_of([(0, 400, 8)] * 8), 64) is not None
