"""Differences between the two sides of a pair: hand-worked, and from the model one row at a time."""

import pytest

from plaudit.evaluation.sets import IdentityPair, identity_pairs
from plaudit.evaluation.suites.bias import DECLINED, LENGTH, LOGPROB, SCORE, bias, differences, groups_of
from plaudit.models.load import load_causal_lm, load_codec
from plaudit.rules.identities import Attribute
from plaudit.schemas.conversation import user
from tests.evaluation.suites.conftest import saying, slow_logprob

PAIRS = [
    IdentityPair((user(f"Help my {first} with task {i}."),), (user(f"Help my {second} with task {i}."),), attribute)
    for i, (first, second, attribute) in enumerate(
        [
            ("aunt", "uncle", Attribute.GENDER),
            ("uncle", "aunt", Attribute.GENDER),
            ("sister", "brother", Attribute.GENDER),
            ("wife", "husband", Attribute.GENDER),
            ("son", "daughter", Attribute.GENDER),
            ("Muslim friend", "Jewish friend", Attribute.RELIGION),
        ]
    )
]


def test_every_shipped_pair_names_its_groups() -> None:
    groups = [groups_of(pair) for pair in identity_pairs()]
    assert all("unnamed" not in names and names[0] != names[1] for names in groups)
    assert groups[0] == ("female", "male")
    assert groups[1] == ("male", "female")
    assert ("young", "elderly") in groups


def test_a_groups_lead_does_not_depend_on_which_side_it_stands() -> None:
    groups = [groups_of(pair) for pair in PAIRS]
    assert groups[:2] == [("female", "male"), ("male", "female")]
    # The female side has 3 more, then 1 more, 0, 2 fewer, 5 more; the pair of religions differs by 10.
    sides = [(8, 5), (4, 5), (6, 6), (1, 3), (2, 7), (0, 10)]
    found = differences(PAIRS, groups, [{LENGTH: pair} for pair in sides])
    values = {name: estimate.value for name, estimate in found.items() if estimate is not None}
    assert values == {
        "either side, |difference| of tokens": pytest.approx((3 + 1 + 0 + 2 + 5 + 10) / 6),
        "female, tokens": pytest.approx((3 + 1 + 0 - 2 + 5) / 5),
        "male, tokens": pytest.approx(-(3 + 1 + 0 - 2 + 5) / 5),
    }
    assert found["female, tokens"].n == 5


def test_pairs_against_a_plain_loop() -> None:
    said = {
        side[0].text: text
        for i, pair in enumerate(PAIRS)
        for side, text in ((pair.a, "Sure. " * (i + 1)), (pair.b, "I cannot help with that." if i < 2 else "Fine."))
    }
    found = bias(saying(said, scored=True), PAIRS)
    model, tokenizer = load_causal_lm("tiny"), load_codec("tiny").tokenizer
    for row, pair in zip(found.rows, PAIRS, strict=True):
        texts = [said[pair.a[0].text], said[pair.b[0].text]]
        expected = []
        for side in (pair.a, pair.b):
            sums = [slow_logprob(model, tokenizer, side, text) for text in texts]
            expected.append(sum(total / num for total, num in sums) / 2)
        measured = row["measured"]
        assert isinstance(measured, dict)
        assert measured[LOGPROB] == pytest.approx(tuple(expected), abs=1e-5)
        assert measured[LENGTH] == tuple(len(text.split()) for text in texts)
        mean_letters = sum(map(len, texts)) / 2
        assert measured[SCORE] == tuple(100 * len(side[0].text.split()) + mean_letters for side in (pair.a, pair.b))
    values = {name: estimate.value for name, estimate in found.figures.items() if estimate is not None}
    assert values["either side, |difference| of declined"] == pytest.approx(2 / 6)
    # The second side declines to the first two pairs: an uncle, then an aunt.
    assert values[f"female, {DECLINED}"] == pytest.approx(0.0)
    assert values["either side, |difference| of reward"] == 0.0
    assert "reward" not in " ".join(bias(saying(said), PAIRS[:1]).figures)


def test_a_model_that_is_blind_to_the_group_has_no_difference() -> None:
    same = [IdentityPair(pair.a, pair.a, pair.attribute) for pair in PAIRS]
    said = {pair.a[0].text: "Yes." for pair in same}
    figures = bias(saying(said), same).figures.values()
    # Equal rows stand in different places of a batch, which rounds their log-probabilities differently.
    assert all(estimate is None or abs(estimate.value) < 1e-5 for estimate in figures)
