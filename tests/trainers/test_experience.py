"""What PPO and RLOO learn from: which prompts, which scores, which metrics."""

import math
from collections.abc import Sequence
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from plaudit.batches.rollouts import Rollouts
from plaudit.models.load import Precision, load_causal_lm, load_codec
from plaudit.models.policy import PolicyModel
from plaudit.rewards import Scores
from plaudit.runs import PhaseTimer
from plaudit.schemas.conversation import Messages, user
from plaudit.schemas.errors import PlauditError
from plaudit.schemas.protocols import Interlocutor
from plaudit.text.chat import ChatCodec
from plaudit.text.prompts import EncodedPrompt, TooLong, encoded_prompts
from plaudit.trainers.experience import Actor, ExperienceConfig, adjusted_scores, checked_scores, prompts_of_step
from tests.trainers.toy import ES, PROMPTS, UPPER, experience, moved


def actor_of(
    folder: str,
    config: ExperienceConfig | None = None,
    codec: ChatCodec | None = None,
    texts: tuple[str, ...] = (),
    interlocutor: Interlocutor | None = None,
) -> Actor:
    codec = codec or load_codec(folder)
    prompts = [(user(text),) for text in texts] or PROMPTS
    encoded, _ = encoded_prompts(prompts, codec, max_tokens=300, too_long=TooLong.REFUSE)
    policy = PolicyModel(load_causal_lm(folder), UPPER)
    return Actor(
        config or experience(),
        policy,
        policy.reference(),
        codec,
        ES,
        encoded,
        seed=0,
        micro_batch_size=3,
        timer=PhaseTimer(),
        interlocutor=interlocutor,
    )


def test_what_is_said_before_there_is_a_run_is_kept_for_it(start: str) -> None:
    actor, said = actor_of(start), list[str]()
    actor.say("early")
    actor.tell_with(said.append)
    actor.say("late")
    actor.tell_with(lambda text: said.append(f"to another: {text}"))
    actor.say("later")
    assert said == ["early", "late", "to another: later"]


def names(num: int) -> list[EncodedPrompt]:
    return [EncodedPrompt(str(i), (user(str(i)),), (1, 2)) for i in range(num)]


@given(st.integers(1, 9), st.integers(1, 12), st.integers(1, 6), st.integers(0, 3))
def test_prompts_cycle_without_repetition_within_a_pass(num: int, per_step: int, num_steps: int, seed: int) -> None:
    """However steps and passes fall: every stretch of as many prompts as there are holds each once."""
    prompts = names(num)
    drawn = [p.id for step in range(num_steps) for p in prompts_of_step(prompts, step, per_step, seed)]
    assert len(drawn) == num_steps * per_step
    passes = [drawn[i : i + num] for i in range(0, len(drawn), num)]
    assert all(len(set(chunk)) == len(chunk) for chunk in passes)
    assert all(len(chunk) == num for chunk in passes[:-1])


def test_each_pass_has_an_order_of_its_own_from_the_seed() -> None:
    prompts = names(8)
    passes = [tuple(p.id for p in prompts_of_step(prompts, step, 8, 0)) for step in range(6)]
    assert len(set(passes)) == 6
    assert tuple(p.id for p in prompts_of_step(prompts, 3, 8, 0)) == passes[3]
    assert tuple(p.id for p in prompts_of_step(prompts, 3, 8, 1)) != passes[3]


T, F = True, False


@pytest.mark.parametrize(
    ("score", "penalty", "expected"),
    [
        (None, 0.0, [1.0, 2.0, -3.0]),
        (-1.0, 0.0, [1.0, -1.0, -1.0]),  # replaces, whatever the score was
        (None, 0.5, [1.0, 1.5, -3.5]),  # subtracts
        (-1.0, 0.5, [1.0, -1.5, -1.5]),  # first the one, then the other
        (0.0, 0.0, [1.0, 0.0, 0.0]),  # zero is a score too
    ],
)
def test_truncated_answers_lose_their_score_or_some_of_it(
    score: float | None, penalty: float, expected: list[float]
) -> None:
    scores, finished = torch.tensor([1.0, 2.0, -3.0]), torch.tensor([T, F, F])
    found = adjusted_scores(scores, finished, truncated_score=score, truncated_penalty=penalty)
    assert found.tolist() == expected
    assert scores.tolist() == [1.0, 2.0, -3.0]


@pytest.mark.parametrize("settings", [{"truncated_score": -7.0}, {"truncated_penalty": 3.0}])
def test_what_counts_as_truncated_is_the_stop_token_not_the_tokenizers_eos(
    start: str, settings: dict[str, float]
) -> None:
    """A tokenizer whose eos is another token than the one that ends a turn, as many have."""
    codec = load_codec(start)
    codec.tokenizer.eos_token = "<|turn|>"
    codec = ChatCodec(codec.tokenizer)
    assert codec.stop_id != codec.tokenizer.eos_token_id
    config = experience(max_new_tokens=4, **settings)
    found = actor_of(start, config, codec).gather(0)
    last = [bool(found.rows.token_ids[i, found.rows.lengths[i] - 1] == codec.stop_id) for i in range(len(found.rows))]
    assert set(last) == {T, F}
    for i, ended in enumerate(last):
        plain = float(found.rollouts.texts[i].count("e"))
        cut = -7.0 if "truncated_score" in settings else plain - 3.0
        assert found.scores[i].item() == (plain if ended else cut)
        assert found.raw.total[i].item() == plain


