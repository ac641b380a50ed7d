"""What a run is forecast to cost."""

from mutations.mutation import Mutation

FORECAST = "cli/test_forecast.py"
FILE = "cli/forecast.py"

MUTATIONS = [
    Mutation(
        "a forecast forgets attention",
        FILE,
        "a_token = 2.0 * size.layer_parameters + 4.0 * size.width * self.length",
        "a_token = 2.0 * size.layer_parameters",
        (FORECAST,),
    ),
    Mutation(
        "adapters are charged for gradients of weights",
        FILE,
        "backward = 1 if train.kind in",
        "backward = 2 if train.kind in",
        (FORECAST,),
    ),
    Mutation(
        "a frozen head is charged for a gradient of its own",
        FILE,
        '(3 if train.kind == "all" else 2) * head_flops',
        "3 * head_flops",
        (FORECAST,),
    ),
    Mutation(
        "answers to one prompt are charged for it each",
        FILE,
        "return packed if k > 1 and pays else apart",
        "return apart",
        (FORECAST,),
    ),
    Mutation(
        "a critic of its own is charged for a head's price",
        FILE,
        'own_critic = branch if config.value == "reward" else 0.0',
        "own_critic = 0.0",
        (FORECAST,),
    ),
    Mutation(
        "PTX costs nothing",
        FILE,
        "update += learning_flops(train, size, shown, shown.num_tokens)",
        "pass",
        (FORECAST,),
    ),
    Mutation(
        "the optimiser moves no memory",
        FILE,
        "bytes=num_updates * num_trained * _BYTES_AN_UPDATE",
        "bytes=0.0",
        (FORECAST,),
    ),
]
