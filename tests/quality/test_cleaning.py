"""Cleaning rule by rule."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from plaudit.formats import open_records
from plaudit.quality.cleaning import (
    CleaningConfig,
    Contradictory,
    LanguageDetector,
    NearDuplicates,
    PersonalData,
    clean,
)
from plaudit.quality.cleaning_report import Cleaned, Conflicting, Dropped, Rule
from plaudit.quality.contradictions import Conflict
from plaudit.rules.personal_data import PersonalKind
from plaudit.rules.toxicity import Toxicity
from plaudit.schemas.conversation import Messages, assistant, user
from plaudit.schemas.errors import PlauditError
from plaudit.schemas.feedback import (
    AnyRecord,
    Comparison,
    Correction,
    Demonstration,
    Document,
    Highlights,
    Prompt,
    Ranking,
    Rating,
    Verdict,
)
from plaudit.schemas.judgement import Axis, ItemKind, Judgement
from plaudit.store import Origin
from plaudit.store.questions import Question, records_of

OFF = CleaningConfig(
    personal_data=PersonalData.KEEP,
    exact_duplicates=False,
    near_duplicates=NearDuplicates.OFF,
    contradictions=Contradictory.KEEP,
)


def only(**rule: object) -> CleaningConfig:
    """One rule on, all others off."""
    off = {name: getattr(OFF, name) for name in CleaningConfig.__dataclass_fields__}
    return CleaningConfig(**(off | rule))


def demo(prompt: str, answer: str, **fields: object) -> Demonstration:
    return Demonstration(prompt=(user(prompt),), completion=(assistant(answer),), **fields)


def ids(cleaned: Cleaned) -> list[str]:
    return [record.id for record in cleaned.kept]


def test_personal_data_is_taken_out_or_its_record_or_nothing() -> None:
    records = [demo("I am a@example.org", "Hello.", id="1"), demo("Hi", "Hello.", id="2", source="s")]
    clean_one = clean(records)
    assert clean_one.kept == [demo("I am [EMAIL]", "Hello.", id="1"), records[1]]
    assert (clean_one.personal_data, clean_one.with_personal_data) == ({PersonalKind.EMAIL: 1}, ("1",))
    dropping = clean(records, only(personal_data=PersonalData.DROP))
    assert dropping.kept == records[1:]
    assert dropping.dropped == (Dropped("1", "", Rule.PERSONAL_DATA),)
    keeping = clean(records, OFF)
    assert keeping.kept == records
    assert keeping.personal_data == {}


@pytest.mark.parametrize(
    ("rule", "kept"),
    [
        ({"max_prompt_chars": 5}, ["2", "3", "4"]),
        ({"max_prompt_chars": 4}, ["4"]),
        ({"min_answer_chars": 2}, ["1", "4"]),
        ({"max_answer_chars": 3}, ["2", "3"]),
        ({"max_answer_chars": 4}, ["1", "2", "3", "4"]),
        ({"min_answer_chars": 4, "max_answer_chars": 4}, ["1", "4"]),
    ],
)
def test_lengths_are_limits_not_counts(rule: dict[str, object], kept: list[str]) -> None:
    records: list[AnyRecord] = [
        demo("12345678", "1234", id="1"),
        demo("12345", "", id="2"),
        Comparison(id="3", prompt=(user("12345"),), a=(assistant("123"),), b=(assistant("1"),), verdict=Verdict.A),
        Document(id="4", text="1234"),
    ]
    found = clean(records, only(**rule))
    assert ids(found) == kept
    assert {row.rule for row in found.dropped} <= {Rule.LENGTH}


def test_other_languages_are_dropped_and_what_cannot_be_told_stays() -> None:
    records = [
        demo("What is the tide?", "It is the sea that comes and goes.", id="en"),
        demo("潮水是什么？", "是海水的涨落。", id="zh"),
        demo("Was ist die Flut?", "Das ist das Meer, und es kommt.", id="de"),
        demo("3 + 4", "7", id="sum"),
        demo(
            "写个循环",
            "好的：\n```python\nfor the_word in is_the_of: print(the_word)\n```\n行吗？\n```\nand the",
            id="code",
        ),
    ]
    assert ids(clean(records, only(languages=("en", "zh")))) == ["en", "zh", "sum", "code"]
    assert clean(records, only(languages=("en",))).dropped == (
        Dropped("zh", "", Rule.LANGUAGE),
        Dropped("de", "", Rule.LANGUAGE),
        Dropped("code", "", Rule.LANGUAGE),
    )


RUDE, KIND = (assistant("You absolute moron."),), (assistant("Of course."),)
ASKED: Messages = (user("Why, you moron?"),)


@pytest.mark.parametrize(
    ("record", "dropped"),
    [
        (Demonstration(prompt=ASKED, completion=KIND), False),
        (Demonstration(prompt=ASKED, completion=RUDE), True),
        (Document(text="You absolute moron."), True),
        (Prompt(prompt=ASKED), False),
        (Correction(prompt=ASKED, completion=RUDE, corrected=KIND), False),
        (Correction(prompt=ASKED, completion=KIND, corrected=RUDE), True),
        (Comparison(prompt=ASKED, a=KIND, b=RUDE, verdict=Verdict.A), False),
        (Comparison(prompt=ASKED, a=KIND, b=RUDE, verdict=Verdict.B), True),
        (Comparison(prompt=ASKED, a=KIND, b=RUDE, verdict=Verdict.TIE), False),
        (Comparison(prompt=ASKED, a=RUDE, b=RUDE, verdict=Verdict.BOTH_BAD), False),
        (Ranking(prompt=ASKED, completions=(RUDE, KIND), ranks=(1, 0)), False),
        (Ranking(prompt=ASKED, completions=(RUDE, KIND), ranks=(0, 1)), True),
        (Ranking(prompt=ASKED, completions=(KIND, RUDE, RUDE), ranks=(0, 1, None)), False),
        (Ranking(prompt=ASKED, completions=(RUDE, KIND), ranks=(0, 0)), False),
        (Ranking(prompt=ASKED, completions=(RUDE, KIND), ranks=(None, None)), False),
        (Rating(prompt=ASKED, completion=RUDE, score=0), False),
        (Rating(prompt=ASKED, completion=RUDE, score=1), True),
        (Highlights(prompt=ASKED, completion=RUDE, spans=()), False),
    ],
)
def test_offensive_words_count_where_a_model_would_learn_to_say_them(record: AnyRecord, dropped: bool) -> None:
    found = clean([record], only(toxicity=(Toxicity.INSULT,)))
    assert [row.rule for row in found.dropped] == [Rule.TOXICITY] * dropped
    assert clean([record], only(toxicity=(Toxicity.THREAT,))).kept == [record]
    assert clean([record], OFF).kept == [record]


def compared(
    verdict: Verdict = Verdict.A, by: str = "ann", prompt: str = "What is tea?", **fields: object
) -> Comparison:
    said = {"a": (assistant("A drink."),), "b": (assistant("A leaf."),), "prompt": (user(prompt),)}
    return Comparison(**(said | {"verdict": verdict, "annotator": by} | fields))


def test_equal_records_are_kept_once_and_agreement_is_not_equality() -> None:
    records = [
        compared(id="first", source="a"),
        compared(id="again", source="b", weight=0.5, extra={"n": 1}, reason="good"),
        compared(id="spaced", prompt="What  is tea?\n"),
        compared(id="other person", by="bob"),
        compared(Verdict.B, id="other verdict"),
        compared(id="stronger", strength=3),
        demo("x", "y", id="written", annotator="ann"),
        demo("x", "y", id="written again", annotator="bob"),
        Prompt(prompt=(user("x"),), id="prompt"),
    ]
    found = clean(records, only(exact_duplicates=True))
    assert ids(found) == ["first", "other person", "other verdict", "stronger", "written", "prompt"]
    assert found.clusters == {"first": ("again", "spaced"), "written": ("written again",)}
    assert {row.rule for row in found.dropped} == {Rule.EXACT_DUPLICATE}


def test_ratings_on_several_axes_are_several_opinions() -> None:
    """As a store gives them: one person, one answer, a number an axis."""
    drop = CleaningConfig(contradictions=Contradictory.DROP)
    for helpful, harmless in ((4.0, 4.0), (5.0, 1.0)):
        question = Question(
            id="j",
            source="",
            weight=1.0,
            annotator="ann",
            prompt=(user("What is tea?"),),
            kind=ItemKind.RATING,
            answers=(((assistant("A drink."),), Origin()),),
            judgement=Judgement(ratings={"helpful": (helpful,), "harmless": (harmless,)}),
        )
        records = records_of(question, [Axis(name="helpful"), Axis(name="harmless")])
        for config in (CleaningConfig(), drop):
            assert ids(clean(records, config)) == ["j/helpful/0", "j/harmless/0"]
        again = [record.model_copy(update={"id": f"{record.id} again"}) for record in records]
        assert len(clean([*records, *again]).dropped) == 2


def test_answers_to_several_questions_are_several_opinions(tmp_path: Path) -> None:
    """As Argilla exports them, and OpenAssistant's labels, whose numbers happen to be equal."""
    stars = {name: [{"value": 4, "user_id": "ann", "status": "submitted"}] for name in ("helpful", "true")}
    row = {"fields": {"prompt": "What is tea?", "response": "A drink."}, "responses": stars, "metadata": {}}
    asked = tmp_path / "asked.json"
    asked.write_text(json.dumps([{"id": "1", **row}]), encoding="utf-8")
    labels = {name: {"value": 0.5, "count": 2} for name in ("quality", "humor", "spam", "toxicity")}
    reply = {"message_id": "m", "role": "assistant", "text": "A drink.", "labels": labels, "replies": []}
    tree = {"message_id": "p", "role": "prompter", "text": "What is tea?", "labels": {}, "replies": [reply]}
    trees = tmp_path / "trees.jsonl"
    trees.write_text(json.dumps({"message_tree_id": "p", "prompt": tree}) + "\n", encoding="utf-8")
    for records, num in ((open_records(asked, "argilla"), 2), (open_records(trees, "oasst-labels"), 4)):
        assert len(clean(records).kept) == num


