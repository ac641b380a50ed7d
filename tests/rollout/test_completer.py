"""A local model as a Completer."""

import pytest

from plaudit.rollout.completer import LocalCompleter
from plaudit.rollout.sampler import Sampling, sampled
from plaudit.schemas.conversation import user
from plaudit.schemas.errors import PlauditError
from plaudit.schemas.protocols import Completer
from plaudit.text.prompts import TooLong, encoded_prompts
from tests.conftest import Tiny

PROMPTS = [(user("hi"),), (user("another"),)]


def test_completions_are_the_samplers_answers_by_prompt(tiny: Tiny) -> None:
    sampling = Sampling(max_new_tokens=6, temperature=0.7)
    completer: Completer = LocalCompleter(tiny.model, tiny.codec, sampling)
    found = completer.complete(PROMPTS, num_answers=3, seed=5)
    prompts, _ = encoded_prompts(PROMPTS, tiny.codec, max_tokens=100, too_long=TooLong.REFUSE)
    expected = sampled(tiny.model, tiny.codec, prompts, sampling, num_answers=3, seed=5)
    assert [len(answers) for answers in found] == [3, 3]
    flat = [completion for answers in found for completion in answers]
    assert [completion.text for completion in flat] == list(expected.texts)
    assert [completion.finished for completion in flat] == expected.finished.tolist()
    assert [completion.num_tokens for completion in flat] == expected.num_tokens.tolist()
    assert completer.complete(PROMPTS, num_answers=3, seed=6) != found


def test_a_prompt_over_the_limit_is_refused(tiny: Tiny) -> None:
    completer = LocalCompleter(tiny.model, tiny.codec, Sampling(), max_prompt_tokens=10)
    with pytest.raises(
        PlauditError, match="prompt 2 has 12 tokens, over max_prompt_tokens = 10: raise the limit, or ask"
    ):
        completer.complete(PROMPTS, num_answers=1, seed=0)
