"""How does a model learn from demonstrations, preferences and scores?

Invariant: a trainer is one Config, one `train()` and a short loop over algorithms/; records in, a model folder out. It
opens no data files and decides nothing about layers.
"""