LONG = "Please explain to me how a heat pump works in the middle of winter"


def test_nearly_equal_records_are_kept_once() -> None:
    records = [
        demo(LONG, "It moves heat from the cold air into the house.", id="first"),
        demo(f"{LONG}!", "it moves heat from the cold air into the house", id="near"),
        demo(LONG, "Badly, some say.", id="other answer"),
        compared(id="opinion", prompt=LONG),
        compared(id="opinion again", prompt=f"{LONG}, please"),
        compared(Verdict.B, id="other opinion", prompt=LONG),
        compared(id="another's opinion", prompt=LONG, by="bob"),
        compared(id="of nearly that answer", prompt=LONG, b=(assistant("A leaf"),)),
    ]
    found = clean(records, only(near_duplicates=NearDuplicates.RECORDS))
    assert found.clusters == {"first": ("near",), "opinion": ("opinion again",)}
    assert {row.rule for row in found.dropped} == {Rule.NEAR_DUPLICATE}
    assert len(clean(records, only(near_duplicates=NearDuplicates.RECORDS, near_duplicate_threshold=1.0)).dropped) == 1


def test_records_over_nearly_equal_prompts_leave_with_them() -> None:
    """All that was said over the first prompt stays, of however many people; the other kinds have prompts of their own."""
    records = [
        compared(id="1", prompt=LONG),
        compared(id="2", prompt=f"{LONG}?", by="bob"),
        compared(id="3", prompt=f"{LONG} ", by="cid"),
        compared(Verdict.B, id="4", prompt=f"{LONG}?", by="dan"),
        demo(f"{LONG}?", "So.", id="5"),
        compared(id="6", prompt="What is tea?"),
        Document(id="7", text=LONG),
        Document(id="8", text=f"{LONG}."),
    ]
    found = clean(records, only(near_duplicates=NearDuplicates.PROMPTS))
    assert ids(found) == ["1", "3", "5", "6", "7"]
    assert found.clusters == {"1": ("2", "4"), "7": ("8",)}


