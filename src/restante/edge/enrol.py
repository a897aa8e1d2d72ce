"""The bank's half of enrolment and renewal: from an invitation to a certificate, from one certificate to the next."""

import asyncio
import logging
import ssl
from pathlib import Path
from typing import Final, assert_never

from websockets.asyncio.client import connect
from websockets.exceptions import WebSocketException
from websockets.typing import Subprotocol

from restante.core.refusals import Fault, Refusal
from restante.edge.identity import (
    Identity,
    authority_matching,
    certificate_request,
    hub_context,
    pending_key,
    session_context,
    store_identity,
)
from restante.wire.enrol import (
    MAX_MESSAGE_BYTES,
    SUBPROTOCOL,
    Answer,
    AskAuthority,
    AuthorityShown,
    CertificateIssued,
    Enrol,
    Invitation,
    Refused,
    Renew,
    Request,
    SourceName,
    decode_answer,
    encode,
    refusal_from,
)

PATIENCE_SECONDS: Final = 20.0

_LOG: Final = logging.getLogger("websockets.enrol")
_LOG.setLevel(logging.INFO)  # at DEBUG the websocket library writes frames, and the code is in one of them


class HubUnreachable(Fault):
    """The hub did not answer; try again when the network is back."""

    retryable = True
    blame = "hub"


class HubUnproven(Fault):
    """The machine that answered is not the hub of the invitation: look at the address, the invitation and the line."""

    blame = "hub"


async def enrol(invitation: Invitation, directory: Path, *, is_clock_trusted: bool = True) -> Identity | Refusal:
    """Become the source that the invitation is for, with a key made here, and keep the identity in ``directory``.

    Safe to repeat with the same invitation until it returns an identity. Refuses what the hub refuses; faults:
    ``HubUnreachable``, ``HubUnproven``, and ``IdentityUnreadable`` when the answer does not fit the key.
    """
    authority_pem = await _proven_authority(invitation)
    context = hub_context(authority_pem, is_clock_trusted=is_clock_trusted)
    request = Enrol(invitation.code, certificate_request(pending_key(directory)))
    answer = await _exchange(invitation.hub_url, context, request)
    return _stored(answer, directory, invitation.hub_url)


async def renew(identity: Identity, *, is_clock_trusted: bool = True) -> Identity | Refusal:
    """Get the next certificate with a new key; the old one works until it ends. Refuses and faults as ``enrol``."""
    context = session_context(identity, is_clock_trusted=is_clock_trusted)
    request = Renew(certificate_request(pending_key(identity.directory)))
    answer = await _exchange(identity.hub_url, context, request)
    return _stored(answer, identity.directory, identity.hub_url, expected=identity.name)


async def _proven_authority(invitation: Invitation) -> str:
    """Fetch the authority's certificate over a line nobody vouches for; only the right fingerprint makes it count."""
    answer = await _exchange(invitation.hub_url, _unproven_context(), AskAuthority())
    shown = answer.authorities_pem if isinstance(answer, AuthorityShown) else ""
    authority_pem = authority_matching(shown, invitation.authority_sha256)
    if authority_pem is None:
        raise HubUnproven
    return authority_pem


def _unproven_context() -> ssl.SSLContext:
    """A context that checks nothing: for the one public question whose answer is checked by its fingerprint."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


async def _exchange(hub_url: str, context: ssl.SSLContext, request: Request) -> Answer | Refusal:
    """One request, one answer, one connection."""
    dial = connect(
        hub_url,
        ssl=context,
        subprotocols=[Subprotocol(SUBPROTOCOL)],
        max_size=MAX_MESSAGE_BYTES,
        compression=None,
        logger=_LOG,
    )
    try:
        async with asyncio.timeout(PATIENCE_SECONDS), dial as connection:
            await connection.send(encode(request), text=True)
            raw = await connection.recv(decode=False)
    except ssl.SSLCertVerificationError as wrong:
        raise HubUnproven from wrong
    except (OSError, TimeoutError, EOFError, WebSocketException) as wrong:
        raise HubUnreachable from wrong
    return decode_answer(raw)


def _stored(
    answer: Answer | Refusal, directory: Path, hub_url: str, *, expected: SourceName | None = None
) -> Identity | Refusal:
    match answer:
        case CertificateIssued():
            return store_identity(
                directory,
                hub_url=hub_url,
                certificate_pem=answer.certificate_pem,
                authorities_pem=answer.authorities_pem,
                expected=expected,
            )
        case Refused():
            return refusal_from(answer)
        case AuthorityShown():
            return Refusal("enrolment-malformed", detail="an answer to another question")
        case Refusal():
            return answer
        case _:
            assert_never(answer)
