"""`plaudit evaluate`: is it better, by how much, and how sure are we?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from plaudit.cli.agreement import check_chat_model, check_scorer_model
from plaudit.cli.fields import own_settings
from plaudit.cli.inputs import read_inputs, recorded_inputs, sha256_of, training_runs
from plaudit.cli.scoring import checked_prompts, columns_of
from plaudit.cli.training import of_kinds, tell_left_out
from plaudit.cli.user_code import module_path, reward_function
from plaudit.evaluation import tables
from plaudit.evaluation.evaluate import EvaluateConfig, JudgeKind, evaluate
from plaudit.formats import Shape, open_records
from plaudit.formats.columns import names_from
from plaudit.formats.splits import split_key
from plaudit.rewards import FunctionScorer
from plaudit.schemas.errors import PlauditError
from plaudit.schemas.feedback import AnyRecord, Comparison, Demonstration, Ranking


@dataclass(frozen=True, kw_only=True, slots=True)
class EvaluateCommand:
    """Compare a model with another on prompts that neither was trained on: a table, a report with plots, JSON.

    `plaudit evaluate --suite NAMES` measures on public evaluations instead: see `plaudit evaluate --suite --help`.
    """

    prompts: Path
    """Where the prompts are: any file of prompts, demonstrations, comparisons or rankings."""
    shape: Shape | None = None
    """The shape of that file; told from its first rows where this is not given."""
    columns: str = ""
    """The names of columns in that file by plaudit's, as in prompt=question."""
    input_template: str = ""
    """Text around every prompt of that file, which stands in for its `{}`, as in 'Question: {}'."""
    on_error: Literal["raise", "skip"] = "raise"
    """`skip` leaves out rows that cannot be read; `raise` stops at the first."""
    verdicts: Path | None = None
    """People's comparisons or rankings: the judge's word for judge = people, else what the reward model is measured on."""
    people: Path | None = None
    """People's comparisons or rankings of some of these very answers: they calibrate the judge, if that is not people."""
    reward_function: str = ""
    """`module.py:function`, for judge = function: f(prompts, completions, **columns) gives one number a completion."""
    demonstrations: Path | None = None
    """Demonstrations to measure both models' perplexity on."""
    train_data: tuple[Path, ...] = ()
    """Files that were trained on, besides those the models' run folders name; a prompt of theirs is refused."""
    config: EvaluateConfig = field(default_factory=EvaluateConfig)

    def files(self) -> dict[str, Path]:
        """The files it reads, by setting."""
        given = {
            "prompts": self.prompts,
            "verdicts": self.verdicts,
            "people": self.people,
            "demonstrations": self.demonstrations,
        }
        if self.reward_function:
            given["reward_function"] = module_path(self.reward_function, "--reward-function")
        return {name: path for name, path in given.items() if path is not None}

    def run(self) -> int:
        config = self.config
        opened = open_records(
            self.prompts,
            self.shape,
            self.on_error,
            columns=names_from(self.columns),
            input_template=self.input_template,
        )
        tell_left_out(opened, self.prompts)
        prompts = checked_prompts(opened, self.prompts)
        scorer = self._scorer(opened)
        codecs = [check_chat_model(name) for name in (config.against, config.model)]
        if config.judge is JudgeKind.REWARD and (note := check_scorer_model(config.reward_model, codecs[1])):
            print(note)
        verdicts, people = _verdicts(self.verdicts, "--verdicts"), _verdicts(self.people, "--people")
        if people and config.judge is JudgeKind.PEOPLE:
            raise PlauditError(
                "--people calibrates a judge that is none: choose --judge reward, remote_reward or model, or give the file "
                "as --verdicts"
            )
        demonstrations: list[Demonstration] = []
        if self.demonstrations is not None:
            demonstrations = of_kinds(
                open_records(self.demonstrations),
                Demonstration,
                file=self.demonstrations,
                command="evaluate --demonstrations",
            )
        seen = trained_prompt_ids([config.model, config.against], self.train_data)
        with recorded_inputs(Path(config.out), own_settings(self), self.files()):
            evaluation = evaluate(
                config,
                prompts,
                records=verdicts,
                people=people,
                demonstrations=demonstrations,
                scorer=scorer,
                trained_prompt_ids=seen,
            )
        show_tables(evaluation.tables, Console())
        for note in evaluation.notes:
            print(note)
        print(f"report: {evaluation.report}")
        return 0

    def _scorer(self, records: Sequence[AnyRecord]) -> FunctionScorer | None:
        """The function that judges, with the prompts' further columns; None where another judge does."""
        if bool(self.reward_function) != (self.config.judge is JudgeKind.FUNCTION):
            raise PlauditError(
                f"reward_function and judge = function belong together: got reward_function = {self.reward_function!r}, "
                f"judge = {self.config.judge}"
            )
        if not self.reward_function:
            return None
        return FunctionScorer(reward_function(self.reward_function), columns_of(records))


def _verdicts(path: Path | None, flag: str) -> list[Comparison | Ranking]:
    """The comparisons and rankings of a file; none where no file was given."""
    if path is None:
        return []
    return of_kinds(open_records(path), Comparison, Ranking, file=path, command=f"evaluate {flag}")


def trained_prompt_ids(models: Sequence[str], files: Sequence[Path]) -> set[str]:
    """The ids of all prompts in the files, and in those that the models' run folders say they were trained on.

    Says which of the latter could not be read any more.
    """
    found = {split_key(record) for path in files for record in open_records(path)}
    for run in dict.fromkeys(run for model in models for run in training_runs(model)):
        inputs = read_inputs(run)
        if inputs is None:
            continue
        for name in ("data", "demonstrations"):
            path, digest = inputs.settings.get(name), inputs.sha256.get(name)
            if not isinstance(path, str) or digest is None:
                continue
            try:
                if sha256_of(Path(path)) != digest:
                    raise PlauditError(f"{path} has changed since")
                shape, columns, template = (
                    str(inputs.settings.get(setting) or "") if name == "data" else ""
                    for setting in ("shape", "columns", "input_template")
                )
                records = open_records(
                    path, shape or None, "skip", columns=names_from(columns), input_template=template
                )
            except PlauditError as error:
                print(f"not checked: whether {run} was trained on these prompts ({error})")
            else:
                found |= {split_key(record) for record in records}
    return found


def show_tables(found: Sequence[tables.Table], console: Console) -> None:
    """Prints the tables of a report."""
    for shown in found:
        table = Table(
            title=escape(shown.title),
            title_justify="left",
            caption=escape(shown.caption) or None,
            caption_justify="left",
        )
        for number, column in enumerate(shown.columns):
            table.add_column(escape(column), justify="right" if number else "left", overflow="fold")
        for row in shown.rows:
            table.add_row(*map(escape, row))
        console.print(table)
