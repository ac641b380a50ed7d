"""Several methods against a baseline: every number worked by hand, or by the statistics that define it."""

import math
from collections.abc import Sequence

import numpy as np
import pytest

from plaudit.evaluation.answers import Entrant
from plaudit.evaluation.contest import contest
from plaudit.evaluation.judges import AnswerSets, Judged, ScoreJudge
from plaudit.schemas.conversation import Messages, user
from plaudit.schemas.errors import PlauditError
from plaudit.schemas.protocols import Completion, TextScore
from plaudit.statistics.winrate import Answers, length_matched_win_rate

PROMPTS = [(user("one"),), (user("two"),)]


class NumberScorer:
    """An answer's score is its last word, a number."""

    def score(self, prompts: Sequence[Messages], completions: Sequence[Completion]) -> list[TextScore]:
        values = [float(answer.text.split()[-1]) for answer in completions]
        return [TextScore(value, {"half": value / 2, "finish": float(answer.finished)})
                for value, answer in zip(values, completions, strict=True)]  # fmt: skip


class Mute:
    """A judge without a word on anything."""

    def judged(self, prompts: Sequence[Messages], a: AnswerSets, b: AnswerSets) -> Judged:
        return Judged(tuple(np.full((len(x), len(y)), np.nan) for x, y in zip(a, b, strict=True)))

    def utilities(self, prompts: Sequence[Messages], answers: AnswerSets) -> None:
        """None."""


def answer(text: str, num_tokens: int = 5, *, finished: bool = True) -> Completion:
    return Completion(text, finished, num_tokens)


def test_two_prompts_worked_by_hand() -> None:
    baseline = Entrant("sft", [[answer("1"), answer("2")], [answer("3"), answer("4")]], perplexity=9.5)
    entrant = Entrant(
        "ppo",
        [[answer("2", 10), answer("0", 20, finished=False)], [answer("9", 30), answer("3", 40)]],
        cpu_seconds=60.0,
        kl=1.5,
        perplexity=9.0,
    )
    result = contest(PROMPTS, baseline, [entrant], ScoreJudge(NumberScorer()))
    (found,) = result.entrants
    # 2 beats 1 and ties 2; 0 loses twice; 9 beats both; 3 ties 3 and loses to 4
    assert found.win_rate is not None
    assert (found.win_rate.value, found.win_rate.n) == (4 / 8, 8)
    assert (found.win_rate.low, found.win_rate.high) == (1.5 / 4, 2.5 / 4)
    assert found.length_matched is None
    assert found.utility is not None
    assert (found.utility.value, found.utility.low, found.utility.high) == (3.5, 1.0, 6.0)
    # Prompt by prompt 1.0 against 1.5, and 6.0 against 3.5.
    assert found.gain is not None
    assert (found.gain.value, found.gain.low, found.gain.high, found.gain.n) == (1.0, -0.5, 2.5, 2)
    assert result.baseline.gain is None
    assert found.components == {"half": 1.75, "finish": 0.75}
    assert (found.mean_length, found.stop_frac) == (25.0, 0.75)
    assert (found.kl, found.perplexity, found.cpu_seconds) == (1.5, 9.0, 60.0)
    assert (found.num_left_out, found.position_consistency) == (0, None)
    assert result.standings == (result.baseline, found)
    assert (result.num_prompts, result.num_answers) == (2, 4)
    assert (result.baseline.name, result.baseline.win_rate, result.baseline.perplexity) == ("sft", None, 9.5)
    assert result.baseline.utility is not None
    assert result.baseline.utility.value == 2.5


def test_the_form_of_the_answers_worked_by_hand() -> None:
    loop = "so it is so it is so it is so it is 1"
    entrant = Entrant("a", [[answer(loop), answer("I can't help with that. 1")], [answer("a plain answer 1")] * 2])
    baseline = Entrant("b", [[answer("one two three 1")] * 2] * 2)
    found = contest(PROMPTS, baseline, [entrant], ScoreJudge(NumberScorer())).entrants[0]
    # the loop's 11 trigrams: so it is, it is so, is so it (each first once), is 1's "it is 1": 4 of 11 are new
    assert found.repetition == pytest.approx(7 / 11 / 4)
    assert (found.loop_frac, found.decline_frac) == (0.25, 0.25)


