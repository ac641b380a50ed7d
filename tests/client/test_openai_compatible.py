"""A model behind an OpenAI-compatible server, as a Completer."""

import threading
from dataclasses import replace

import pytest

from plaudit.client import ChatCompleter, Patience, RemoteError, RemoteModel
from plaudit.schemas.conversation import Message, Role, user
from plaudit.schemas.errors import PlauditError
from plaudit.schemas.protocols import Completer, Completion
from tests.client.conftest import Loopback, Reply, Request, json_reply

PATIENCE = Patience(timeout_s=5, max_tries=2, backoff_s=0)


def remote(loopback: Loopback, **settings: object) -> RemoteModel:
    fields = {"base_url": f"{loopback.url}/v1", "model": "m", "patience": PATIENCE, **settings}
    return RemoteModel(**fields)  # type: ignore[arg-type]


def chat_completion(text: str | None, finish: str | None = "stop", num_tokens: int | None = 5) -> Reply:
    usage = {} if num_tokens is None else {"usage": {"prompt_tokens": 9, "completion_tokens": num_tokens}}
    choice = {"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": finish}
    return json_reply({"id": "chatcmpl-1", "object": "chat.completion", "choices": [choice], **usage})


def test_the_request_is_openais(loopback: Loopback) -> None:
    loopback.replies = [chat_completion("hello")]
    completer: Completer = ChatCompleter(
        remote(loopback, max_tokens=7, temperature=0.5, extra={"top_k": 3}), api_key="k-1"
    )
    prompt = (Message(role=Role.SYSTEM, content="be brief"), user("hi"))
    assert completer.complete([prompt], num_answers=1, seed=4) == [[Completion("hello", True, 5)]]
    (request,) = loopback.requests
    assert request.path == "/v1/chat/completions"
    assert request.headers["Authorization"] == "Bearer k-1"
    seed = request.body.pop("seed")
    assert isinstance(seed, int)
    assert 0 <= seed < 2**31
    assert request.body == {
        "model": "m",
        "messages": [{"role": "system", "content": "be brief"}, {"role": "user", "content": "hi"}],
        "max_tokens": 7,
        "temperature": 0.5,
        "top_k": 3,
    }


def test_parts_and_an_unset_temperature(loopback: Loopback) -> None:
    loopback.replies = [chat_completion("a cat")]
    content = [{"type": "text", "text": "what is this?"}, {"type": "image", "url": "data:image/png;base64,AA"}]
    prompt = (Message.model_validate({"role": "user", "content": content}),)
    ChatCompleter(remote(loopback, temperature=None)).complete([prompt], num_answers=1, seed=0)
    body = loopback.requests[0].body
    assert "temperature" not in body
    assert body["messages"] == [
        {
            "role": "user",
            "content": [
                {"type": "text", "text": "what is this?"},
                {"type": "image_url", "image_url": {"url": "data:image/png;base64,AA"}},
            ],
        }
    ]


def test_the_key_comes_from_the_environment_unless_given(loopback: Loopback, monkeypatch: pytest.MonkeyPatch) -> None:
    loopback.replies = [chat_completion("x")]
    monkeypatch.setenv("OPENAI_API_KEY", "k-env")
    for key in (None, "k-given"):
        ChatCompleter(remote(loopback), key).complete([(user("hi"),)], num_answers=1, seed=0)
    assert [request.headers["Authorization"] for request in loopback.requests] == ["Bearer k-env", "Bearer k-given"]


