"""What every training command shares: the file it learns from, the checks before it starts, the trace it leaves."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal, Protocol, TypeVar

from plaudit.cli.fields import own_settings
from plaudit.cli.inputs import check_unchanged, recorded_inputs
from plaudit.formats import Records, Shape, leaked_prompts, open_records
from plaudit.formats.columns import names_from
from plaudit.formats.llamafactory import INFO, described
from plaudit.formats.native import kind_of, plural
from plaudit.formats.snapshot import is_snapshot, read_manifest
from plaudit.runs.learning import learning_from
from plaudit.runs.trackers import Destination, available, reporting_to
from plaudit.schemas.errors import PlauditError
from plaudit.schemas.feedback import AnyRecord, Record

if TYPE_CHECKING:
    from plaudit.models.policy import TrainLayers

R = TypeVar("R", bound=Record)

_LEARNS_FROM = {
    "document": "`plaudit pretrain`",
    "prompt": "`plaudit ppo` or `plaudit rloo`",
    "demonstration": "`plaudit sft`",
    "comparison": "`plaudit reward` or `plaudit dpo`",
    "ranking": "`plaudit reward` or `plaudit dpo`",
    "rating": "`plaudit reward` or `plaudit dpo`",
    "correction": "`plaudit sft`, `plaudit reward` or `plaudit dpo`",
    "highlights": "`plaudit spans`",
}


class LearnerConfig(Protocol):
    """The settings that all trainers have."""

    @property
    def model(self) -> str: ...
    @property
    def out(self) -> str: ...
    @property
    def train(self) -> TrainLayers: ...
    @property
    def resume(self) -> bool: ...


@dataclass(frozen=True, kw_only=True, slots=True)
class TrainingCommand(ABC):
    """A command that learns from a file of records and leaves a run folder. Its `config` is the trainer's."""

    data: Path
    """What to learn from: a file of any shape that `plaudit data check` knows, or a folder of records."""
    shape: Shape | None = None
    """The file's shape; told from its first rows where this is not given."""
    columns: str = ""
    """The names of columns in `data` and `test_data` by plaudit's, as in prompt=question,chosen=better."""
    input_template: str = ""
    """Text around every prompt of `data` and `test_data`, which stands in for its `{}`, as in 'Question: {}'."""
    on_error: Literal["raise", "skip"] = "raise"
    """`skip` leaves out rows that cannot be read, and counts them; `raise` stops at the first."""
    test_data: Path | None = None
    """Records kept for testing: nothing is learnt from them, and training is refused if a prompt of theirs is in `data`."""
    report_to: tuple[Destination, ...] = (Destination.TENSORBOARD,)
    """Where metrics go besides the run folder: one or several of them, or none."""

    @abstractmethod
    def run(self) -> int:
        """Trains, says where the result is, and returns the exit status."""

    @property
    @abstractmethod
    def config(self) -> LearnerConfig:
        """The trainer's settings."""

    @property
    def run_folder(self) -> Path:
        """Where the run is written."""
        return Path(self.config.out)

    def files(self) -> dict[str, Path]:
        """The files it reads, by setting; `dataset_info` is the one beside `data` that says what its columns are."""
        by_info = self.shape is None and not self.columns and described(self.data) is not None
        info = self.data.parent / INFO if by_info else None
        given = {"data": self.data, "test_data": self.test_data, "dataset_info": info}
        return {name: path for name, path in given.items() if path is not None}

    @contextmanager
    def recorded(self) -> Iterator[None]:
        """Keeps what is read in the run folder and reports to trackers; refuses to resume on other data."""
        from plaudit.cli.agreement import unsplit_note

        note = unsplit_note(self.config.model, self.config.train)
        if note is not None:
            print(note)
        read = [read_manifest(path).id for path in self.files().values() if is_snapshot(path)]
        with reporting_to(*available(self.report_to, print)), learning_from(*read):
            if self.config.resume:
                check_unchanged(self.run_folder, self.files())
                yield
                return
            with recorded_inputs(self.run_folder, own_settings(self), self.files()):
                yield

    def opened(self) -> Records:
        """All records of `data`, after the leak check. Says what was left out."""
        names, template = names_from(self.columns), self.input_template
        records = open_records(self.data, self.shape, self.on_error, columns=names, input_template=template)
        if self.test_data is not None:
            test = open_records(self.test_data, columns=names, input_template=template)
            check_no_leak(records, test, self.data, self.test_data)
        tell_left_out(records, self.data)
        return records


def tell_left_out(records: Records, file: Path) -> None:
    """Says how many rows of the file were left out, and why."""
    for reason, count in {"rows that cannot be read": len(records.skipped), **records.dropped}.items():
        if count:
            print(f"{file}: left out {count}: {reason}")


def latest_checkpoint_folder(run: Path) -> Path | None:
    """The newest checkpoint of a run, each of which appeared whole; None where none was written."""
    return max(
        (run / "checkpoints").glob("step-*"), key=lambda folder: int(folder.name.removeprefix("step-")), default=None
    )


def of_kinds(records: Records, *kinds: type[R], file: Path, command: str) -> list[R]:
    """The records of these kinds; says how many others are left out.

    Raises PlauditError where there are none, naming the command the others are for.
    """
    chosen: list[R] = [record for record in records if isinstance(record, kinds)]
    if chosen:
        others = Counter(kind_of(record) for record in records if not isinstance(record, kinds))
        for kind, count in others.items():
            print(f"{file}: left out {count}: {plural(kind)}")
        return chosen
    *before, last = (plural(kind.__name__.lower()) for kind in kinds)
    wanted = f"{', '.join(before)} or {last}" if before else last
    if not len(records):
        raise PlauditError(f"{file} holds no row that can be read: `plaudit data check {file}` says why")
    found = sorted({kind_of(record) for record in records})
    held = " and ".join(plural(kind) for kind in found)
    use = " and ".join(dict.fromkeys(_LEARNS_FROM[kind] for kind in found if kind in _LEARNS_FROM))
    raise PlauditError(f"`plaudit {command}` reads {wanted}, and {file} holds {held}" + (f": use {use}" if use else ""))


def check_no_leak(train: Sequence[AnyRecord], test: Sequence[AnyRecord], train_file: Path, test_file: Path) -> None:
    """Raises PlauditError where a prompt stands on both sides."""
    leaked = leaked_prompts(train, test)
    if leaked:
        raise PlauditError(
            f"{len(leaked)} of the test prompts in {test_file} stand in the training data {train_file} too (prompt ids "
            f"{', '.join(leaked[:3])}{', ...' if len(leaked) > 3 else ''}): take them out of one of the files"
        )
