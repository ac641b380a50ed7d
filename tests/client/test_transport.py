"""One request against a server that fails in every way it can."""

import socket

import pytest

from plaudit.client.transport import Patience, RemoteError, posted
from plaudit.schemas.errors import PlauditError
from tests.client.conftest import Loopback, Reply, json_reply

QUICK = Patience(timeout_s=5, max_tries=3, backoff_s=0.5)
BODY = {"text": "wörter 好"}


def test_the_body_arrives_and_the_answer_comes_back(loopback: Loopback) -> None:
    loopback.replies = [json_reply({"a": [1, None]})]
    assert posted(f"{loopback.url}/x/y", BODY, api_key=None, patience=QUICK) == {"a": [1, None]}
    request = loopback.requests[0]
    assert (request.path, request.body) == ("/x/y", BODY)
    assert "Authorization" not in request.headers


def test_a_key_travels_in_its_header(loopback: Loopback) -> None:
    loopback.replies = [json_reply({})]
    posted(loopback.url, {}, api_key="k-1", patience=QUICK)
    assert loopback.requests[0].headers["Authorization"] == "Bearer k-1"


@pytest.mark.parametrize("status", [408, 409, 425, 429, 500, 502, 503])
def test_what_may_pass_is_tried_again(loopback: Loopback, waits: list[float], status: int) -> None:
    loopback.replies = [json_reply({}, status), json_reply({}, status), json_reply("at last")]
    assert posted(loopback.url, BODY, api_key=None, patience=QUICK) == "at last"
    assert waits == [0.5, 1.0]
    assert [request.body for request in loopback.requests] == [BODY] * 3


@pytest.mark.parametrize(
    ("status", "next_step"),
    [
        (400, "Look at the settings"),
        (401, "Check the API key"),
        (403, "Check the API key"),
        (404, "usually ends in /v1"),
        (422, "server's log"),
    ],
)
def test_a_refusal_is_told_at_once_in_the_servers_words(
    loopback: Loopback, waits: list[float], status: int, next_step: str
) -> None:
    loopback.replies = [json_reply({"error": {"message": "no such thing", "type": "x"}}, status)]
    with pytest.raises(RemoteError, match=f"{loopback.url} answered {status} .*: no such thing. .*{next_step}"):
        posted(loopback.url, {}, api_key="k-secret", patience=QUICK)
    assert len(loopback.requests) == 1
    assert waits == []


def test_a_server_that_stays_broken_is_given_up_with_the_number_of_tries(
    loopback: Loopback, waits: list[float]
) -> None:
    loopback.replies = [json_reply({"error": "out of memory"}, 500)]
    with pytest.raises(RemoteError, match=r"answered 500 .*: out of memory \(3 tries\)"):
        posted(loopback.url, {}, api_key=None, patience=QUICK)
    assert len(loopback.requests) == 3
    assert waits == [0.5, 1.0]


def test_the_servers_word_on_when_to_come_back_counts(loopback: Loopback, waits: list[float]) -> None:
    busy = [json_reply({}, 429, Retry_After=after) for after in ("7", "86400", "Wed, 21 Oct 2026 07:28:00 GMT")]
    loopback.replies = [*busy, json_reply(1)]
    assert posted(loopback.url, {}, api_key=None, patience=Patience(max_tries=4, backoff_s=0.5)) == 1
    assert waits == [7.0, 60.0, 2.0]


def test_a_server_that_says_it_is_hopeless_is_believed(loopback: Loopback) -> None:
    loopback.replies = [json_reply({}, 500, x_should_retry="false")]
    with pytest.raises(RemoteError, match="answered 500"):
        posted(loopback.url, {}, api_key=None, patience=QUICK)
    assert len(loopback.requests) == 1


