"""How do people judge models blind, and what does their judgement say? Plan, sheets out, answers in, report.

Invariant: a sheet never says whose answers it shows; only the study's key does, and it stays with who made the study.
"""
