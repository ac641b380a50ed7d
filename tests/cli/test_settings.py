"""Four layers of settings: what wins, what is refused, and what the message says."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Literal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from plaudit.cli.settings import parsed
from plaudit.schemas.errors import PlauditError


class Colour(StrEnum):
    RED = "red"
    DARK_BLUE = "dark-blue"


@dataclass(frozen=True, kw_only=True, slots=True)
class Paint:
    """What covers it."""

    colour: Colour = Colour.RED
    """Its colour."""
    num_coats: int = 2
    """How often."""
    gloss: float | None = None
    """How shiny."""

    def __post_init__(self) -> None:
        if self.num_coats < 1:
            raise PlauditError(f"num_coats must be at least 1, got {self.num_coats}")


@dataclass(frozen=True, kw_only=True, slots=True)
class BoatConfig:
    """A boat."""

    name: str = "Miso"
    """What it is called."""
    length: float = 3.0
    """In metres."""
    kind: Literal["sail", "oar"] = "sail"
    """What moves it."""
    paint: Paint = field(default_factory=lambda: Paint(num_coats=3))
    """What covers it."""
    resume: bool = False
    """Set by naming a run."""

    def __post_init__(self) -> None:
        if self.paint.num_coats > self.length:
            raise PlauditError("too much paint")


@dataclass(frozen=True, kw_only=True, slots=True)
class BoatCommand:
    """Build a boat."""

    plan: Path
    """The drawing."""
    crew: tuple[str, ...] = ()
    """Who goes."""
    config: BoatConfig = field(default_factory=BoatConfig)

    def run(self) -> int:
        return 0


def boat(*words: str) -> BoatCommand:
    return parsed(BoatCommand, words, name="boat")


@pytest.fixture
def toml(tmp_path: Path) -> Path:
    path = tmp_path / "boat.toml"
    path.write_text('plan = "p.txt"\nlength = 4\ncrew = ["a", "b"]\n[paint]\ncolour = "dark-blue"\ngloss = 1\n')
    return path


def test_the_dataclass_has_the_defaults() -> None:
    assert boat("--plan", "p") == BoatCommand(plan=Path("p"))


def test_a_file_goes_over_defaults_and_a_flag_over_the_file(toml: Path) -> None:
    found = boat("--config", str(toml), "--paint.num-coats", "4", "--name", "Kestrel")
    paint = Paint(colour=Colour.DARK_BLUE, num_coats=4, gloss=1.0)
    config = BoatConfig(name="Kestrel", length=4.0, paint=paint)
    assert found == BoatCommand(plan=Path("p.txt"), crew=("a", "b"), config=config)
    assert isinstance(found.config.length, float)


def test_flags_may_stand_before_the_file_and_with_an_equals_sign(toml: Path) -> None:
    assert boat("--length=5", f"--config={toml}").config.length == 5.0


def test_rules_are_judged_on_final_values_only(tmp_path: Path) -> None:
    path = tmp_path / "b.toml"
    path.write_text("[paint]\nnum_coats = 9\n")
    with pytest.raises(PlauditError, match="too much paint"):
        boat("--plan", "p", "--config", str(path))
    assert boat("--plan", "p", "--config", str(path), "--length", "9").config.paint.num_coats == 9
    with pytest.raises(PlauditError, match="num_coats must be at least 1, got 0"):
        boat("--plan", "p", "--paint.num-coats", "0")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("lenght = 3", "there is no setting lenght; the nearest is length"),
        ("[paint]\ncolor = 3", "there is no setting paint.color; the nearest is paint.colour"),
        ("num_coats = 3", "there is no setting num_coats; the nearest is paint.num_coats"),
        ("[pain]\ncolour = 3", "there is no setting pain; the nearest is paint"),
        ("resume = true", "there is no setting resume"),
        ("output_dir = 'x'", "there is no setting output_dir"),
        ("length = 'long'", "length: expected number, got 'long'"),
        ("length = true", "length: expected number, got True"),
        ("name = 3", "name: expected text, got 3"),
        ("kind = 'steam'", "kind: expected sail, oar, got 'steam'"),
        ("crew = 'a'", "crew: expected list of text, got 'a'"),
        ("paint = 3", r"paint must be a table of settings, got 3: write \[paint\]"),
        ("[paint]\ncolour = 'blue'", "paint.colour: expected red, dark-blue, got 'blue'"),
        ("[paint]\nnum_coats = 1.5", "paint.num_coats: expected whole number, got 1.5"),
        ("[paint]\ngloss = 2020-01-01", "paint.gloss: expected number or none, got"),
        ("length = ", "is not TOML"),
    ],
)
def test_a_wrong_file_is_named_with_key_and_expectation(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "b.toml"
    path.write_text(text)
    with pytest.raises(PlauditError, match=message) as caught:
        boat("--plan", "p", "--config", str(path))
    assert str(path) in str(caught.value)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--length", "nan"), "--length must be a finite number, got nan"),
        (("--length=inf",), "--length must be a finite number, got inf"),
        (("--paint.gloss", "-inf"), "--paint.gloss must be a finite number, got -inf"),
    ],
)
def test_no_setting_is_nan_or_infinite(words: tuple[str, ...], message: str) -> None:
    with pytest.raises(PlauditError, match=message):
        boat("--plan", "p", *words)


def test_a_missing_file_is_named() -> None:
    with pytest.raises(PlauditError, match=r"--config nope.toml cannot be read: No such file"):
        boat("--plan", "p", "--config", "nope.toml")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ((), "--plan"),
        (("--plan", "p", "--length", "long"), "could not convert string to float"),
        (("--plan", "p", "--paint.colour", "blue"), "Expected one of"),
        (("--plan", "p", "--lenght", "3"), "--length"),
        (("--plan", "p", "--num-coats", "3"), "--paint.num-coats"),
        (("--plan", "p", "stray"), "stray"),
    ],
)
def test_a_wrong_flag_ends_with_two_and_says_why(
    words: tuple[str, ...], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as caught:
        boat(*words)
    assert caught.value.code == 2
    captured = capsys.readouterr()
    assert message in captured.err
    assert captured.out == ""


def test_help_shows_docstring_choices_and_the_value_from_the_file(
    toml: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "160")
    with pytest.raises(SystemExit) as caught:
        boat("--config", str(toml), "--help")
    assert caught.value.code == 0
    text = capsys.readouterr().out
    assert "usage: plaudit boat" in text
    for words in ("Build a boat.", "In metres. (default: 4.0)", "{red,dark-blue}", "(default: dark-blue)", "--resume"):
        assert words in text


def test_a_name_of_trls_is_answered_with_ours() -> None:
    from plaudit.cli.sft import SFTCommand

    for flag in ("--learning_rate", "--learning-rate", "--learning_rate=3"):
        with pytest.raises(PlauditError, match=r"is TRL's name: `plaudit sft` calls it --optimiser\.learning-rate"):
            parsed(SFTCommand, [flag, "3"], name="sft")


def test_a_value_that_looks_like_a_name_of_trls_is_a_value() -> None:
    from plaudit.cli.sft import SFTCommand

    assert parsed(SFTCommand, ["--data", "learning_rate"], name="sft").data == Path("learning_rate")


def test_a_name_that_both_have_is_ours() -> None:
    from plaudit.cli.dpo import DPOCommand

    command = parsed(DPOCommand, ["--data", "d", "--beta", "0.3", "--seed", "2"], name="dpo")
    assert (command.config.beta, command.config.seed) == (0.3, 2)


def test_a_name_of_trls_in_a_file_is_answered_with_ours(tmp_path: Path) -> None:
    from plaudit.cli.ppo import PPOCommand

    path = tmp_path / "p.toml"
    path.write_text("response_length = 3")
    with pytest.raises(PlauditError, match=r"p.toml: there is no setting response_length; the nearest is experience\."):
        parsed(PPOCommand, ["--config", str(path)], name="ppo")


@settings(max_examples=25)
@given(
    length=st.floats(3, 1e6, allow_nan=False),
    coats=st.integers(1, 3),
    colour=st.sampled_from(Colour),
    name=st.text(alphabet=st.characters(codec="utf-8", exclude_categories=["C"]), max_size=5).filter(
        lambda text: not text.startswith("-")
    ),
)
def test_a_value_means_the_same_as_a_flag_and_in_a_file(
    tmp_path_factory: pytest.TempPathFactory, length: float, coats: int, colour: Colour, name: str
) -> None:
    path = tmp_path_factory.mktemp("toml") / "b.toml"
    quoted = name.replace("\\", "\\\\").replace('"', '\\"')
    path.write_text(
        f'name = "{quoted}"\nlength = {length!r}\n[paint]\nnum_coats = {coats}\ncolour = "{colour.value}"\n',
        encoding="utf-8",
    )
    flags = ("--name", name, "--length", repr(length), "--paint.num-coats", str(coats), "--paint.colour", colour.value)
    assert boat("--plan", "p", "--config", str(path)) == boat("--plan", "p", *flags)
