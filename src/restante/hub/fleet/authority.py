"""The built-in certificate authority: it names banks and counters, and the hub to them.

Theory of operation. One root (ECDSA on P-256, because every TLS stack and every TPM speaks it; Ed25519 shakes hands as
well and is taken for a source's own key) signs two kinds of leaf and nothing below them: ``serverAuth`` for the hub's
listener, ``clientAuth`` for sources. A source's certificate says one thing, the URI ``restante:<network>:<source id>``;
what a certificate request asks for besides its key is not even read. Certificates are short-lived (30 days) and renewed
at two thirds of their life; what must end earlier is revoked, and ``identify`` asks about that at every session's start
and every renewal. Certificate profile after RFC 5280. Everything here is a pure value or function: instants, serial
numbers and keys come from the shell; ``keyfiles`` keeps them on disk.
"""

import hashlib
import ipaddress
from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Final

import msgspec
from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from restante.core.refusals import Refusal
from restante.core.time import Instant
from restante.wire.enrol import SourceName, fingerprint, parse_source_uri

ROOT_LIFE: Final = timedelta(days=20 * 365)
LISTENER_LIFE: Final = timedelta(days=90)
SOURCE_LIFE: Final = timedelta(days=30)
SKEW: Final = timedelta(minutes=5)  # a certificate is valid a little before now, for clocks that run late

MAX_CSR_BYTES: Final = 8_192

SourceKey = ec.EllipticCurvePublicKey | ed25519.Ed25519PublicKey


class Authority(msgspec.Struct, frozen=True):
    """The root: its private key and its certificate."""

    key: ec.EllipticCurvePrivateKey
    certificate: x509.Certificate

    @property
    def pem(self) -> str:
        """The root certificate, for whoever must trust it."""
        return pem_of(self.certificate)

    @property
    def sha256(self) -> str:
        """The root's fingerprint, as it stands in an invitation."""
        return fingerprint(self.certificate.public_bytes(Encoding.DER))


class Peer(msgspec.Struct, frozen=True):
    """Who is at the other end of a line, by a certificate that was valid when it was looked at.

    ``not_after`` bounds the session: it ends with the certificate.
    """

    name: SourceName
    serial: int
    not_after: Instant
    key_sha256: str


class Issued(msgspec.Struct, frozen=True):
    """A certificate given to a source, with what the fleet's records keep about it."""

    peer: Peer
    not_before: Instant
    pem: str


IsRevoked = Callable[[Peer], bool]


def new_authority(network: str, key: ec.EllipticCurvePrivateKey, *, now: Instant, serial: int) -> Authority:
    """A self-signed root for one network, good for twenty years and for nothing but leaves and revocation lists."""
    name = _common_name(f"Restante {network}")
    builder = _dated(name, key.public_key(), now=now, life=ROOT_LIFE, serial=serial).issuer_name(name)
    builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
    builder = builder.add_extension(_usage(leaf=False), critical=True)
    builder = builder.add_extension(_key_identifier(key), critical=False)
    return Authority(key, builder.sign(key, hashes.SHA256()))


def issue_listener(
    authority: Authority, key: SourceKey, names: Sequence[str], *, now: Instant, serial: int
) -> x509.Certificate:
    """The hub's certificate for its listener; ``names`` are host names (A-labels) and IP addresses, at least one."""
    assert names, "a listener without a name cannot be checked by anybody"
    builder = _dated(x509.Name([]), key, now=now, life=LISTENER_LIFE, serial=serial)
    alternatives = x509.SubjectAlternativeName([host_name(name) for name in names])
    builder = builder.add_extension(alternatives, critical=True)  # critical because the subject is empty
    return _sign_leaf(authority, builder, ExtendedKeyUsageOID.SERVER_AUTH)


def issue_source(
    authority: Authority, csr_pem: str, name: SourceName, *, now: Instant, serial: int, life: timedelta = SOURCE_LIFE
) -> Issued | Refusal:
    """A client certificate for ``name`` and the request's key; refuses ``csr-malformed``, ``key-kind-refused``."""
    key = requested_key(csr_pem)
    if isinstance(key, Refusal):
        return key
    builder = _dated(_common_name(name.source), key, now=now, life=life, serial=serial)
    builder = builder.add_extension(
        x509.SubjectAlternativeName([x509.UniformResourceIdentifier(name.uri)]), critical=False
    )
    certificate = _sign_leaf(authority, builder, ExtendedKeyUsageOID.CLIENT_AUTH)
    return Issued(_peer(name, certificate), certificate.not_valid_before_utc, pem_of(certificate))


def requested_key(csr_pem: str) -> SourceKey | Refusal:
    """The public key of a PKCS #10 request whose sender proved to hold it; refuses as ``issue_source``."""
    raw = csr_pem.encode("utf-8", "replace")
    if len(raw) > MAX_CSR_BYTES:
        return Refusal("csr-malformed", "csr_pem", "too long")
    try:
        request = x509.load_pem_x509_csr(raw)
        key = request.public_key()
        if not _is_taken(key):
            return Refusal("key-kind-refused", "csr_pem")
        proven = request.is_signature_valid
    except UnsupportedAlgorithm:
        return Refusal("key-kind-refused", "csr_pem")
    except (ValueError, TypeError, x509.InvalidVersion):
        return Refusal("csr-malformed", "csr_pem")
    assert isinstance(key, SourceKey)
    return key if proven else Refusal("csr-malformed", "csr_pem", "signature")


