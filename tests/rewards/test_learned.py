"""A reward model as a scorer: on the rollouts' own ids, or on their texts in its own template."""

import pytest
import torch

from plaudit.batches.tokens import EncodedRow, collated
from plaudit.models.load import Precision, load_codec
from plaudit.models.policy import PolicyModel, TrainLayers
from plaudit.models.reward import RewardModel, new_reward_model
from plaudit.models.tiny import tiny_model, tiny_tokenizer
from plaudit.rewards import LearnedScorer
from plaudit.schemas.conversation import assistant, user
from plaudit.text.chat import ChatCodec
from tests.rewards.toy import prompts_of, rollouts_of

UPPER = TrainLayers(kind="upper", num_upper=1)
CODEC = load_codec("tiny")
TURNS = (user("hi"), assistant("hello"), user("and?"))
PROMPTS = prompts_of(CODEC, "a", TURNS)
ROLLOUTS = rollouts_of(CODEC, PROMPTS, [["x", "a long answer~"], ["yy", "", "z~"]])


def other_codec() -> ChatCodec:
    """The same letters in another template."""
    tokenizer = tiny_tokenizer()
    tokenizer.chat_template = (
        "{% for m in messages %}{{ '<|turn|>' + m['role'] + ': ' + m['content'] + '<|end|>' }}{% endfor %}"
        "{% if add_generation_prompt %}{{ '<|turn|>assistant: ' }}{% endif %}"
    )
    return ChatCodec(tokenizer)


def reward_model() -> RewardModel:
    reward = new_reward_model("tiny", UPPER, seed=0, precision=Precision.FLOAT32, pad_id=0, device=torch.device("cpu"))
    reward.mean, reward.std = 0.4, 1.5
    return reward


def alone(reward: RewardModel, rows: list[EncodedRow]) -> list[float]:
    """Each row run by itself through the plain classifier; normalised."""
    with torch.no_grad():
        raw = [float(reward.full(input_ids=torch.tensor([row.token_ids])).logits[0, 0]) for row in rows]
    return [(score - 0.4) / 1.5 for score in raw]


@pytest.mark.parametrize("micro_batch_size", [1, 2, 16])
def test_the_rollouts_own_ids_are_scored_where_the_template_is_the_policys(micro_batch_size: int) -> None:
    """Normalised, in the order of the answers, whatever the batches."""
    reward = reward_model()
    found = LearnedScorer(reward, CODEC, policy_codec=CODEC, micro_batch_size=micro_batch_size)(PROMPTS, ROLLOUTS)
    rows = []
    for ids, mask, length in zip(
        ROLLOUTS.rows.token_ids, ROLLOUTS.rows.answer_mask, ROLLOUTS.rows.lengths.tolist(), strict=True
    ):
        rows.append(EncodedRow(tuple(ids[:length].tolist()), tuple(mask[:length].tolist())))
    assert found.total.tolist() == pytest.approx(alone(reward, rows), abs=1e-5)
    assert found.total.std() > 1e-3
    assert not found.components
    assert not found.total.requires_grad


def test_ids_that_no_text_gives_back_are_scored_as_they_are() -> None:
    """Half a character: written out and read again it would be another token."""
    half = CODEC.tokenizer.encode("é", add_special_tokens=False)[:1]
    rollouts = rollouts_of(CODEC, PROMPTS[:1], [[[*half, CODEC.stop_id]]])
    reward = reward_model()
    found = LearnedScorer(reward, CODEC, policy_codec=CODEC)(PROMPTS[:1], rollouts)
    ids = (*PROMPTS[0].token_ids, *half, CODEC.stop_id)
    assert found.total.tolist() == pytest.approx(alone(reward, [EncodedRow(ids, (False,) * len(ids))]), abs=1e-5)
    retokenised = CODEC.encoded(PROMPTS[0].messages, (assistant(rollouts.texts[0]),))
    assert found.total.tolist() != pytest.approx(alone(reward, [retokenised]), abs=1e-5)


def test_another_template_is_written_anew_and_cut_answers_get_no_stop_token() -> None:
    codec, reward = other_codec(), reward_model()
    found = LearnedScorer(reward, codec, policy_codec=CODEC)(PROMPTS, ROLLOUTS)
    expected = [
        codec.encoded((user("a"),), (assistant("x"),)),
        codec.encoded((user("a"),), (assistant("a long answer"),), truncated=True),
        codec.encoded(TURNS, (assistant("yy"),)),
        codec.encoded(TURNS, (assistant(""),)),
        codec.encoded(TURNS, (assistant("z"),), truncated=True),
    ]
    assert [row.token_ids[-1] == codec.stop_id for row in expected] == [True, False, True, True, False]
    assert found.total.tolist() == pytest.approx(alone(reward, expected), abs=1e-5)


def test_rows_prepared_for_the_policys_trunk_serve_a_reward_model_on_it() -> None:
    policy, reward = PolicyModel(tiny_model(), UPPER), reward_model()
    expected = LearnedScorer(reward, CODEC, policy_codec=CODEC)(PROMPTS, ROLLOUTS).total
    prepared = ROLLOUTS.with_rows(policy.prepared(ROLLOUTS.rows))
    assert reward.on_trunk(policy.branch.trunk)
    calls: list[int] = []
    reward.branch.trunk._lower.register_forward_pre_hook(lambda *_: calls.append(1))  # type: ignore[union-attr]
    found = LearnedScorer(reward, CODEC, policy_codec=CODEC)(PROMPTS, prepared).total
    assert torch.allclose(found, expected, atol=1e-5)
    assert not calls  # the frozen layers ran for the policy, once


def test_a_reward_model_of_other_layers_is_not_fed_the_policys_activations() -> None:
    policy, reward = PolicyModel(tiny_model(seed=1), UPPER), reward_model()
    expected = LearnedScorer(reward, CODEC, policy_codec=CODEC)(PROMPTS, ROLLOUTS).total
    assert not reward.on_trunk(policy.branch.trunk)
    prepared = ROLLOUTS.with_rows(policy.prepared(ROLLOUTS.rows))
    assert torch.equal(LearnedScorer(reward, CODEC, policy_codec=CODEC)(PROMPTS, prepared).total, expected)


def test_longer_neighbours_change_no_score() -> None:
    reward = reward_model()
    scorer = LearnedScorer(reward, CODEC, policy_codec=CODEC)
    few = rollouts_of(CODEC, PROMPTS[:1], [["x"]])
    many = rollouts_of(CODEC, PROMPTS[:1], [["x", "y" * 90]])
    assert scorer(PROMPTS, few).total[0].item() == pytest.approx(scorer(PROMPTS, many).total[0].item(), abs=1e-5)
    row = CODEC.encoded((user("a"),), (assistant("x"),))
    assert torch.equal(few.rows.token_ids, collated([row], 0).token_ids)
