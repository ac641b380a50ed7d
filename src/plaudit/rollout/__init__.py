"""How are answers sampled? Prompts in, answers with log-probabilities out.

Invariant: an answer is a function of the model, the prompt and its own key (seed, step, prompt id, answer index), never
of its neighbours or its place in a batch.
"""

from plaudit.rollout.completer import LocalCompleter
from plaudit.rollout.sampler import Sampling, sampled

__all__ = ["LocalCompleter", "Sampling", "sampled"]
