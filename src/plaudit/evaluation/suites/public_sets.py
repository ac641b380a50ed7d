"""Published sets that suites read: where each lies in the folder of data, whose it is, and where it comes from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from typing import TypeVar

from plaudit.schemas.conversation import Messages
from plaudit.schemas.errors import PlauditError
from plaudit.schemas.feedback import AnyRecord, Demonstration, Record

R = TypeVar("R", bound=Record)


@dataclass(frozen=True, slots=True)
class PublicSet:
    """A file under the folder of data, as it is published."""

    title: str
    file: str
    licence: str
    origin: str


class Published(Enum):
    """The sets. None comes with plaudit."""

    HHH = PublicSet(
        "the HHH alignment set (Askell et al. 2021)",
        "hhh-alignment/hhh_alignment_eval.jsonl",
        "Apache-2.0",
        "github.com/prometheus-eval/prometheus-eval, eval/benchmark/data/hhh_alignment_eval.json",
    )
    TRUTHFULQA = PublicSet(
        "TruthfulQA (Lin et al. 2022)",
        "truthfulqa/TruthfulQA.csv",
        "Apache-2.0",
        "github.com/sylinrl/TruthfulQA, TruthfulQA.csv",
    )
    QA_FEEDBACK = PublicSet(
        "QA-feedback (Wu et al. 2023)",
        "finegrained-qa-feedback/dev_feedback.jsonl",
        "Apache-2.0, its passages CC BY-SA",
        "github.com/allenai/FineGrainedRLHF, tasks/qa_feedback/data/dev_feedback.json",
    )
    SCITLDR = PublicSet(
        "SciTLDR (Cachola et al. 2020)",
        "scitldr/test.jsonl",
        "Apache-2.0",
        "github.com/allenai/scitldr, SciTLDR-Data/SciTLDR-A/test.jsonl",
    )
    TATOEBA = PublicSet(
        "Tatoeba's English and Chinese pairs",
        "tatoeba-en-zh/cmn.txt",
        "CC BY 2.0 FR",
        "manythings.org/anki, cmn-eng.zip",
    )
    XSTEST = PublicSet(
        "XSTest (Röttger et al. 2024)",
        "prompts-en/xstest_prompts.csv",
        "CC BY 4.0",
        "github.com/paul-rottger/exaggerated-safety, xstest_prompts.csv",
    )

    def path_in(self, folder: Path) -> Path:
        """Where the file lies in that folder of data."""
        return folder / self.value.file


@dataclass(frozen=True, kw_only=True, slots=True)
class SuiteData:
    """What the suites read besides the shipped prompts: published sets by name, and what a person gave.

    `prompts` are further prompts for toxicity and readability, `references` what people answered, for overlap; `primer`
    is put before TruthfulQA's questions.
    """

    published: Mapping[Published, Sequence[AnyRecord]] = field(default_factory=dict)
    prompts: Sequence[Messages] = ()
    references: Sequence[Demonstration] = ()
    primer: str = ""

    def of(self, published: Published, kind: type[R]) -> list[R]:
        """The set's records of one kind. Raises PlauditError, saying where to get it, where there are none."""
        found: list[R] = [record for record in self.published.get(published, ()) if isinstance(record, kind)]
        if not found:
            raise PlauditError(where_to_get(published))
        return found


def where_to_get(published: Published) -> str:
    """What to do for a set that is not there."""
    found = published.value
    return (
        f"it needs {found.title}, licence {found.licence}: get the file from {found.origin}, put it under DIR/{found.file} "
        "and name DIR with --data or PLAUDIT_DATA"
    )
