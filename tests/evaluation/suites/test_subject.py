"""The model that is measured: answers once a prompt, whatever is asked with it."""

from plaudit.models.load import load_causal_lm, load_codec
from plaudit.rollout.completer import LocalCompleter
from plaudit.rollout.sampler import Sampling
from plaudit.schemas.conversation import user
from tests.evaluation.suites.conftest import tiny_subject

PROMPTS = [(user(f"{'long ' * i}question {i}"),) for i in range(5)]


def test_answers_are_those_of_the_sampler_one_by_one() -> None:
    sampling = Sampling(max_new_tokens=8, greedy=True)
    slow = LocalCompleter(load_causal_lm("tiny"), load_codec("tiny"), sampling)
    expected = [slow.complete([prompt], num_answers=1, seed=0)[0][0] for prompt in PROMPTS]
    assert tiny_subject().answers(PROMPTS, "test") == expected
    subject = tiny_subject()
    assert subject.answers(PROMPTS[3:], "test") == expected[3:]
    assert subject.answers([*PROMPTS[::-1], PROMPTS[0]], "test") == [*expected[::-1], expected[0]]


def test_a_prompt_that_leaves_no_room_has_no_answer() -> None:
    found = tiny_subject().answers([(user("x" * 600),), PROMPTS[0]], "test")
    assert found[0] is None
    assert found[1] is not None


def test_rows_in_portions_are_as_likely_as_alone() -> None:
    subject = tiny_subject()
    rows = [subject.encoded(prompt, "yes" * i) for i, prompt in enumerate(PROMPTS * 36)]
    together = subject.likelihoods(rows, "test")
    fits = [i for i, found in enumerate(together) if found is not None]
    assert 128 < len(fits) < 180
    for i in (0, 7, fits[-1]):
        (alone,) = subject.likelihoods([rows[i]], "test")
        shared = together[i]
        assert alone is not None
        assert shared is not None
        assert abs(alone.logprob - shared.logprob) < 1e-3
        assert alone.num_tokens == shared.num_tokens == 3 * i + 1
