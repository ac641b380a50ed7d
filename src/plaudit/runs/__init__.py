"""What happened in this run, and could it be repeated? The run folder, its seeds, its clocks and its metrics' names.

Invariant: every file here is written so that a crash or a full disk leaves the last good one in place, and the folder
of a resumed run equals the folder of an uninterrupted one, clock readings apart. Imports no torch.
"""

from plaudit.runs.directory import RunDirectory
from plaudit.runs.files import as_json, read_metrics, write_json
from plaudit.runs.manifest import installed_versions
from plaudit.runs.memory import peak_rss_mb
from plaudit.runs.phases import PhaseTimer
from plaudit.runs.progress import Progress, duration_text
from plaudit.runs.seeds import spawn_seed

__all__ = [
    "PhaseTimer",
    "Progress",
    "RunDirectory",
    "as_json",
    "duration_text",
    "installed_versions",
    "peak_rss_mb",
    "read_metrics",
    "spawn_seed",
    "write_json",
]
