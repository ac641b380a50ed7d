"""One page that loads nothing, escapes everything, and leaves out what it has no data for."""

import base64
import json
from html.parser import HTMLParser
from pathlib import Path

import pytest

from plaudit.evaluation.figures import Figure
from plaudit.evaluation.report import Report, report_html, write_report
from plaudit.evaluation.samples import Sample, ShownAnswer
from plaudit.evaluation.tables import Table
from plaudit.schemas.conversation import assistant, user
from plaudit.schemas.errors import PlauditError
from plaudit.schemas.protocols import Completion, TextScore

HOSTILE = "</div><script>alert(1)</script> <img src=x onerror=alert(1)> {{ 7 * 7 }} \" ' & " + "x" * 500
RTL = "عاصمة فرنسا هي باريس \u202e."
FIGURE = Figure("win_rates", "Win rates", "Bars.", b"light bytes", b"dark bytes")


def shown(text: str, *, finished: bool = True, utility: TextScore | None = None) -> ShownAnswer:
    return ShownAnswer("ppo", Completion(text, finished, 3), utility)


class Page(HTMLParser):
    """Tags with their attributes, and the text between them."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.open: list[str] = []
        self.feed(html)
        assert not self.open, f"left open: {self.open}"

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in {"meta", "img", "source"}:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data

    def named(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.tags if name == tag]


def full_report() -> Report:
    return Report(
        title=f"T {HOSTILE}",
        intro=("first", HOSTILE),
        tables=(Table(HOSTILE, ("model", HOSTILE), ((HOSTILE, "1"),), HOSTILE),),
        figures=(FIGURE,),
        samples=(
            Sample((user(HOSTILE),), (shown(HOSTILE, utility=TextScore(0.5, {HOSTILE: 1.0})), shown(RTL))),
            Sample((user("hi"), assistant("yes?"), user("more")), (shown("cut", finished=False), shown(" "))),
        ),
        notes=(HOSTILE,),
        summary={"win_rate": 0.75, "kl": float("nan")},
    )


def test_the_page_loads_nothing_and_runs_nothing() -> None:
    page = Page(report_html(full_report()))
    assert not page.named("script")
    assert not page.named("link")
    assert not page.named("iframe")
    (policy,) = [meta for meta in page.named("meta") if meta.get("http-equiv") == "Content-Security-Policy"]
    assert policy["content"] == "default-src 'none'; img-src data:; style-src 'unsafe-inline'"
    addresses = [x[key] for _, x in page.tags for key in ("src", "srcset", "href") if key in x]
    assert addresses
    assert all(address and address.startswith(("data:image/png;base64,", "#")) for address in addresses)
    assert not [key for _, attributes in page.tags for key in attributes if key.startswith("on")]


def test_hostile_text_stays_text() -> None:
    html = report_html(full_report())
    assert html.count("alert(1)") == 2 * html.count("&lt;script&gt;alert(1)")
    page = Page(html)
    labels = [text for _, attributes in page.tags for text in attributes.values() if text == HOSTILE]
    assert page.text.count(HOSTILE) + len(labels) == html.count("&lt;script&gt;")
    assert html.count("&lt;script&gt;") >= 9
    assert "{{ 7 * 7 }}" in html


def test_the_picture_follows_the_surroundings() -> None:
    page = Page(report_html(full_report()))
    (dark,), (light,) = page.named("source"), page.named("img")
    assert dark["media"] == "(prefers-color-scheme: dark)"
    assert base64.b64decode(str(dark["srcset"]).partition(",")[2]) == b"dark bytes"
    assert base64.b64decode(str(light["src"]).partition(",")[2]) == b"light bytes"
    assert light["alt"] == "Win rates. Bars."


def test_answers_say_how_they_ended_what_they_are_worth_and_run_their_own_way() -> None:
    page = Page(report_html(full_report()))
    words = " ".join(page.text.split())
    assert "The first 2 prompts and the first answer of each model" in words
    assert "ppo cut cut off at the length limit" in words
    assert "(empty)" in words
    assert "0.50 · " in words
    assert "user hi assistant yes? user more" in words
    texts = [
        attributes for tag, attributes in page.tags if tag in {"p", "div"} and "text" in str(attributes.get("class"))
    ]
    assert texts
    assert all(attributes["dir"] == "auto" for attributes in texts)


def test_what_no_page_can_hold_is_replaced() -> None:
    html = report_html(Report(title="a\x00b\ud800c\x1bd\te"))
    assert "<h1>a�b�c�d\te</h1>" in html
    assert html.encode()


def test_a_section_without_data_is_left_out() -> None:
    page = Page(report_html(Report(title="nothing yet")))
    assert "h2" not in {tag for tag, _ in page.tags}
    assert not page.named("section")
    assert not page.named("a")


def test_the_files(tmp_path: Path) -> None:
    folder = tmp_path / "new" / "report"
    path = write_report(full_report(), folder)
    assert path == folder / "report.html"
    assert sorted(entry.name for entry in folder.iterdir()) == ["report.html", "summary.json", "win_rates.png"]
    assert (folder / "win_rates.png").read_bytes() == b"light bytes"
    assert json.loads((folder / "summary.json").read_text()) == {"win_rate": 0.75, "kl": "nan"}
    assert path.read_text(encoding="utf-8") == report_html(full_report())
    write_report(Report(title="again"), folder)
    assert "again" in path.read_text(encoding="utf-8")


def test_a_folder_that_cannot_be_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(PlauditError, match=r"cannot write the report into .*file: .*Give a folder"):
        write_report(Report(title="x"), tmp_path / "file")


def test_two_figures_of_one_name_are_refused() -> None:
    with pytest.raises(ValueError, match="one file"):
        Report(title="x", figures=(FIGURE, FIGURE))
