"""A command's settings from four layers: the dataclass's defaults, the run that is resumed, a TOML file, flags.

Each layer overrides the one before. The dataclasses are made once, from what came out, so that a rule between two
settings is judged on their final values.
"""

from __future__ import annotations

import json
import math
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, fields, is_dataclass, make_dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeVar, cast, get_type_hints

import tyro
from pydantic import JsonValue, TypeAdapter, ValidationError

from plaudit.cli.fields import BY_FOLDER, REQUIRED, TOP, Setting, flat_settings, is_resumable, settings_of, type_text
from plaudit.cli.inputs import saved_settings
from plaudit.runs.metric_names import TRL_FLAGS
from plaudit.schemas.errors import PlauditError

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

C = TypeVar("C", bound="DataclassInstance")

Values = dict[str, object]
"""Settings by name, a nested config as a mapping of its own."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Sources:
    """Where settings come from besides the flags."""

    config: Path | None = None
    """A TOML file with settings, nested ones as tables; flags override it."""
    resume: Path | None = None
    """Continue the run in this folder, with its own settings and data."""


def parsed(
    command: type[C], arguments: Sequence[str], *, name: str, reads_toml: bool = True, prog: str | None = None
) -> C:
    """The command as the arguments ask for it; `name` is what follows `plaudit` on the command line.

    `prog` is how help calls the program, `plaudit <name>` unless given.

    Raises PlauditError, and SystemExit where tyro has printed help or what is wrong with a flag.
    """
    _explain_trl_flags(arguments, command, name)
    values: Values = {setting.name: setting.default for setting in settings_of(command)}
    sources = Sources()
    if reads_toml:
        sources, _ = tyro.cli(Sources, args=arguments, return_unknown_args=True, add_help=False)
    may_resume = is_resumable(command)
    if sources.resume is not None and may_resume:
        saved = saved_settings(sources.resume, name)
        values = _over(values, _typed(command, saved, f"{sources.resume}/config.json"))
    if sources.config is not None:
        values = _over(values, _typed(command, _read_toml(sources.config), str(sources.config)))
    known = {"config", "resume"} if may_resume else {"config"}
    shown = [setting for setting in settings_of(Sources) if reads_toml and setting.name in known]
    given = _twin(
        command.__name__, command.__doc__, [*settings_of(command), *shown], values | {"config": None, "resume": None}
    )
    found = tyro.cli(
        type(given),
        default=given,
        args=arguments,
        prog=prog or f"plaudit {name}",
        config=(tyro.conf.EnumChoicesFromValues,),
    )
    return _built(command, asdict(found), resume=may_resume and sources.resume is not None)


def known_flags(command: type[DataclassInstance]) -> list[str]:
    """The dotted names of the command's settings."""
    return [setting.name for setting in flat_settings(command)]


def _explain_trl_flags(arguments: Iterable[str], command: type[DataclassInstance], name: str) -> None:
    """Raises PlauditError for a flag of TRL's that plaudit calls by another name."""
    known = known_flags(command)
    for argument in arguments:
        flag = argument.removeprefix("--").partition("=")[0].replace("-", "_")
        if not argument.startswith("--") or flag in known or flag not in TRL_FLAGS:
            continue
        if TRL_FLAGS[flag] in known:
            raise PlauditError(f"--{flag} is TRL's name: `plaudit {name}` calls it {_flag(TRL_FLAGS[flag])}")


def _flag(name: str) -> str:
    return "--" + name.replace("_", "-")


def _read_toml(path: Path) -> Mapping[str, JsonValue]:
    try:
        with path.open("rb") as file:
            return tomllib.load(file)
    except OSError as error:
        raise PlauditError(f"--config {path} cannot be read: {error.strerror}. Give a TOML file") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise PlauditError(f"{path} is not TOML: {error}") from error


