"""A source at work on one event loop: agent, book, lock board and line, each told what the others have done.

Theory of operation. Inputs go to `KeptAgent` one by one; what it asks for is done after its flush. A book that cannot
be written (a full disk) puts "out of service" on the screen: nothing is done that could not be written down, the start
and verdicts of doors wait until it can, and the line is closed so that nothing the hub says is lost. When the book can
be written again, work goes on by itself.
"""

import asyncio
import logging
import random
import time
from collections import deque
from collections.abc import Coroutine
from datetime import UTC, datetime
from typing import Any, Final, assert_never

import msgspec
from websockets.asyncio.client import ClientConnection

from restante.core.bank import SourceKind
from restante.core.refusals import Fault, Refusal
from restante.core.time import EPOCH, Instant, paced
from restante.edge import attempts, link, sync
from restante.edge.book import KEPT_DAYS_AT_LEAST, Book
from restante.edge.book_file import BookFault
from restante.edge.clock import Now
from restante.edge.drivers.bus import MONOTONIC
from restante.edge.drivers.opening import open_door
from restante.edge.drivers.port import LockBoard
from restante.edge.inputs import (
    CodeEntered,
    DoorsSeen,
    FromPerson,
    Input,
    OpeningEnded,
    Outward,
    Show,
    Ticked,
    Unlock,
    WholeWanted,
    Woke,
)
from restante.edge.keeping import KeptAgent
from restante.edge.moments import Moment, reached
from restante.edge.screens import OUT_OF_SERVICE, Screen
from restante.wire import session as wire
from restante.wire.journal import Head, write_entry

TICK_SECONDS: Final = 1.0
BUSY_LOOK_SECONDS: Final = 0.25
IDLE_LOOK_SECONDS: Final = 1.0
TRIM_SECONDS: Final = 3_600.0

_LOG: Final = logging.getLogger("restante.edge")


class Wall(msgspec.Struct, frozen=True):
    """The clock on the wall: the machine's own, or in a demo one that runs ``pace`` times faster from ``since`` on."""

    since: Instant = EPOCH
    pace: float = 1.0

    def now(self) -> Instant:
        """What it shows."""
        return paced(datetime.now(UTC), self.since, self.pace)


