"""Any server with OpenAI's chat completions as a Completer: OpenAI, vLLM, llama.cpp, Ollama, plaudit itself."""

from __future__ import annotations

import hashlib
import os
from collections import Counter
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

from pydantic import BaseModel, Field, JsonValue, ValidationError

from plaudit.client.transport import Patience, RemoteError, check_address, posted
from plaudit.schemas.conversation import Message, Messages, TextPart, canonical_json, prompt_id
from plaudit.schemas.errors import PlauditError
from plaudit.schemas.protocols import Completion


@dataclass(frozen=True, kw_only=True, slots=True)
class RemoteModel:
    """A model behind an OpenAI-compatible server. The key is no setting: it comes from OPENAI_API_KEY."""

    base_url: str = "http://localhost:8000/v1"
    """Where the API begins; `/chat/completions` is appended."""
    model: str = ""
    """The model's name there."""
    max_tokens: int = 512
    """The length limit of an answer."""
    temperature: float | None = 1.0
    """Divides the logits. Lower is more predictable; unset is not sent, for models that refuse it."""
    extra: Mapping[str, bool | int | float | str] = field(default_factory=dict)
    """Further fields of the request, for what one server knows and others do not (`top_k`, `reasoning_effort`)."""
    num_parallel: int = 8
    """Requests under way at once. More is faster until the server refuses."""
    patience: Patience = field(default_factory=Patience)
    """Timeouts and tries."""

    def __post_init__(self) -> None:
        check_address(self.base_url)
        if self.num_parallel < 1 or self.max_tokens < 1:
            raise PlauditError(
                f"num_parallel and max_tokens must be at least 1, got {self.num_parallel} and {self.max_tokens}"
            )


class _Said(BaseModel):
    content: str | None = None
    refusal: str | None = None


class _Choice(BaseModel):
    message: _Said
    finish_reason: str | None = None


class _Usage(BaseModel):
    completion_tokens: int


class _Reply(BaseModel):
    choices: list[_Choice] = Field(min_length=1)
    usage: _Usage | None = None


class ChatCompleter:
    """Asks one request an answer: the server's token count is of a whole request, and some servers ignore `n`.

    `num_tokens` is that count; its words where a server gives none. An answer's seed depends on the seed, the prompt and
    the answer's number, as in the local sampler; not every server heeds it.
    """

    def __init__(self, remote: RemoteModel, api_key: str | None = None) -> None:
        if not remote.model:
            raise PlauditError(f"which model of {remote.base_url}? Set its name (`model`)")
        self._remote = remote
        self._url = remote.base_url.rstrip("/") + "/chat/completions"
        self._api_key = api_key or os.environ.get("OPENAI_API_KEY")

    def complete(self, prompts: Sequence[Messages], *, num_answers: int, seed: int) -> list[list[Completion]]:
        """`num_answers` completions for each prompt. Raises RemoteError where one cannot be had."""
        seen: Counter[str] = Counter()
        asked: list[tuple[Messages, int]] = []
        for prompt in prompts:
            name = prompt_id(prompt)
            asked += [(prompt, _answer_seed(seed, name, seen[name] + k)) for k in range(num_answers)]
            seen[name] += num_answers
        with ThreadPoolExecutor(self._remote.num_parallel) as pool:
            # The first error ends the map, which cancels what has not begun.
            flat = iter(list(pool.map(self._answer, asked)))
        return [[next(flat) for _ in range(num_answers)] for _ in prompts]

    def _answer(self, asked: tuple[Messages, int]) -> Completion:
        prompt, seed = asked
        body: dict[str, JsonValue] = {
            "model": self._remote.model,
            "messages": [_openai_message(message) for message in prompt],
            "max_tokens": self._remote.max_tokens,
            "seed": seed,
        }
        if self._remote.temperature is not None:
            body["temperature"] = self._remote.temperature
        reply = posted(
            self._url, body | dict(self._remote.extra), api_key=self._api_key, patience=self._remote.patience
        )
        return self._completion(reply)

    def _completion(self, reply: JsonValue) -> Completion:
        try:
            parsed = _Reply.model_validate(reply)
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join(map(str, first["loc"])) or "the answer"
            raise RemoteError(
                f"{self._url} answered no chat completion: {where}: {first['msg']}. Check that the address is that of an "
                "OpenAI-compatible API"
            ) from error
        choice = parsed.choices[0]
        text = choice.message.content or choice.message.refusal or ""
        return Completion(
            text=text,
            finished=choice.finish_reason == "stop",
            num_tokens=parsed.usage.completion_tokens if parsed.usage else len(text.split()),
        )


def _answer_seed(seed: int, name: str, number: int) -> int:
    """31 bits, which every server takes, from the SHA-256 of the answer's key."""
    digest = hashlib.sha256(canonical_json([seed, name, number]).encode()).digest()
    return int.from_bytes(digest[:4], "big") >> 1


def _openai_message(message: Message) -> JsonValue:
    """The message in OpenAI's shape."""
    if isinstance(message.content, str):
        return {"role": message.role.value, "content": message.content}
    parts: list[JsonValue] = [
        {"type": "text", "text": part.text}
        if isinstance(part, TextPart)
        else {"type": "image_url", "image_url": {"url": part.url}}
        for part in message.content
    ]
    return {"role": message.role.value, "content": parts}
