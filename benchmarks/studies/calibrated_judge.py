"""How often the intervals of a calibrated judge hold the truth: `python benchmarks/studies/calibrated_judge.py`.

1,000 simulated evaluations a row: 200 prompts whose own win probabilities differ around 0.62, three pairs each.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from plaudit.statistics.prediction_powered import prediction_powered_mean

TRUTH, NUM_PROMPTS, NUM_SETS = 0.62, 200, 1000
JUDGES = ("always right", "wrong in 20 %", '"win" in 40 %, else right', "a coin")


def judged(judge: str, people: NDArray[np.float64], rng: np.random.Generator) -> NDArray[np.float64]:
    """What that judge says where people say `people`."""
    if judge == JUDGES[0]:
        return people
    if judge == JUDGES[1]:
        return np.where(rng.random(len(people)) < 0.2, 1 - people, people)
    if judge == JUDGES[2]:
        return np.where(rng.random(len(people)) < 0.4, 1.0, people)
    return (rng.random(len(people)) < 0.5).astype(np.float64)


def row(judge: str, num_labelled: int) -> str:
    """Coverage of the closed form, of the bootstrap and of people alone; relative width; worth in labels."""
    rng, prompts = np.random.default_rng(1), np.repeat(np.arange(NUM_PROMPTS), 3)
    asked, held, widths, worth = prompts < num_labelled, np.zeros(3), np.zeros(2), 0.0
    for number in range(NUM_SETS):
        chance = rng.beta(4 * TRUTH, 4 * (1 - TRUTH), size=NUM_PROMPTS)[prompts]
        people = (rng.random(len(prompts)) < chance).astype(np.float64)
        says = judged(judge, people, rng)
        found = prediction_powered_mean(
            people[asked],
            says[asked],
            says[~asked],
            clusters=prompts[asked],
            unlabelled_clusters=prompts[~asked],
            num_resamples=200,
            seed=number,
        )
        ends = (found.estimate, found.resampled, found.people_only)
        held += [one.low <= TRUTH <= one.high for one in ends]
        widths += [found.estimate.high - found.estimate.low, found.people_only.high - found.people_only.low]
        worth += found.effective_labels / NUM_SETS
    shares = " | ".join(f"{100 * share:.1f} %" for share in held / NUM_SETS)
    width = 100 * widths[0] / widths[1]
    return f"| {judge} | {num_labelled} | {shares} | {width:.0f} % | {worth:.0f} of {asked.sum()} |"


if __name__ == "__main__":
    for judge in JUDGES:
        for num_labelled in (10, 20, 40):
            print(row(judge, num_labelled), flush=True)
