"""Prompts as ids, and what happens to those over the limit."""

import pytest

from plaudit.models.tiny import tiny_tokenizer
from plaudit.schemas.conversation import Message, Messages, Role, assistant, prompt_id, user
from plaudit.schemas.errors import PlauditError
from plaudit.text.chat import ChatCodec
from plaudit.text.prompts import TooLong, encoded_prompts, shortened

CODEC = ChatCodec(tiny_tokenizer())
SYSTEM = Message(role=Role.SYSTEM, content="sys")
# Each message takes its bytes and 3 more (turn, role, end); the generation prompt takes 2.
SHORT: Messages = (user("ab"),)  # 7
LONG: Messages = (user("x" * 20),)  # 25
TURNS: Messages = (SYSTEM, user("one"), assistant("two"), user("three"), assistant("four"), user("five5"))


def test_prompts_keep_their_order_and_their_name() -> None:
    found, num_dropped = encoded_prompts([LONG, SHORT], CODEC, max_tokens=25, too_long=TooLong.REFUSE)
    assert [prompt.messages for prompt in found] == [LONG, SHORT]
    assert [len(prompt.token_ids) for prompt in found] == [25, 7]
    assert [prompt.id for prompt in found] == [prompt_id(LONG), prompt_id(SHORT)]
    assert list(found[1].token_ids) == CODEC.prompt_ids(SHORT)
    assert num_dropped == 0


def test_refuse_names_the_prompt_its_length_and_the_settings() -> None:
    with pytest.raises(PlauditError, match=r"prompt 2 has 25 tokens, over max_prompt_tokens = 24.*'drop'.*'truncate'"):
        encoded_prompts([SHORT, LONG], CODEC, max_tokens=24, too_long=TooLong.REFUSE)


def test_refuse_names_what_the_caller_has() -> None:
    with pytest.raises(PlauditError, match=r"over max_prompt_tokens = 24: wait for the next one$"):
        encoded_prompts([LONG], CODEC, max_tokens=24, too_long=TooLong.REFUSE, next_step="wait for the next one")


def test_drop_leaves_out_and_counts() -> None:
    found, num_dropped = encoded_prompts([LONG, SHORT, LONG], CODEC, max_tokens=24, too_long=TooLong.DROP)
    assert [prompt.messages for prompt in found] == [SHORT]
    assert num_dropped == 2


def test_dropping_all_is_refused() -> None:
    with pytest.raises(PlauditError, match="all 2 prompts are over max_prompt_tokens = 24"):
        encoded_prompts([LONG, LONG], CODEC, max_tokens=24, too_long=TooLong.DROP)


def test_no_prompts_are_refused() -> None:
    with pytest.raises(PlauditError, match="there are no prompts"):
        encoded_prompts([], CODEC, max_tokens=24, too_long=TooLong.DROP)


@pytest.mark.parametrize(
    ("max_tokens", "kept"),
    [
        (43, TURNS),  # 6 + 6 + 6 + 8 + 7 + 8 + 2
        (42, (SYSTEM, *TURNS[3:])),  # the oldest turn goes, and the answer to it
        (31, (SYSTEM, *TURNS[3:])),  # 6 + 8 + 7 + 8 + 2
        (30, (SYSTEM, TURNS[5])),
        (16, (SYSTEM, TURNS[5])),  # 6 + 8 + 2
        (15, None),  # the last turn is never cut
    ],
)
def test_truncation_keeps_the_latest_whole_turns_and_the_system_message(max_tokens: int, kept: Messages | None) -> None:
    assert shortened(TURNS, CODEC, max_tokens) == kept


def test_truncate_encodes_what_it_kept_under_the_whole_prompts_name() -> None:
    found, num_dropped = encoded_prompts([TURNS, SHORT], CODEC, max_tokens=30, too_long=TooLong.TRUNCATE)
    assert [prompt.messages for prompt in found] == [(SYSTEM, TURNS[5]), SHORT]
    assert list(found[0].token_ids) == CODEC.prompt_ids((SYSTEM, TURNS[5]))
    assert found[0].id == prompt_id(TURNS)
    assert num_dropped == 0


def test_truncate_refuses_where_the_last_turn_does_not_fit() -> None:
    message = r"prompt 1 has 43 tokens, over max_prompt_tokens = 15: its last turn, which is never cut, is too long"
    with pytest.raises(PlauditError, match=message):
        encoded_prompts([TURNS], CODEC, max_tokens=15, too_long=TooLong.TRUNCATE)
