"""Who judges what: everyone as much, sides balanced, repeats apart and turned round, and nothing on a sheet that tells."""

from __future__ import annotations

import csv
import io
import json
import re
from collections import Counter
from dataclasses import replace
from itertools import combinations
from pathlib import Path

import pytest

from plaudit.evaluation.studies.answers import read_study
from plaudit.evaluation.studies.sheet import sheet_csv, sheet_html, write_study
from plaudit.evaluation.studies.study import Study, StudyConfig, made_study, study_pairs
from plaudit.schemas.conversation import assistant, user
from plaudit.schemas.errors import PlauditError
from plaudit.schemas.feedback import Ranking

PEOPLE = ("ann", "bo", "cy", "di")
HOSTILE = "</script><script>alert(1)</script> <b>{{ 7 * 7 }}</b> \u2028 \"'&"


def answers(model: str, num: int = 40, first: int = 0) -> list[Ranking]:
    return [
        Ranking(
            prompt=(user(f"question {i}"),),
            completions=tuple((assistant(f"{model} says {k} to {i}"),) for k in range(2)),
            ranks=(None, None),
        )
        for i in range(first, first + num)
    ]


def study(config: StudyConfig, models: str = "xy", num: int = 40) -> Study:
    return made_study(config, study_pairs({name: answers(name, num) for name in models}, config.answers_per_prompt))


CONFIG = StudyConfig(people=PEOPLE, people_per_pair=2, repeat_frac=0.2, seed=3)


def test_every_pair_gets_its_people_and_everyone_as_many() -> None:
    found = study(CONFIG)
    firsts = [row for row in found.rows if not row.repeat]
    assert {len({row.person for row in firsts if row.pair == pair.id}) for pair in found.pairs} == {2}
    assert Counter(row.person for row in firsts) == dict.fromkeys(PEOPLE, 20)
    assert found.people == PEOPLE
    # everyone shares pairs with everyone, or their scales could not be told apart
    shared = Counter(
        pair
        for one in found.pairs
        for pair in combinations(sorted(row.person for row in firsts if row.pair == one.id), 2)
    )
    assert set(shared) == set(combinations(PEOPLE, 2))
    assert len({row.id for row in found.rows}) == len(found.rows)


def test_each_model_stands_first_half_of_the_time_for_everyone() -> None:
    found = study(CONFIG, "xyz", 20)
    pairs = {pair.id: pair for pair in found.pairs}
    assert found.models == ("x", "y", "z")
    for person in PEOPLE:
        for models in combinations("xyz", 2):
            sides = [
                row.swapped
                for row in found.rows
                if row.person == person and not row.repeat and pairs[row.pair].models == models
            ]
            assert abs(2 * sum(sides) - len(sides)) <= 1
    orders = ["".join(str(int(row.swapped)) for row in found.rows if row.person == person) for person in PEOPLE]
    assert len(set(orders)) == len(PEOPLE)


def test_repeats_are_turned_round_and_stand_apart() -> None:
    found = study(CONFIG)
    for person in PEOPLE:
        mine = [row for row in found.rows if row.person == person]
        repeats = [(place, row) for place, row in enumerate(mine) if row.repeat]
        assert len(repeats) == 4  # a fifth of twenty
        for place, row in repeats:
            (first,) = [other for other in mine if other.pair == row.pair and not other.repeat]
            assert first.swapped is not row.swapped
            assert place - mine.index(first) >= 5
    assert not [row for row in study(replace(CONFIG, repeat_frac=0.0)).rows if row.repeat]


def test_the_seed_decides_everything() -> None:
    assert study(CONFIG) == study(CONFIG)
    other = study(replace(CONFIG, seed=4))
    assert other.id != study(CONFIG).id
    assert [pair.prompt for pair in other.pairs] != [pair.prompt for pair in study(CONFIG).pairs]


def test_answers_are_paired_by_prompt_and_number() -> None:
    pairs = study_pairs({"x": answers("x", 5), "y": answers("y", 5, first=3)}, 2)
    assert [(pair.prompt[0].text, pair.answers) for pair in pairs] == [
        (f"question {i}", (f"x says {k} to {i}", f"y says {k} to {i}")) for i in (3, 4) for k in range(2)
    ]
    few = made_study(replace(CONFIG, num_pairs=3), pairs)
    assert len(few.pairs) == 3
    assert {pair.answers for pair in few.pairs} <= {pair.answers for pair in pairs}


