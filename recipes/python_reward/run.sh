#!/bin/sh
# The recipe from the project's root: problems, SFT, PPO against a Python function, evaluation on problems of the test file;
# where $PLAUDIT_DATA has GSM8K, on its test questions too.
set -eu
export PATH="$PWD/.venv/bin:$PATH"
here=recipes/python_reward
python -m recipes.python_reward.problems --out runs/python_reward/problems
plaudit sft --config $here/sft.toml
plaudit ppo --config $here/ppo.toml
plaudit evaluate --config $here/evaluate.toml
gsm8k="${PLAUDIT_DATA:-}/gsm8k/test.jsonl"
if [ -f "$gsm8k" ]; then
    plaudit evaluate --config $here/evaluate.toml --prompts "$gsm8k" --sampling.max-new-tokens 128 --num-answers 1 \
        --out runs/python_reward/evaluate_gsm8k
fi
