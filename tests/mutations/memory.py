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
        "a normalisation is as wide as the fit was asked to be",
        "trainers/reward.py",
        "in_portions(lambda: raw_scores(model, rows, portions.size), portions, say=say)",
        "raw_scores(model, rows, 16)",
        ("trainers/test_memory.py",),
    ),
    Mutation(
        "the reference's answers want all the memory at once",
        "trainers/reward.py",
        "return in_portions(answers, decoding, say=say)",
        "return answers()",
        ("trainers/test_memory.py",),
    ),
    Mutation(
        "the monitor samples all its answers at once",
        "trainers/monitor.py",
        "in_portions(self._sampled, actor.decoding, say=actor.say)",
        "self._sampled()",
        ("trainers/test_monitor.py",),
    ),
    Mutation(
        "the monitor asks scorer and reference for all at once",
        "trainers/monitor.py",
        "return self._actor.in_portions(partial(self._seen, num_steps))",
        "return self._seen(num_steps)",
        ("trainers/test_monitor.py",),
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
