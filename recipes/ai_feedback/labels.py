"""Labels that nobody gave: those a reward model is sure of, and a judge's."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from plaudit.evaluation.judges import Judge
from plaudit.schemas.feedback import Comparison, Verdict
from plaudit.schemas.protocols import Completion
from plaudit.statistics import Estimate, bootstrap_interval
from plaudit.statistics.agreement import cohen_kappa
from recipes.hh_cpu.data import dialogue_id

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class SelfLabels:
    """The pairs that the model was sure of, under its labels, and how often people say the same of them."""

    records: list[Comparison]
    agreement: Estimate | None
    asked: int


def self_labels(records: Sequence[Comparison], margins: Floats, confidence: float) -> SelfLabels:
    """`margins` are score of a minus score of b, the log-odds (Bradley-Terry) that a is preferred.

    People's verdicts are read for the agreement alone.
    """
    chances = 1 / (1 + np.exp(-margins))
    sure = [i for i, chance in enumerate(chances) if max(chance, 1 - chance) >= confidence]
    labels = [Verdict.A if chances[i] >= 0.5 else Verdict.B for i in sure]
    chosen = [
        records[i].model_copy(update={"verdict": label, "annotator": "the model itself"})
        for i, label in zip(sure, labels, strict=True)
    ]
    right = [float(records[i].verdict is label) for i, label in zip(sure, labels, strict=True)]
    names = [dialogue_id(records[i]) for i in sure]
    return SelfLabels(chosen, bootstrap_interval(right, clusters=names) if right else None, len(records))


@dataclass(frozen=True, slots=True)
class JudgeLabels:
    """A judge beside people. Pairs on which it has no word, or says the other thing in the other order, have no label."""

    asked: int
    with_a_word: int
    decided: int
    agreement: Estimate | None
    kappa: float | None
    position_consistency: float | None


def judge_labels(judge: Judge, records: Sequence[Comparison]) -> JudgeLabels:
    """The judge's word on each pair, in both orders."""
    a, b = ([[_shown(side)] for side in sides] for sides in zip(*((r.a, r.b) for r in records), strict=True))
    found = judge.judged([record.prompt for record in records], a, b)
    words = np.array([table[0, 0] for table in found.wins])
    decided = [i for i, word in enumerate(words) if word in (0.0, 1.0)]
    own = [words[i] for i in decided]
    people = [float(records[i].verdict is Verdict.A) for i in decided]
    right = [float(x == y) for x, y in zip(own, people, strict=True)]
    both = len(set(own)) == 2 and len(set(people)) == 2
    return JudgeLabels(
        asked=len(records),
        with_a_word=int((~np.isnan(words)).sum()),
        decided=len(decided),
        agreement=bootstrap_interval(right, clusters=[dialogue_id(records[i]) for i in decided]) if right else None,
        kappa=cohen_kappa(own, people) if both else None,
        position_consistency=found.position_consistency,
    )


def _shown(side: Sequence[object]) -> Completion:
    text = side[-1].text  # type: ignore[attr-defined]
    return Completion(text, finished=True, num_tokens=max(1, len(text.split())))
