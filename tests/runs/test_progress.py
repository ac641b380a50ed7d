"""Progress: sparse lines off a terminal, a bar on one, nothing when quiet."""

import io

import pytest

from plaudit.runs.progress import Progress, duration_text, tracked


class Clock:
    """A clock that moves when told to."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (-1, "0 s"),
        (0.4, "0 s"),
        (59.4, "59 s"),
        (59.6, "1 min 00 s"),
        (200, "3 min 20 s"),
        (3599.4, "59 min 59 s"),
        (3600, "1 h 00 min"),
        (3899, "1 h 05 min"),
        (7199, "2 h 00 min"),
        (100_000, "27 h 47 min"),
    ],
)
def test_durations_are_for_people(seconds: float, text: str) -> None:
    assert duration_text(seconds) == text


def test_lines_come_at_most_every_ten_seconds_with_percent_and_time_left() -> None:
    clock, stream = Clock(), io.StringIO()
    with Progress("sampling", total=30, stream=stream, clock=clock) as progress:
        for index in range(30):
            clock.now += 1
            progress.advance(note=f"score {index}" if index == 9 else "")
    assert stream.getvalue().splitlines() == [
        "sampling: 10/30 (33 %), about 20 s left, score 9",
        "sampling: 20/30 (66 %), about 10 s left, score 9",
        "sampling: 30/30 (100 %), done in 30 s, score 9",
    ]


def test_what_an_earlier_process_did_does_not_count_towards_the_speed() -> None:
    clock, stream = Clock(), io.StringIO()
    with Progress("ppo", total=100, completed=80, stream=stream, clock=clock) as progress:
        clock.now += 20
        progress.advance(2)
    assert stream.getvalue().splitlines()[0] == "ppo: 82/100 (82 %), about 3 min 00 s left"


def test_an_interrupted_loop_does_not_claim_to_be_done() -> None:
    clock, stream = Clock(), io.StringIO()
    progress = Progress("sft", total=4, stream=stream, clock=clock)

    def stopped_after_one() -> None:
        progress.advance()
        clock.now += 5
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt), progress:
        stopped_after_one()
    assert stream.getvalue() == "sft: 1/4 (25 %), stopped after 5 s\n"


@pytest.mark.parametrize("stream", [io.StringIO(), Terminal()])
def test_quiet_shows_nothing(stream: io.StringIO) -> None:
    clock = Clock()
    with Progress("sft", total=2, stream=stream, clock=clock, quiet=True) as progress:
        clock.now += 60
        progress.advance(2)
    assert stream.getvalue() == ""


def test_a_terminal_gets_a_bar_and_text_is_not_markup(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    stream = Terminal()
    with Progress("reward [x]", total=3, stream=stream) as progress:
        progress.advance(2, note="[/b] 0.5")
        progress.advance(1)
    shown = stream.getvalue()
    assert "reward [x]" in shown
    assert "3/3" in shown
    assert "[/b] 0.5" in shown


def test_a_loop_inside_a_loop_works_on_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    stream = Terminal()
    with Progress("outer", total=1, stream=stream) as outer, Progress("inner", total=1, stream=stream) as inner:
        inner.advance()
        outer.advance()
    assert "outer" in stream.getvalue()


def test_nothing_to_do_is_done() -> None:
    stream = io.StringIO()
    with Progress("none", total=0, stream=stream, clock=Clock()):
        pass
    assert stream.getvalue() == "none: 0/0 (100 %), done in 0 s\n"


def test_tracked_yields_every_item(capsys: pytest.CaptureFixture[str]) -> None:
    assert list(tracked("abc", "letters", total=3)) == ["a", "b", "c"]
    assert capsys.readouterr().err.startswith("letters: 3/3 (100 %), done")
