"""Every kind of instruction on answers that follow it and answers that do not; the loose reading."""

from itertools import product
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plaudit.rules.instructions import (
    AnyInstruction,
    followed_loosely,
    followed_strictly,
    instruction_from,
    loose_readings,
)
from plaudit.rules.languages import language_of

CASES: list[tuple[dict[str, object], list[str], list[str]]] = [
    (
        {"kind": "include_keywords", "words": ["lake", "hot air"]},
        ["A Lake seen from a hot\nair balloon."],
        ["A lake.", "Lakes and hot air.", "a lake, hot, air"],
    ),
    ({"kind": "include_keywords", "words": ["好茶"]}, ["这是好茶。"], ["这是茶，好。"]),
    (
        {"kind": "keyword_frequency", "word": "owl", "at_least": 2},
        ["Owl! An owl.", "OWL owl owl"],
        ["An owl.", "owls, owlish, owl", ""],
    ),
    ({"kind": "keyword_frequency", "word": "c++", "at_most": 1}, ["I like C++ best."], ["C++ and c++."]),
    ({"kind": "forbidden_words", "words": ["red", "very"]}, ["A tired, everyday thing."], ["VERY good", "Red."]),
    ({"kind": "letter_frequency", "letter": "E", "at_least": 3}, ["Eve said: be!"], ["Eve said."]),
    ({"kind": "letter_frequency", "letter": "!", "at_most": 0}, ["Fine."], ["Fine!"]),
    (
        {"kind": "response_language", "language": "de"},
        ["Der Hund ist müde und die Katze auch.", "Ich werde das nicht machen."],
        ["The dog is tired and the cat too.", "De hond is moe en de kat ook.", "123"],
    ),
    ({"kind": "response_language", "language": "zh"}, ["你好，我用 Python 写程序。"], ["Hello there.", "こんにちは世界"]),
    ({"kind": "all_uppercase"}, ["YES, 3 OF THEM.", "ÜBER"], ["YES, 3 of THEM.", "123"]),
    ({"kind": "all_lowercase"}, ["no, 3 of them.", "好的 ok"], ["no, I have 3.", "好的"]),
    (
        {"kind": "capital_word_frequency", "at_least": 2, "at_most": 3},
        ["The NASA and the ESA met.", "I SAY NO"],
        ["The NASA met.", "A BIG RED DOG", "Nasa Esa"],
    ),
    ({"kind": "no_commas"}, ["One; two and three."], ["One, two.", "一，二。", "一、二。"]),
    ({"kind": "quoted"}, [' "Yes."\n', "“Well, he said.”"], ['"Yes', 'He said "yes"', '""', '"']),
    (
        {"kind": "ends_with", "phrase": "Is that all?"},
        ["Yes. Is that all?", 'No.\n"is that ALL?"\n'],
        ["Is that all? Yes.", "Is that all", ""],
    ),
    (
        {"kind": "repeats_prompt", "request": "Name a river."},
        ["Name a river.\n\nThe Rhine.", " name a River. The Po."],
        ["The Rhine.", "Name a river.", "You said: Name a river. The Po."],
    ),
    (
        {"kind": "chooses_from", "options": ["yes", "no", "perhaps"]},
        ["Yes.", "My answer is NO."],
        ["Yes or no.", "Maybe.", "I know."],
    ),
    (
        {"kind": "num_paragraphs", "num": 2},
        ["One.\n***\nTwo.", "One.\n\n  *** \n\nTwo.\n"],
        ["One.", "a\n***\nb\n***\nc", "a\n***\n"],
    ),
    ({"kind": "num_words", "at_least": 3, "at_most": 4}, ["I don't know.", "我爱喝茶"], ["Not now.", "This is one too many."]),
    ({"kind": "num_sentences", "at_most": 2}, ["One. Two!", "Half"], ["One. Two! Three?"]),
    (
        {"kind": "paragraph_starts_with", "num": 2, "place": 2, "word": "later"},
        ["First.\n\nLater, rain.", "First.\nstill first\n \n**Later** rain."],
        ["First.\nLater, rain.", "First.\n\nLater.\n\nEnd.", "First.\n\nLaters.", "Later.\n\nSo.", "A.\n\n!"],
    ),
    (
        {"kind": "postscript", "mark": "P.S."},
        ["Bye.\nP.S. Bring tea.", "Bye.\n\nps: bring tea", "**P.S.** Tea."],
        ["Bye. Ring me, p.s. tea", "Bye.\nP.S.", "Bye.\nPsst, tea", "Bye.\nP.P.S. Tea"],
    ),
    ({"kind": "postscript", "mark": "P.P.S"}, ["Bye.\nP.P.S. Tea."], ["Bye.\nP.S. Tea."]),
    (
        {"kind": "num_placeholders", "at_least": 2},
        ["Dear [name], come to [street, town]."],
        ["Dear [name].", "Dear [] and [name].", "See [here](a.org) and [there](b.org)."],
    ),
    (
        {"kind": "num_bullets", "num": 2},
        ["* one\n* two", "List:\n- one\n  - two\nEnd."],
        ["* one", "* one\n* two\n- three", "*one*\n*two*", "1. one\n2. two", "- \n- "],
    ),
    ({"kind": "has_title"}, ["<<A day out>>\nWe went.", "So: << x >>"], ["<A day>", "<<>>", "<< >>", "<<A\nday>>"]),
    (
        {"kind": "num_highlights", "at_least": 2},
        ["*One* and *two things*.", "**One** and *two*."],
        ["**One** only.", "2 * 3 * 4 * 5", "****", "* one\n* two"],
    ),
    (
        {"kind": "num_sections", "mark": "Section", "at_least": 2},
        ["Section 1\nA\nSECTION 2\nB", "## Section 1: A\n## Section 2: B"],
        ["Section 1\nSections 2", "In Section 1 and Section 2", "Section A\nSection B"],
    ),
    (
        {"kind": "json_format"},
        ['{"a": [1, 2]}', '```json\n{"a": 1}\n```', "```\n[]\n```"],
        ["{'a': 1}", 'Here: {"a": 1}', "", "[" * 100_000],
    ),
    (
        {"kind": "two_responses"},
        ["One.\n******\nTwo."],
        ["One. ****** Two.", "One.\n******\nOne.", "One.\n******\n", "a\n******\nb\n******\nc", "One.\n***\nTwo."],
    ),
]  # fmt: skip
KINDS = {member.model_fields["kind"].default for member in get_args(get_args(AnyInstruction)[0])}


