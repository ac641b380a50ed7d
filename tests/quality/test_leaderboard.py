"""The table of models, against an independent optimiser and by hand."""

from __future__ import annotations

import math
from itertools import combinations

import numpy as np
import pytest
from pydantic import JsonValue
from scipy.optimize import minimize

from plaudit.quality.leaderboard import Leaderboard, leaderboard, model_names
from plaudit.rules.form import num_words
from plaudit.schemas.conversation import assistant, user
from plaudit.schemas.errors import PlauditError
from plaudit.schemas.feedback import Comparison, Ranking, Verdict

PROMPT = (user("A question"),)


def comparison(
    a: str,
    b: str,
    verdict: Verdict,
    person: str | None = "ann",
    texts: tuple[str, str] = ("x", "y"),
    weight: float = 1.0,
) -> Comparison:
    return Comparison(
        prompt=PROMPT,
        a=(assistant(texts[0]),),
        b=(assistant(texts[1]),),
        verdict=verdict,
        annotator=person,
        weight=weight,
        extra={"models": [a, b]},
    )


def ranking(models: list[str], ranks: list[int | None], person: str, weight: float = 1.0) -> Ranking:
    return Ranking(
        prompt=PROMPT,
        completions=tuple((assistant(f"answer of {model}"),) for model in models),
        ranks=tuple(ranks),
        annotator=person,
        weight=weight,
        extra={"models": list[JsonValue](models)},
    )


