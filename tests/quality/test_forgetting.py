"""Whoever is erased is in no snapshot, others stay in it, and what stopped half way or was not found can be done later."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import pytest

from plaudit.formats.snapshot import read as read_snapshot
from plaudit.quality.cleaning import CleaningConfig
from plaudit.quality.contents import prompt_of, text_of
from plaudit.quality.forgetting import Missing, Receipt, Rewritten, Trained, forget
from plaudit.quality.from_store import snapshot_of
from plaudit.quality.snapshots import make_snapshot
from plaudit.runs.files import write_json
from plaudit.runs.manifest import Manifest, start_now
from plaudit.schemas.conversation import assistant, user
from plaudit.schemas.errors import PlauditError
from plaudit.schemas.feedback import AnyRecord, Comparison, Demonstration, Verdict
from plaudit.schemas.judgement import ItemKind, Judgement
from plaudit.schemas.snapshot import DatasetSnapshot
from plaudit.store import Query, Store, open_store
from plaudit.store.backup import back_up, check, read_backup
from plaudit.store.errors import UnavailableError, UnknownRowError
from tests.store.conftest import panel_of

PLAIN = Query(project_id="", purpose=None)
Said = tuple[str, str]
"""Whose and under which id."""


def compared(number: str, text: str = "") -> Comparison:
    return Comparison(
        id=number,
        annotator="x",
        prompt=(user(f"Question {number} {text}?"),),
        a=(assistant("yes"),),
        b=(assistant("no"),),
        verdict=Verdict.A,
    )


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    store = open_store(f"sqlite:///{tmp_path}/store.db", keys=tmp_path / "keys")
    yield store
    store.close()


class World:
    """A project with people of whom each has a source of their own."""

    def __init__(self, store: Store, folder: Path) -> None:
        self.store, self.folder = store, folder
        self.query = PLAIN.model_copy(update={"project_id": store.projects.create("p").id})
        self.people: dict[str, str] = {}
        self.names: dict[str, str] = {}

    def says(self, person: str, *records: AnyRecord, consent: str = "yes") -> None:
        source = f"{person}.jsonl"
        self.store.imports.add(self.query.project_id, records, source=source, consent=consent)
        self.people[person] = self.store.people.known_as(source, ["x"])["x"]
        self.names[self.store.people.pseudonyms([self.people[person]])[self.people[person]]] = person

    def snapshot(self, name: str, query: Query | None = None, cleaning: CleaningConfig | None = None) -> str:
        return snapshot_of(self.store, query or self.query, self.folder / name, cleaning=cleaning).snapshot.id

    def forget(self, person: str, **more: object) -> Receipt:
        return forget(self.store, self.people[person], **({"read": read_snapshot} | more))  # type: ignore[arg-type]

    def said_in(self, records: Iterable[AnyRecord]) -> list[Said]:
        return sorted((self.names[record.annotator or ""], record.id) for record in records)

    def now_in(self, snapshot: Rewritten) -> list[Said]:
        """What stands in the snapshot that took this one's place; in the old folder lies a tombstone alone."""
        old = Path(snapshot.folder)
        assert [path.name for path in old.iterdir()] == ["erased.json"]
        return self.said_in(read_snapshot(old.with_name(f"{old.name}-{snapshot.new_id[:12]}")))

    def run(self, name: str, snapshot: str) -> Path:
        """The folder of a run that learnt from a snapshot."""
        folder = self.folder / "runs" / name
        folder.mkdir(parents=True)
        run = Manifest(
            command="reward",
            seed=0,
            status="finished",
            snapshots=(snapshot,),
            parent="tiny",
            starts=(start_now("cpu"),),
        )
        write_json(folder / "manifest.json", run)
        return folder


@pytest.fixture
def world(store: Store, tmp_path: Path) -> World:
    """Eve and Bob, whose files both have a row 1."""
    world = World(store, tmp_path)
    world.says("eve", compared("1"), compared("2"))
    world.says("bob", compared("1"), compared("3"))
    return world


def failing(*folders: Path, after: int) -> Callable[[Path], Iterable[AnyRecord]]:
    """A reader that reads each of these folders `after` times, then no more."""
    left = dict.fromkeys(folders, after)

    def read(folder: Path) -> Iterable[AnyRecord]:
        left[folder] = left.get(folder, 99) - 1
        if left[folder] < 0:
            raise PlauditError(f"{folder} cannot be read today")
        return read_snapshot(folder)

    return read


