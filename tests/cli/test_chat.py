"""`plaudit chat`: turns, commands, the end of the input, a conversation that outgrows the model."""

from __future__ import annotations

import io
import sys

import pytest

from plaudit.cli.chat import Talk, hold
from plaudit.rollout import Sampling
from plaudit.schemas.conversation import Message, Role, assistant, user
from tests.cli.conftest import Outcome, Plaudit
from tests.conftest import Tiny

SHORT = ("--sampling.max-new-tokens", "4", "--model", "tiny")


@pytest.fixture
def chat(plaudit: Plaudit, monkeypatch: pytest.MonkeyPatch) -> Plaudit:
    """Chats with what stands in a pipe."""

    def run(text: str, *words: str) -> Outcome:
        monkeypatch.setattr(sys, "stdin", io.StringIO(text))
        return plaudit("chat", *SHORT, *words)

    return run


def talk(tiny: Tiny, max_prompt_tokens: int = 64) -> Talk:
    system = (Message(role=Role.SYSTEM, content="be kind"),)
    sampling = Sampling(max_new_tokens=4)
    return Talk(tiny.model, tiny.codec, sampling, system=system, max_prompt_tokens=max_prompt_tokens, seed=0)


def test_a_pipe_is_answered_line_by_line_to_its_end(chat: Plaudit) -> None:
    one, two = chat("hello\n"), chat("hello\n\nand more\n")
    assert (one.status, one.err) == (two.status, two.err) == (0, "")
    assert two.out.startswith(one.out)
    assert len(two.out) > len(one.out) > 1
    assert chat("").out == ""


def test_a_byte_that_is_no_utf_8_ends_nothing(chat: Plaudit) -> None:
    """As stdin decodes it: half a surrogate pair stands for the byte."""
    spoken = chat("caf\udce9\nand more\n")
    assert (spoken.status, spoken.err) == (0, "")
    assert len(spoken.out.splitlines()) >= 2


def test_commands(chat: Plaudit) -> None:
    outcome = chat("/reset\n/help\n/dance\n/quit\nnever read\n")
    assert outcome.status == 0
    assert outcome.out.splitlines() == [
        "[a new conversation]",
        "/reset forgets the conversation, /quit (or Ctrl-D) ends it",
        "[there is no /dance: /reset forgets the conversation, /quit (or Ctrl-D) ends it]",
    ]


def test_a_seed_decides_and_an_answer_cut_off_says_so(chat: Plaudit) -> None:
    assert chat("hello\n").out == chat("hello\n").out != chat("hello\n", "--seed", "5").out
    assert chat("hello\n", "--sampling.max-new-tokens", "1").out.rstrip().endswith("[cut off]")


def test_the_conversation_is_remembered_until_it_is_reset(tiny: Tiny) -> None:
    spoken = talk(tiny)
    first = spoken.answer("one").removesuffix(" [cut off]")
    spoken.answer("two")
    assert spoken.messages[0].role is Role.SYSTEM
    assert spoken.messages[1:4] == (user("one"), assistant(first), user("two"))
    spoken.reset()
    assert [message.text for message in spoken.messages] == ["be kind"]
    again = spoken.answer("one").removesuffix(" [cut off]")
    assert again != first


def test_a_conversation_that_outgrows_the_model_loses_its_oldest_turns_and_says_so(tiny: Tiny) -> None:
    # "be kind" takes 10 tokens with its marks, a question of 20 letters 23, the generation prompt 2.
    spoken = talk(tiny, max_prompt_tokens=45)
    assert "oldest" not in spoken.answer("a" * 20)
    assert spoken.answer("b" * 20).startswith("[the 2 oldest messages no longer fit and are left out]\n")
    assert [message.role for message in spoken.messages] == [Role.SYSTEM, Role.USER, Role.ASSISTANT]


def test_a_turn_that_alone_is_too_long_is_told_and_forgotten(tiny: Tiny, capsys: pytest.CaptureFixture[str]) -> None:
    spoken = talk(tiny, max_prompt_tokens=20)
    lines = iter(["c" * 40, None])
    assert hold(spoken, lambda: next(lines)) == 0
    assert "over max_prompt_tokens = 20" in capsys.readouterr().out
    assert len(spoken.messages) == 1


def test_no_room_for_a_question(plaudit: Plaudit) -> None:
    message = plaudit("chat", "--model", "tiny", "--sampling.max-new-tokens", "512").refused()
    assert "leaves no room for a question in the model's 512 tokens: lower it" in message


def test_ctrl_c_ends_it(plaudit: Plaudit, monkeypatch: pytest.MonkeyPatch) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

        def readline(self, *_: object) -> str:
            raise KeyboardInterrupt

    monkeypatch.setattr(sys, "stdin", Terminal())
    outcome = plaudit("chat", *SHORT)
    assert (outcome.status, outcome.err) == (130, "interrupted\n")
    assert "/reset forgets" in outcome.out