def test_what_cannot_be_paired_is_refused() -> None:
    with pytest.raises(PlauditError, match="two models or more"):
        study_pairs({"x": answers("x")})
    with pytest.raises(PlauditError, match="no prompt was answered by all"):
        study_pairs({"x": answers("x", 3), "y": answers("y", 3, first=3)})
    with pytest.raises(PlauditError, match="answers_per_prompt is 3, but x and y have 2 and 2 answers to 'question 0'"):
        study_pairs({"x": answers("x"), "y": answers("y")}, 3)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"people": ()}, "a name of their own, got none"),
        ({"people": ("ann", "ann")}, "a name of their own, got ann, ann"),
        ({"people": ("../ann", "bo")}, "letters, digits"),
        ({"axes": ("useful, very",)}, "letters, digits"),
        ({"axes": ("row",)}, "axes need names of their own, other than"),
        ({"people_per_pair": 5}, "between 1 and the number of people, 4: got 5"),
        ({"minimum": 7, "maximum": 7}, "from minimum to maximum within 0 to 9, got 7 to 7"),
        ({"maximum": 10}, "within 0 to 9"),
        ({"repeat_frac": 0.6}, "between 0 and 0.5"),
        ({"num_pairs": 0}, "at least 1"),
    ],
)
def test_settings_that_make_no_study(wrong: dict[str, object], message: str) -> None:
    with pytest.raises(PlauditError, match=re.escape(message)):
        replace(CONFIG, **wrong)  # type: ignore[arg-type]


def hostile_study() -> Study:
    rows = {
        name: [
            Ranking(
                prompt=(user(f"{HOSTILE} {i}"),),
                completions=((assistant(f"={name * 3}{HOSTILE}"),), (assistant("z"),)),
                ranks=(None, None),
            )
            for i in range(4)
        ]
        for name in ("modelone", "modeltwo")
    }
    return made_study(replace(CONFIG, people_per_pair=1), study_pairs(rows))


def test_a_page_holds_its_rows_and_no_names_of_models() -> None:
    found = study(CONFIG)
    page = sheet_html(found, "bo")
    data = json.loads(page.split('<script type="application/json" id="data">')[1].split("</script>")[0])
    mine = [row for row in found.rows if row.person == "bo"]
    pairs = {pair.id: pair for pair in found.pairs}
    assert [row["id"] for row in data["rows"]] == [row.id for row in mine]
    assert set(data["rows"][0]) == {"id", "prompt", "a", "b"}
    for shown, row in zip(data["rows"], mine, strict=True):
        first, second = pairs[row.pair].answers
        assert (shown["a"], shown["b"]) == ((second, first) if row.swapped else (first, second))
        assert shown["prompt"] == [["user", pairs[row.pair].prompt[0].text]]
    assert not re.search(r"https?://|src=|href=", page.split("<body>")[0])
    assert "default-src 'none'; script-src 'sha256-" in page


def test_hostile_answers_stay_text() -> None:
    found = hostile_study()
    page = sheet_html(found, found.rows[0].person)
    assert page.count("<script") == 2
    assert "alert(1)\\u003c/script>" in page
    rows = list(csv.DictReader(io.StringIO(sheet_csv(found, found.rows[0].person))))
    assert rows[0]["answer_a"].startswith("'=model")  # no formula
    assert rows[0]["conversation"].startswith("user: </script>")


def test_the_folder_hides_the_key_from_the_sheets(tmp_path: Path) -> None:
    found = study(CONFIG)
    pages = write_study(found, tmp_path / "study")
    assert [page.name for page in pages] == [f"{person}.html" for person in PEOPLE]
    assert sorted(path.name for path in (tmp_path / "study").iterdir()) == ["key.json", "sheets"]
    assert read_study(tmp_path / "study") == found == read_study(tmp_path / "study" / "key.json")
    header = (tmp_path / "study/sheets/ann.csv").read_text("utf-8-sig").splitlines()[0]
    assert header == (
        "row,conversation,answer_a,answer_b,verdict,helpful_a,helpful_b,truthful_a,truthful_b,harmless_a,harmless_b,comment"
    )
    with pytest.raises(PlauditError, match="not empty"):
        write_study(found, tmp_path / "study")
    (tmp_path / "file").write_text("")
    with pytest.raises(PlauditError, match="cannot write the study"):
        write_study(found, tmp_path / "file")


def test_no_key_no_study(tmp_path: Path) -> None:
    with pytest.raises(PlauditError, match="cannot be read"):
        read_study(tmp_path)
    (tmp_path / "key.json").write_text('{"id": 1}')
    with pytest.raises(PlauditError, match="is not the key of a study"):
        read_study(tmp_path)