def test_two_people_may_bear_one_id(world: World) -> None:
    world.snapshot("snap")
    receipt = world.forget("eve")
    (snapshot,) = receipt.snapshots
    assert world.now_in(snapshot) == [("bob", "1"), ("bob", "3")]
    assert world.now_in(snapshot) == world.said_in(world.store.records.read(world.query))
    assert (receipt.num_rows, receipt.missing, receipt.failed) == ({"judgement": 2}, (), ())


def test_what_others_said_about_the_persons_writing_goes_too(store: Store, tmp_path: Path) -> None:
    """Their other judgements stay, one that they corrected since included; so does a pseudonym that cleaning redacts."""
    panel = panel_of(store, 1)
    query = PLAIN.model_copy(update={"project_id": panel.project})
    ann, eve = panel.people[0], store.people.add("eve@example.org")
    dan = panel.person("dan@example.org")
    prompt = store.items.add_prompt(panel.project, (user("I am Eve. Tea?"),), owner_id=eve)
    answers = [store.items.add_answer(prompt, (assistant(text),)) for text in ("Tea.", "No tea.")]
    store.items.add(prompt, answers, ItemKind.COMPARISON)
    panel.item("other")
    for _ in range(2):
        panel.submit(panel.task(0), verdict="a", critique="fine")
    panel.submit(panel.task(dan), verdict="a")
    panel.submit(panel.task(dan), verdict="b")
    snapshot_of(store, query, tmp_path / "snap", cleaning=CleaningConfig())
    before = list(read_snapshot(tmp_path / "snap"))
    of_ann = [row.id for row in store.judgements.latest(panel.project) if row.person_id == ann]
    store.judgements.revise(of_ann[-1], ann, Judgement(verdict=Verdict.B), client_key="again")
    (gone,) = forget(store, eve, read=read_snapshot).snapshots
    left = list(read_snapshot(tmp_path / f"snap-{gone.new_id[:12]}"))
    assert left == [record for record in before if "other" in text_of(prompt_of(record))]
    names = {record.annotator for record in left}
    assert (len(before), len(left), len(names), "person 0" in names) == (4, 2, 2, True)
    assert not any("@" in str(name) for name in names)


def test_a_duplicate_stands_in_for_the_record_that_left(store: Store, tmp_path: Path) -> None:
    """Cleaning kept Eve's of two equal and two nearly equal demonstrations. Dan, who agreed later, was never in it."""

    def shown(number: str, answer: str) -> Demonstration:
        question = f"Question {number}: how does a heat pump work in the middle of a cold winter?"
        return Demonstration(id=number, annotator="x", prompt=(user(question),), completion=(assistant(answer),))

    world = World(store, tmp_path)
    long = "It moves heat from the cold air outside into the house, as a refrigerator does"
    world.says("eve", shown("1", "Well."), shown("2", long))
    world.says("bob", shown("1", "Well."), shown("2", f"{long}!!"), shown("3", "Badly."))
    world.says("cid", shown("3", "Badly."))
    world.says("dan", shown("4", "Somehow."), consent="")
    consenting = world.query.model_copy(update={"purpose": "training"})
    world.snapshot("cleaned", consenting, CleaningConfig())
    world.snapshot("whole", consenting)
    assert world.said_in(read_snapshot(tmp_path / "cleaned")) == [("bob", "3"), ("eve", "1"), ("eve", "2")]
    store.people.consent(world.people["dan"], granted=True, basis="later")
    cleaned, whole = sorted(world.forget("eve").snapshots, key=lambda one: one.folder)
    assert world.now_in(cleaned) == [("bob", "1"), ("bob", "2"), ("bob", "3")]
    assert world.now_in(whole) == [("bob", "1"), ("bob", "2"), ("bob", "3"), ("cid", "3")]


