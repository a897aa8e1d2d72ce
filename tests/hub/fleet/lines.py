"""Real lines for the tests of enrolment and TLS: an authority, a listener on loopback, and records kept in memory."""

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from websockets.asyncio.server import ServerConnection, serve
from websockets.typing import Subprotocol

from restante.core.refusals import Refusal
from restante.core.time import Instant
from restante.hub.fleet.authority import Authority, Issued, Peer, issue_source
from restante.hub.fleet.enrol import LISTENER_LOG, EnrolmentCode, Office, invite, serve_enrolment
from restante.hub.fleet.keyfiles import open_authority, open_listener_file
from restante.hub.fleet.tls import listener_context, peer_of
from restante.wire.enrol import SUBPROTOCOL, Invitation, SourceName

NETWORK = "helsinki"
SESSION = Subprotocol("restante-session-for-tests")
NAME = SourceName(NETWORK, "bank-1")

# The handshake reads the machine's clock, so the certificates of these tests live around it, in whole seconds.
NOW: Instant = datetime.now(UTC).replace(microsecond=0)

Key = ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey


def serial() -> int:
    """A serial number as the shell draws it."""
    return x509.random_serial_number()


def new_key() -> ec.EllipticCurvePrivateKey:
    """A key of the usual kind."""
    return ec.generate_private_key(ec.SECP256R1())


def csr(key: Key, subject: str = "") -> str:
    """A request signed by ``key`` that asks for ``subject``."""
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, subject)] if subject else [])
    algorithm = None if isinstance(key, ed25519.Ed25519PrivateKey) else hashes.SHA256()
    request = x509.CertificateSigningRequestBuilder().subject_name(name).sign(key, algorithm)
    return request.public_bytes(serialization.Encoding.PEM).decode()


def key_pem(key: Key) -> str:
    """A private key as PEM."""
    plain = serialization.NoEncryption()
    return key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, plain).decode()


def der(pem: str) -> bytes:
    """A PEM certificate as DER."""
    return x509.load_pem_x509_certificate(pem.encode()).public_bytes(serialization.Encoding.DER)


class Records:
    """The hub's fleet tables, in memory."""

    def __init__(self) -> None:
        self.codes: dict[bytes, EnrolmentCode] = {}
        self.issued: list[Issued] = []
        self.revoked: set[int] = set()

    def is_revoked(self, peer: Peer) -> bool:
        """Whether the certificate was revoked."""
        return peer.serial in self.revoked

    async def find_code(self, digest: bytes) -> EnrolmentCode | None:
        """The code kept under this digest."""
        await asyncio.sleep(0)
        return self.codes.get(digest)

    async def keep(self, issued: Issued, code: EnrolmentCode | None) -> bool:
        """Record a certificate and mark its code, unless another key has used it."""
        await asyncio.sleep(0)
        if code:
            if self.codes[code.digest].used_by not in {None, code.used_by}:
                return False
            self.codes[code.digest] = code
        self.issued.append(issued)
        return True


class Hub:
    """An authority, its listener and its records in one directory."""

    def __init__(self, directory: Path, *, names: tuple[str, ...] = ("127.0.0.1", "localhost")) -> None:
        self.directory = directory
        self.authority: Authority = open_authority(directory, NETWORK, now=NOW, serial=serial())
        self.authorities: tuple[x509.Certificate, ...] = (self.authority.certificate,)
        self.records = Records()
        self.names = names
        self.listener_made_at = NOW
        self.clock = NOW
        self.seen: list[Peer | Refusal] = []
        self.handshakes: list[str | None] = []
        self.port = 0

    @property
    def url(self) -> str:
        """The listener's address."""
        return f"wss://127.0.0.1:{self.port}"

    @property
    def office(self) -> Office:
        """What enrolment needs of this hub."""
        return Office(
            authority=self.authority,
            authorities=self.authorities,
            network=NETWORK,
            is_revoked=self.records.is_revoked,
            find_code=self.records.find_code,
            keep=self.records.keep,
        )

    def invite(self, name: SourceName = NAME, *, chance: bytes = b"0123456789abcdef") -> Invitation:
        """An invitation for a source, kept in the records."""
        invitation, code = invite(self.url, self.authority, name, chance=chance, now=self.clock)
        self.records.codes[code.digest] = code
        return invitation

    def certify(
        self, key: Key, name: SourceName = NAME, *, now: Instant = NOW, life: timedelta = timedelta(days=30)
    ) -> Issued:
        """A certificate for a source, straight from the authority."""
        issued = issue_source(self.authority, csr(key), name, now=now, serial=serial(), life=life)
        assert isinstance(issued, Issued)
        return issued

    def context(self) -> ssl.SSLContext:
        """The listener's context."""
        path = open_listener_file(
            self.directory, self.authority, self.names, now=self.listener_made_at, serial=serial()
        )
        return listener_context(path, self.authorities)

    async def receive(self, connection: ServerConnection) -> None:
        """Serve an enrolment, or say to a session who it is."""
        shown = connection.transport.get_extra_info("ssl_object")
        self.handshakes.append(shown.version())
        if connection.subprotocol == SUBPROTOCOL:
            await serve_enrolment(connection, self.office, now=lambda: self.clock, serial=serial)
            return
        peer = peer_of(
            connection,
            authorities=self.authorities,
            network=NETWORK,
            now=self.clock,
            is_revoked=self.records.is_revoked,
        )
        self.seen.append(peer)
        await connection.send(peer.code if isinstance(peer, Refusal) else peer.name.uri)

    @asynccontextmanager
    async def listening(self) -> AsyncIterator["Hub"]:
        """Listen on a free port of loopback."""
        subprotocols = [SESSION, Subprotocol(SUBPROTOCOL)]
        async with serve(
            self.receive, "127.0.0.1", 0, ssl=self.context(), subprotocols=subprotocols, logger=LISTENER_LOG
        ) as server:
            self.port = next(iter(server.sockets)).getsockname()[1]
            yield self
