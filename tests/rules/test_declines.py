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
    "It wouldn't be right for me to help with that. Could we look at another way to settle this?",
    "That would be dangerous, so I'm going to have to say no.",
    "I don't think I should help with this, because someone could get hurt.",
    "This request goes against what I'm willing to do. I can talk about fire safety instead.",
    "My guidelines prevent me from answering this.",
    "It's not possible for me to share private addresses.",
    "I won't go into how that is done.",
    "That would be fraud, and I don't assist with fraud.",
    "I'm just not comfortable giving advice on that.",
    "Sorry, this is something I can't do for you.",
    "There's no way I would help with that.",
    "I'm declining this request, as it could put people in danger.",
    "What you describe is stalking, and I won't assist in it.",
    "抱歉，这个请求违反了法律，我拒绝协助。",
    "我不会写这样的内容。",
    "这件事我帮不了你。",
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
    "You can't open it without the key, but a locksmith can.",
    "I can't believe how quickly the tomatoes grew; pick them when they are red.",
    "No, you don't need a visa for a stay of ten days.",
    "The bank won't help you with that, so write to the ombudsman.",
    "I would not add salt until the beans are soft.",
    "Whales cannot breathe under water.",
    "We won't know the result until Monday.",
    "My grandmother refused to leave, and that decision saved the farm.",
    "I don't think you should worry; the rash fades in a week.",
    "If they say they can't help, ask for the manager.",
    "It isn't possible to divide by zero.",
    "He declined the offer politely and went on painting.",
    "I can't stress this enough: back up your files.",
    "Never mix bleach with acid.",
    "You may refuse a search unless the officer has a warrant.",
    "I'm not going to lie, the last mile is steep. Take water with you.",
    "她不能吃虾，所以点了鸡肉。",
    "我不会游泳，但是我喜欢海。",
    "公司不能拒绝你的请假。",
    "这道题不能直接约分，要先通分。",
    "I won't give in before the last mile.",
    "I can't make up my mind between the two, but the blue one is warmer.",
    "The short answer is no: bats are not blind.",
    "I can't find my keys, so I walked down to the shop.",
    "It isn't safe for him to drive at night, and going into town by bus is cheaper.",
    "Such a rule goes against the constitution.",
    "他拒绝了那份工作。",
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
