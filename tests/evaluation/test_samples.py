"""The first prompts and first answers, none picked."""

from collections.abc import Sequence

from plaudit.evaluation.answers import Entrant
from plaudit.evaluation.judges import PeopleJudge, ScoreJudge
from plaudit.evaluation.samples import ShownAnswer, unpicked_samples
from plaudit.schemas.conversation import Messages, user
from plaudit.schemas.protocols import Completion, TextScore

PROMPTS = [(user(f"prompt {i}"),) for i in range(40)]


def entrant(name: str) -> Entrant:
    return Entrant(name, [[Completion(f"{name} {i} {k}", True, 3) for k in range(2)] for i in range(40)])


class Length:
    def score(self, prompts: Sequence[Messages], completions: Sequence[Completion]) -> list[TextScore]:
        assert len(prompts) == 30
        return [TextScore(float(len(answer.text)), {"x": 1.0}) for answer in completions]


def test_thirty_prompts_with_the_first_answer_of_each() -> None:
    found = unpicked_samples(PROMPTS, [entrant("a"), entrant("bb")], ScoreJudge(Length()))
    assert [sample.prompt for sample in found] == PROMPTS[:30]
    assert found[7].answers == (
        ShownAnswer("a", Completion("a 7 0", True, 3), TextScore(5.0, {"x": 1.0})),
        ShownAnswer("bb", Completion("bb 7 0", True, 3), TextScore(6.0, {"x": 1.0})),
    )


def test_a_judge_that_only_compares_adds_nothing() -> None:
    for judge in (None, PeopleJudge([])):
        found = unpicked_samples(PROMPTS, [entrant("a")], judge, num=100)
        assert len(found) == 40
        assert found[39].answers[0].utility is None
