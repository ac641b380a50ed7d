"""Overlap of a model's answers with what people wrote."""

import pytest

from plaudit.evaluation.overlap import Language, bleu, chrf, rouge
from plaudit.evaluation.suites.references import TRANSLATE, language_of, overlap, put_into, referenced
from plaudit.schemas.conversation import assistant, user
from plaudit.schemas.feedback import Demonstration
from tests.evaluation.suites.conftest import saying


def rows(*pairs: tuple[str, str]) -> list[Demonstration]:
    return [Demonstration(prompt=(user(text),), completion=(assistant(said),)) for text, said in pairs]


def test_demonstrations_of_one_prompt_are_its_references() -> None:
    found = referenced(rows(("a", "one"), ("b", "two"), ("a", "three")))
    assert [row.references for row in found] == [("one", "three"), ("two",)]
    assert put_into(TRANSLATE, found)[0].prompt == (user("Translate this sentence into Chinese.\n\na"),)
    assert put_into("{}", referenced(rows(("a {}", "one"))))[0].prompt == (user("a {}"),)


def test_figures_are_those_of_the_measures() -> None:
    wrote = rows(
        ("when", "The ferry leaves at noon."), ("when", "At noon the ferry goes."), ("what", "Bring warm clothes.")
    )
    said = {"when": " The ferry leaves at noon.\n", "what": "Take warm socks."}
    found = overlap(saying(said), referenced(wrote), "overlap")
    texts = ["The ferry leaves at noon.", "Take warm socks."]
    references = [["The ferry leaves at noon.", "At noon the ferry goes."], ["Bring warm clothes."]]
    assert found.figures["BLEU"] == bleu(texts, references).corpus
    assert found.figures["chrF"] == chrf(texts, references).corpus
    assert found.figures["ROUGE-2"] == rouge(texts, references).rouge2.corpus
    assert [row["ROUGE-L"] for row in found.rows] == pytest.approx([1.0, 1 / 3])


def test_chinese_references_are_cut_by_characters() -> None:
    found = overlap(saying({"tea": "我爱喝绿茶"}), referenced(rows(("tea", "我爱喝绿茶。"))), "translation")
    assert found.rows[0]["ROUGE-1"] == 1.0
    assert language_of(["我爱 tea"]) is Language.ENGLISH
    assert language_of(["我爱喝绿茶 tea"]) is Language.CHINESE


def test_nothing_is_measured_where_no_prompt_fits() -> None:
    found = overlap(saying({}), referenced(rows(("x" * 600, "y"))), "overlap")
    assert found.figures == {"BLEU": None}
