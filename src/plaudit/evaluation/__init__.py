"""Is it better, by how much, and how sure are we? Win rates, perplexity, KL, reward quality, reports.

Invariant: every figure states what it was measured on and its interval; nothing trained on is evaluated on.
"""
