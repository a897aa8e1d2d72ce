"""The listener for banks and counters: sockets in, lines run, and everything that must reach a line from elsewhere.

Theory of operation. One port takes sessions and enrolments, told apart by their websocket subprotocol. What a line must
learn from outside comes twice: by signal, so that it is quick, and by the timer of ``reconcile``, so that it is sure. A
changed manifest is signalled by the ledger; a session taken over by another hub process and a revocation are signalled
by the fleet's records. ``reconcile`` also notes which sources are alive, and tells the engine of those that are not.
"""

import asyncio
import ssl
from collections.abc import AsyncIterator, Callable, Coroutine, Iterable, Mapping, Sequence
from contextlib import aclosing, asynccontextmanager
from datetime import timedelta
from typing import Any, Final, assert_never

import msgspec
from cryptography import x509
from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.exceptions import ConnectionClosed
from websockets.typing import Subprotocol

from restante.core.commands import NoteContact
from restante.core.ids import CommandId, PointId, SourceId
from restante.core.refusals import Fault, Refusal
from restante.core.time import Instant
from restante.hub.engine import Engine
from restante.hub.fleet import session
from restante.hub.fleet.aside import PostgresAside
from restante.hub.fleet.authority import Authority, Peer
from restante.hub.fleet.enrol import LISTENER_LOG, SOCKET_LOG, Office, serve_enrolment
from restante.hub.fleet.gathering import gathered
from restante.hub.fleet.keys import FleetKeys
from restante.hub.fleet.line import Desk, Line
from restante.hub.fleet.records import Beat, News, Records, Restarted, SessionTaken, SourceRevoked
from restante.hub.fleet.service import Chance
from restante.hub.fleet.session import Now
from restante.hub.fleet.shelf import PostgresShelf
from restante.hub.fleet.tls import peer_of
from restante.hub.measures import Lines
from restante.hub.settings import Settings
from restante.store.ledger import Ledger, Signal
from restante.wire import enrol
from restante.wire import session as wire

RECONCILE_SECONDS: Final = 30.0
TICK_SECONDS: Final = 5.0
RELISTEN_SECONDS: Final = 2.0
SEND_SECONDS: Final = 10.0
CLOSE_SECONDS: Final = 2.0
LINES_AT_ONCE: Final = 16
LOOPBACK: Final = frozenset({"127.0.0.1", "::1", "localhost"})
_MAX_QUEUED_FRAMES: Final = 4
_SUBPROTOCOLS: Final = (Subprotocol(wire.SUBPROTOCOL), Subprotocol(enrol.SUBPROTOCOL))


class PlainLineExposed(Fault):
    """Lines without TLS are for loopback only; give the listener its certificate, or bind it to 127.0.0.1."""


class Clock(msgspec.Struct, frozen=True):
    """Where the listener's time comes from: the wall, and a steady count of seconds.

    Where the day is a demo's and runs faster, certificates go by ``real`` time all the same, for TLS knows no other.
    """

    wall: Callable[[], Instant]
    steady: Callable[[], float]
    real: Callable[[], Instant] | None = None

    def now(self) -> Now:
        """What time it is."""
        return Now(self.wall(), self.steady())

    def certified(self) -> Instant:
        """The time that certificates go by."""
        return (self.real or self.wall)()

    def ends_at(self, peer: Peer) -> Instant:
        """When a session with this peer ends at the latest: after as much time as its certificate has left."""
        return self.wall() + (peer.not_after - self.certified())


class Site(msgspec.Struct, frozen=True):
    """What a listener is made of. Without ``tls`` it takes plain lines, on loopback only, and no enrolments."""

    ledger: Ledger
    engine: Engine
    records: Records
    keys: FleetKeys
    settings: Settings
    clock: Clock
    chance: Chance
    authority: Authority | None = None
    authorities: tuple[x509.Certificate, ...] = ()
    tls: ssl.SSLContext | None = None


class Socket:
    """A websocket as a line's outlet; a peer that does not read is cut off, so that it keeps nobody waiting."""

    def __init__(self, connection: ServerConnection, patience_s: float = SEND_SECONDS) -> None:
        self._connection = connection
        self._patience_s = patience_s

    async def send(self, frame: str) -> None:
        """See ``line.Outlet``."""
        try:
            async with asyncio.timeout(self._patience_s):
                await self._connection.send(frame, text=True)
        except TimeoutError:
            self._connection.transport.abort()
        except ConnectionClosed:
            pass

    async def close(self, why: str) -> None:
        """See ``line.Outlet``."""
        await self._connection.close(1000, why[:100])


