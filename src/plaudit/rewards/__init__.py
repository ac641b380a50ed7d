"""What is an answer worth? Scorers: learned, rule, Python function, remote, weighted sum.

Invariant: a scorer sees prompts and answers and returns one score an answer, its components by name, and optionally
rewards for single tokens; it never trains anything.
"""

from plaudit.rewards.learned import LearnedScorer
from plaudit.rewards.scorer import Scorer, Scores, Summed, WeightedSum
from plaudit.rewards.textual import FunctionScorer, TextualScorer

__all__ = ["FunctionScorer", "LearnedScorer", "Scorer", "Scores", "Summed", "TextualScorer", "WeightedSum"]
