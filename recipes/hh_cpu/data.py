"""People's rows: drawn by the seed, no dialogue on both sides, nothing too long."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from plaudit.batches.tokens import TokenRows, collated
from plaudit.formats import leaked_prompts, open_records, shuffled_sides
from plaudit.runs import spawn_seed
from plaudit.schemas.conversation import Messages, prompt_id
from plaudit.schemas.errors import PlauditError
from plaudit.schemas.feedback import Comparison, Demonstration, Prompt, Verdict
from plaudit.text.chat import ChatCodec
from recipes.hh_cpu.settings import HHConfig

DEMONSTRATIONS = "dolly-15k/dolly-15k.jsonl"
PAIRS = {"helpful": "hh-helpful-base/pairs.jsonl", "harmless": "hh-harmless-base/pairs.jsonl"}


@dataclass(frozen=True, slots=True)
class People:
    """All that is used. `practice` are prompts of training pairs, `asked` prompts of test pairs; both short ones.

    `counts` says how many rows of which kind were read, used and left out.
    """

    learnt: list[Demonstration]
    held: list[Demonstration]
    train: list[Comparison]
    test: list[Comparison]
    practice: list[Messages]
    asked: list[Messages]
    counts: dict[str, int]


def dialogue_id(record: Comparison) -> str:
    """The name of the dialogue a pair belongs to: that of its opening.

    HH-RLHF has several pairs of some dialogues, one prompt being the beginning of another.
    """
    return prompt_id(record.prompt[:1])


def people(config: HHConfig, codec: ChatCodec) -> People:
    """The rows of the recipe. Raises PlauditError where there are too few, or a test prompt stands in training."""
    counts: Counter[str] = Counter()
    learnt, held = _demonstrations(config, codec, counts)
    train, test = _pairs(config, codec, counts)
    practice = _short_prompts(train, codec, config.subsets.max_prompt_tokens)
    asked = _short_prompts(test, codec, config.subsets.max_prompt_tokens)
    counts["practice prompts"] = len(practice)
    num = config.subsets.num_eval_prompts
    _check_enough("prompts of test pairs within max_prompt_tokens", len(asked), num, "num_eval_prompts")
    if not practice:
        raise PlauditError("no prompt of a training pair is within max_prompt_tokens: raise subsets.max_prompt_tokens")
    found = People(learnt, held, train, test, practice, asked[:num], dict(counts))
    check_apart(found)
    return found


def check_apart(found: People) -> None:
    """Raises PlauditError where a test prompt, or a test pair's dialogue, stands in anything that is trained on."""
    practised = [Prompt(prompt=prompt) for prompt in found.practice]
    asked = [Prompt(prompt=prompt) for prompt in found.asked]
    leaked = leaked_prompts([*found.learnt, *found.train, *practised], [*found.held, *found.test, *asked])
    leaked += sorted({dialogue_id(record) for record in found.train} & {dialogue_id(record) for record in found.test})
    if leaked:
        raise PlauditError(
            f"{len(leaked)} test prompts stand in training too (prompt ids {', '.join(leaked[:3])}): take them out of the data"
        )


def sides(records: Sequence[Comparison], codec: ChatCodec) -> TokenRows:
    """Both answers of every pair as rows: answer a of pair i in row 2i, answer b in row 2i + 1."""
    rows = [codec.encoded(record.prompt, answer) for record in records for answer in (record.a, record.b)]
    return collated(rows, codec.pad_id)


def with_swapped_sides(records: Sequence[Comparison]) -> list[Comparison]:
    """The same pairs, the other answer first."""
    return [_turned(record).model_copy(update={"a": record.b, "b": record.a}) for record in records]


