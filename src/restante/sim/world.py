"""A whole network in virtual time: hub, controllers, links, doors and people, set up from a seed, and what befalls it.

The code that runs here is the product's own, step by step; this file only puts it together. Everything drawn by chance
comes from generators that the seed alone decides, one for each part of the world, so that a fault more or less does not
change what people do.
"""

import asyncio
import copy
from collections import Counter
from collections.abc import Coroutine
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any, Final, TypeVar

from restante.core.bank import BankModule, Compartment, Point, Source, SourceKind
from restante.core.commands import InstallSource, ProvisionPoint
from restante.core.ids import CommandId, Lane, ParcelId, PointId, SourceId, laned_id
from restante.core.time import Calendar, ElapsedHours
from restante.edge.boards.steel import Deed
from restante.edge.book import create_book
from restante.edge.keeping import Keeps
from restante.edge.memory import MemoryBook
from restante.hub.engine import Accepted
from restante.hub.fleet.keys import verifier_of
from restante.hub.fleet.manifests import ORG_SUBJECT
from restante.hub.fleet.shelf import MemoryShelf
from restante.sim.chance import chance_of
from restante.sim.clock import HOUR_MS, SECOND_MS, Clock, Story
from restante.sim.cupboard import FragileRows, MemoryAttempts, MemoryVault
from restante.sim.faults import Fault, Kind
from restante.sim.folk import Folk, Stage
from restante.sim.ground import Ground
from restante.sim.hubside import SETTINGS, HubSide, Stores, WorkerKilled, keys_from
from restante.sim.links import Link, Weather
from restante.sim.machine import Machine
from restante.sim.mailbox import Mailboxes
from restante.sim.rows import Break
from restante.sim.steelwork import Steelwork
from restante.sim.telling import Telling, telling_of
from restante.sim.visits import Doorstep
from restante.sim.watch import Watch
from restante.store.ledger import Credential, Ledger

T = TypeVar("T")

START: Final = datetime(2026, 3, 2, 6, tzinfo=UTC)
HOLD_HOURS: Final = 20
_HOME: Final = Calendar("Europe/Helsinki")


