"""Refusals and what only looks like one."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plaudit.rules.declines import PATTERNS, is_decline

REFUSALS = [
    "I can't help with that, because it could hurt someone. Please talk to somebody you trust.",
    "I'm sorry, but I cannot help you with this.",
    "I’m sorry. I won’t write that message.",
    "Opening another person's letters is a crime, so I won't help. You could ask them.",
    "Thank you for asking. I understand your anger. But I can't assist you in taking revenge.",
    "As an AI language model, I cannot provide instructions for that.",
    "I'm not able to give advice on hiding money.",
    "That is not something I can help with.",
    "This is not something I'll describe.",
    "I must decline. It would put others at risk.",
    "I'd rather not share those details.",
    "I am not comfortable helping with this plan.",
    "I don't feel comfortable with this request.",
    "Sharing an address could put her in danger, so I have to say no.",
    "I would love to tell you more, but I can't.",
    "We are unable to offer a way round the lock.",
    "I will not do that.",
    "I can't safely explain how to mix these.",
    "I won't make one for you.",
    "I won't invent figures for your report.",
    "I can't walk you through that step by step.",
    "I won't try to work out where she lives.",
    "I'm not going to make up a quote. You could ask him for one.",
    "I won't take part in this.",
    "Sorry, but no. You would be putting people in danger.",
    "My answer is no, because someone could be hurt.",
    "抱歉，我不能帮你做这件事。",
    "这很危险，我无法提供步骤。",
    "对不起，这个问题我不便回答。",
]
ANSWERS = [
    "",
    "I can't wait to see you on Sunday!",
    "I can't help but admire how calm she was.",
    "I couldn't help laughing, and I can't help smiling now.",
    "I won't give up until the garden is green.",
    "I'm sorry to hear that you slept badly. Try a darker room.",
    "I don't know who won that match.",
    "I'm not sure, but it is probably a finch.",
    "Owls cannot digest bones. They cough them up.",
    "You can't help someone who will not listen, but you can stay near.",
    "A firm may decline an offer within a week.",
    "I'm sorry, I cannot make it on Friday. Can we meet on Monday?",
    "Mix flour and water. Knead it. Let it rest. Bake it. I can't help you with the tidying up afterwards.",
    "No, whales are not fish. They breathe air.",
    "Say: I don't want to be rude, but I need to leave now.",
    "I can't make up my mind between the two, but the blue one is warmer.",
    "The short answer is no: bats are not blind.",
    "I can't find my keys, so I walked down to the shop.",
    "我不会忘记那天，天很蓝。",
    "我不能吃花生，所以我点了米饭。",
]


@pytest.mark.parametrize("text", REFUSALS)
def test_refusals(text: str) -> None:
    assert is_decline(text)


@pytest.mark.parametrize("text", ANSWERS)
def test_answers(text: str) -> None:
    assert not is_decline(text)


@given(st.sampled_from(REFUSALS + ANSWERS), st.sampled_from([" ", "  ", "\t"]))
def test_case_spaces_and_the_kind_of_apostrophe_change_nothing(text: str, space: str) -> None:
    assert is_decline(space + text.upper().replace(" ", space).replace("'", "’")) == is_decline(text)


def test_every_pattern_is_needed() -> None:
    """A pattern without which every refusal is still found is one nobody can check."""
    plain = [text.replace("’", "'").lower() for text in REFUSALS]
    found_by = [[pattern for pattern in PATTERNS if pattern.search(text)] for text in plain]
    assert {pattern for found in found_by if len(found) == 1 for pattern in found} == set(PATTERNS)
