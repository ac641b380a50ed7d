"""`plaudit`: finds the command, runs it, and turns what goes wrong into one message and an exit status."""

from __future__ import annotations

import os
import sys
import warnings
from collections.abc import Sequence
from difflib import get_close_matches

import plaudit
from plaudit.cli.command import Command
from plaudit.cli.data import DataCheck, DataConvert, DataShow
from plaudit.cli.interrupts import heard_interrupts
from plaudit.cli.settings import parsed
from plaudit.cli.training import TrainingCommand, latest_checkpoint_folder
from plaudit.runs.memory import is_out_of_memory, reuse_freed_memory
from plaudit.schemas.errors import PlauditError

COMMANDS: dict[str, str] = {
    "demo": "the whole story on one machine: demonstrations, rankings, reward model, PPO, evaluation",
    "sft": "fine-tune a model on people's demonstrations",
    "pretrain": "train a model further on plain documents",
    "reward": "fit a reward model to people's rankings and comparisons",
    "spans": "fit a model to what people marked in answers, for rewards by the sentence",
    "ppo": "improve a model by PPO against a reward model, function or server",
    "rloo": "the same by RLOO, without a critic",
    "dpo": "improve a model on rankings and comparisons directly",
    "evaluate": "compare a model with others on prompts nothing was trained on",
    "evaluate --suite": "measure a model on public evaluations: HHH, TruthfulQA, refusals, bias, ...",
    "sample": "several answers to every prompt, for people to rank",
    "chat": "talk to a model",
    "export": "write a model as a plain Hugging Face folder, adapters merged",
    "doctor": "look at this machine and a model before a run",
    "data check": "say what a file of records holds and what is wrong with it",
    "data convert": "write a file's records in another shape",
    "data show": "print the first records of a file",
    "feedback import": "take a file's records into a store",
    "feedback export": "write a project's judgements into a file",
    "feedback stats": "what a project holds, and how far people agree",
    "feedback quality": "what is known of each person, and whom to look at",
    "feedback snapshot": "freeze a project's judgements for training",
    "feedback erase": "forget a person: rows, snapshots, backups, with a receipt",
    "store backup": "write the whole store into a folder, verified",
    "store restore": "put a backup into an empty database",
    "store check": "whether the store can be trusted",
    "store migrate": "bring an older plaudit's store up to date",
    "study plan": "how many prompts and people a human study needs",
    "study sheet": "blind sheets for people, from models' answers",
    "study report": "what people's sheets say, with intervals",
    "runs list": "the runs in a folder, newest first",
    "runs show": "a run's settings, last metrics and samples",
    "runs compare": "runs side by side: settings, metrics, curves",
}
"""Every command and what it does."""

GROUPS = frozenset(name.split()[0] for name in COMMANDS if " " in name and " --" not in name)
"""First words of the commands that have two."""
_SUITES = "evaluate --suite"
"""With that setting `evaluate` measures on suites instead, and has other settings."""

OK, BUG, BAD_INPUT, INTERRUPTED, BROKEN_PIPE = 0, 1, 2, 130, 141


def command_class(name: str) -> type[Command]:
    """The class of that command. Imports its module, and with it torch where it needs that."""
    match name:
        case "demo":
            from plaudit.cli.demo import DemoCommand

            return DemoCommand
        case "sft" | "pretrain" | "reward" | "spans" | "ppo" | "rloo" | "dpo":
            return _training_class(name)
        case "evaluate":
            from plaudit.cli.evaluate import EvaluateCommand

            return EvaluateCommand
        case "evaluate --suite":
            from plaudit.cli.suites import SuitesCommand

            return SuitesCommand
        case "sample":
            from plaudit.cli.sample import SampleCommand

            return SampleCommand
        case "chat":
            from plaudit.cli.chat import ChatCommand

            return ChatCommand
        case "export":
            from plaudit.cli.export import ExportCommand

            return ExportCommand
        case "doctor":
            from plaudit.cli.doctor import DoctorCommand

            return DoctorCommand
        case _ if " " in name and name in COMMANDS:
            return _grouped_class(name)
    raise ValueError(f"there is no command {name!r}")


