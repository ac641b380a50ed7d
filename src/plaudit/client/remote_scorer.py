"""A reward model behind OpenRLHF's `/get_reward` as a TextScorer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from pydantic import BaseModel, ConfigDict, FiniteFloat, ValidationError

from plaudit.client.transport import Patience, RemoteError, check_address, posted
from plaudit.schemas.conversation import Messages
from plaudit.schemas.errors import PlauditError
from plaudit.schemas.protocols import Completion, TextScore


@dataclass(frozen=True, kw_only=True, slots=True)
class RemoteReward:
    """A server that scores answers: `{"query": [...], "prompts": [...]}` in, `{"rewards": [...]}` out."""

    url: str = "http://localhost:5000/get_reward"
    """The whole address, `/get_reward` included."""
    batch_size: int = 64
    """Answers a request. More is faster until the server's memory is short."""
    patience: Patience = field(default_factory=Patience)
    """Timeouts and tries."""

    def __post_init__(self) -> None:
        check_address(self.url)
        if self.batch_size < 1:
            raise PlauditError(f"batch_size must be at least 1, got {self.batch_size}")


class _Reply(BaseModel):
    model_config = ConfigDict(strict=True)

    rewards: list[FiniteFloat]


class RemoteScorer:
    """Sends texts, gets scores.

    Each entry of `prompts` is the texts of a prompt's messages joined by newlines; the entry of `query` beside it is the
    same with the answer as its last line. Deviates from OpenRLHF's own client, whose queries carry the chat template of
    the policy: a server that wants its own template has the prompt apart and can write it.
    """

    def __init__(self, remote: RemoteReward, api_key: str | None = None) -> None:
        self._remote, self._api_key = remote, api_key

    def score(self, prompts: Sequence[Messages], completions: Sequence[Completion]) -> list[TextScore]:
        """One score a completion. Raises RemoteError where the server gives no or not enough finite numbers."""
        texts = ["\n".join(message.text for message in prompt) for prompt in prompts]
        queries = [f"{text}\n{answer.text}" for text, answer in zip(texts, completions, strict=True)]
        rewards: list[float] = []
        for start in range(0, len(queries), self._remote.batch_size):
            part = slice(start, start + self._remote.batch_size)
            rewards += self._rewards(queries[part], texts[part])
        return [TextScore(reward) for reward in rewards]

    def _rewards(self, queries: Sequence[str], prompts: Sequence[str]) -> list[float]:
        url = self._remote.url
        reply = posted(
            url,
            {"query": list(queries), "prompts": list(prompts)},
            api_key=self._api_key,
            patience=self._remote.patience,
        )
        try:
            rewards = _Reply.model_validate(reply).rewards
        except ValidationError as error:
            raise RemoteError(
                f"{url} answered no list of finite numbers under 'rewards': {str(reply)[:200]}. Check the address: it is "
                "the one that ends in /get_reward"
            ) from error
        if len(rewards) != len(queries):
            raise RemoteError(f"{url} gave {len(rewards)} rewards for {len(queries)} answers. Look at the server's log")
        return rewards
