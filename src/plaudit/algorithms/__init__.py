"""What is the mathematics of learning from feedback? Pure functions on tensors.

Invariant: no config, no logging, no I/O, no nn.Module; torch and jaxtyping only. Masks are bool, True = counts, and what
lies under a False never reaches a result.

Dimensions: B batch, T tokens, V vocabulary, D width, K answers a prompt, N pairs.
"""
