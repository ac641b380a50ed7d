"""Which records a run learns from: those that weigh nothing or are too long are left out and counted.

What the model could not read is refused before the run begins, not when it comes up.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TypeVar

from transformers import PreTrainedModel

from plaudit.batches.preferences import EncodedGroup
from plaudit.batches.tokens import EncodedRow
from plaudit.rollout.decoding import context_of
from plaudit.schemas.errors import PlauditError
from plaudit.schemas.feedback import Record
from plaudit.schemas.preference import PreferenceGroup
from plaudit.text.prompts import EncodedPrompt

R = TypeVar("R", bound=Record)


def with_weight(records: Sequence[R], what: str) -> list[R]:
    """The records of a weight above 0. Raises PlauditError where there are records, and none of them has one."""
    kept = [record for record in records if record.weight > 0]
    if records and not kept:
        raise PlauditError(f"all {len(records)} {what} have weight 0: there is nothing to learn from them")
    return kept


def say_left_out(what: str, counts: Mapping[str, int], say: Callable[[str], None]) -> None:
    """Says for each reason how many it kept out, as in "left out 3 demonstrations: over max_tokens = 512"."""
    for reason, count in counts.items():
        if count:
            say(f"left out {count} {what}: {reason}")


def unused_groups(given: Sequence[PreferenceGroup], kept: Sequence[PreferenceGroup], max_tokens: int) -> dict[str, int]:
    """How many of the groups a preference loss does not use, by reason."""
    pairless = sum(not group.pairs for group in given)
    too_long = len(given) - pairless - len(kept)
    return {"no verdict of any weight on two of their answers": pairless, f"over max_tokens = {max_tokens}": too_long}


def rows_of_groups(groups: Iterable[EncodedGroup]) -> list[EncodedRow]:
    """The rows of all groups."""
    return [row for group in groups for row in group.rows]


def check_rows_fit(rows: Iterable[EncodedRow], model: PreTrainedModel, name: str) -> None:
    """Raises PlauditError where a row is longer than the context of the model of that name."""
    context = context_of(model)
    longest = max((len(row.token_ids) for row in rows), default=0)
    if context is not None and longest > context:
        raise PlauditError(
            f"the longest row has {longest} tokens, and {name} reads {context} at most: set max_tokens to {context} or less"
        )


def check_prompts_fit(
    prompts: Iterable[EncodedPrompt], model: PreTrainedModel, name: str, *, max_new_tokens: int
) -> None:
    """Raises PlauditError where the longest prompt leaves no room for an answer in the context of the model of that name."""
    context = context_of(model)
    longest = max((len(prompt.token_ids) for prompt in prompts), default=0)
    if context is not None and longest + max_new_tokens > context:
        limit = context - max_new_tokens
        shorter = f"set experience.max_prompt_tokens to {limit} or less (prompt_too_long says what becomes of longer ones), or "
        raise PlauditError(
            f"the longest prompt has {longest} tokens: with an answer of up to experience.sampling.max_new_tokens = "
            f"{max_new_tokens} it does not fit into the {context} that {name} reads. "
            f"{shorter if limit > 0 else ''}lower experience.sampling.max_new_tokens"
        )
