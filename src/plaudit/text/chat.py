"""One tokenizer's chat template, made exact: prompts, demonstrations, stop and pad."""

from __future__ import annotations

import re
from collections.abc import Sequence

from transformers import PreTrainedTokenizerBase

from plaudit.batches.tokens import EncodedRow
from plaudit.schemas.conversation import Message, Messages, Role, assistant, user
from plaudit.schemas.errors import PlauditError

_PROBE = "plaudit"
# Cuts a control token's name in two where a message quotes it. Two noncharacters: Unicode keeps them out of texts.
_CUT = "\ufdd0\ufdd1"


class ChatCodec:
    """Conversations to token ids and back, for one tokenizer with a chat template.

    Masks come from prefix differences of the rendered template, so it needs no marks of its own. What the template writes
    after the stop token (a newline, often) belongs to the next turn's prompt; a row that ends with an answer ends at the
    stop token. Each segment is tokenised by itself: a model that continues a prompt sees exactly the prompt's ids. Only
    the template writes special tokens: their names in a message are plain text, so nobody can end a turn by quoting one.
    """

    def __init__(self, tokenizer: PreTrainedTokenizerBase) -> None:
        if not tokenizer.chat_template:
            raise PlauditError(
                f"the tokenizer of {tokenizer.name_or_path!r} has no chat template, so conversations cannot be written "
                "for it: use the model's -instruct or -chat variant, save a template into its folder as "
                "chat_template.jinja, or train on plain text with `plaudit pretrain`"
            )
        self.tokenizer = tokenizer
        # Those with a role (eos, pad, ...) and those that are marked only, as the end of a turn often is.
        marked = (token_id for token_id, token in tokenizer.added_tokens_decoder.items() if token.special)
        self._special_ids = {*tokenizer.all_special_ids, *marked}
        names = map(tokenizer.convert_ids_to_tokens, sorted(self._special_ids))
        alternatives = "|".join(re.escape(name) for name in names if len(name) > 1) or "(?!)"
        self._start_of_name = re.compile(f"(?=(?:{alternatives})).", re.DOTALL)
        self.stop_id = self._found_stop_id()
        self.pad_id = self._chosen_pad_id()

    def _rendered(self, messages: Sequence[Message], *, add_generation_prompt: bool) -> str:
        chat = [{"role": message.role.value, "content": self._quoted(message.text)} for message in messages]
        text = self.tokenizer.apply_chat_template(chat, tokenize=False, add_generation_prompt=add_generation_prompt)
        assert isinstance(text, str)
        return text

    def _quoted(self, text: str) -> str:
        """The text, every name of a special token in it cut in two."""
        return self._start_of_name.sub(rf"\g<0>{_CUT}", text)

    def _ids(self, text: str) -> list[int]:
        parts = (self.tokenizer.encode(part, add_special_tokens=False) for part in text.split(_CUT))
        return [token for part in parts for token in part]

    def _found_stop_id(self) -> int:
        """The first special token after an answer's text in the rendered template."""
        segment = self._answer_segment((user(_PROBE),), assistant(_PROBE))
        for token in self._ids(segment[len(_PROBE) :]):
            if token in self._special_ids:
                return token
        raise PlauditError(
            f"the chat template of {self.tokenizer.name_or_path!r} ends an answer with {segment[len(_PROBE) :]!r}, which "
            "holds no special token: the model could never learn to stop. Mark the end of a turn with a special token"
        )

    def _chosen_pad_id(self) -> int:
        """An existing special token other than the stop token: embeddings are never resized."""
        tokenizer = self.tokenizer
        candidates = [tokenizer.pad_token_id, tokenizer.unk_token_id, *tokenizer.all_special_ids]
        endoftext = tokenizer.convert_tokens_to_ids("<|endoftext|>")
        for candidate in [candidates[0], endoftext, *candidates[1:]]:
            if isinstance(candidate, int) and candidate >= 0 and candidate != self.stop_id:
                return candidate
        raise PlauditError(
            f"the tokenizer of {tokenizer.name_or_path!r} has no special token besides its stop token to pad with: "
            "add one (`tokenizer.add_special_tokens({'pad_token': ...})`) whose row the embedding already has"
        )

    def _answer_segment(self, before: Sequence[Message], answer: Message) -> str:
        """What the template writes between the generation prompt and the end of an assistant turn."""
        prefix = self._rendered(before, add_generation_prompt=True)
        whole = self._rendered([*before, answer], add_generation_prompt=False)
        return self._after(prefix, whole)

    def _after(self, prefix: str, whole: str) -> str:
        """What `whole` adds to `prefix`. Raises PlauditError where it is not its beginning."""
        if not whole.startswith(prefix):
            raise PlauditError(
                f"the chat template of {self.tokenizer.name_or_path!r} does not preserve prefixes: the text before an "
                "answer changes once the answer, or a turn after it, stands there, so the answer's tokens cannot be "
                "told apart. Train on one answer a conversation, or use a template that leaves earlier turns alone"
            )
        return whole[len(prefix) :]

    def answer_ids(self, before: Sequence[Message], answer: Message) -> list[int]:
        """The ids a model has to write for this answer, the stop token last."""
        ids = self._ids(self._answer_segment(before, answer))
        if self.stop_id not in ids:
            raise PlauditError(f"the chat template wrote no stop token after the answer {answer.text[:60]!r}")
        last_stop = len(ids) - 1 - ids[::-1].index(self.stop_id)
        return ids[: last_stop + 1]

    def prompt_ids(self, messages: Messages) -> list[int]:
        """The ids of a prompt, the generation prompt included. Raises PlauditError for a prompt ending in an answer."""
        if not messages or messages[-1].role is Role.ASSISTANT:
            raise PlauditError("a prompt must hold at least one message and may not end with the assistant's")
        return self._ids(self._rendered(messages, add_generation_prompt=True))

    def encoded(
        self, prompt: Messages, completion: Messages, weight: float = 1.0, *, truncated: bool = False
    ) -> EncodedRow:
        """The whole conversation; the mask is True on the completion's assistant turns, stop tokens included.

        A `truncated` answer was cut off by a length limit: its last stop token never was written, so it is left out.
        """
        messages = [*prompt, *completion]
        token_ids: list[int] = []
        mask: list[bool] = []
        written = ""
        for i in range(len(prompt), len(messages)):
            if messages[i].role is not Role.ASSISTANT:
                continue
            prefix = self._rendered(messages[:i], add_generation_prompt=True)
            answer = self.answer_ids(messages[:i], messages[i])
            # What the template wrote since the last answer's stop token: the person's turn and the generation prompt.
            between = self._ids(self._after(written, prefix))
            token_ids += between + answer
            mask += [False] * len(between) + [True] * len(answer)
            written = self._up_to_stop(messages[:i], messages[i])
        if not token_ids:
            raise PlauditError("a completion needs at least one assistant message")
        end = len(token_ids) - 1 if truncated else len(token_ids)
        return EncodedRow(tuple(token_ids[:end]), tuple(mask[:end]), weight)

    def turn_ids(self, conversation: Messages, reply: Message) -> list[int]:
        """What stands between the stop token of the conversation's last answer and the answer to the reply."""
        prefix = self._rendered((*conversation, reply), add_generation_prompt=True)
        return self._ids(self._after(self._up_to_stop(conversation[:-1], conversation[-1]), prefix))

    def _up_to_stop(self, before: Sequence[Message], answer: Message) -> str:
        """The text of a conversation up to the stop token of its last answer."""
        segment = self._answer_segment(before, answer)
        stop_text = self.tokenizer.convert_ids_to_tokens(self.stop_id)
        end = segment.rindex(stop_text) + len(stop_text)
        return self._rendered(before, add_generation_prompt=True) + segment[:end]

    def decoded(self, token_ids: Sequence[int]) -> str:
        """The text of an answer's ids, special tokens left out, spaces as they were sampled."""
        text = self.tokenizer.decode(list(token_ids), skip_special_tokens=True, clean_up_tokenization_spaces=False)
        assert isinstance(text, str)
        return text

    def writes_the_same_ids_as(self, other: ChatCodec) -> bool:
        """Whether rows encoded by either can be read by a model of the other: same vocabulary, template and stop."""
        ours, theirs = self.tokenizer, other.tokenizer
        return (
            self.stop_id == other.stop_id
            and ours.chat_template == theirs.chat_template
            and ours.get_vocab() == theirs.get_vocab()
        )
