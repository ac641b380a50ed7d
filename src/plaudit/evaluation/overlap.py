"""How close are texts to what people wrote for the same input? BLEU, chrF and ROUGE, with intervals."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from plaudit.statistics import Estimate, bootstrap_interval

Rows = NDArray[np.float64]


class Language(StrEnum):
    """What decides how a text is cut into words."""

    ENGLISH = "en"
    CHINESE = "zh"


@dataclass(frozen=True, slots=True)
class Overlap:
    """One measure: of all rows together with its interval, and of each row alone."""

    corpus: Estimate
    rows: tuple[float, ...]


def bleu(texts: Sequence[str], references: Sequence[Sequence[str]], language: Language = Language.ENGLISH) -> Overlap:
    """Corpus BLEU in [0, 100] as sacrebleu counts it (Papineni et al. 2002; Post 2018), its interval resampling rows.

    `references[i]` are all that people wrote for row i. Tokens are sacrebleu's `13a`, for Chinese its `zh`, which makes
    every character a token. A row alone is smoothed, and stops at the longest n-gram it has room for.
    """
    from sacrebleu.metrics import BLEU

    _check_rows(texts, references)
    measure = BLEU(tokenize="13a" if language is Language.ENGLISH else "zh", effective_order=True)
    scores = [measure.sentence_score(text, list(row)) for text, row in zip(texts, references, strict=True)]
    counts = np.array([[*score.counts, *score.totals, score.sys_len, score.ref_len] for score in scores])
    order = measure.max_ngram_order

    def of_rows(numbers: Rows) -> float:
        total = counts[numbers.astype(int)].sum(axis=0).tolist()
        return float(
            BLEU.compute_bleu(
                total[:order],
                total[order : 2 * order],
                sys_len=total[-2],
                ref_len=total[-1],
                smooth_method="exp",
                max_ngram_order=order,
            ).score
        )

    return Overlap(bootstrap_interval(np.arange(len(texts)), of_rows), tuple(float(score.score) for score in scores))


_CHRF_ORDER, _CHRF_BETA = 6, 2


def chrf(texts: Sequence[str], references: Sequence[Sequence[str]]) -> Overlap:
    """Corpus chrF in [0, 100] as sacrebleu counts it (Popović 2015): the F2 of character n-grams up to six.

    White space does not count, so it needs no tokens and is the same for every language. A row is held against the
    reference it agrees with best. The interval resamples rows.
    """
    from sacrebleu.metrics.helpers import extract_all_char_ngrams

    _check_rows(texts, references)
    counts = []
    for text, row in zip(texts, references, strict=True):
        said = extract_all_char_ngrams(text, _CHRF_ORDER)
        options = []
        for reference in row:
            wanted = extract_all_char_ngrams(reference, _CHRF_ORDER)
            shared = [(a & b).total() for a, b in zip(said, wanted, strict=True)]
            # An order that the reference is too short for counts on neither side.
            num_said = [a.total() if b else 0 for a, b in zip(said, wanted, strict=True)]
            options.append(np.array([num_said, [b.total() for b in wanted], shared]))
        counts.append(max(options, key=_chrf_of))
    stacked = np.array(counts)

    def of_rows(numbers: Rows) -> float:
        return _chrf_of(stacked[numbers.astype(int)].sum(axis=0))

    return Overlap(bootstrap_interval(np.arange(len(texts)), of_rows), tuple(map(_chrf_of, counts)))


def _chrf_of(counts: NDArray[np.int64]) -> float:
    """100 (1 + b**2) P R / (b**2 P + R), where P and R are means over the n-gram orders that both sides have."""
    said, wanted, shared = counts[:, (counts[0] > 0) & (counts[1] > 0)]
    if not shared.sum():
        return 0.0
    precision, recall = float((shared / said).mean()), float((shared / wanted).mean())
    return 100 * (1 + _CHRF_BETA**2) * precision * recall / (_CHRF_BETA**2 * precision + recall)


@dataclass(frozen=True, slots=True)
class Rouge:
    """F1 of shared words, of shared pairs of words, and of the longest common subsequence; in [0, 1]."""

    rouge1: Overlap
    rouge2: Overlap
    rouge_l: Overlap


def rouge(texts: Sequence[str], references: Sequence[Sequence[str]], language: Language = Language.ENGLISH) -> Rouge:
    """ROUGE-1, ROUGE-2 and ROUGE-L as rouge-score counts them (Lin 2004), words stemmed; a row's best reference counts.

    The corpus is the mean over rows, its interval resamples rows. Deviates from rouge-score for Chinese: that library
    drops every letter but a-z and digits, so two Chinese texts always score 0; here each Han character is a token and
    whatever else is written between them is cut at white space and punctuation.
    """
    from rouge_score.rouge_scorer import RougeScorer

    _check_rows(texts, references)
    tokenizer = None if language is Language.ENGLISH else _HanCharacters()
    names = ("rouge1", "rouge2", "rougeL")
    scorer = RougeScorer(names, use_stemmer=True, tokenizer=tokenizer)
    scores = [scorer.score_multi(row, text) for text, row in zip(texts, references, strict=True)]
    measures = [tuple(float(score[name].fmeasure) for score in scores) for name in names]
    return Rouge(*(Overlap(bootstrap_interval(rows), rows) for rows in measures))


class _HanCharacters:
    """A tokenizer for rouge-score: each Han character, and each run of other letters and digits, is a token."""

    def tokenize(self, text: str) -> list[str]:
        return re.findall("[\u3400-\u4dbf\u4e00-\u9fff]|[^\\W_\u3400-\u4dbf\u4e00-\u9fff]+", text.lower())


def _check_rows(texts: Sequence[str], references: Sequence[Sequence[str]]) -> None:
    if not texts or len(texts) != len(references):
        raise ValueError(f"overlap wants rows with references: got {len(texts)} texts, {len(references)} references")
    for number, row in enumerate(references, start=1):
        if isinstance(row, str) or not row:
            raise ValueError(f"row {number} wants a list of at least one reference, got {row!r:.60}")
