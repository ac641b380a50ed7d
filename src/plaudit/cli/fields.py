"""The settings of a command, read off its dataclass: names, types, defaults and the docstring under each field."""

from __future__ import annotations

import ast
import inspect
import textwrap
from collections.abc import Iterator
from dataclasses import MISSING, Field, asdict, dataclass, fields, is_dataclass
from enum import Enum
from itertools import pairwise
from types import NoneType, UnionType
from typing import TYPE_CHECKING, Annotated, Literal, Union, cast, get_args, get_origin, get_type_hints

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

TOP = "config"
"""A field of this name holds a trainer's own config: its settings stand at the top level, beside the command's."""
BY_FOLDER = "resume"
"""A trainer's `resume` is set by naming the run's folder, so it is no setting of its own on the command line."""


class Required:
    """Stands where a default would: the setting has to be given."""


REQUIRED = Required()


@dataclass(frozen=True, slots=True)
class Setting:
    """One field as a person sets it. `inner` is the nested config's class; its `default` then is a mapping by name."""

    name: str
    hint: object
    doc: str
    default: object
    inner: type[DataclassInstance] | None


def docs_of(config: type) -> dict[str, str]:
    """The docstring under each field of a dataclass, those of its parents included."""
    found: dict[str, str] = {}
    for owner in reversed(config.__mro__):
        if not is_dataclass(owner):
            continue
        body = cast(ast.ClassDef, ast.parse(textwrap.dedent(inspect.getsource(owner))).body[0]).body
        for statement, after in pairwise(body):
            if (
                isinstance(statement, ast.AnnAssign)
                and isinstance(statement.target, ast.Name)
                and isinstance(after, ast.Expr)
                and isinstance(after.value, ast.Constant)
            ):
                found[statement.target.id] = inspect.cleandoc(str(after.value.value))
    return found


def settings_of(config: type[DataclassInstance]) -> list[Setting]:
    """The settings of a command or config in order, those of its `config` field in that field's place."""
    hints, docs = get_type_hints(config, include_extras=True), docs_of(config)
    found: list[Setting] = []
    for field in fields(config):
        hint = hints[field.name]
        inner = hint if isinstance(hint, type) and is_dataclass(hint) else None
        default = _default(field)
        if field.name == TOP and inner is not None:
            own = cast(dict[str, object], default)
            found += [
                Setting(setting.name, setting.hint, setting.doc, own[setting.name], setting.inner)
                for setting in settings_of(inner)
                if setting.name != BY_FOLDER
            ]
        else:
            found.append(Setting(field.name, hint, docs.get(field.name, ""), default, inner))
    return found


def own_settings(command: DataclassInstance) -> dict[str, object]:
    """The values of a command's settings but for its trainer's."""
    return {name: value for name, value in asdict(command).items() if name != TOP}


def is_resumable(command: type[DataclassInstance]) -> bool:
    """Whether the command's trainer can continue a run."""
    config = get_type_hints(command).get(TOP)
    return config is not None and any(field.name == BY_FOLDER for field in fields(config))


def flat_settings(config: type[DataclassInstance], prefix: str = "") -> Iterator[Setting]:
    """Every setting under its dotted name, nested ones in place of the config that holds them."""
    for setting in settings_of(config):
        name = prefix + setting.name
        if setting.inner is None:
            yield Setting(name, setting.hint, setting.doc, setting.default, None)
            continue
        values = cast(dict[str, object], setting.default)
        for inner in flat_settings(setting.inner, f"{name}."):
            value: object = values
            for part in inner.name.removeprefix(f"{name}.").split("."):
                value = cast(dict[str, object], value)[part]
            yield Setting(inner.name, inner.hint, inner.doc, value, None)


def type_text(hint: object) -> str:
    """A field's type for people: "number", "adamw, sgd or rmsprop", "path or none"."""
    origin, arguments = get_origin(hint), get_args(hint)
    if origin is Annotated:
        return type_text(arguments[0])
    if origin in (Union, UnionType):
        return " or ".join("none" if part is NoneType else type_text(part) for part in arguments)
    if origin is Literal:
        return ", ".join(map(str, arguments))
    if origin is tuple:
        return f"list of {type_text(arguments[0])}"
    if isinstance(hint, type) and issubclass(hint, Enum):
        return ", ".join(str(member.value) for member in hint)
    names = {"bool": "true, false", "int": "whole number", "float": "number", "str": "text", "Path": "path"}
    name = hint.__name__ if isinstance(hint, type) else str(hint)
    return names.get(name, name)


def _default(field: Field[object]) -> object:
    """The field's default, a nested config's as a mapping; `REQUIRED` where there is none."""
    if field.default is not MISSING:
        value = field.default
    elif field.default_factory is not MISSING:
        value = field.default_factory()
    else:
        return REQUIRED
    return asdict(value) if is_dataclass(value) and not isinstance(value, type) else value
