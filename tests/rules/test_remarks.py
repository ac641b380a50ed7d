"""Remarks of a few words, labelled by hand: what is good, what is bad, and of what."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plaudit.rules.remarks import Aspect, remark

NONE: set[Aspect] = set()


@pytest.mark.parametrize(
    ("text", "value", "aspects"),
    [
        ("too long", -1, {Aspect.LENGTH}),
        ("不太好", -0.5, NONE),
        ("Too long!", -1, {Aspect.LENGTH}),
        ("太长了", -1, {Aspect.LENGTH}),
        ("good", 1, NONE),
        ("not good", -0.5, NONE),
        ("not bad", 0.5, NONE),
        ("不错", 1, NONE),
        ("好", 1, NONE),
        ("不好", -0.5, NONE),
        ("差", -1, NONE),
        ("差不多", 0, NONE),
        ("你好", 0, NONE),
        ("ok", 0.5, NONE),
        ("一般", -0.5, NONE),
        ("clear but wrong", 0, {Aspect.CLARITY, Aspect.TRUTH}),
        ("Not too long, perfect", 0.75, {Aspect.LENGTH}),
        ("It isn’t clear to me", -0.5, {Aspect.CLARITY}),
        ("nothing wrong with it", 0.5, {Aspect.TRUTH}),
        ("很清楚，谢谢", 1, {Aspect.CLARITY}),
        ("不够详细", -1, {Aspect.DETAIL}),
        ("答非所问", -1, {Aspect.RELEVANCE}),
        ("goodness", 0, NONE),
        ("", 0, NONE),
    ],
)
def test_worked_by_hand(text: str, value: float, aspects: set[Aspect]) -> None:
    found = remark(text)
    assert (found.value, set(found.aspects)) == (value, aspects)


# Written before the words above were looked at again; the sign alone is asked for.
GOOD = (
    *("Thank you, that helped", "Exactly what I needed", "Well explained and clear", "I love it", "Great answer!"),
    *("Short and to the point", "Works for me", "very accurate", "that is correct", "Nice and friendly"),
    *("thorough, thanks", "Perfect.", "no mistakes that I can see", "not bad at all", "super useful"),
    *(
        "说得很好",
        "非常有用",
        "很准确",
        "谢谢，很清楚",
        "写得不错",
        "我喜欢这个回答",
        "太棒了",
        "简洁明了",
        "没有错误",
        "很详细",
    ),
)
BAD = (
    *("That's wrong", "way too long", "I can't follow this", "this is nonsense", "doesn't answer my question at all"),
    *("please make it shorter", "more examples please", "not what I asked", "very confusing", "it is made up"),
    *("Too technical for me", "so rude", "this isn't helpful", "I don't like the tone", "incomplete"),
    *(
        "太啰嗦了",
        "不对吧",
        "没什么用",
        "看不懂你在说什么",
        "跑题了",
        "太简单了",
        "回答有错误",
        "不太准确",
        "能短一点吗",
        "语气太生硬",
    ),
)


def test_most_remarks_are_heard_as_they_are_meant() -> None:
    """Of fifty, none is taken for its opposite, and nine in ten are heard."""
    heard = [(text, remark(text).value * sign) for sign, texts in ((1, GOOD), (-1, BAD)) for text in texts]
    assert [text for text, value in heard if value < 0] == []
    assert sum(value > 0 for _, value in heard) >= 0.9 * len(heard)


@pytest.mark.parametrize(
    "text", ["What about Tuesday?", "The capital of France", "and then?", "我想问一下明天的天气", "继续"]
)
def test_what_is_no_verdict_is_none(text: str) -> None:
    assert remark(text).value == 0


@given(st.text(max_size=80))
def test_any_text_has_a_value_between_bad_and_good(text: str) -> None:
    assert -1 <= remark(text).value <= 1
    assert remark(text.upper()).value == remark(text).value or any(c.upper().lower() != c.lower() for c in text)
