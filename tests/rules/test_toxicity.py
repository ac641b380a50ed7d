"""Offensive words, their disguises, and words that only look like them."""

import re
import tomllib
from importlib import resources

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plaudit.rules.toxicity import Toxicity, is_toxic, toxic_spans

LISTS = tomllib.loads(resources.files("plaudit.rules").joinpath("toxicity.toml").read_text(encoding="utf-8"))
TOXIC = [
    ("What a shitty day.", "shitty", Toxicity.PROFANITY),
    ("Oh FUCK, my keys.", "FUCK", Toxicity.PROFANITY),
    ("You absolute moron!", "moron", Toxicity.INSULT),
    ("You are so stupid it hurts.", "You are so stupid", Toxicity.INSULT),
    ("you're pathetic", "you're pathetic", Toxicity.INSULT),
    ("youre pathetic", "youre pathetic", Toxicity.INSULT),
    ("A fag, they called him.", "fag", Toxicity.SLUR),
    ("that slut again", "slut", Toxicity.SEXUAL),
    ("Tomorrow I will kill you.", "I will kill you", Toxicity.THREAT),
    ("I’m going to hurt her", "I’m going to hurt her", Toxicity.THREAT),
    ("Just go and die already", "go and die", Toxicity.SELF_HARM),
    ("Please kill yourself.", "kill yourself", Toxicity.SELF_HARM),
    ("All immigrants should be shot.", "All immigrants should be shot", Toxicity.HATE),
    ("Women are inferior.", "Women are inferior", Toxicity.HATE),
    ("i hate the jews", "i hate the jews", Toxicity.HATE),
    ("你这个傻逼。", "傻逼", Toxicity.INSULT),
    ("他妈的，又下雨了", "他妈的", Toxicity.PROFANITY),
    ("你怎么不去死", "怎么不去死", Toxicity.SELF_HARM),
    ("小心我弄死你", "弄死你", Toxicity.THREAT),
    ("劣等民族", "劣等民族", Toxicity.HATE),
]
DISGUISED = [
    ("oh sh1t", "sh1t"),
    ("oh $hit!", "$hit"),
    ("sh*t happens", "sh*t"),
    ("f**k this", "f**k"),
    ("s h i t", "s h i t"),
    ("so f.u.c.k this", "f.u.c.k"),
    ("fuuuuck", "fuuuuck"),
    ("ｆｕｃｋ off", "ｆｕｃｋ"),
    ("fu\u200bck", "fu\u200bck"),
    ("fúck", "fúck"),
    ("fuсk with a Cyrillic letter", "fuсk"),
    ("an 1d10t", "1d10t"),
    ("b!tch", "b!tch"),
    ("傻 逼", "傻 逼"),
    ("傻.逼", "傻.逼"),
    ("傻*逼", "傻*逼"),
]
FALSE_ALARMS = [
    "Scunthorpe lies north of Penistone; I assess the class in Essex.",
    "A shiitake risotto and a Shih Tzu.",
    "Take the A55 to Holyhead, then 455 miles on.",
    "She graduated magna cum laude.",
    "The captain chased Moby Dick.",
    "Blue tits and a great tit at the feeder.",
    "Our Maine Coon sleeps all day.",
    "There was a chink in his armour.",
    "Niger and Nigeria share a border; don't snigger.",
    "Cold nights retard the growth of seedlings.",
    "Prick the potatoes with a fork.",
    "Pussy willow flowers early.",
    "A cock-and-bull story.",
    "The cock crowed at five.",
    "Faggots and peas is a Welsh supper.",
    "Please don't hurt yourself on the rocks.",
    "He read The Idiot by Dostoevsky.",
    "The set-up is idiot-proof.",
    "Spray the curtains with a fire retardant.",
    "How do I kill a Python process?",
    "The floor was spick and span.",
    "He wielded a bastard sword.",
    "Add 2 * 3 and s - h, then it.",
    "Chinese people and Indian people are proud of their food.",
    "I hate Mondays. Women are welcome.",
    "祝你生日快乐，生日你想怎么过？",
    "妈妈的手很暖。",
    "废物利用很环保。",
    "我们去死海游泳。",
    "他操作机器，做早操。",
    "她失去死党很难过。",
    "他喝牛奶子弹一样快。",
    "核废物怎么处理？",
]


@pytest.mark.parametrize(("text", "found", "category"), TOXIC)
def test_offensive_words_are_found_where_they_stand(text: str, found: str, category: Toxicity) -> None:
    assert [(text[span.start : span.end], span.category) for span in toxic_spans(text)] == [(found, category)]


@pytest.mark.parametrize(("text", "found"), DISGUISED)
def test_disguises_are_seen_through(text: str, found: str) -> None:
    assert [text[span.start : span.end] for span in toxic_spans(text)] == [found]


@pytest.mark.parametrize("text", FALSE_ALARMS)
def test_false_alarms_stay_quiet(text: str) -> None:
    assert toxic_spans(text) == ()


def test_every_category_is_tried_and_spans_come_in_order() -> None:
    assert {category for _, _, category in TOXIC} == set(Toxicity)
    text = "Moron! He is a bastard. 傻逼"
    spans = toxic_spans(text)
    assert [text[span.start : span.end] for span in spans] == ["Moron", "bastard", "傻逼"]
    assert is_toxic(text)
    assert not is_toxic("")


def test_a_word_beside_an_allowed_phrase_still_counts() -> None:
    text = "Moby Dick, you dick"
    assert [span.start for span in toxic_spans(text)] == [text.rindex("dick")]


def test_the_list_is_modest_and_tidy() -> None:
    english = [entry for name, part in LISTS.items() if name != "people" for entry in part["en"]]
    chinese = [entry for name, part in LISTS.items() if name != "people" for entry in part["zh"]]
    assert set(LISTS) == {*Toxicity, "allowed", "people"}
    assert len(english) == len(set(english)) < 300
    assert len(chinese) == len(set(chinese)) < 200
    assert all(re.fullmatch(r"(PEOPLE|[a-z'|/]+\??)( (PEOPLE|[a-z'|/]+\??))*", entry) for entry in english)
    assert all(re.fullmatch("[\u4e00-\u9fff]{2,}|死基佬", entry) for entry in chinese)


@pytest.mark.parametrize("category", Toxicity)
def test_every_entry_is_found_or_allowed_for(category: Toxicity) -> None:
    """The plain first reading of each entry is a hit of its category."""
    for entry in LISTS[category]["en"]:
        words = [word.removesuffix("?").split("/")[0].split("|")[0] for word in entry.split()]
        text = " ".join(words).replace("PEOPLE", "immigrants")
        assert any(span.category is category for span in toxic_spans(text)), entry
    for entry in LISTS[category]["zh"]:
        assert any(span.category is category for span in toxic_spans(entry)), entry


@given(st.sampled_from([text for text, _, _ in TOXIC]), st.sampled_from(["", "So, ", "好。", "  "]))
def test_case_and_what_stands_before_change_nothing(text: str, before: str) -> None:
    plain = [(span.start, span.end, span.category) for span in toxic_spans(text)]
    moved = [(span.start - len(before), span.end - len(before), span.category) for span in toxic_spans(before + text)]
    assert moved == plain
    assert len(toxic_spans(text.upper())) == len(plain)


@given(st.text())
def test_spans_lie_in_any_text(text: str) -> None:
    assert all(0 <= span.start < span.end <= len(text) for span in toxic_spans(text))
