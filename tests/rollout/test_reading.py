"""Prompts on their way into the decoder."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
import torch

from plaudit.models.anatomy import SPLITTABLE
from plaudit.rollout import decoding
from plaudit.rollout.cache import Places
from plaudit.rollout.decoding import Decoder
from plaudit.text.prompts import EncodedPrompt
from tests.rollout.test_sampler import PROMPTS, answers_of, random_model, sample


@pytest.mark.parametrize("num_tokens", [1, 30, 10_000])
@pytest.mark.parametrize("architecture", sorted(SPLITTABLE))
def test_prompts_are_read_with_others_of_their_length(
    architecture: str, num_tokens: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One by one, in parts or at once: the same answers. Where layers forget, at once."""
    model = random_model(architecture)
    together = sample(model)
    monkeypatch.setattr(decoding, "_READ_TOGETHER", num_tokens)
    read: list[list[int]] = []
    one_call = Decoder._read

    def counted(decoder: Decoder, prompts: Sequence[EncodedPrompt], places: Places) -> object:
        read.append([len(prompt.token_ids) for prompt in prompts])
        return one_call(decoder, prompts, places)

    monkeypatch.setattr(Decoder, "_read", counted)
    apart = sample(model)
    assert answers_of(apart) == answers_of(together)
    assert torch.allclose(apart.logprobs, together.logprobs, atol=1e-5)
    lengths = sorted(len(prompt.token_ids) for prompt in PROMPTS)
    if architecture == "mistral" or num_tokens == 10_000:
        assert [sorted(part) for part in read] == [lengths]
    else:
        assert [length for part in read for length in part] == lengths
        assert len(read) == (4 if num_tokens == 1 else 2)
