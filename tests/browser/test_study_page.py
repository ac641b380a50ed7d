"""A person fills in a sheet in a real browser, by keyboard, without a network, and what they save is read back."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from plaudit.cli.study import sheet_lines
from plaudit.evaluation.studies.answers import Judgement, collected
from plaudit.evaluation.studies.sheet import write_study
from plaudit.evaluation.studies.study import Study, StudyConfig, made_study, study_pairs
from plaudit.schemas.conversation import assistant, user
from plaudit.schemas.feedback import Ranking, Verdict

if TYPE_CHECKING:
    from playwright.sync_api import Page

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
pytest.importorskip("playwright", reason="needs playwright: pip install 'plaudit[dev]'")
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="needs a chromium: apt install chromium")
FLAGS = "--no-sandbox --disable-gpu --disable-background-networking --disable-component-update --disable-sync --no-first-run"
HOSTILE = "</script><script>document.title = 'broken'</script><img src=x onerror=\"document.title='broken'\">"


@pytest.fixture
def study(tmp_path: Path) -> Study:
    rows = {
        name: [
            Ranking(
                prompt=(user(f"第 {i} 个问题 {HOSTILE}"),),
                completions=((assistant(f"{name} {i} {HOSTILE}"),), (assistant("z"),)),
                ranks=(None, None),
            )
            for i in range(3)
        ]
        for name in ("sft", "ppo")
    }
    config = StudyConfig(people=("ann",), people_per_pair=1, axes=("helpful", "clear"), maximum=5, repeat_frac=0.0)
    found = made_study(config, study_pairs(rows))
    write_study(found, tmp_path / "study")
    return found


@pytest.fixture
def page(tmp_path: Path, study: Study) -> Iterator[Page]:
    """The sheet of a person, opened from the disk in a browser that has no network."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as browsers:
        browser = browsers.chromium.launch(executable_path=CHROMIUM, args=FLAGS.split())
        context = browser.new_context(offline=True, accept_downloads=True, locale="en-GB")
        page = context.new_page()
        errors: list[str] = []
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.on("console", lambda message: errors.append(message.text) if message.type == "error" else None)
        page.goto((tmp_path / "study/sheets/ann.html").as_uri())
        yield page
        assert errors == []
        assert page.title() == "ann"
        browser.close()


def saved(page: Page, button: str, folder: Path, study: Study) -> list[Judgement]:
    """What the file holds that this button saves."""
    with page.expect_download() as download:
        page.click(f"#{button}")
    path = folder / download.value.suggested_filename
    download.value.save_as(path)
    return collected(study, sheet_lines(path)).judgements


def press(page: Page, keys: str) -> None:
    for key in keys.split():
        page.keyboard.press(key)


def test_a_sheet_filled_in_by_keyboard(page: Page, study: Study, tmp_path: Path) -> None:
    assert page.inner_text("#count") == "1 / 3 · 0 of 3 answered"
    assert HOSTILE in page.inner_text("#conversation")
    assert page.locator("main img").count() == 0
    press(page, "a Enter")
    assert page.inner_text("#said") == "Not answered yet: helpful A, clear A, helpful B, clear B"
    press(page, "5 4 2 9 3 Backspace 1 Enter")  # 9 is no rating here; 3 is taken back
    assert page.inner_text("#count") == "2 / 3 · 1 of 3 answered"
    page.fill("#comment", "both are 1 b 2, really")  # letters and digits in a text are text
    press(page, "Escape t 3 3 3 3 Enter c Enter")
    assert page.inner_text("#said") == "All answered. Save your answers as a file and send it back."
    found = saved(page, "save-json", tmp_path, study)
    rows = study.rows
    assert [one.row.id for one in found] == [row.id for row in rows]
    first, second, third = found
    assert first.left_won is True
    assert first.ratings["helpful"] == ((2, 5) if rows[0].swapped else (5, 2))
    assert first.ratings["clear"] == ((1, 4) if rows[0].swapped else (4, 1))
    assert (second.verdict, second.comment) == (Verdict.TIE, "both are 1 b 2, really")
    assert (third.verdict, third.ratings) == (Verdict.INCOMPARABLE, {})
    assert all(one.seconds is not None for one in found)
    by_table = saved(page, "save-csv", tmp_path, study)
    assert [(one.row, one.verdict, one.ratings, one.comment) for one in by_table] == [
        (one.row, one.verdict, one.ratings, one.comment) for one in found
    ]


def test_progress_survives_a_reload_and_the_mouse_works(page: Page, study: Study, tmp_path: Path) -> None:
    page.check('input[name="verdict"][value="b"]')
    for name in ("helpful_a", "clear_a", "helpful_b", "clear_b"):
        page.check(f'input[name="{name}"][value="2"]')
    page.click("#next")
    press(page, "x")
    page.reload()
    assert page.inner_text("#count") == "2 / 3 · 1 of 3 answered"
    assert page.is_checked('input[name="verdict"][value="both_bad"]')
    press(page, "p")
    assert page.is_checked('input[name="verdict"][value="b"]')
    found = saved(page, "save-json", tmp_path, study)
    assert [(one.row.id, one.left_won) for one in found] == [(study.rows[0].id, False)]  # half a row is not saved


def test_the_page_speaks_chinese_and_keeps_to_it(page: Page) -> None:
    page.click("#language")
    assert page.inner_text("#verdict-title") == "哪个回答更好？"
    assert page.get_attribute("html", "lang") == "zh"
    assert page.inner_text(".rating >> nth=0").startswith("有用")
    assert page.inner_text(".rating >> nth=1").startswith("clear")  # an axis of one's own keeps its name
    page.reload()
    assert page.inner_text("#next") == "下一题"


def test_both_languages_say_everything(page: Page) -> None:
    found = page.evaluate("() => [Object.keys(WORDS.en).sort(), Object.keys(WORDS.zh).sort()]")
    assert found[0] == found[1]
    assert page.evaluate("() => Object.keys(WORDS.zh.verdicts)") == ["a", "tie", "b", "both_bad", "incomparable"]


def test_every_control_is_reached_by_tab_and_has_a_name(page: Page) -> None:
    names = set()
    for _ in range(40):
        page.keyboard.press("Tab")
        names.add(page.evaluate("() => document.activeElement.id || document.activeElement.name || ''"))
    assert {"language", "verdict", "helpful_a", "clear_b", "comment", "next", "save-json", "save-csv"} <= names
    assert page.get_by_role("group", name="helpful A").count() == 1
    assert page.get_by_role("radio", name="A is better").count() == 1