def test_an_unreadable_snapshot_is_told_before_anything_is_done(world: World, tmp_path: Path) -> None:
    """Moved away it is missing, which the receipt says, and who learnt from it. Back in its place it is rewritten."""
    world.snapshot("good", world.query.model_copy(update={"sources": ("eve.jsonl",)}))
    old_id = world.snapshot("snap")
    file = tmp_path / "snap" / "comparison.jsonl"
    sound = file.read_bytes()
    file.write_bytes(sound.replace(b"yes", b"YES"))
    with pytest.raises(PlauditError, match=r"nothing was erased: .*has changed since"):
        world.forget("eve")
    assert len(list(world.store.records.read(world.query))) == 4
    assert (tmp_path / "good" / "manifest.json").exists()

    (tmp_path / "snap").rename(tmp_path / "elsewhere")
    run = world.run("first", old_id)
    receipt = world.forget("eve", runs=[tmp_path / "runs"])
    assert receipt.missing == (Missing(snapshot_id=old_id, folder=str(tmp_path / "snap")),)
    assert receipt.trained == (Trained(folder=str(run), snapshot_id=old_id, parent="tiny"),)
    assert [one.folder for one in receipt.snapshots] == [str(tmp_path / "good")]

    (tmp_path / "elsewhere").rename(tmp_path / "snap")
    again = world.forget("eve")
    assert (again.missing, [Path(one.folder).name for one in again.failed]) == ((), ["snap"])
    file.write_bytes(sound)
    again = world.forget("eve")
    assert (again.id, again.missing, again.failed) == (receipt.id, (), ())
    good, snap = sorted(again.snapshots, key=lambda one: one.folder)
    assert good.new_id == ""
    assert world.now_in(snap) == [("bob", "1"), ("bob", "3")]


def test_what_fails_later_is_told_and_the_rest_is_done(world: World, tmp_path: Path) -> None:
    world.snapshot("a")
    b = world.snapshot("b", world.query.model_copy(update={"sources": ("eve.jsonl",)}))
    run = world.run("first", b)
    world.snapshot("c")
    back_up(world.store, tmp_path / "backup")
    receipt = world.forget(
        "eve", read=failing(tmp_path / "b", after=1), backups=[tmp_path / "backup"], runs=[tmp_path / "runs"]
    )
    (failed,) = receipt.failed
    assert (failed.snapshot_id, Path(failed.folder).name, failed.reason) == (
        b,
        "b",
        f"{tmp_path}/b cannot be read today",
    )
    assert [Path(one.folder).name for one in receipt.snapshots] == ["a", "c"]
    assert receipt.backups == (str(tmp_path / "backup"),)
    assert [one.folder for one in receipt.trained] == [str(run)]
    again = world.forget("eve")
    assert (again.id, again.failed, again.erased_at_ms) == (receipt.id, (), receipt.erased_at_ms)
    assert sorted(Path(one.folder).name for one in again.snapshots) == ["a", "b", "c"]


