"""`plaudit demo`: the whole story on one machine."""

from __future__ import annotations

from dataclasses import dataclass, field

from plaudit.demo.main import run as tell
from plaudit.demo.settings import DemoConfig


@dataclass(frozen=True, kw_only=True, slots=True)
class DemoCommand:
    """Fine-tune, let simulated people rank, fit a reward model, improve by PPO and simpler methods, and compare them."""

    config: DemoConfig = field(default_factory=DemoConfig)

    def run(self) -> int:
        tell(self.config)
        return 0
