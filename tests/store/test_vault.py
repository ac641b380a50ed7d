"""Keys: one a person, on disk before anything is sealed, gone for good once destroyed."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from plaudit.store.errors import StoreError, UnknownRowError
from plaudit.store.vault import Vault


@pytest.fixture
def vault(tmp_path: Path) -> Vault:
    vault = Vault(tmp_path / "keys")
    vault.create("ann")
    vault.create("bob")
    return vault


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.text())
def test_sealed_and_opened(vault: Vault, text: str) -> None:
    sealed = vault.sealed("ann", text)
    assert vault.opened("ann", sealed) == text
    assert sealed != vault.sealed("ann", text)  # Equal words do not look equal.
    assert vault.opened(None, vault.sealed(None, text)) == text


def test_one_persons_words_cannot_be_put_under_anothers_name(vault: Vault) -> None:
    with pytest.raises(StoreError, match="does not fit its key"):
        vault.opened("bob", vault.sealed("ann", "mine"))


def test_words_open_with_their_own_key_alone(vault: Vault, tmp_path: Path) -> None:
    """Another store has a key for somebody of the same id."""
    other = Vault(tmp_path / "other")
    other.create("ann")
    with pytest.raises(StoreError, match="does not fit its key"):
        other.opened("ann", vault.sealed("ann", "mine"))


def test_altered_words_are_told(vault: Vault) -> None:
    sealed = vault.sealed("ann", "mine")
    altered = sealed[:20] + ("A" if sealed[20] != "A" else "B") + sealed[21:]
    with pytest.raises(StoreError, match="altered; restore a backup"):
        vault.opened("ann", altered)


def test_a_destroyed_key_is_gone_here_and_in_every_other_process(vault: Vault) -> None:
    other = Vault(vault.folder)
    sealed = vault.sealed("ann", "mine")
    assert other.opened("ann", sealed) == "mine"
    vault.destroy("ann")
    vault.destroy("ann")
    for one in (vault, other):
        assert not one.has("ann")
        with pytest.raises(UnknownRowError, match="cannot be read"):
            one.opened("ann", sealed)
    assert vault.opened("bob", vault.sealed("bob", "x")) == "x"


def test_keys_are_their_owners_alone(vault: Vault) -> None:
    assert all(path.stat().st_mode & 0o077 == 0 for path in vault.folder.glob("*.key"))


def test_whoever_comes_second_keeps_the_first_ones_key(vault: Vault) -> None:
    sealed = vault.sealed("ann", "x")
    Vault(vault.folder).create("ann")
    assert Vault(vault.folder).opened("ann", sealed) == "x"


def test_names_are_hashed_with_a_key_that_one_store_has_alone(tmp_path: Path) -> None:
    """Made once, whoever asks first."""
    vaults = [Vault(tmp_path / "a") for _ in range(8)]
    digests: list[str] = []
    threads = [threading.Thread(target=lambda v=v: digests.append(v.digest_of_name("s", "Ann"))) for v in vaults]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(digests)) == 1
    assert Vault(tmp_path / "b").digest_of_name("s", "Ann") != digests[0]
    assert vaults[0].digest_of_name("t", "Ann") != digests[0]
    assert vaults[0].digest_of_name("s\0A", "nn") != vaults[0].digest_of_name("s", "A\0nn")
