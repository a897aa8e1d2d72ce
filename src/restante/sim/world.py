"""A whole network in virtual time: hub, controllers, links, doors and people, set up from a seed, and what befalls it.

The code that runs here is the product's own, step by step; this file only puts it together. Everything drawn by chance
comes from generators that the seed alone decides, one for each part of the world, so that a fault more or less does not
change what people do.
"""

import asyncio
from collections import Counter, defaultdict
from collections.abc import Callable, Coroutine
from functools import partial
from pathlib import Path
from typing import Any, Final, TypeVar

from restante.core.bank import BankModule, Compartment, Point, Source, SourceKind
from restante.core.commands import InstallSource, ProvisionPoint, StartEpoch
from restante.core.ids import CommandId, Lane, ParcelId, PointId, SourceId, laned_id
from restante.core.time import millis
from restante.edge.book import create_book
from restante.edge.keeping import Keeps
from restante.edge.memory import MemoryBook
from restante.hub.engine import Accepted
from restante.hub.fleet.keys import verifier_of
from restante.hub.fleet.manifests import ORG_SUBJECT
from restante.sim.chance import chance_of
from restante.sim.clock import HOUR_MS, MINUTE_MS, SECOND_MS, Clock, Story
from restante.sim.cupboard import BackedUpShelf, FragileRows, MemoryAttempts, MemoryVault
from restante.sim.faults import Fault, Kind
from restante.sim.folk import Folk, Stage
from restante.sim.ground import Ground
from restante.sim.hubside import SETTINGS, HubSide, Stores, keys_from
from restante.sim.links import Link, Weather
from restante.sim.machine import Machine
from restante.sim.mailbox import Mailboxes
from restante.sim.mending import Backup, call_technician
from restante.sim.met import Felt, Meeting, in_book
from restante.sim.noise import Wire
from restante.sim.steelwork import Steelwork
from restante.sim.striking import foresee, strike
from restante.sim.telling import Telling, telling_of
from restante.sim.typed import Typing
from restante.sim.visits import Doorstep
from restante.sim.watch import Watch
from restante.store.ledger import Credential, Ledger
from restante.wire.journal import Entry, write_entry

T = TypeVar("T")

