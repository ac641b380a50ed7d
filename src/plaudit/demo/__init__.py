"""How does the whole loop look on one machine? The main job end to end, with content written for it.

Invariant: the hidden utility reaches training only through the simulated people's rankings; the evaluation prompts reach
nothing but the evaluation.
"""
