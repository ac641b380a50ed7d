"""How does a model do on what everybody measures? Public evaluations and the shipped prompts, one suite a question.

Invariant: a suite gives figures with intervals over prompts or says why it was not measured; none fails the others.
"""
