"""Settings read off dataclasses, and what every command's settings must have."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Literal

import pytest

from plaudit.cli.fields import REQUIRED, docs_of, flat_settings, is_resumable, own_settings, settings_of, type_text
from plaudit.cli.main import COMMANDS, command_class
from plaudit.schemas.feedback import Verdict


@dataclass(frozen=True, kw_only=True, slots=True)
class Oar:
    """An oar."""

    length: float = 2.0
    """From end
    to end."""
    wood: str = "ash"


@dataclass(frozen=True, kw_only=True, slots=True)
class BoatConfig:
    seats: int = 2
    """How many sit."""
    oar: Oar = field(default_factory=lambda: Oar(length=3.0))
    """What moves it."""
    resume: bool = False
    """Go on."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Plan:
    paper: Path
    """Where it is drawn."""


@dataclass(frozen=True, kw_only=True, slots=True)
class BoatCommand(Plan):
    config: BoatConfig = field(default_factory=BoatConfig)
    names: tuple[str, ...] = ("a",)
    """What it may be called."""


def test_docs_are_the_texts_below_the_fields_parents_included() -> None:
    assert docs_of(Oar) == {"length": "From end\nto end."}
    assert docs_of(BoatCommand) == {"paper": "Where it is drawn.", "names": "What it may be called."}


def test_a_trainers_settings_stand_among_the_commands_and_resume_does_not() -> None:
    found = settings_of(BoatCommand)
    assert [setting.name for setting in found] == ["paper", "seats", "oar", "names"]
    assert [setting.default for setting in found] == [REQUIRED, 2, {"length": 3.0, "wood": "ash"}, ("a",)]
    assert [setting.inner for setting in found] == [None, None, Oar, None]
    assert found[0].doc == "Where it is drawn."


def test_flat_names_have_the_defaults_of_where_they_are_used() -> None:
    assert {setting.name: setting.default for setting in flat_settings(BoatCommand)} == {
        "paper": REQUIRED,
        "seats": 2,
        "oar.length": 3.0,
        "oar.wood": "ash",
        "names": ("a",),
    }


def test_own_settings_are_those_beside_the_trainers() -> None:
    assert own_settings(BoatCommand(paper=Path("p"))) == {"paper": Path("p"), "names": ("a",)}


def test_only_a_trainer_with_a_checkpoint_can_be_resumed() -> None:
    assert is_resumable(BoatCommand)
    assert not is_resumable(Plan)


@pytest.mark.parametrize(
    ("hint", "text"),
    [
        (int, "whole number"),
        (bool, "true, false"),
        (Path | None, "path or none"),
        (Literal["a", "b"], "a, b"),
        (tuple[Path, ...], "list of path"),
        (Annotated[str, "note"], "text"),
        (Verdict, "a, b, tie, both_bad, incomparable"),
    ],
)
def test_types_for_people(hint: object, text: str) -> None:
    assert type_text(hint) == text


@pytest.mark.parametrize("name", COMMANDS)
def test_every_setting_of_a_command_has_one_name_and_a_docstring(name: str) -> None:
    found = list(flat_settings(command_class(name)))
    names = [setting.name for setting in found]
    assert len(set(names)) == len(names)
    assert [setting.name for setting in found if not setting.doc] == []
    assert {"config", "resume"}.isdisjoint(names)
