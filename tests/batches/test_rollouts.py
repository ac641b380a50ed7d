"""Sampled answers as a record."""

import dataclasses

import pytest
import torch

from plaudit.batches.rollouts import Rollouts
from plaudit.batches.tokens import EncodedRow, collated

ROWS = collated([EncodedRow((5, 6, 2), (False, True, True)), EncodedRow((5, 6), (False, True))], pad_id=0)
ROLLOUTS = Rollouts(
    rows=ROWS,
    logprobs=torch.tensor([[0.0, -1.0, -2.0], [0.0, -3.0, 0.0]]),
    finished=torch.tensor([True, False]),
    prompt_index=torch.tensor([0, 0]),
    texts=("a", "b"),
)


def test_the_stop_token_is_counted_as_a_token_of_the_answer() -> None:
    assert ROLLOUTS.num_tokens.tolist() == [2, 1]
    assert len(ROLLOUTS) == 2


def test_other_rows_keep_all_else() -> None:
    prepared = ROWS.with_trunk(torch.zeros((2, 3, 4)), "key")
    found = ROLLOUTS.with_rows(prepared)
    assert found.rows is prepared
    assert found.texts == ROLLOUTS.texts
    assert ROLLOUTS.rows is ROWS


def test_a_record_is_never_filled_in_later() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        ROLLOUTS.texts = ()  # type: ignore[misc]
