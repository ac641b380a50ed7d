"""What a project asks of people, what one of them is shown, and why there may be nothing to show."""

from __future__ import annotations

from enum import StrEnum
from typing import Self

from pydantic import Field, model_validator

from plaudit.schemas.conversation import Frozen, Messages
from plaudit.schemas.judgement import Axis, ItemKind


class SkipPolicy(StrEnum):
    """What becomes of an item that somebody skips."""

    OTHERS = "others"
    """Somebody else is asked."""
    AGAIN = "again"
    """Anybody is asked, in the end the same person too."""
    DROP = "drop"
    """Nobody is: the skip counts as one of the judgements that were wanted."""


class PersonKind(StrEnum):
    """Who judges. Verdicts of models and of rules are never mixed with people's unsaid."""

    HUMAN = "human"
    MODEL = "model"
    RULE = "rule"


class MemberRole(StrEnum):
    """What a member of a project may do, each also what stands above it."""

    ANNOTATOR = "annotator"
    REVIEWER = "reviewer"
    ADMIN = "admin"


class ProjectSettings(Frozen):
    """The rules of one collection of feedback."""

    axes: tuple[Axis, ...] = (Axis(name="overall"),)
    """Qualities that answers may be rated on."""
    overlap: int = Field(default=3, ge=1)
    """Judgements wanted of an item, by as many people. Raising it makes labels surer and fewer."""
    lease_s: int = Field(default=600, ge=1)
    """For how long an item is promised to a person. Raising it spares slow people, and lets deserted items wait longer."""
    skip: SkipPolicy = SkipPolicy.OTHERS
    """What becomes of skipped items."""
    top_k: int | None = Field(default=None, ge=1)
    """How many answers of a ranking must be ranked; None for all."""
    gold_frac: float = Field(default=0.05, ge=0, le=0.5)
    """Share of a person's tasks whose right answer is known. Raising it finds careless people sooner, at that cost."""
    num_onboarding: int = Field(default=0, ge=0)
    """How many of a person's first tasks have a known answer, as far as there are such."""
    repeat_frac: float = Field(default=0.04, ge=0, le=0.5)
    """Share of a person's tasks that they have judged before, in another order: do they stay with their word?"""
    repeat_gap: int = Field(default=10, ge=1)
    """Other tasks that lie between a task and its repetition, at least."""
    max_per_person: int | None = Field(default=None, ge=1)
    """Judgements a person may give, at most; None for any number."""

    @model_validator(mode="after")
    def _check(self) -> Self:
        names = [axis.name for axis in self.axes]
        if len(set(names)) != len(names):
            raise ValueError(f"two axes have the same name: {names}")
        return self


class Task(Frozen):
    """An item promised to one person: what they see. Its answers stand in display order; neither ids nor models are told,
    nor whether the answer is known or the item a repetition."""

    assignment_id: str
    lease_token: str
    expires_ms: int
    kind: ItemKind
    prompt: Messages
    answers: tuple[Messages, ...]
    axes: tuple[Axis, ...]
    top_k: int | None
    guideline_version: int
    draft: str = ""


class EmptyCause(StrEnum):
    """Why there is nothing to do."""

    DONE = "done"
    """Every item has what was wanted of it."""
    LEASED = "leased"
    """What is left is promised to others, for now."""
    YOURS_DONE = "yours_done"
    """What is left this person has judged, skipped or written."""
    SHARE_DONE = "share_done"
    """The person has given as many judgements as one person may."""
    SUSPENDED = "suspended"
    """An administrator has to look at the person's judgements first."""


class EmptyQueue(Frozen):
    """Nothing to do, why, and when a lease of somebody else ends, if that is what it waits for."""

    cause: EmptyCause
    num_leased: int = 0
    next_free_ms: int | None = None