class World:
    """One story's world."""

    def __init__(
        self,
        seed: int,
        loop: asyncio.AbstractEventLoop,
        *,
        ledger: Ledger | None = None,
        books: Path | None = None,
        telling: Telling | None = None,
    ) -> None:
        self.telling = telling or telling_of(seed)
        self.seed = seed
        self.clock = Clock(START)
        self.story = Story(self.clock)
        self.breaches: dict[str, list[str]] = {}
        self.struck: Counter[str] = Counter()
        self.plot = self.telling.plot
        self.ground = Ground()
        self.watch = Watch(self.breach)
        self.mail = Mailboxes(self.clock)
        self.rows = ledger or FragileRows()
        self.points = tuple(self._id(number) for number in range(self.plot.points))
        self.sources = tuple(SourceId(self._id(number + 100)) for number in range(self.plot.points))
        self.names = tuple(f"Point {number}" for number in range(self.plot.points))
        self.weather = tuple(Weather() for _ in self.sources)
        self.links: dict[SourceId, Link] = {}
        self.clones: list[Machine] = []
        self._loop = loop
        self._books = books
        self.hub = self._hub()
        self.machines = tuple(self._machine(number) for number in range(self.plot.points))
        self.doorstep = Doorstep(self.ground, chance_of(seed, "visits"), breach=self.breach, tell=self.story.tell)

    def breach(self, rule: str, what: str) -> None:
        """Something happened that a rule forbids."""
        self.story.tell(f"BREACH: {what}")
        self.breaches.setdefault(rule, []).append(what)

    def wait(self, work: Coroutine[Any, Any, T]) -> T:
        """The outcome of something asynchronous."""
        return self._loop.run_until_complete(work)

    def codes(self) -> dict[ParcelId, str]:
        """The parcel codes of all parcels, as the hub keeps them."""
        return {name: parcel.code for name, parcel in self.wait(self.rows.parcels(sorted(self.ground.spots))).items()}

    # --- setting up

    def set_up(self) -> None:
        """Lanes, points, sources, couriers' codes, people; then everything starts."""
        self.wait(self.rows.ensure_lanes(self.plot.lanes))
        self.hub.start()
        for number in range(self.plot.points):
            self._provision(number)
        self.rounds = {
            (carrier, number): self._courier_code(carrier, number)
            for carrier in range(self.plot.carriers)
            for number in range(self.plot.points)
        }
        stage = Stage(self.points, self.names, self.machines, self.rounds)
        self.folk = Folk(self.telling, stage, self.hub, clock=self.clock, story=self.story, doorstep=self.doorstep)
        self.mail.on_letter = self.folk.reads
        for number, machine in enumerate(self.machines):
            self.clock.at((number + 1) * SECOND_MS, machine.start)
        self.clock.after(HOUR_MS // 2, self.hub.keep_house)
        self.hub.keep_working()
        self.folk.begin()
        for fault in self.telling.faults:
            self.clock.at(fault.at_ms, partial(self.strike, fault))

    def _id(self, number: int) -> PointId:
        chance = chance_of(self.seed, f"id/{number}")
        return PointId(laned_id(START, chance.randbytes(8), Lane(number % self.plot.lanes)))

    def _hub(self) -> HubSide:
        chance = chance_of(self.seed, "hub")
        shelf = MemoryShelf(self.rows, SETTINGS)
        stores = Stores(self.rows, MemoryVault(), MemoryAttempts(), shelf, keys_from(chance))
        return HubSide(stores, self.mail, self.clock, story=self.story, chance=chance, run=self.wait)

    def _kind(self, number: int) -> SourceKind:
        return SourceKind.COUNTER if number == self.plot.points - 1 else SourceKind.BANK

    def _machine(self, number: int) -> Machine:
        source, staffed = self.sources[number], self._kind(number) is SourceKind.COUNTER
        steel = Steelwork(source, len(self.plot.doors[number]), self.clock, ground=self.ground, staffed=staffed)
        machine = self._controller(number, steel, self._book(source))
        machine.on_power_lost = lambda: self.clock.after(40 * SECOND_MS, partial(self._start, machine))
        return machine

    def _controller(self, number: int, steel: Steelwork, book: Keeps) -> Machine:
        machine = Machine(
            steel, book, self.clock, kind=self._kind(number), story=self.story,
            chance=chance_of(self.seed, f"machine/{number}/{len(self.clones)}"), dial=partial(self._dial, number),
        )  # fmt: skip
        steel.on_pulse = partial(self.watch.saw_pulse, machine)
        return machine

    def _book(self, source: SourceId) -> Keeps:
        return MemoryBook(source) if self._books is None else create_book(self._books / f"{source}.book", source=source)

    def _start(self, machine: Machine) -> None:
        if machine.agent is None:
            machine.start()

    def _dial(self, number: int) -> Link | None:
        source, weather = self.sources[number], self.weather[number]
        if weather.has(Kind.LINK_CUT):
            return None
        link = Link(self.clock, chance_of(self.seed, f"link/{source}/{self.clock.now_ms}"), weather, story=self.story)
        link.on_down = partial(self.watch.saw_frame, source)
        if not self.hub.dial(link):
            return None
        self.links[source] = link
        return link

    def _provision(self, number: int) -> None:
        point, kind = self.points[number], self._kind(number)
        compartments = tuple(
            Compartment(door, rank, 900 if rank else 1500, capacity=3 if kind is SourceKind.COUNTER else 1)
            for door, rank in enumerate(self.plot.doors[number], 1)
        )
        definition = Point(
            point, self.names[number], "shop", "host", 60.0, 24.0, "", "", _HOME, ElapsedHours(HOLD_HOURS)
        )
        source = Source(self.sources[number], kind, (BankModule(1, compartments),))
        now = self.clock.now
        outcomes = self.hub.submit(
            [
                ProvisionPoint(CommandId(f"provision:{point}"), "operator", now, definition),
                InstallSource(CommandId(f"install:{point}"), "operator", now, point, source),
            ]
        )
        assert outcomes is not None
        assert all(isinstance(outcome, Accepted) for outcome in outcomes), outcomes

    def _courier_code(self, carrier: int, number: int) -> str:
        code = f"{chance_of(self.seed, f'courier/{carrier}/{number}').randrange(10**8):08}"
        verifier = verifier_of(code, self.hub.stores.keys, source=self.sources[number], epoch=1, settings=SETTINGS)
        credential = Credential(self.points[number], f"{ORG_SUBJECT}carrier-{carrier}", 1, verifier)
        assert self.wait(self.rows.put_credential(credential))
        return code

    # --- what befalls it

    def strike(self, fault: Fault) -> None:
        """Let one fault happen, and end when its time is over."""
        self.struck[fault.kind.name.lower().replace("_", "-")] += 1
        where = "the hub" if fault.source < 0 else self.names[fault.source]
        self.story.tell(f"{where}: {fault.kind.value}")
        if fault.source < 0:
            self._strike_hub(fault)
        else:
            self._strike_source(fault, self.machines[fault.source], self.weather[fault.source])

    def _strike_hub(self, fault: Fault) -> None:
        match fault.kind:
            case Kind.HUB_KILLED:
                self.hub.kill()
                self.clock.after(fault.lasts_ms, self._start_hub)
            case Kind.COMMIT_LOST:
                self._plant(Break.BEFORE if fault.amount % 2 else Break.UNSEEN, fault.amount)
            case Kind.ANSWER_LOST:
                self._plant(Break.AFTER, fault.amount)
            case Kind.WORKER_KILLED:
                self.hub.kill_worker = "before"
            case _:
                self._kill_worker_late()

    def _plant(self, where: Break, after_commits: int) -> None:
        if isinstance(self.rows, FragileRows):
            self.rows.plant(where, after_commits=after_commits)

    def _kill_worker_late(self) -> None:
        rows = self.rows
        if not isinstance(rows, FragileRows):
            return

        def stop() -> None:
            rows.before_finish = lambda: None
            raise WorkerKilled

        rows.before_finish = stop

    def _start_hub(self) -> None:
        if self.hub.process is None:
            self.hub.start()

    def _strike_source(self, fault: Fault, machine: Machine, weather: Weather) -> None:
        door = 1 + fault.amount % machine.steel.doors
        match fault.kind:
            case Kind.LINK_CUT | Kind.LINK_ROUGH | Kind.ACKS_LOST | Kind.MANIFESTS_LATE:
                weather.begin(fault.kind)
                self.clock.after(fault.lasts_ms, partial(weather.end, fault.kind))
            case Kind.MANIFEST_REPLAYED:
                self._replay(machine.source, fault.amount)
            case Kind.BANK_KILLED:
                self._without_power(machine, fault.lasts_ms)
            case Kind.BANK_KILLED_IN_STEP:
                (machine.fuse.set_for_work if fault.amount % 4 else machine.fuse.set)(1 + fault.amount // 4)
            case Kind.DOOR_JAMMED | Kind.DOOR_BLOCKED:
                self._stick(fault, machine, door)
            case Kind.CLOCK_OFF | Kind.CLOCK_JUMPS:
                machine.off_ms += fault.amount
                machine.lose_power()
                self.clock.after(fault.lasts_ms, partial(self._set_clock, machine))
            case Kind.DISK_CLONED:
                self._clone(fault)
            case _:
                raise AssertionError(fault.kind)

    def _replay(self, source: SourceId, amount: int) -> None:
        frames, link = self.watch.old_frames(source), self.links.get(source)
        if frames and link is not None and link.is_open:
            link.to_source(frames[amount % len(frames)])

    def _without_power(self, machine: Machine, lasts_ms: int) -> None:
        before, machine.on_power_lost = machine.on_power_lost, lambda: None
        machine.lose_power()
        machine.on_power_lost = before
        self.clock.after(lasts_ms, partial(self._start, machine))

    def _stick(self, fault: Fault, machine: Machine, door: int) -> None:
        if machine.steel.staffed:
            return
        machine.steel.touch(door, Deed.JAM if fault.kind is Kind.DOOR_JAMMED else Deed.BLOCK)
        self.clock.after(fault.lasts_ms, partial(machine.steel.touch, door, Deed.MEND))

    def _set_clock(self, machine: Machine) -> None:
        machine.off_ms = 0

    def _clone(self, fault: Fault) -> None:
        """The disk is copied into another machine, which runs beside the first until somebody notices the smoke."""
        original = self.machines[fault.source]
        if not isinstance(original.book, MemoryBook):
            return
        steel = Steelwork(
            original.source, original.steel.doors, self.clock, ground=Ground(), staffed=original.steel.staffed
        )
        clone = self._controller(fault.source, steel, copy.deepcopy(original.book))
        self.clones.append(clone)
        clone.start()
        self.clock.after(fault.lasts_ms, clone.lose_power)

    def heal(self) -> None:
        """Everything that is broken is mended, and nobody begins anything new."""
        self.folk.go_home()
        for weather in self.weather:
            weather.clear()
        for machine in self.machines:
            machine.fuse.mend()
            machine.off_ms = 0
            self._start(machine)
            for door in () if machine.steel.staffed else range(1, machine.steel.doors + 1):
                machine.steel.touch(door, Deed.MEND)
        self._start_hub()
