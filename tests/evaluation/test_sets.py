"""The shipped sets: enough of each, varied, natural, no two alike, and what they say of themselves holds."""

import re
from collections import Counter
from itertools import combinations
from typing import get_args

import pytest

from plaudit.evaluation.sets import (
    IdentityPair,
    alarming_prompts,
    harmful_prompts,
    identity_pairs,
    instructed_prompts,
)
from plaudit.rules import is_decline, num_words
from plaudit.rules.form import ends_with_stop, num_sentences
from plaudit.rules.identities import Attribute, identity_swaps
from plaudit.rules.instructions import AnyInstruction
from plaudit.rules.toxicity import is_toxic
from plaudit.rules.wording_instructions import RepeatsPrompt
from plaudit.rules.words import content_words, words

HARMFUL, ALARMING, PAIRS, INSTRUCTED = harmful_prompts(), alarming_prompts(), identity_pairs(), instructed_prompts()
PROMPTS = {
    "harmful": [row.prompt[0].text for row in HARMFUL],
    "alarming": [row.prompt[0].text for row in ALARMING],
    "identities": [row.a[0].text for row in PAIRS],
    "instructions": [row.prompt[0].text for row in INSTRUCTED],
}
OFFER = (
    r"\?|please|\bI(?:'d|'m (?:happy|glad)| can| could| would)\b|\byou (?:can|deserve)\b|\b(?:we|it) can\b|\bhelplines?\b"
    r"|\bmay\b|\bcan open\b|\blet's\b"
)
ANSWERS = {"harmful": [row.refusal for row in HARMFUL], "alarming": [row.answer for row in ALARMING]}


@pytest.mark.parametrize("name", PROMPTS)
def test_there_are_enough_and_each_is_a_proper_request(name: str) -> None:
    assert len(PROMPTS[name]) >= 60
    for text in PROMPTS[name]:
        assert 6 <= num_words(text) <= 60, text
        assert text.isascii(), text
        assert text[0].isupper(), text
        assert text == " ".join(text.split()), text


@pytest.mark.parametrize("name", ["harmful", "alarming", "identities"])
def test_requests_end_as_sentences_do(name: str) -> None:
    assert [text for text in PROMPTS[name] if not ends_with_stop(text)] == []


def test_no_two_prompts_are_alike() -> None:
    """Never half of the content words of both in common."""
    texts = [text for rows in PROMPTS.values() for text in rows]
    content = {text: set(content_words(text)) for text in texts}
    assert len(content) == len(texts)
    close = [
        (a, b) for a, b in combinations(texts, 2) if 2 * len(content[a] & content[b]) >= len(content[a] | content[b])
    ]
    assert close == []


@pytest.mark.parametrize("name", ANSWERS)
def test_answers_are_brief_finished_and_none_stands_twice(name: str) -> None:
    lengths = [num_words(text) for text in ANSWERS[name]]
    assert min(lengths) >= 15
    assert max(lengths) <= 45
    openings = Counter(tuple(words(text)[:5]) for text in ANSWERS[name])
    assert max(openings.values()) <= 4, openings.most_common(3)
    for text in ANSWERS[name]:
        assert ends_with_stop(text), text
        assert text.isascii(), text
    contents = [set(content_words(text)) for text in ANSWERS[name]]
    assert all(2 * len(a & b) < len(a | b) for a, b in combinations(contents, 2))


def test_every_refusal_declines_and_offers_something() -> None:
    """The offer: a question, what can be done instead, or who else helps."""
    for row in HARMFUL:
        assert is_decline(row.refusal), row.refusal
        assert num_sentences(row.refusal) >= 2, row.refusal
        assert re.search(OFFER, row.refusal, flags=re.IGNORECASE), row.refusal


def test_every_answer_to_an_alarming_prompt_helps() -> None:
    assert [row.answer for row in ALARMING if is_decline(row.answer)] == []
    # Some hold the very words of a refusal, so that a classifier by single words fails.
    assert sum(bool(re.search(r"can't|cannot|never|don't|not ", row.answer)) for row in ALARMING) >= 12


def test_there_are_several_kinds_and_none_outweighs_the_rest() -> None:
    for kinds, fewest in (
        ([row.kind for row in HARMFUL], 12),
        ([row.kind for row in ALARMING], 8),
        ([row.attribute.value for row in PAIRS], len(Attribute)),
    ):
        counts = Counter(kinds)
        assert len(counts) >= fewest
        assert max(counts.values()) <= len(kinds) / 4


def test_no_text_is_abusive_itself() -> None:
    """What is asked for may be cruel; how it is written is not."""
    texts = [
        *PROMPTS["alarming"],
        *PROMPTS["identities"],
        *PROMPTS["instructions"],
        *ANSWERS["harmful"],
        *ANSWERS["alarming"],
    ]
    assert [text for text in texts if is_toxic(text)] == []


@pytest.mark.parametrize("pair", PAIRS, ids=[pair.a[0].text[:40] for pair in PAIRS])
def test_the_two_sides_of_a_pair_differ_in_the_group_alone(pair: IdentityPair) -> None:
    """The second is what the rules make of the first; a group's one or two words and their article change, no more."""
    a, b = pair.a[0].text, pair.b[0].text
    assert [swap.attribute for swap in identity_swaps(a) if swap.text == b] == [pair.attribute]
    if pair.attribute is not Attribute.GENDER:
        assert len(Counter(words(a)) - Counter(words(b))) <= 3
        assert len(Counter(words(b)) - Counter(words(a))) <= 3


def test_instructions_are_of_every_kind_and_stand_in_their_prompt() -> None:
    told = [instruction for row in INSTRUCTED for instruction in row.instructions]
    kinds = Counter(instruction.kind for instruction in told)
    assert len(kinds) == len(get_args(get_args(AnyInstruction)[0])) == 25
    assert min(kinds.values()) >= 2
    assert sum(len(row.instructions) > 1 for row in INSTRUCTED) >= 25
    for row in INSTRUCTED:
        text = row.prompt[0].text
        for instruction in row.instructions:
            fields = instruction.model_dump()
            named = [*fields.get("words", ()), *fields.get("options", ())]
            named += [fields[name] for name in ("word", "phrase", "mark") if name in fields]
            assert all(name.lower() in text.lower() for name in named), text
            assert not isinstance(instruction, RepeatsPrompt) or instruction.request in text
