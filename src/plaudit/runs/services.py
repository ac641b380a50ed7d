"""Weights & Biases, trackio and MLflow, each behind `Tracker`. Their own environment settings say where they send to."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping, Sequence
from html import escape
from importlib import import_module

from plaudit.runs.manifest import Status
from plaudit.runs.trackers import Destination, RunCard, Sample

_PROJECT = "plaudit"
_MLFLOW_DEFAULTS = {
    # Its own five minutes of waiting, at every step, would hold up a run whose server has gone.
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "2",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "10",
    # A store in the run folder is a folder of files.
    "MLFLOW_ALLOW_FILE_STORE": "true",
}
_MOST_PARAMS, _LONGEST_PARAM = 100, 500


class WandbRun:
    """A run on Weights & Biases, or on trackio, which has the same calls and knows a run by its name."""

    def __init__(self, card: RunCard, destination: Destination) -> None:
        package = import_module(destination.value)
        self.run_id = _plain(card.run_id)
        project = os.environ.get(f"{destination.value.upper()}_PROJECT", _PROJECT)
        settings = {"project": project, "name": self.run_id, "config": dict(card.config), "resume": "allow"}
        if destination is Destination.WANDB:
            settings |= {"id": self.run_id, "dir": str(card.folder)}
        self._text = package.Html if destination is Destination.WANDB else package.Markdown
        self._run = package.init(**settings)
        self._is_wandb = destination is Destination.WANDB

    def log(self, step: int, time: float, values: Mapping[str, float]) -> None:
        self._run.log(dict(values), step=step)

    def log_samples(self, step: int, rows: Sequence[Sample]) -> None:
        self._run.log({"samples": self._text(_block(rows, html=self._is_wandb))}, step=step)

    def close(self, status: Status) -> None:
        if self._is_wandb:
            self._run.finish(exit_code=0 if status in ("finished", "stopped") else 1)
        else:
            self._run.finish()


class MlflowRun:
    """A run on the server of MLFLOW_TRACKING_URI; without one, in `mlruns` of the run folder."""

    def __init__(self, card: RunCard) -> None:
        for name, value in _MLFLOW_DEFAULTS.items():
            os.environ.setdefault(name, value)
        from mlflow import MlflowClient
        from mlflow.entities import Metric, Param

        self._metric = Metric
        self._client = MlflowClient(
            os.environ.get("MLFLOW_TRACKING_URI") or (card.folder / "mlruns").resolve().as_uri()
        )
        if not card.is_new:
            self.run_id = card.run_id
            self._client.update_run(self.run_id, status="RUNNING")
            return
        name = os.environ.get("MLFLOW_EXPERIMENT_NAME", _PROJECT)
        found = self._client.get_experiment_by_name(name)
        experiment = self._client.create_experiment(name) if found is None else found.experiment_id
        self.run_id = str(self._client.create_run(experiment, run_name=card.run_id).info.run_id)
        params = [Param(key, str(value)[:_LONGEST_PARAM]) for key, value in card.config.items()]
        for first in range(0, len(params), _MOST_PARAMS):
            self._client.log_batch(self.run_id, params=params[first : first + _MOST_PARAMS])

    def log(self, step: int, time: float, values: Mapping[str, float]) -> None:
        metrics = [self._metric(name, value, int(time * 1000), step) for name, value in values.items()]
        self._client.log_batch(self.run_id, metrics=metrics)

    def log_samples(self, step: int, rows: Sequence[Sample]) -> None:
        self._client.log_text(self.run_id, _lines(rows) + "\n", f"samples/step-{step:06d}.jsonl")

    def close(self, status: Status) -> None:
        ended = {"finished": "FINISHED", "stopped": "FINISHED", "interrupted": "KILLED"}
        self._client.set_terminated(self.run_id, ended.get(status, "FAILED"))


def _plain(run_id: str) -> str:
    """An id that every service takes."""
    return re.sub(r"[^A-Za-z0-9_.-]", "-", run_id)


def _lines(rows: Sequence[Sample]) -> str:
    return "\n".join(json.dumps(row, ensure_ascii=False) for row in rows)


def _block(rows: Sequence[Sample], *, html: bool) -> str:
    """The rows as they stand, whatever marks an answer holds."""
    if html:
        return f"<pre>{escape(_lines(rows))}</pre>"
    return "\n".join(f"    {line}" for line in _lines(rows).splitlines())
