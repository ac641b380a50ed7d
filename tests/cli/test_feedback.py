"""`plaudit feedback ...` and `plaudit store ...`: files into a store, out of it, frozen, forgotten, backed up."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from pydantic import JsonValue
from sqlalchemy import create_engine, text

from tests.cli.conftest import FAST, Plaudit, write_rows


def comparison(number: int, person: str, verdict: str) -> dict[str, JsonValue]:
    return {
        "kind": "comparison",
        "id": f"{person}-{number}",
        "annotator": person,
        "prompt": [{"role": "user", "content": f"Question {number}?"}],
        "a": [{"role": "assistant", "content": "Yes."}],
        "b": [{"role": "assistant", "content": "No."}],
        "verdict": verdict,
    }


@pytest.fixture
def votes(tmp_path: Path) -> Path:
    """Three people on forty questions: two who agree but for a few, one who says the opposite."""
    rows = []
    for number in range(40):
        right = "ab"[number * 7 % 3 % 2]
        wrong = {"a": "b", "b": "a"}[right]
        rows += [
            comparison(number, "Ann", right),
            comparison(number, "Bob", wrong if number % 13 == 0 else right),
            comparison(number, "Eve", wrong),
        ]
    return write_rows(tmp_path / "votes.jsonl", *rows)


def test_from_a_file_to_a_snapshot_and_on(plaudit: Plaudit, votes: Path) -> None:
    done = plaudit("feedback", "import", votes, "--consent", "terms of May")
    assert (done.status, done.err) == (0, "")
    assert "120 new judgements of 3 people" in done.out
    assert "0 new judgements of 3 people, 120 were there" in plaudit("feedback", "import", votes, "--consent", "x").out
    stats = plaudit("feedback", "stats").out
    assert "120 judgements of 3 people" in stats
    assert "comparison" in stats
    assert "votes.jsonl" in stats
    assert "agreement on which answer is better (40 items, ordinal): alpha -0.33 [-0.37, -0.32]" in stats
    quality = plaudit("feedback", "quality", "--settle").out
    assert "settled 40 pairs of answers; of " in quality
    assert "Nobody is removed" in quality
    assert not {"Ann", "Bob", "Eve"} & set(quality.split())
    made = plaudit("feedback", "snapshot", "--out", "snap")
    assert "comparison: 120 rows" in made.out
    assert "120 of 120 records kept" in made.out
    assert "3, with 40 records each on the median" in Path("snap/datasheet.md").read_text()
    manifest = json.loads(Path("snap/manifest.json").read_text())
    assert manifest["filters"]["query"]["project_id"]
    assert plaudit("data", "check", "snap").status == 0
    exported = plaudit("feedback", "export", "--out", "out.jsonl")
    assert "out.jsonl: 120 records" in exported.out
    assert plaudit("feedback", "export", "--out", "out.jsonl").status == 2


def test_an_export_says_what_consent_leaves_out(plaudit: Plaudit, votes: Path, tmp_path: Path) -> None:
    plaudit("feedback", "import", votes)
    refused = plaudit("feedback", "export", "--out", "out.jsonl")
    assert refused.status == 2
    assert "120 would be, had everybody consented to training (--purpose statistics writes them)" in refused.err
    assert not (tmp_path / "out.jsonl").exists()
    assert "120 records" in plaudit("feedback", "export", "--purpose", "statistics", "--out", "out.jsonl").out
    plaudit("feedback", "import", votes, "--source", "again", "--consent", "form")
    some = plaudit("feedback", "export", "--out", "some.jsonl").out
    assert "some.jsonl: 120 records" in some
    assert "left out 120: nobody consented to training with them" in some


def test_an_export_of_several_kinds_asks_which(plaudit: Plaudit, tmp_path: Path) -> None:
    said = [{"role": "assistant", "content": "Because."}]
    common = {"prompt": [{"role": "user", "content": "Why?"}], "completion": said}
    rows = [{"kind": "correction", "corrected": said, **common}, {"kind": "demonstration", **common}]
    for place, row in enumerate(rows):
        plaudit("feedback", "import", write_rows(tmp_path / f"{place}.jsonl", row), "--consent", "form")
    refused = plaudit("feedback", "export", "--out", "out.jsonl")
    assert refused.status == 2
    assert "here are correction, demonstration: choose with --kind" in refused.err
    assert "no record is a rating, only correction, demonstration" in (
        plaudit("feedback", "export", "--kind", "rating", "--out", "out.jsonl").err
    )
    assert not (tmp_path / "out.jsonl").exists()
    assert "out.jsonl: 1 records" in plaudit("feedback", "export", "--kind", "correction", "--out", "out.jsonl").out
    assert json.loads((tmp_path / "out.jsonl").read_text(encoding="utf-8"))["kind"] == "correction"


def test_ties_are_left_out_of_an_export_of_pairs_or_halved(plaudit: Plaudit, tmp_path: Path) -> None:
    rows = write_rows(tmp_path / "rows.jsonl", comparison(0, "Ann", "tie"), comparison(1, "Ann", "a"))
    plaudit("feedback", "import", rows, "--consent", "x")
    plaudit("feedback", "export", "--to", "trl", "--out", "dropped.jsonl")
    plaudit("feedback", "export", "--to", "trl", "--ties", "half", "--out", "halved.jsonl")
    assert [len(Path(f"{name}.jsonl").read_text().splitlines()) for name in ("dropped", "halved")] == [1, 3]


def test_personal_data_does_not_get_into_a_snapshot(plaudit: Plaudit, tmp_path: Path) -> None:
    row = comparison(0, "Ann", "a")
    row["prompt"] = [{"role": "user", "content": "Write to ann@example.org about it?"}]
    rows = write_rows(tmp_path / "rows.jsonl", row, comparison(1, "Ann", "a"))
    plaudit("feedback", "import", rows, "--consent", "x")
    made = plaudit("feedback", "snapshot", "--out", "snap", "--about.title", "Letters")
    assert "personal data in 1 records: email 1" in made.out
    assert "ann@example.org" not in Path("snap/comparison.jsonl").read_text() + Path("snap/datasheet.md").read_text()
    assert Path("snap/datasheet.md").read_text().startswith("# Letters")
    assert "2 records" in plaudit("feedback", "snapshot", "--out", "s2", "--cleaning.personal-data", "drop").out


def test_without_consent_it_says_what_is_missing(plaudit: Plaudit, votes: Path) -> None:
    assert "nobody's consent" in plaudit("feedback", "import", votes).out
    refused = plaudit("feedback", "snapshot", "--out", "snap").refused()
    assert "120 would be there, had everybody consented to training" in refused
    assert "comparison: 120 rows" in plaudit("feedback", "snapshot", "--out", "snap", "--purpose", "statistics").out


def test_a_bad_row_leaves_the_store_as_it_was(plaudit: Plaudit, votes: Path) -> None:
    with votes.open("a") as file:
        file.write('{"kind": "comparison", "prompt": [], "a"')
    assert "votes.jsonl:121" in plaudit("feedback", "import", votes).refused()
    assert not Path("plaudit.db").exists()


def test_a_person_is_forgotten_everywhere(plaudit: Plaudit, votes: Path) -> None:
    plaudit("feedback", "import", votes, "--consent", "x", "--source", "poll")
    plaudit("feedback", "snapshot", "--out", "snap")
    plaudit("store", "backup", "--out", "backup")
    old_id = json.loads(Path("snap/manifest.json").read_text())["id"]
    trained = (
        "reward",
        "--data",
        "snap",
        "--model",
        "tiny",
        "--out",
        "runs/reward",
        "--normalise-on",
        "none",
        *FAST,
    )
    assert plaudit(*trained).status == 0
    assert f"It learnt from the snapshot `{old_id}`." in Path("runs/reward/model/README.md").read_text()
    erase = ("feedback", "erase", "--person", "poll:Eve", "--backups", "backup", "--runs", "runs")
    looked = plaudit(*erase).out
    assert "would remove 40 judgements; nothing was done" in looked
    done = plaudit(*erase, "--yes").out
    assert "removed 40 judgements; receipt" in done
    assert "trained on their rows: runs/reward. It cannot unlearn them: train anew from tiny" in done
    receipt = json.loads(Path("receipt.json").read_text())
    assert "Eve" not in json.dumps(receipt)
    (snapshot,) = receipt["snapshots"]
    assert snapshot["old_id"] == old_id
    assert json.loads(Path("snap/erased.json").read_text())["replaced_by"] == snapshot["new_id"]
    new = Path(f"snap-{snapshot['new_id'][:12]}")
    assert len((new / "comparison.jsonl").read_text().splitlines()) == 80
    assert plaudit("data", "check", new).status == 0
    assert "80 judgements of 2 people" in plaudit("feedback", "stats").out
    restored = plaudit("store", "restore", "--backup", "backup", "--store", "sqlite:///again.db", "--erased-in", "none")
    assert "80 judgements of 2 people" in restored.out
    assert "nobody is called 'poll:Eve'" in plaudit(*erase, "--out", "r2.json").refused()


def test_what_an_erasure_left_undone_is_done_by_its_receipt(plaudit: Plaudit, votes: Path) -> None:
    """A snapshot that lies elsewhere is named, and rewritten once it is back."""
    plaudit("feedback", "import", votes, "--consent", "x", "--source", "poll")
    plaudit("feedback", "snapshot", "--out", "snap")
    Path("snap").rename("elsewhere")
    erase = ("feedback", "erase", "--runs", "runs", "--person")
    done = plaudit(*erase, "poll:Eve", "--yes")
    receipt = json.loads(Path("receipt.json").read_text())
    (missing,) = receipt["missing"]
    assert f"snapshot {missing['snapshot_id'][:12]} is not in {missing['folder']}: where it is now" in done.out
    assert f"plaudit feedback erase --person {receipt['id']} --yes" in done.out
    told = plaudit(*erase, "poll:Eve", "--out", "second.json").refused()
    assert "nobody is called 'poll:Eve' in this store" in told
    assert f"the last erasure here is finished by --person {receipt['id']}" in told
    Path("elsewhere").rename("snap")
    again = (*erase, receipt["id"], "--out", "second.json")
    assert "would remove what was left; nothing was done" in plaudit(*again).out
    file = Path("snap/comparison.jsonl")
    sound = file.read_bytes()
    file.write_bytes(b"")
    damaged = plaudit(*again, "--yes")
    assert (damaged.status, "snap may still hold them: " in damaged.out) == (1, True)
    file.write_bytes(sound)
    assert plaudit(*erase, receipt["id"], "--out", "third.json", "--yes").status == 0
    second = json.loads(Path("third.json").read_text())
    assert (second["id"], second["missing"], second["failed"]) == (receipt["id"], [], [])
    assert [row["old_id"] for row in second["snapshots"]] == [missing["snapshot_id"]]
    assert [path.name for path in Path("snap").iterdir()] == ["erased.json"]


def test_a_restored_backup_forgets_who_was_erased_since(plaudit: Plaudit, votes: Path) -> None:
    plaudit("feedback", "import", votes, "--source", "poll")
    plaudit("store", "backup", "--out", "backup")
    plaudit("feedback", "erase", "--person", "poll:Eve", "--yes")
    restore = ("store", "restore", "--backup", "backup", "--store", "sqlite:///again.db")
    assert "who was erased since the backup?" in plaudit(*restore).refused()
    done = plaudit(*restore, "--erased-in", "sqlite:///plaudit.db")
    assert (done.status, "1 people who were erased since then are erased here too" in done.out) == (0, True)
    assert plaudit("store", "check", "--store", "sqlite:///again.db").status == 0
    assert "80 judgements" in plaudit("feedback", "stats", "--store", "sqlite:///again.db").out


def test_a_store_that_was_tampered_with_is_told(plaudit: Plaudit, votes: Path) -> None:
    plaudit("feedback", "import", votes)
    assert "every judgement is as it was given" in plaudit("store", "check").out
    engine = create_engine("sqlite:///plaudit.db")
    with engine.begin() as connection:
        connection.execute(text("UPDATE judgement SET weight = 5 WHERE client_key = 'Eve-3'"))
    engine.dispose()
    assert "its judgements are not those that came in" in plaudit("store", "check").refused()


def test_migrating(plaudit: Plaudit, votes: Path) -> None:
    plaudit("feedback", "import", votes)
    assert "is of version 0002 already" in plaudit("store", "migrate").out


def test_the_store_may_stand_in_the_environment(plaudit: Plaudit, votes: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PLAUDIT_STORE", "sqlite:///other.db")
    monkeypatch.setenv("PLAUDIT_KEYS", "my keys")
    plaudit("feedback", "import", votes)
    assert Path("other.db").exists()
    assert Path("my keys").is_dir()


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("stats",), "there is no store plaudit.db"),
        (("quality", "--store", "mysql://x"), "'mysql' is not supported"),
        (("erase", "--person", "x", "--store", "sqlite:////no/x.db"), "there is no store"),
    ],
)
def test_mistakes_are_told(plaudit: Plaudit, words: tuple[str, ...], says: str) -> None:
    assert says in plaudit("feedback", *words).refused()


def test_an_unknown_project_names_those_there_are(plaudit: Plaudit, votes: Path) -> None:
    plaudit("feedback", "import", votes, "--project", "poll")
    assert "no project 'feedback' in this store; there are: poll" in plaudit("feedback", "stats").refused()
