#!/bin/sh
# Makes an environment with TRL in FOLDER/.venv, with the torch and transformers of plaudit's. Prints nothing where it stands.
# Usage: trl_environment.sh FOLDER REQUIREMENT...   such as trl==1.12.0
set -eu
here=$(CDPATH= cd -- "$(dirname -- "$0")" && pwd)
ours="$here/../.venv/bin/python"
theirs="$1/.venv"
shift

if [ ! -x "$ours" ]; then
    echo "plaudit's own environment is missing: run this by make, in the project's folder" >&2
    exit 1
fi

# Public versions: a local part such as +cpu names the build, and pip finds the same one again.
wanted=$("$ours" - "$@" <<'PYTHON'
import sys
from importlib.metadata import version

pinned = [f"{name}=={version(name).split('+')[0]}" for name in ("torch", "transformers", "tokenizers", "numpy")]
print(" ".join([*sys.argv[1:], *pinned]))
PYTHON
)
if [ "$(cat "$theirs/installed" 2>/dev/null)" != "$wanted" ]; then
    echo "installing $wanted"
    rm -rf "$theirs"
    "$ours" -m venv "$theirs"
    # Split on purpose: one requirement a word.
    # shellcheck disable=SC2086
    "$theirs/bin/pip" install --quiet $wanted
    printf '%s\n' "$wanted" >"$theirs/installed"
fi
