"""A subject with known answers, and the slow way to a log-probability: plain transformers, one answer at a time."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from plaudit.schemas.conversation import Messages, prompt_id
from plaudit.schemas.protocols import Completion, TextScore

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

    from plaudit.evaluation.suites.subject import Subject


@pytest.fixture
def subject() -> Subject:
    """`tiny`, at most eight tokens an answer."""
    return tiny_subject()


@pytest.fixture
def data() -> Path:
    """The folder of real data."""
    folder = os.environ.get("PLAUDIT_DATA")
    if not folder:
        pytest.skip("PLAUDIT_DATA is unset: set it to the folder of real data sets to run this")
    return Path(folder)


class Lengths:
    """A scorer that counts: 100 for each word of the prompt, 1 for each letter of the answer."""

    def score(self, prompts: Sequence[Messages], completions: Sequence[Completion]) -> list[TextScore]:
        words = [len(" ".join(message.text for message in prompt).split()) for prompt in prompts]
        return [TextScore(100 * num + len(given.text)) for num, given in zip(words, completions, strict=True)]


def tiny_subject(scored: bool = False) -> Subject:
    from plaudit.evaluation.judges import ScoreJudge
    from plaudit.evaluation.suites.subject import Subject
    from plaudit.models.load import load_causal_lm, load_codec
    from plaudit.models.policy import PolicyModel, TrainLayers
    from plaudit.rollout.sampler import Sampling

    return Subject(
        "tiny",
        PolicyModel(load_causal_lm("tiny"), TrainLayers(kind="all")),
        load_codec("tiny"),
        sampling=Sampling(max_new_tokens=8, greedy=True, batch_size=3),
        judge=ScoreJudge(Lengths()) if scored else None,
    )


def saying(texts: Mapping[str, str], scored: bool = False) -> Subject:
    """`tiny`, but its answers are given: by the text of the prompt."""
    from plaudit.schemas.conversation import user

    found = tiny_subject(scored)
    for prompt, text in texts.items():
        found._answers[prompt_id((user(prompt),))] = Completion(text, True, len(text.split()))
    return found


def slow_logprob(
    model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, prompt: Messages, answer: str
) -> tuple[float, int]:
    """log p of the answer and of the end of its turn, and the number of tokens: one forward pass, each token looked up."""
    chat = [{"role": message.role.value, "content": message.text} for message in prompt]
    before = tokenizer.apply_chat_template(chat, tokenize=False, add_generation_prompt=True)
    written = [*tokenizer.encode(answer, add_special_tokens=False), tokenizer.eos_token_id]
    return slow_sum(model, tokenizer.encode(before, add_special_tokens=False), written)


def slow_sum(model: PreTrainedModel, asked: list[int], written: list[int]) -> tuple[float, int]:
    """The sum of log softmax at each written token, and their number."""
    import torch

    with torch.no_grad():
        logits = model(torch.tensor([[*asked, *written]])).logits[0].double()
    total = 0.0
    for place, token in enumerate(written, start=len(asked)):
        row = logits[place - 1]
        total += float(row[token] - row.exp().sum().log())
    return total, len(written)
