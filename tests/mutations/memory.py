"""What a run does when memory runs out."""

from mutations.mutation import Mutation

MUTATIONS = [
    Mutation(
        "gradients of an attempt that ran out of memory are kept",
        "trainers/memory.py",
        "            clear()",
        "            pass",
        ("trainers/test_memory.py",),
    ),
    Mutation(
        "portions grow back after every update",
        "trainers/epochs.py",
        "in_portions(work, objective.portions,",
        "in_portions(work, Portions(objective.portions.size),",
        ("trainers/test_memory.py",),
    ),
    Mutation(
        "a resumed run begins with the portions it was asked for",
        "trainers/epochs.py",
        "rows_at_once=objective.portions.size,",
        "rows_at_once=8,",
        ("trainers/test_memory.py",),
    ),
    Mutation(
        "lack of memory in a product's code is taken for a bug",
        "runs/memory.py",
        ', "could not create a primitive")',
        ")",
        ("runs/test_memory.py",),
    ),
]
