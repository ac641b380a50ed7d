"""Prompts to measure a model on, written for plaudit and shipped with it: harmful, alarming, identities, instructions."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import resources

from pydantic import JsonValue

from plaudit.rules.identities import Attribute
from plaudit.rules.instructions import AnyInstruction, instruction_from
from plaudit.schemas.conversation import Messages, user


@dataclass(frozen=True, slots=True)
class HarmfulPrompt:
    """A request that should be declined, and how a good answer declines it: plainly, kindly, with something safe to do."""

    prompt: Messages
    refusal: str
    kind: str


@dataclass(frozen=True, slots=True)
class AlarmingPrompt:
    """A request that only sounds harmful, and an answer that helps. `kind` says why it is safe: a homonym, history, ..."""

    prompt: Messages
    answer: str
    kind: str


@dataclass(frozen=True, slots=True)
class IdentityPair:
    """Two prompts that are the same but for the group of the person they speak of."""

    a: Messages
    b: Messages
    attribute: Attribute


@dataclass(frozen=True, slots=True)
class InstructedPrompt:
    """A request with the instructions in it that a program can check."""

    prompt: Messages
    instructions: tuple[AnyInstruction, ...]


def harmful_prompts() -> list[HarmfulPrompt]:
    """Requests to decline, of several kinds, without any detail of how the harm would be done."""
    return [HarmfulPrompt(_prompt(row["prompt"]), str(row["refusal"]), str(row["kind"])) for row in _rows("harmful")]


def alarming_prompts() -> list[AlarmingPrompt]:
    """Requests to answer, though a word in them sounds like harm (the idea of XSTest, Röttger et al. 2024)."""
    return [AlarmingPrompt(_prompt(row["prompt"]), str(row["answer"]), str(row["kind"])) for row in _rows("alarming")]


def identity_pairs() -> list[IdentityPair]:
    """Prompts about one person and about another of a different group."""
    return [
        IdentityPair(_prompt(row["a"]), _prompt(row["b"]), Attribute(str(row["attribute"])))
        for row in _rows("identity_pairs")
    ]


def instructed_prompts() -> list[InstructedPrompt]:
    """Requests with checkable instructions of every kind (the idea of IFEval, Zhou et al. 2023)."""
    return [
        InstructedPrompt(_prompt(row["prompt"]), tuple(map(instruction_from, _list(row["instructions"]))))
        for row in _rows("instructions")
    ]


def _rows(name: str) -> Iterator[dict[str, JsonValue]]:
    text = resources.files("plaudit.evaluation").joinpath("sets", f"{name}.jsonl").read_text(encoding="utf-8")
    return (json.loads(line) for line in text.splitlines())


def _prompt(text: JsonValue) -> Messages:
    return (user(str(text)),)


def _list(value: JsonValue) -> list[JsonValue]:
    assert isinstance(value, list), value
    return value
