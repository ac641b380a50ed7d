"""`plaudit chat`: a conversation with a model, on a terminal or through a pipe."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass, field

from transformers import PreTrainedModel

from plaudit.cli.agreement import answering_model, check_chat_model, model_config
from plaudit.models.load import Precision, device_for
from plaudit.rollout import Sampling, sampled
from plaudit.schemas.conversation import Message, Messages, Role, assistant, user
from plaudit.schemas.errors import PlauditError
from plaudit.text.chat import ChatCodec
from plaudit.text.prompts import TooLong, encoded_prompts

_HELP = "/reset forgets the conversation, /quit (or Ctrl-D) ends it"


def _sampling() -> Sampling:
    return Sampling(max_new_tokens=256, temperature=0.7)


@dataclass(frozen=True, kw_only=True, slots=True)
class ChatCommand:
    """Talk to a model. Each line is a turn; /reset forgets the conversation, /quit ends it."""

    model: str = "smollm2-135m"
    """The model: a hub id, a folder, an adapter's folder, a .gguf file, `smollm2-135m` or `tiny`."""
    system: str = ""
    """A system message that stands before every conversation."""
    sampling: Sampling = field(default_factory=_sampling)
    """How the answers are drawn."""
    precision: Precision = Precision.AUTO
    """Type of weights and arithmetic; `auto` and `mixed` answer in bfloat16 where the hardware has it, else in float32."""
    device: str = "auto"
    """auto, cpu or cuda."""
    seed: int = 0
    """With the conversation and the number of the turn, it decides every answer."""

    def run(self) -> int:
        codec = check_chat_model(self.model)
        room = int(model_config(self.model).get_text_config().max_position_embeddings) - self.sampling.max_new_tokens
        if room < 1:
            raise PlauditError(
                f"sampling.max_new_tokens = {self.sampling.max_new_tokens} leaves no room for a question in the model's "
                f"{room + self.sampling.max_new_tokens} tokens: lower it"
            )
        model = answering_model(self.model, self.precision, device_for(self.device))
        system = (Message(role=Role.SYSTEM, content=self.system),) if self.system else ()
        talk = Talk(model, codec, self.sampling, system=system, max_prompt_tokens=room, seed=self.seed)
        if sys.stdin.isatty():
            print(_HELP)
        return hold(talk, _asked)


class Talk:
    """A conversation so far."""

    def __init__(
        self,
        model: PreTrainedModel,
        codec: ChatCodec,
        sampling: Sampling,
        *,
        system: Messages,
        max_prompt_tokens: int,
        seed: int,
    ) -> None:
        self._model, self._codec, self._sampling, self._system = model, codec, sampling, system
        self._max_prompt_tokens, self._seed = max_prompt_tokens, seed
        self._turn = 0
        self.messages = system

    def reset(self) -> None:
        """Forgets all but the system message. Turns count on, so that a question asked again gets another answer."""
        self.messages = self._system

    def answer(self, text: str) -> str:
        """The model's answer to the next turn. Where the conversation has grown too long, its oldest turns go.

        Raises PlauditError, the conversation as it was, for a turn that alone is too long.
        """
        asked = (*self.messages, user(text))
        (prompt,), _ = encoded_prompts(
            [asked], self._codec, max_tokens=self._max_prompt_tokens, too_long=TooLong.TRUNCATE
        )
        rollouts = sampled(
            self._model, self._codec, [prompt], self._sampling, num_answers=1, seed=self._seed, step=self._turn
        )
        self._turn += 1
        self.messages = (*prompt.messages, assistant(rollouts.texts[0]))
        cut = "" if bool(rollouts.finished[0]) else " [cut off]"
        dropped = len(asked) - len(prompt.messages)
        note = f"[the {dropped} oldest messages no longer fit and are left out]\n" if dropped else ""
        return f"{note}{rollouts.texts[0]}{cut}"


def hold(talk: Talk, ask: Callable[[], str | None]) -> int:
    """Asks and answers until there is nothing more to read."""
    while (line := ask()) is not None:
        match line.strip():
            case "":
                continue
            case "/quit" | "/exit":
                break
            case "/reset":
                talk.reset()
                print("[a new conversation]")
            case "/help":
                print(_HELP)
            case text if text.startswith("/") and " " not in text:
                print(f"[there is no {text}: {_HELP}]")
            case text:
                try:
                    print(talk.answer(text), flush=True)
                except PlauditError as error:
                    print(f"[{error}]")
    return 0


def _asked() -> str | None:
    """The next line; None at the end of the input."""
    try:
        line = input("> " if sys.stdin.isatty() else "")
    except EOFError:
        return None
    # A byte that is no UTF-8 arrives as half a surrogate pair, which no tokenizer reads.
    return line.encode("utf-8", "replace").decode("utf-8")
