"""The list of sabotages keeps up with the code: `make mutate` takes hours, so that it fits is asked every time."""

import sys
from pathlib import Path

import pytest

TESTS = Path(__file__).parent
# Behind everything: tests/statistics must not stand before Python's own.
sys.path.append(str(TESTS))

from mutations import MUTATIONS, Mutation  # noqa: E402 (as mutate.py imports them)

sys.path.remove(str(TESTS))


@pytest.mark.parametrize("mutation", MUTATIONS, ids=lambda mutation: mutation.name)
def test_a_sabotage_fits_the_source_and_names_tests_that_exist(mutation: Mutation) -> None:
    source = (TESTS.parent / "src" / "plaudit" / mutation.file).read_text(encoding="utf-8")
    assert source.count(mutation.old) == 1
    assert mutation.new != mutation.old
    assert mutation.tests
    assert all((TESTS / file).is_file() for file in mutation.tests)
