"""One seed a run, and from it one for every concern that draws random numbers."""

from __future__ import annotations

import hashlib

from plaudit.schemas.conversation import canonical_json


def spawn_seed(seed: int, *names: str | int) -> int:
    """A seed in [0, 2**63) that depends on `seed` and the names alone: the same on every machine and in every process.

    The upper 63 bits of the first 8 bytes of SHA-256 over the canonical JSON of `[seed, *names]`. JSON keeps `1` and
    `"1"`, `("a", "b")` and `("ab",)` apart; Python's own `hash` is salted anew in every process, so it cannot serve.

        spawn_seed(7, "sample", step, prompt_id, answer_index)
    """
    digest = hashlib.sha256(canonical_json([seed, *names]).encode()).digest()
    return int.from_bytes(digest[:8], "big") >> 1
