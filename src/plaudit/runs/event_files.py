"""A run's metrics as a TensorBoard event file in its folder, so that `tensorboard --logdir runs` shows them."""

from __future__ import annotations

import json
import os
import socket
import time
from collections.abc import Mapping, Sequence

from tensorboard.compat.proto.event_pb2 import Event
from tensorboard.compat.proto.summary_pb2 import Summary
from tensorboard.compat.proto.tensor_pb2 import TensorProto
from tensorboard.compat.proto.tensor_shape_pb2 import TensorShapeProto
from tensorboard.compat.proto.types_pb2 import DT_STRING
from tensorboard.plugins.hparams.summary_v2 import hparams_pb
from tensorboard.plugins.text.metadata import create_summary_metadata
from tensorboard.summary.writer.record_writer import RecordWriter

from plaudit.runs.manifest import Status
from plaudit.runs.trackers import RunCard, Sample

_PATTERN = "events.out.tfevents.*"


class EventFile:
    """The one event file of a run: opening it takes an older one's place.

    Every event is on disk when its method returns, where TensorBoard's own writer would keep it for two minutes.
    """

    def __init__(self, card: RunCard) -> None:
        for old in card.folder.glob(_PATTERN):
            old.unlink()
        self.run_id = card.run_id
        now = time.time()
        name = _PATTERN.replace("*", f"{int(now)}.{socket.gethostname()}.{os.getpid()}")
        self._path = card.folder / name
        self._write(Event(wall_time=now, file_version="brain.Event:2"))
        settings = {key: _hyperparameter(value) for key, value in card.config.items()}
        self._write(Event(wall_time=now, summary=hparams_pb(settings, trial_id=card.run_id, start_time_secs=now)))
        self._text(0, "config", json.dumps(dict(card.config), indent=2, ensure_ascii=False))

    def log(self, step: int, time: float, values: Mapping[str, float]) -> None:
        scalars = [Summary.Value(tag=name, simple_value=value) for name, value in values.items()]
        self._write(Event(wall_time=time, step=step, summary=Summary(value=scalars)))

    def log_samples(self, step: int, rows: Sequence[Sample]) -> None:
        self._text(step, "samples", "\n".join(json.dumps(row, ensure_ascii=False) for row in rows))

    def close(self, status: Status) -> None:
        """Nothing is left to send."""

    def _text(self, step: int, tag: str, text: str) -> None:
        # Indented by four, Markdown shows it as it stands.
        block = "\n".join(f"    {line}" for line in text.splitlines())
        shape = TensorShapeProto(dim=[TensorShapeProto.Dim(size=1)])
        tensor = TensorProto(dtype=DT_STRING, tensor_shape=shape, string_val=[block.encode()])
        metadata = create_summary_metadata(display_name=tag, description="")
        value = Summary.Value(tag=tag, metadata=metadata, tensor=tensor)
        self._write(Event(wall_time=time.time(), step=step, summary=Summary(value=[value])))

    def _write(self, event: Event) -> None:
        with self._path.open("ab") as file:
            RecordWriter(file).write(event.SerializeToString())


def _hyperparameter(value: object) -> bool | float | str:
    return value if isinstance(value, bool | int | float | str) else json.dumps(value)