def identify(
    certificate_der: bytes | None,
    *,
    authorities: Sequence[x509.Certificate],
    network: str,
    now: Instant,
    is_revoked: IsRevoked,
) -> Peer | Refusal:
    """Who shows this certificate.

    Refuses ``certificate-missing``, ``-foreign``, ``-expired`` and ``-revoked``. TLS has checked the chain, the times
    and the use already; they are looked at again because a resumed handshake shows an old certificate without checking
    it, and because custody should not hang on one flag of one library.
    """
    if not certificate_der:
        return Refusal("certificate-missing")
    certificate = _read(certificate_der)
    peer = _source_peer(certificate, authorities) if certificate else None
    if certificate is None or peer is None or peer.name.network != network:
        return Refusal("certificate-foreign")
    if not certificate.not_valid_before_utc <= now <= peer.not_after:
        return Refusal("certificate-expired")
    return Refusal("certificate-revoked") if is_revoked(peer) else peer


def is_issued_by(certificate: x509.Certificate, authority: x509.Certificate) -> bool:
    """Whether the authority's key signed the certificate."""
    try:
        certificate.verify_directly_issued_by(authority)
    except (ValueError, TypeError, InvalidSignature, UnsupportedAlgorithm):
        return False
    return True


def host_name(name: str) -> x509.GeneralName:
    """A host as a certificate names it: an IP address, or a DNS name in A-labels (``ValueError`` when neither)."""
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def key_sha256(key: SourceKey) -> str:
    """A public key's fingerprint: SHA-256 of its SubjectPublicKeyInfo, in hex."""
    return hashlib.sha256(key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)).hexdigest()


def pem_of(certificate: x509.Certificate) -> str:
    """A certificate as PEM text."""
    return certificate.public_bytes(Encoding.PEM).decode()


def _peer(name: SourceName, certificate: x509.Certificate) -> Peer:
    key = certificate.public_key()
    assert isinstance(key, SourceKey)
    return Peer(name, certificate.serial_number, certificate.not_valid_after_utc, key_sha256(key))


def _read(certificate_der: bytes) -> x509.Certificate | None:
    try:
        return x509.load_der_x509_certificate(certificate_der)
    except (ValueError, x509.InvalidVersion):
        return None


def _source_peer(certificate: x509.Certificate, authorities: Sequence[x509.Certificate]) -> Peer | None:
    """The source a leaf of ours names; ``None`` for a stranger's leaf, the listener's, or one that names no source."""
    try:
        if not any(is_issued_by(certificate, authority) for authority in authorities):
            return None
        uses = certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
        alternatives = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        uris = alternatives.get_values_for_type(x509.UniformResourceIdentifier)
    except (ValueError, TypeError, x509.ExtensionNotFound, x509.DuplicateExtension, UnsupportedAlgorithm):
        return None
    if ExtendedKeyUsageOID.CLIENT_AUTH not in uses or len(uris) != 1:
        return None
    name = parse_source_uri(uris[0])
    return _peer(name, certificate) if name else None


def _is_taken(key: object) -> bool:
    """Whether a source may have a key of this kind."""
    match key:
        case ed25519.Ed25519PublicKey():
            return True
        case ec.EllipticCurvePublicKey():
            return isinstance(key.curve, ec.SECP256R1)
        case _:
            return False


def _dated(
    subject: x509.Name, key: SourceKey, *, now: Instant, life: timedelta, serial: int
) -> x509.CertificateBuilder:
    builder = x509.CertificateBuilder().subject_name(subject).public_key(key).serial_number(serial)
    builder = builder.not_valid_before(now - SKEW).not_valid_after(now + life)
    return builder.add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)


def _sign_leaf(authority: Authority, builder: x509.CertificateBuilder, use: x509.ObjectIdentifier) -> x509.Certificate:
    builder = builder.issuer_name(authority.certificate.subject)
    builder = builder.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
    builder = builder.add_extension(_usage(leaf=True), critical=True)
    builder = builder.add_extension(x509.ExtendedKeyUsage([use]), critical=False)
    builder = builder.add_extension(_issuer_key(authority), critical=False)
    return builder.sign(authority.key, hashes.SHA256())


def _usage(*, leaf: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=leaf,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=not leaf,
        crl_sign=not leaf,
        encipher_only=False,
        decipher_only=False,
    )


def _key_identifier(key: ec.EllipticCurvePrivateKey) -> x509.AuthorityKeyIdentifier:
    own = x509.SubjectKeyIdentifier.from_public_key(key.public_key())
    return x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(own)


def _issuer_key(authority: Authority) -> x509.AuthorityKeyIdentifier:
    return _key_identifier(authority.key)


def _common_name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text[:64])])
