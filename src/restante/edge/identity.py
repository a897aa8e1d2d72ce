"""Who a bank is: its private key, its certificate, whom it trusts, and the TLS context it dials the hub with.

Three files in a directory of mode 0700. ``identity.pem`` holds the key and its certificate together, so that a renewal
replaces both in one rename; ``authorities.pem`` holds the roots that vouch for the hub, and ``hub.url`` its address.
``pending.pem`` is a key that has asked for a certificate and has none yet: it is on disk before the hub hears of it, so
that an answer lost on the way can be asked for again with the same key. Every replacement is written beside, flushed
and renamed; the identity is written last, so a crash in between leaves the old one, which still works.
"""

import os
import ssl
import stat
from pathlib import Path
from typing import Final

import msgspec
from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, load_pem_private_key

from restante.core.refusals import Fault
from restante.core.time import Instant
from restante.edge.moments import Moment, reached
from restante.wire.enrol import SourceName, fingerprint, is_hub_address, parse_source_uri

IDENTITY_FILE: Final = "identity.pem"
AUTHORITIES_FILE: Final = "authorities.pem"
HUB_FILE: Final = "hub.url"
PENDING_FILE: Final = "pending.pem"

# What reading a key, a certificate or its extensions raises when the bytes are not one.
_UNREADABLE: Final = (ValueError, TypeError, UnsupportedAlgorithm, x509.ExtensionNotFound, x509.InvalidVersion)

_TLS12_SUITES: Final = "ECDHE+AESGCM:ECDHE+CHACHA20"
_NO_CHECK_TIME: Final = 0x200000  # X509_V_FLAG_NO_CHECK_TIME of OpenSSL's x509_vfy.h, which Python does not name


_MOMENTS: Final = {
    PENDING_FILE: (Moment.BEFORE_PENDING_KEY, Moment.AFTER_PENDING_KEY),
    AUTHORITIES_FILE: (Moment.BEFORE_AUTHORITIES, Moment.AFTER_AUTHORITIES),
    HUB_FILE: (Moment.BEFORE_HUB_ADDRESS, Moment.AFTER_HUB_ADDRESS),
    IDENTITY_FILE: (Moment.BEFORE_IDENTITY, Moment.AFTER_IDENTITY),
}


class IdentityUnreadable(Fault):
    """The bank's identity on disk is damaged or does not belong together; enrol the bank again."""

    blame = "bank"


class IdentityExposed(Fault):
    """The bank's private key can be read by others; set modes 0600 and 0700, then enrol it with a new key."""

    blame = "bank"


class Identity(msgspec.Struct, frozen=True):
    """An enrolled bank or counter: where its files are, who it is, and until when."""

    directory: Path
    hub_url: str
    name: SourceName
    serial: int
    not_before: Instant
    not_after: Instant

    @property
    def renew_at(self) -> Instant:
        """Two thirds of the certificate's life, so that a third is left for outages."""
        return self.not_before + (self.not_after - self.not_before) * 2 / 3


def needs_renewal(identity: Identity, now: Instant) -> bool:
    """Whether two thirds of the certificate's life are over."""
    return now >= identity.renew_at


def has_ended(identity: Identity, now: Instant) -> bool:
    """Whether the certificate is past its end: no line will open any more, and only a new invitation helps."""
    return now > identity.not_after


def load_identity(directory: Path) -> Identity | None:
    """The identity kept here, or ``None`` before the first enrolment.

    Faults: ``IdentityUnreadable``, ``IdentityExposed``.
    """
    path = directory / IDENTITY_FILE
    if not path.exists():
        return None
    demand_private(directory)
    demand_private(path)
    try:
        hub_url = (directory / HUB_FILE).read_text("ascii").strip()
        return _identity(directory, hub_url, path.read_bytes())
    except (OSError, *_UNREADABLE) as wrong:
        raise IdentityUnreadable from wrong


def pending_key(directory: Path) -> ec.EllipticCurvePrivateKey:
    """The key that is to be certified, made and stored at the first call. Faults: as ``load_identity``."""
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    demand_private(directory)
    path = directory / PENDING_FILE
    if not path.exists():
        _replace(path, _key_pem(ec.generate_private_key(ec.SECP256R1())))
    demand_private(path)
    try:
        key = load_pem_private_key(path.read_bytes(), password=None)
    except _UNREADABLE as wrong:
        raise IdentityUnreadable from wrong
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise IdentityUnreadable
    return key


def certificate_request(key: ec.EllipticCurvePrivateKey) -> str:
    """A PKCS #10 request in PEM that names nobody: the hub knows who asks."""
    request = x509.CertificateSigningRequestBuilder().subject_name(x509.Name([]))
    return request.sign(key, hashes.SHA256()).public_bytes(Encoding.PEM).decode()


