"""Who is asked what, and for how long: leases, overlap, display order, known answers and repetitions among the rest.

No item is ever judged by more people than were wanted, whatever the workers do: `num_free` counts the judgements that are
neither given nor promised, and changes in the transaction that gives or promises.
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import ColumnElement, and_, exists, func, select, text, update
from sqlalchemy.orm import Session

from plaudit.schemas.judgement import ItemKind
from plaudit.schemas.tasks import EmptyCause, EmptyQueue, ProjectSettings, SkipPolicy, Task
from plaudit.store.database import Database, found
from plaudit.store.display import Draw, display_order, drawn_from, drawn_lot
from plaudit.store.errors import AlreadyJudgedError, NotAllowedError, StaleLeaseError, WithdrawnError
from plaudit.store.ids import new_id
from plaudit.store.items import AssignmentState, ItemState, candidates
from plaudit.store.projects import as_project, settings_of
from plaudit.store.tables import (
    WANTED,
    AssignmentRow,
    CandidateRow,
    GenerationRow,
    ItemRow,
    MembershipRow,
    PersonRow,
    ProjectRow,
    PromptRow,
)

_TAKEN = (AssignmentState.LEASED, AssignmentState.SUBMITTED)
# Repetitions are drawn among so many earlier tasks, display orders balanced over so many people.
_MEMORY = 50


@dataclass(frozen=True, slots=True)
class Tasks:
    """Hands out items and takes them back."""

    database: Database

    def next(self, project_id: str, person_id: str) -> Task | EmptyQueue:
        """What this person is asked now: the task they hold already, or a new one, or why there is none.

        Raises NotAllowedError where the person is no member of the project.
        """
        now = self.database.now_ms()
        with self.database.write() as session:
            project = found(session, ProjectRow, project_id)
            person = found(session, PersonRow, person_id)
            # One task at a time, even where the person asks in two windows at once.
            if session.get(MembershipRow, (project_id, person_id), with_for_update=True) is None:
                raise NotAllowedError(f"{person.pseudonym} is no member of the project {project.name!r}")
            if person.suspended_ms is not None:
                return EmptyQueue(cause=EmptyCause.SUSPENDED)
            settings = as_project(project).settings
            _end_expired(session, project_id, now)
            mine = _of_person(project_id, person_id, AssignmentState.LEASED)
            held = session.scalars(select(AssignmentRow).where(mine)).first()
            if held is not None:
                return self._task(session, held, settings)
            num_given = _num_given(session, project_id, person_id)
            if settings.max_per_person is not None and num_given >= settings.max_per_person:
                return EmptyQueue(cause=EmptyCause.SHARE_DONE)
            item = _wanted_item(session, project_id, person_id, settings)
            if item is None:
                return _why_empty(session, project_id, person_id)
            assignment = _drawn(session, project, person_id, num_given, settings) or _promised(
                session, project, item, person_id, num_given
            )
            _take_over_draft(session, assignment)
            assignment.created_ms, assignment.expires_ms = now, now + settings.lease_s * 1000
            session.add(assignment)
            session.flush()
            return self._task(session, assignment, settings)

    def heartbeat(self, assignment_id: str, lease_token: str) -> int:
        """Renews a lease; returns the time (ms) at which it ends now. Raises StaleLeaseError."""
        now = self.database.now_ms()
        with self.database.write() as session:
            assignment = leased(session, assignment_id, lease_token, now)
            assignment.expires_ms = now + settings_of(session, assignment.project_id).lease_s * 1000
            return assignment.expires_ms

    def save_draft(self, assignment_id: str, lease_token: str, text: str) -> None:
        """Keeps what the person has written so far, sealed; it is shown again with the task."""
        with self.database.write() as session:
            assignment = leased(session, assignment_id, lease_token, self.database.now_ms())
            assignment.draft = self.database.vault.sealed(assignment.person_id, text)

    def skip(self, assignment_id: str, lease_token: str, reason: str = "") -> None:
        """Gives a task back; the project's settings say who is asked next."""
        with self.database.write() as session:
            assignment = leased(session, assignment_id, lease_token, self.database.now_ms())
            assignment.state, assignment.draft = AssignmentState.SKIPPED, None
            if reason:
                assignment.skip_reason = self.database.vault.sealed(assignment.person_id, reason)
            if settings_of(session, assignment.project_id).skip is not SkipPolicy.DROP:
                _give_back(session, [assignment])
            self.database.record(session, assignment.person_id, "skip", assignment_id)

    def _task(self, session: Session, assignment: AssignmentRow, settings: ProjectSettings) -> Task:
        item = found(session, ItemRow, assignment.item_id)
        prompt = found(session, PromptRow, item.prompt_id)
        answers = [self.database.opened(row.owner_id, row.messages) for row in candidates(session, item.id)]
        draft = assignment.draft
        return Task(
            assignment_id=assignment.id,
            lease_token=assignment.lease_token,
            expires_ms=assignment.expires_ms,
            kind=ItemKind(item.kind),
            prompt=self.database.opened(prompt.owner_id, prompt.messages),
            answers=tuple(answers[answer] for answer in order_of(assignment)),
            axes=settings.axes,
            top_k=settings.top_k,
            guideline_version=assignment.guideline_version,
            draft=self.database.vault.opened(assignment.person_id, draft) if draft else "",
        )