def test_answers_come_in_the_order_of_the_prompts_whatever_is_fastest(loopback: Loopback) -> None:
    """The server answers nobody until all four requests are under way, and the first prompt's last."""
    together = threading.Barrier(4, timeout=5)

    def echo(request: Request) -> Reply:
        together.wait()
        messages = request.body["messages"]
        assert isinstance(messages, list)
        said = str(messages[0]["content"])
        return replace(chat_completion(f"{said} {request.body['seed']}"), delay_s=0.1 if said == "first" else 0.0)

    loopback.answer = echo
    found = ChatCompleter(remote(loopback, num_parallel=4)).complete(
        [(user("first"),), (user("second"),)], num_answers=2, seed=1
    )
    assert [[answer.text.split()[0] for answer in answers] for answers in found] == [["first"] * 2, ["second"] * 2]
    assert len({answer.text for answers in found for answer in answers}) == 4


def test_seeds_follow_from_seed_prompt_and_number_and_count_on_over_equal_prompts(loopback: Loopback) -> None:
    loopback.replies = [chat_completion("x")]
    completer = ChatCompleter(remote(loopback, num_parallel=1))
    hi, other = (user("hi"),), (user("other"),)
    completer.complete([hi, other, hi], num_answers=2, seed=0)
    completer.complete([hi], num_answers=4, seed=0)
    completer.complete([hi], num_answers=1, seed=1)
    seeds = [request.body["seed"] for request in loopback.requests]
    assert [*seeds[:2], *seeds[4:6]] == seeds[6:10]
    assert len({*seeds[:6], seeds[10]}) == 7


@pytest.mark.parametrize(
    ("reply", "expected"),
    [
        (chat_completion("cut of", "length", 9), Completion("cut of", False, 9)),
        (chat_completion(None, "content_filter", 0), Completion("", False, 0)),
        (chat_completion("no end given", None), Completion("no end given", False, 5)),
        (chat_completion("three small words", num_tokens=None), Completion("three small words", True, 3)),
        (
            json_reply({"choices": [{"message": {"content": None, "refusal": "I won't."}, "finish_reason": "stop"}]}),
            Completion("I won't.", True, 2),
        ),
    ],
)
def test_how_an_answer_ended_and_how_long_it_is(loopback: Loopback, reply: Reply, expected: Completion) -> None:
    loopback.replies = [reply]
    assert ChatCompleter(remote(loopback)).complete([(user("hi"),)], num_answers=1, seed=0) == [[expected]]


@pytest.mark.parametrize(
    ("value", "where"),
    [
        ([], "the answer"),
        ({"object": "list"}, "choices"),
        ({"choices": []}, "choices"),
        ({"choices": [{"text": "legacy"}]}, "choices.0.message"),
        ({"choices": [{"message": {"content": 5}}]}, "choices.0.message.content"),
    ],
)
def test_json_that_is_no_chat_completion_is_told(loopback: Loopback, value: object, where: str) -> None:
    loopback.replies = [json_reply(value)]
    with pytest.raises(RemoteError, match=f"{loopback.url}/v1/chat/completions answered no chat completion: {where}: "):
        ChatCompleter(remote(loopback)).complete([(user("hi"),)], num_answers=1, seed=0)


def test_a_500_then_a_200_is_an_answer(loopback: Loopback) -> None:
    loopback.replies = [json_reply({}, 500), chat_completion("fine")]
    assert ChatCompleter(remote(loopback)).complete([(user("hi"),)], num_answers=1, seed=0)[0][0].text == "fine"


def test_one_failure_spares_the_server_the_rest(loopback: Loopback) -> None:
    loopback.replies = [json_reply({"error": {"message": "wrong key"}}, 401)]
    with pytest.raises(RemoteError, match="wrong key"):
        ChatCompleter(remote(loopback, num_parallel=1)).complete([(user("hi"),)], num_answers=50, seed=0)
    assert len(loopback.requests) <= 3


def test_settings_that_cannot_work_are_refused() -> None:
    with pytest.raises(PlauditError, match="which model of http://localhost:8000/v1"):
        ChatCompleter(RemoteModel())
    for settings in ({"num_parallel": 0}, {"max_tokens": 0}):
        with pytest.raises(PlauditError, match="at least 1"):
            RemoteModel(**settings)  # type: ignore[arg-type]
