"""Contradictions worked by hand, and against a slow reading of every pair of verdicts."""

from __future__ import annotations

from itertools import combinations

from hypothesis import given
from hypothesis import strategies as st

from plaudit.quality.contradictions import Conflict, Contradiction, contradictions
from plaudit.schemas.conversation import Messages, assistant, user
from plaudit.schemas.feedback import AnyRecord, Comparison, Demonstration, Ranking, Rating, Verdict

P, Q = (user("What is tea?"),), (user("What is coffee?"),)
X, Y, Z = (assistant("A drink."),), (assistant("A leaf."),), (assistant("A bean."),)
OWN, MAJORITY, EQUAL = Conflict.OWN_WORD, Conflict.MAJORITY, Conflict.EQUAL_ANSWERS


def said(
    verdict: Verdict, by: str | None = "ann", a: Messages = X, b: Messages = Y, prompt: Messages = P
) -> Comparison:
    return Comparison(prompt=prompt, a=a, b=b, verdict=verdict, annotator=by)


def test_one_persons_opposite_verdicts_whatever_the_sides() -> None:
    same_side = [said(Verdict.A), said(Verdict.B)]
    other_side = [said(Verdict.A), said(Verdict.A, a=Y, b=X)]
    assert contradictions(same_side) == contradictions(other_side) == [Contradiction(OWN, (0, 1))]
    assert contradictions([said(Verdict.A), said(Verdict.B, a=Y, b=X)]) == []


def test_white_space_makes_no_other_question() -> None:
    spaced = said(Verdict.B, prompt=(user(" What  is tea?\n"),))
    assert contradictions([said(Verdict.A), spaced]) == [Contradiction(OWN, (0, 1))]


def test_what_is_no_contradiction() -> None:
    quiet = [
        said(Verdict.A),
        said(Verdict.A),
        said(Verdict.TIE),
        said(Verdict.BOTH_BAD),
        said(Verdict.INCOMPARABLE),
        said(Verdict.B, prompt=Q),
        said(Verdict.B, b=Z),
        said(Verdict.B, by="bob"),  # one against one: neither is a majority
        Demonstration(prompt=P, completion=X),
    ]
    assert contradictions(quiet) == []


def test_records_without_annotator_are_one_persons() -> None:
    assert contradictions([said(Verdict.A, None), said(Verdict.B, None)]) == [Contradiction(OWN, (0, 1))]


def test_the_few_stand_against_the_many() -> None:
    """Bob alone against ann, cid and dan. Eve says both and has no vote."""
    votes = [
        said(Verdict.A, "ann"),
        said(Verdict.B, "bob"),
        said(Verdict.A, "cid"),
        said(Verdict.B, "dan", a=Y, b=X),
        said(Verdict.A, "eve"),
        said(Verdict.B, "eve"),
    ]
    assert contradictions(votes) == [Contradiction(OWN, (4, 5)), Contradiction(MAJORITY, (1,), 1, 3)]
    assert contradictions([*votes[:2], said(Verdict.B, "fay"), said(Verdict.B, "gus")]) == [
        Contradiction(MAJORITY, (0,), 1, 3)
    ]


def test_a_preference_between_equal_answers() -> None:
    spaced = (assistant("A  drink."),)
    assert contradictions([said(Verdict.A, b=spaced)]) == [Contradiction(EQUAL, (0,))]
    assert contradictions([said(Verdict.TIE, b=X), said(Verdict.BOTH_BAD, b=X)]) == []
    ranking = Ranking(prompt=P, completions=(X, Y, X), ranks=(0, 1, 2), annotator="ann")
    assert contradictions([ranking]) == [Contradiction(EQUAL, (0,)), Contradiction(OWN, (0,))]
    assert contradictions([ranking.model_copy(update={"ranks": (0, 1, 0)})]) == []


def test_rankings_and_comparisons_speak_of_the_same_answers() -> None:
    ranking = Ranking(prompt=P, completions=(X, Y, Z), ranks=(0, 1, 2), annotator="ann")
    backwards = ranking.model_copy(update={"ranks": (2, 1, 0)})
    # Three pairs of answers are at odds, and it is said once.
    assert contradictions([ranking, backwards]) == [Contradiction(OWN, (0, 1))]
    assert contradictions([ranking, said(Verdict.A, a=Z, b=Y)]) == [Contradiction(OWN, (0, 1))]


def test_ratings_on_both_sides_of_the_middle() -> None:
    def rated(score: float, by: str = "ann") -> Rating:
        return Rating(prompt=P, completion=X, score=score, minimum=1, maximum=5, annotator=by)

    assert contradictions([rated(2), rated(4)]) == [Contradiction(OWN, (0, 1))]
    assert contradictions([rated(3), rated(4), rated(5)]) == []
    assert contradictions([rated(1), rated(4, "bob"), rated(5, "cid")]) == [Contradiction(MAJORITY, (0,), 1, 2)]


def test_what_is_said_of_another_quality_contradicts_nothing() -> None:
    """Helpful and harmful, on either side of the middle, and so with comparisons; on one axis it is a contradiction."""

    def rated(score: float, axis: str, by: str = "ann") -> Rating:
        fields = {"prompt": P, "completion": X, "minimum": 1, "maximum": 5, "annotator": by}
        return Rating(**fields, score=score, extra={"axis": axis})

    assert contradictions([rated(5, "helpful"), rated(1, "harmless")]) == []
    assert contradictions([rated(5, "helpful"), rated(1, "helpful")]) == [Contradiction(OWN, (0, 1))]
    crowd = [rated(1, "helpful"), rated(5, "harmless", "bob"), rated(5, "harmless", "cid")]
    assert contradictions(crowd) == []
    kind, useful = (
        said(verdict).model_copy(update={"extra": {"axis": axis}})
        for axis, verdict in (("kind", Verdict.A), ("useful", Verdict.B))
    )
    assert contradictions([kind, useful]) == []


PEOPLE = ["ann", "bob", "cid", "dan"]
verdicts = st.lists(
    st.builds(
        lambda by, turned, verdict: said(verdict, by, *((Y, X) if turned else (X, Y))),
        st.sampled_from(PEOPLE),
        st.booleans(),
        st.sampled_from([Verdict.A, Verdict.B, Verdict.TIE]),
    ),
    max_size=9,
)


@given(verdicts)
def test_against_a_slow_reading(records: list[AnyRecord]) -> None:
    """Who prefers X, told from each verdict by itself."""
    likes = {}
    for index, record in enumerate(records):
        assert isinstance(record, Comparison)
        if record.verdict in (Verdict.A, Verdict.B):
            likes[index] = (record.a if record.verdict is Verdict.A else record.b) == X
    by = {index: records[index].annotator for index in likes}
    torn = {by[i] for i, j in combinations(likes, 2) if by[i] == by[j] and likes[i] != likes[j]}
    found = contradictions(records)
    assert {row.indices for row in found if row.conflict is OWN} == {
        tuple(index for index in likes if by[index] == person) for person in torn
    }
    sure = {by[index]: likes[index] for index in likes if by[index] not in torn}
    number = {side: list(sure.values()).count(side) for side in (True, False)}
    lost = min(number, key=number.__getitem__)
    expected = set()
    if 0 < number[lost] < number[not lost]:
        expected = {tuple(index for index in likes if sure.get(by[index]) is lost)}
    assert {row.indices for row in found if row.conflict is MAJORITY} == expected
