#!/bin/sh
# The recipe from the project's root: SciTLDR's rows, SFT, PPO against ROUGE-L, evaluation on 200 test abstracts.
set -eu
export PATH="$PWD/.venv/bin:$PATH"
here=recipes/summarise
python -m recipes.summarise.data --scitldr "$PLAUDIT_DATA/scitldr" --out runs/summarise/data
plaudit sft --config $here/sft.toml
plaudit ppo --config $here/ppo.toml
plaudit evaluate --config $here/evaluate.toml
