"""`plaudit evaluate --suite`: what is a model's standing on public evaluations and the shipped prompts?"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import Path

from rich.console import Console

from plaudit.cli.agreement import check_chat_model, check_scorer_model
from plaudit.cli.evaluate import show_tables, trained_prompt_ids
from plaudit.cli.fields import own_settings
from plaudit.cli.inputs import recorded_inputs
from plaudit.cli.scoring import checked_prompts
from plaudit.cli.training import of_kinds
from plaudit.evaluation.suites.measure import SuitesConfig, measure_suites
from plaudit.evaluation.suites.public_sets import Published, SuiteData
from plaudit.evaluation.suites.suite import Suite
from plaudit.formats import open_records
from plaudit.schemas.errors import PlauditError
from plaudit.schemas.feedback import AnyRecord, Demonstration

ALL = "all"
SETS: dict[Suite, Published] = {
    Suite.HHH: Published.HHH,
    Suite.TRUTHFULQA: Published.TRUTHFULQA,
    Suite.HALLUCINATION: Published.QA_FEEDBACK,
    Suite.SUMMARIES: Published.SCITLDR,
    Suite.TRANSLATION: Published.TATOEBA,
    Suite.OVER_REFUSAL: Published.XSTEST,
}
"""The published set that a suite reads."""


@dataclass(frozen=True, kw_only=True, slots=True)
class SuitesCommand:
    """Measure a model on public evaluations and the shipped prompts: tables, a report, JSON."""

    suite: str
    """One or more, parted by commas, or all: hhh, truthfulqa, hallucination, summaries, translation, overlap, instructions,
    over_refusal, refusals, toxicity, bias, readability."""
    data: Path | None = None
    """The folder of published sets; where this is not given, PLAUDIT_DATA names it."""
    prompts: Path | None = None
    """Further prompts for toxicity and readability: any file of prompts, demonstrations, comparisons or rankings."""
    references: Path | None = None
    """Prompts with what people answered, for overlap: a file of demonstrations, one or several to a prompt."""
    primer: Path | None = None
    """A text to put before truthfulqa's questions, which are then plain text (`Q:`, `A:`), as in the paper."""
    train_data: tuple[Path, ...] = ()
    """Files that were trained on, besides those the models' run folders name: a suite with one of their prompts is skipped."""
    config: SuitesConfig = field(default_factory=SuitesConfig)

    def files(self, suites: Sequence[Suite]) -> dict[str, Path]:
        """The files it reads, by setting; of the published sets those that are there."""
        given = {"prompts": self.prompts, "references": self.references, "primer": self.primer}
        found = {name: path for name, path in given.items() if path is not None}
        return found | {published.name.lower(): path for published, path in self.published(suites).items()}

    def published(self, suites: Sequence[Suite]) -> dict[Published, Path]:
        """The files of the published sets that these suites read, as far as they are there.

        Raises PlauditError where the folder of data is named and is no folder.
        """
        name = self.data or os.environ.get("PLAUDIT_DATA", "")
        if not name:
            return {}
        folder = Path(name)
        if not folder.is_dir():
            setting = "--data" if self.data else "PLAUDIT_DATA"
            raise PlauditError(
                f"{setting} names {folder}, and there is no such folder: name the folder of published sets"
            )
        paths = {SETS[suite]: SETS[suite].path_in(folder) for suite in suites if suite in SETS}
        return {published: path for published, path in paths.items() if path.exists()}

    def run(self) -> int:
        config, suites = self.config, suites_named(self.suite)
        codec = check_chat_model(config.model)
        if config.against:
            check_chat_model(config.against)
        if config.reward_model and (note := check_scorer_model(config.reward_model, codec)):
            print(note)
        data = self._opened(suites)
        seen = trained_prompt_ids([config.model, *([config.against] if config.against else [])], self.train_data)
        with recorded_inputs(Path(config.out), own_settings(self), self.files(suites)):
            found = measure_suites(config, suites, data, trained_prompt_ids=seen)
        shown = [table for table, said in zip(found.tables, found.measured, strict=True) if said.findings]
        show_tables(shown, Console())
        for measured in found.measured:
            for note in measured.all_notes():
                print(f"{measured.suite}: {note}")
        print(f"report: {found.report}")
        return 0

    def _opened(self, suites: Sequence[Suite]) -> SuiteData:
        """All that the suites read. Raises PlauditError, naming file, line and field, for a row that cannot be read."""
        published: dict[Published, Sequence[AnyRecord]] = {
            name: open_records(path) for name, path in self.published(suites).items()
        }
        references: list[Demonstration] = []
        if self.references is not None:
            command = "evaluate --references"
            references = of_kinds(open_records(self.references), Demonstration, file=self.references, command=command)
        return SuiteData(
            published=published,
            prompts=checked_prompts(open_records(self.prompts), self.prompts) if self.prompts else (),
            references=references,
            primer=_text(self.primer) if self.primer else "",
        )


def suites_named(text: str) -> list[Suite]:
    """The suites of a list such as "hhh,truthfulqa"; all of them for "all". Raises PlauditError naming the nearest."""
    names = [name.strip().replace("-", "_") for name in text.split(",") if name.strip()]
    if names == [ALL]:
        return list(Suite)
    for name in names:
        if name not in list(Suite):
            near = get_close_matches(name, [*Suite, ALL], n=1, cutoff=0.0)[0]
            raise PlauditError(
                f"there is no suite {name!r}; the nearest is {str(near)!r}. There are {', '.join(Suite)}, and all"
            )
    if not names:
        raise PlauditError(f"--suite names nothing: choose from {', '.join(Suite)}, or all")
    return [Suite(name) for name in dict.fromkeys(names)]


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise PlauditError(f"--primer {path} cannot be read: {error}") from error
