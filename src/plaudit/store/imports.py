"""Records from files, as rows: all of a file or nothing, and what is there already stays as it is."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import TypeVar

from pydantic import JsonValue
from sqlalchemy import insert, select
from sqlalchemy.orm import Session

from plaudit.schemas.conversation import Messages, canonical_json, row_id
from plaudit.schemas.feedback import AnyRecord
from plaudit.schemas.judgement import Judgement
from plaudit.schemas.tasks import PersonKind
from plaudit.store.audit import IMPORTED, digest_of_batch
from plaudit.store.database import Database, found
from plaudit.store.errors import InvalidError
from plaudit.store.ids import new_id
from plaudit.store.items import ItemState, answer_key, item_key, prompt_key, want_at_least
from plaudit.store.judgements import opened_judgement, sealed_judgement
from plaudit.store.people import TRAINING, People
from plaudit.store.questions import Question, question_of
from plaudit.store.tables import (
    BatchRow,
    CandidateRow,
    ConsentRow,
    GenerationRow,
    ItemRow,
    JudgementRow,
    ProjectRow,
    PromptRow,
)

_CHUNK = 2000

# SQLite takes up to 32,766 values in one query.
_MOST_VALUES = 20_000

T = TypeVar("T")
Keyed = PromptRow | GenerationRow | ItemRow
Values = dict[str, JsonValue]


@dataclass(frozen=True, slots=True)
class Imported:
    """What became of a file's records. `num_known` were there before."""

    batch_id: str
    num_new: int
    num_known: int
    num_people: int


@dataclass(frozen=True, slots=True)
class Imports:
    """Takes in what people said elsewhere."""

    database: Database

    def add(
        self,
        project_id: str,
        records: Iterable[AnyRecord],
        *,
        source: str,
        kind: PersonKind = PersonKind.HUMAN,
        consent: str = "",
        overlap: int = 0,
    ) -> Imported:
        """What became of the records; they are all on disk when this returns, or none is.

        `source` names where they come from: a person is somebody of one name in one source. `consent` is the basis on
        which all of them agreed to training, if they did. `overlap`: ask so many of our own people about each item.
        A record is known by its id, and who gave it; one without an id by what it says, and how often that was said before.
        Raises InvalidError for a record that is no feedback, and for one of a known id that says something else.
        """
        with self.database.write() as session:
            found(session, ProjectRow, project_id)
            batch = BatchRow(id=new_id(), project_id=project_id, source=source, created_ms=self.database.now_ms())
            session.add(batch)
            session.flush()
            work = _Import(self.database, session, batch, kind, overlap)
            for chunk in _chunks(records, _CHUNK):
                work.take(chunk)
            if consent:
                work.consent(consent)
            self.database.record(session, None, IMPORTED, batch.id, digest_of_batch(session, batch.id))
            return Imported(batch.id, work.num_new, work.num_known, len(work.people))


