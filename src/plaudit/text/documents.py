"""Plain documents as token ids: for continued pretraining, no chat template involved."""

from __future__ import annotations

from collections.abc import Sequence

from transformers import PreTrainedTokenizerBase

from plaudit.batches.tokens import EncodedRow
from plaudit.schemas.errors import PlauditError


def encoded_documents(
    texts: Sequence[str], tokenizer: PreTrainedTokenizerBase, *, max_tokens: int
) -> list[list[EncodedRow]]:
    """Each document as rows of at most `max_tokens` ids, every token but a row's first counted.

    A document ends with the tokenizer's end-of-sequence token; a long one is cut into rows that share one token, so that no
    token of it goes unlearnt. Raises PlauditError where the tokenizer has no such token.
    """
    end = tokenizer.eos_token_id
    if not isinstance(end, int):
        raise PlauditError(
            f"the tokenizer of {tokenizer.name_or_path!r} has no end-of-sequence token: set its eos_token"
        )
    if max_tokens < 2:
        raise PlauditError(f"max_tokens must be at least 2, got {max_tokens}")
    documents = []
    for text in texts:
        ids = [*tokenizer.encode(text, add_special_tokens=False), end]
        starts = range(0, max(1, len(ids) - 1), max_tokens - 1)
        pieces = [ids[start : start + max_tokens] for start in starts]
        documents.append([EncodedRow(tuple(p), (False,) + (True,) * (len(p) - 1)) for p in pieces if len(p) > 1])
    return documents
