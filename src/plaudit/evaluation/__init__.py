"""Is it better, by how much, and how sure are we? Win rates, perplexity, KL, reward quality, reports.

Invariant: every figure states what it was measured on and its interval; nothing trained on is evaluated on.
"""

from plaudit.evaluation.answers import Entrant, best_of_n
from plaudit.evaluation.contest import ContestResult, contest
from plaudit.evaluation.judges import PeopleJudge, ScoreJudge
from plaudit.evaluation.language import kl_to_reference, perplexity
from plaudit.evaluation.model_judge import ModelJudge
from plaudit.evaluation.report import Report

__all__ = [
    "ContestResult",
    "Entrant",
    "ModelJudge",
    "PeopleJudge",
    "Report",
    "ScoreJudge",
    "best_of_n",
    "contest",
    "kl_to_reference",
    "perplexity",
]
