"""A human study: which pairs are judged, by whom, with which answer on which side. The key; people see only sheets."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from pydantic import Field

from plaudit.runs import spawn_seed
from plaudit.schemas.conversation import Frozen, Messages, canonical_json, prompt_id
from plaudit.schemas.errors import PlauditError
from plaudit.schemas.feedback import Ranking

_NAME = re.compile(r"[\w.-]+")
RESERVED = frozenset({"study", "row", "verdict", "comment", "seconds", "conversation", "answer"})


@dataclass(frozen=True, kw_only=True, slots=True)
class StudyConfig:
    """Who judges how much of what."""

    people: tuple[str, ...] = ("person-1", "person-2")
    """A name for each person, letters, digits, `_`, `-` and `.`; pseudonyms do. Each gets a sheet of their own."""
    people_per_pair: int = 2
    """How many people judge each pair. More tell agreement better; more pairs narrow the win rate better."""
    num_pairs: int | None = None
    """How many pairs are judged, drawn at random; all there are unless given."""
    answers_per_prompt: int = 1
    """Answers of each model to each prompt, the k-th against the k-th. More prompts are better than more answers."""
    repeat_frac: float = 0.1
    """Share of a person's pairs shown a second time, sides changed, to see whether they agree with themselves."""
    axes: tuple[str, ...] = ("helpful", "truthful", "harmless")
    """What each answer is rated on, besides the comparison."""
    minimum: int = 1
    """The lowest rating."""
    maximum: int = 7
    """The highest rating; at most 9, so that one key gives it."""
    seed: int = 0
    """Order, sides, who judges what and what is repeated follow from it."""

    def __post_init__(self) -> None:
        if not self.people or len(set(self.people)) < len(self.people):
            raise PlauditError(f"every person needs a name of their own, got {', '.join(self.people) or 'none'}")
        for name in (*self.people, *self.axes):
            if not _NAME.fullmatch(name):
                raise PlauditError(f"a person's or axis's name holds letters, digits, _, - and . only, got {name!r}")
        if len(set(self.axes)) < len(self.axes) or RESERVED & set(self.axes):
            raise PlauditError(f"axes need names of their own, other than {', '.join(sorted(RESERVED))}")
        if not 1 <= self.people_per_pair <= len(self.people):
            raise PlauditError(
                f"people_per_pair must lie between 1 and the number of people, {len(self.people)}: got {self.people_per_pair}"
            )
        if not 0 <= self.minimum < self.maximum <= 9:
            raise PlauditError(
                f"ratings go from minimum to maximum within 0 to 9, got {self.minimum} to {self.maximum}"
            )
        if not 0 <= self.repeat_frac <= 0.5:
            raise PlauditError(f"repeat_frac must lie between 0 and 0.5, got {self.repeat_frac}")
        if self.answers_per_prompt < 1 or (self.num_pairs is not None and self.num_pairs < 1):
            raise PlauditError("answers_per_prompt and num_pairs must be at least 1")


class StudyPair(Frozen):
    """One answer of each of two models to a prompt."""

    id: str
    prompt: Messages
    models: tuple[str, str]
    answers: tuple[str, str]


class StudyRow(Frozen):
    """One pair as one person sees it. `swapped`: the second model's answer is shown first; `repeat`: a second showing."""

    id: str
    person: str
    pair: str
    swapped: bool
    repeat: bool


class Study(Frozen):
    """The key of a study: everything the sheets hide. `rows` stand in the order in which each person gets theirs."""

    format_version: int = 1
    id: str
    seed: int
    axes: tuple[str, ...]
    minimum: int
    maximum: int
    models: tuple[str, ...] = Field(min_length=2)
    pairs: tuple[StudyPair, ...]
    rows: tuple[StudyRow, ...]

    @property
    def people(self) -> tuple[str, ...]:
        """Everyone with a sheet."""
        return tuple(dict.fromkeys(row.person for row in self.rows))


