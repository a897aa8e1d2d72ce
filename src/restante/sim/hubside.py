"""The hub of a story: the real engine, session ends and worker over stores that outlive them.

A hub process is what a SIGKILL ends: its engine, its lines and its worker are dropped, and what the stores have
committed is all that is left. Nothing here decides anything; it hands inputs to the hub's own code when their time has
come, and awaits that code to its end, so that between two moments of the story nothing is half done except by a fault.
"""

from collections.abc import Callable, Coroutine, Mapping, Sequence
from random import Random
from typing import Any, Final, TypeVar

import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from restante.core.access import KdfCost
from restante.core.commands import AnyCommand, NoteContact
from restante.core.ids import CommandId, ParcelId, PointId, SourceId
from restante.core.parcel import Parcel
from restante.core.refusals import Fault
from restante.core.reservation import Room
from restante.hub.engine import Engine, Outcome
from restante.hub.fleet import session
from restante.hub.fleet.aside import Aside, MemoryAside
from restante.hub.fleet.keys import FleetKeys
from restante.hub.fleet.line import Desk, Line
from restante.hub.fleet.session import Now
from restante.hub.fleet.shelf import Shelf
from restante.hub.notices.address import Address
from restante.hub.notices.channel import Channel
from restante.hub.notices.mail import Letterhead
from restante.hub.people.codes import Codes, at_once
from restante.hub.settings import Settings
from restante.hub.worker.ports import Manners, Ports
from restante.hub.worker.steps import Steps
from restante.sim.clock import MINUTE_MS, Clock, Story
from restante.sim.links import Link
from restante.store.attempts import Attempts
from restante.store.ledger import Ledger, TaskRow
from restante.store.vault import Vault

T = TypeVar("T")

SETTINGS: Final = Settings(
    kdf_n=2, max_batch=64, queue_limit=10_000, contact_lost_seconds=14_400, longest_hold_hours=240, promise_hours=60
)
TICK_MS: Final = 120 * MINUTE_MS
WORK_MS: Final = 15 * MINUTE_MS
HOUSE_MS: Final = 180 * MINUTE_MS
LEASE_S: Final = 300.0
_SOON_MS: Final = 200
_COST: Final = KdfCost(n=SETTINGS.kdf_n)


class Stores(msgspec.Struct, frozen=True):
    """What a hub process leaves behind when it is killed."""

    ledger: Ledger
    vault: Vault
    attempts: Attempts
    shelf: Shelf
    keys: FleetKeys
    aside: Aside = msgspec.field(default_factory=MemoryAside)


class WorkerKilled(BaseException):
    """The worker stopped here, between the effect of a task and crossing it off."""


class _Outlet:
    """A link as the outlet of a line."""

    def __init__(self, link: Link) -> None:
        self._link = link

    async def send(self, frame: str) -> None:
        """See ``Outlet``."""
        self._link.down(frame)

    async def close(self, why: str) -> None:
        """See ``Outlet``."""
        del why
        self._link.drop(by_hub=True)


class Process:
    """One life of the hub."""

    def __init__(self, side: "HubSide") -> None:
        self.engine = Engine(side.stores.ledger, lambda: side.clock.now, max_batch=64, queue_limit=10_000)
        self.lines: dict[str, tuple[Line, Link]] = {}
        self.steps = Steps(side.ports(self), side.manners)
        self.is_working = False


