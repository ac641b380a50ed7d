"""How close are the model's answers to what people wrote? BLEU, chrF and ROUGE on prompts with references."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from plaudit.evaluation.overlap import Language, bleu, chrf, rouge
from plaudit.evaluation.suites.choices import too_long
from plaudit.evaluation.suites.subject import Subject
from plaudit.evaluation.suites.suite import Findings
from plaudit.schemas.conversation import Messages, prompt_id, user
from plaudit.schemas.feedback import Demonstration

SUMMARISE = "Summarise this abstract in one sentence.\n\n{}"
TRANSLATE = "Translate this sentence into Chinese.\n\n{}"
_HAN = re.compile("[\u3400-\u4dbf\u4e00-\u9fff]")


@dataclass(frozen=True, slots=True)
class Referenced:
    """A prompt and all that people answered to it."""

    prompt: Messages
    references: tuple[str, ...]


def referenced(demonstrations: Sequence[Demonstration]) -> list[Referenced]:
    """Each prompt once, with the answers of all its demonstrations."""
    found: dict[str, tuple[Messages, list[str]]] = {}
    for row in demonstrations:
        found.setdefault(prompt_id(row.prompt), (row.prompt, []))[1].append(row.completion[-1].text)
    return [Referenced(prompt, tuple(texts)) for prompt, texts in found.values()]


def put_into(template: str, rows: Sequence[Referenced]) -> list[Referenced]:
    """The rows with each prompt's last message in the place of the template's `{}`."""
    return [
        Referenced((*row.prompt[:-1], user(template.replace("{}", row.prompt[-1].text))), row.references)
        for row in rows
    ]


def overlap(subject: Subject, rows: Sequence[Referenced], what: str) -> Findings:
    """BLEU and chrF (0 to 100, of all rows together), ROUGE (0 to 1, mean of the rows), white space at the ends cut.

    Where most letters of the references are Chinese, BLEU and ROUGE cut by characters.
    """
    answers = subject.answers([row.prompt for row in rows], what)
    kept = [(row, answer) for row, answer in zip(rows, answers, strict=True) if answer is not None]
    notes = too_long(len(rows) - len(kept), "prompts")
    if not kept:
        return Findings({"BLEU": None}, (), notes=notes)
    texts, references = [answer.text.strip() for _, answer in kept], [row.references for row, _ in kept]
    language = language_of([text for row in references for text in row])
    found, by_characters, shared = (
        bleu(texts, references, language),
        chrf(texts, references),
        rouge(texts, references, language),
    )
    measures = {
        "BLEU": found,
        "chrF": by_characters,
        "ROUGE-1": shared.rouge1,
        "ROUGE-2": shared.rouge2,
        "ROUGE-L": shared.rouge_l,
    }
    records = [
        {"prompt_id": prompt_id(row.prompt), "prompt": row.prompt, "answer": answer, "references": row.references}
        | {name: measure.rows[place] for name, measure in measures.items()}
        for place, (row, answer) in enumerate(kept)
    ]
    figures = {name: measure.corpus for name, measure in measures.items()}
    return Findings(figures, tuple(records), tuple(row.prompt for row, _ in kept), notes)


def language_of(texts: Sequence[str]) -> Language:
    """Chinese where more than half of all letters are Chinese characters, else English."""
    whole = "".join(texts)
    num_letters = sum(char.isalpha() for char in whole)
    return Language.CHINESE if 2 * len(_HAN.findall(whole)) > num_letters else Language.ENGLISH
