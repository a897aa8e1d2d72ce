"""What happens at one bank while it is killed: acts of deeds, each of which people finish whatever became of the bank.

Theory of operation. A deed is done again from its beginning after each kill, by people who look first: a parcel that
lies behind a door is not put in again. Before the bank is started anew, its book says what was under way; people at a
door that stands open then do what the journal will take them to have done, as `edge.openings` has it.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import closing
from datetime import timedelta
from typing import Final

import msgspec

from restante.core.ids import ParcelId
from restante.edge import loopback, moments
from restante.edge.bank import BOOK_FILE
from restante.edge.clock import SteadyClock
from restante.edge.inputs import Choice
from restante.edge.loopback import Status
from restante.edge.state import Opening, Putting, Stage, Taking
from restante.hub.notices.mail import read_code
from restante.sim.kill.hands import IS_IN, IS_OUT, Done, put_in, says, take_out
from restante.sim.kill.machine import DOORS, Killed, Machine, Stuck
from restante.sim.kill.network import Network, Program
from restante.sim.kill.patience import PATIENCE_SECONDS

TRIES: Final = 8
AGAIN_SECONDS: Final = 0.5
WAITS_S: Final = (0.0, 0.5, 4.0, 20.0)
"""Waits before each try at a screen; one wrong code more would close it for a minute."""
PAGE_BYTES: Final = 4_096
LONG_AGO: Final = timedelta(days=40)
WRONG_CODE: Final = "00000000"

Deed = Callable[[], Awaitable[None]]


class Parcel(msgspec.Struct, frozen=True):
    """One parcel: its id, the code on its label, and where its recipient reads mail."""

    id: ParcelId
    code: str
    email: str


class Story:
    """One bank, its parcels, and what its screen has promised to people."""

    def __init__(
        self, network: Network, machine: Machine, parcels: Sequence[Parcel], *, courier_code: str, aim: str
    ) -> None:
        self.network = network
        self.machine = machine
        self.parcels = tuple(parcels)
        self.promised: set[tuple[str, ParcelId]] = set()
        self.breaches: list[str] = []
        self._courier_code = courier_code
        self._aim = aim

    async def prepare(self, act: str) -> None:
        """Play what comes before an act; nothing is killed in it. Faults: `Stuck`."""
        for deed in _PREFIXES[act](self):
            await self._finish(deed)

    async def play(self, act: str) -> None:
        """Play an act with the aim in force. Faults: `Stuck`."""
        self.machine.aim = self._aim
        for deed in (*ACTS[act](self), self.whole, self.stop):
            await self._finish(deed)

    async def _finish(self, deed: Deed) -> None:
        for _ in range(TRIES):
            try:
                await deed()
            except Killed:
                await self._recover()
            else:
                return
        raise Stuck("killed again and again")

    async def _recover(self) -> None:
        """Start the program again, measure how long it takes to serve and to be whole, and settle the doors."""
        machine = self.machine
        machine.note_death()
        machine.aim = moments.NOWHERE
        openings = machine.openings()
        begun_s = time.monotonic()
        await machine.start()
        await machine.until(lambda _: True)
        serving_s = time.monotonic() - begun_s
        await self.installed()
        await machine.until(lambda seen: seen.acknowledged == seen.head)
        machine.recoveries.append((serving_s, time.monotonic() - begun_s))
        for door in filter(machine.is_open, range(1, DOORS + 1)):
            await self._settle(door, openings.get(door))
        await machine.until(lambda seen: all(one.door == "closed" for one in seen.doors.values()))

    async def _settle(self, door: int, opening: Opening | None) -> None:
        """Somebody stands at a door that opened before the kill, and shuts it once the bank has seen it open."""
        machine = self.machine
        await machine.until(lambda seen: seen.doors[door].door == "open")
        match opening:
            case Opening(task=Taking()):
                machine.take(door)
            case Opening(task=Putting(parcel=parcel), stage=Stage.OPEN):
                machine.put(door, parcel)
            case _:
                machine.push(door)

    # --- deeds

    async def start(self) -> None:
        """The bank is switched on, unless it runs."""
        if not self.machine.program.is_running:
            await self.machine.start()

    async def installed(self) -> None:
        """The bank is on line and has its manifest."""
        await self.machine.until(lambda seen: seen.online and seen.generation is not None)

    async def whole(self) -> None:
        """The hub holds the journal of the bank as far as it goes."""
        await self.machine.until(lambda seen: seen.online and seen.acknowledged == seen.head)

    async def stop(self) -> None:
        """The bank is switched off in good order."""
        await self.machine.stop()

    async def cut(self) -> None:
        """The line is cut; a start mends it."""
        await self.machine.ask(loopback.SetLink(up=False))
        await self.machine.until(lambda seen: not seen.online)

    async def heal(self) -> None:
        """The line is mended."""
        await self.machine.ask(loopback.SetLink(up=True))

    async def guess(self) -> None:
        """Somebody types a code that is nobody's."""
        await self.machine.ask(loopback.EnterCode(WRONG_CODE, "card"))

    async def leave(self) -> None:
        """The courier is done."""
        await self.machine.ask(loopback.Choose(Choice.CLOSE_ROUND))

    def deposit(self, number: int) -> Deed:
        """A courier puts a parcel in."""

        async def deed() -> None:
            await self._insist(self.parcels[number], self._offer, way="in")

        return deed

    def collect(self, number: int) -> Deed:
        """A recipient reads the mail and takes the parcel out."""

        async def deed() -> None:
            await self._insist(self.parcels[number], self._fetch, way="out")

        return deed

    def drop_off(self, number: int) -> Deed:
        """A sender reads the mail and puts the parcel in."""

        async def deed() -> None:
            await self._insist(self.parcels[number], self._hand_in, way="in")

        return deed

    def take_along(self, number: int) -> Deed:
        """A courier takes out what a sender has put in."""

        async def deed() -> None:
            await self._insist(self.parcels[number], self._take_along, way="out")

        return deed

    async def _insist(self, parcel: Parcel, attempt: Callable[[Parcel], Awaitable[bool]], *, way: str) -> None:
        """Try until a parcel is in or out, with longer and longer waits between. Fault: `Stuck`."""
        for wait_s in WAITS_S:
            await asyncio.sleep(wait_s)
            if (parcel.id in self.machine.ground) is (way == "in") or await attempt(parcel):
                return
        raise Stuck(f"{parcel.code} does not come {way}: {(await self.machine.until(lambda _: True)).texts}")

    async def _offer(self, parcel: Parcel) -> bool:
        if (await self._opened_round()).screen.page != "round":
            return False
        await self.machine.ask(loopback.ScanParcel(parcel.code))
        return await self._put(parcel)

    async def _hand_in(self, parcel: Parcel) -> bool:
        await self.machine.ask(loopback.EnterCode(await self._mailed_code(parcel)))
        return await self._put(parcel)

    async def _fetch(self, parcel: Parcel) -> bool:
        await self.machine.ask(loopback.EnterCode(await self._mailed_code(parcel)))
        done = await self._take(parcel)
        if done is not None and says(done.seen, IS_OUT):
            self.promised.add(("out", parcel.id))
        return done is not None

    async def _take_along(self, parcel: Parcel) -> bool:
        seen = await self._opened_round()
        if Choice.TAKE_BACK.value not in seen.screen.choices:
            await self.leave()  # what a round shows is as of when it was opened
            return False
        await self.machine.ask(loopback.Choose(Choice.TAKE_BACK))
        done = await self._take(parcel)
        if done is not None and done.seen.screen.page == "round":
            self.promised.add(("out", parcel.id))
        return done is not None

    async def _opened_round(self) -> Status:
        """A courier has opened a round, if the code is good."""
        seen = await self.machine.until(lambda _: True)
        if seen.screen.page == "round":
            return seen
        return await self.machine.ask(loopback.EnterCode(self._courier_code))

    async def _put(self, parcel: Parcel) -> bool:
        done = await put_in(self.machine, parcel.id)
        if done is not None and says(done.seen, IS_IN):
            self.promised.add(("in", parcel.id))
        return done is not None

    async def _take(self, parcel: Parcel) -> Done | None:
        done = await take_out(self.machine, parcel.id)
        if done is not None and done.parcel != parcel.id:
            self.breaches.append(f"door {done.door} opened for {parcel.id} on {done.parcel}")
        return done

    async def _mailed_code(self, parcel: Parcel) -> str:
        after = 0
        async with asyncio.timeout(PATIENCE_SECONDS):
            while True:
                mail = await self.network.sink.next_mail(parcel.email, after=after)
                after, code = mail.number, read_code(mail.mail())
                if code is not None:
                    return code

    # --- what befalls a machine

    async def held_back(self) -> None:
        """As if the hub had been restored: the bank was told that the hub holds more than it does."""
        with closing(self.machine.book()) as book:
            book.acknowledge(book.head)

    async def heard_again(self) -> None:
        """The hub has asked again for what it does not hold, and has it."""
        for _ in range(TRIES * 20):
            seen = await self.machine.until(lambda seen: seen.online)
            if await self.network.held_of(self.machine.source) >= seen.head:
                return
            await asyncio.sleep(AGAIN_SECONDS / 4)
        raise Stuck("the hub does not get what it asked for again")

    async def much_later(self) -> None:
        """The hub last named a time 40 days from now."""
        with closing(self.machine.book()) as book:
            kept = book.get("agent/clock")
            clock = msgspec.json.decode(kept or b"{}", type=SteadyClock)
            later = msgspec.structs.replace(clock, hub_named=clock.hub_named + LONG_AGO)
            with book.step() as writing:
                writing.put("agent/clock", msgspec.json.encode(later))

    async def replaced(self) -> None:
        """A new controller takes the place of the old one."""
        point = self.machine.point
        told = await self.network.operator.post(f"/points/{point}/replacement", once=f"replaced-{point}")
        self.machine.invitation = told["text"]
        self.machine.fit_controller()

    async def old_book_taken_in(self) -> None:
        """What the old controller's disk holds is taken in by the new one, which sends it when it starts."""
        machine = self.machine
        await machine.stop()
        arguments = ["bank", "upload-book", str(machine.path_of(1)), "--state", str(machine.state)]
        program = Program("upload-book", arguments, environ=machine.environ, log=machine.program.log)
        machine.program = program
        await program.start({**machine.told, "RESTANTE_KILL_AT": machine.aim})
        await program.ended()
        if program.was_killed:
            machine.program = machine.bank
            raise Killed
        machine.program = machine.bank

    async def filled(self) -> None:
        """The disk is so full that nothing can be written, until it can; after a kill there is room again."""
        machine = self.machine
        if machine.kills:
            return
        pages = (machine.state / BOOK_FILE).stat().st_size // PAGE_BYTES
        if not machine.program.is_running:
            await machine.start(RESTANTE_MAX_PAGES=str(pages + 2))
        for number in range(2_000):
            seen = await machine.until(lambda _: True)
            if any(moments.Moment.AFTER_TRY in notes for notes in moments.noted(machine.state)):
                return
            if seen.fault:
                await asyncio.sleep(AGAIN_SECONDS)
            else:
                await machine.ask(loopback.EnterCode(WRONG_CODE, f"channel-{number}"))
        raise Stuck("the disk does not fill up")