def store_identity(
    directory: Path,
    *,
    hub_url: str,
    certificate_pem: str,
    authorities_pem: str,
    expected: SourceName | None = None,
) -> Identity:
    """Keep a certificate for the pending key, and forget that it was pending.

    Faults: ``IdentityUnreadable`` when the certificate is not for that key, names no source or another than
    ``expected``, or comes from an authority not among ``authorities_pem``; nothing on disk has changed then.
    """
    body = _key_pem(pending_key(directory)) + certificate_pem.encode()
    try:
        identity = _identity(directory, hub_url, body)
        _demand_vouched(certificate_pem, authorities_pem)
        if expected not in {None, identity.name}:
            raise ValueError("the certificate names another source")
    except _UNREADABLE as wrong:
        raise IdentityUnreadable from wrong
    _replace(directory / AUTHORITIES_FILE, authorities_pem.encode())
    _replace(directory / HUB_FILE, hub_url.encode("ascii"))
    _replace(directory / IDENTITY_FILE, body)
    (directory / PENDING_FILE).unlink()
    _flush_directory(directory)
    return identity


def session_context(identity: Identity, *, is_clock_trusted: bool = True) -> ssl.SSLContext:
    """The context to dial the hub with: our roots alone, the hub's name checked, this bank's certificate shown.

    Faults: ``IdentityUnreadable``.
    """
    try:
        authorities_pem = (identity.directory / AUTHORITIES_FILE).read_text("ascii")
        context = hub_context(authorities_pem, is_clock_trusted=is_clock_trusted)
        context.load_cert_chain(identity.directory / IDENTITY_FILE)
    except (OSError, ValueError) as wrong:  # ssl.SSLError is an OSError
        raise IdentityUnreadable from wrong
    return context


def hub_context(authorities_pem: str, *, is_clock_trusted: bool = True) -> ssl.SSLContext:
    """A context that trusts these roots alone, checks the hub's name and shows no certificate.

    With a clock that cannot be trusted (a controller that woke in 1970) the validity times of the hub's certificate are
    not checked, or the bank could never reach the hub that would tell it the time; chain and name still are.
    Raises ``ssl.SSLError`` or ``ValueError`` when the text holds no certificate.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers(_TLS12_SUITES)
    context.verify_flags |= ssl.VERIFY_X509_STRICT
    if not is_clock_trusted:
        context.verify_flags = ssl.VerifyFlags(context.verify_flags | _NO_CHECK_TIME)
    context.load_verify_locations(cadata=authorities_pem)
    return context


def authority_matching(authorities_pem: str, sha256: str) -> str | None:
    """The one certificate of a PEM text that has this fingerprint, as PEM; ``None`` when none has."""
    try:
        certificates = x509.load_pem_x509_certificates(authorities_pem.encode())
    except (ValueError, x509.InvalidVersion):
        return None
    for certificate in certificates:
        if fingerprint(certificate.public_bytes(Encoding.DER)) == sha256:
            return certificate.public_bytes(Encoding.PEM).decode()
    return None


def demand_private(path: Path) -> None:
    """Fault ``IdentityExposed`` unless only the owner may use ``path``."""
    mode = stat.S_IMODE(path.stat().st_mode)
    if mode & 0o077:
        raise IdentityExposed(f"{path.name} has mode {mode:04o}: {IdentityExposed.__doc__}")


def _identity(directory: Path, hub_url: str, body: bytes) -> Identity:
    """Read key and certificate and see that they belong together; ``ValueError`` and its like when not."""
    certificate = x509.load_pem_x509_certificate(body)
    key = load_pem_private_key(body, password=None)
    if key.public_key() != certificate.public_key():
        raise ValueError("the certificate is for another key")
    alternatives = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    names = alternatives.get_values_for_type(x509.UniformResourceIdentifier)
    name = parse_source_uri(names[0]) if len(names) == 1 else None
    if name is None or not is_hub_address(hub_url):
        raise ValueError("the certificate names no source, or the hub's address is none")
    return Identity(
        directory=directory,
        hub_url=hub_url,
        name=name,
        serial=certificate.serial_number,
        not_before=certificate.not_valid_before_utc,
        not_after=certificate.not_valid_after_utc,
    )


def _demand_vouched(certificate_pem: str, authorities_pem: str) -> None:
    certificate = x509.load_pem_x509_certificate(certificate_pem.encode())
    authorities = x509.load_pem_x509_certificates(authorities_pem.encode())
    issuers = [authority for authority in authorities if authority.subject == certificate.issuer]
    if not any(_signed(certificate, issuer) for issuer in issuers):
        raise ValueError("no trusted authority issued the certificate")


def _signed(certificate: x509.Certificate, issuer: x509.Certificate) -> bool:
    try:
        certificate.verify_directly_issued_by(issuer)
    except (ValueError, TypeError, InvalidSignature):
        return False
    return True


def _key_pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def _replace(path: Path, body: bytes) -> None:
    """Write beside, flush, rename, flush the directory: after a power cut the file is the old one or the new one."""
    beside = path.with_name(f".{path.name}.new")
    beside.unlink(missing_ok=True)
    descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(body)
        file.flush()
        os.fsync(file.fileno())
    before, after = _MOMENTS[path.name]
    reached(before)
    beside.replace(path)
    reached(after)
    _flush_directory(path.parent)


def _flush_directory(directory: Path) -> None:
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
