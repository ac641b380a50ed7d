"""Span models and the dense rewards made of them."""

from mutations.mutation import Mutation

_TEXT = ("text/test_highlights.py",)
_SPANS = ("trainers/test_spans.py",)

MUTATIONS = [
    Mutation(
        "the neighbours of a span are marked too",
        "text/highlights.py",
        "place[0] < span.end and span.start < place[1]",
        "place[0] <= span.end and span.start <= place[1]",
        _TEXT,
    ),
    Mutation(
        "bytes of a character push what follows out of place",
        "text/highlights.py",
        'end = len(text.rstrip("\\N{REPLACEMENT CHARACTER}"))',
        "end = len(text)",
        _TEXT,
    ),
    Mutation(
        "all labels count",
        "text/highlights.py",
        "(not labels or span.label in labels) and",
        "span.label and",
        _TEXT,
    ),
    Mutation(
        "a micro-batch has a denominator of its own",
        "trainers/spans.py",
        "loss = marking_loss(logits, marked, rows.answer_mask, denominator, weights)",
        "loss = marking_loss(logits, marked, rows.answer_mask, float(rows.answer_mask.sum()), weights)",
        _SPANS,
    ),
    Mutation(
        "padding and prompt are fitted as unmarked",
        "trainers/spans.py",
        "return masked_sum(losses, answer_mask) / denominator",
        "return losses.sum() / denominator",
        _SPANS,
    ),
    Mutation(
        "a sentence is charged at its first token",
        "rewards/spans.py",
        "dense[row, sentence[-1]] =",
        "dense[row, sentence[0]] =",
        _SPANS,
    ),
    Mutation(
        "a point inside a number ends a sentence",
        "rewards/spans.py",
        "return bool(token.strip()) and parted and ends_with_stop(before)",
        "return bool(token.strip()) and ends_with_stop(before)",
        _SPANS,
    ),
    Mutation(
        "a return hears no rewards at single tokens",
        "trainers/experience.py",
        "returns = returns + zeroed(self.raw.dense, self.rows.answer_mask).sum(-1)",
        "returns = returns + 0.0",
        ["trainers/test_rloo.py", "trainers/test_ppo_options.py"],
    ),
    Mutation(
        "a return pays for tokens of the prompt",
        "trainers/experience.py",
        "zeroed(self.raw.dense, self.rows.answer_mask).sum(-1)",
        "self.raw.dense.sum(-1)",
        ["trainers/test_rloo.py", "trainers/test_ppo_options.py"],
    ),
    Mutation(
        "a span model beside a scorer pays nothing",
        "trainers/assembly.py",
        "spans if scorer is None else Summed(scorer, spans)",
        "spans if scorer is None else scorer",
        ["cli/test_spans.py"],
    ),
    Mutation(
        "what a span model learnt from may be tested on",
        "cli/inputs.py",
        '("model", "reward_model", "span_model")',
        '("model", "reward_model")',
        ["cli/test_spans.py"],
    ),
    Mutation(
        "right steps count as marked, wrong ones do not",
        "text/highlights.py",
        '(span.score < 0.5) == (scored == "low")',
        '(span.score < 0.5) == (scored == "high")',
        ["text/test_highlights.py"],
    ),
]
