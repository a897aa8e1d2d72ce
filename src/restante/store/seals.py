"""Sealing with AES-256-GCM (NIST SP 800-38D): a key for each person, wrapped under the installation's own key.

What is sealed is bound to what it is about, so that one person's row put in another's place does not open. The key
that wraps a person's key is derived from the installation's key and the person's id (HKDF, RFC 5869): no key ever
meets more than a few nonces, however many people there are.
"""

import os
import stat
from pathlib import Path
from secrets import token_bytes
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from restante.core.ids import ContactId
from restante.core.refusals import Fault

KEY_BYTES: Final = 32
NONCE_BYTES: Final = 12
KEY_FILE: Final = "vault.key"


class SealBroken(Fault):
    """Sealed data do not open: they were altered, moved, or sealed under another installation's key."""


class VaultKeyUnfit(Fault):
    """The file with the vault's key is damaged or open to others; restore it from the backup, with mode 0600."""


def new_key() -> bytes:
    """A fresh key of 256 bits."""
    return token_bytes(KEY_BYTES)


def seal(key: bytes, plain: bytes, about: str) -> bytes:
    """Nonce, ciphertext and tag; ``about`` must be said again to open it."""
    nonce = token_bytes(NONCE_BYTES)
    return nonce + AESGCM(key).encrypt(nonce, plain, about.encode())


def unseal(key: bytes, sealed: bytes, about: str) -> bytes:
    """What was sealed. Fault: ``SealBroken``."""
    try:
        return AESGCM(key).decrypt(sealed[:NONCE_BYTES], sealed[NONCE_BYTES:], about.encode())
    except (InvalidTag, ValueError) as error:
        raise SealBroken from error


def wrap(installation_key: bytes, person_key: bytes, contact: ContactId) -> bytes:
    """A person's key as it is stored."""
    return seal(_wrapping_key(installation_key, contact), person_key, f"key/{contact}")


def unwrap(installation_key: bytes, wrapped: bytes, contact: ContactId) -> bytes:
    """A person's key from its stored form. Fault: ``SealBroken``."""
    return unseal(_wrapping_key(installation_key, contact), wrapped, f"key/{contact}")


def _wrapping_key(installation_key: bytes, contact: ContactId) -> bytes:
    return HKDF(SHA256(), KEY_BYTES, salt=None, info=f"restante vault {contact}".encode()).derive(installation_key)


def open_key(state: Path) -> bytes:
    """The installation's key from the state folder, made at the first call. Fault: ``VaultKeyUnfit``.

    All hubs on one database need the same file. Without it nothing that the vault holds can ever be read again.
    """
    path = state / KEY_FILE
    if not path.exists():
        _make(path)
    if stat.S_IMODE(path.stat().st_mode) & 0o077:
        raise VaultKeyUnfit(f"{KEY_FILE} can be read by others: {VaultKeyUnfit.__doc__}")
    key = path.read_bytes()
    if len(key) != KEY_BYTES:
        raise VaultKeyUnfit(f"{KEY_FILE} has {len(key)} bytes, not {KEY_BYTES}: {VaultKeyUnfit.__doc__}")
    return key


def _make(path: Path) -> None:
    """Write a key beside ``path``, flush it, and give it the name in one step that fails where the name is taken."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    beside = path.with_name(f".{path.name}.{token_bytes(8).hex()}")
    descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(new_key())
        file.flush()
        os.fsync(file.fileno())
    try:
        path.hardlink_to(beside)
    except FileExistsError:
        pass  # another hub was first; its key is the one
    finally:
        beside.unlink()
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
