"""Mistakes that someone could make in the source, each with the tests that must notice it; `../mutate.py` makes them.

To add one, append it to the list of its file; a new file is added here.
"""

from mutations import (
    admission,
    checkpoints,
    cleaning,
    costs,
    demo,
    episodes,
    experience,
    feedback_formats,
    files,
    fits,
    forgetting,
    losses,
    measures,
    memory,
    models,
    muon,
    prefixes,
    quality,
    rollout,
    selection,
    settling,
    signals,
    spans,
    store,
    studies,
    suites,
    text,
    trainers,
)
from mutations.mutation import Mutation

MUTATIONS: list[Mutation] = [
    mutation
    for room in (
        signals,
        losses,
        text,
        models,
        muon,
        prefixes,
        rollout,
        episodes,
        checkpoints,
        experience,
        admission,
        costs,
        fits,
        spans,
        trainers,
        files,
        feedback_formats,
        measures,
        memory,
        studies,
        quality,
        cleaning,
        selection,
        settling,
        store,
        forgetting,
        suites,
        demo,
    )
    for mutation in room.MUTATIONS
]

__all__ = ["MUTATIONS", "Mutation"]