def test_a_backup_that_fails_is_told(world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    back_up(world.store, tmp_path / "one")
    back_up(world.store, tmp_path / "two")
    monkeypatch.setattr("plaudit.quality.forgetting.check", failing_once(PlauditError("a fault")))
    receipt = world.forget("eve", backups=[tmp_path / "one", tmp_path / "two"])
    assert [(one.snapshot_id, one.folder, one.reason) for one in receipt.failed] == [
        ("", str(tmp_path / "one"), "a fault")
    ]
    assert receipt.backups == (str(tmp_path / "two"),)


def failing_once(error: BaseException, then: Callable[..., object] = check) -> Callable[..., object]:
    """What raises the first time it is called."""
    errors = [error]

    def called(*args: object, **more: object) -> object:
        if errors:
            raise errors.pop()
        return then(*args, **more)

    return called


@pytest.mark.parametrize(
    "place",
    [
        "plaudit.store.vault.Vault.destroy",
        "plaudit.store.erasure.overwrite_free_pages",
        "plaudit.quality.from_store.make_snapshot",
        "plaudit.quality.from_store.bury",
        "plaudit.store.snapshots.SnapshotIndex.replace",
        "plaudit.quality.forgetting.read_backup",
        "plaudit.quality.forgetting.describe",
    ],
)
def test_an_erasure_that_is_killed_can_be_finished(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    old_id = world.snapshot("a")
    world.snapshot("b", world.query.model_copy(update={"sources": ("eve.jsonl",)}))
    back_up(world.store, tmp_path / "backup")
    name = next(name for name, person in world.names.items() if person == "eve")
    run = world.run("first", old_id)
    everything = {"backups": [tmp_path / "backup"], "runs": [tmp_path / "runs"]}
    with monkeypatch.context() as patched:
        if place.endswith("read_backup"):  # The first time it is called nothing was done yet.
            calls = iter([read_backup, failing_once(KeyboardInterrupt())])
            patched.setattr(place, lambda folder: next(calls)(folder))
        else:
            patched.setattr(place, failing_once(KeyboardInterrupt()))
        with pytest.raises(KeyboardInterrupt):
            world.forget("eve", **everything)
    if place.endswith("replace"):  # As though the first folder had been emptied by half.
        (tmp_path / "a" / "comparison.jsonl").write_text(name)
    receipt = world.forget("eve", **everything)
    assert [path for path in tmp_path.rglob("*") if path.is_file() and name.encode() in path.read_bytes()] == []
    assert not world.store.database.vault.has(world.people["eve"])
    a, b = sorted(receipt.snapshots, key=lambda one: one.folder)
    assert (a.old_id, world.now_in(a), b.new_id) == (old_id, [("bob", "1"), ("bob", "3")], "")
    assert (receipt.num_rows, receipt.missing, receipt.failed) == ({"judgement": 2}, (), ())
    assert receipt.backups == (str(tmp_path / "backup"),)
    assert receipt.trained == (Trained(folder=str(run), snapshot_id=old_id, parent="tiny"),)
    check(world.store, "the store")
    assert read_backup(tmp_path / "backup").num_rows["judgement"] == 2


def test_a_full_disk_while_free_pages_are_overwritten_is_explained(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.snapshot("snap")
    with monkeypatch.context() as patched:
        full = failing_once(sqlite3.OperationalError("database or disk is full"))
        patched.setattr(world.store.database.engine, "raw_connection", full)
        with pytest.raises(UnavailableError, match=r"disk is full: .*erase once more"):
            world.forget("eve")
    assert [Path(one.folder).name for one in world.forget("eve").snapshots] == ["snap"]


def test_nobody_is_nobody(world: World) -> None:
    with pytest.raises(UnknownRowError):
        forget(world.store, "nobody", read=read_snapshot)


def test_a_snapshot_under_way_while_somebody_is_erased_does_not_keep_them(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its rows are read, somebody is erased, it is written and remembered."""
    only_eve = world.query.model_copy(update={"sources": ("eve.jsonl",)})
    receipts: list[Receipt] = []

    def late(*args: object, **more: object) -> DatasetSnapshot:
        if not receipts:
            receipts.append(world.forget("eve"))
        return make_snapshot(*args, **more)  # type: ignore[arg-type]

    monkeypatch.setattr("plaudit.quality.from_store.make_snapshot", late)
    made = snapshot_of(world.store, world.query, tmp_path / "snap")
    assert made.folder == tmp_path / f"snap-{made.snapshot.id[:12]}"
    assert world.said_in(read_snapshot(made.folder)) == [("bob", "1"), ("bob", "3")]
    assert [path.name for path in (tmp_path / "snap").iterdir()] == ["erased.json"]
    assert receipts[0].snapshots == ()
    (found,) = world.forget("eve").snapshots
    assert (found.folder, found.new_id) == (str(tmp_path / "snap"), made.snapshot.id)

    world.says("eve", compared("1"))
    receipts.clear()
    with pytest.raises(PlauditError, match="was erased meanwhile"):
        snapshot_of(world.store, only_eve, tmp_path / "eve")
    assert [path.name for path in (tmp_path / "eve").iterdir()] == ["erased.json"]


def test_a_run_on_what_was_rewritten_before_is_named(world: World, tmp_path: Path) -> None:
    """Bob was in the snapshot that was rewritten for Eve: whoever learnt from that one learnt from him."""
    old_id = world.snapshot("snap")
    run = world.run("first", old_id)
    world.says("cid", compared("9"))
    assert world.forget("eve").snapshots[0].old_id == old_id
    receipt = world.forget("bob", runs=[tmp_path / "runs"])
    assert receipt.snapshots[0].old_id != old_id
    assert receipt.trained == (Trained(folder=str(run), snapshot_id=old_id, parent="tiny"),)


def test_a_folder_that_was_deleted_is_missing_once_and_for_all(world: World, tmp_path: Path) -> None:
    world.snapshot("snap")
    shutil.rmtree(tmp_path / "snap")
    assert [Path(one.folder).name for one in world.forget("eve").missing] == ["snap"]
    assert [Path(one.folder).name for one in world.forget("bob").missing] == ["snap"]
