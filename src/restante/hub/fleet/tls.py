"""The hub's end of the line to banks and counters: one TLS listener for sessions and for enrolment.

Theory of operation. The listener trusts the network's own authorities and no other. It *asks* for a client certificate
and does not demand one in the handshake (``CERT_OPTIONAL``), because a machine that has none yet must come in to enrol;
a certificate that is shown is checked in the handshake all the same, and a stranger's or an expired one ends it there.
What a connection may then do is settled by its websocket subprotocol:

* a session calls ``peer_of`` first and goes no further on a refusal; the peer's ``not_after`` ends the session;
* an enrolment (``hub.fleet.enrol``) serves a machine without a certificate, or renews the one shown.

TLS 1.3 is what two of our programs agree on; 1.2 is let in with forward-secret AEAD suites alone. Session tickets are
off: a resumed handshake would show a certificate without checking it. Revocation is asked for in ``peer_of`` and not by
a CRL in the context, since OpenSSL cannot take a list back once it is loaded.
"""

import asyncio
import logging
import ssl
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

from cryptography import x509
from websockets.asyncio.server import ServerConnection

from restante.core.refusals import Fault, Refusal
from restante.core.time import Instant
from restante.hub.fleet.authority import IsRevoked, Peer, identify, pem_of

RENEWAL_SECONDS: Final = 86_400.0
TLS12_SUITES: Final = "ECDHE+AESGCM:ECDHE+CHACHA20"
_LOG: Final = logging.getLogger("restante.fleet.listener")


def listener_context(key_and_certificate: Path, authorities: Sequence[x509.Certificate]) -> ssl.SSLContext:
    """The context of the banks' listener: shows the hub's certificate, trusts these authorities' sources.

    ``key_and_certificate`` is ``keyfiles.open_listener_file``'s; ``context.load_cert_chain`` with a newer one takes
    effect for the handshakes after it.
    """
    assert authorities, "a listener that trusts nobody serves nobody"
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers(TLS12_SUITES)
    context.options |= ssl.OP_NO_TICKET | ssl.OP_NO_RENEGOTIATION | ssl.OP_NO_COMPRESSION
    context.num_tickets = 0
    context.verify_mode = ssl.CERT_OPTIONAL
    context.verify_flags |= ssl.VERIFY_X509_STRICT
    context.load_verify_locations(cadata="".join(pem_of(authority) for authority in authorities))
    context.load_cert_chain(key_and_certificate)
    return context


async def keep_shown(
    context: ssl.SSLContext, open_file: Callable[[], Path], *, every_seconds: float = RENEWAL_SECONDS
) -> None:
    """Show the certificate of ``open_file``, which renews it when due, in a running listener's handshakes, for ever.

    A hub may run for longer than its certificate is good for. What is wrong with the keys is logged and tried again.
    """
    while True:
        await asyncio.sleep(every_seconds)
        try:
            context.load_cert_chain(open_file())
        except (Fault, OSError) as fault:
            _LOG.warning("certificate-not-renewed", extra={"fault": type(fault).__name__})


def peer_of(
    connection: ServerConnection,
    *,
    authorities: Sequence[x509.Certificate],
    network: str,
    now: Instant,
    is_revoked: IsRevoked,
) -> Peer | Refusal:
    """Who is at the other end of a connection; refuses as ``authority.identify`` (plain ``ws://`` as missing)."""
    shown = connection.transport.get_extra_info("ssl_object")
    der: bytes | None = shown.getpeercert(binary_form=True) if shown else None
    return identify(der, authorities=authorities, network=network, now=now, is_revoked=is_revoked)
