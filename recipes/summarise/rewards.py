"""The reward: ROUGE-L's F1 with the nearest of people's summaries (Lin 2004), as `rouge-score` counts it."""

from rouge_score.rouge_scorer import RougeScorer

SCORER = RougeScorer(["rougeL"], use_stemmer=True)


def rouge_l(prompts: list[str], completions: list[str], references: list[list[str]]) -> list[float]:
    """In [0, 1]. `references` is a column of the data."""
    return [
        max(SCORER.score(reference, text)["rougeL"].fmeasure for reference in known)
        for text, known in zip(completions, references, strict=True)
    ]