def _nothing(_: Story) -> Sequence[Deed]:
    return ()


def _one_in(story: Story) -> Sequence[Deed]:
    return (story.start, story.installed, story.deposit(0), story.whole)


def _one_in_and_one_unsent(story: Story) -> Sequence[Deed]:
    return (*_one_in(story), story.cut, story.deposit(1), story.stop)


def _visit(story: Story) -> Sequence[Deed]:
    without_a_line = (story.cut, story.deposit(1), story.heal)
    return (
        *_one_in(story), *without_a_line, story.leave, story.guess, story.whole, story.collect(0), story.collect(1),
    )  # fmt: skip


def _resend(story: Story) -> Sequence[Deed]:
    return (story.start, story.heard_again)


def _replace(story: Story) -> Sequence[Deed]:
    in_place = (story.start, story.installed, story.collect(0))
    return (*in_place, story.whole, story.old_book_taken_in, story.start, story.installed, story.collect(1))


def _trim(story: Story) -> Sequence[Deed]:
    return (story.start, story.installed)


def _full(story: Story) -> Sequence[Deed]:
    return (story.filled, story.stop, story.start, story.installed, story.collect(0))


ACTS: Final[Mapping[str, Callable[[Story], Sequence[Deed]]]] = {
    "visit": _visit,
    "resend": _resend,
    "replace": _replace,
    "trim": _trim,
    "full": _full,
}
"""What is played with the aim in force, in the order in which moments are looked for."""

_PREFIXES: Final[Mapping[str, Callable[[Story], Sequence[Deed]]]] = {
    "visit": _nothing,
    "resend": lambda story: (*_one_in_and_one_unsent(story), story.held_back),
    "replace": lambda story: (*_one_in_and_one_unsent(story), story.replaced),
    "trim": lambda story: (*_one_in(story), story.leave, story.stop, story.much_later),
    "full": lambda story: (*_one_in(story), story.leave, story.stop),
}
