"""Functions of the user's that an option names as `module.py:function`."""

from __future__ import annotations

import importlib.util
import inspect
import traceback
from collections.abc import Callable, Sequence
from pathlib import Path

from pydantic import JsonValue

from plaudit.schemas.conversation import Messages
from plaudit.schemas.errors import PlauditError

UserFunction = Callable[..., Sequence[object]]


def module_path(spec: str, option: str) -> Path:
    """The file that the option names. Raises PlauditError where it cannot be one."""
    file, _, name = spec.rpartition(":")
    if not file.endswith(".py") or not name.isidentifier():
        raise PlauditError(f"{option} must be module.py:function, got {spec!r}")
    if not Path(file).is_file():
        raise PlauditError(f"{option}: there is no file {file}")
    return Path(file)


def user_function(spec: str, option: str) -> UserFunction:
    """The function that the option names. Raises PlauditError where it cannot be had."""
    path, name = module_path(spec, option), spec.rpartition(":")[2]
    loader = importlib.util.spec_from_file_location(path.stem, path)
    assert loader is not None
    assert loader.loader is not None
    module = importlib.util.module_from_spec(loader)
    try:
        loader.loader.exec_module(module)
    except Exception as error:
        raise PlauditError(f"{option}: {path} cannot be imported: {in_user_code(error, path)}") from error
    function = vars(module).get(name)
    if not callable(function):
        names = sorted(key for key, value in vars(module).items() if inspect.isfunction(value))
        raise PlauditError(f"{option}: {path} has no function {name!r}; it has {', '.join(names) or 'none'}")
    found: UserFunction = function
    return found


def in_user_code(error: Exception, path: Path) -> str:
    """The error and the last line of the user's file it passed through."""
    frames = traceback.extract_tb(error.__traceback__)
    lines = [frame.lineno for frame in frames if Path(frame.filename).resolve() == path.resolve()]
    if isinstance(error, SyntaxError) and error.lineno:
        lines.append(error.lineno)
    place = f" ({path}, line {lines[-1]})" if lines else ""
    return f"{type(error).__name__}: {error}{place}"


RewardFunction = Callable[..., list[float]]


def reward_function(spec: str) -> RewardFunction:
    """The reward function that `module.py:function` names; it gets the columns that its signature has room for.

    Raises PlauditError where it cannot be had, and, in the call, for whatever goes wrong inside it.
    """
    function = user_function(spec, "--reward-function")
    path = module_path(spec, "--reward-function")
    parameters = inspect.signature(function).parameters.values()
    takes_all = any(parameter.kind is inspect.Parameter.VAR_KEYWORD for parameter in parameters)
    taken = {parameter.name for parameter in parameters}

    def call(prompts: list[str], completions: list[str], **columns: list[JsonValue]) -> list[float]:
        chosen = {key: values for key, values in columns.items() if takes_all or key in taken}
        try:
            return [float(score) for score in function(prompts, completions, **chosen)]  # type: ignore[arg-type]
        except Exception as error:
            raise PlauditError(f"the reward function {spec} failed: {in_user_code(error, path)}") from error

    return call


class FunctionInterlocutor:
    """`fn(conversations) -> list[str | None]` as the other side of a conversation.

    A conversation is a list of {"role": ..., "content": ...}, the model's last answer at its end; None ends it.
    """

    def __init__(self, spec: str) -> None:
        self._spec, self._path = spec, module_path(spec, "--interlocutor")
        self._function = user_function(spec, "--interlocutor")

    def replies(self, conversations: Sequence[Messages]) -> Sequence[str | None]:
        """The function's replies. Raises PlauditError for whatever goes wrong inside it."""
        shown = [
            [{"role": message.role.value, "content": message.text} for message in conversation]
            for conversation in conversations
        ]
        try:
            return list(self._function(shown))  # type: ignore[arg-type]
        except Exception as error:
            raise PlauditError(f"the interlocutor {self._spec} failed: {in_user_code(error, self._path)}") from error
