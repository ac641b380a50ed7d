"""Where do the networks come from, and which parts of them are whose?

Invariant: trainers meet only Policy, Reference, Value and Scorer roles; whether layers are shared, frozen or adapted is a
setting here, never a branch in a trainer.
"""

from plaudit.models.load import load_causal_lm, load_codec
from plaudit.models.policy import PolicyModel, ReferenceModel, TrainLayers
from plaudit.models.reward import RewardModel
from plaudit.models.value import ValueModel

__all__ = [
    "PolicyModel",
    "ReferenceModel",
    "RewardModel",
    "TrainLayers",
    "ValueModel",
    "load_causal_lm",
    "load_codec",
]