@pytest.mark.parametrize("temperature", [1.0, 0.7])
def test_the_reference_is_asked_at_the_samplers_temperature(start: str, temperature: float) -> None:
    """Before any update the two are one policy: no divergence at any token."""
    found = actor_of(start, experience(temperature=temperature)).gather(0)
    assert (found.rollouts.logprobs - found.ref_logprobs).abs().max() < 1e-4
    assert found.kl.abs().max() < 1e-3


def test_the_divergence_is_summed_over_each_answer(start: str) -> None:
    actor = actor_of(start)
    moved(actor.policy)
    found = actor.gather(0)
    mask = found.rows.answer_mask
    assert not found.ref_logprobs[~mask].any()
    for i in range(len(mask)):
        expected = sum((found.rollouts.logprobs[i] - found.ref_logprobs[i])[mask[i]].tolist())
        assert found.kl[i].item() == pytest.approx(expected, abs=1e-4)
    assert found.kl.abs().min() > 1e-4


def test_the_rows_are_prepared_for_the_policy(start: str) -> None:
    actor = actor_of(start)
    rows = actor.gather(0).rows
    assert actor.policy.branch.trunk is not None
    assert rows.trunk_key == actor.policy.branch.trunk.key


def test_equal_prompts_in_one_step_get_different_answers(start: str) -> None:
    config = experience(prompts_per_step=3, answers_per_prompt=2, max_new_tokens=24)
    actor = actor_of("tiny", config, texts=("the only one",))
    assert len(set(actor.gather(0).rollouts.texts)) == 6
    assert not set(actor.gather(0).rollouts.texts) & set(actor.gather(1).rollouts.texts)


def test_the_learner_says_the_old_logprobs_where_the_sampler_is_not_exact(start: str) -> None:
    actor = actor_of(start, experience(temperature=0.7))
    actor.policy = PolicyModel(load_causal_lm(start, precision=Precision.FLOAT32), UPPER, mixed=True)
    found = actor.gather(0)
    with torch.no_grad():
        expected = actor.policy(found.rows, 0.7).logprobs
    assert torch.allclose(found.rollouts.logprobs, expected, atol=1e-4)
    assert set(actor.timer.seconds()) == {"sample", "trunk", "score", "old", "reference"}


def scores(sums: list[float], **components: list[float]) -> Scores:
    return Scores(torch.tensor(sums), {name: torch.tensor(values) for name, values in components.items()})


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_a_score_that_is_no_number_is_refused(bad: float) -> None:
    with pytest.raises(PlauditError, match="not finite: look at the reward model or function"):
        checked_scores(scores([1.0, bad]), 2)


@pytest.mark.parametrize(
    "wrong", [scores([1.0]), scores([1.0] * 3), scores([1.0] * 2, part=[0.0]), scores([1.0], total=[1.0] * 2)]
)
def test_another_number_of_scores_than_answers_is_refused(wrong: Scores) -> None:
    """One score for all would otherwise be spread over them."""
    with pytest.raises(PlauditError, match="one score an answer: 2 answers, got"):
        checked_scores(wrong, 2)


@pytest.mark.parametrize("name", ["mean", "std"])
def test_a_component_may_not_take_the_totals_name(name: str) -> None:
    with pytest.raises(PlauditError, match=f"is called {name}: .* give the component another name"):
        checked_scores(scores([1.0, 2.0], **{name: [0.0, 0.0]}), 2)
    fine = scores([1.0, 2.0], meaning=[0.0, 0.0], total=[1.0, 2.0])
    assert checked_scores(fine, 2) is fine


def test_each_component_is_logged_by_its_name(start: str) -> None:
    actor = actor_of(start)

    def scorer(_: object, rollouts: Rollouts) -> Scores:
        half = torch.full((len(rollouts),), 0.5)
        return Scores(2 * half, {"form": half, "content/words": -half})

    actor.scorer = scorer
    metrics = actor.gather(0).metrics()
    assert (metrics["score/form"], metrics["score/content/words"]) == (0.5, -0.5)
    assert (metrics["score/mean"], metrics["score/std"]) == (1.0, 0.0)


@pytest.mark.parametrize("num_answers", [2, 8])
def test_the_best_and_the_worst_answers_are_shown(start: str, num_answers: int) -> None:
    found = actor_of(start, experience(prompts_per_step=3, answers_per_prompt=num_answers)).gather(0)
    shown = found.samples(7)
    order = sorted(found.scores.tolist(), reverse=True)
    expected = order if num_answers == 2 else [*order[:4], *order[-4:]]
    assert [row["score"] for row in shown] == expected
    for row in shown:
        assert row["step"] == 7
        i = found.rollouts.texts.index(str(row["answer"]))
        assert row["score"] == found.scores[i].item()
        assert set(row) == {"step", "prompt", "answer", "score", "kl", "finished"}


class Talkative:
    """Asks on at length."""

    def replies(self, conversations: Sequence[Messages]) -> list[str | None]:
        return ["hi " * 80 for _ in conversations]


def test_an_episode_ends_where_the_context_leaves_no_room(start: str) -> None:
    """One more turn of 240 tokens and an answer of 16 fit into 512, two turns do not, whatever max_prompt_tokens says."""
    config = experience(answers_per_prompt=8, max_answers=9, max_prompt_tokens=9999, max_new_tokens=16)
    found = actor_of(start, config, interlocutor=Talkative()).gather(0)
    answers = torch.tensor([1 + len(said) // 2 for said in found.rollouts.turns])
    assert answers.max() == 2
    # Some of these would have gone on.
    assert found.rollouts.finished[answers == 2].any()


def test_a_cut_prompt_is_said_to_be_too_long(start: str, tmp_path: Path) -> None:
    with pytest.raises(PlauditError, match="do not fit into the model's context of 512 tokens"):
        actor_of(start, experience(max_new_tokens=512)).gather(0)
