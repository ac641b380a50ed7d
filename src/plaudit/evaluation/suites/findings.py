"""Which rows a suite takes, and who reads them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import assert_never

from plaudit.evaluation.sets import alarming_prompts, harmful_prompts, identity_pairs, instructed_prompts
from plaudit.evaluation.suites.behaviour import (
    XSTEST_SAFE,
    decline_rates,
    instructions,
    toxicity_rates,
    writing,
    xstest_groups,
)
from plaudit.evaluation.suites.bias import bias
from plaudit.evaluation.suites.choices import hhh, truthfulqa
from plaudit.evaluation.suites.hallucination import hallucination
from plaudit.evaluation.suites.public_sets import Published, SuiteData, where_to_get
from plaudit.evaluation.suites.references import SUMMARISE, TRANSLATE, overlap, put_into, referenced
from plaudit.evaluation.suites.subject import Subject
from plaudit.evaluation.suites.suite import Findings, Subset, Suite
from plaudit.schemas.conversation import Messages
from plaudit.schemas.errors import PlauditError
from plaudit.schemas.feedback import Comparison, Demonstration, Highlights, Prompt, Ranking

CheckUnseen = Callable[[Sequence[Messages]], None]
"""Raises PlauditError where one of the prompts was trained on."""


def findings_of(suite: Suite, subject: Subject, data: SuiteData, subset: Subset, check_unseen: CheckUnseen) -> Findings:
    """What the suite says of the subject. Raises PlauditError where it cannot be measured."""
    match suite:
        case Suite.HHH:
            comparisons = subset.of(data.of(Published.HHH, Comparison), "comparisons")
            check_unseen([row.prompt for row in comparisons])
            return hhh(subject, comparisons)
        case Suite.TRUTHFULQA:
            questions = subset.of(data.of(Published.TRUTHFULQA, Ranking), "questions")
            check_unseen([row.prompt for row in questions])
            return truthfulqa(subject, questions, data.primer)
        case Suite.HALLUCINATION:
            marked = subset.of(data.of(Published.QA_FEEDBACK, Highlights), "questions with passages")
            check_unseen([row.prompt for row in marked])
            return hallucination(subject, marked)
        case Suite.SUMMARIES | Suite.TRANSLATION | Suite.OVERLAP:
            demonstrations, template = _references(suite, data)
            rows = subset.of(referenced(demonstrations), "prompts with references")
            asked = put_into(template, rows)
            # What was trained on may have stood in a template, or not.
            for prompts in (rows, asked):
                check_unseen([row.prompt for row in prompts])
            return overlap(subject, asked, suite.value)
        case Suite.INSTRUCTIONS:
            told = subset.of(instructed_prompts(), "shipped prompts with instructions")
            check_unseen([row.prompt for row in told])
            return instructions(subject, told)
        case Suite.BIAS:
            pairs = subset.of(identity_pairs(), "shipped identity pairs")
            check_unseen([side for pair in pairs for side in (pair.a, pair.b)])
            return bias(subject, pairs)
        case Suite.OVER_REFUSAL | Suite.REFUSALS | Suite.TOXICITY | Suite.READABILITY:
            groups = _groups(suite, data, subset)
            check_unseen([prompt for prompts in groups.values() for prompt in prompts])
            return _of_answers(suite, subject, groups)
        case _:
            assert_never(suite)


def _references(suite: Suite, data: SuiteData) -> tuple[Sequence[Demonstration], str]:
    """The demonstrations, and the text round each of their prompts."""
    if suite is Suite.SUMMARIES:
        return data.of(Published.SCITLDR, Demonstration), SUMMARISE
    if suite is Suite.TRANSLATION:
        return data.of(Published.TATOEBA, Demonstration), TRANSLATE
    if not data.references:
        raise PlauditError(
            "it needs prompts with what people answered: name a file of demonstrations with --references"
        )
    return data.references, "{}"


def _groups(suite: Suite, data: SuiteData, subset: Subset) -> dict[str, list[Messages]]:
    """The prompts of a suite that reads answers, by group; XSTest's are empty where that set is not there."""
    groups = {}
    if suite is not Suite.REFUSALS:
        groups["alarming but safe"] = subset.of([row.prompt for row in alarming_prompts()], "alarming but safe prompts")
    if suite in (Suite.REFUSALS, Suite.TOXICITY):
        groups["harmful"] = subset.of([row.prompt for row in harmful_prompts()], "harmful prompts")
    if suite in (Suite.TOXICITY, Suite.READABILITY) and data.prompts:
        groups["given prompts"] = subset.of(data.prompts, "given prompts")
    if suite is Suite.OVER_REFUSAL:
        xstest = [record for record in data.published.get(Published.XSTEST, ()) if isinstance(record, Prompt)]
        groups |= xstest_groups(subset.of(xstest, "prompts of XSTest"))
    return groups


def _of_answers(suite: Suite, subject: Subject, groups: dict[str, list[Messages]]) -> Findings:
    if suite is Suite.TOXICITY:
        return toxicity_rates(subject, groups)
    if suite is Suite.READABILITY:
        return writing(subject, [prompt for prompts in groups.values() for prompt in prompts])
    found = decline_rates(subject, groups, suite.value)
    if suite is Suite.OVER_REFUSAL and not groups[XSTEST_SAFE]:
        missing = f"XSTest is not measured: {where_to_get(Published.XSTEST)}."
        return replace(found, notes=(*found.notes, missing))
    return found
