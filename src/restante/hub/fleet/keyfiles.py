"""The hub's own keys on disk: the authority's, the manifests' and the sources' master secret, made once, and the
listener's, renewed as it ages.

The authority's and the listener's stand in a state directory of mode 0700, in files of mode 0600 that hold a private
key and its certificate together, so that the two never disagree; a secret's file holds its bytes. What is made once
appears by a hard link, which fails where one exists: of two hubs that start at once on one directory, the second reads
what the first wrote.
"""

import os
import secrets
import stat
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)

from restante.core.refusals import Fault
from restante.core.time import Instant
from restante.hub.fleet.authority import Authority, host_name, is_issued_by, issue_listener, new_authority, pem_of

AUTHORITY_FILE: Final = "authority.pem"
MANIFEST_FILE: Final = "manifest.key"
MASTER_FILE: Final = "sources.key"
LISTENER_FILE: Final = "listener.pem"
SECRET_BYTES: Final = 32


class KeyExposed(Fault):
    """A private key or its directory can be read by others; set modes 0600 and 0700, and think about replacing it."""


class KeyUnreadable(Fault):
    """A key file does not hold a key and its certificate; restore it from the backup."""


def open_authority(directory: Path, network: str, *, now: Instant, serial: int) -> Authority:
    """The authority of this state directory, made at the first call. Faults: ``KeyExposed``, ``KeyUnreadable``."""
    path = _private_directory(directory) / AUTHORITY_FILE
    if not path.exists():
        made = new_authority(network, ec.generate_private_key(ec.SECP256R1()), now=now, serial=serial)
        _write(path, _pem_pair(made.key, made.certificate), replace=False)
    key, certificate = _load(path)
    return Authority(key, certificate)


def open_listener_file(
    directory: Path, authority: Authority, names: Sequence[str], *, now: Instant, serial: int
) -> Path:
    """The file with the listener's key and certificate for ``names``, made anew when missing or due.

    Call it again once a day and load it into the running context: new handshakes then show the new certificate.
    Faults: ``KeyExposed``. A file that cannot be read is made anew, since nothing depends on this key's past.
    """
    path = _private_directory(directory) / LISTENER_FILE
    if not _is_current(path, authority, names, now=now):
        key = ec.generate_private_key(ec.SECP256R1())
        certificate = issue_listener(authority, key.public_key(), names, now=now, serial=serial)
        _write(path, _pem_pair(key, certificate), replace=True)
    return path


def open_secret(directory: Path, file: str) -> bytes:
    """32 bytes of chance, made at the first call and kept. Faults: ``KeyExposed``, ``KeyUnreadable``."""
    path = _private_directory(directory) / file
    if not path.exists():
        _write(path, secrets.token_bytes(SECRET_BYTES), replace=False)
    _demand_private(path)
    raw = path.read_bytes()
    if len(raw) != SECRET_BYTES:
        raise KeyUnreadable(f"{path.name}: {KeyUnreadable.__doc__}")
    return raw


def _is_current(path: Path, authority: Authority, names: Sequence[str], *, now: Instant) -> bool:
    try:
        _, certificate = _load(path)
        said = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except (KeyUnreadable, FileNotFoundError, x509.ExtensionNotFound):
        return False
    if not is_issued_by(certificate, authority.certificate):
        return False
    life = certificate.not_valid_after_utc - certificate.not_valid_before_utc
    covered = set(said) == {host_name(name) for name in names}
    return covered and certificate.not_valid_before_utc <= now < certificate.not_valid_before_utc + life * 2 / 3


def _private_directory(directory: Path) -> Path:
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    _demand_private(directory)
    return directory


def _demand_private(path: Path) -> None:
    mode = path.stat().st_mode
    if stat.S_IMODE(mode) & 0o077:
        raise KeyExposed(f"{path.name} has mode {stat.S_IMODE(mode):04o}: {KeyExposed.__doc__}")


def _load(path: Path) -> tuple[ec.EllipticCurvePrivateKey, x509.Certificate]:
    _demand_private(path)
    raw = path.read_bytes()
    try:
        key = load_pem_private_key(raw, password=None)
        certificate = x509.load_pem_x509_certificate(raw)
    except (ValueError, TypeError, UnsupportedAlgorithm, x509.InvalidVersion) as wrong:
        raise KeyUnreadable(f"{path.name}: {KeyUnreadable.__doc__}") from wrong
    if not isinstance(key, ec.EllipticCurvePrivateKey) or key.public_key() != certificate.public_key():
        raise KeyUnreadable(f"{path.name}: {KeyUnreadable.__doc__}")
    return key, certificate


def _pem_pair(key: ec.EllipticCurvePrivateKey, certificate: x509.Certificate) -> bytes:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()) + pem_of(certificate).encode()


def _write(path: Path, body: bytes, *, replace: bool) -> None:
    """Write to a file beside ``path``, flush it, and give it the name in one step."""
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    beside.unlink(missing_ok=True)
    descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(body)
        file.flush()
        os.fsync(file.fileno())
    if replace:
        beside.replace(path)
    else:
        _link_once(beside, path)
    _flush_directory(path.parent)


def _link_once(beside: Path, path: Path) -> None:
    try:
        path.hardlink_to(beside)
    except FileExistsError:
        pass  # another hub was first; its authority is the one
    finally:
        beside.unlink()


def _flush_directory(directory: Path) -> None:
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
