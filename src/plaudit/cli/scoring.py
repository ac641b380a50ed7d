"""What `plaudit ppo` and `plaudit rloo` share: prompts from any records, and who scores the answers."""

from __future__ import annotations

import importlib.util
import inspect
import os
import traceback
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from pydantic import JsonValue

from plaudit.cli.agreement import check_chat_model, check_scorer_model
from plaudit.cli.training import TrainingCommand
from plaudit.evaluation.evaluate import check_unseen
from plaudit.evaluation.judges import Judge, ScoreJudge
from plaudit.evaluation.reward_scorer import RewardModelScorer
from plaudit.formats import Records, open_records
from plaudit.models.load import load_codec
from plaudit.models.policy import TrainLayers
from plaudit.models.reward import load_reward_model
from plaudit.rewards import FunctionScorer, Scorer, TextualScorer
from plaudit.schemas.conversation import Messages, prompt_id
from plaudit.schemas.errors import PlauditError
from plaudit.schemas.feedback import AnyRecord, Document
from plaudit.trainers.monitor import MonitorConfig

RewardFunction = Callable[..., list[float]]


@dataclass(frozen=True, kw_only=True, slots=True)
class ScoredTrainingCommand(TrainingCommand):
    """A command that samples answers to the prompts of `data` and has them scored."""

    reward_function: str = ""
    """`module.py:function`: f(prompts, completions, **columns) gives one number a completion; replaces a reward model."""
    reward_url: str = ""
    """A server that scores answers (`.../get_reward`); replaces a reward model. Its key comes from PLAUDIT_REWARD_KEY."""

    monitor_prompts: Path | None = None
    """Prompts that are not trained on, for the hacking monitor; needs config.monitor.every above 0."""
    monitor_judge: str = ""
    """Another reward model's folder: whose opinion the monitor compares with the score. Empty watches form alone."""

    def files(self) -> dict[str, Path]:
        # Not super(): a dataclass with slots is a new class, which the zero-argument form does not find.
        found = TrainingCommand.files(self)
        if self.reward_function:
            found["reward_function"] = _module_path(self.reward_function)
        if self.monitor_prompts is not None:
            found["monitor_prompts"] = self.monitor_prompts
        return found

    def watched(self, monitor: MonitorConfig, trained: Sequence[Messages]) -> tuple[list[Messages], Judge | None]:
        """The monitor's prompts and judge; none where it is off.

        Raises PlauditError where prompts and `monitor.every` are not given together, or a prompt is trained on.
        """
        if (self.monitor_prompts is None) != (monitor.every == 0):
            raise PlauditError(
                f"monitor_prompts and monitor.every belong together: got monitor_prompts = {self.monitor_prompts}, "
                f"monitor.every = {monitor.every}. Set both (monitor.every above 0), or neither"
            )
        if self.monitor_prompts is None:
            if self.monitor_judge:
                raise PlauditError("monitor_judge needs monitor_prompts to look at")
            return [], None
        held = checked_prompts(open_records(self.monitor_prompts), self.monitor_prompts)
        check_unseen(held, {prompt_id(prompt) for prompt in trained}, str(self.monitor_prompts))
        if not self.monitor_judge:
            return held, None
        judge = load_reward_model(self.monitor_judge, TrainLayers(kind="all"))
        return held, ScoreJudge(RewardModelScorer(judge, load_codec(self.monitor_judge)))

    def scorer(
        self, records: Sequence[AnyRecord], *, model: str, reward_model: str, needs_model: bool
    ) -> Scorer | None:
        """The scorer that replaces the reward model; None where that one scores, after a look whether it fits.

        Raises PlauditError where two are asked for.
        """
        codec = check_chat_model(model)
        if self.reward_function and self.reward_url:
            raise PlauditError("give --reward-function or --reward-url, not both")
        note = None
        if needs_model or not (self.reward_function or self.reward_url):
            note = check_scorer_model(reward_model, codec)
        if note:
            print(note)
        if self.reward_function:
            return FunctionScorer(reward_function(self.reward_function), columns_of(records))
        if self.reward_url:
            from plaudit.client import RemoteReward, RemoteScorer

            return TextualScorer(RemoteScorer(RemoteReward(url=self.reward_url), os.environ.get("PLAUDIT_REWARD_KEY")))
        return None


def prompts_of(records: Sequence[AnyRecord]) -> list[Messages]:
    """Every prompt of the records once, in order; an answer that stands with it is not looked at."""
    found = {prompt_id(record.prompt): record.prompt for record in records if not isinstance(record, Document)}
    return [prompt for prompt in found.values() if prompt]


def checked_prompts(records: Records, file: Path) -> list[Messages]:
    """The prompts of a file. Raises PlauditError where it has none."""
    prompts = prompts_of(records)
    if not prompts:
        raise PlauditError(
            f"{file} holds no prompts: give a file of prompts, demonstrations, comparisons or rankings "
            f"(`plaudit data check {file}` says what it holds)"
        )
    return prompts


def columns_of(records: Sequence[AnyRecord]) -> dict[str, Mapping[str, JsonValue]]:
    """The further columns of each prompt's first record, by prompt id."""
    found: dict[str, Mapping[str, JsonValue]] = {}
    for record in records:
        if not isinstance(record, Document):
            found.setdefault(prompt_id(record.prompt), record.extra)
    return found


def reward_function(spec: str) -> RewardFunction:
    """The function that `module.py:function` names; it gets the columns that its signature has room for.

    Raises PlauditError where it cannot be had, and, in the call, for whatever goes wrong inside it.
    """
    path, name = _module_path(spec), spec.rpartition(":")[2]
    loader = importlib.util.spec_from_file_location(path.stem, path)
    assert loader is not None
    assert loader.loader is not None
    module = importlib.util.module_from_spec(loader)
    try:
        loader.loader.exec_module(module)
    except Exception as error:
        raise PlauditError(f"--reward-function: {path} cannot be imported: {_in_user_code(error, path)}") from error
    function = vars(module).get(name)
    if not callable(function):
        names = sorted(key for key, value in vars(module).items() if inspect.isfunction(value))
        raise PlauditError(f"--reward-function: {path} has no function {name!r}; it has {', '.join(names) or 'none'}")
    parameters = inspect.signature(function).parameters.values()
    takes_all = any(parameter.kind is inspect.Parameter.VAR_KEYWORD for parameter in parameters)
    taken = {parameter.name for parameter in parameters}

    def call(prompts: list[str], completions: list[str], **columns: list[JsonValue]) -> list[float]:
        chosen = {key: values for key, values in columns.items() if takes_all or key in taken}
        try:
            return [float(score) for score in function(prompts, completions, **chosen)]
        except Exception as error:
            raise PlauditError(f"the reward function {spec} failed: {_in_user_code(error, path)}") from error

    return call


def _module_path(spec: str) -> Path:
    file, _, name = spec.rpartition(":")
    if not file.endswith(".py") or not name.isidentifier():
        raise PlauditError(f"--reward-function must be module.py:function, got {spec!r}")
    if not Path(file).is_file():
        raise PlauditError(f"--reward-function: there is no file {file}")
    return Path(file)


def _in_user_code(error: Exception, path: Path) -> str:
    """The error and the last line of the user's file it passed through."""
    frames = traceback.extract_tb(error.__traceback__)
    lines = [frame.lineno for frame in frames if Path(frame.filename).resolve() == path.resolve()]
    if isinstance(error, SyntaxError) and error.lineno:
        lines.append(error.lineno)
    place = f" ({path}, line {lines[-1]})" if lines else ""
    return f"{type(error).__name__}: {error}{place}"
