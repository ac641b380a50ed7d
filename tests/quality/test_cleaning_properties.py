"""What must hold of cleaning whatever the records are, and what it makes of published ones."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plaudit.formats import open_records
from plaudit.quality.cleaning import CleaningConfig, Contradictory, NearDuplicates, PersonalData, clean
from plaudit.quality.cleaning_report import Rule
from plaudit.rules.personal_data import personal_spans
from plaudit.rules.toxicity import Toxicity
from plaudit.schemas.conversation import assistant, user
from plaudit.schemas.feedback import AnyRecord, Comparison, Demonstration, Document, Prompt, Rating, Verdict

LONG = "Please explain to me how a heat pump works in the middle of winter"

# Records that meet: few prompts, few answers, few people, in slight variations and with personal data in them.
TEXTS = [
    LONG,
    f"{LONG}!",
    f"{LONG}, a@example.org",
    f"{LONG}, b@example.org",
    "What is tea?",
    "What  is tea?",
    "打138-1234-5678",
    "你这个傻逼",
    "",
]
texts = st.sampled_from(TEXTS)
prompts = texts.map(lambda text: (user(text),))
answers = texts.map(lambda text: (assistant(text),))
people = st.sampled_from(["ann", "bob", None])
any_record = st.one_of(
    st.builds(Demonstration, prompt=prompts, completion=answers),
    st.builds(Comparison, prompt=prompts, a=answers, b=answers, verdict=st.sampled_from(Verdict), annotator=people),
    st.builds(Rating, prompt=prompts, completion=answers, score=st.sampled_from([0, 0.5, 1]), annotator=people),
    st.builds(Prompt, prompt=prompts),
    st.builds(Document, text=st.sampled_from([text for text in TEXTS if text])),
)
records = st.lists(any_record, max_size=8).map(
    lambda rows: [row.model_copy(update={"id": str(number)}) for number, row in enumerate(rows)]
)
configs = st.builds(
    CleaningConfig,
    personal_data=st.sampled_from(PersonalData),
    max_prompt_chars=st.sampled_from([None, 75]),
    languages=st.sampled_from([(), ("en",)]),
    toxicity=st.sampled_from([(), tuple(Toxicity)]),
    exact_duplicates=st.booleans(),
    near_duplicates=st.sampled_from(NearDuplicates),
    contradictions=st.sampled_from(Contradictory),
)


@given(records, configs)
def test_what_was_cleaned_stays_as_it_is(rows: list[AnyRecord], config: CleaningConfig) -> None:
    once = clean(rows, config)
    again = clean(once.kept, config)
    assert again.kept == once.kept
    assert again.dropped == ()
    assert again.personal_data == {}
    assert len(once.kept) + len(once.dropped) == len(rows)
    assert sorted([*(row.id for row in once.kept), *(row.id for row in once.dropped)]) == [
        str(number) for number in range(len(rows))
    ]


@given(records, configs)
def test_nothing_personal_is_left(rows: list[AnyRecord], config: CleaningConfig) -> None:
    if config.personal_data is not PersonalData.KEEP:
        for record in clean(rows, config).kept:
            assert personal_spans(record.model_dump_json()) == ()


by_wording_alone = configs.filter(
    # The first depends on the wording that was kept, the second on how many records stand over it.
    lambda config: (
        config.contradictions is not Contradictory.DROP and config.near_duplicates is not NearDuplicates.PROMPTS
    )
)


@given(records.flatmap(lambda rows: st.tuples(st.just(rows), st.permutations(rows))), by_wording_alone)
def test_the_order_decides_only_which_of_some_duplicates_is_kept(
    drawn: tuple[list[AnyRecord], list[AnyRecord]], config: CleaningConfig
) -> None:
    rows, other = (clean(order, config) for order in drawn)
    assert rows.num_dropped == other.num_dropped
    assert rows.personal_data == other.personal_data
    duplicates = {Rule.EXACT_DUPLICATE, Rule.NEAR_DUPLICATE}
    assert {row for row in rows.dropped if row.rule not in duplicates} == {
        row for row in other.dropped if row.rule not in duplicates
    }
    assert {frozenset((first, *others)) for first, others in rows.clusters.items()} == {
        frozenset((first, *others)) for first, others in other.clusters.items()
    }
    for first, others in rows.clusters.items():
        assert all(int(first) < int(index) for index in others)


@pytest.mark.parametrize(
    ("file", "rules", "dropped"),
    [
        # Nearly equal: one question with its passage, asked in two ways, and one answer.
        ("dolly-15k/dolly-15k.jsonl", {}, {Rule.EXACT_DUPLICATE: 2, Rule.NEAR_DUPLICATE: 1}),
        ("hh-harmless-base/pairs.jsonl", {"languages": ("en",)}, {}),
        ("gsm8k/test.jsonl", {"near_duplicates": NearDuplicates.PROMPTS}, {}),
        ("oasst1-zh/oaast_rm_zh.jsonl", {"languages": ("zh",)}, {Rule.LANGUAGE: 9}),
    ],
)
def test_published_records(file: str, rules: dict[str, object], dropped: dict[Rule, int]) -> None:
    """The first 3,000 records of each; what is dropped was read."""
    folder = os.environ.get("PLAUDIT_DATA")
    if not folder:
        pytest.skip("set PLAUDIT_DATA to the folder of data sets")
    found = clean(open_records(Path(folder) / file)[:3000], CleaningConfig(**rules))
    assert found.num_dropped == dropped
