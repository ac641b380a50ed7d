#!/bin/sh
# The recipe from the project's root: rows from Dolly and OpenAssistant, SFT, PPO against rules, evaluation on other questions:
# the share of attributes kept, and how often all are.
set -eu
export PATH="$PWD/.venv/bin:$PATH"
here=recipes/style
python -m recipes.style.data --data "$PLAUDIT_DATA" --out runs/style/data
plaudit sft --config $here/sft.toml
plaudit ppo --config $here/ppo.toml
plaudit evaluate --config $here/evaluate.toml
plaudit evaluate --config $here/evaluate.toml --reward-function $here/rewards.py:all_kept --out runs/style/evaluate_all
