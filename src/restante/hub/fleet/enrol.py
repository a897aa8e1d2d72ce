"""The hub's half of enrolment and renewal: one request in, one answer out.

A code is made by the shell from at least 128 bits of chance, kept as a digest, bound to one source, good for a day and
for one key. The key is what makes it single-use *and* safe to repeat: when the answer is lost on the way, the machine
asks again with the key it has already stored and gets its certificate; any other key is refused. ``keep`` settles a
race of two machines with one code, because it writes the certificate and marks the code in one transaction.
"""

import asyncio
import base64
import hmac
import logging
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Final, assert_never

import msgspec
from cryptography import x509
from websockets.asyncio.server import ServerConnection
from websockets.exceptions import ConnectionClosed

from restante.core.refusals import Refusal
from restante.core.time import Instant
from restante.hub.fleet.authority import (
    SOURCE_LIFE,
    Authority,
    IsRevoked,
    Issued,
    Peer,
    issue_source,
    key_sha256,
    pem_of,
    requested_key,
)
from restante.hub.fleet.tls import peer_of
from restante.wire.enrol import (
    Answer,
    AskAuthority,
    AuthorityShown,
    CertificateIssued,
    Enrol,
    Invitation,
    Renew,
    SourceName,
    code_digest,
    decode_request,
    encode,
    refused,
)

CODE_LIFE: Final = timedelta(hours=24)
MIN_CHANCE_BYTES: Final = 16
PATIENCE_SECONDS: Final = 10.0

LISTENER_LOG: Final = logging.getLogger("restante.fleet.listener")
LISTENER_LOG.setLevel(logging.INFO)
# Give this logger to ``websockets.serve``: at DEBUG it writes frames, and codes are in them.
SOCKET_LOG: Final = logging.getLogger("websockets.listener")
SOCKET_LOG.setLevel(logging.WARNING)


class EnrolmentCode(msgspec.Struct, frozen=True):
    """The right of one source to enrol one key, kept by the digest of its code; ``used_by`` is that key's SHA-256."""

    digest: bytes
    name: SourceName
    expires_at: Instant
    used_by: str | None = None


class Office(msgspec.Struct, frozen=True):
    """What enrolment needs of the shell.

    ``authorities`` are all roots to trust: during a change of root the old and the new one. ``find_code`` looks a code
    up by digest. ``keep`` records a certificate, and with a code marks it as used by ``code.used_by``, in one
    transaction; it answers False when another key has used the code or the source has been revoked meanwhile.
    """

    authority: Authority
    authorities: tuple[x509.Certificate, ...]
    network: str
    is_revoked: IsRevoked
    find_code: Callable[[bytes], Awaitable[EnrolmentCode | None]]
    keep: Callable[[Issued, EnrolmentCode | None], Awaitable[bool]]
    source_life: timedelta = SOURCE_LIFE


def invite(
    hub_url: str, authority: Authority, name: SourceName, *, chance: bytes, now: Instant
) -> tuple[Invitation, EnrolmentCode]:
    """The invitation to hand over, and what to keep of it; ``chance`` is 16 or more bytes from ``secrets``."""
    assert len(chance) >= MIN_CHANCE_BYTES, "an enrolment code needs 128 bits of chance"
    code = base64.urlsafe_b64encode(chance).rstrip(b"=").decode()
    kept = EnrolmentCode(code_digest(code), name, now + CODE_LIFE)
    return Invitation(hub_url, authority.sha256, code), kept


def redeem(kept: EnrolmentCode | None, code: str, *, key: str, now: Instant) -> EnrolmentCode | Refusal:
    """Use a code for the key with this SHA-256; refuses ``enrolment-code-wrong``, ``-expired`` and ``-used``."""
    if kept is None or not hmac.compare_digest(kept.digest, code_digest(code)):
        return Refusal("enrolment-code-wrong")
    if now >= kept.expires_at:
        return Refusal("enrolment-code-expired")
    if kept.used_by not in {None, key}:
        return Refusal("enrolment-code-used")
    return msgspec.structs.replace(kept, used_by=key)


async def answer_enrolment(raw: bytes, office: Office, *, peer: Peer | Refusal, now: Instant, serial: int) -> bytes:
    """Answer one request; ``peer`` is who ``tls.peer_of`` found, which matters to a renewal only."""
    request = decode_request(raw)
    match request:
        case Refusal():
            answer: Answer = refused(request)
        case AskAuthority():
            answer = AuthorityShown(_trusted(office))
        case Enrol():
            answer = await _enrol(request, office, now=now, serial=serial)
        case Renew():
            answer = await _renew(request, office, peer=peer, now=now, serial=serial)
        case _:
            assert_never(request)
    return encode(answer)


async def serve_enrolment(
    connection: ServerConnection, office: Office, *, now: Callable[[], Instant], serial: Callable[[], int]
) -> None:
    """One exchange on an accepted connection that speaks ``wire.enrol.SUBPROTOCOL``, within ``PATIENCE_SECONDS``."""
    at = now()
    peer = peer_of(
        connection, authorities=office.authorities, network=office.network, now=at, is_revoked=office.is_revoked
    )
    try:
        async with asyncio.timeout(PATIENCE_SECONDS):
            raw = await connection.recv(decode=False)
            answer = await answer_enrolment(raw, office, peer=peer, now=at, serial=serial())
            await connection.send(answer, text=True)
    except (TimeoutError, ConnectionClosed):
        LISTENER_LOG.info("enrolment-unanswered")


async def _enrol(request: Enrol, office: Office, *, now: Instant, serial: int) -> Answer:
    key = requested_key(request.csr_pem)
    if isinstance(key, Refusal):
        return refused(key)
    kept = await office.find_code(code_digest(request.code))
    code = redeem(kept, request.code, key=key_sha256(key), now=now)
    if isinstance(code, Refusal):
        return refused(code)
    issued = issue_source(office.authority, request.csr_pem, code.name, now=now, serial=serial, life=office.source_life)
    return await _settle(issued, code, office)


async def _renew(request: Renew, office: Office, *, peer: Peer | Refusal, now: Instant, serial: int) -> Answer:
    if isinstance(peer, Refusal):
        return refused(peer)
    issued = issue_source(office.authority, request.csr_pem, peer.name, now=now, serial=serial, life=office.source_life)
    return await _settle(issued, None, office)


async def _settle(issued: Issued | Refusal, code: EnrolmentCode | None, office: Office) -> Answer:
    if isinstance(issued, Refusal):
        return refused(issued)
    if not await office.keep(issued, code):
        return refused(Refusal("enrolment-code-used" if code else "certificate-revoked"))
    return CertificateIssued(issued.pem, _trusted(office))


def _trusted(office: Office) -> str:
    return "".join(pem_of(authority) for authority in office.authorities)