def study_pairs(answers: Mapping[str, Sequence[Ranking]], answers_per_prompt: int = 1) -> list[StudyPair]:
    """Every two models' answers to every prompt that all of them answered, the k-th against the k-th.

    `answers` holds each model's rows as `plaudit sample` writes them. Raises PlauditError where there is nothing to pair.
    """
    if len(answers) < 2:
        raise PlauditError("a study compares two models or more: give a file of answers for each")
    by_prompt = {name: {prompt_id(row.prompt): row for row in rows} for name, rows in answers.items()}
    first = next(iter(by_prompt.values()))
    shared = [name for name in first if all(name in rows for rows in by_prompt.values())]
    if not shared:
        raise PlauditError("no prompt was answered by all models: sample them on the same file of prompts")
    pairs = []
    for name in shared:
        for a, b in combinations(by_prompt, 2):
            rows = (by_prompt[a][name], by_prompt[b][name])
            if any(len(row.completions) < answers_per_prompt for row in rows):
                raise PlauditError(
                    f"answers_per_prompt is {answers_per_prompt}, but {a} and {b} have {len(rows[0].completions)} and "
                    f"{len(rows[1].completions)} answers to {rows[0].prompt[-1].text[:60]!r}"
                )
            for k in range(answers_per_prompt):
                texts = tuple("\n".join(message.text for message in row.completions[k]) for row in rows)
                pairs.append(StudyPair(id="", prompt=rows[0].prompt, models=(a, b), answers=(texts[0], texts[1])))
    return pairs


def made_study(config: StudyConfig, pairs: Sequence[StudyPair]) -> Study:
    """The study: pairs drawn, dealt to people so that all get as many, sides and order shuffled, some repeated."""
    rng = np.random.default_rng(spawn_seed(config.seed, "study"))
    num = min(config.num_pairs or len(pairs), len(pairs))
    chosen = [pairs[i].model_copy(update={"id": f"p{n:05d}"}) for n, i in enumerate(rng.permutation(len(pairs))[:num])]
    load = dict.fromkeys(config.people, 0)
    mine: dict[str, list[StudyPair]] = {person: [] for person in config.people}
    for pair in chosen:
        # Those with least to do; among them by lot, so that everyone meets everyone.
        order = sorted(rng.permutation(np.array(config.people)).tolist(), key=load.__getitem__)
        for person in order[: config.people_per_pair]:
            load[person] += 1
            mine[person].append(pair)
    rows = [row for person in config.people for row in _rows_of(person, mine[person], config.repeat_frac, rng)]
    models = tuple(dict.fromkeys(name for pair in pairs for name in pair.models))
    content = canonical_json([[pair.model_dump(mode="json") for pair in chosen], [row.id for row in rows]])
    return Study(
        id=hashlib.sha256(content.encode()).hexdigest()[:12],
        seed=config.seed,
        axes=config.axes,
        minimum=config.minimum,
        maximum=config.maximum,
        models=models,
        pairs=tuple(chosen),
        rows=tuple(rows),
    )


def _rows_of(person: str, pairs: Sequence[StudyPair], repeat_frac: float, rng: np.random.Generator) -> list[StudyRow]:
    """A person's rows in order. Each model stands first as often as second; repeats come a third of the way later."""
    num = len(pairs)
    order = [pairs[i] for i in rng.permutation(num)]
    turns = {models: int(rng.integers(2)) for models in sorted({pair.models for pair in pairs})}
    placed: list[tuple[float, StudyRow]] = []
    for place, pair in enumerate(order):
        turns[pair.models] += 1
        placed.append((place, _row(person, pair, swapped=bool(turns[pair.models] % 2), repeat=False, rng=rng)))
    gap = num / 3
    early = [entry for entry in placed if entry[0] < num - gap]
    for i in rng.permutation(len(early))[: round(repeat_frac * num)]:
        place, row = early[i]
        later = place + gap + rng.random() * (num - place - gap)
        pair = next(pair for pair in pairs if pair.id == row.pair)
        placed.append((later, _row(person, pair, swapped=not row.swapped, repeat=True, rng=rng)))
    return [row for _, row in sorted(placed, key=lambda entry: entry[0])]


def _row(person: str, pair: StudyPair, *, swapped: bool, repeat: bool, rng: np.random.Generator) -> StudyRow:
    return StudyRow(id=rng.bytes(6).hex(), person=person, pair=pair.id, swapped=swapped, repeat=repeat)
