"""What ends a run that has gone wrong, with a message that says how."""

from __future__ import annotations

import math
from collections.abc import Mapping

from jaxtyping import Float
from pydantic import JsonValue
from torch import Tensor

from plaudit.schemas.errors import PlauditError

_NUM_ERRORS = 4.0
# Before the first update the difference is rounding noise, with a standard error near zero of its own.
_LEAST_KL = -0.05


class GuardError(PlauditError):
    """A guard ended the run: going on would waste it."""


class KLGuard:
    """Stops where mean k1 lies four standard errors below zero, and below -0.05 nat, in two successive batches.

    k1 is unbiased and KL is never negative, so that means sampler and learner compute different distributions.
    """

    def __init__(self) -> None:
        self._was_low = False

    def check(self, kl: Float[Tensor, "B"]) -> None:
        """Looks at one batch's k1 (nats an answer). Raises GuardError in the second bad batch in a row."""
        mean = float(kl.mean())
        error = float(kl.std()) / math.sqrt(len(kl)) if len(kl) > 1 else math.inf
        is_low = mean < -_NUM_ERRORS * error and mean < _LEAST_KL
        if is_low and self._was_low:
            raise GuardError(
                f"mean KL is {mean:.3f} nat an answer, with a standard error of {error:.3f}, in the second batch in a row: the "
                "sampler's and the learner's distributions differ. Look for sampling settings that the learner does not "
                "share (top-k, top-p, a least length), another temperature, or another precision"
            )
        self._was_low = is_low

    def state(self) -> dict[str, JsonValue]:
        """What a resumed run needs."""
        return {"was_low": self._was_low}

    def load_state(self, state: Mapping[str, JsonValue]) -> None:
        """Puts it back."""
        self._was_low = bool(state["was_low"])