_START_AGAIN_MS: Final = 10 * MINUTE_MS
_TRIED_AGAIN_MS: Final = (30 * SECOND_MS, 10 * MINUTE_MS, 5 * HOUR_MS)
"""When somebody tries a courier's code again that was taken away."""


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
        self.clock = Clock(self.telling.season.start)
        self.story = Story(self.clock)
        self.breaches: dict[str, list[str]] = {}
        self.struck: Counter[str] = Counter()
        self.felt: Felt = Counter()
        self.meeting = Meeting(self.telling.faults)
        self.plot = self.telling.plot
        self.ground = Ground()
        self.watch = Watch(self.clock, self.breach, held=self._is_held, known=self._known_of)
        self.mail = Mailboxes(self.clock, self.felt)
        self.rows = ledger or FragileRows(self.felt)
        self.points = tuple(self._id(number) for number in range(self.plot.points))
        self.sources = tuple(SourceId(self._id(number + 100)) for number in range(self.plot.points))
        self.names = tuple(f"Point {number}" for number in range(self.plot.points))
        self.places = {name: number for both in (self.points, self.sources) for number, name in enumerate(both)}
        self.weather = tuple(Weather(self.felt) for _ in self.sources)
        self.links: dict[SourceId, Link] = {}
        self.clones: list[Machine] = []
        self.lost_books: set[SourceId] = set()
        self.ended_unheard: set[str] = set()
        self.taken_away: set[SourceId] = set()
        self.backups: dict[Fault, Backup | None] = {}
        self._epochs: defaultdict[int, int] = defaultdict(lambda: 1)
        self._issued: Counter[tuple[int, int]] = Counter()
        self._verifiers: dict[tuple[SourceId, str, int], str] = {}
        self._loop = loop
        self._books = books
        self.hub = self._hub()
        self.machines = tuple(self._machine(number) for number in range(self.plot.points))
        self.doorstep = Doorstep(self.ground, chance_of(seed, "visits"), breach=self.breach, tell=self.story.tell)
        self.doorstep.felt = self.felt
        self._watch_codes()
        self.doorstep.on_guess = self.watch.saw_guess

    def breach(self, rule: str, what: str) -> None:
        """Something happened that a rule forbids."""
        self.story.tell(f"BREACH: {what}")
        self.breaches.setdefault(rule, []).append(what)

    def _known_of(self, source: SourceId) -> object:
        """How far hub and book have come with a journal."""
        book, rows = self.machines[self.places[source]].book, self.rows
        return book.head, rows.kept_sources.get(source) if isinstance(rows, FragileRows) else None

    def _is_held(self, entry: Entry) -> bool:
        """Whether the hub holds an entry as it was written."""
        span = range(entry.seq, entry.seq + 1)
        rows = self.wait(self.rows.journal(SourceId(entry.source), entry.log_epoch, span))
        return [row.entry for row in rows] == [write_entry(entry)]

    def _watch_codes(self) -> None:
        """Have every code that people type judged, and every courier's round."""
        by_source = {machine.source: machine for machine in self.machines}
        typing = Typing(self.watch, self.clock, self.ground, verifier=self.verifier, is_cut_off=self._is_cut_off)
        self.doorstep.type = lambda box, given: typing.enter(by_source[box.source], given)
        self.doorstep.on_round = self._note_round

    def _note_round(self, source: SourceId, code: str | None) -> None:
        if code is None:
            self.watch.rounds.pop(source, None)
        else:
            epoch = self.machines[self.places[source]].book.head.epoch
            self.watch.rounds[source] = self.verifier(source, code, epoch)

    def _is_cut_off(self, source: SourceId) -> bool:
        link = self.links.get(source)
        return link is None or not link.is_open or self.weather[self.places[source]].has(Kind.LINK_CUT)

    def verifier(self, source: SourceId, code: str, epoch: int) -> str:
        """What a list holds in place of a code."""
        key = (source, code, epoch)
        if key not in self._verifiers:
            keys = self.hub.stores.keys
            self._verifiers[key] = verifier_of(code, keys, source=source, epoch=epoch, settings=SETTINGS)
        return self._verifiers[key]

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
        if (changes_at := self.telling.season.changes_at) is not None:
            self.clock.at((millis(changes_at) - millis(self.clock.start)), self._note_change)
        for fault in self.telling.faults:
            foresee(self, fault)
            self.clock.at(fault.at_ms, partial(strike, self, fault))

    def _note_change(self) -> None:
        self.struck["clocks-changed"] += 1
        self.story.tell("the clocks are changed for summer or winter")

    def _id(self, number: int) -> PointId:
        chance = chance_of(self.seed, f"id/{number}")
        return PointId(laned_id(self.clock.start, chance.randbytes(8), Lane(number % self.plot.lanes)))

    def _hub(self) -> HubSide:
        chance = chance_of(self.seed, "hub")
        shelf = BackedUpShelf(self.rows, SETTINGS)
        self.shelf = shelf
        stores = Stores(self.rows, MemoryVault(), MemoryAttempts(), shelf, keys_from(chance))
        return HubSide(stores, self.mail, self.clock, story=self.story, chance=chance, run=self.wait)

    def _kind(self, number: int) -> SourceKind:
        return SourceKind.COUNTER if number == self.plot.points - 1 else SourceKind.BANK

    def _machine(self, number: int) -> Machine:
        source, staffed = self.sources[number], self._kind(number) is SourceKind.COUNTER
        steel = Steelwork(source, self.plot.doors[number], self.clock, ground=self.ground, staffed=staffed)
        machine = self.controller(number, steel, self._book(source))
        machine.on_power_lost = lambda: self.clock.after(40 * SECOND_MS, partial(self.start, machine))
        return machine

    def controller(self, number: int, steel: Steelwork, book: Keeps) -> Machine:
        """A controller for a point, on a book that may be another's."""
        machine = Machine(
            steel, book, self.clock, kind=self._kind(number), story=self.story,
            chance=chance_of(self.seed, f"machine/{number}/{len(self.clones)}"), dial=partial(self._dial, number),
        )  # fmt: skip
        machine.fuse.felt = steel.felt = self.felt
        machine.on_entry = lambda kind: self.meeting.note(in_book(kind), self.clock.now_ms, number)
        chance = chance_of(self.seed, f"wire/{number}/{len(self.clones)}")
        steel.wire = Wire(chance, breach=self.breach, asked=self.watch.saw_bus)
        steel.on_pulse = partial(self.watch.saw_pulse, machine)
        return machine

    def _book(self, source: SourceId) -> Keeps:
        return MemoryBook(source) if self._books is None else create_book(self._books / f"{source}.book", source=source)

    def _dial(self, number: int) -> Link | None:
        source, weather = self.sources[number], self.weather[number]
        if weather.has(Kind.LINK_CUT):
            return None
        link = Link(self.clock, chance_of(self.seed, f"link/{source}/{self.clock.now_ms}"), weather, story=self.story)
        link.on_down = partial(self.watch.saw_frame, source)
        link.on_altered = partial(self.watch.saw_altered, source)
        link.on_noise = partial(self.watch.saw_noise, source)
        self.watch.saw_line(source)
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
        calendar, hold = self.telling.season.calendar, self.telling.season.hold
        definition = Point(point, self.names[number], "shop", "host", 60.0, 24.0, "", "", calendar, hold)
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

    def begin_epoch(self, number: int, epoch: int, then: Callable[[], None]) -> None:
        """Begin a new log epoch for a new controller, put couriers' codes there anew, and go on; in a while if not now.

        An epoch that has begun already is what was asked for.
        """
        point, source = self.points[number], self.sources[number]
        command = StartEpoch(CommandId(f"epoch:{source}:{epoch}"), "operator", self.clock.now, point, source, epoch)
        outcomes = self.hub.submit([command])
        if outcomes is None:
            self.clock.after(5 * MINUTE_MS, partial(self.begin_epoch, number, epoch, then))
            return
        self._epochs[number] = epoch
        for carrier in range(self.plot.carriers):
            self._put_credential(carrier, number, self.rounds[carrier, number])
        then()

    def _courier_code(self, carrier: int, number: int, *, issue: int = 0) -> str:
        code = f"{chance_of(self.seed, f'courier/{carrier}/{number}/{issue}').randrange(10**8):08}"
        self._put_credential(carrier, number, code)
        return code

    def _put_credential(self, carrier: int, number: int, code: str) -> None:
        epoch = self._epochs[number]
        verifier = self.verifier(self.sources[number], code, epoch)
        subject, issue = f"{ORG_SUBJECT}carrier-{carrier}", epoch + 100 * self._issued[carrier, number]
        credential = Credential(self.points[number], subject, issue, verifier)
        assert self.wait(self.rows.put_credential(credential))

    def unheard(self, old: Keeps) -> list[Entry]:
        """What a book tells and the hub has not heard, oldest first."""
        head = self.wait(self.rows.source(SourceId(old.source)))
        reached = {log.epoch: head.reached(log.epoch) if head else None for log in old.extents()}
        return [
            entry
            for log in old.extents()
            for entry in old.entries_from(1, log.seq, epoch=log.epoch)
            if entry.seq > (known.seq if (known := reached[log.epoch]) else 0)
        ]

    def epochs(self) -> dict[int, int]:
        """The log epoch of every source, by number."""
        return {number: self._epochs[number] for number in range(self.plot.points)}

    def issue_codes_again(self) -> None:
        """Every courier's code is put where sources are told of it, as after a restore."""
        for (carrier, number), code in self.rounds.items():
            self._put_credential(carrier, number, code)

    def revoke_round(self, number: int) -> None:
        """Take the code of the round that is open at a source away, and give its carrier another one."""
        source = self.sources[number]
        for (carrier, at), code in self.rounds.items():
            if at == number and self.verifier(source, code, self._epochs[number]) == self.watch.rounds.get(source):
                self._issued[carrier, number] += 1
                self.rounds[carrier, number] = self._courier_code(carrier, number, issue=self._issued[carrier, number])
                self.story.tell(f"carrier {carrier} has another code at {self.names[number]}")
                self.hub.refresh(self.points[number])
                for wait_ms in _TRIED_AGAIN_MS:
                    self.clock.after(wait_ms, partial(self._try_code, number, code))
                return

    def _try_code(self, number: int, code: str) -> None:
        self.folk.walk(self.doorstep.try_code(self.machines[number], code))

    # --- what befalls it

    def start_hub(self) -> None:
        """Somebody starts the hub, unless it runs."""
        if self.hub.process is None:
            self.hub.start()

    def start(self, machine: Machine) -> None:
        """Power is there; a program that cannot write its book is started again and again until it can."""
        if machine.source in self.taken_away:
            return
        if machine.fuse.is_full:
            self.clock.after(_START_AGAIN_MS, partial(self.start, machine))
        elif machine.agent is None:
            machine.start()

    def heal(self) -> None:
        """Everything that is broken is mended, and nobody begins anything new."""
        self.folk.go_home()
        for weather in self.weather:
            weather.clear()
        self.mail.heal()
        if isinstance(self.rows, FragileRows):
            self.rows.heal()
        for machine in self.machines:
            machine.fuse.mend()
            machine.set_clock()
            machine.make_space()
            machine.steel.heal()
            self.start(machine)
        self.start_hub()
        for source in sorted(self.lost_books):
            call_technician(self, self.places[source], until_done=True)
