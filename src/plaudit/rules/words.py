"""The words of a text, and how far two texts speak of the same things."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence

_HAN = "\u3400-\u4dbf\u4e00-\u9fff"
_WORD = re.compile(rf"[{_HAN}]|[^\W_{_HAN}]+(?:'[^\W_{_HAN}]+)*")
# One syllable with one vowel letter: here an e makes another word (plan, plane), and -ing has eaten it (baking).
_SHORT = re.compile(r"[^aeiouy]*[aeiouy][^aeiouywx]")

_FUNCTION_WORDS = """
    a an the this that these those such same other another each every either both all any some few many much more most
    less least several enough
    i me my mine myself we us our ours ourselves you your yours yourself yourselves he him his himself she her hers
    herself it its itself they them their theirs themselves one ones someone something anyone anything everyone
    everything who whom whose which what when where why how whatever whenever wherever whoever
    and or but so yet if unless because since although though while whereas than then as
    of in on at by for with from to into onto out off over under up down about above below between among through during
    before after until against across along around toward towards within without upon via per
    am is are was were be been being do does did done doing have has had having can could may might must shall should
    will would ought let get gets got getting
    here there now just only also too very quite rather really even still again ever once almost perhaps maybe however
    therefore thus well please yes okay ok oh
    """
STOP_WORDS = frozenset(_FUNCTION_WORDS.split())
"""Words that hold a sentence together and say nothing of its subject. Negations are content: they turn it round."""


def words(text: str) -> list[str]:
    """The words in lower case, without punctuation; `don't` stays one word, a Chinese character is one of its own."""
    return _WORD.findall(text.replace("’", "'").lower())


def content_words(text: str) -> list[str]:
    """The words that carry meaning, stemmed, in order: no stop words, no `'s`; `n't` becomes `not`.

    Deviates from Porter's stemmer: only plurals, -ing, -ed and a silent e come off, so that unlike words stay unlike.
    """
    return [_stem(word) for word in map(_expanded, words(text)) if word not in STOP_WORDS]


def overlap_f1(text: str, reference: str) -> float:
    """How far the content words of both agree: the F1 of their multisets, in [0, 1]. 0 where either has none.

    2 * shared / (number in text + number in reference), a word shared as often as the rarer side has it (Rajpurkar et
    al. 2016): saying a right word five times gains nothing and costs precision.
    """
    said, wanted = Counter(content_words(text)), Counter(content_words(reference))
    shared = (said & wanted).total()
    return 2 * shared / (said.total() + wanted.total()) if shared else 0.0


def best_overlap_f1(text: str, references: Sequence[str]) -> float:
    """The overlap with the reference it agrees with best. Raises ValueError where there is no reference."""
    if not references:
        raise ValueError("overlap needs at least one reference")
    return max(overlap_f1(text, reference) for reference in references)


def _expanded(word: str) -> str:
    """A contraction without what could not be a content word: `isn't` -> not, `it's` -> it, `they've` -> they."""
    return "not" if word.endswith(("n't", "cannot")) else word.split("'")[0]


def _stem(word: str) -> str:
    """The word without plural, -ing, -ed and silent e: bakes, baking and baked are one with bake."""
    return _without_silent_e(_without_ending(_singular(word)))


def _singular(word: str) -> str:
    if word.endswith("ies") and len(word) > 4:
        return word[:-3] + "y"
    return word[:-1] if word.endswith("s") and not word.endswith(("ss", "us")) and len(word) > 3 else word


def _without_ending(word: str) -> str:
    if word.endswith("ied") and len(word) > 4:
        return word[:-3] + "y"
    for ending in ("ing", "ed"):
        root = word.removesuffix(ending)
        if root == word or not re.search("[aeiouy]", root) or word.endswith("eed"):
            continue
        if len(root) > 3 and root[-1] == root[-2] and root[-1] not in "aeioulsz":
            return root[:-1]  # running, run; but falling, fall
        return root + "e" if _SHORT.fullmatch(root) else root
    return word


def _without_silent_e(word: str) -> str:
    root = word.removesuffix("e")
    return root if len(root) >= 2 and not _SHORT.fullmatch(root) else word
