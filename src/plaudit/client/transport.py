"""One JSON request, tried again while the failure may pass."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from email.message import Message
from http.client import HTTPException, InvalidURL
from typing import IO
from urllib.error import HTTPError, URLError
from urllib.parse import urlsplit
from urllib.request import HTTPRedirectHandler, Request, build_opener

from pydantic import JsonValue

from plaudit.schemas.errors import PlauditError

MAX_WAIT_S = 60.0
"""The longest wait before another try, whatever a server asks for."""

_MAX_SHOWN = 200
_PASSING_STATUSES = frozenset({408, 409, 425, 429})
_NEXT_STEP = {
    400: "Look at the settings that were sent: the server may not know one of them",
    401: "Check the API key",
    403: "Check the API key and what it may do",
    404: "Check the address (an OpenAI-compatible one usually ends in /v1) and the model's name",
    429: "Wait, or send fewer requests at once",
}


class RemoteError(PlauditError):
    """Another machine did not answer, or answered what cannot be used."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Patience:
    """How long to try."""

    timeout_s: float = 120.0
    """Seconds without a byte from the server after which a try has failed."""
    max_tries: int = 5
    """Tries a request. Refused connections, timeouts, 408, 409, 425, 429 and 5xx are tried again, the rest is not."""
    backoff_s: float = 1.0
    """Seconds before the second try, doubled before each further one; a server's Retry-After counts instead."""

    def __post_init__(self) -> None:
        if not (self.timeout_s > 0 and self.max_tries >= 1 and self.backoff_s >= 0):
            raise PlauditError(
                "timeout_s must be above 0, max_tries at least 1 and backoff_s not negative, got "
                f"{self.timeout_s}, {self.max_tries} and {self.backoff_s}"
            )


@dataclass(frozen=True, slots=True)
class _Failure:
    what: str
    next_step: str
    may_pass: bool
    wait_s: float | None = None


class _NoRedirects(HTTPRedirectHandler):
    """urllib would turn the POST into a GET and carry the key to wherever the server points."""

    def redirect_request(
        self, req: Request, fp: IO[bytes], code: int, msg: str, headers: Message, newurl: str
    ) -> Request | None:
        return None


def posted(url: str, body: Mapping[str, JsonValue], *, api_key: str | None, patience: Patience) -> JsonValue:
    """The JSON that the server answers to `body`. Raises RemoteError, after the tries that `patience` allows."""
    request = _request(url, body, api_key)
    opener = build_opener(_NoRedirects)
    num_tries = 0
    while True:
        num_tries += 1
        try:
            with opener.open(request, timeout=patience.timeout_s) as response:
                return _parsed(url, response.read())
        except HTTPError as error:
            failure = _refusal(error)
        except (OSError, HTTPException) as error:
            failure = _silence(error, patience)
        if not failure.may_pass or num_tries == patience.max_tries:
            tries = f" ({num_tries} tries)" if num_tries > 1 else ""
            raise RemoteError(f"{url} {failure.what}{tries}. {failure.next_step}")
        wait_s = patience.backoff_s * 2 ** (num_tries - 1) if failure.wait_s is None else failure.wait_s
        time.sleep(min(wait_s, MAX_WAIT_S))


def check_address(url: str) -> None:
    """Raises PlauditError for what is no HTTP address, and for one with a name and password in it."""
    try:
        parts = urlsplit(url)
        usable = parts.scheme in {"http", "https"} and bool(parts.hostname) and "@" not in parts.netloc
    except ValueError:
        usable = False
    if not usable:
        # A name and password before the host are not repeated.
        raise PlauditError(
            f"{url.rpartition('@')[2]!r} is no address of a server: give one such as http://localhost:8000/v1, and the key "
            "apart from it"
        )


def _request(url: str, body: Mapping[str, JsonValue], api_key: str | None) -> Request:
    check_address(url)
    headers = {"Content-Type": "application/json", "Accept": "application/json", "User-Agent": "plaudit"}
    if api_key:
        headers["Authorization"] = f"Bearer {api_key}"
    return Request(url, data=json.dumps(body).encode(), headers=headers, method="POST")


def _parsed(url: str, answer: bytes) -> JsonValue:
    try:
        value: JsonValue = json.loads(answer)
    except ValueError as error:
        raise RemoteError(
            f"{url} answered what is no JSON: {_shown(answer)}. Check that the address is the API's, not a web page's"
        ) from error
    return value


def _refusal(error: HTTPError) -> _Failure:
    """What a status other than 2xx means."""
    with error:
        try:
            body = error.read()
        except (OSError, HTTPException):
            body = b""
    status, headers = error.code, error.headers
    if 300 <= status < 400:
        return _Failure(f"redirects to {headers.get('Location')}", "Give that address if you trust it", may_pass=False)
    may_pass = status >= 500 or status in _PASSING_STATUSES
    return _Failure(
        f"answered {status} {error.reason}: {_message(body)}".removesuffix(": "),
        _NEXT_STEP.get(status, "Look at the server's log"),
        may_pass and headers.get("x-should-retry") != "false",
        _seconds(headers.get("Retry-After")),
    )


def _silence(error: OSError | HTTPException, patience: Patience) -> _Failure:
    """What no complete answer at all means."""
    cause = error.reason if isinstance(error, URLError) else error
    if isinstance(cause, TimeoutError):
        return _Failure(
            f"did not answer within {patience.timeout_s:g} s", "Raise timeout_s, or ask for less at once", may_pass=True
        )
    reason = cause.strerror if isinstance(cause, OSError) and cause.strerror else str(cause) or type(cause).__name__
    next_step = "Check that the server runs and the address is right"
    return _Failure(f"could not be reached: {reason}", next_step, may_pass=not isinstance(error, InvalidURL))


def _message(body: bytes) -> str:
    """The server's own words: OpenAI's error object, a plain one, or the beginning of whatever it sent."""
    try:
        value = json.loads(body)
    except ValueError:
        return _shown(body) if body else ""
    if isinstance(value, dict):
        error = value.get("error", value.get("detail", value))
        value = error.get("message", error) if isinstance(error, dict) else error
    return value[:_MAX_SHOWN] if isinstance(value, str) else _shown(json.dumps(value).encode())


def _shown(answer: bytes) -> str:
    return repr(answer[:_MAX_SHOWN].decode(errors="replace"))


def _seconds(header: str | None) -> float | None:
    """Retry-After as seconds; None where it is absent, a date, or nonsense."""
    return float(header) if header and header.isascii() and header.isdigit() else None
