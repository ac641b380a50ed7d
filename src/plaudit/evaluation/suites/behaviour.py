"""What does the model do when asked? How often it declines, how often it offends, whether it follows instructions."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from plaudit.evaluation.instruction_accuracy import instruction_accuracy
from plaudit.evaluation.sets import InstructedPrompt
from plaudit.evaluation.suites.choices import too_long
from plaudit.evaluation.suites.subject import Subject
from plaudit.evaluation.suites.suite import Findings, fraction_of, mean_of
from plaudit.rules import has_loop, is_decline, num_words, repeated_ngram_frac
from plaudit.rules.instructions import followed_loosely, followed_strictly
from plaudit.rules.readability import readability
from plaudit.rules.toxicity import toxic_spans
from plaudit.schemas.conversation import Messages, prompt_id, unique_prompts
from plaudit.schemas.feedback import Prompt
from plaudit.schemas.protocols import Completion

Groups = Mapping[str, Sequence[Messages]]
"""Prompts by what is said of them. A prompt may stand in several groups."""
LOOP, STOPPED = "goes round in circles", "stopped by itself"
_YES_OR_NO = (LOOP, STOPPED)
XSTEST_SAFE, XSTEST_UNSAFE = "XSTest, safe", "XSTest, unsafe"


def xstest_groups(prompts: Sequence[Prompt]) -> dict[str, list[Messages]]:
    """XSTest's prompts (Röttger et al. 2024) by their `label`, and the safe ones by their `type` too.

    An unsafe prompt's type is that of the safe one it is the counterpart of.
    """
    groups: dict[str, list[Messages]] = {XSTEST_SAFE: [], XSTEST_UNSAFE: []}
    for prompt in prompts:
        label, kind = str(prompt.extra.get("label", "")), str(prompt.extra.get("type", ""))
        groups.setdefault(f"XSTest, {label}", []).append(prompt.prompt)
        if label == "safe" and kind:
            groups.setdefault(f"{XSTEST_SAFE}: {kind.replace('_', ' ')}", []).append(prompt.prompt)
    return groups


def decline_rates(subject: Subject, groups: Groups, what: str) -> Findings:
    """The fraction of each group's prompts that the model declines, as `rules.is_decline` reads its answer."""
    return _fractions(subject, groups, lambda text: {"is_decline": is_decline(text)}, what)


def toxicity_rates(subject: Subject, groups: Groups) -> Findings:
    """The fraction of each group's prompts whose answer has an offensive word (`rules.toxicity`), with its categories."""

    def found(text: str) -> dict[str, object]:
        spans = toxic_spans(text)
        return {"is_toxic": bool(spans), "categories": sorted({span.category.value for span in spans})}

    return _fractions(subject, groups, found, "toxicity")


def _fractions(subject: Subject, groups: Groups, judged: Callable[[str], Mapping[str, object]], what: str) -> Findings:
    """The mean of the first thing that is said of each answer, by group."""
    asked, answers, notes = _answered(subject, [prompt for prompts in groups.values() for prompt in prompts], what)
    said = {prompt_id(prompt): judged(answer.text) for prompt, answer in zip(asked, answers, strict=True)}
    members = {name: {prompt_id(prompt) for prompt in prompts} for name, prompts in groups.items()}
    figures = {}
    for name, prompts in groups.items():
        kept = [prompt for prompt in prompts if prompt_id(prompt) in said]
        figures[name] = fraction_of([bool(next(iter(said[prompt_id(prompt)].values()))) for prompt in kept], kept)
    rows = [
        {
            "prompt_id": prompt_id(prompt),
            "prompt": prompt,
            "groups": [name for name, ids in members.items() if prompt_id(prompt) in ids],
            "answer": answer,
            **said[prompt_id(prompt)],
        }
        for prompt, answer in zip(asked, answers, strict=True)
    ]
    return Findings(figures, tuple(rows), tuple(asked), notes)


def instructions(subject: Subject, told: Sequence[InstructedPrompt]) -> Findings:
    """IFEval's four accuracies (Zhou et al. 2023) on the prompts, and the strict one of each kind of instruction."""
    wanted = {prompt_id(row.prompt): row.instructions for row in told}
    asked, answers, notes = _answered(subject, [row.prompt for row in told], "instructions")
    if not asked:
        return Findings({"prompts, strict": None}, (), notes=notes)
    lists = [wanted[prompt_id(prompt)] for prompt in asked]
    found = instruction_accuracy(lists, [answer.text for answer in answers])
    figures = {
        "prompts, strict": found.prompt_strict,
        "prompts, loose": found.prompt_loose,
        "instructions, strict": found.instruction_strict,
        "instructions, loose": found.instruction_loose,
        **{f"{kind.replace('_', ' ')}, strict": estimate for kind, estimate in found.strict_by_kind.items()},
    }
    rows = [
        {
            "prompt_id": prompt_id(prompt),
            "prompt": prompt,
            "answer": answer,
            "kinds": [instruction.kind for instruction in of_prompt],
            "strict": followed_strictly(of_prompt, answer.text),
            "loose": followed_loosely(of_prompt, answer.text),
        }
        for prompt, answer, of_prompt in zip(asked, answers, lists, strict=True)
    ]
    return Findings(figures, tuple(rows), tuple(asked), notes)


def writing(subject: Subject, prompts: Sequence[Messages]) -> Findings:
    """How the answers read: Flesch's formulas where they are English, their length, and how far they repeat themselves."""
    asked, answers, notes = _answered(subject, prompts, "readability")
    rows = [
        {"prompt_id": prompt_id(prompt), "prompt": prompt, "answer": answer, **_of_text(answer)}
        for prompt, answer in zip(asked, answers, strict=True)
    ]
    figures = {}
    for name in _of_text(Completion("", True, 0)):
        known = [(row[name], prompt) for row, prompt in zip(rows, asked, strict=True) if row[name] is not None]
        averaged = fraction_of if name in _YES_OR_NO else mean_of
        figures[name] = averaged([float(str(value)) for value, _ in known], [prompt for _, prompt in known])
    return Findings(figures, tuple(rows), tuple(asked), notes)


def _of_text(answer: Completion) -> dict[str, float | None]:
    found = readability(answer.text)
    return {
        "reading ease (60 to 70 is plain English)": found.reading_ease,
        "grade (years of school)": found.grade,
        "words a sentence": found.words_per_sentence,
        "Chinese characters a sentence": found.han_per_sentence,
        "words an answer": float(num_words(answer.text)),
        "repeated trigrams": repeated_ngram_frac(answer.text, 3),
        LOOP: float(has_loop(answer.text)),
        STOPPED: float(answer.finished),
    }


def _answered(
    subject: Subject, prompts: Sequence[Messages], what: str
) -> tuple[list[Messages], list[Completion], tuple[str, ...]]:
    """The prompts that fit, each once, their answers, and what to say of the others."""
    unique = unique_prompts(prompts)
    pairs = list(zip(unique, subject.answers(unique, what), strict=True))
    kept = [(prompt, answer) for prompt, answer in pairs if answer is not None]
    notes = too_long(len(pairs) - len(kept), "prompts")
    return [prompt for prompt, _ in kept], [answer for _, answer in kept], notes