def _training_class(name: str) -> type[TrainingCommand]:
    """The class of a command that trains."""
    match name:
        case "sft":
            from plaudit.cli.sft import SFTCommand

            return SFTCommand
        case "pretrain":
            from plaudit.cli.pretrain import PretrainCommand

            return PretrainCommand
        case "reward":
            from plaudit.cli.reward import RewardCommand

            return RewardCommand
        case "spans":
            from plaudit.cli.spans import SpansCommand

            return SpansCommand
        case "ppo":
            from plaudit.cli.ppo import PPOCommand

            return PPOCommand
        case "rloo":
            from plaudit.cli.rloo import RLOOCommand

            return RLOOCommand
        case "dpo":
            from plaudit.cli.dpo import DPOCommand

            return DPOCommand
    raise ValueError(f"there is no training command {name!r}")


def _grouped_class(name: str) -> type[Command]:
    """The class of a command of two words."""
    group = name.split()[0]
    if group == "feedback":
        from plaudit.cli import feedback

        of_feedback: dict[str, type[Command]] = {
            "feedback import": feedback.FeedbackImport,
            "feedback export": feedback.FeedbackExport,
            "feedback stats": feedback.FeedbackStats,
            "feedback quality": feedback.FeedbackQuality,
            "feedback snapshot": feedback.FeedbackSnapshot,
            "feedback erase": feedback.FeedbackErase,
        }
        return of_feedback[name]
    if group == "store":
        from plaudit.cli import store

        of_store: dict[str, type[Command]] = {
            "store backup": store.StoreBackup,
            "store restore": store.StoreRestore,
            "store check": store.StoreCheck,
            "store migrate": store.StoreMigrate,
        }
        return of_store[name]
    if group == "study":
        from plaudit.cli.study import StudyPlanCommand, StudyReportCommand, StudySheetCommand

        of_study: dict[str, type[Command]] = {
            "study plan": StudyPlanCommand,
            "study sheet": StudySheetCommand,
            "study report": StudyReportCommand,
        }
        return of_study[name]
    if group == "runs":
        from plaudit.cli.runs import RunsCompare, RunsList, RunsShow

        of_runs: dict[str, type[Command]] = {"runs list": RunsList, "runs show": RunsShow, "runs compare": RunsCompare}
        return of_runs[name]
    of_data: dict[str, type[Command]] = {"data check": DataCheck, "data convert": DataConvert, "data show": DataShow}
    return of_data[name]


def main(argv: Sequence[str] | None = None) -> int:
    """The exit status: 0; 1 where a check failed or plaudit did; 2 for a mistake of the user's; 130 after Ctrl-C.

    With `PLAUDIT_DEBUG=1` errors keep their traceback.
    """
    arguments = list(sys.argv[1:] if argv is None else argv)
    try:
        status = _dispatched(arguments)
        sys.stdout.flush()
        return status
    except SystemExit as stop:
        # From tyro, which has printed help or what is wrong with a flag; or from rich, whose reader is gone.
        if isinstance(stop.__context__, BrokenPipeError):
            return BROKEN_PIPE
        return stop.code if isinstance(stop.code, int) else BAD_INPUT
    except BrokenPipeError:
        _drop_output()
        return BROKEN_PIPE
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return INTERRUPTED
    except Exception as error:
        if os.environ.get("PLAUDIT_DEBUG") == "1":
            raise
        text, status = explained(error)
        print(text, file=sys.stderr)
        return status


