#!/bin/sh
# Compares plaudit's PPO with TRL's, each in its environment.
# QUICK=1 measures one repeat of fewer settings; other arguments go to compare.py (`run.sh --help`).
set -eu
here=$(CDPATH= cd -- "$(dirname -- "$0")" && pwd)
"$here/../trl_environment.sh" "$here" trl==1.12.0

case "${QUICK:-0}" in
    0 | "") exec "$here/../../.venv/bin/python" "$here/compare.py" "$@" ;;
    *) exec "$here/../../.venv/bin/python" "$here/compare.py" --quick "$@" ;;
esac
