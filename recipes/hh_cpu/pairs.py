"""Held-out pairs: how often the reward model prefers what people preferred, beside baselines fitted to the same rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.numpy import load_file, save
from torch import Tensor

from plaudit.batches.tokens import TokenRows
from plaudit.evaluation.reward_quality import JudgedPairs, RewardQuality, correct, reward_quality
from plaudit.models.load import device_for, load_codec
from plaudit.models.policy import PolicyModel, load_policy
from plaudit.models.reward import RewardModel, load_reward_model
from plaudit.runs import Progress
from plaudit.runs.files import replace_file
from plaudit.schemas.feedback import Comparison, Verdict
from plaudit.statistics import Estimate, bootstrap_interval
from plaudit.statistics.logistic import fitted_probe
from plaudit.statistics.significance import McNemar, mcnemar
from recipes.hh_cpu.data import People, dialogue_id, sides, with_swapped_sides
from recipes.hh_cpu.settings import HHConfig

Floats = NDArray[np.float64]
Table = Mapping[str, Floats]
"""Numbers by name, one an answer: answer a of pair i in row 2i, answer b in row 2i + 1."""

REWARD, SHUFFLED = "reward", "shuffled"
TOKENS, LOGPROB, FEATURES = "tokens", "logprob", "features"
_FILE = "pairs.safetensors"


@dataclass(frozen=True, slots=True)
class Baseline:
    """A simpler way to tell which answer is preferred. `chosen` says what the training pairs decided about it.

    `against` compares the reward model (a) with it (b) on the `num_compared` pairs on which neither has a tie.
    """

    name: str
    chosen: str
    accuracy: Estimate
    by_source: Mapping[str, Estimate]
    against: McNemar
    num_compared: int


@dataclass(frozen=True, slots=True)
class PairResults:
    """The reward model's quality, the baselines, and two controls.

    `shuffled` is the accuracy of a reward model fitted to labels without meaning; `largest_change_when_swapped` the
    largest difference of a score between the two orders of a pair, and `deviation` the scores' own, to measure it by.
    """

    quality: RewardQuality
    baselines: tuple[Baseline, ...]
    shuffled: Estimate
    largest_change_when_swapped: float
    deviation: float


def measure(config: HHConfig, found: People) -> None:
    """Runs the models over the pairs; every number an answer gets lands in `pairs.safetensors`.

    The SFT model and the reward models share their lower layers, so each row passes those once.
    """
    device = device_for(config.device)
    codec = load_codec(config.model_of("sft"))
    policy = load_policy(config.model_of("sft"), config.upper, precision=config.precision, device=device)
    scorers = {
        name: load_reward_model(config.model_of(name), config.upper, precision=config.precision, device=device)
        for name in (REWARD, SHUFFLED)
    }
    for scorer in scorers.values():
        scorer.on_trunk(policy.branch.trunk)
    swapped = with_swapped_sides(found.test[: config.subsets.num_swapped_pairs])
    read = partial(answer_numbers, policy, micro_batch_size=config.reward.micro_batch_size)
    tables = {
        "train": read({}, sides(found.train, codec).to(device), "reading training pairs"),
        "test": read(scorers, sides(found.test, codec).to(device), "reading test pairs"),
        "swapped": read({REWARD: scorers[REWARD]}, sides(swapped, codec).to(device), "reading swapped pairs"),
    }
    flat = {f"{part}/{name}": values for part, table in tables.items() for name, values in table.items()}
    replace_file(config.folder / _FILE, [save(flat)])


@torch.no_grad()
def answer_numbers(
    policy: PolicyModel, scorers: Mapping[str, RewardModel], rows: TokenRows, title: str, *, micro_batch_size: int
) -> dict[str, Floats]:
    """What the models say of each row's answer, by name.

    `tokens` and `logprob` count and sum over the answer; `features` [B, D] is the mean over the answer's tokens of the
    state in which the trained layers begin: the probe reads what the reward model's own layers read. Then one score a
    scorer.
    """
    found: dict[str, Tensor] = {TOKENS: rows.answer_mask.sum(-1), LOGPROB: torch.zeros(len(rows))}
    found |= {name: torch.zeros(len(rows)) for name in scorers}
    found[FEATURES] = torch.zeros(len(rows), policy.width)
    with Progress(title, total=len(rows)) as progress:
        for part in rows.micro_batches(micro_batch_size):
            chosen = policy.prepared(rows.select(part.to(rows.token_ids.device)))
            stats = policy(chosen)
            states = stats.hidden if chosen.trunk is None else chosen.trunk
            weights = chosen.answer_mask / chosen.answer_mask.sum(-1, keepdim=True)
            found[LOGPROB][part] = stats.logprobs.sum(-1).float().cpu()
            found[FEATURES][part] = (states.float() * weights[..., None]).sum(1).cpu()
            for name, scorer in scorers.items():
                found[name][part] = scorer(chosen).cpu()
            progress.advance(len(part))
    return {name: values.double().cpu().numpy() for name, values in found.items()}


def pair_results(folder: Path, found: People) -> PairResults:
    """The results, from what `measure` wrote."""
    tables: dict[str, dict[str, Floats]] = {"train": {}, "test": {}, "swapped": {}}
    for name, values in load_file(folder / _FILE).items():
        part, _, column = name.partition("/")
        tables[part][column] = values
    train, test, swapped = tables["train"], tables["test"], tables["swapped"][REWARD]
    verdicts = judged(found.test)
    sources = [record.source for record in found.test]
    baselines = [
        _longer_or_shorter(train, test, found),
        _longer_or_shorter_by_set(train, test, found),
        _likelihood(train, test, found),
        _probe(train, test, found),
    ]
    in_order = swapped.reshape(-1, 2)[:, ::-1].ravel()
    return PairResults(
        quality=reward_quality(test[REWARD], test[TOKENS], verdicts, sources),
        baselines=tuple(
            _compared(name, chosen, scores, test[REWARD], verdicts, sources) for name, chosen, scores in baselines
        ),
        shuffled=bootstrap_interval(correct(test[SHUFFLED], verdicts), clusters=verdicts.prompts),
        largest_change_when_swapped=float(np.abs(test[REWARD][: len(in_order)] - in_order).max()),
        deviation=float(test[REWARD].std()),
    )


def judged(records: Sequence[Comparison]) -> JudgedPairs:
    """The verdicts over the rows of `sides`; pairs of one dialogue belong together."""
    first = 2 * np.arange(len(records))
    preferred = np.array([record.verdict is Verdict.A for record in records])
    dialogues = np.unique([dialogue_id(record) for record in records], return_inverse=True)[1]
    return JudgedPairs(first, first + 1, preferred, dialogues)


Judgement = tuple[str, str, Floats]
"""A baseline's name, what training decided, and its score for each answer of the test pairs."""