def world(num: int = 300, seed: int = 0, length_effect: float = 0.0) -> list[Ranking | Comparison]:
    """Verdicts on four models by twenty people; the better models write at greater length, which people may like."""
    rng = np.random.default_rng(seed)
    true = {"ash": 0.9, "elm": 0.3, "fir": -0.2, "oak": -1.0}
    records: list[Ranking | Comparison] = []
    for i in range(num):
        a, b = (str(name) for name in rng.choice(list(true), 2, replace=False))
        texts = tuple(" ".join(["word"] * int(rng.integers(5, 25) * math.exp(true[name]))) for name in (a, b))
        la, lb = map(len, texts)
        d = true[a] - true[b] + length_effect * (la - lb) / (la + lb)
        odds = np.array([math.exp(d / 2), math.exp(-d / 2), 0.5])
        verdict = rng.choice([Verdict.A, Verdict.B, Verdict.TIE], p=odds / odds.sum())
        records.append(comparison(a, b, Verdict(verdict), f"p{i % 20}", (texts[0], texts[1])))
    for i in range(num // 10):
        order = [str(name) for name in rng.permutation(list(true))]
        felt = [true[name] + rng.gumbel() for name in order]
        records.append(ranking(order, [sum(x > y for x in felt) for y in felt], f"p{i % 20}", weight=2.0))
    return records


def by_model(found: Leaderboard) -> dict[str, float]:
    return {standing.model: standing.rating.value for standing in found.standings}


def slow_fit(
    records: list[Ranking | Comparison], prior_std: float, with_length: bool
) -> tuple[dict[str, float], float]:
    """Ratings and the effect of length, by BFGS over the records' pairs as they stand."""
    votes = []
    for record in records:
        models = record.extra["models"]
        assert isinstance(models, list)
        if isinstance(record, Ranking):
            pairs = list(combinations(range(len(models)), 2))
            for i, j in pairs:
                p, q = record.ranks[i], record.ranks[j]
                assert p is not None
                assert q is not None
                votes.append((models[i], models[j], 0.5 if p == q else float(p < q), record.weight / len(pairs), 0.0))
        else:
            won = {Verdict.A: 1.0, Verdict.B: 0.0, Verdict.TIE: 0.5, Verdict.BOTH_BAD: 0.5}[record.verdict]
            x, y = num_words(record.a[0].text), num_words(record.b[0].text)
            votes.append((models[0], models[1], won, record.weight, (x - y) / (x + y + 1)))
    names = sorted({str(name) for vote in votes for name in vote[:2]})
    rms = math.sqrt(float(np.mean([vote[4] ** 2 for vote in votes]))) or 1.0

    def loss(x: np.ndarray) -> float:
        ratings, effect, tie = dict(zip(names, x, strict=False)), x[-2], x[-1]
        total = float((x[:-1] ** 2).sum()) / (2 * prior_std**2) + tie**2 / 200
        for a, b, won, weight, longer in votes:
            d = ratings[str(a)] - ratings[str(b)] + (effect * longer / rms if with_length else 0.0)
            logits = {1.0: d / 2, 0.0: -d / 2, 0.5: tie}
            total += weight * (math.log(sum(map(math.exp, logits.values()))) - logits[won])
        return total

    best = minimize(loss, np.zeros(len(names) + 2), method="BFGS", options={"gtol": 1e-5}).x
    mean = float(best[: len(names)].mean())
    return {name: float(x) - mean for name, x in zip(names, best, strict=False)}, float(best[-2])


def test_against_an_independent_optimiser_rankings_ties_and_weights_included() -> None:
    records = world(120)
    expected, _ = slow_fit(records, 2.0, with_length=False)
    found = leaderboard(records, num_resamples=5)
    assert by_model(found) == pytest.approx(expected, abs=1e-4)
    assert sum(by_model(found).values()) == pytest.approx(0, abs=1e-9)
    assert found.effects == {}
    assert found.num_people == 20
    # 120 comparisons and 12 rankings of six pairs, each pair a vote of both its models.
    assert sum(standing.num_votes for standing in found.standings) == 2 * (120 + 12 * 6)


def test_style_controlled_against_the_same() -> None:
    records = [record for record in world(120, length_effect=3.0) if isinstance(record, Comparison)]
    expected, effect = slow_fit(list(records), 2.0, with_length=True)
    found = leaderboard(records, style_controlled=True, num_resamples=5)
    assert by_model(found) == pytest.approx(expected, abs=1e-4)
    assert found.effects["length"].value == pytest.approx(effect, abs=1e-4)
    # No text has any.
    assert [found.effects[name].value for name in ("headings", "lists", "bold")] == pytest.approx([0, 0, 0], abs=1e-9)


def test_what_people_like_about_length_is_not_the_models_merit() -> None:
    """All models alike but for the length that they write at: control takes the difference away."""
    rng, records = np.random.default_rng(0), []
    for i in range(1500):
        a, b = (str(name) for name in rng.permutation(["long", "short"]))
        lengths = [int(rng.integers(10, 60)) * (2 if name == "long" else 1) for name in (a, b)]
        longer = (lengths[0] - lengths[1]) / sum(lengths)
        verdict = Verdict.A if rng.random() < 1 / (1 + math.exp(-2 * longer)) else Verdict.B
        texts = (" ".join(["w"] * lengths[0]), " ".join(["w"] * lengths[1]))
        records.append(comparison(a, b, verdict, f"p{i % 50}", texts))
    plain, controlled = (leaderboard(records, style_controlled=on, num_resamples=100) for on in (False, True))
    assert by_model(plain)["long"] > 0.25
    assert abs(by_model(controlled)["long"]) < 0.1
    assert [standing.place for standing in plain.standings] == [1, 2]
    assert [standing.place for standing in controlled.standings] == [1, 1]
    assert controlled.effects["length"].low > 0.5


def test_neither_the_order_of_records_nor_the_sides_change_anything() -> None:
    records = world(80, seed=2, length_effect=1.0)
    swapped = {Verdict.A: Verdict.B, Verdict.B: Verdict.A}
    turned = []
    for record in reversed(records):
        models = record.extra["models"]
        assert isinstance(models, list)
        extra = {"models": models[::-1]}
        if isinstance(record, Ranking):
            update = {"completions": record.completions[::-1], "ranks": record.ranks[::-1], "extra": extra}
        else:
            verdict = swapped.get(record.verdict, record.verdict)
            update = {"a": record.b, "b": record.a, "verdict": verdict, "extra": extra}
        turned.append(record.model_copy(update=update))
    before, after = (leaderboard(rows, style_controlled=True, num_resamples=20) for rows in (records, turned))
    assert [standing.model for standing in before.standings] == [standing.model for standing in after.standings]
    for one, other in zip(before.standings, after.standings, strict=True):
        assert (one.rating.value, one.rating.low, one.rating.high) == pytest.approx(
            (other.rating.value, other.rating.low, other.rating.high), abs=1e-6
        )
    assert before.effects["length"].high == pytest.approx(after.effects["length"].high, abs=1e-6)


def test_a_table_worked_by_hand() -> None:
    """One won 30, lost 10: without a prior log 3 apart. Both bad is a tie; an own second answer is no opponent."""
    rows = [("one", "two", Verdict.A)] * 30 + [("two", "one", Verdict.A)] * 10
    records = [comparison(a, b, verdict, f"p{i % 20}") for i, (a, b, verdict) in enumerate(rows)]
    found = leaderboard(records, prior_std=None, num_resamples=300)
    first, second = found.standings
    assert (first.model, second.model) == ("one", "two")
    assert first.rating.value - second.rating.value == pytest.approx(math.log(3), abs=1e-6)
    assert (first.num_votes, second.num_votes) == (40, 40)
    assert (first.place, second.place) == (1, 2)
    rate, back = found.win_rates[0][1], found.win_rates[1][0]
    assert rate is not None
    assert back is not None
    assert rate.value == pytest.approx(0.75)
    assert (back.value, back.low, back.high) == pytest.approx((1 - rate.value, 1 - rate.high, 1 - rate.low))
    assert found.win_rates[0][0] is not None
    assert found.win_rates[0][0].value == 0.5
    tied = leaderboard([*records, *[comparison("one", "two", Verdict.BOTH_BAD)] * 20], num_resamples=20)
    assert by_model(tied)["one"] < 0.9 * by_model(found)["one"] or tied.win_rates[0][1] != rate
    rate = tied.win_rates[0][1]
    assert rate is not None
    assert rate.value == pytest.approx(40 / 60, abs=0.01)  # under a prior of deviation 2, a little nearer to a half


def test_what_says_nothing_is_counted_by_its_reason() -> None:
    told = comparison("one", "two", Verdict.A)
    records = [
        told,
        comparison("one", "two", Verdict.INCOMPARABLE),
        comparison("one", "two", Verdict.A, weight=0.0),
        comparison("one", "one", Verdict.A),
        told.model_copy(update={"extra": {}}),
        told.model_copy(update={"extra": {"models": ["one"]}}),
        told.model_copy(update={"extra": {"models": ["one", ""]}}),
        told.model_copy(update={"extra": {"models": "one"}}),
        ranking(["one", "two", "one"], [0, None, 1], "ann"),
        told.model_copy(update={"extra": {"model_a": "one", "model_b": "two"}}),
        ranking(["one", "two", "one"], [0, 1, 2], "bob"),
    ]
    found = leaderboard(records, num_resamples=5)
    assert found.left_out == {"nothing compared": 2, "one model only": 2, "models not named": 4}
    # Twice one against two, and the two pairs of the last ranking that are of two models.
    assert [standing.num_votes for standing in found.standings] == [4, 4]
    with pytest.raises(
        PlauditError, match=r"none of the records compares two models: models not named \(1\); name them"
    ):
        leaderboard(records[4:5])
    with pytest.raises(PlauditError, match="there are none"):
        leaderboard([])


def test_names_are_read_from_either_place() -> None:
    told = comparison("one", "two", Verdict.A)
    assert model_names(told) == ("one", "two")
    assert model_names(told.model_copy(update={"extra": {"model_a": "x", "model_b": "y"}})) == ("x", "y")
    assert model_names(told.model_copy(update={"extra": {"model_a": "x"}})) is None
    assert model_names(ranking(["a", "b", "c"], [0, 1, 2], "ann")) == ("a", "b", "c")
    assert (
        model_names(ranking(["a", "b", "c"], [0, 1, 2], "ann").model_copy(update={"extra": {"models": ["a"]}})) is None
    )


def test_parts_that_no_vote_joins_stand_apart_the_larger_first() -> None:
    pairs = [("a", "b"), ("b", "a"), ("x", "y"), ("y", "z"), ("z", "x")]
    records = [comparison(*two, Verdict.A, f"p{i}") for i, two in enumerate(pairs * 6)]
    found = leaderboard(records, num_resamples=20)
    assert not found.is_connected
    assert [standing.part for standing in found.standings] == [0, 0, 0, 1, 1]
    assert {standing.model for standing in found.standings[:3]} == {"x", "y", "z"}
    assert all(
        (found.win_rates[i][j] is None) == (found.standings[i].part != found.standings[j].part)
        for i in range(5)
        for j in range(5)
    )
    joined = leaderboard([*records, comparison("a", "x", Verdict.TIE, "p0")], num_resamples=5)
    assert joined.is_connected


def test_one_person_gives_no_interval_and_people_widen_it() -> None:
    rows = [("one", "two", Verdict.A)] * 30 + [("two", "one", Verdict.A)] * 10
    alone = leaderboard([comparison(*row, None) for row in rows], num_resamples=50)
    assert alone.num_people == 1
    assert math.isnan(alone.standings[0].rating.low)
    assert alone.standings[1].place == 1
    # Ten people who each say one thing four times, or forty who say it once.
    few, many = (
        leaderboard([comparison(*row, f"p{i // size}") for i, row in enumerate(rows)], num_resamples=200)
        for size in (4, 1)
    )
    widths = [one.standings[0].rating.high - one.standings[0].rating.low for one in (few, many)]
    assert widths[0] > 1.4 * widths[1]
