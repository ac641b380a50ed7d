"""A reward model behind `/get_reward`, as a TextScorer."""

import pytest

from plaudit.client import Patience, RemoteError, RemoteReward, RemoteScorer
from plaudit.schemas.conversation import Message, Role, user
from plaudit.schemas.errors import PlauditError
from plaudit.schemas.protocols import Completion, TextScore, TextScorer
from tests.client.conftest import Loopback, Reply, Request, json_reply

PATIENCE = Patience(timeout_s=5, max_tries=2, backoff_s=0)


def answer(text: str) -> Completion:
    return Completion(text, finished=True, num_tokens=1)


def scorer(loopback: Loopback, batch_size: int = 64) -> RemoteScorer:
    return RemoteScorer(RemoteReward(url=f"{loopback.url}/get_reward", batch_size=batch_size, patience=PATIENCE))


def length_rewards(request: Request) -> Reply:
    queries = request.body["query"]
    assert isinstance(queries, list)
    return json_reply({"rewards": [float(len(query)) for query in queries]})


def test_texts_go_out_and_rewards_come_back_in_order(loopback: Loopback) -> None:
    loopback.answer = length_rewards
    remote: TextScorer = scorer(loopback, batch_size=2)
    prompts = [(Message(role=Role.SYSTEM, content="s"), user("ab")), (user("cd"),), (user("e"),)]
    found = remote.score(prompts, [answer("xyz"), answer(""), answer("longer")])
    assert found == [TextScore(8.0), TextScore(3.0), TextScore(8.0)]
    assert [request.path for request in loopback.requests] == ["/get_reward"] * 2
    assert [request.body for request in loopback.requests] == [
        {"query": ["s\nab\nxyz", "cd\n"], "prompts": ["s\nab", "cd"]},
        {"query": ["e\nlonger"], "prompts": ["e"]},
    ]


def test_nothing_to_score_asks_nobody(loopback: Loopback) -> None:
    assert scorer(loopback).score([], []) == []
    assert loopback.requests == []


def test_a_500_then_a_200_is_an_answer(loopback: Loopback) -> None:
    loopback.replies = [Reply(500), json_reply({"rewards": [0.25]})]
    assert scorer(loopback).score([(user("a"),)], [answer("b")]) == [TextScore(0.25)]


@pytest.mark.parametrize("rewards", [[], [1.0], [1.0, 2.0, 3.0]])
def test_a_wrong_count_is_told(loopback: Loopback, rewards: list[float]) -> None:
    loopback.replies = [json_reply({"rewards": rewards})]
    with pytest.raises(RemoteError, match=f"get_reward gave {len(rewards)} rewards for 2 answers"):
        scorer(loopback).score([(user("a"),)] * 2, [answer("b")] * 2)


@pytest.mark.parametrize(
    "body",
    [
        b"[0.5]",
        b'{"scores": [0.5]}',
        b'{"rewards": 0.5}',
        *(b'{"rewards": [' + entry + b"]}" for entry in (b'"0.5"', b"true", b"NaN", b"[0.5]", b"null")),
    ],
)
def test_what_is_no_list_of_finite_numbers_is_told(loopback: Loopback, body: bytes) -> None:
    loopback.replies = [Reply(200, body)]
    with pytest.raises(RemoteError, match="get_reward answered no list of finite numbers under 'rewards'"):
        scorer(loopback).score([(user("a"),)], [answer("b")])


def test_a_batch_needs_an_answer() -> None:
    with pytest.raises(PlauditError, match="batch_size must be at least 1"):
        RemoteReward(batch_size=0)


def test_an_address_is_looked_at_before_anything_is_asked() -> None:
    with pytest.raises(PlauditError, match="'nowhere' is no address of a server"):
        RemoteReward(url="nowhere")
