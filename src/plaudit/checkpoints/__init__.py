"""How is a run's state written so that it can be trusted when read?

Invariant: a checkpoint folder appears whole or not at all, its files' SHA-256 are verified before use, and an older one
is removed only after a newer one was verified. safetensors and JSON, never pickle.
"""

from plaudit.checkpoints.folder import (
    Checkpoint,
    CheckpointDamagedError,
    latest_checkpoint,
    load_checkpoint,
    save_checkpoint,
)

__all__ = ["Checkpoint", "CheckpointDamagedError", "latest_checkpoint", "load_checkpoint", "save_checkpoint"]
