"""The sampler beside `transformers.generate`: tokens a second, `python -m benchmarks.sampler.compare`, about five minutes.

Both draw 32 answers of exactly 32 tokens to the prompts of benchmarks/ppo_vs_trl, in turn, in one process: to 32 prompts
one each, and to 8 prompts four each. plaudit's keeps log-probabilities, states and the trunk's activations on the way, as it
does in PPO; `generate` keeps nothing. Writes results.json and results.md beside this file.
"""

from __future__ import annotations

import json
import platform
import statistics
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
from transformers import PreTrainedModel

from plaudit.models.load import Precision, load_codec
from plaudit.models.policy import PolicyModel, TrainLayers, load_policy
from plaudit.rollout.sampler import Sampling, sampled
from plaudit.runs import installed_versions
from plaudit.runs.memory import reuse_freed_memory
from plaudit.schemas.conversation import user
from plaudit.text.chat import ChatCodec
from plaudit.text.prompts import EncodedPrompt, TooLong, encoded_prompts

HERE = Path(__file__).parent
MODEL, NUM_ANSWERS, NUM_TOKENS, NUM_REPEATS = "smollm2-135m", 32, 32, 3


def generated(model: PreTrainedModel, codec: ChatCodec, prompts: Sequence[EncodedPrompt], k: int) -> int:
    """K answers to each prompt by `generate`; the number of tokens it decided."""
    width = max(len(prompt.token_ids) for prompt in prompts)
    ids = torch.full((len(prompts), width), codec.pad_id)
    mask = torch.zeros((len(prompts), width), dtype=torch.long)
    for i, prompt in enumerate(prompts):
        ids[i, width - len(prompt.token_ids) :] = torch.tensor(prompt.token_ids)
        mask[i, width - len(prompt.token_ids) :] = 1
    with torch.inference_mode():
        out = model.generate(
            input_ids=ids,
            attention_mask=mask,
            do_sample=True,
            top_k=0,
            top_p=1.0,
            temperature=1.0,
            num_return_sequences=k,
            min_new_tokens=NUM_TOKENS,
            max_new_tokens=NUM_TOKENS,
            pad_token_id=codec.pad_id,
        )
    return int(out.shape[0] * (out.shape[1] - width))


def drawn(policy: PolicyModel, codec: ChatCodec, prompts: Sequence[EncodedPrompt], k: int, seed: int) -> int:
    """K answers to each prompt by plaudit's sampler; the number of tokens it decided."""
    sampling = Sampling(max_new_tokens=NUM_TOKENS, batch_size=NUM_ANSWERS)
    rollouts = sampled(
        policy.sampler(),
        codec,
        prompts,
        sampling,
        num_answers=k,
        seed=seed,
        keep_states=True,
        trunk=policy.branch.trunk,
    )
    return rollouts.rows.num_answer_tokens


def speed(work: Callable[[], int]) -> dict[str, float]:
    """Tokens a second of wall and of CPU time."""
    wall, cpu = time.perf_counter(), time.process_time()
    num_tokens = work()
    return {"wall": num_tokens / (time.perf_counter() - wall), "cpu": num_tokens / (time.process_time() - cpu)}


def measured() -> list[dict[str, Any]]:
    """Every repeat of both, K = 1 and K = 4."""
    reuse_freed_memory()  # as the command line does
    policy = load_policy(MODEL, TrainLayers(num_upper=6), precision=Precision.FLOAT32, device=torch.device("cpu"))
    codec = load_codec(MODEL)
    lines = (HERE.parent / "ppo_vs_trl" / "prompts.jsonl").read_text(encoding="utf-8").splitlines()
    texts = [json.loads(line)["prompt"] for line in lines[:NUM_ANSWERS]]
    prompts, _ = encoded_prompts([(user(text),) for text in texts], codec, max_tokens=512, too_long=TooLong.REFUSE)
    model = policy.sampler()
    # No id: the sampler never stops, as `generate` is told not to.
    codec.stop_id = -1
    runs = []
    for repeat in range(NUM_REPEATS + 1):
        for k in (1, 4):
            asked = prompts[: NUM_ANSWERS // k]
            for name, work in (
                ("generate", lambda asked=asked, k=k: generated(model, codec, asked, k)),
                ("plaudit", lambda asked=asked, k=k, repeat=repeat: drawn(policy, codec, asked, k, repeat)),
            ):
                found = {"side": name, "k": k, "repeat": repeat, **speed(work)}
                if repeat:  # the first warms up
                    runs.append(found)
                    print(found, flush=True)
    return runs


def middle(runs: Sequence[dict[str, Any]], side: str, k: int, clock: str) -> float:
    """The median over the repeats."""
    return statistics.median(run[clock] for run in runs if (run["side"], run["k"]) == (side, k))


def table(runs: Sequence[dict[str, Any]]) -> str:
    """results.md."""
    lines = [
        "# The sampler against transformers.generate, measured",
        "",
        f"`python -m benchmarks.sampler.compare`: {MODEL}, float32, {NUM_ANSWERS} answers of {NUM_TOKENS} tokens, prompts of "
        f"32 to 64, {torch.get_num_threads()} threads on {platform.machine()}, medians of {NUM_REPEATS}.",
        "",
        "| | tokens a second, generate | plaudit | times as many | by CPU seconds |",
        "|---|---|---|---|---|",
    ]
    for k in (1, 4):
        theirs, ours = (middle(runs, side, k, "wall") for side in ("generate", "plaudit"))
        cpu = middle(runs, "plaudit", k, "cpu") / middle(runs, "generate", k, "cpu")
        lines.append(f"| K = {k} | {theirs:.0f} | {ours:.0f} | {ours / theirs:.2f} | {cpu:.2f} |")
    return "\n".join([*lines, ""])


def main() -> None:
    """Measures and writes."""
    runs = measured()
    ratios = {f"k{k}": middle(runs, "plaudit", k, "wall") / middle(runs, "generate", k, "wall") for k in (1, 4)}
    result = {"ratio_to_generate": ratios, "threads": torch.get_num_threads(), "versions": installed_versions()}
    (HERE / "results.json").write_text(json.dumps(result | {"runs": runs}, indent=2) + "\n", encoding="utf-8")
    (HERE / "results.md").write_text(table(runs), encoding="utf-8")


if __name__ == "__main__":
    main()
