"""What an answer's numbers are, and what is made of them: against plain transformers, and by hand."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from plaudit.batches.tokens import collated
from plaudit.models.policy import PolicyModel, TrainLayers
from plaudit.schemas.conversation import assistant, user
from plaudit.schemas.feedback import Comparison, Verdict
from plaudit.statistics.significance import McNemar
from recipes.hh_cpu.data import People
from recipes.hh_cpu.pairs import (
    FEATURES,
    LOGPROB,
    TOKENS,
    _compared,
    _likelihood,
    _longer_or_shorter,
    _longer_or_shorter_by_set,
    answer_numbers,
    judged,
)
from tests.conftest import Tiny


def pair(number: int, verdict: Verdict = Verdict.A, source: str = "helpful") -> Comparison:
    prompt = (user(f"question {number}"),)
    return Comparison(prompt=prompt, a=(assistant("x"),), b=(assistant("y"),), verdict=verdict, source=source)


def rows_of(train: list[Comparison], test: list[Comparison]) -> People:
    return People([], [], train, test, [], [], {})


@torch.no_grad()
def test_an_answers_numbers_are_those_of_plain_transformers(tiny: Tiny) -> None:
    """One row at a time, no padding: its summed log-probability, and its mean state after the frozen first layer."""
    policy = PolicyModel(tiny.model, TrainLayers(kind="upper", num_upper=1))
    texts = [("hi", "a"), ("a longer question", "bcd efg"), ("why", ""), ("go on", "abc")]
    encoded = [tiny.codec.encoded((user(asked),), (assistant(said),)) for asked, said in texts]
    found = answer_numbers(policy, {}, collated(encoded, tiny.codec.pad_id), "reading", micro_batch_size=3)
    for i, row in enumerate(encoded):
        ids, mask = torch.tensor([row.token_ids]), torch.tensor(row.answer_mask)
        output = tiny.model(input_ids=ids, output_hidden_states=True)
        logprobs = output.logits[0, :-1].log_softmax(-1).gather(-1, ids[0, 1:, None]).squeeze(-1)
        assert found[TOKENS][i] == len(texts[i][1]) + 1
        assert found[LOGPROB][i] == pytest.approx(float(logprobs[mask[1:]].sum()), abs=1e-4)
        assert found[FEATURES][i] == pytest.approx(output.hidden_states[1][0][mask].mean(0).numpy(), abs=1e-5)


def test_verdicts_name_rows_and_dialogues() -> None:
    on = Comparison(
        prompt=(user("question 1"), assistant("x"), user("and?")),
        a=(assistant("x"),),
        b=(assistant("y"),),
        verdict=Verdict.B,
    )
    found = judged([pair(1), pair(2, Verdict.B), on])
    assert (found.a.tolist(), found.b.tolist()) == ([0, 2, 4], [1, 3, 5])
    assert found.a_preferred.tolist() == [True, False, False]
    assert found.prompts[0] == found.prompts[2] != found.prompts[1]


def test_the_rule_of_length_is_what_training_says() -> None:
    """Three training pairs, the longer answer preferred in two. In both test pairs it is the shorter one: too late."""
    found = rows_of([pair(0), pair(1), pair(2)], [pair(3), pair(4)])
    train, test = {TOKENS: np.array([9.0, 1, 5, 4, 2, 3])}, {TOKENS: np.array([1.0, 2, 3, 7])}
    name, chosen, scores = _longer_or_shorter(train, test, found)
    assert (name, chosen) == ("length", "longer")
    assert scores.tolist() == [1, 2, 3, 7]
    _, chosen, scores = _longer_or_shorter({TOKENS: -train[TOKENS]}, test, found)
    assert (chosen, scores.tolist()) == ("shorter", [-1, -2, -3, -7])


def test_told_the_set_each_has_its_own_rule() -> None:
    sets = ("helpful", "harmless", "helpful")
    found = rows_of([pair(i, source=source) for i, source in enumerate(sets)], [pair(3), pair(4, source="harmless")])
    train, test = {TOKENS: np.array([9.0, 1, 4, 5, 3, 2])}, {TOKENS: np.array([1.0, 2, 7, 3])}
    _, chosen, scores = _longer_or_shorter_by_set(train, test, found)
    assert chosen == "harmless: shorter, helpful: longer"
    assert scores.tolist() == [1, 2, -7, -3]


def test_the_likelihood_is_summed_or_a_token_whichever_was_right_in_training() -> None:
    """Preferred in training: less likely as a whole, likelier a token (-6 over 6, -4 over 2). In the test: the reverse."""
    found = rows_of([pair(0)], [pair(1)])
    train = {LOGPROB: np.array([-6.0, -4]), TOKENS: np.array([6.0, 2])}
    test = {LOGPROB: np.array([-3.0, -8]), TOKENS: np.array([1.0, 4])}
    _, chosen, scores = _likelihood(train, test, found)
    assert (chosen, scores.tolist()) == ("mean a token", [-3, -2])
    _, chosen, scores = _likelihood(test, train, found)
    assert (chosen, scores.tolist()) == ("sum", [-6, -4])


def test_a_baseline_is_compared_where_neither_ties() -> None:
    """Five pairs, a preferred. Right by the baseline: yes, no, tie, yes, no; by the reward model: yes, yes, yes, tie, yes."""
    records = [pair(i, source="helpful" if i < 2 else "harmless") for i in range(5)]
    baseline = np.array([1.0, 0, 0, 1, 1, 1, 1, 0, 0, 1])
    reward = np.array([2.0, 1, 2, 1, 2, 1, 1, 1, 2, 1])
    found = _compared("length", "longer", baseline, reward, judged(records), [record.source for record in records])
    assert found.accuracy.value == pytest.approx((1 + 0 + 0.5 + 1 + 0) / 5)
    assert {name: part.value for name, part in found.by_source.items()} == {"harmless": 0.5, "helpful": 0.5}
    assert (found.against, found.num_compared) == (McNemar(2, 0, 0.5), 3)