def test_there_are_twenty_five_kinds_and_each_is_tried() -> None:
    assert len(KINDS) == 25
    assert {row["kind"] for row, _, _ in CASES} == KINDS


@pytest.mark.parametrize(("row", "followers", "others"), CASES, ids=[str(row["kind"]) for row, _, _ in CASES])
def test_followed_and_not(row: dict[str, object], followers: list[str], others: list[str]) -> None:
    instruction = instruction_from(row)  # type: ignore[arg-type]
    assert [text for text in followers if not instruction.is_followed(text)] == []
    assert [text for text in others if instruction.is_followed(text)] == []
    assert instruction_from(instruction.model_dump()) == instruction


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ({"kind": "sing"}, "sing"),
        ({"kind": "num_words"}, "at_least, at_most or both"),
        ({"kind": "num_words", "at_least": 5, "at_most": 4}, "in order: got 5, 4"),
        ({"kind": "paragraph_starts_with", "num": 2, "place": 3, "word": "a"}, "no paragraph 3 of 2"),
        ({"kind": "response_language", "language": "tlh"}, "no rule tells the language 'tlh'"),
        ({"kind": "no_commas", "num": 3}, "num"),
    ],
)
def test_what_is_no_instruction_is_refused(row: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        instruction_from(row)  # type: ignore[arg-type]


def test_a_greeting_a_farewell_or_bold_type_is_forgiven_loosely_only() -> None:
    asked = [instruction_from({"kind": "all_lowercase"}), instruction_from({"kind": "num_sentences", "at_most": 1})]
    text = "Sure! Here it is:\n*all is well.*\nI hope this helps."
    assert followed_strictly(asked, text) == (False, False)
    assert followed_loosely(asked, text) == (True, True)
    ending = [instruction_from({"kind": "ends_with", "phrase": "the end"})]
    assert followed_strictly(ending, "**The end**") == (False,)
    assert followed_loosely(ending, "**The end**") == (True,)


def test_an_empty_answer_follows_nothing() -> None:
    asked = [instruction_from({"kind": "no_commas"}), instruction_from({"kind": "num_words", "at_most": 5})]
    assert followed_strictly(asked, " \n") == followed_loosely(asked, "") == (False, False)
    # nor does what is left of one line without its first line
    assert followed_loosely(asked, "a, b, c, d, e, f") == (False, False)


def test_loose_readings_worked_by_hand() -> None:
    assert loose_readings("*a*\nb\nc") == ("*a*\nb\nc", "a\nb\nc", "b\nc", "b\nc", "*a*\nb", "a\nb", "b", "b")
    assert loose_readings("a") == ("a", "a", "", "", "", "", "", "")


@given(st.sampled_from([row for row, _, _ in CASES]), st.text(alphabet="aA ,.*\n!E", max_size=40))
def test_what_is_followed_strictly_is_followed_loosely(row: dict[str, object], text: str) -> None:
    asked = [instruction_from(row)]  # type: ignore[arg-type]
    assert followed_strictly(asked, text) <= followed_loosely(asked, text)


LANGUAGES = {
    "en": "The cat that was here is gone, and they are sad.",
    "de": "Die Katze ist nicht mehr da, und wir sind traurig.",
    "fr": "Le chat n'est plus dans la maison et nous sommes tristes.",
    "es": "El gato no está en la casa y estamos muy tristes por eso.",
    "it": "Il gatto non è più nella casa e noi siamo molto tristi.",
    "pt": "O gato não está na casa e nós estamos muito tristes com isso.",
    "nl": "De kat is niet meer in het huis en wij zijn verdrietig.",
    "zh": "猫不在家，我们很难过。",
    "ja": "猫がいなくて、私たちは悲しい。",
    "ko": "고양이가 없어서 우리는 슬퍼요.",
    "ru": "Кошки нет дома, и нам грустно.",
    "ar": "القطة ليست في البيت ونحن حزينون.",
    "hi": "बिल्ली घर में नहीं है और हम दुखी हैं।",
    "el": "Η γάτα δεν είναι στο σπίτι.",
    "he": "החתול לא בבית ואנחנו עצובים.",
    "th": "แมวไม่อยู่บ้าน",
}


@pytest.mark.parametrize("language", LANGUAGES)
def test_languages(language: str) -> None:
    assert language_of(LANGUAGES[language]) == language


def test_a_text_without_a_clue_has_no_language() -> None:
    assert [language_of(text) for text in ("", "42!", "Zyzzyva", "Berlin Paris")] == [None] * 4


@given(st.sampled_from(sorted(LANGUAGES)), st.integers(1, 3))
def test_a_language_stays_when_its_text_is_repeated(language: str, times: int) -> None:
    assert language_of(" ".join([LANGUAGES[language]] * times)) == language


def test_a_mixed_text_has_the_language_of_most_of_it() -> None:
    for a, b in product(("zh", "ru", "de"), repeat=2):
        assert language_of(f"{LANGUAGES[a]} {LANGUAGES[a]} {LANGUAGES[a]} {LANGUAGES[b]}") == a
