"""Makes `trl.json`: what TRL 1.12.0 computes on the inputs below. Run by `make references`."""

from __future__ import annotations

import json
import subprocess
import tempfile
from pathlib import Path

import torch

from plaudit.formats.trl import write
from plaudit.models.load import Precision
from plaudit.models.policy import TrainLayers
from plaudit.models.reward import new_reward_model, save_reward_model
from plaudit.models.tiny import tiny_model, tiny_tokenizer
from plaudit.runs import spawn_seed
from plaudit.schemas.conversation import assistant
from plaudit.schemas.feedback import Comparison, Verdict
from tests.trainers.toy import PROMPTS, demonstrations

HERE = Path(__file__).parent
TABLE = HERE / "trl.json"
TRL = HERE.parents[1] / "benchmarks" / "ppo_vs_trl"

SEED = 0
DEMONSTRATIONS = demonstrations(12)
PAIRS = [
    Comparison(
        prompt=PROMPTS[i % len(PROMPTS)],
        a=(assistant(better),),
        b=(assistant(worse),),
        verdict=Verdict.A,
    )
    for i, (better, worse) in enumerate(
        [
            ("bee", "cab"),
            ("e", "a cad"),
            ("eee", "dad abc"),
            ("bede", "c"),
            ("e e e", "abba"),
            ("deed", "add a b"),
            ("a bee", "ab"),
            ("ebbed", "cc dd"),
        ]
    )
]

SETTINGS = {"num_updates": 6, "learning_rate": 3e-4, "max_grad_norm": 1.0, "beta": 0.1}


def signals() -> dict[str, list[list[float]]]:
    """Numbers to be whitened, averaged and looked up; one row has a single counted value."""
    generator = torch.Generator().manual_seed(SEED)
    mask = torch.tensor([[1, 1, 1, 0, 0], [0, 1, 1, 1, 1], [0, 0, 1, 0, 0]]).bool()
    return {
        "values": torch.randn(3, 5, generator=generator).tolist(),
        "mask": mask.tolist(),
        "logits": (4 * torch.randn(3, 5, 7, generator=generator)).tolist(),
        "index": torch.randint(0, 7, (3, 5), generator=generator).tolist(),
    }


def prepared(folder: Path) -> None:
    """The models that both start from and the rows, in TRL's shape."""
    tiny_model(SEED).save_pretrained(folder / "policy")
    tiny_tokenizer().save_pretrained(folder / "policy")
    everything = TrainLayers(kind="all")
    policy = str(folder / "policy")
    seed = spawn_seed(SEED, "score head")
    reward = new_reward_model(policy, everything, seed=seed, precision=Precision.FLOAT32, pad_id=0)
    save_reward_model(reward, folder / "reward")
    write(DEMONSTRATIONS, folder / "sft.jsonl")
    write(PAIRS, folder / "pairs.jsonl")
    (folder / "given.json").write_text(json.dumps({"signals": signals(), **SETTINGS}))


def main() -> None:
    """Writes the table."""
    subprocess.run([TRL.parent / "trl_environment.sh", TRL, "trl==1.12.0"], check=True)
    with tempfile.TemporaryDirectory() as scratch:
        prepared(Path(scratch))
        side = [TRL / ".venv" / "bin" / "python", HERE / "trl_side.py", scratch]
        printed = subprocess.run(side, check=True, stdout=subprocess.PIPE, text=True).stdout
    table = json.loads(printed.splitlines()[-1])
    TABLE.write_text(json.dumps(table, indent=1) + "\n")
    print(f"{TABLE.name}: {', '.join(table)}")


if __name__ == "__main__":
    main()
