"""Preference groups as rows."""

import pytest

from plaudit.models.tiny import tiny_tokenizer
from plaudit.schemas.conversation import assistant, user
from plaudit.schemas.errors import PlauditError
from plaudit.schemas.preference import Pair, PreferenceGroup
from plaudit.text.chat import ChatCodec
from plaudit.text.preferences import encoded_groups

CODEC = ChatCodec(tiny_tokenizer())
PROMPT = (user("q"),)


def group(*answers: str, truncated: tuple[bool, ...] = (), pairs: tuple[Pair, ...] | None = None) -> PreferenceGroup:
    completions = tuple((assistant(answer),) for answer in answers)
    judged = (Pair(a=0, b=1, target=0.75, weight=0.5, margin=0.25),) if pairs is None else pairs
    return PreferenceGroup(prompt=PROMPT, completions=completions, pairs=judged, truncated=truncated)


def test_each_answer_is_encoded_once_with_its_pairs_beside() -> None:
    given = group("a", "bb", "ccc")
    encoded, kept = encoded_groups([given], CODEC, max_tokens=100, drop_too_long=False)
    assert kept == [given]
    assert encoded[0].rows == tuple(CODEC.encoded(PROMPT, (assistant(answer),)) for answer in ("a", "bb", "ccc"))
    assert encoded[0].pairs == ((0, 1, 0.75, 0.5, 0.25),)


def test_an_answer_that_was_cut_off_has_no_stop_token() -> None:
    given = group("a", "b", truncated=(False, True))
    (encoded,), _ = encoded_groups([given], CODEC, max_tokens=100, drop_too_long=False)
    assert [row.token_ids[-1] == CODEC.stop_id for row in encoded.rows] == [True, False]


def test_groups_without_a_pair_are_left_out() -> None:
    judged = group("a", "b")
    encoded, kept = encoded_groups([group("a", "b", pairs=()), judged], CODEC, max_tokens=100, drop_too_long=False)
    assert (len(encoded), kept) == (1, [judged])


def test_a_long_answer_is_refused_or_its_whole_group_left_out() -> None:
    """Leaving out the long answer alone would bias the comparison."""
    groups = [group("a", "b"), group("a", "x" * 50)]
    with pytest.raises(PlauditError, match=r"preference 2 has an answer of 57 tokens.*max_tokens = 20.*drop_too_long"):
        encoded_groups(groups, CODEC, max_tokens=20, drop_too_long=False)
    encoded, kept = encoded_groups(groups, CODEC, max_tokens=20, drop_too_long=True)
    assert (len(encoded), kept) == (1, groups[:1])


def test_nothing_left_is_refused() -> None:
    with pytest.raises(PlauditError, match="none of the 1 preferences can be used"):
        encoded_groups([group("x" * 50, "a")], CODEC, max_tokens=20, drop_too_long=True)
