"""A reward model that reads texts."""

from collections.abc import Sequence
from pathlib import Path

import pytest
import torch
from torch import Tensor

from plaudit.evaluation.reward_scorer import RewardModelScorer, quality_on_records
from plaudit.models.policy import TrainLayers
from plaudit.models.reward import load_reward_model
from plaudit.rewards.learned import LearnedScorer
from plaudit.rewards.textual import completions
from plaudit.rollout.sampler import Sampling, sampled
from plaudit.schemas.conversation import Messages, assistant, user
from plaudit.schemas.feedback import Comparison, Ranking, Verdict
from plaudit.schemas.protocols import Completion, TextScorer
from plaudit.text.chat import ChatCodec
from plaudit.text.prompts import TooLong, encoded_prompts
from tests.conftest import Tiny

ALL = TrainLayers(kind="all")


def test_texts_get_the_scores_that_training_gives_their_tokens(tiny_reward: Path, tiny: Tiny) -> None:
    """Answers that are no text (bytes that are no UTF-8, special tokens in the middle) cannot be read back: left out."""
    reward = load_reward_model(str(tiny_reward), ALL)
    prompts, _ = encoded_prompts([(user("hi"),), (user("x"),)], tiny.codec, max_tokens=50, too_long=TooLong.REFUSE)
    rollouts = sampled(tiny.model, tiny.codec, prompts, Sampling(max_new_tokens=2), num_answers=300, seed=0)
    expected = LearnedScorer(reward, tiny.codec, policy_codec=tiny.codec)(prompts, rollouts).total.tolist()
    answers = completions(rollouts)
    asked = [prompts[i].messages for i in rollouts.prompt_index.tolist()]
    scorer: TextScorer = RewardModelScorer(reward, tiny.codec, micro_batch_size=7)
    found = [score.score for score in scorer.score(asked, answers)]
    rows = rollouts.rows
    texts = [
        tiny.codec.encoded(prompt, (assistant(x.text),), truncated=not x.finished)
        for prompt, x in zip(asked, answers, strict=True)
    ]
    whole = [i for i, row in enumerate(texts) if list(row.token_ids) == rows.token_ids[i, : rows.lengths[i]].tolist()]
    assert len(whole) > 100
    assert {answers[i].finished for i in whole} == {True, False}
    assert [found[i] for i in whole] == pytest.approx([expected[i] for i in whole], abs=1e-5)


def test_the_raw_score_is_the_models_own(tiny_reward: Path, codec: ChatCodec) -> None:
    reward = load_reward_model(str(tiny_reward), ALL)
    row = codec.encoded((user("hi"),), (assistant("yes"),))
    with torch.no_grad():
        expected = float(reward.full(torch.tensor([row.token_ids])).logits[0, 0])
    scorer = RewardModelScorer(reward, codec)
    answer = Completion("yes", finished=True, num_tokens=4)
    assert scorer.raw([(user("hi"),)], [answer]).tolist() == pytest.approx([expected], abs=1e-6)
    assert scorer.score([(user("hi"),)], [answer])[0].score == pytest.approx((expected - 0.25) / 0.5, abs=1e-5)
    assert scorer.score([], []) == []


def lengths(prompts: Sequence[Messages], answers: Sequence[Completion]) -> Tensor:
    """A scorer that likes length, and once it is cut off nothing."""
    return torch.tensor([len(answer.text) * float(answer.finished) for answer in answers])


HI = (user("hi"),)


def test_people_against_a_scorer_worked_by_hand() -> None:
    records = [
        Ranking(
            prompt=HI,
            completions=tuple((assistant(text),) for text in ("aaa", "bb", "cc")),
            ranks=(0, 1, 1),  # aaa above both, bb and cc tie: two strict pairs, both right
            truncated=(False, False, True),
            source="panel",
        ),
        # The same prompt: one cluster with the ranking.
        Comparison(prompt=HI, a=(assistant("z"),), b=(assistant("zzz"),), verdict=Verdict.A, source="others"),
        Comparison(prompt=(user("q"),), a=(assistant("z"),), b=(assistant("zzz"),), verdict=Verdict.TIE),
    ]
    found = quality_on_records(lengths, records)
    assert found is not None
    assert (found.accuracy.value, found.accuracy.n) == (2 / 3, 3)
    # A single prompt: Wilson's of one observation.
    assert (found.accuracy.low, found.accuracy.high) == pytest.approx((0.0942, 0.9747), abs=1e-4)
    assert (found.precision, found.recall) == (1.0, 2 / 3)
    assert {name: estimate.value for name, estimate in found.by_source.items()} == {"others": 0.0, "panel": 1.0}
    assert {name: (e.value, e.n) for name, e in found.by_length_difference.items()} == {
        "preferred much shorter": (0.0, 1),
        "preferred longer": (1.0, 2),
    }


def test_several_people_on_one_pair_are_one_verdict() -> None:
    def said(verdict: Verdict) -> Comparison:
        return Comparison(prompt=HI, a=(assistant("aa"),), b=(assistant("b"),), verdict=verdict)

    found = quality_on_records(lengths, [said(Verdict.A), said(Verdict.A), said(Verdict.B)])
    assert found is not None
    assert (found.accuracy.value, found.accuracy.n) == (1.0, 1)
    assert quality_on_records(lengths, [said(Verdict.A), said(Verdict.B)]) is None
    assert quality_on_records(lengths, []) is None


def test_a_completion_of_several_turns_is_scored_at_its_last() -> None:
    seen: list[tuple[Messages, str]] = []

    def keep(prompts: Sequence[Messages], answers: Sequence[Completion]) -> Tensor:
        seen.extend(zip(prompts, (answer.text for answer in answers), strict=True))
        return torch.tensor([1.0, 0.0])

    turns = (assistant("first"), user("and?"), assistant("last"))
    quality_on_records(keep, [Comparison(prompt=HI, a=turns, b=(assistant("b"),), verdict=Verdict.A)])
    assert seen == [((*HI, *turns[:2]), "last"), (HI, "b")]