class Listener:
    """The lines of one hub process; made by ``listening``."""

    def __init__(self, site: Site) -> None:
        self._site = site
        shelf = PostgresShelf(site.records.tables, site.ledger, site.settings)
        aside = PostgresAside(site.records.tables)
        self._desk = Desk(site.ledger, site.engine.submit_all, shelf, site.keys, self._enter, aside)
        self._lines: dict[str, Line] = {}
        self._revoked: Mapping[int, Instant] = {}
        self._serials: dict[str, int] = {}
        self._on_record: set[str] = set()
        self._server: Server | None = None

    @property
    def port(self) -> int:
        """The port that was bound."""
        assert self._server is not None
        return int(next(iter(self._server.sockets)).getsockname()[1])

    @property
    def sources(self) -> frozenset[SourceId]:
        """The sources that have an open session here."""
        return frozenset(line.state.source for line in self._lines.values() if isinstance(line.state, session.Open))

    def lines(self) -> Lines:
        """How the sessions here stand."""
        steady_s = self._site.clock.steady()
        is_open = [line for line in self._lines.values() if isinstance(line.state, session.Open)]
        since_s = [line.behind_since_s for line in is_open if line.behind_since_s is not None]
        return Lines(len(is_open), [steady_s - one for one in since_s])

    async def refresh(self, point: PointId) -> None:
        """Bring the manifest of a point up to date on the line to it, if that is here."""
        await self._stir(lambda state: state.point == point)

    async def reconcile(self) -> None:
        """All that the signals tell, read from the store; due every ``RECONCILE_SECONDS``. Fault: ``StoreDown``."""
        now = self._site.clock.now()
        await self._read_revoked()
        await self._keep_alive(self._open_states(), now)
        await self._tell_lost(now)
        await self._stir(lambda _: True)

    # --- lines

    async def _receive(self, connection: ServerConnection) -> None:
        try:
            match connection.subprotocol:
                case wire.SUBPROTOCOL:
                    await self._serve_session(connection)
                case enrol.SUBPROTOCOL if self._site.authority is not None:
                    await self._serve_enrolment(connection, self._site.authority)
                case _:
                    await connection.close(1002, "subprotocol")
        except ConnectionClosed:
            pass
        except Fault as fault:
            LISTENER_LOG.warning("line-ended", extra={"fault": type(fault).__name__})
            await connection.close(1013, "store-down")

    async def _serve_session(self, connection: ServerConnection) -> None:
        peer = await self._peer(connection)
        if isinstance(peer, Refusal):
            rejected = wire.Rejected(peer.code, session.REJECTED_SECONDS, peer.detail)
            await connection.send(wire.encode(rejected))
            return
        name, now = self._site.chance(16).hex(), self._site.clock.now()
        named = SourceId(peer.name.source) if peer else None
        greeting = session.Greeting(name, now.steady_s, named, self._site.clock.ends_at(peer) if peer else None)
        line = self._lines[name] = Line(self._desk, Socket(connection), greeting)
        if peer:
            self._serials[name] = peer.serial
        ticking = asyncio.create_task(self._tick(line))
        try:
            async for frame in connection:
                await line.hear(frame, self._site.clock.now())
        finally:
            ticking.cancel()
            self._lines.pop(name, None)
            self._serials.pop(name, None)
            self._on_record.discard(name)

    async def _tick(self, line: Line) -> None:
        while not isinstance(line.state, session.Ended):
            await asyncio.sleep(TICK_SECONDS)
            await line.take(session.Ticked(), self._site.clock.now())

    async def _peer(self, connection: ServerConnection) -> Peer | Refusal | None:
        """Who is there by certificate; None on a plain line, where ``hello`` is believed."""
        if self._site.tls is None:
            return None
        await self._read_revoked()
        return peer_of(
            connection,
            authorities=self._site.authorities,
            network=self._site.settings.network,
            now=self._site.clock.certified(),
            is_revoked=self._is_revoked,
        )

    def _is_revoked(self, peer: Peer) -> bool:
        return peer.serial in self._revoked

    async def _serve_enrolment(self, connection: ServerConnection, authority: Authority) -> None:
        await self._read_revoked()
        office = Office(
            authority=authority,
            authorities=self._site.authorities,
            network=self._site.settings.network,
            is_revoked=self._is_revoked,
            find_code=self._site.records.find_code,
            keep=self._site.records.keep,
        )
        await serve_enrolment(connection, office, now=self._site.clock.certified, serial=x509.random_serial_number)

    # --- what reaches lines from elsewhere

    async def _enter(self, entered: session.Enter, now: Now) -> None:
        await self._site.records.enter(entered.source, entered.point, session=entered.session, now=now.at)
        self._on_record.add(entered.session)

    async def _read_revoked(self) -> None:
        self._revoked = await self._site.records.revoked(self._site.clock.certified())
        for name, serial in list(self._serials.items()):
            if serial in self._revoked:
                await self._oust([name], "certificate-revoked")

    async def _oust(self, names: Sequence[str], why: str) -> None:
        now = self._site.clock.now()
        lines = [self._lines[name] for name in names if name in self._lines]
        await _all(line.take(session.Ousted(why), now) for line in lines)

    async def _stir(self, wanted: Callable[[session.Open], bool]) -> None:
        now = self._site.clock.now()
        lines = [line for line in self._lines.values() if isinstance(line.state, session.Open) and wanted(line.state)]
        await _all(line.take(session.Stirred(), now) for line in lines)

    async def _keep_alive(self, states: Sequence[session.Open], now: Now) -> None:
        """Note which sources are heard from, and end those of the sessions that another one has replaced.

        One that is being put on record just now is left alone: it is the newest of its source.
        """
        beats = [_beat(state, now) for state in states if state.session in self._on_record]
        if not beats:
            return
        kept = await self._site.records.keep_sessions(beats)
        await self._oust([beat.session for beat in beats if beat.session not in kept], "displaced")

    def _open_states(self) -> list[session.Open]:
        return [line.state for line in self._lines.values() if isinstance(line.state, session.Open)]

    async def _tell_lost(self, now: Now) -> None:
        """Tell the engine of sources that have been silent for too long, wherever they were heard from last."""
        before = now.at - timedelta(seconds=self._site.settings.contact_lost_seconds)
        silent = await self._site.records.silent(before)
        for source, point in silent:
            lost = NoteContact(CommandId(""), "hub", now.at, point, source, lost=True)
            outcome = await self._site.engine.submit(lost)
            if not (isinstance(outcome, Refusal) and outcome.code == "busy"):
                await self._site.records.told_lost([source], before)

    async def follow_ledger(self) -> None:
        """Refresh what the ledger signals, for ever; what is signalled meanwhile is refreshed together."""
        async with aclosing(gathered(self._site.ledger.signals())) as signals:
            async for signal in signals:
                await self._stir(_concerned(signal))

    async def follow_news(self) -> None:
        """Act on what any hub process tells, for ever."""
        async for news in self._site.records.news():
            await self._heed(news)

    async def _heed(self, news: News) -> None:
        match news:
            case SessionTaken(source=source, session=name):
                # News may come late, when the source has yet another session here: the record says which is over.
                others = [one for one in self._open_states() if one.source == source and one.session != name]
                await self._keep_alive(others, self._site.clock.now())
            case SourceRevoked():
                await self._read_revoked()
            case Restarted():
                await self.reconcile()
            case _:
                assert_never(news)

    async def keep_reconciling(self) -> None:
        """``reconcile`` by the timer, for ever."""
        while True:
            await asyncio.sleep(RECONCILE_SECONDS)
            await self.reconcile()

    async def stop(self) -> None:
        """Tell every line that this hub stops."""
        await self._oust(list(self._lines), "hub-stopping")


