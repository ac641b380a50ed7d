"""The demo's own texts: enough of them, short, plain, and nothing asked in the evaluation that was seen in training."""

from __future__ import annotations

from itertools import chain

import pytest

from plaudit.demo.content import content, demonstrations, questions
from plaudit.rules import is_decline, num_words
from plaudit.rules.form import ends_with_stop, num_sentences
from plaudit.rules.words import content_words
from plaudit.schemas.conversation import Messages, Role, prompt_id

LEARNT, ANCHORS = demonstrations(), demonstrations("anchors")
TRAIN, EVAL = questions("train"), questions("eval")
PROMPTS: dict[str, list[Messages]] = {
    "demonstrations": [record.prompt for record in LEARNT],
    "anchors": [record.prompt for record in ANCHORS],
    "train": [question.prompt for question in TRAIN],
    "eval": [question.prompt for question in EVAL],
}
ANSWERS: dict[str, list[str]] = {
    "demonstrations": [record.completion[0].text for record in LEARNT],
    "anchors": [record.completion[0].text for record in ANCHORS],
    "train": [text for question in TRAIN for text in question.references],
    "eval": [text for question in EVAL for text in question.references],
}
each_set = pytest.mark.parametrize("name", ["demonstrations", "anchors", "train", "eval"])


def test_there_is_enough() -> None:
    assert len(LEARNT) >= 150
    assert len(TRAIN) >= 64
    assert len(EVAL) >= 64


def test_no_prompt_stands_twice_anywhere() -> None:
    names = [prompt_id(prompt) for prompt in chain(*PROMPTS.values())]
    assert len(set(names)) == len(names)
    # Nor with another capital or question mark.
    texts = [" ".join(content_words(prompt[0].text)) for prompt in chain(*PROMPTS.values())]
    assert len(set(texts)) == len(texts)


def test_no_evaluation_prompt_is_close_to_one_that_was_seen() -> None:
    """Never more than two thirds of the content words of both in common: another pet, another stain, another seed."""
    seen = [
        set(content_words(prompt[0].text))
        for name in ("demonstrations", "anchors", "train")
        for prompt in PROMPTS[name]
    ]
    for prompt in PROMPTS["eval"]:
        asked = set(content_words(prompt[0].text))
        assert max(len(asked & other) / len(asked | other) for other in seen) < 0.7, prompt[0].text


def test_no_answer_stands_twice_anywhere() -> None:
    every = list(chain(*ANSWERS.values()))
    assert len(set(every)) == len(every)


@each_set
def test_texts_are_one_short_plain_line(name: str) -> None:
    for prompt in PROMPTS[name]:
        assert [message.role for message in prompt] == [Role.USER]
        assert 3 <= num_words(prompt[0].text) <= 20, prompt[0].text
    for text in (*(prompt[0].text for prompt in PROMPTS[name]), *ANSWERS[name]):
        assert text.isascii(), text
        assert text == " ".join(text.split()), text
        assert not set("*#`<>|[]{}") & set(text), text


@each_set
def test_answers_are_a_few_finished_sentences(name: str) -> None:
    lengths = [num_words(text) for text in ANSWERS[name]]
    assert min(lengths) >= 9
    assert max(lengths) <= 40
    assert 18 <= sum(lengths) / len(lengths) <= 30
    for text in ANSWERS[name]:
        assert num_sentences(text) <= 4, text
        assert ends_with_stop(text), text
        assert text[0].isupper(), text


def test_every_question_has_two_references() -> None:
    for question in (*TRAIN, *EVAL):
        assert len(question.references) == 2
        assert all(text.strip() for text in question.references)


def test_some_requests_are_declined_and_only_those() -> None:
    """Every text that declines is marked so; some that are marked warn instead of saying "I cannot"."""
    marked = {name: [kind == "decline" for kind in kinds] for name, kinds in _kinds().items()}
    assert sum(marked["demonstrations"]) >= 15
    assert sum(marked["train"]) >= 8
    assert sum(marked["eval"]) >= 4
    declining = [is_decline(text) for text in ANSWERS["demonstrations"]]
    assert sum(declining) >= 15
    assert all(is_marked for is_marked, declines in zip(marked["demonstrations"], declining, strict=True) if declines)
    for question in (*TRAIN, *EVAL):
        if any(map(is_decline, question.references)):
            assert question.kind == "decline", question.prompt[0].text


def _kinds() -> dict[str, list[object]]:
    return {
        "demonstrations": [record.extra["kind"] for record in LEARNT],
        "anchors": [record.extra["kind"] for record in ANCHORS],
        "train": [question.kind for question in TRAIN],
        "eval": [question.kind for question in EVAL],
    }


@each_set
def test_there_are_several_kinds(name: str) -> None:
    kinds = _kinds()[name]
    assert len(set(kinds)) >= 4
    # No kind is more than half of them.
    assert max(kinds.count(kind) for kind in set(kinds)) <= len(kinds) / 2


def test_the_seed_deals_out_the_demonstrations_each_once() -> None:
    first, again, other = (content(seed, num_held=40) for seed in (0, 0, 1))
    assert first == again
    assert {prompt_id(r.prompt) for r in first.held} != {prompt_id(r.prompt) for r in other.held}
    assert (len(first.held), len(first.learnt)) == (40, len(LEARNT) - 40)
    together = {prompt_id(record.prompt) for record in (*first.learnt, *first.held)}
    assert together == {prompt_id(record.prompt) for record in LEARNT}
    assert first.anchor == ANCHORS
    assert (len(first.train), len(first.eval)) == (len(TRAIN), len(EVAL))


def test_a_dry_run_takes_the_first_questions() -> None:
    few = content(0, num_held=8, num_train=5, num_eval=3)
    assert (few.train, few.eval) == (TRAIN[:5], EVAL[:3])
