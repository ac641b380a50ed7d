"""Rows of token ids: padding, masks, selection, micro-batches."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from jaxtyping import TypeCheckError

from plaudit.batches.tokens import EncodedRow, TokenRows, collated, portions, rounded_up

T, F = True, False
SHORT = EncodedRow((7, 8, 9), (F, F, T))
LONG = EncodedRow((4, 5, 6, 7, 8), (F, T, T, F, T))


def test_padding_is_on_the_right_and_counts_nowhere() -> None:
    rows = collated([SHORT, LONG], pad_id=0)
    assert rows.token_ids.tolist() == [[7, 8, 9, 0, 0], [4, 5, 6, 7, 8]]
    assert rows.attention_mask.tolist() == [[T, T, T, F, F], [T] * 5]
    assert rows.answer_mask.tolist() == [[F, F, T, F, F], [F, T, T, F, T]]
    assert (len(rows), rows.num_answer_tokens, rows.lengths.tolist()) == (2, 4, [3, 5])
    assert rows.trunk is None


def test_a_token_equal_to_the_pad_is_still_attended_to() -> None:
    """The mask comes from the length, never from the id."""
    rows = collated([EncodedRow((0, 0), (F, T)), SHORT], pad_id=0)
    assert rows.attention_mask[0].tolist() == [T, T, F]
    assert rows.answer_mask[0].tolist() == [F, T, F]


def test_zero_rows_are_refused() -> None:
    with pytest.raises(ValueError, match="zero rows"):
        collated([], pad_id=0)


@pytest.mark.parametrize(
    ("attention", "answer"), [([T, T, F], [F, F, T]), ([T, T, T], [T, F, F])], ids=["padding", "first column"]
)
def test_an_answer_token_needs_attention_and_a_token_before_it(attention: list[bool], answer: list[bool]) -> None:
    with pytest.raises(ValueError, match="must be attended to and have a token before it"):
        TokenRows(torch.tensor([[1, 2, 3]]), torch.tensor([attention]), torch.tensor([answer]))


def test_masks_of_another_shape_are_refused() -> None:
    """By the record itself, or before it by the hook that checks shapes in tests."""
    with pytest.raises((ValueError, TypeCheckError)):
        TokenRows(torch.tensor([[1, 2, 3]]), torch.ones((1, 2)).bool(), torch.zeros((1, 3)).bool())


def test_a_mask_of_numbers_is_refused() -> None:
    """The import hook that checks shapes and types in tests is at work."""
    with pytest.raises(TypeCheckError):
        TokenRows(torch.tensor([[1, 2]]), torch.ones((1, 2)), torch.zeros((1, 2)).bool())


def test_selected_rows_are_cut_to_the_longest_of_them_rounded_up_to_eights() -> None:
    lengthy = EncodedRow(tuple(range(10, 30)), (False,) * 10 + (True,) * 10)
    rows = collated([SHORT, lengthy, SHORT], pad_id=0).with_trunk(torch.arange(120.0).reshape(3, 20, 2), "key")
    short = rows.select(torch.tensor([2, 0]))
    assert short.token_ids.tolist() == [[7, 8, 9, 0, 0, 0, 0, 0]] * 2
    assert short.attention_mask.shape == short.answer_mask.shape == (2, 8)
    assert short.trunk is not None
    assert short.trunk[:, 0, 0].tolist() == [80.0, 0.0]
    assert (short.trunk.shape, short.trunk_key) == ((2, 8, 2), "key")
    # Never wider than it was.
    assert rows.select(torch.tensor([1])).token_ids.tolist() == [list(range(10, 30))]


@pytest.mark.parametrize(("num", "step", "up"), [(0, 8, 0), (1, 8, 8), (8, 8, 8), (9, 8, 16), (65, 64, 128)])
def test_numbers_are_rounded_up(num: int, step: int, up: int) -> None:
    assert rounded_up(num, step) == up


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_rows_move_to_a_device_whole() -> None:
    rows = collated([SHORT], pad_id=0).with_trunk(torch.zeros((1, 3, 2)), "key").to(torch.device("cuda"))
    assert rows.trunk is not None
    assert rows.trunk_key == "key"
    tensors = (rows.token_ids, rows.attention_mask, rows.answer_mask, rows.trunk)
    assert {tensor.device.type for tensor in tensors} == {"cuda"}


def row(length: int, prompt: int) -> EncodedRow:
    return EncodedRow((prompt, *range(length)), (F, *[T] * length))


@given(st.lists(st.integers(1, 9), min_size=1, max_size=12), st.integers(1, 5))
def test_micro_batches_hold_every_row_once_longest_first(lengths: list[int], size: int) -> None:
    rows = collated([row(length, 100 + i) for i, length in enumerate(lengths)], pad_id=0)
    parts = list(rows.micro_batches(size, torch.arange(len(lengths)).flip(0)))
    flat = torch.cat(parts).tolist()
    assert sorted(flat) == list(range(len(lengths)))
    assert [lengths[i] for i in flat] == sorted(lengths, reverse=True)
    assert all(len(part) == size for part in parts[:-1])


@given(st.lists(st.tuples(st.integers(1, 9), st.integers(0, 3)), min_size=1, max_size=16), st.integers(1, 6))
def test_micro_batches_keep_the_answers_to_one_prompt_together_where_they_fit(
    answers: list[tuple[int, int]], size: int
) -> None:
    rows = collated([row(*answer) for answer in answers], pad_id=0)
    parts = [part.tolist() for part in rows.micro_batches(size)]
    assert sorted(i for part in parts for i in part) == list(range(len(answers)))
    assert all(len(part) <= size for part in parts)
    for prompt in range(4):
        siblings = [i for i, (_, of) in enumerate(answers) if of == prompt]
        holding = [part for part in parts if set(part) & set(siblings)]
        assert len(holding) == -(-len(siblings) // size)


def test_rows_are_numbered_by_their_prompt() -> None:
    """All tokens before the first that counts: longer prompts that begin alike are others."""
    same, other = EncodedRow((7, 8, 1, 2), (F, F, T, F)), EncodedRow((7, 8, 1), (F, F, F))
    rows = collated([SHORT, same, LONG, other, SHORT], pad_id=0)
    assert rows.prompt_index is not None
    assert rows.prompt_index.tolist() == [0, 0, 1, 2, 0]
    chosen = rows.select(torch.tensor([4, 2])).prompt_index
    assert chosen is not None
    assert chosen.tolist() == [0, 1]


@given(st.lists(st.integers(0, 4), max_size=9), st.integers(1, 6))
def test_groups_fill_portions_in_order_and_are_never_divided(sizes: list[int], size: int) -> None:
    groups = [[g] * num for g, num in enumerate(sizes)]
    found = portions(groups, size)
    assert [member for portion in found for member in portion] == [member for group in groups for member in group]
    for portion in found:
        assert len(portion) <= size or len(set(portion)) == 1
    assert sum(len(set(portion)) for portion in found) == sum(num > 0 for num in sizes)


def test_a_row_has_one_mask_entry_a_token() -> None:
    with pytest.raises(ValueError, match="3 ids, 2 mask entries"):
        EncodedRow((1, 2, 3), (False, True))