class _Import:
    """One import under way."""

    def __init__(self, database: Database, session: Session, batch: BatchRow, kind: PersonKind, overlap: int) -> None:
        self.database, self.session, self.batch, self.kind, self.overlap = database, session, batch, kind, overlap
        self.people: dict[str, str] = {}
        self.num_new = self.num_known = 0
        self._num_equal = Counter[str]()

    def take(self, records: Sequence[AnyRecord]) -> None:
        """Writes a chunk: prompts, their answers, items about them, and what was said."""
        questions = [question_of(self._named(record)) for record in records]
        names = {question.annotator for question in questions} - self.people.keys()
        people = People(self.database)
        self.people |= people.known_within(self.session, self.batch.source, names, self.kind)
        prompts = self._prompts([question.prompt for question in questions])
        items = self._items(questions, prompts)
        self._judgements(questions, items)

    def _named(self, record: AnyRecord) -> AnyRecord:
        """The record, with an id where it has none: of two that say the same the second has another."""
        if record.id:
            return record
        told = record.model_dump(mode="json")
        key = canonical_json(told)
        self._num_equal[key] += 1
        return record.model_copy(update={"id": row_id(told, self._num_equal[key] - 1)})

    def consent(self, basis: str) -> None:
        """Everybody met so far agreed to training, but for those who said something themselves before, whatever it was."""
        heard = set(self.session.scalars(select(ConsentRow.person_id).where(ConsentRow.purpose == TRAINING)))
        values = [
            {
                "id": new_id(),
                "person_id": person_id,
                "purpose": TRAINING,
                "granted": True,
                "basis": basis,
                "created_ms": self.batch.created_ms,
            }
            for person_id in self.people.values()
            if person_id not in heard
        ]
        if values:
            self.session.execute(insert(ConsentRow), values)

    def _prompts(self, prompts: Sequence[Messages]) -> list[str]:
        """The id of each prompt."""
        keys = [prompt_key(self.batch.project_id, messages, None) for messages in prompts]
        new: dict[str, Values] = {}
        for key, messages in zip(keys, prompts, strict=True):
            new[key] = {
                "project_id": self.batch.project_id,
                "owner_id": None,
                "messages": self.database.sealed(None, messages),
                "source": self.batch.source,
            }
        return self._ids(PromptRow, keys, new)

    def _answers(self, questions: Sequence[Question], prompts: Sequence[str]) -> list[list[str]]:
        """The ids of each question's answers."""
        keys = []
        new: dict[str, Values] = {}
        for question, prompt in zip(questions, prompts, strict=True):
            for messages, origin in question.answers:
                keys.append(answer_key(prompt, messages, origin, None))
                new[keys[-1]] = {
                    "prompt_id": prompt,
                    "owner_id": None,
                    "author_id": None,
                    "messages": self.database.sealed(None, messages),
                    "model": origin.model,
                    "model_version": "",
                    "is_claimed": True,
                    "backend": "",
                    "sampling": {},
                    "is_truncated": origin.is_truncated,
                }
        ids = iter(self._ids(GenerationRow, keys, new))
        return [list(islice(ids, len(question.answers))) for question in questions]

    def _items(self, questions: Sequence[Question], prompts: Sequence[str]) -> list[tuple[str, list[int]]]:
        """For each question its item, and which of the item's answers each of its own is."""
        answers = self._answers(questions, prompts)
        keys = []
        new: dict[str, Values] = {}
        for question, prompt, names in zip(questions, prompts, answers, strict=True):
            keys.append(item_key(question.kind, prompt, names))
            new[keys[-1]] = {
                "project_id": self.batch.project_id,
                "prompt_id": prompt,
                "kind": question.kind,
                "state": ItemState.OPEN,
                "overlap": self.overlap,
                "num_free": self.overlap,
                "priority": 0.0,
                "is_random": False,
            }
        items = self._ids(ItemRow, keys, new)
        for some in _chunks(dict.fromkeys(items), _MOST_VALUES):
            want_at_least(self.session, some, self.overlap)
        first: dict[str, list[str]] = {}
        for item, names in zip(items, answers, strict=True):
            first.setdefault(item, names)
        order = self._candidates(first)
        return [(item, _places(names, order[item])) for item, names in zip(items, answers, strict=True)]

    def _candidates(self, answers: dict[str, list[str]]) -> dict[str, list[str]]:
        """The answers of each item in its own order, which is that of whoever came first."""
        rows = self.session.execute(
            select(CandidateRow.item_id, CandidateRow.generation_id)
            .where(CandidateRow.item_id.in_(answers))
            .order_by(CandidateRow.item_id, CandidateRow.position)
        )
        order: dict[str, list[str]] = {}
        for row in rows:
            order.setdefault(row.item_id, []).append(row.generation_id)
        new = {item: names for item, names in answers.items() if item not in order}
        values = [
            {"item_id": item, "position": position, "generation_id": name}
            for item, names in new.items()
            for position, name in enumerate(names)
        ]
        if values:
            self.session.execute(insert(CandidateRow), values)
        return order | new

    def _judgements(self, questions: Sequence[Question], items: Sequence[tuple[str, list[int]]]) -> None:
        """Writes what is not there yet. Raises InvalidError for a known id that says something else."""
        query = select(JudgementRow).where(
            JudgementRow.project_id == self.batch.project_id,
            JudgementRow.client_key.in_([question.id for question in questions]),
        )
        known = {
            (row.person_id, row.client_key): (row.item_id, opened_judgement(self.database.vault, row)[0])
            for row in self.session.scalars(query)
        }
        values = []
        for question, (item, order) in zip(questions, items, strict=True):
            person, said = self.people[question.annotator], question.judgement.unshuffled(order)
            before = known.get((person, question.id))
            if before is None:
                known[person, question.id] = (item, said)
                values.append(self._judgement(question, item, person, said))
            elif before == (item, said):
                self.num_known += 1
            else:
                raise InvalidError(
                    f"two records of {question.annotator or 'whoever is not named'} bear the id {question.id!r} and say "
                    "different things: an id names one judgement of one person"
                )
        if values:
            self.session.execute(insert(JudgementRow), values)
        self.num_new += len(values)

    def _judgement(self, question: Question, item: str, person_id: str, judgement: Judgement) -> Values:
        return {
            "id": new_id(),
            "project_id": self.batch.project_id,
            "item_id": item,
            "person_id": person_id,
            "assignment_id": None,
            "revision_of": None,
            "client_key": question.id,
            **sealed_judgement(self.database.vault, person_id, judgement, question.extra),
            "weight": question.weight,
            "source": question.source or self.batch.source,
            "batch_id": self.batch.id,
            "created_ms": self.batch.created_ms,
        }

    def _ids(self, table: type[Keyed], keys: Sequence[str], rows: dict[str, Values]) -> list[str]:
        """The id of the row under each key, written where it is new."""
        ids: dict[str, str] = {}
        for some in _chunks(rows, _MOST_VALUES):
            query = select(table.key, table.id).where(table.key.in_(some))
            ids |= {row.key: row.id for row in self.session.execute(query)}
        new: list[Values] = []
        for key, values in rows.items():
            if key not in ids:
                ids[key] = new_id()
                new.append({"id": ids[key], "key": key, "created_ms": self.batch.created_ms, **values})
        if new:
            self.session.execute(insert(table), new)
        return [ids[key] for key in keys]


def _places(names: Sequence[str], own: Sequence[str]) -> list[int]:
    """Which of the item's own answers each of these is; of two that are the same each is another."""
    free = defaultdict[str, list[int]](list)
    for position in reversed(range(len(own))):
        free[own[position]].append(position)
    return [free[name].pop() for name in names]


def _chunks(values: Iterable[T], size: int) -> Iterator[list[T]]:
    iterator = iter(values)
    while chunk := list(islice(iterator, size)):
        yield chunk