def test_a_duplicate_names_the_record_that_stayed() -> None:
    """The third equals the second, which is nearly the first."""
    records = [demo(LONG, "Yes.", id="1"), demo(f"{LONG}!", "Yes.", id="2"), demo(f"{LONG}! ", "Yes.", id="3")]
    assert clean(records).dropped == (
        Dropped("2", "", Rule.NEAR_DUPLICATE, "1"),
        Dropped("3", "", Rule.EXACT_DUPLICATE, "1"),
    )


def test_contradictions_are_told_and_dropped_only_on_demand() -> None:
    records = [
        compared(id="1"),
        compared(Verdict.B, id="2"),
        compared(id="3", by="bob"),
        compared(id="4", by="cid"),
        compared(Verdict.B, id="5", by="dan"),
        compared(id="6", by="eve", a=(assistant("A leaf."),), prompt="And maté?"),
    ]
    told = (
        Conflicting(Conflict.EQUAL_ANSWERS, ("6",)),
        Conflicting(Conflict.OWN_WORD, ("1", "2")),
        Conflicting(Conflict.MAJORITY, ("5",), 1, 2),
    )
    found = clean(records)
    assert (found.kept, found.contradictions) == (records, told)
    strict = clean(records, only(contradictions=Contradictory.DROP))
    assert (ids(strict), strict.contradictions) == (["3", "4", "5"], told)
    assert {row.rule for row in strict.dropped} == {Rule.CONTRADICTION}
    assert clean(records, OFF).contradictions == ()


