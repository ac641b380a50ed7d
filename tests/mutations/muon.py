"""How Muon moves the matrices of layers."""

from mutations.mutation import Mutation

OPTIMISATION = "trainers/test_optimisation.py"

MUTATIONS = [
    Mutation(
        "Muon moves embeddings",
        "trainers/optimisation.py",
        'return any(part.isdigit() for part in name.split("."))',
        "return True",
        (OPTIMISATION,),
    ),
    Mutation(
        "Muon's momentum does not look ahead",
        "trainers/muon.py",
        "ahead = parameter.grad.lerp(buffer, momentum)",
        "ahead = buffer",
        (OPTIMISATION,),
    ),
    Mutation(
        "Muon's steps are as long for every shape",
        "trainers/muon.py",
        "math.sqrt(max(parameter.shape))",
        "math.sqrt(parameter.shape[0])",
        (OPTIMISATION,),
    ),
    Mutation(
        "Muon's iterations are cut short",
        "trainers/muon.py",
        "_NUM_ITERATIONS = 5",
        "_NUM_ITERATIONS = 3",
        (OPTIMISATION,),
    ),
    Mutation(
        "a rank keeps as many directions as the search looks at",
        "trainers/muon.py",
        "u[:, :rank] @ v[:rank] @ basis.T",
        "u @ v @ basis.T",
        (OPTIMISATION,),
    ),
    Mutation(
        "the rank of the config is not heard",
        "trainers/optimisation.py",
        "rank=config.rank), *rest]",
        "rank=0), *rest]",
        (OPTIMISATION,),
    ),
]
