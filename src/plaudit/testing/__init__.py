"""What stands in for people and for the world in tests and dry runs? Simulated people, toy worlds; shipped on purpose.

Invariant: everything here is reproducible from a seed and says what it simulates.
"""

from plaudit.testing.crowd import Annotator, Shown, mixed_crowd
from plaudit.testing.people import SimulatedPerson, default_panel, panel_rankings

__all__ = ["Annotator", "Shown", "SimulatedPerson", "default_panel", "mixed_crowd", "panel_rankings"]