@pytest.mark.parametrize(
    ("body", "told"),
    [
        (b'{"detail": "not found here"}', "not found here"),
        (b"<html>proxy</html>", "'<html>proxy</html>'"),
        (b"\xff\xfe", "'\ufffd\ufffd'"),
        (b'{"error": {"code": 7}}', "'{\"code\": 7}'"),
        (b"[]", r"'\[\]'"),
        (b"x" * 1000, f"'{'x' * 200}'"),
    ],
)
def test_errors_of_every_shape_are_told_in_short(loopback: Loopback, body: bytes, told: str) -> None:
    loopback.replies = [Reply(404, body)]
    with pytest.raises(RemoteError, match=f"answered 404 Not Found: {told}"):
        posted(loopback.url, {}, api_key=None, patience=QUICK)


def test_an_error_without_a_word_ends_with_its_status(loopback: Loopback) -> None:
    loopback.replies = [Reply(404, b"")]
    with pytest.raises(RemoteError, match=r"answered 404 Not Found\. Check"):
        posted(loopback.url, {}, api_key=None, patience=QUICK)


def test_garbage_is_shown_and_not_asked_for_again(loopback: Loopback) -> None:
    loopback.replies = [Reply(200, b"<!doctype html><title>Welcome</title>")]
    with pytest.raises(RemoteError, match=r"answered what is no JSON: '<!doctype html>.*a web page"):
        posted(loopback.url, {}, api_key=None, patience=QUICK)
    assert len(loopback.requests) == 1


def test_an_answer_cut_in_the_middle_is_asked_for_again(loopback: Loopback, waits: list[float]) -> None:
    loopback.replies = [Reply(200, b'{"a": ', cut=True), json_reply("whole")]
    assert posted(loopback.url, {}, api_key=None, patience=QUICK) == "whole"
    assert len(waits) == 1


def test_a_slow_server_is_given_up(loopback: Loopback) -> None:
    loopback.replies = [Reply(delay_s=0.5)]
    patience = Patience(timeout_s=0.05, max_tries=2, backoff_s=0)
    with pytest.raises(RemoteError, match=r"did not answer within 0.05 s \(2 tries\). Raise timeout_s"):
        posted(loopback.url, {}, api_key=None, patience=patience)
    assert len(loopback.requests) == 2


def test_a_refused_connection_is_told(waits: list[float]) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound, never listening: nobody else gets the port, and it refuses
        url = f"http://127.0.0.1:{taken.getsockname()[1]}/v1"
        with pytest.raises(
            RemoteError, match=rf"{url} could not be reached: .*refused \(3 tries\). Check that the server"
        ):
            posted(url, {}, api_key=None, patience=QUICK)
    assert waits == [0.5, 1.0]


def test_redirects_are_not_followed(loopback: Loopback) -> None:
    """A redirected POST would become a GET, and the key would go along."""
    loopback.replies = [Reply(302, b"", {"Location": "http://elsewhere.example/"})]
    with pytest.raises(RemoteError, match=r"redirects to http://elsewhere\.example/"):
        posted(loopback.url, {}, api_key="k", patience=QUICK)
    assert len(loopback.requests) == 1


@pytest.mark.parametrize("url", ["", "localhost:8000/v1", "file:///etc/passwd", "ftp://x/y", "http://", "http://[::1"])
def test_what_is_no_address_is_refused(url: str) -> None:
    with pytest.raises(PlauditError, match="is no address of a server"):
        posted(url, {}, api_key=None, patience=QUICK)


@pytest.mark.parametrize("url", ["http://localhost:port/", "http://local host/"])
def test_an_address_that_cannot_be_right_is_tried_once(url: str, waits: list[float]) -> None:
    with pytest.raises(RemoteError, match="could not be reached"):
        posted(url, {}, api_key=None, patience=QUICK)
    assert waits == []


def test_a_key_in_an_address_is_refused_and_not_repeated() -> None:
    with pytest.raises(PlauditError, match="the key apart from it") as caught:
        posted("http://me:hunter2@localhost/v1", {}, api_key=None, patience=QUICK)
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize("settings", [{"timeout_s": 0.0}, {"max_tries": 0}, {"backoff_s": -1.0}])
def test_impatience_has_limits(settings: dict[str, float]) -> None:
    with pytest.raises(PlauditError, match="timeout_s must be above 0"):
        Patience(**settings)  # type: ignore[arg-type]