def _drop_output() -> None:
    """Sends what is still to be written nowhere: its reader is gone, and the interpreter would complain at its end."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno())


def explained(error: Exception) -> tuple[str, int]:
    """What to tell the user of an error, and the exit status."""
    match error:
        case PlauditError():
            return f"plaudit: {error}", BAD_INPUT
        case MemoryError() | RuntimeError() if is_out_of_memory(error):
            return (
                "plaudit: out of memory. Lower the micro batch size (--epochs.micro-batch-size, --micro-batch-size), "
                "--max-tokens or the sampling batch size, or train fewer layers (--train.kind upper or lora). "
                "`plaudit doctor --model M` estimates what a run needs",
                BAD_INPUT,
            )
        case OSError():
            return f"plaudit: {error.strerror or error}" + (f": {error.filename}" if error.filename else ""), BAD_INPUT
    first = (str(error).strip() or "no message").splitlines()[0]
    return (
        f"plaudit failed where it should not have: {type(error).__name__}: {first}\n"
        "PLAUDIT_DEBUG=1 shows where; please report it with that output",
        BUG,
    )


def _dispatched(arguments: Sequence[str]) -> int:
    match arguments:
        case [] | ["-h" | "--help"] | ["help"]:
            print(help_text(COMMANDS))
            return OK
        case ["--version"]:
            print(f"plaudit {plaudit.__version__}")
            return OK
        case [group] | [group, "-h" | "--help"] if group in GROUPS:
            print(help_text({name: summary for name, summary in COMMANDS.items() if name.startswith(f"{group} ")}))
            return OK
    name, settings = named_command(arguments)
    prog = f"plaudit {name} NAMES" if name == _SUITES else None
    command = parsed(command_class(name), settings, name=name, reads_toml=arguments[0] not in GROUPS, prog=prog)
    _quieten()
    reuse_freed_memory()
    try:
        with warnings.catch_warnings(), heard_interrupts():
            # For developers of other libraries, not for who runs them.
            warnings.simplefilter("ignore", FutureWarning)
            return command.run()
    except KeyboardInterrupt:
        print(interrupted_text(command, name), file=sys.stderr)
        return INTERRUPTED


def named_command(arguments: Sequence[str]) -> tuple[str, Sequence[str]]:
    """The command that the arguments name, and its settings. Raises PlauditError, naming the nearest, where there is none."""
    num_words = 2 if arguments[0] in GROUPS else 1
    name = " ".join(arguments[:num_words])
    if name not in COMMANDS:
        near = get_close_matches(name, COMMANDS, n=1, cutoff=0.0)[0]
        raise PlauditError(f"there is no command {name!r}; the nearest is {near!r}. `plaudit --help` lists them all")
    if name == "evaluate" and any(argument.partition("=")[0] == "--suite" for argument in arguments):
        # Help about the setting that has no value yet.
        return _SUITES, ["--help"] if arguments[2:] in (["-h"], ["--help"]) else arguments[1:]
    return name, arguments[num_words:]


def _quieten() -> None:
    """Switches off what transformers and peft say over our own words, where they have been imported at all."""
    if "transformers" in sys.modules:
        from transformers.utils import logging

        logging.disable_progress_bar()
        logging.set_verbosity_error()


def interrupted_text(command: Command, name: str) -> str:
    """What to say after Ctrl-C: where the last checkpoint is, and how to go on."""
    if name == "demo":
        return "interrupted: the same command goes on after the last stage that ended"
    if not isinstance(command, TrainingCommand):
        return "interrupted"
    if not (command.run_folder / "manifest.json").exists():
        return "interrupted before the run began: nothing was written"
    checkpoint = latest_checkpoint_folder(command.run_folder)
    if checkpoint is None:
        again = f"`plaudit {name} --resume {command.run_folder}`"
        return f"interrupted before the first checkpoint: {again} begins from the start"
    return f"interrupted. The last checkpoint is {checkpoint}: continue with `plaudit {name} --resume {command.run_folder}`"


def help_text(commands: dict[str, str]) -> str:
    """The list of commands, for `--help`."""
    width = max(map(len, commands))
    lines = [f"  {name:<{width}}  {summary}" for name, summary in commands.items()]
    return "\n".join(
        [
            "usage: plaudit COMMAND [SETTINGS]",
            "",
            "Turns what people think of a language model's answers into a better language model.",
            "",
            *lines,
            "",
            "`plaudit COMMAND --help` lists a command's settings. Most of them can stand in a TOML file (--config FILE).",
        ]
    )
