"""Episodes of several answers: the tokens as they were drawn, the person's turns masked, one return for all."""

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from plaudit.batches.rollouts import Rollouts
from plaudit.models.load import load_causal_lm, load_codec
from plaudit.models.policy import PolicyModel
from plaudit.rewards import FunctionScorer
from plaudit.rewards.textual import completions
from plaudit.rollout.episodes import episodes
from plaudit.rollout.sampler import Sampling, sampled
from plaudit.runs import read_metrics
from plaudit.schemas.conversation import Messages, Role, assistant
from plaudit.schemas.errors import PlauditError
from plaudit.text.prompts import EncodedPrompt, TooLong, asked, encoded_prompts
from plaudit.trainers import ppo, rloo
from plaudit.trainers.experience import ExperienceConfig
from tests.trainers import test_rloo
from tests.trainers.toy import ES, PROMPTS, UPPER, experience, moved, ppo_config


class Curious:
    """Asks on, except where an answer holds the letter; remembers what it heard."""

    def __init__(self, satisfied_by: str = "a") -> None:
        self.satisfied_by = satisfied_by
        self.heard: list[Messages] = []

    def replies(self, conversations: Sequence[Messages]) -> list[str | None]:
        self.heard += conversations
        return [None if self.satisfied_by in c[-1].text else f"and {len(c)}?" for c in conversations]


@pytest.fixture
def policy(start: str) -> PolicyModel:
    model = PolicyModel(load_causal_lm(start), UPPER)
    moved(model, by=0.02)
    return model


def drawn(
    policy: PolicyModel,
    interlocutor: Curious,
    prompts: Sequence[Messages] = PROMPTS,
    *,
    num_answers: int = 3,
    max_answers: int = 3,
    max_tokens: int = 120,
) -> tuple[Rollouts, list[EncodedPrompt]]:
    codec = load_codec("tiny")
    encoded, _ = encoded_prompts(prompts, codec, max_tokens=99, too_long=TooLong.REFUSE)

    def sample(some: Sequence[EncodedPrompt], num: int) -> Rollouts:
        sampling = Sampling(max_new_tokens=8)
        return sampled(
            policy.full,
            codec,
            some,
            sampling,
            num_answers=num,
            seed=0,
            keep_states=True,
            trunk=policy.branch.trunk,
        )

    found = episodes(
        sample,
        codec,
        encoded,
        interlocutor,
        num_answers=num_answers,
        max_answers=max_answers,
        max_tokens=max_tokens,
    )
    return found, encoded


def completion_of(rollouts: Rollouts, i: int) -> Messages:
    return (*rollouts.turns[i], assistant(rollouts.texts[i]))


