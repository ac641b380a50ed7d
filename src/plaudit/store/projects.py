"""Projects: their rules, their guidelines, and who belongs to them."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from plaudit.schemas.judgement import Judgement
from plaudit.schemas.tasks import MemberRole, ProjectSettings
from plaudit.store.database import Database, found
from plaudit.store.errors import InvalidError, UnknownRowError
from plaudit.store.ids import new_id
from plaudit.store.tables import JudgementRow, MembershipRow, PersonRow, ProjectRow

_ON_AXES = ("ratings", "axis_verdicts", "scale")


@dataclass(frozen=True, slots=True)
class Project:
    """A project as it stands."""

    id: str
    name: str
    settings: ProjectSettings
    guidelines: str
    guideline_version: int


def as_project(row: ProjectRow) -> Project:
    """The row as a value."""
    settings = ProjectSettings.model_validate(row.settings)
    return Project(row.id, row.name, settings, row.guidelines, row.guideline_version)


def settings_of(session: Session, project_id: str) -> ProjectSettings:
    """The rules of a project."""
    return as_project(found(session, ProjectRow, project_id)).settings


@dataclass(frozen=True, slots=True)
class Projects:
    """Makes and changes projects."""

    database: Database

    def create(self, name: str, settings: ProjectSettings | None = None, *, guidelines: str = "") -> Project:
        """A new project. Raises InvalidError where the name is taken."""
        row = ProjectRow(
            id=new_id(),
            name=name,
            settings=(settings or ProjectSettings()).model_dump(mode="json"),
            guidelines=guidelines,
            guideline_version=1,
            created_ms=self.database.now_ms(),
        )
        project = as_project(row)
        try:
            with self.database.write() as session:
                session.add(row)
                self.database.record(session, None, "create_project", project.id)
        except IntegrityError as error:
            raise InvalidError(f"there is a project {name!r} already: choose another name") from error
        return project

    def named(self, name: str) -> Project:
        """The project of this name. Raises UnknownRowError, naming those there are."""
        with self.database.read() as session:
            row = session.scalar(select(ProjectRow).where(ProjectRow.name == name))
            if row is not None:
                return as_project(row)
            names = session.scalars(select(ProjectRow.name).order_by(ProjectRow.name).limit(20)).all()
        raise UnknownRowError(f"no project {name!r} in this store; there are: {', '.join(names) or 'none'}")

    def change(self, project_id: str, settings: ProjectSettings, *, guidelines: str | None = None) -> Project:
        """The project under new rules. Other guidelines are a new version, which everybody has to read once more.

        Raises InvalidError where an axis goes, or its scale changes, on which something was rated.
        """
        with self.database.write() as session:
            row = found(session, ProjectRow, project_id)
            _check_axes(session, as_project(row), settings)
            row.settings = settings.model_dump(mode="json")
            if guidelines is not None and guidelines != row.guidelines:
                row.guidelines = guidelines
                row.guideline_version += 1
            self.database.record(session, None, "change_project", project_id)
            return as_project(row)

    def join(self, project_id: str, person_id: str, role: MemberRole = MemberRole.ANNOTATOR) -> None:
        """Makes the person a member, or gives a member another role."""
        with self.database.write() as session:
            found(session, ProjectRow, project_id)
            found(session, PersonRow, person_id)
            session.merge(MembershipRow(project_id=project_id, person_id=person_id, role=role))
            self.database.record(session, person_id, f"join_as_{role}", project_id)

    def leave(self, project_id: str, person_id: str) -> None:
        """Ends a membership; what the person said stays."""
        with self.database.write() as session:
            row = session.get(MembershipRow, (project_id, person_id))
            if row is None:
                raise UnknownRowError(f"{person_id} is no member of the project {project_id}")
            session.delete(row)
            self.database.record(session, person_id, "leave", project_id)


def _check_axes(session: Session, project: Project, settings: ProjectSettings) -> None:
    """Raises InvalidError where the new settings would make numbers unreadable that are there."""
    gone = {axis.name for axis in project.settings.axes if axis not in settings.axes}
    if not gone:
        return
    query = select(JudgementRow.content).where(JudgementRow.project_id == project.id)
    for content in session.scalars(query.execution_options(yield_per=1000)):
        said = Judgement.model_validate({name: content[name] for name in _ON_AXES if name in content})
        used = set(said.axis_verdicts) if said.scale else {*said.ratings, *said.axis_verdicts}
        if taken := sorted(used & gone):
            raise InvalidError(
                f"something was rated on {', '.join(taken)}: an axis in use keeps its name and its scale; add another beside it"
            )
