"""The reward: is the last number of the answer the right one?"""

import re

NUMBER = re.compile(r"-?\d[\d,]*(?:\.\d+)?")


def correct(prompts: list[str], completions: list[str], ground_truth: list[str]) -> list[float]:
    """1 for a right result, else 0. `ground_truth` is a column of the data."""
    return [
        float(_last_number(text) == float(truth.replace(",", "")))
        for text, truth in zip(completions, ground_truth, strict=True)
    ]


def _last_number(text: str) -> float | None:
    found = NUMBER.findall(text)
    return float(found[-1].replace(",", "")) if found else None
