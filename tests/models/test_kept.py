"""Activations kept from sampling stand for those that a learner would compute."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
import torch
from torch import Tensor

from plaudit.batches.tokens import EncodedRow, TokenRows, collated
from plaudit.models import trunk as trunk_module
from plaudit.models.kept import KeptActivations
from plaudit.models.policy import PolicyModel, TrainLayers
from plaudit.models.tiny import tiny_model
from plaudit.models.trunk import Trunk


def answers(*rows: tuple[str, str]) -> TokenRows:
    """Rows of bytes: prompts, and answers that count."""
    encoded = [
        EncodedRow(tuple(f"{prompt}{answer}".encode()), (False,) * len(prompt) + (True,) * len(answer))
        for prompt, answer in rows
    ]
    return collated(encoded, 0)


SEEN = answers(("one two", "three"), ("one two", "four, five"), ("six", "seven"))
ASKED = answers(("six", "seven"), ("six", "eight"), ("one two", "three"), ("one two", "thre"))


@pytest.fixture(scope="module")
def trunk() -> Trunk:
    return Trunk(tiny_model(num_layers=3).base_model, 2)


def kept_of(trunk: Trunk) -> KeptActivations:
    kept = KeptActivations()
    kept.keep(trunk.prepared(SEEN))
    return kept


def counted_rows(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many rows each call of the frozen layers reads."""
    seen: list[int] = []
    whole: Callable[..., Tensor] = trunk_module.hidden_states

    def counted(body: object, rows: TokenRows, *args: object, **settings: object) -> Tensor:
        seen.append(len(rows))
        return whole(body, rows, *args, **settings)

    monkeypatch.setattr(trunk_module, "hidden_states", counted)
    return seen


def test_only_what_is_not_known_is_computed(trunk: Trunk, monkeypatch: pytest.MonkeyPatch) -> None:
    kept, plain = kept_of(trunk), trunk.prepared(ASKED)
    read = counted_rows(monkeypatch)
    prepared = trunk.prepared(ASKED, kept)
    assert read == [2]
    assert prepared.trunk_key == trunk.key
    assert prepared.trunk is not None
    assert plain.trunk is not None
    mask = ASKED.attention_mask
    assert torch.allclose(prepared.trunk[mask], plain.trunk[mask], atol=1e-5)
    # A policy over these layers takes them as its own.
    policy = PolicyModel(tiny_model(num_layers=3), TrainLayers(kind="upper", num_upper=1))
    assert torch.allclose(policy(policy.prepared(ASKED, kept)).logprobs, policy(plain).logprobs, atol=1e-5)
    assert read[1:4] == [2, 4, 4]


def test_all_known_computes_nothing(trunk: Trunk, monkeypatch: pytest.MonkeyPatch) -> None:
    kept = kept_of(trunk)
    read = counted_rows(monkeypatch)
    assert trunk.prepared(SEEN, kept).trunk_key == trunk.key
    assert read == []
    assert trunk.prepared(SEEN, KeptActivations()).trunk_key == trunk.key
    assert read == [3]


def test_other_layers_do_not_know_them(trunk: Trunk, monkeypatch: pytest.MonkeyPatch) -> None:
    kept, other = kept_of(trunk), Trunk(tiny_model(seed=1, num_layers=3).base_model, 2)
    plain = other.prepared(SEEN)
    read = counted_rows(monkeypatch)
    prepared = other.prepared(SEEN, kept)
    assert read == [3]
    assert prepared.trunk is not None
    assert plain.trunk is not None
    assert torch.equal(prepared.trunk[SEEN.attention_mask], plain.trunk[SEEN.attention_mask])


def test_a_prompt_is_held_once_and_outlives_the_rows(trunk: Trunk) -> None:
    rows = trunk.prepared(SEEN)
    kept = KeptActivations()
    kept.keep(rows)
    assert len(kept) == 3
    assert rows.trunk is not None
    expected = rows.trunk.clone()
    rows.trunk.zero_()
    for found, states, length in zip(kept.of(SEEN, trunk.key), expected, SEEN.lengths.tolist(), strict=True):
        assert found is not None
        assert torch.equal(found, states[:length])
    first, second = (kept._answers[trunk.key, tuple(f"one two{answer}".encode())] for answer in ("three", "four, five"))
    assert first[0] is second[0]
    assert [len(part) for part in first] == [7, 5]


def test_rows_without_activations_are_refused() -> None:
    with pytest.raises(ValueError, match="hold no activations"):
        KeptActivations().keep(replace(SEEN, trunk=None))