def leased(session: Session, assignment_id: str, lease_token: str, now_ms: int) -> AssignmentRow:
    """The assignment, held under this token, and not expired by now.

    Raises StaleLeaseError, AlreadyJudgedError or WithdrawnError.
    """
    assignment = under_token(session, assignment_id, lease_token)
    check_open(session, assignment, now_ms)
    return assignment


def under_token(session: Session, assignment_id: str, lease_token: str) -> AssignmentRow:
    """The assignment that this token was given for, whatever became of it since. Raises StaleLeaseError."""
    assignment = session.get(AssignmentRow, assignment_id, with_for_update=True)
    if assignment is None or not secrets.compare_digest(assignment.lease_token, lease_token):
        raise StaleLeaseError(f"no lease of this token on {assignment_id!r}: ask for the next task")
    return assignment


def check_open(session: Session, assignment: AssignmentRow, now_ms: int) -> None:
    """Raises StaleLeaseError, AlreadyJudgedError or WithdrawnError where the assignment can be worked on no more."""
    if assignment.state == AssignmentState.SUBMITTED:
        raise AlreadyJudgedError("a judgement was handed in for this task already: correct that one instead")
    if found(session, ItemRow, assignment.item_id).state == ItemState.WITHDRAWN:
        raise WithdrawnError("the item was withdrawn meanwhile: ask for the next task")
    if assignment.state != AssignmentState.LEASED or assignment.expires_ms <= now_ms:
        raise StaleLeaseError("the lease has expired, and somebody else may have the item: ask for the next task")


def order_of(assignment: AssignmentRow) -> list[int]:
    """Which answer stood at each place."""
    return [int(str(answer)) for answer in assignment.display_order]


def _of_person(project_id: str, person_id: str, state: AssignmentState) -> ColumnElement[bool]:
    """Which assignments are this person's in this project and this state."""
    return and_(
        AssignmentRow.person_id == person_id, AssignmentRow.project_id == project_id, AssignmentRow.state == state
    )


def _num_given(session: Session, project_id: str, person_id: str) -> int:
    given = _of_person(project_id, person_id, AssignmentState.SUBMITTED)
    return session.scalars(select(func.count(AssignmentRow.id)).where(given)).one()


def _end_expired(session: Session, project_id: str, now_ms: int) -> None:
    """Ends leases whose time is up. Those that another worker is ending are left to it."""
    expired = session.scalars(
        select(AssignmentRow)
        .where(AssignmentRow.project_id == project_id, text("assignment.state = 'leased'"))
        .where(AssignmentRow.expires_ms <= now_ms)
        .with_for_update(skip_locked=True)
    ).all()
    for assignment in expired:
        assignment.state = AssignmentState.EXPIRED
    _give_back(session, expired)


def _take_over_draft(session: Session, assignment: AssignmentRow) -> None:
    """What the person wrote about the item until a lease of theirs ran out, with the order that they saw then."""
    same = and_(
        _of_person(assignment.project_id, assignment.person_id, AssignmentState.EXPIRED),
        AssignmentRow.item_id == assignment.item_id,
        AssignmentRow.is_repeat == assignment.is_repeat,
        AssignmentRow.draft.is_not(None),
    )
    left = session.scalars(select(AssignmentRow).where(same).order_by(AssignmentRow.id.desc()).limit(1)).first()
    if left is not None:
        assignment.draft, assignment.display_order = left.draft, left.display_order
        left.draft = None


def _give_back(session: Session, assignments: Sequence[AssignmentRow]) -> None:
    """Their judgements are wanted again; those for known answers and repetitions never were."""
    # In one order everywhere: two workers that lock the same items must not wait for each other.
    for name in sorted(row.item_id for row in assignments if not (row.is_gold or row.is_repeat)):
        session.execute(update(ItemRow).where(ItemRow.id == name).values(num_free=ItemRow.num_free + 1))


def _wanted_item(session: Session, project_id: str, person_id: str, settings: ProjectSettings) -> ItemRow | None:
    """The first item that wants this person's judgement, locked; what they skipped comes last, if at all."""
    query = (
        select(ItemRow)
        .where(ItemRow.project_id == project_id, text(WANTED))
        .where(~_wrote(person_id))
        .order_by(ItemRow.priority.desc(), ItemRow.id)
        .limit(1)
        .with_for_update(skip_locked=True)
    )
    item = session.scalars(query.where(~_met(person_id, *_TAKEN, AssignmentState.SKIPPED))).first()
    if item is None and settings.skip is SkipPolicy.AGAIN:
        item = session.scalars(query.where(~_met(person_id, *_TAKEN))).first()
    return item


