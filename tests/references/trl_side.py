"""TRL's half of the table, run by the environment that holds TRL: `trl_side.py FOLDER` prints JSON.

The folder holds `policy/`, `reward/` (a classifier), `given.json`, and the rows in `sft.jsonl` and `pairs.jsonl` as
plaudit writes them for TRL. Each trainer makes full-batch updates, so that no order of the data enters.
"""

import json
import sys
import tempfile
from pathlib import Path

import torch
from datasets import load_dataset
from transformers import AutoModelForCausalLM, AutoModelForSequenceClassification, AutoTokenizer
from trl import DPOConfig, DPOTrainer, RewardConfig, RewardTrainer, SFTConfig, SFTTrainer
from trl.experimental.ppo.ppo_trainer import masked_mean, masked_whiten
from trl.trainer.utils import selective_log_softmax


def losses(trainer) -> list[float]:
    """The loss of every update."""
    trainer.train()
    return [row["loss"] for row in trainer.state.log_history if "loss" in row]


def signals(given: dict) -> dict:
    """Whitening, masked means and log-probabilities of the given numbers."""
    values, mask = torch.tensor(given["values"]), torch.tensor(given["mask"])
    logits, index = torch.tensor(given["logits"]), torch.tensor(given["index"])
    return {
        "masked_mean": masked_mean(values, mask).item(),
        "whitened": masked_whiten(values, mask).tolist(),
        "whitened_around_the_mean": masked_whiten(values, mask, shift_mean=False).tolist(),
        "logprobs": selective_log_softmax(logits, index).tolist(),
    }


def main() -> None:
    folder = Path(sys.argv[1])
    given = json.loads((folder / "given.json").read_text())

    def rows(name: str):
        return load_dataset(
            "json", data_files=str(folder / f"{name}.jsonl"), split="train", cache_dir=str(folder / "cache")
        )

    policy, reward = str(folder / "policy"), str(folder / "reward")
    tokenizer = AutoTokenizer.from_pretrained(policy)
    with tempfile.TemporaryDirectory() as out:
        common = {
            "output_dir": out,
            "per_device_train_batch_size": 64,
            "num_train_epochs": given["num_updates"],
            "learning_rate": given["learning_rate"],
            "lr_scheduler_type": "constant",
            "max_grad_norm": given["max_grad_norm"],
            "logging_steps": 1,
            "save_strategy": "no",
            "report_to": "none",
            "use_cpu": True,
            "bf16": False,
            "gradient_checkpointing": False,
            "disable_tqdm": True,
        }
        table = {
            "signals": signals(given["signals"]),
            "sft": losses(
                SFTTrainer(
                    AutoModelForCausalLM.from_pretrained(policy, dtype=torch.float32),
                    SFTConfig(**common, completion_only_loss=True),
                    train_dataset=rows("sft"),
                    processing_class=tokenizer,
                )
            ),
            "dpo": losses(
                DPOTrainer(
                    AutoModelForCausalLM.from_pretrained(policy, dtype=torch.float32),
                    args=DPOConfig(**common, beta=given["beta"]),
                    train_dataset=rows("pairs"),
                    processing_class=tokenizer,
                )
            ),
            "reward": losses(
                RewardTrainer(
                    AutoModelForSequenceClassification.from_pretrained(reward, dtype=torch.float32, num_labels=1),
                    RewardConfig(**common),
                    train_dataset=rows("pairs"),
                    processing_class=tokenizer,
                )
            ),
        }
    print(json.dumps(table))


if __name__ == "__main__":
    main()
