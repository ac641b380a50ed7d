#!/bin/sh
# Makes TRL's environment beside this file, with the torch and transformers of plaudit's. Prints nothing where it stands.
set -eu
here=$(CDPATH= cd -- "$(dirname -- "$0")" && pwd)
ours="$here/../../.venv/bin/python"
theirs="$here/.venv"

if [ ! -x "$ours" ]; then
    echo "plaudit's own environment is missing: run this by make, in the project's folder" >&2
    exit 1
fi

# Public versions: a local part such as +cpu names the build, and pip finds the same one again.
wanted=$("$ours" - <<'PYTHON'
from importlib.metadata import version

pinned = " ".join(f"{name}=={version(name).split('+')[0]}" for name in ("torch", "transformers", "tokenizers", "numpy"))
print(f"trl==1.12.0 {pinned}")
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
