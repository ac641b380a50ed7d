"""What trackers show is what metrics.jsonl says, resumed or not; and none of them can end a run."""

import struct
import sys
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import pytest

from plaudit.runs import RunDirectory, read_metrics
from plaudit.runs import trackers as trackers_module
from plaudit.runs.metric_names import trl_name
from plaudit.runs.trackers import STATE, Destination, RunCard, available, reporting_to
from plaudit.schemas.errors import PlauditError

TENSORBOARD = Destination.TENSORBOARD
Point = tuple[str, int, float]
"""Metric, step and value."""


def create(path: Path, *, resume: bool = False) -> RunDirectory:
    config = {"optimiser": {"learning_rate": 1e-5}, "device": None}
    return RunDirectory.create(path, command="ppo", config=config, seed=3, resume=resume)


def log(run: RunDirectory, *steps: int) -> None:
    for step in steps:
        run.log_metrics(step, {"kl/k1": step / 4, "score/harm": -step})
        run.log_metrics(step, {"validation/loss": 1 / step})
        run.log_samples([{"step": step, "answer": f"**{step}**", "score": 0.5}])


def killed_and_resumed(path: Path, *destinations: Destination) -> None:
    """A run killed after step 4 and 6, each time resumed from step 2, that ends at step 7."""
    with reporting_to(*destinations):
        log(create(path), 1, 2, 3, 4)
        for last in (6, 7):
            run = create(path, resume=True)
            run.truncate_after(2)
            log(run, *range(3, last + 1))
        run.finish("finished")


def written(path: Path) -> list[Point]:
    """The points of metrics.jsonl, under TRL's names."""
    rows = read_metrics(path / "metrics.jsonl")
    return sorted(
        (trl_name(name), int(row["step"]), value)
        for row in rows
        for name, value in row.items()
        if name not in ("step", "time")
    )


class Recorder:
    """A tracker that remembers across sessions, as a server does, and fails at the steps it is told to."""

    points: list[Point]
    samples: list[int]
    cards: list[RunCard]
    closed: list[str]
    fails_at: set[int]

    def __init__(self) -> None:
        self.points, self.samples, self.cards, self.closed, self.fails_at = [], [], [], [], set()
        self.run_id = ""

    def open(self, card: RunCard) -> "Recorder":
        self.cards.append(card)
        self.run_id = card.run_id
        return self

    def log(self, step: int, time: float, values: Mapping[str, float]) -> None:
        if step in self.fails_at:
            raise ConnectionError("the server has gone\nand more")
        self.points += [(name, step, value) for name, value in values.items()]

    def log_samples(self, step: int, rows: Sequence[Mapping[str, object]]) -> None:
        self.samples.append(step)

    def close(self, status: str) -> None:
        self.closed.append(status)


@pytest.fixture
def recorder(monkeypatch: pytest.MonkeyPatch) -> Recorder:
    found = Recorder()
    monkeypatch.setattr(trackers_module, "opening", lambda destination: found.open)
    return found


def test_a_killed_run_is_one_series_where_it_is_resumed(tmp_path: Path, recorder: Recorder) -> None:
    killed_and_resumed(tmp_path / "run", Destination.WANDB)
    assert sorted(recorder.points) == written(tmp_path / "run")
    assert Counter(recorder.samples) == Counter(range(1, 8))
    assert len({card.run_id for card in recorder.cards}) == 1
    assert [card.is_new for card in recorder.cards] == [True, False, False]
    assert recorder.closed == ["finished"]


def test_a_run_without_trackers_opens_none(tmp_path: Path, recorder: Recorder) -> None:
    killed_and_resumed(tmp_path / "run")
    assert recorder.cards == []
    assert not (tmp_path / "run" / STATE).exists()


def test_a_tracker_that_fails_is_left_with_one_warning_and_catches_up_when_the_run_resumes(
    tmp_path: Path, recorder: Recorder, capsys: pytest.CaptureFixture[str]
) -> None:
    recorder.fails_at = {3}
    with reporting_to(Destination.MLFLOW):
        with create(tmp_path / "run") as run:
            log(run, 1, 2, 3, 4, 5)
        message = "mlflow failed and is left out from here on (the server has gone). metrics.jsonl has everything"
        assert capsys.readouterr().err == f"{message}\n"
        assert message in (run.path / "log.txt").read_text()
        assert {step for _, step, _ in recorder.points} == {1, 2}
        assert {step for _, step, _ in written(run.path)} == {1, 2, 3, 4, 5}
        assert run.manifest.status == "finished"
        recorder.fails_at = set()
        with create(tmp_path / "run", resume=True) as run:
            run.truncate_after(4)
            log(run, 5)
    assert sorted(recorder.points) == written(run.path)


