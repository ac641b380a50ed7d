"""Seeds are the same everywhere and differ by name."""

import hashlib
import os
import subprocess
import sys

from hypothesis import given
from hypothesis import strategies as st

from plaudit.runs.seeds import spawn_seed

NAMES = st.lists(st.integers() | st.text(st.characters(exclude_categories=["Cs"])), max_size=4)


def test_the_value_is_the_upper_63_bits_of_a_known_hash() -> None:
    digest = hashlib.sha256(b'[7,"sample",3,"0f"]').hexdigest()
    assert spawn_seed(7, "sample", 3, "0f") == int(digest[:16], 16) // 2


def test_another_process_with_another_hash_salt_agrees() -> None:
    code = "from plaudit.runs.seeds import spawn_seed; import sys; sys.stdout.write(str(spawn_seed(1, 'ü', 2)))"
    environment = {**os.environ, "PYTHONHASHSEED": "123"}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    assert int(done.stdout) == spawn_seed(1, "ü", 2)


def test_names_that_join_to_the_same_text_differ() -> None:
    seeds = [spawn_seed(1), spawn_seed(1, "1"), spawn_seed(1, 1), spawn_seed(11), spawn_seed(1, "a", "b")]
    seeds += [spawn_seed(1, "ab"), spawn_seed(1, 'a","b'), spawn_seed(1, "b", "a")]
    assert len(set(seeds)) == len(seeds)


@given(st.integers(), NAMES)
def test_every_seed_fits_a_signed_64_bit_generator(seed: int, names: list[int | str]) -> None:
    assert 0 <= spawn_seed(seed, *names) < 2**63


def test_bits_are_balanced() -> None:
    """Each of the 63 bits is set in about half of 2,000 seeds: five standard deviations are 0.056."""
    seeds = [spawn_seed(0, "sample", index) for index in range(2000)]
    for bit in range(63):
        assert abs(sum(seed >> bit & 1 for seed in seeds) / 2000 - 0.5) < 0.056