class HubSide:
    """The hub as the rest of the story sees it: up or down, dialled, asked, and at work."""

    def __init__(
        self, stores: Stores, channel: Channel, clock: Clock, *, story: Story, chance: Random,
        run: Callable[[Coroutine[Any, Any, Any]], Any],
    ) -> None:  # fmt: skip
        self.stores = stores
        self.clock = clock
        self.channel = channel
        self.manners = Manners(
            Letterhead("Story", Address("parcels", "story.example"), Address("help", "story.example"))
        )
        self.process: Process | None = None
        self.heard: dict[SourceId, tuple[int, PointId]] = {}
        self.before_task: Callable[[], None] = lambda: None
        self._story = story
        self._chance = chance
        self._run = run
        self._is_work_due = False

    # --- lives

    def start(self) -> None:
        """Begin a life."""
        assert self.process is None
        self.process = Process(self)
        self._soon()

    def kill(self) -> None:
        """End the life now, as SIGKILL does: sockets close, everything that was not committed is gone."""
        process, self.process = self.process, None
        if process is not None:
            for _, link in process.lines.values():
                link.drop(by_hub=True)

    def wait(self, work: Coroutine[Any, Any, T]) -> T:
        """The outcome of something asynchronous, here and now."""
        done: T = self._run(work)
        return done

    def ports(self, process: Process) -> Ports:
        """What the worker of one life acts through."""
        stores = self.stores
        codes = Codes(
            stores.ledger, stores.vault, source_key=stores.keys.source_key, cost=_COST, aside=at_once,
            chance=self._chance.randbytes,
        )  # fmt: skip
        return Ports(
            stores.ledger,
            process.engine,
            stores.vault,
            codes,
            self.channel,
            stores.attempts,
            self._refresh,
            stores.shelf.is_known,
            lambda: self.clock.now,
            self._chance.random,
        )

    # --- callers

    def submit(self, commands: Sequence[AnyCommand]) -> Sequence[Outcome] | None:
        """What callers of the API get for their commands; None when the hub is down or faults."""
        if self.process is None:
            return None
        try:
            return self.wait(self.process.engine.submit_all(commands))
        except Fault:
            return None
        finally:
            self._soon()

    def parcels(self, ids: Sequence[ParcelId]) -> Mapping[ParcelId, Parcel]:
        """What the hub knows of parcels: nothing while it is down, or its database."""
        if self.process is None:
            return {}
        try:
            return self.wait(self.stores.ledger.parcels(ids))
        except Fault:
            return {}

    def rooms(self, points: Sequence[PointId]) -> Mapping[PointId, Room]:
        """What the hub knows of points: as ``parcels``."""
        if self.process is None:
            return {}
        try:
            return self.wait(self.stores.ledger.rooms(points))
        except Fault:
            return {}

    def is_reachable(self) -> bool:
        """Whether the hub answers what it is asked."""
        try:
            self.wait(self.stores.ledger.parcels([]))
        except Fault:
            return False
        return self.process is not None

    # --- sessions

    def dial(self, link: Link) -> bool:
        """A source dials; whether anybody answered."""
        process = self.process
        if process is None:
            return False
        name = self._chance.randbytes(16).hex()
        line = Line(self._desk(process), _Outlet(link), session.Greeting(name, self._now().steady_s))
        process.lines[name] = (line, link)
        link.to_hub = lambda frame: self._hear(process, line, frame)
        link.hub_hears_end = lambda: self._hang_up(process, name)
        self._tick_later(process, name)
        return True

    def _desk(self, process: Process) -> Desk:
        stores = self.stores

        async def submit(commands: Sequence[AnyCommand]) -> Sequence[Outcome]:
            outcomes = await process.engine.submit_all(commands)
            self._soon()
            return outcomes

        return Desk(
            stores.ledger,
            submit,
            stores.shelf,
            stores.keys,
            lambda entered, now: self._enter(process, entered, now),
            stores.aside,
        )

    def _hear(self, process: Process, line: Line, frame: str | bytes) -> None:
        if process is not self.process:
            return
        self.wait(line.hear(frame, self._now()))
        if isinstance(line.state, session.Open):
            self.heard[line.state.source] = (self.clock.now_ms, line.state.point)

    def _hang_up(self, process: Process, name: str) -> None:
        process.lines.pop(name, None)

    async def _enter(self, process: Process, entered: session.Enter, now: Now) -> None:
        older = [
            line
            for line, _ in process.lines.values()
            if isinstance(line.state, session.Open)
            and line.state.source == entered.source
            and line.state.session != entered.session
        ]
        for line in older:
            await line.take(session.Ousted("displaced"), now)

    def _tick_later(self, process: Process, name: str) -> None:
        def tick() -> None:
            if process is self.process and name in process.lines:
                line, _ = process.lines[name]
                self.wait(line.take(session.Ticked(), self._now()))
                self._tick_later(process, name)

        self.clock.at(self.clock.now_ms // TICK_MS * TICK_MS + TICK_MS, tick)

    def refresh(self, point: PointId) -> None:
        """Have the manifest of a point looked at again now, as a signal does."""
        try:
            self.wait(self._refresh(point))
        except Fault:
            return

    async def _refresh(self, point: PointId) -> None:
        await self._stir(lambda state: state.point == point)

    async def _stir(self, wanted: Callable[[session.Open], bool]) -> None:
        if self.process is None:
            return
        for line, _ in list(self.process.lines.values()):
            if isinstance(line.state, session.Open) and wanted(line.state):
                await line.take(session.Stirred(), self._now())

    # --- what the listener and the worker do by their timers

    def keep_house(self) -> None:
        """Reconcile at intervals, for as long as the story lasts."""
        if self.process is not None:
            self._tell_lost()
            self.wait(self._stir(lambda _: True))
        self.clock.after(HOUSE_MS, self.keep_house)

    def keep_working(self) -> None:
        """Look for work at intervals, signals or not, for as long as the story lasts."""
        self._soon()
        self.clock.after(WORK_MS, self.keep_working)

    def _tell_lost(self) -> None:
        before_ms = self.clock.now_ms - SETTINGS.contact_lost_seconds * 1000
        for source, (heard_ms, point) in self.heard.items():
            if heard_ms < before_ms:
                self.submit([NoteContact(CommandId(""), "hub", self.clock.now, point, source, lost=True)])

    def _soon(self) -> None:
        """Have the worker look for work in a moment."""
        if not self._is_work_due:
            self._is_work_due = True
            self.clock.after(_SOON_MS, self._work)

    def _work(self) -> None:
        self._is_work_due = False
        process = self.process
        if process is None:
            return
        try:
            if self.wait(self._work_once(process)):
                self._soon()
        except WorkerKilled:
            self._story.tell("the worker is killed")
        except Fault:
            return

    async def _work_once(self, process: Process) -> bool:
        ledger, now = self.stores.ledger, self.clock.now
        tasks = await ledger.claim_tasks(now, 50, LEASE_S, codes=50)
        timers = await ledger.claim_timers(now, 50, LEASE_S)
        for task in tasks:
            await self._do(process, task)
        for timer in timers:
            await process.steps.do_timer(timer)
        return bool(tasks)

    async def _do(self, process: Process, task: TaskRow) -> None:
        self.before_task()
        await process.steps.do_task(task)

    def _now(self) -> Now:
        return Now(self.clock.now, self.clock.now_ms / 1000)


def keys_from(chance: Random) -> FleetKeys:
    """Keys of a fleet that the seed decides."""
    return FleetKeys(Ed25519PrivateKey.from_private_bytes(chance.randbytes(32)), chance.randbytes(32))