@pytest.mark.parametrize("method", ["open", "log_samples", "close"])
def test_a_tracker_may_fail_anywhere(
    tmp_path: Path, recorder: Recorder, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, method: str
) -> None:
    def broken(*_: object) -> None:
        raise OSError

    monkeypatch.setattr(recorder, method, broken)
    with reporting_to(Destination.WANDB), create(tmp_path / "run") as run:
        log(run, 1, 2)
    assert capsys.readouterr().err.count("wandb failed and is left out from here on (OSError)") == 1
    assert (run.manifest.status, len(read_metrics(run.path / "metrics.jsonl"))) == ("finished", 4)


def test_a_tracker_added_when_a_run_resumes_is_sent_all_of_it(tmp_path: Path, recorder: Recorder) -> None:
    log(create(tmp_path / "run"), 1, 2, 3)
    with reporting_to(Destination.WANDB), create(tmp_path / "run", resume=True) as run:
        run.truncate_after(2)
        log(run, 3)
    assert sorted(recorder.points) == written(run.path)
    assert recorder.samples == [1, 2, 3]


def test_the_config_goes_under_dotted_names(tmp_path: Path, recorder: Recorder) -> None:
    with reporting_to(Destination.WANDB):
        create(tmp_path / "run")
    assert recorder.cards[0].config == {
        "command": "ppo",
        "optimiser.learning_rate": 1e-5,
        "device": None,
        "seed": 3,
    }


def test_a_damaged_record_of_what_trackers_hold_sends_all_of_it(tmp_path: Path, recorder: Recorder) -> None:
    with reporting_to(Destination.WANDB):
        log(create(tmp_path / "run"), 1)
        (tmp_path / "run" / STATE).write_text("{")
        recorder.points.clear()
        create(tmp_path / "run", resume=True).truncate_after(1)
    assert sorted(recorder.points) == written(tmp_path / "run")


def test_event_files_hold_what_metrics_jsonl_holds(tmp_path: Path) -> None:
    pytest.importorskip("tensorboard", reason="needs `pip install tensorboard`")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    killed_and_resumed(tmp_path / "run", TENSORBOARD)
    assert len(list((tmp_path / "run").glob("events.out.tfevents.*"))) == 1
    events = EventAccumulator(str(tmp_path / "run"))
    events.Reload()
    read = [(name, event.step, event.value) for name in events.Tags()["scalars"] for event in events.Scalars(name)]
    expected = written(tmp_path / "run")
    assert [point[:2] for point in sorted(read)] == [point[:2] for point in expected]
    # Event files hold numbers of 32 bits.
    assert [point[2] for point in sorted(read)] == pytest.approx([point[2] for point in expected], rel=1e-6)
    times = [row["time"] for row in read_metrics(tmp_path / "run" / "metrics.jsonl")]
    assert [event.wall_time for event in events.Scalars("objective/kl")] == times[::2]
    samples = events.Tensors("samples")
    assert [event.step for event in samples] == list(range(1, 8))
    assert samples[2].tensor_proto.string_val[0].decode() == '    {"step": 3, "answer": "**3**", "score": 0.5}'
    assert b'"optimiser.learning_rate": 1e-05' in events.Tensors("config")[0].tensor_proto.string_val[0]
    assert {"text", "hparams"} <= {
        events.summary_metadata[name].plugin_data.plugin_name for name in events.Tags()["tensors"]
    }