def _typed(config: type[DataclassInstance], raw: Mapping[str, JsonValue], file: str, table: str = "") -> Values:
    """The values of a file under a config's names and types. Raises PlauditError naming key, file and what was expected."""
    settings = {setting.name: setting for setting in settings_of(config)}
    values: Values = {}
    for key, value in raw.items():
        if key not in settings:
            raise PlauditError(_unknown(table, key, config, file))
        setting = settings[key]
        if setting.inner is None:
            values[key] = _typed_value(setting, value, f"{file}: {table}{key}")
        elif isinstance(value, dict):
            values[key] = _typed(setting.inner, value, file, f"{table}{key}.")
        else:
            raise PlauditError(f"{file}: {table}{key} must be a table of settings, got {value!r}: write [{table}{key}]")
    return values


def _typed_value(setting: Setting, value: JsonValue, place: str) -> object:
    try:
        adapter = TypeAdapter[object](cast("type[object]", setting.hint))
        # As JSON, because there text may stand for a path or an enum's value, while 1 is still no text and no truth value.
        return adapter.validate_json(json.dumps(value), strict=True)
    except (ValidationError, TypeError) as error:
        raise PlauditError(f"{place}: expected {type_text(setting.hint)}, got {value!r}") from error


def _unknown(table: str, key: str, config: type[DataclassInstance], file: str) -> str:
    """What to say of a key that no setting has: the nearest of this table, or the same name in another one."""
    own = [f"{table}{setting.name}" for setting in settings_of(config)]
    inner = [f"{table}{name}" for name in known_flags(config)]
    near = get_close_matches(f"{table}{key}", own, n=1) or [found for found in inner if found.split(".")[-1] == key]
    if not table and key in TRL_FLAGS and TRL_FLAGS[key] in inner:
        near = [TRL_FLAGS[key]]
    near = near or get_close_matches(f"{table}{key}", inner, n=1, cutoff=0.0)
    return f"{file}: there is no setting {table}{key}; the nearest is {near[0]}"


def _over(below: Values, above: Values) -> Values:
    """The values of both layers, `above` where they differ, nested configs merged."""
    merged = dict(below)
    for name, value in above.items():
        old = merged.get(name)
        merged[name] = _over(old, value) if isinstance(old, dict) and isinstance(value, dict) else value
    return merged


def _twin(name: str, doc: str | None, settings: Sequence[Setting], values: Values) -> DataclassInstance:
    """These values in a class of the same settings that judges nothing: tyro reads flags into it."""
    annotations: list[tuple[str, object]] = []
    arguments: Values = {}
    for setting in settings:
        hint, value = setting.hint, values[setting.name]
        if setting.inner is not None:
            inner = settings_of(setting.inner)
            value = _twin(setting.inner.__name__, setting.doc, inner, cast(Values, value))
            hint = type(value)
        annotations.append((setting.name, Annotated[hint, tyro.conf.arg(help=setting.doc)]))
        arguments[setting.name] = tyro.MISSING if value is REQUIRED else value
    twin = make_dataclass(name, annotations, kw_only=True)
    twin.__doc__ = doc
    return cast("DataclassInstance", twin(**arguments))


def _finite(name: str, value: object) -> object:
    """Itself; no setting is meant to be nan or infinite, and comparisons with nan let everything pass."""
    if isinstance(value, float) and not math.isfinite(value):
        raise PlauditError(f"{_flag(name)} must be a finite number, got {value}")
    return value


def _built(config: type[C], values: Values, *, resume: bool = False, table: str = "") -> C:
    """The dataclass with these values, nested configs first; each judges its own in `__post_init__`."""
    hints = get_type_hints(config)
    arguments: Values = {}
    for field in fields(config):
        hint = hints[field.name]
        if not (isinstance(hint, type) and is_dataclass(hint)):
            arguments[field.name] = _finite(table + field.name, values[field.name])
        elif field.name == TOP:
            arguments[field.name] = _built(hint, values | {BY_FOLDER: resume})
        else:
            arguments[field.name] = _built(hint, cast(Values, values[field.name]), table=f"{table}{field.name}.")
    return config(**arguments)
