"""Hub processes on one database with real listeners, and a source that dials them with real TLS."""

import asyncio
import secrets
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TypeVar

import msgspec
from cryptography import x509
from websockets.asyncio.client import ClientConnection, connect
from websockets.typing import Subprotocol

from restante.core.refusals import Refusal
from restante.core.time import Instant
from restante.edge.identity import Identity, session_context
from restante.hub.engine import Engine
from restante.hub.fleet.keyfiles import open_authority, open_listener_file
from restante.hub.fleet.keys import open_keys
from restante.hub.fleet.listener import Clock, Listener, Site, listening
from restante.hub.fleet.records import open_records
from restante.hub.fleet.service import Fleet
from restante.hub.fleet.tls import listener_context
from restante.store.postgres import open_ledger
from restante.wire import session as wire
from tests.fixtures.lives import LANES
from tests.hub.fleet.town import SETTINGS

PATIENCE_SECONDS = 10.0

M = TypeVar("M")


class Shift(msgspec.Struct):
    """How far a hub's wall clock is ahead of the machine's."""

    by: timedelta = timedelta(0)

    def now(self) -> Instant:
        """The hub's wall time."""
        return datetime.now(UTC) + self.by


class Running(msgspec.Struct, frozen=True):
    """One hub process: its listener, and what an operator does to its fleet."""

    site: Site
    listener: Listener
    fleet: Fleet
    shift: Shift


@asynccontextmanager
async def running(dsn: str, state: Path, *, plain: bool = False) -> AsyncIterator[Running]:
    """A hub process on a database and a state directory that others may share."""
    now, shift = datetime.now(UTC), Shift()
    authority = open_authority(state, SETTINGS.network, now=now, serial=x509.random_serial_number())
    names = ("127.0.0.1",)
    shown = open_listener_file(state, authority, names, now=now, serial=x509.random_serial_number())
    context = None if plain else listener_context(shown, [authority.certificate])
    async with open_ledger(dsn) as ledger, open_records(dsn, SETTINGS.network) as records:
        await ledger.ensure_lanes(LANES)
        engine = Engine(ledger, shift.now, max_batch=256, queue_limit=1000)
        site = Site(
            ledger=ledger,
            engine=engine,
            records=records,
            keys=open_keys(state),
            settings=SETTINGS,
            clock=Clock(shift.now, time.monotonic),
            chance=secrets.token_bytes,
            authority=None if plain else authority,
            authorities=(authority.certificate,),
            tls=context,
        )
        async with listening(site) as listener:
            url = f"wss://127.0.0.1:{listener.port}"
            fleet = Fleet(ledger, engine.submit, records, authority, site.keys, SETTINGS, url)
            yield Running(site, listener, fleet, shift)
        await engine.close()


class Source:
    """A source's end of a real line."""

    def __init__(self, connection: ClientConnection) -> None:
        self.connection = connection

    async def say(self, message: wire.FromSource) -> None:
        """Send a message."""
        await self.connection.send(wire.encode(message))

    async def hear(self, kind: type[M]) -> M:
        """The next message of this kind; the ones before it are passed over."""
        async with asyncio.timeout(PATIENCE_SECONDS):
            while True:
                message = wire.read_from_hub(await self.connection.recv())
                assert not isinstance(message, Refusal), message
                if isinstance(message, kind):
                    return message

    async def closed(self) -> str:
        """Wait until the hub has closed the line, and say why it did."""
        async with asyncio.timeout(PATIENCE_SECONDS):
            async for _ in self.connection:
                pass
        return self.connection.close_reason or ""


@asynccontextmanager
async def dialled(running: Running, identity: Identity | None) -> AsyncIterator[Source]:
    """A line to a hub, with the identity's certificate or plain."""
    url = running.fleet.hub_url if identity else running.fleet.hub_url.replace("wss:", "ws:")
    context = session_context(identity) if identity else None
    subprotocols = [Subprotocol(wire.SUBPROTOCOL)]
    async with connect(url, ssl=context, subprotocols=subprotocols, proxy=None, ping_interval=None) as connection:
        yield Source(connection)


async def until(holds: Callable[[], bool]) -> None:
    """Wait, with patience, until something holds that another task brings about."""
    async with asyncio.timeout(PATIENCE_SECONDS):
        while not holds():  # noqa: ASYNC110 -- what is waited for happens in the program under test, which tells nobody
            await asyncio.sleep(0.01)
