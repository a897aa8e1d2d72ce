"""One line to a source: runs the session's step and performs its effects against the engine and the store.

The same for sockets and for the simulator's links: whoever owns the line hands in what happened and takes frames out of
the ``Outlet``. Inputs are taken one at a time and to the end, so that frames leave in the order they were decided in.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Protocol, assert_never

import msgspec

from restante.core.commands import AnyCommand
from restante.core.ids import PointId, SourceId, is_laned_id
from restante.core.refusals import Fault
from restante.hub.engine import Outcome
from restante.hub.fleet import session
from restante.hub.fleet.aside import Aside
from restante.hub.fleet.enrol import LISTENER_LOG
from restante.hub.fleet.keys import FleetKeys
from restante.hub.fleet.manifests import Held
from restante.hub.fleet.session import Now
from restante.hub.fleet.shelf import Shelf
from restante.store.ledger import JournalRow, Ledger
from restante.wire import manifest as wire
from restante.wire import seal
from restante.wire.session import Forked, FromHub, Nack, encode, read_from_source


class Outlet(Protocol):
    """Where a line's frames go: a socket, or a link of the simulator."""

    async def send(self, frame: str) -> None:
        """Send one frame; a line that is down swallows it."""

    async def close(self, why: str) -> None:
        """Close the line, saying why."""


class Desk(msgspec.Struct, frozen=True):
    """What every line of a hub process works with.

    ``submit`` hands commands to the engine in one call. ``enter`` records the session of a source, which ends others.
    ``aside`` keeps what of ended epochs cannot be adopted.
    """

    ledger: Ledger
    submit: Callable[[Sequence[AnyCommand]], Awaitable[Sequence[Outcome]]]
    shelf: Shelf
    keys: FleetKeys
    enter: Callable[[session.Enter, Now], Awaitable[None]]
    aside: Aside


class Line:
    """One session from its first frame to its end.

    ``shelved_s`` is when the source's manifest was looked at last, on the steady clock.
    ``behind_since_s``: since when, on the steady clock, the source's journal does not say that its newest manifest is
    in force there, as far as was looked.
    """

    def __init__(self, desk: Desk, outlet: Outlet, greeting: session.Greeting) -> None:
        self.state: session.State = greeting
        self.shelved_s = greeting.began_s
        self.behind_since_s: float | None = None
        self._desk = desk
        self._outlet = outlet
        self._turn = asyncio.Lock()

    async def hear(self, frame: str | bytes, now: Now) -> None:
        """Take one frame of the source's."""
        await self.take(session.Heard(read_from_source(frame)), now)

    async def take(self, happened: session.Input, now: Now) -> None:
        """Take one input, and the answers to all that it asks for. A fault of the store ends the session."""
        async with self._turn:
            inputs = [happened]
            while inputs:
                self.state, effects = session.step(self.state, inputs.pop(0), now)
                try:
                    for effect in effects:
                        inputs += await self._perform(effect, now)
                except Fault:
                    inputs = [session.Ousted("store-down")]

    async def _perform(self, effect: session.Effect, now: Now) -> list[session.Input]:
        match effect:
            case session.Send(message):
                self._log(message)
                await self._outlet.send(encode(message))
            case session.Seal(document):
                await self._send(wire.sign(document, self._desk.keys.manifest))
            case session.Confirm(manifest):
                await self._send(wire.sign_fresh(manifest, now.at, self._desk.keys.manifest))
            case session.Enter():
                await self._desk.enter(effect, now)
            case session.Close(why):
                await self._outlet.close(why)
            case session.Submit(commands):
                return [session.Submitted(await self._desk.submit(commands))]
            case session.Find(source):
                return [await self._find(source)]
            case session.Compare():
                return await self._compare(effect)
            case session.SetAside(rows):
                return [await self._set_aside(rows, now)]
            case session.Shelve(point, held):
                return [await self._shelve(point, held, now)]
            case _:
                assert_never(effect)
        return []

    def _log(self, message: FromHub) -> None:
        """Entries that are not taken are somebody's business: a damaged disk, a cloned one, or an attempt."""
        if isinstance(message, Nack | Forked) and isinstance(self.state, session.Open):
            where = message.from_seq if isinstance(message, Nack) else message.seq
            told = {"source": self.state.source, "epoch": message.epoch, "seq": where}
            answer = {"answer": "nack", "code": message.code} if isinstance(message, Nack) else {"answer": "forked"}
            LISTENER_LOG.warning("entries-not-taken", extra=told | answer)

    async def _send(self, message: FromHub) -> None:
        await self._outlet.send(encode(message))

    async def _find(self, source: SourceId) -> session.Found:
        head = await self._desk.ledger.source(source) if is_laned_id(source) else None
        if head is None:
            return session.Found(None)
        rooms = await self._desk.ledger.rooms([head.point])
        room = rooms.get(head.point)
        return session.Found(
            head,
            lost=room is not None and room.lost_at is not None,
            hub_epoch=await self._desk.shelf.hub_epoch(),
            source_key=seal.to_text(self._desk.keys.source_key(source, head.epoch)),
            manifest_key=self._desk.keys.manifest_public,
            aside=await self._desk.aside.last(source) if head.past else {},
        )

    async def _compare(self, effect: session.Compare) -> list[session.Input]:
        head = await self._desk.ledger.source(effect.source)
        if head is None:
            return [session.Ousted("source-unknown")]
        reached = head.reached(effect.epoch)
        span = range(effect.span.start, min(effect.span.stop, reached.seq + 1 if reached else 0))
        rows = await self._desk.ledger.journal(effect.source, effect.epoch, span) if span else ()
        known = {row.seq: row.hash for row in rows}
        if effect.epoch >= head.epoch:
            return [session.Compared(head, known)]
        nearby = range(effect.span.start - 1, effect.span.stop)
        return [session.Compared(head, known, await self._desk.aside.hashes(effect.source, effect.epoch, nearby))]

    async def _set_aside(self, rows: Sequence[JournalRow], now: Now) -> session.WasSetAside:
        first = rows[0]
        told = {"source": first.source, "epoch": first.epoch, "count": len(rows)}
        LISTENER_LOG.warning("entries-set-aside", extra=told)
        return session.WasSetAside(*await self._desk.aside.keep(rows, now.at))

    async def _shelve(self, point: PointId, held: Held, now: Now) -> session.Shelved:
        self.shelved_s = now.steady_s
        view = await self._desk.ledger.view(point)
        if view is None:
            return session.Shelved(())
        manifests = await self._desk.shelf.renew(view, held, now.at)
        is_behind = any(view.head.in_force < (one.hub_epoch, one.generation) for one in manifests[:1])
        self.behind_since_s = (self.behind_since_s or now.steady_s) if is_behind else None
        return session.Shelved(manifests, view.room.lost_at is not None)
