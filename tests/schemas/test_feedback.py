"""Records: which quality of the answers was judged."""

import pytest
from pydantic import JsonValue

from plaudit.schemas.conversation import assistant, user
from plaudit.schemas.feedback import Rating, axis_of


@pytest.mark.parametrize(
    ("source", "extra", "axis"),
    [
        ("a.jsonl", {}, ""),
        ("a.jsonl", {"axis": "helpful"}, "helpful"),
        ("a.jsonl", {"axis": 3}, ""),
        ("trees.jsonl#toxicity", {"label": "toxicity", "label.count": 3}, "toxicity"),
        ("trees.jsonl", {"label": "good"}, ""),  # a column of somebody's own, which goes with the score as like as not
        ("a.json", {"argilla.question": "helpful"}, "helpful"),
        ("a.json", {"argilla.question": "helpful-2", "argilla.options": ["response2"]}, "helpful"),
        ("a.json", {"argilla.question": "response1_helpful", "argilla.options": ["response1"]}, "helpful"),
        ("a.json", {"argilla.question": "rule 3, answer 2", "argilla.options": ["response2"]}, "rule 3, answer"),
        ("a.json", {"argilla.question": "helpful-2", "argilla.options": ["completion"]}, "helpful-2"),
        ("a.json", {"argilla.question": "kind", "argilla.options": ["response1", "response2"]}, "kind"),
    ],
)
def test_an_axis_is_told_from_what_the_files_say(source: str, extra: dict[str, JsonValue], axis: str) -> None:
    rating = Rating(source=source, extra=extra, prompt=(user("Q?"),), completion=(assistant("A."),), score=1)
    assert axis_of(rating) == axis
