"""The line to the hub: a websocket over TLS with the source's identity, opened, read and closed as `sync` decides."""

import logging
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Final
from urllib.parse import urlsplit

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import WebSocketException
from websockets.typing import Subprotocol

from restante.core.refusals import Fault
from restante.edge.identity import Identity, session_context
from restante.wire import session as wire

OPEN_SECONDS: Final = 15.0
LOOPBACK_HOSTS: Final = frozenset({"127.0.0.1", "::1", "localhost"})

LINE_FAILS: Final = (OSError, TimeoutError, EOFError, WebSocketException)
"""What opening and using a line raises when it is lost; `ssl.SSLError` is an `OSError`."""

_LOG: Final = logging.getLogger("websockets.link")
_LOG.setLevel(logging.INFO)  # at DEBUG the websocket library writes frames, and the key of codes is in one of them


class LineUnsafe(Fault):
    """A line without TLS may only lead to this very machine; give a wss:// address."""

    blame = "bank"


HubAddress = Callable[[], tuple[str, ssl.SSLContext | None]]
"""Where to dial, read anew for each line because certificates are renewed: an address, and TLS or None on loopback."""


def address_of(identity: Identity, *, is_clock_trusted: bool) -> tuple[str, ssl.SSLContext]:
    """Where an enrolled source dials, and with what. Faults: `IdentityUnreadable`."""
    return identity.hub_url, session_context(identity, is_clock_trusted=is_clock_trusted)


def plain_address(url: str) -> tuple[str, None]:
    """A line without TLS for the demo, to this very machine only. Faults: `LineUnsafe`."""
    parts = urlsplit(url)
    if parts.scheme != "ws" or parts.hostname not in LOOPBACK_HOSTS:
        raise LineUnsafe
    return url, None


@asynccontextmanager
async def line(url: str, context: ssl.SSLContext | None) -> AsyncIterator[ClientConnection]:
    """An open line to the hub. Raises one of `LINE_FAILS` when there is none."""
    dial = connect(
        url,
        ssl=context,
        subprotocols=[Subprotocol(wire.SUBPROTOCOL)],
        max_size=wire.MAX_MESSAGE_BYTES,
        compression=None,
        open_timeout=OPEN_SECONDS,
        close_timeout=2,
        ping_interval=None,
        logger=_LOG,
    )
    async with dial as connection:
        yield connection