class Running:
    """One source while its program runs; `look_for_ever`, `tick_for_ever` and the line are its tasks."""

    def __init__(
        self, agent: KeptAgent, book: Book, *, board: LockBoard | None, where: link.HubAddress, wall: Wall | None = None
    ) -> None:
        self.agent = agent
        self.fault: BookFault | None = None
        self.screen_number = 0
        self.is_link_up = True
        self.boot = 0
        self._book = book
        self._board = board
        self._where = where
        self._wall = wall or Wall()
        self._sync: sync.State = sync.Resting()
        self._outgoing: asyncio.Queue[str | None] = asyncio.Queue()
        self._held: deque[Input] = deque()
        self._people = asyncio.Lock()
        self._tasks: set[asyncio.Task[None]] = set()
        self._changed = asyncio.Event()
        self._told_head = book.head
        self._trimmed_at = time.monotonic()

    @property
    def screen(self) -> Screen:
        """What the screen shows."""
        return self.agent.state.screen if self.fault is None else OUT_OF_SERVICE

    def now(self) -> Now:
        """What the machine's clocks read."""
        return Now(self._wall.now(), MONOTONIC.now_ms(), self.boot, pace=self._wall.pace)

    # --- the agent

    def take(self, given: Input) -> None:
        """Feed the agent, then do what it asks for; while the book cannot be written the start and verdicts wait."""
        if self.fault is not None:
            self._hold(given)
            return
        try:
            effects = self.agent.feed(given, self.now())
        except BookFault as fault:
            self._out_of_service(fault)
            self._hold(given)
            return
        for effect in effects:
            self._do(effect)
        if self._book.head != self._told_head:
            self._told_head = self._book.head
            self._step(sync.JournalGrew(self._told_head))

    async def heed(self, given: FromPerson) -> None:
        """Take what a person does, in the order in which people do things; what is slow runs beside the event loop."""
        async with self._people:
            if isinstance(given, CodeEntered):
                question = attempts.question_of(self.agent.state, given.text, given.channel)
                if question is not None:
                    attempt = await asyncio.to_thread(attempts.compute, question)
                    given = msgspec.structs.replace(given, attempt=attempt)
            self.take(given)

    def _do(self, effect: Outward) -> None:
        match effect:
            case Unlock(door, deadline_ms):
                self._spawn(self._open(door, deadline_ms))
            case Show():
                reached(Moment.BEFORE_SCREEN)
                self._screen_changed()
            case WholeWanted(why):
                self._step(sync.WholeWanted(why))
            case _:
                assert_never(effect)

    async def _open(self, door: int, deadline_ms: int) -> None:
        assert self._board is not None, "a counter unlocks nothing"
        verdict = await open_door(self._board, door, deadline_ms=deadline_ms, clock=MONOTONIC)
        reached(Moment.BEFORE_VERDICT)
        self.take(OpeningEnded(door, verdict))

    def _hold(self, given: Input) -> None:
        if isinstance(given, Woke | OpeningEnded):
            self._held.append(given)

    def _out_of_service(self, fault: BookFault) -> None:
        _LOG.error("out-of-service", extra={"fault": type(fault).__name__, "words": str(fault)})
        self.fault = fault
        self._screen_changed()
        self._outgoing.put_nowait(None)

    def _try_the_book(self) -> None:
        """Whether the book can be written again; then what waited comes first."""
        try:
            with self._book.step() as writing:
                writing.put("written", str(self.boot).encode())
                reached(Moment.BEFORE_TRY)
            reached(Moment.AFTER_TRY)
        except BookFault as fault:
            self.fault = fault
            return
        self.fault = None
        self._screen_changed()
        while self._held and self.fault is None:
            self.take(self._held.popleft())

    # --- time and doors

    async def tick_for_ever(self) -> None:
        """Let agent and session know of time."""
        while True:
            self.tick()
            await asyncio.sleep(TICK_SECONDS)

    def tick(self) -> None:
        """One tick."""
        if self.fault is not None:
            self._try_the_book()
        self.take(Ticked())
        if self.fault is None:
            self._step(sync.Ticked())
        if time.monotonic() - self._trimmed_at > TRIM_SECONDS:
            self.trim()

    async def look_for_ever(self) -> None:
        """Look at the doors: often while one is dealt with, seldom otherwise."""
        while self._board is not None:
            await self.look()
            busy = bool(self.agent.state.openings) or self.agent.state.round is not None
            await asyncio.sleep(BUSY_LOOK_SECONDS if busy else IDLE_LOOK_SECONDS)

    async def look(self) -> None:
        """Look at the doors once."""
        if self._board is not None:
            self.take(DoorsSeen(dict(await self._board.read_all())))

    def trim(self) -> None:
        """Forget what is old by the time that the hub has named: this machine's own clock may be years ahead."""
        self._trimmed_at = time.monotonic()
        try:
            self._book.trim(KEPT_DAYS_AT_LEAST, self.agent.state.clock.hub_named)
        except BookFault as fault:
            self._out_of_service(fault)

    # --- the line

    @property
    def acknowledged(self) -> int:
        """How far the hub holds the journal now written."""
        return 0 if self.fault is not None else self._book.acknowledged().seq

    def set_link(self, *, up: bool) -> None:
        """Cut the line, or let it be dialled at once."""
        self.is_link_up = up
        if not up:
            self._outgoing.put_nowait(None)
        elif isinstance(self._sync, sync.Resting):
            self._sync = sync.Resting()
            self._step(sync.Ticked())

    def _step(self, given: sync.Input) -> None:
        self._sync, effects = sync.step(self._sync, given, MONOTONIC.now_ms())
        for effect in effects:
            try:
                self._perform(effect)
            except BookFault as fault:
                self._out_of_service(fault)

    def _perform(self, effect: sync.Effect) -> None:
        match effect:
            case sync.Dial():
                self._spawn(self._carry_line())
            case sync.CloseLine(why):
                _LOG.info("line-closed", extra={"why": why})
                self._outgoing.put_nowait(None)
            case sync.Send(message):
                self._outgoing.put_nowait(wire.encode(message))
            case sync.SendEntries(number, epoch, first, last):
                entries = self._book.entries_from(first, last - first + 1, epoch=epoch)
                texts = tuple(write_entry(entry).decode() for entry in entries)
                self._outgoing.put_nowait(wire.encode(wire.JournalSent(number, texts)))
            case sync.Acknowledge(head):
                if isinstance(self._acknowledged(head), Refusal):
                    self._step(sync.Heard(wire.Forked(head.epoch, head.seq)))
            case sync.ResendFrom(epoch, seq):
                with self._book.step() as writing:
                    writing.resend_from(seq, epoch=epoch)
                    reached(Moment.BEFORE_RESENDING)
                reached(Moment.AFTER_RESENDING)
            case sync.Tell(given):
                self.take(given)
            case _:
                assert_never(effect)

    def _acknowledged(self, head: Head) -> Refusal | None:
        with self._book.step() as writing:
            refused = writing.acknowledge(head)
            reached(Moment.BEFORE_ACKNOWLEDGED)
        reached(Moment.AFTER_ACKNOWLEDGED)
        return refused

    async def _carry_line(self) -> None:
        """One line from dialling to its end."""
        try:
            if not self.is_link_up:
                return
            url, context = self._where()
            async with link.line(url, context) as connection:
                self._outgoing = asyncio.Queue()
                sending = asyncio.create_task(self._send_all(connection))
                try:
                    self._step(sync.Connected(self._hello(), self._book.acknowledged(), self._book.extents()))
                    async for frame in connection:
                        self._hear(frame)
                finally:
                    sending.cancel()
        except link.LINE_FAILS as lost:
            _LOG.info("no-line", extra={"fault": type(lost).__name__})
        except Fault as fault:
            _LOG.warning("line-refused", extra={"fault": type(fault).__name__, "words": str(fault)})
        finally:
            self._step(sync.LineLost(random.random()))  # noqa: S311 - spreads attempts in time, guards nothing

    async def _send_all(self, connection: ClientConnection) -> None:
        """Send frames in their order until one says that the line is to be closed."""
        while (frame := await self._outgoing.get()) is not None:
            try:
                reached(Moment.BEFORE_SENDING)
                await connection.send(frame, text=True)
                reached(Moment.AFTER_SENDING)
            except link.LINE_FAILS:
                return
        await connection.close()

    def _hear(self, frame: str | bytes) -> None:
        message = wire.read_from_hub(frame)
        if isinstance(message, Refusal):
            _LOG.warning("message-unreadable", extra={"code": message.code})
            self._outgoing.put_nowait(None)
        elif self.fault is None:
            self._step(sync.Heard(message))

    def _hello(self) -> wire.Hello:
        state, head, now = self.agent.state, self._book.head, self.now()
        applied = state.manifest
        return wire.Hello(
            source=state.source,
            versions=wire.VERSIONS,
            log_epoch=head.epoch,
            last_seq=head.seq,
            last_hash=head.hash,
            boot=self.boot,
            software=state.software,
            hub_epoch=applied.manifest.hub_epoch if applied else 0,
            generation=applied.manifest.generation if applied else 0,
            manifest_digest=applied.digest if applied else "",
            clock=wire.SourceClock(now.clock_source, now.uncertainty_ms),
            abilities=("doors",) if state.kind is SourceKind.BANK else ("staff",),
        )

    # --- the screen and the end

    async def screen_after(self, number: int, *, seconds: float) -> None:
        """Wait until the screen is another than that of this number, or so many seconds have passed."""
        if self.screen_number == number:
            try:
                await asyncio.wait_for(self._changed.wait(), seconds)
            except TimeoutError:
                return

    def _screen_changed(self) -> None:
        self.screen_number += 1
        changed, self._changed = self._changed, asyncio.Event()
        changed.set()

    async def stop(self) -> None:
        """End the line and what else is under way."""
        tasks = tuple(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and task.exception() is not None:
            _LOG.critical("bug", exc_info=task.exception())
