"""Questions people wrote to test models with. Only read.

    GSM8K          {"question", "answer": "... #### 18"}          -> Demonstration
    TruthfulQA     CSV: Question, Best Answer, Correct Answers, Incorrect Answers (texts parted by ";")  -> Ranking
    Vicuna, MT-bench   {"question_id", "turns": [text, ...]}      -> Prompt, the first turn

GSM8K's result after "####" is kept as `ground_truth` in `extra`, for a rule to check answers by. In TruthfulQA's rankings the
best answer has rank 0, every other correct one 1, every incorrect one 2 and is unacceptable: all that MC1 (the best against the
incorrect) and MC2 (the correct against the incorrect) need. A question's later turns, which an answer comes before, are kept
as `turns[1]`.
"""

from __future__ import annotations

from collections.abc import Mapping

from pydantic import JsonValue

from plaudit.formats.messages import MisfitError, shown
from plaudit.formats.rows import Row
from plaudit.schemas.conversation import assistant, user
from plaudit.schemas.feedback import AnyRecord, Demonstration, Prompt, Ranking

_RESULT = "#### "
_TRUTHFUL = ("Question", "Best Answer", "Correct Answers", "Incorrect Answers")


def recognises_gsm8k(columns: Mapping[str, JsonValue]) -> bool:
    """Whether a row has GSM8K's shape; a question and an answer without a marked result have not."""
    return isinstance(columns.get("question"), str) and _RESULT in str(columns.get("answer"))


def recognises_truthfulqa(columns: Mapping[str, JsonValue]) -> bool:
    """Whether a row has TruthfulQA's shape."""
    return columns.keys() >= set(_TRUTHFUL)


def recognises_turns(columns: Mapping[str, JsonValue]) -> bool:
    """Whether a row holds a person's turns without answers."""
    match columns:
        case {"turns": [str(), *_]}:
            return True
    return False


def gsm8k_records(row: Row) -> list[AnyRecord]:
    """The demonstration of one row of GSM8K."""
    question, answer = row.text("question"), row.text("answer")
    _, mark, result = answer.rpartition(_RESULT)
    if not mark or not result.strip():
        raise MisfitError("answer", f"a worked answer that ends with {_RESULT!r} and the result", shown(answer))
    row.leave("ground_truth", result.strip())
    return [Demonstration(prompt=(user(question),), completion=(assistant(answer),), **row.provenance())]


def truthfulqa_records(row: Row) -> list[AnyRecord]:
    """The ranking of one question of TruthfulQA."""
    question, best, correct, incorrect = (row.text(name) for name in _TRUTHFUL)
    best = best.strip()
    others = [answer for answer in _answers(correct) if answer != best]
    wrong = _answers(incorrect)
    if not best:
        raise MisfitError("Best Answer", "an answer", shown(best))
    if not wrong:
        raise MisfitError("Incorrect Answers", "at least one answer", shown(incorrect))
    if best in wrong:
        raise MisfitError("Incorrect Answers", "answers other than the best one", shown(best))
    ranks = (0, *(1 for _ in others), *(2 for _ in wrong))
    return [
        Ranking(
            prompt=(user(question),),
            completions=tuple((assistant(answer),) for answer in (best, *others, *wrong)),
            ranks=ranks,
            unacceptable=tuple(rank == 2 for rank in ranks),
            **row.provenance(),
        )
    ]


def turns_records(row: Row) -> list[AnyRecord]:
    """The prompt of one question: its first turn."""
    turns = row.items("turns")
    for index, turn in enumerate(turns):
        if not isinstance(turn, str) or not turn:
            raise MisfitError(f"turns[{index}]", "a person's turn in text", shown(turn))
        if index:
            row.leave(f"turns[{index}]", turn)
    if not turns:
        raise MisfitError("turns", "at least one turn", "none")
    return [Prompt(prompt=(user(str(turns[0])),), **row.provenance())]


def _answers(text: str) -> list[str]:
    return [answer for piece in text.split(";") if (answer := piece.strip())]