def _met(person_id: str, *states: AssignmentState) -> ColumnElement[bool]:
    """Whether the person has an assignment on the item in one of these states."""
    return exists().where(
        AssignmentRow.item_id == ItemRow.id, AssignmentRow.person_id == person_id, AssignmentRow.state.in_(states)
    )


def _wrote(person_id: str) -> ColumnElement[bool]:
    """Whether the person wrote one of the item's answers."""
    return exists().where(
        CandidateRow.item_id == ItemRow.id,
        CandidateRow.generation_id == GenerationRow.id,
        GenerationRow.author_id == person_id,
    )


def _promised(
    session: Session, project: ProjectRow, item: ItemRow, person_id: str, num_given: int, *, is_gold: bool = False
) -> AssignmentRow:
    """A new assignment of the item, its answers in the order that balances what came before."""
    if not is_gold:
        item.num_free -= 1
    before = session.scalars(
        select(AssignmentRow)
        .where(AssignmentRow.item_id == item.id, AssignmentRow.is_repeat.is_(False))
        .where(AssignmentRow.state.in_(_TAKEN))
        .order_by(AssignmentRow.id.desc())
        .limit(_MEMORY)
    )
    shown_first = [order_of(row)[0] for row in before if row.display_order]
    order = display_order(item.id, person_id, len(candidates(session, item.id)), shown_first, num_given)
    return _assignment(project, item.id, person_id, order, is_gold=is_gold)


def _drawn(
    session: Session, project: ProjectRow, person_id: str, num_given: int, settings: ProjectSettings
) -> AssignmentRow | None:
    """A known answer or a repetition, where it is time for one and there is one."""
    match drawn_from(settings, project.id, person_id, num_given):
        case Draw.GOLD:
            known = select(ItemRow).where(ItemRow.project_id == project.id, ItemRow.state == ItemState.GOLD)
            items = session.scalars(known.where(~_met(person_id, *AssignmentState), ~_wrote(person_id))).all()
            if items:
                name = drawn_lot([item.id for item in items], person_id)
                item = next(item for item in items if item.id == name)
                return _promised(session, project, item, person_id, num_given, is_gold=True)
        case Draw.REPEAT:
            return _repetition(session, project, person_id, settings.repeat_gap)
        case Draw.QUEUE:
            pass
    return None


def _repetition(session: Session, project: ProjectRow, person_id: str, gap: int) -> AssignmentRow | None:
    """A task of `gap` or more judgements ago, its answers the other way round."""
    repeated = select(AssignmentRow.item_id).where(AssignmentRow.person_id == person_id, AssignmentRow.is_repeat)
    earlier = session.scalars(
        select(AssignmentRow)
        .join(ItemRow, ItemRow.id == AssignmentRow.item_id)
        .where(_of_person(project.id, person_id, AssignmentState.SUBMITTED), ItemRow.state == ItemState.OPEN)
        .where(ItemRow.kind.in_((ItemKind.COMPARISON, ItemKind.RANKING)))
        .order_by(AssignmentRow.id.desc())
        .offset(gap)
        .limit(_MEMORY)
    ).all()
    done = set(session.scalars(repeated))
    tasks = {row.item_id: row for row in earlier if not row.is_repeat and row.item_id not in done}
    if not tasks:
        return None
    first = tasks[drawn_lot(list(tasks), person_id)]
    return _assignment(project, first.item_id, person_id, order_of(first)[::-1], is_repeat=True)


def _assignment(
    project: ProjectRow,
    item_id: str,
    person_id: str,
    order: Sequence[int],
    *,
    is_gold: bool = False,
    is_repeat: bool = False,
) -> AssignmentRow:
    return AssignmentRow(
        id=new_id(),
        project_id=project.id,
        item_id=item_id,
        person_id=person_id,
        is_repeat=is_repeat,
        is_gold=is_gold,
        guideline_version=project.guideline_version,
        state=AssignmentState.LEASED,
        lease_token=secrets.token_urlsafe(24),
        display_order=list(order),
        skip_reason=None,
        draft=None,
    )


def _why_empty(session: Session, project_id: str, person_id: str) -> EmptyQueue:
    wanted = select(func.count(ItemRow.id)).where(ItemRow.project_id == project_id, text(WANTED))
    leases = select(func.count(AssignmentRow.id), func.min(AssignmentRow.expires_ms)).where(
        AssignmentRow.project_id == project_id,
        text("assignment.state = 'leased'"),
        AssignmentRow.is_gold.is_(False),
        AssignmentRow.is_repeat.is_(False),
    )
    num_leased, next_free_ms = session.execute(leases).one()
    # Another worker may hold the last items for the moment that it takes to promise them.
    num_passing = session.scalars(
        wanted.where(~_wrote(person_id), ~_met(person_id, *_TAKEN, AssignmentState.SKIPPED))
    ).one()
    if num_leased or num_passing:
        return EmptyQueue(cause=EmptyCause.LEASED, num_leased=num_leased + num_passing, next_free_ms=next_free_ms)
    return EmptyQueue(cause=EmptyCause.YOURS_DONE if session.scalars(wanted).one() else EmptyCause.DONE)