def _best_on(records: Sequence[Comparison], scores: Mapping[str, Floats]) -> str:
    """The name of the scores that agree most often with the verdicts."""
    verdicts = judged(records)
    return max(scores, key=lambda name: float(correct(scores[name], verdicts).mean()))


def _longer_or_shorter(train: Table, test: Table, found: People) -> Judgement:
    chosen = _best_on(found.train, {"longer": train[TOKENS], "shorter": -train[TOKENS]})
    return "length", chosen, test[TOKENS] if chosen == "longer" else -test[TOKENS]


def _longer_or_shorter_by_set(train: Table, test: Table, found: People) -> Judgement:
    """Is told which set a pair is from; the other baselines and the reward model have to see it for themselves."""
    scores, decided = test[TOKENS].copy(), []
    for source in sorted({record.source for record in found.train}):
        inside = [i for i, record in enumerate(found.train) if record.source == source]
        rows = np.array([2 * i + side for i in inside for side in (0, 1)])
        records = [found.train[i] for i in inside]
        chosen = _best_on(records, {"longer": train[TOKENS][rows], "shorter": -train[TOKENS][rows]})
        decided.append(f"{source}: {chosen}")
        if chosen == "shorter":
            scores[np.repeat([record.source == source for record in found.test], 2)] *= -1
    return "length, told the set", ", ".join(decided), scores


def _likelihood(train: Table, test: Table, found: People) -> Judgement:
    def kinds(table: Table) -> dict[str, Floats]:
        return {"sum": table[LOGPROB], "mean a token": table[LOGPROB] / table[TOKENS]}

    chosen = _best_on(found.train, kinds(train))
    return "the SFT model's log-likelihood", chosen, kinds(test)[chosen]


def _probe(train: Table, test: Table, found: People) -> Judgement:
    verdicts = judged(found.train)
    differences = train[FEATURES][verdicts.a] - train[FEATURES][verdicts.b]
    probe = fitted_probe(differences, verdicts.a_preferred, verdicts.prompts)
    return "linear probe on frozen features", f"penalty {probe.penalty:g}", test[FEATURES] @ probe.weights


def _compared(
    name: str, chosen: str, scores: Floats, reward: Floats, verdicts: JudgedPairs, sources: Sequence[str]
) -> Baseline:
    right, by_reward = correct(scores, verdicts), correct(reward, verdicts)
    decided = (right != 0.5) & (by_reward != 0.5)
    origins = np.array(sources)

    def accuracy(inside: NDArray[np.bool_]) -> Estimate:
        return bootstrap_interval(right[inside], clusters=verdicts.prompts[inside])

    return Baseline(
        name=name,
        chosen=chosen,
        accuracy=accuracy(np.ones(len(right), dtype=bool)),
        by_source={source: accuracy(origins == source) for source in sorted(set(sources))},
        against=mcnemar(by_reward[decided] == 1, right[decided] == 1),
        num_compared=int(decided.sum()),
    )
