"""People's words under keys of their own. Whoever destroys a person's key has destroyed every copy of their words.

The keys are files beside the database, never rows in it: a row's bytes live on in free pages, logs and dumps, and so may
hold ciphertext only.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import os
import secrets
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from plaudit.schemas.conversation import canonical_json
from plaudit.store.errors import StoreError, UnknownRowError

_NONCE_BYTES, _KEY_BYTES = 12, 32
_PEPPER, _ERASED = "names.key", ".erased"


class Vault:
    """A folder with one key a person and one for the names that people bear elsewhere."""

    def __init__(self, folder: Path | str) -> None:
        self.folder = Path(folder)
        self._keys: dict[str, bytes] = {}

    def create(self, person_id: str) -> None:
        """Makes a person's key. It is on disk, for sure, before anything can be sealed with it."""
        _write_new(self._path(person_id), secrets.token_bytes(_KEY_BYTES))

    def destroy(self, person_id: str) -> None:
        """Overwrites and removes a person's key, and notes that it is gone for good. Doing so twice is no error."""
        self._keys.pop(person_id, None)
        path = self._path(person_id)
        _write_new(path.with_suffix(_ERASED), b"")
        if path.exists():
            with path.open("r+b") as file:
                file.write(secrets.token_bytes(_KEY_BYTES))
                file.flush()
                os.fsync(file.fileno())
            path.unlink()
            _sync(self.folder)

    def has(self, person_id: str) -> bool:
        """Whether the person's words can still be read."""
        return self._path(person_id).exists()

    def erased(self) -> list[str]:
        """Everybody whose key was destroyed here: a database that comes back must forget them again."""
        return sorted(path.stem for path in self.folder.glob(f"*{_ERASED}"))

    def sealed(self, person_id: str | None, text: str) -> str:
        """`text` as only the holder of the person's key can read it; as it is where it is nobody's.

        AES-256 in Galois/counter mode, bound to the person, so that one person's words cannot be put under another's name.
        """
        if person_id is None:
            return text
        nonce = secrets.token_bytes(_NONCE_BYTES)
        cipher = AESGCM(self._key(person_id)).encrypt(nonce, text.encode(), person_id.encode())
        return base64.b64encode(nonce + cipher).decode()

    def opened(self, person_id: str | None, text: str) -> str:
        """What was sealed. Raises UnknownRowError where the key was destroyed, StoreError where the text was altered."""
        if person_id is None:
            return text
        raw = base64.b64decode(text)
        try:
            key = self._key(person_id)
            return AESGCM(key).decrypt(raw[:_NONCE_BYTES], raw[_NONCE_BYTES:], person_id.encode()).decode()
        except InvalidTag as error:
            raise StoreError(
                f"a text of {person_id} does not fit its key: the database or {self.folder} was altered; restore a backup"
            ) from error

    def digest_of_name(self, source: str, name: str) -> str:
        """A name that somebody bears in `source`, as a hash that nobody can try names against without the vault's key."""
        path = self.folder / _PEPPER
        if not path.exists():
            _write_new(path, secrets.token_bytes(_KEY_BYTES))
        return hmac.new(path.read_bytes(), canonical_json([source, name]).encode(), hashlib.sha256).hexdigest()

    def _path(self, person_id: str) -> Path:
        return self.folder / f"{person_id}.key"

    def _key(self, person_id: str) -> bytes:
        path = self._path(person_id)
        if not path.exists():  # Another process may have destroyed it since.
            self._keys.pop(person_id, None)
            raise UnknownRowError(f"the words of {person_id} cannot be read: their key is not in {self.folder}")
        if person_id not in self._keys:
            self._keys[person_id] = path.read_bytes()
        return self._keys[person_id]


def _write_new(path: Path, data: bytes) -> None:
    """Creates the file if it is not there, readable by its owner alone, and waits for the disk.

    Whoever comes second keeps the first one's key, which somebody may have used by now.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    handle = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        os.write(handle, data)
        os.fsync(handle)
    finally:
        os.close(handle)
    try:
        os.link(partial, path)
    except FileExistsError:
        pass
    finally:
        partial.unlink()
    _sync(path.parent)


def _sync(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