def test_what_was_asked_for_is_checked(monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[str] = []
    monkeypatch.setattr(trackers_module, "find_spec", lambda name: None)
    assert available([TENSORBOARD], said.append) == ()
    assert said == [
        "no TensorBoard event files: tensorboard is not installed (`pip install tensorboard`, or --report-to none)"
    ]
    with pytest.raises(PlauditError, match=r"--report-to mlflow needs a package .* `pip install mlflow-skinny`"):
        available([Destination.MLFLOW], said.append)
    assert available([Destination.NONE], said.append) == ()
    with pytest.raises(PlauditError, match="--report-to none stands alone, got none wandb"):
        available([Destination.NONE, Destination.WANDB], said.append)
    monkeypatch.setattr(trackers_module, "find_spec", lambda name: sys)
    assert available([Destination.WANDB, Destination.WANDB], said.append) == (Destination.WANDB,)
    assert len(said) == 1


def test_wandb_offline_holds_what_metrics_jsonl_holds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("wandb", reason="needs `pip install plaudit[wandb]`")
    from wandb.proto.wandb_internal_pb2 import Record

    for name, value in {"WANDB_MODE": "offline", "WANDB_SILENT": "true", "WANDB_DISABLE_SERVICE_LOGS": "true"}.items():
        monkeypatch.setenv(name, value)
    with reporting_to(Destination.WANDB):
        resumed_in_one_process(tmp_path / "run")
    found: list[Point] = []
    for file in sorted((tmp_path / "run").glob("wandb/offline-run-*/*.wandb")):
        for data in leveldb_records(file.read_bytes()[7:]):
            record = Record()
            record.ParseFromString(data)
            items = {"/".join(item.nested_key) or item.key: item.value_json for item in record.history.item}
            found += [
                (name, record.history.step.num, float(text))
                for name, text in items.items()
                if not name.startswith(("_", "samples"))
            ]
    assert sorted(found) == written(tmp_path / "run")


def test_mlflow_holds_what_metrics_jsonl_holds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("mlflow", reason="needs `pip install plaudit[mlflow]`")
    from mlflow import MlflowClient

    for name in ("MLFLOW_ALLOW_FILE_STORE", "MLFLOW_HTTP_REQUEST_MAX_RETRIES", "MLFLOW_HTTP_REQUEST_TIMEOUT"):
        monkeypatch.setenv(name, "1")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", (tmp_path / "mlruns").as_uri())
    with reporting_to(Destination.MLFLOW):
        resumed_in_one_process(tmp_path / "run")
    client = MlflowClient((tmp_path / "mlruns").as_uri())
    experiment = client.get_experiment_by_name("plaudit")
    assert experiment is not None
    (run,) = client.search_runs([experiment.experiment_id])
    points = [
        (m.key, m.step, m.value) for name in run.data.metrics for m in client.get_metric_history(run.info.run_id, name)
    ]
    assert sorted(points) == written(tmp_path / "run")
    assert run.data.params["optimiser.learning_rate"] == "1e-05"
    assert run.info.status == "FINISHED"


def test_trackio_holds_what_metrics_jsonl_holds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # It reads TRACKIO_DIR once, when it is imported.
    monkeypatch.setenv("TRACKIO_DIR", str(tmp_path / "trackio"))
    pytest.importorskip("trackio", reason="needs `pip install plaudit[trackio]`")
    from trackio.sqlite_storage import SQLiteStorage

    with reporting_to(Destination.TRACKIO):
        resumed_in_one_process(tmp_path / "run")
    (name,) = SQLiteStorage.get_runs("plaudit")
    rows = SQLiteStorage.get_logs("plaudit", name)
    points = [
        (key, row["step"], value)
        for row in rows
        for key, value in row.items()
        if key not in ("step", "timestamp", "samples") and isinstance(value, float | int)
    ]
    assert sorted(points) == written(tmp_path / "run")


def resumed_in_one_process(path: Path) -> None:
    """A run that ended after step 3 and is resumed from step 2, up to step 4: one that is killed leaves no session open."""
    with create(path) as run:
        log(run, 1, 2, 3)
    with create(path, resume=True) as run:
        run.truncate_after(2)
        log(run, 3, 4)


def leveldb_records(data: bytes) -> Iterator[bytes]:
    """The records of a log as LevelDB writes it, which W&B keeps after 7 bytes of its own; blocks have 32 KiB."""
    place, parts = 0, b""
    while place + 7 <= len(data):
        rest = 32768 - (place + 7) % 32768
        if rest < 7:
            place += rest
            continue
        _, length, kind = struct.unpack("<IHB", data[place : place + 7])
        parts += data[place + 7 : place + 7 + length]
        place += 7 + length
        # 1 is a whole record, 4 a last part.
        if kind in (1, 4):
            yield parts
            parts = b""