def with_shuffled_labels(records: Sequence[Comparison], seed: int) -> list[Comparison]:
    """The same pairs, a random half of each set's verdicts turned round: labels that say nothing.

    Exactly half. Labels merely dealt out anew agree with the truth a little more or less often than that, and what few
    things a small model sees in an answer would carry the accident to every test pair.
    """
    turned: set[int] = set()
    for source in sorted({record.source for record in records}):
        inside = [i for i, record in enumerate(records) if record.source == source]
        order = np.random.default_rng(spawn_seed(seed, "shuffled labels", source)).permutation(inside)
        turned |= set(order[: len(inside) // 2].tolist())
    return [_turned(record) if i in turned else record for i, record in enumerate(records)]


def _turned(record: Comparison) -> Comparison:
    """The other verdict; a tie stays one."""
    other = {Verdict.A: Verdict.B, Verdict.B: Verdict.A}
    return record.model_copy(update={"verdict": other.get(record.verdict, record.verdict)})


def _demonstrations(
    config: HHConfig, codec: ChatCodec, counts: Counter[str]
) -> tuple[list[Demonstration], list[Demonstration]]:
    """Those to learn from and those held back, no prompt twice."""
    wanted, held = config.subsets.num_demonstrations, config.subsets.num_held_demonstrations
    records = open_records(config.data_folder / DEMONSTRATIONS, shape="dolly").of(Demonstration)
    unique = {prompt_id(record.prompt): record for record in records}
    chosen: list[Demonstration] = []
    for name in sorted(unique, key=lambda name: spawn_seed(config.seed, "demonstrations", name)):
        if len(chosen) == wanted + held:
            break
        record = unique[name]
        if len(codec.encoded(record.prompt, record.completion).token_ids) <= config.subsets.max_tokens:
            chosen.append(record)
        else:
            counts["demonstrations left out: too long"] += 1
    counts["demonstrations"] = len(records)
    _check_enough("demonstrations within max_tokens", len(chosen), wanted + held, "num_demonstrations")
    return chosen[held:], chosen[:held]


def _pairs(config: HHConfig, codec: ChatCodec, counts: Counter[str]) -> tuple[list[Comparison], list[Comparison]]:
    """Training and test pairs: dialogues in an order that follows from the seed, the first of them for the test."""
    num_train, num_test = config.subsets.num_train_pairs, config.subsets.num_test_pairs
    train: list[Comparison] = []
    test: list[Comparison] = []
    for dialogue in _dialogues(config, counts):
        if len(train) >= num_train:
            break
        fitting = [record for record in dialogue if _num_tokens(record, codec) <= config.subsets.max_tokens]
        counts["pairs left out: too long"] += len(dialogue) - len(fitting)
        (test if len(test) < num_test else train).extend(fitting)
    _check_enough("pairs within max_tokens", len(test) + len(train), num_test + num_train, "num_train_pairs")
    for name in PAIRS:
        counts[f"{name} training pairs"] = sum(record.source == name for record in train[:num_train])
        counts[f"{name} test pairs"] = sum(record.source == name for record in test[:num_test])
    return train[:num_train], test[:num_test]


def _dialogues(config: HHConfig, counts: Counter[str]) -> Iterator[list[Comparison]]:
    """The pairs of one dialogue after another, sides shuffled: the files have the preferred answer first."""
    found: dict[str, list[Comparison]] = {}
    for name, file in PAIRS.items():
        records = open_records(config.data_folder / file, shape="hh").of(Comparison)
        counts[f"{name} pairs"] = len(records)
        named = (record.model_copy(update={"source": name}) for record in records)
        for record in shuffled_sides(named, config.seed):
            found.setdefault(dialogue_id(record), []).append(record)
    for name in sorted(found, key=lambda name: spawn_seed(config.seed, "dialogues", name)):
        yield found[name]


def _num_tokens(record: Comparison, codec: ChatCodec) -> int:
    """Of the prompt with the longer answer."""
    return max(len(codec.encoded(record.prompt, answer).token_ids) for answer in (record.a, record.b))


def _short_prompts(records: Sequence[Comparison], codec: ChatCodec, max_tokens: int) -> list[Messages]:
    unique = {prompt_id(record.prompt): record.prompt for record in records}
    return [prompt for prompt in unique.values() if len(codec.prompt_ids(prompt)) <= max_tokens]


def _check_enough(what: str, found: int, wanted: int, name: str) -> None:
    if found < wanted:
        raise PlauditError(f"there are {found} {what}, but the settings ask for {wanted}: lower subsets.{name}")