def test_a_row_is_the_conversation_with_all_answers_counted(policy: PolicyModel) -> None:
    found, prompts = drawn(policy, Curious())
    codec = load_codec("tiny")
    lengths = set()
    for i, owner in enumerate(found.prompt_index.tolist()):
        said = completion_of(found, i)
        lengths.add(len(said))
        assert [message.role for message in said] == [Role.ASSISTANT, Role.USER] * (len(said) // 2) + [Role.ASSISTANT]
        expected = codec.encoded(prompts[owner].messages, said, truncated=not found.finished[i])
        num = int(found.rows.lengths[i])
        assert found.rows.token_ids[i, :num].tolist() == list(expected.token_ids)
        assert found.rows.answer_mask[i, :num].tolist() == list(expected.answer_mask)
        assert not found.rows.answer_mask[i, num:].any()
    assert lengths == {1, 3, 5}


def test_log_probabilities_states_and_activations_are_the_learners(policy: PolicyModel) -> None:
    """Of every answer of an episode, those before its last included."""
    found, _ = drawn(policy, Curious())
    assert found.states is not None
    plain = replace(found.rows, trunk=None, trunk_key="")
    stats = policy(policy.prepared(plain))
    assert (stats.logprobs - found.logprobs).abs().max() < 1e-4
    mask = found.rows.answer_mask
    assert torch.allclose(stats.hidden[mask], found.states[mask], atol=1e-4)
    kept, computed = found.rows.trunk, policy.prepared(plain).trunk
    assert kept is not None
    assert computed is not None
    seen = found.rows.attention_mask
    assert torch.allclose(kept[seen], computed[seen], atol=1e-4)
    assert torch.allclose(policy(found.rows).logprobs, stats.logprobs, atol=1e-4)


def test_an_episode_ends_where_there_is_nothing_to_say(policy: PolicyModel) -> None:
    curious = Curious()
    found, _ = drawn(policy, curious)
    for i in range(len(found)):
        said = completion_of(found, i)
        answers = [message.text for message in said if message.role is Role.ASSISTANT]
        assert not any("a" in text for text in answers[:-1])
        assert len(answers) == 3 or "a" in answers[-1] or not found.finished[i]
    assert all(conversation[-1].role is Role.ASSISTANT for conversation in curious.heard)
    nobody, _ = drawn(policy, Curious(satisfied_by=""))
    assert nobody.turns == ()


def test_an_answer_that_was_cut_off_is_the_last(policy: PolicyModel) -> None:
    found, _ = drawn(policy, Curious(satisfied_by="?"), num_answers=8)
    cut = [i for i in range(len(found)) if not found.finished[i]]
    assert cut
    for i in range(len(found)):
        num = int(found.rows.lengths[i])
        stops = (found.rows.token_ids[i, :num] == load_codec("tiny").stop_id) & found.rows.answer_mask[i, :num]
        assert int(stops.sum()) == len(completion_of(found, i)) // 2 + bool(found.finished[i])


def test_a_conversation_does_not_outgrow_the_limit(policy: PolicyModel) -> None:
    codec, limit = load_codec("tiny"), 40
    short, prompts = drawn(policy, Curious(satisfied_by="?"), max_tokens=limit)
    long, _ = drawn(policy, Curious(satisfied_by="?"))
    sizes = [[len(codec.prompt_ids(before)) for before in asked(prompts, found)] for found in (short, long)]
    assert len(prompts) * 3 > sum(size > limit for size in sizes[1]) > 0
    assert max(size for size, said in zip(sizes[0], short.turns, strict=True) if said) <= limit
    # Those that stayed within it are the same in both.
    same = [i for i, size in enumerate(sizes[1]) if size <= limit]
    assert [short.texts[i] for i in same] == [long.texts[i] for i in same]


def test_an_episode_does_not_depend_on_its_neighbours(policy: PolicyModel) -> None:
    together, _ = drawn(policy, Curious())
    alone, _ = drawn(policy, Curious(), PROMPTS[2:3])
    mine = [i for i, owner in enumerate(together.prompt_index.tolist()) if owner == 2]
    assert [completion_of(together, i) for i in mine] == [completion_of(alone, i) for i in range(3)]


def test_an_episode_does_not_depend_on_which_of_its_siblings_go_on(policy: PolicyModel) -> None:
    all_of_them, _ = drawn(policy, Curious(satisfied_by="?"), PROMPTS[:1], num_answers=6)
    first = completion_of(all_of_them, 0)[0]

    class Tired(Curious):
        def replies(self, conversations: Sequence[Messages]) -> list[str | None]:
            return [None if c[1] == first else f"and {len(c)}?" for c in conversations]

    without, _ = drawn(policy, Tired(), PROMPTS[:1], num_answers=6)
    assert without.turns[0] == ()
    others = [i for i in range(6) if completion_of(all_of_them, i)[0] != first]
    assert len(others) >= 3
    assert [completion_of(without, i) for i in others] == [completion_of(all_of_them, i) for i in others]


def test_scorers_read_the_last_answer_and_all_before_it(policy: PolicyModel) -> None:
    found, prompts = drawn(policy, Curious())
    heard: list[tuple[str, str]] = []

    def listen(asked_: list[str], answers: list[str]) -> list[float]:
        heard.extend(zip(asked_, answers, strict=True))
        return [0.0] * len(answers)

    FunctionScorer(listen)(prompts, found)
    for i, (before, answer) in enumerate(heard):
        owner = prompts[int(found.prompt_index[i])]
        assert before == "\n".join(message.text for message in (*owner.messages, *found.turns[i]))
        assert answer == found.texts[i]
    assert [c.num_tokens for c in completions(found)] == found.rows.answer_mask.sum(-1).tolist()


@pytest.mark.parametrize("replies", [["one"], [3] * 18, []])
def test_replies_that_do_not_fit_are_refused(policy: PolicyModel, replies: list[object]) -> None:
    class Wrong(Curious):
        def replies(self, conversations: Sequence[Messages]) -> list[str | None]:
            return [*replies, *[3] * (len(conversations) - len(replies))] if len(replies) == 18 else replies  # type: ignore[list-item,return-value]

    with pytest.raises(PlauditError, match="must give one text, or None, for each conversation"):
        drawn(policy, Wrong())


def test_an_interlocutor_and_several_answers_belong_together(start: str) -> None:
    several = experience(max_answers=2)
    with pytest.raises(PlauditError, match="max_answers = 2 and an interlocutor belong together"):
        ppo.train(ppo_config(start, "nowhere", experience=several), PROMPTS, scorer=ES)
    with pytest.raises(PlauditError, match="max_answers = 1 and an interlocutor belong together"):
        ppo.train(ppo_config(start, "nowhere"), PROMPTS, scorer=ES, interlocutor=Curious())
    with pytest.raises(PlauditError, match="must be at least 1"):
        ExperienceConfig(max_answers=0)


def test_ppo_learns_from_episodes_and_goes_on_where_it_was(start: str, tmp_path: Path) -> None:
    """The score is that of the last answer; the first learns from it as well. Resumed is uninterrupted."""
    settings = {
        "experience": experience(max_answers=3, prompts_per_step=6, answers_per_prompt=4),
        "num_steps": 8,
        "checkpoint_every": 4,
        "score_baseline": "leave_one_out",
        "gae_lambda": 1.0,
    }
    never = Curious(satisfied_by="?")
    result = ppo.train(ppo_config(start, tmp_path / "run", **settings), PROMPTS, scorer=ES, interlocutor=never)
    rows = read_metrics(tmp_path / "run" / "metrics.jsonl")
    assert rows[-1]["score/mean"] > rows[0]["score/mean"] + 0.3
    assert all(1.2 < row["episode/answers"] <= 3 for row in rows)
    assert abs(rows[0]["policy/ratio_mean"] - 1) < 0.05
    shown = [json.loads(line) for line in (tmp_path / "run" / "samples.jsonl").read_text().splitlines()]
    assert any(len(row["turns"]) == 4 for row in shown)
    assert result.metrics["kl/k1"] > 0


def test_rloo_learns_from_episodes(start: str, tmp_path: Path) -> None:
    config = test_rloo.config_of(start, tmp_path / "run", experience=experience(max_answers=2, answers_per_prompt=3))
    rloo.train(config, PROMPTS, scorer=ES, interlocutor=Curious())
    assert "episode/answers" in read_metrics(tmp_path / "run" / "metrics.jsonl")[0]
