"""What can be said about a text without a model? Repetition, diversity, refusals, form, readability, instructions.

Invariant: text in, number or label out; pure functions. Fractions lie in [0, 1]. No torch; every word list is written
here, in the module that reads it or in a file beside it. What counts words is blind to case and to the width of white
space (a line break ends a sentence).
"""

from plaudit.rules.declines import is_decline
from plaudit.rules.diversity import distinct_at_equal_length, distinct_n
from plaudit.rules.form import ends_with_stop, num_sentences, num_words
from plaudit.rules.repetition import has_loop, repeated_ngram_frac
from plaudit.rules.words import best_overlap_f1, content_words

__all__ = [
    "best_overlap_f1",
    "content_words",
    "distinct_at_equal_length",
    "distinct_n",
    "ends_with_stop",
    "has_loop",
    "is_decline",
    "num_sentences",
    "num_words",
    "repeated_ngram_frac",
]
