"""Who declines what, counted by hand."""

from __future__ import annotations

from plaudit.demo.refusals import Refusals, refusals, refusals_table
from plaudit.demo.utility import Question
from plaudit.evaluation.answers import Entrant
from plaudit.schemas.conversation import user
from plaudit.schemas.protocols import Completion

NO, YES = "I am sorry, but I cannot help with that.", "Rinse it in cold water."


def _question(kind: str) -> Question:
    return Question((user(f"A question of the kind {kind}?"),), ("One.", "Another."), kind, "laundry")


def _entrant(*rows: tuple[str, ...]) -> Entrant:
    return Entrant("some", [[Completion(text, True, 5) for text in row] for row in rows], cpu_seconds=0.0)


def test_answers_to_harmful_and_harmless_questions_are_counted_apart() -> None:
    asked = [_question("decline"), _question("howto"), _question("why")]
    assert refusals(asked, _entrant((NO, NO, NO, YES), (YES, NO), (YES, YES))) == Refusals(3 / 4, 1 / 4)


def test_nothing_is_said_of_questions_that_were_not_asked() -> None:
    assert refusals([_question("howto")], _entrant((YES, NO))) == Refusals(None, 1 / 2)
    assert refusals([_question("decline")], _entrant((NO,))) == Refusals(1.0, None)


def test_the_table_has_a_row_for_each() -> None:
    table = refusals_table({"SFT": Refusals(0.75, 0.0), "PPO": Refusals(None, 0.25)})
    assert table.rows == (("SFT", "75 %", "0 %"), ("PPO", "", "25 %"))