@asynccontextmanager
async def listening(site: Site) -> AsyncIterator[Listener]:
    """Listen at the settings' address until left. Faults: ``PlainLineExposed``, ``StoreDown``."""
    host = site.settings.bank_host
    if site.tls is None and host not in LOOPBACK:
        raise PlainLineExposed
    listener = Listener(site)
    await listener.reconcile()
    async with serve(
        listener._receive,
        host,
        site.settings.bank_port,
        ssl=site.tls,
        subprotocols=_SUBPROTOCOLS,
        max_size=wire.MAX_MESSAGE_BYTES,
        max_queue=_MAX_QUEUED_FRAMES,
        ping_interval=None,
        close_timeout=CLOSE_SECONDS,
        compression=None,
        logger=SOCKET_LOG,
    ) as server:
        listener._server = server
        loops = [
            asyncio.create_task(_for_ever(loop))
            for loop in (listener.follow_ledger, listener.follow_news, listener.keep_reconciling)
        ]
        try:
            yield listener
        finally:
            for task in loops:
                task.cancel()
            await asyncio.gather(*loops, return_exceptions=True)
            await listener.stop()


async def _for_ever(loop: Callable[[], Coroutine[Any, Any, None]]) -> None:
    """Begin the loop again a little after each fault of the store; a bug is logged and does not end the others."""
    while True:
        try:
            await loop()
        except Fault as fault:
            LISTENER_LOG.warning("listener-waits", extra={"fault": type(fault).__name__})
        except Exception:  # noqa: BLE001 — a listener that goes on half deaf, and says so, serves people better than none
            LISTENER_LOG.exception("listener-bug")
        await asyncio.sleep(RELISTEN_SECONDS)


async def _all(calls: Iterable[Coroutine[Any, Any, None]]) -> None:
    """Await all calls, some at a time; one line's bug is logged and does not keep the others from being told."""
    gate = asyncio.Semaphore(LINES_AT_ONCE)

    async def one(call: Coroutine[Any, Any, None]) -> None:
        async with gate:
            await call

    for outcome in await asyncio.gather(*map(one, calls), return_exceptions=True):
        if isinstance(outcome, Exception):
            LISTENER_LOG.error("line-not-told", exc_info=outcome)


def _concerned(signal: Signal) -> Callable[[session.Open], bool]:
    """Which lines a signal is about: those of its points, or all when it names none."""
    return lambda state: signal.points is None or state.point in signal.points


def _beat(state: session.Open, now: Now) -> Beat:
    silence = timedelta(seconds=max(0.0, now.steady_s - state.heard_s))
    return Beat(state.source, state.session, now.at - silence)