def test_distinct_counts_as_many_answers_of_each_and_as_many_words() -> None:
    """The entrant has one answer a prompt, so of the baseline's only the first counts: its second says nothing new."""
    baseline = Entrant("b", [[answer("a b c 1"), answer("a b c 1")], [answer("d e f 1"), answer("d e f 1")]])
    entrant = Entrant("a", [[answer("x y x y x y 1")], [answer("x y x y x y 1")]])
    found = contest(PROMPTS, baseline, [entrant], ScoreJudge(NumberScorer())).entrants[0]
    # eight words each: the baseline's all six pairs differ; the entrant's four first words are x y x y twice
    assert found.distinct_of_baseline == 1.0
    assert found.distinct == pytest.approx(2 / 6)


def test_length_matching_is_that_of_the_statistics() -> None:
    rng = np.random.default_rng(0)
    prompts = [(user(str(i)),) for i in range(60)]

    def answers() -> list[list[Completion]]:
        return [
            [answer(str(rng.integers(5)), int(rng.integers(8, 16))) for _ in range(rng.integers(2, 5))] for _ in prompts
        ]

    a, b = Entrant("a", answers()), Entrant("b", answers())
    (found,) = contest(prompts, b, [a], ScoreJudge(NumberScorer()), seed=4).entrants

    def table(entrant: Entrant) -> list[Answers]:
        return [Answers([x.num_tokens for x in row], [float(x.text) for x in row]) for row in entrant.answers]

    expected = length_matched_win_rate(table(a), table(b), seed=4)
    assert expected is not None
    assert found.length_matched == expected


@pytest.mark.parametrize(("num_pairs", "measured"), [(99, False), (100, True)])
def test_under_a_hundred_pairs_of_equal_length_nothing_was_measured(num_pairs: int, measured: bool) -> None:
    baseline = Entrant("b", [[answer("0", 10)], [answer("0", 10)]])
    entrant = Entrant("a", [[answer("1", 11)] * num_pairs, [answer("1", 12)] * 500])
    found = contest(PROMPTS, baseline, [entrant], ScoreJudge(NumberScorer())).entrants[0].length_matched
    assert (found is not None) is measured


def test_pairs_without_a_word_count_neither_way() -> None:
    class HalfMute(Mute):
        def judged(self, prompts: Sequence[Messages], a: AnswerSets, b: AnswerSets) -> Judged:
            return Judged((np.array([[1.0, np.nan]]), np.array([[np.nan, np.nan]])), position_consistency=0.75)

    baseline = Entrant("b", [[answer("0"), answer("0")]] * 2)
    (found,) = contest(PROMPTS, baseline, [Entrant("a", [[answer("1")]] * 2)], HalfMute()).entrants
    assert found.win_rate is not None
    assert (found.win_rate.value, found.win_rate.n) == (1.0, 1)
    assert math.isnan(found.win_rate.low)
    assert (found.num_left_out, found.position_consistency) == (3, 0.75)
    assert (found.utility, found.components) == (None, {})


def test_a_judge_without_a_word_measures_nothing() -> None:
    baseline, entrant = Entrant("b", [[answer("0")]] * 2), Entrant("a", [[answer("1")]] * 2)
    found = contest(PROMPTS, baseline, [entrant], Mute()).entrants[0]
    assert (found.win_rate, found.length_matched, found.num_left_out) == (None, None, 2)


def test_equal_prompts_are_one_cluster() -> None:
    """Two prompts that are the same one cannot be resampled into an interval."""
    baseline, entrant = Entrant("b", [[answer("0")]] * 2), Entrant("a", [[answer("1")], [answer("-1")]])
    found = contest([PROMPTS[0], PROMPTS[0]], baseline, [entrant], ScoreJudge(NumberScorer())).entrants[0].win_rate
    assert found is not None
    assert found.value == 0.5
    assert math.isnan(found.low)


def test_missing_answers_and_equal_names_are_refused() -> None:
    full = Entrant("b", [[answer("0")]] * 2)
    judge = ScoreJudge(NumberScorer())
    with pytest.raises(PlauditError, match="a must have at least one answer to each of 2 prompts; it has answers to 1"):
        contest(PROMPTS, full, [Entrant("a", [[answer("1")], []])], judge)
    with pytest.raises(PlauditError, match="has answers to 1"):
        contest(PROMPTS, full, [Entrant("a", [[answer("1")]])], judge)
    with pytest.raises(PlauditError, match="a name of its own, got b, b"):
        contest(PROMPTS, full, [full], judge)
    with pytest.raises(PlauditError, match="no prompts"):
        contest([], Entrant("b", []), [], judge)