def test_the_report_names_rules_sources_and_ids_and_no_texts() -> None:
    records = [
        demo("I am a@example.org", "Hello.", id="1", source="chat"),
        demo("I am a@example.org", "Hello.", id="2", source="chat"),
        demo("Write to b@example.org", "No.", id="c@example.org", source="c@example.org"),
        demo("x", "y"),
        demo("x", "y"),
        compared(id="6"),
        compared(Verdict.B, id="7"),
    ]
    found = clean(records, CleaningConfig(max_prompt_chars=13))
    assert found.report() == {
        "num_records": 7,
        "num_kept": 4,
        "num_dropped": {
            "by_rule": {"length": 1, "exact_duplicate": 2},
            "by_source": {"": {"exact_duplicate": 1}, "[EMAIL]": {"length": 1}, "chat": {"exact_duplicate": 1}},
        },
        "dropped": [
            {"id": "2", "source": "chat", "rule": "exact_duplicate", "duplicate_of": "1"},
            {"id": "[EMAIL]", "source": "[EMAIL]", "rule": "length", "duplicate_of": None},
            {"id": "row 5", "source": "", "rule": "exact_duplicate", "duplicate_of": "row 4"},
        ],
        "personal_data": {"found": {"email": 3}, "records": ["1", "2", "[EMAIL]"]},
        "contradictions": [{"conflict": "own_word", "ids": ["6", "7"], "num_with": 0, "num_against": 0}],
    }
    assert found.summary().splitlines() == [
        "4 of 7 records kept",
        "dropped for length: 1 ([EMAIL] 1)",
        "dropped for exact duplicate: 2 (chat 1, no source 1)",
        "personal data in 3 records: email 3",
        "verdicts at odds with own word: 1",
    ]
    assert "@" not in json.dumps(found.report()) + found.summary()
    assert clean([]).summary() == "0 of 0 records kept"


@pytest.mark.parametrize(
    ("rule", "message"),
    [
        ({"max_prompt_chars": 0}, "max_prompt_chars must be at least 1, got 0"),
        ({"max_answer_chars": -1}, "max_answer_chars must be at least 1, got -1"),
        ({"min_answer_chars": -1}, "min_answer_chars must be at least 0"),
        ({"min_answer_chars": 5, "max_answer_chars": 4}, r"at most max_answer_chars \(4\), got 5"),
        ({"near_duplicate_threshold": 0.0}, "near_duplicate_threshold must lie above 0 and at most at 1, got 0"),
        ({"near_duplicate_threshold": 1.5}, "got 1.5"),
        ({"languages": ("en", "tlh")}, "does not know tlh: choose among ja, ko, zh.*`lingua`"),
    ],
)
def test_nonsense_is_refused(rule: dict[str, object], message: str) -> None:
    with pytest.raises(PlauditError, match=message):
        CleaningConfig(**rule)


def test_another_detector_may_know_other_languages() -> None:
    assert CleaningConfig(languages=("sw",), language_detector=LanguageDetector.LINGUA).languages == ("sw",)
