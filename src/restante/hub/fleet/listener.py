"""The listener for banks and counters: sockets in, lines run, and everything that must reach a line from elsewhere.

Theory of operation. One port takes sessions and enrolments, told apart by their websocket subprotocol. What a line must
learn from outside comes twice: by signal, so that it is quick, and by the timer of ``reconcile``, so that it is sure. A
changed manifest is signalled by the ledger; a session taken over by another hub process and a revocation are signalled
by the fleet's records. ``reconcile`` also notes which sources are alive, and tells the engine of those that are not.

After a restart thousands of sources dial within a minute. Some are welcomed at a time, some more wait for their turn,
and the others are asked to come again, so that nobody who was let in gives up for being kept waiting.
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
from restante.hub import measures
from restante.hub.engine import Engine, Outcome
from restante.hub.fleet import session
from restante.hub.fleet.aside import PostgresAside
from restante.hub.fleet.authority import Authority, Peer
from restante.hub.fleet.enrol import LISTENER_LOG, SOCKET_LOG, Office, serve_enrolment
from restante.hub.fleet.gathering import gathered
from restante.hub.fleet.keys import FleetKeys
from restante.hub.fleet.line import Desk, Line
from restante.hub.fleet.lines import Lines
from restante.hub.fleet.records import Beat, News, Records, Restarted, SessionTaken, SourceRevoked
from restante.hub.fleet.service import Chance
from restante.hub.fleet.session import Now
from restante.hub.fleet.shelf import PostgresShelf
from restante.hub.fleet.tls import peer_of
from restante.hub.settings import Settings
from restante.store.gathering import Gathering
from restante.store.ledger import Ledger
from restante.wire import enrol
from restante.wire import session as wire

RECONCILE_SECONDS: Final = 30.0
TICK_SECONDS: Final = 5.0
RENEW_SECONDS: Final = 240.0
"""How long a manifest is not looked at again if no signal asked for it: signals are sure while the database is up."""

RELISTEN_SECONDS: Final = 2.0
SEND_SECONDS: Final = 10.0
CLOSE_SECONDS: Final = 2.0
LINES_AT_ONCE: Final = 16
WELCOMED_AT_ONCE: Final = 32
WAITING_AT_MOST: Final = 512
LOST_AT_ONCE: Final = 256
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
        self._lines = Lines()
        self._doors = asyncio.Semaphore(WELCOMED_AT_ONCE)
        self._waiting = 0
        self._revoked: Mapping[int, Instant] = {}
        self._reading_revoked: Gathering[None, None] = Gathering(self._read_revoked_once)
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
        return frozenset(state.source for state in self._lines.states())

    def lines(self) -> measures.Lines:
        """How the sessions here stand."""
        steady_s = self._site.clock.steady()
        is_open = self._lines.open()
        since_s = [line.behind_since_s for line in is_open if line.behind_since_s is not None]
        return measures.Lines(len(is_open), [steady_s - one for one in since_s])

    async def refresh(self, point: PointId) -> None:
        """Bring the manifest of a point up to date on the line to it, if that is here."""
        await self._stir(self._lines.at([point]))

    async def reconcile(self) -> None:
        """All that the signals tell, read from the store; due every ``RECONCILE_SECONDS``. Fault: ``StoreDown``."""
        now = self._site.clock.now()
        await self._read_revoked()
        await self._keep_alive(self._lines.states(), now)
        await self._tell_lost(now)
        await self._stir([line for line in self._lines.open() if _is_to_be_looked_at(line, now)])

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
        line = Line(self._desk, Socket(connection), greeting)
        self._lines.add(name, line)
        if peer:
            self._serials[name] = peer.serial
        try:
            async for frame in connection:
                await self._hear(line, frame)
        finally:
            self._lines.drop(name)
            self._serials.pop(name, None)
            self._on_record.discard(name)

    async def _hear(self, line: Line, frame: str | bytes) -> None:
        """Take a frame; the first ones of many lines wait for their turn, or are asked to come again."""
        if not isinstance(line.state, session.Greeting):
            await line.hear(frame, self._site.clock.now())
        elif self._waiting >= WAITING_AT_MOST:
            await line.take(session.Crowded(), self._site.clock.now())
        else:
            self._waiting += 1
            try:
                async with self._doors:
                    await line.hear(frame, self._site.clock.now())
            finally:
                self._waiting -= 1

    async def keep_ticking(self) -> None:
        """Let every line for which something is due know of time, for ever."""
        while True:
            await asyncio.sleep(TICK_SECONDS)
            now = self._site.clock.now()
            due = [line for _, line in self._lines if session.is_due(line.state, now)]
            await _all(line.take(session.Ticked(), now) for line in due)

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
        self._lines.place(entered.session, entered.source, entered.point)
        await self._site.records.enter(entered.source, entered.point, session=entered.session, now=now.at)
        self._on_record.add(entered.session)

    async def _read_revoked(self) -> None:
        """Know the certificates revoked by now, and end the sessions that go by one."""
        await self._reading_revoked.ask([None])

    async def _read_revoked_once(self, asked: Sequence[None]) -> Sequence[None]:
        before, self._revoked = self._revoked, await self._site.records.revoked(self._site.clock.certified())
        if self._revoked.keys() - before.keys():
            revoked = [name for name, serial in self._serials.items() if serial in self._revoked]
            await self._oust(revoked, "certificate-revoked")
        return asked

    async def _oust(self, names: Iterable[str], why: str) -> None:
        now = self._site.clock.now()
        await _all(line.take(session.Ousted(why), now) for line in self._lines.named(names))

    async def _stir(self, lines: Iterable[Line]) -> None:
        now = self._site.clock.now()
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

    async def _tell_lost(self, now: Now) -> None:
        """Tell the engine of sources that have been silent for too long, wherever they were heard from last."""
        before = now.at - timedelta(seconds=self._site.settings.contact_lost_seconds)
        silent = await self._site.records.silent(before)
        for start in range(0, len(silent), LOST_AT_ONCE):
            some = silent[start : start + LOST_AT_ONCE]
            lost = [NoteContact(CommandId(""), "hub", now.at, point, source, lost=True) for source, point in some]
            outcomes = zip(some, await self._site.engine.submit_all(lost), strict=True)
            told = [source for (source, _), outcome in outcomes if not _is_busy(outcome)]
            await self._site.records.told_lost(told, before)

    async def follow_ledger(self) -> None:
        """Refresh what the ledger signals, for ever; what is signalled meanwhile is refreshed together."""
        async with aclosing(gathered(self._site.ledger.signals())) as signals:
            async for signal in signals:
                await self._stir(self._lines.open() if signal.points is None else self._lines.at(signal.points))

    async def follow_news(self) -> None:
        """Act on what any hub process tells, for ever."""
        async for news in self._site.records.news():
            await self._heed(news)

    async def _heed(self, news: News) -> None:
        match news:
            case SessionTaken(source=source, session=name):
                # News may come late, when the source has yet another session here: the record says which is over.
                others = [one for one in self._lines.states_of(source) if one.session != name]
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
        await self._oust([name for name, _ in self._lines], "hub-stopping")


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
            for loop in (
                listener.follow_ledger,
                listener.follow_news,
                listener.keep_reconciling,
                listener.keep_ticking,
            )
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


def _is_to_be_looked_at(line: Line, now: Now) -> bool:
    """Whether a manifest was not looked at for long, or is not yet known to be in force."""
    return line.behind_since_s is not None or now.steady_s - line.shelved_s >= RENEW_SECONDS


def _is_busy(outcome: Outcome) -> bool:
    return isinstance(outcome, Refusal) and outcome.code == "busy"


def _beat(state: session.Open, now: Now) -> Beat:
    silence = timedelta(seconds=max(0.0, now.steady_s - state.heard_s))
    return Beat(state.source, state.session, now.at - silence)
