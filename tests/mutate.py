"""Makes every mistake of mutations/ in a copy of the package of its own and runs the tests that must notice it.

    python tests/mutate.py                 all of them
    python tests/mutate.py kl clip         those whose name or file holds one of the words

Exits with 1 where a mutation survives (each of its test files must go red by itself), where one no longer fits the
source, and where the tests are red without any mutation.
"""

# ruff: noqa: T201 (a program for the terminal)
from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

from mutations import MUTATIONS, Mutation

ROOT = Path(__file__).resolve().parent.parent
TESTS_FAILED = 1  # pytest's exit codes: 0 all passed, 1 some failed, from 2 on it could not run them


@contextmanager
def copied_package() -> Iterator[Path]:
    """A folder with a copy of the package in it, gone afterwards; bytecode goes with it, valid where no source changes."""
    with tempfile.TemporaryDirectory() as scratch:
        shutil.copytree(ROOT / "src" / "plaudit", Path(scratch) / "plaudit")
        yield Path(scratch)


def run_tests(source: Path, files: Sequence[str]) -> tuple[int, str]:
    """pytest's exit code and output over the test files, with the package from `source`."""
    environment = {**os.environ, "PYTHONPATH": str(source), "PYTHONDONTWRITEBYTECODE": "1", "OMP_NUM_THREADS": "1"}
    where = [sys.executable, "-c", "import plaudit; print(plaudit.__file__)"]
    found = subprocess.run(where, env=environment, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert Path(found.strip()).is_relative_to(source), f"the tests would run against {found}, not against {source}"
    command = [sys.executable, "-m", "pytest", "-q", "-rfE", "--tb=short", "-p", "no:cacheprovider"]
    # Of several files each must go red.
    command += [f"tests/{file}" for file in files] + ["--exitfirst"] * (len(files) == 1)
    done = subprocess.run(command, env=environment, cwd=ROOT, capture_output=True, text=True, check=False)
    return done.returncode, done.stdout + done.stderr


def verdict(mutation: Mutation) -> str:
    """`killed`, or what is wrong."""
    with copied_package() as source:
        file = source / "plaudit" / mutation.file
        text = file.read_text(encoding="utf-8")
        if (count := text.count(mutation.old)) != 1:
            return f"BROKEN: the text stands there {count} times, expected once"
        file.write_text(text.replace(mutation.old, mutation.new), encoding="utf-8")
        code, output = run_tests(source, mutation.tests)
    if code > TESTS_FAILED:
        return f"BROKEN: the tests could not be run:\n{output[-2000:]}"
    green = [tests for tests in mutation.tests if f"\nFAILED tests/{tests}::" not in output]
    return f"SURVIVED {', '.join(green)}" if green else "killed"


def main(words: Sequence[str]) -> int:
    chosen = [m for m in MUTATIONS if not words or any(word in f"{m.name} {m.file}" for word in words)]
    if not chosen:
        print(f"no mutation's name or file holds any of: {', '.join(words)}")
        return 1
    with copied_package() as source:
        code, output = run_tests(source, sorted({tests for mutation in chosen for tests in mutation.tests}))
    if code:
        print(f"the tests are red without any mutation:\n{output[-4000:]}")
        return 1
    started, killed = time.monotonic(), 0
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for number, (mutation, found) in enumerate(zip(chosen, pool.map(verdict, chosen), strict=True), start=1):
            killed += found == "killed"
            elapsed = time.monotonic() - started
            print(f"[{number}/{len(chosen)} {elapsed:4.0f} s] {mutation.file}: {mutation.name}: {found}", flush=True)
    print(f"{killed} of {len(chosen)} mutations killed")
    return int(killed < len(chosen))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
