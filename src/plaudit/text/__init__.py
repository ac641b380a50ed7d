"""How does a conversation become token ids, and which of them are the model's?

Invariant: the chat template, the stop token, the pad token and truncation are decided here and nowhere else; pad and
stop are different ids.
"""

from plaudit.text.chat import ChatCodec
from plaudit.text.preferences import encoded_groups
from plaudit.text.prompts import EncodedPrompt, TooLong, encoded_prompts

__all__ = ["ChatCodec", "EncodedPrompt", "TooLong", "encoded_groups", "encoded_prompts"]
