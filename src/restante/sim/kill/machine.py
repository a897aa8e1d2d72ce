"""A locker bank or counter whose program may be killed: steel stands in this process, and goes on without it.

The program drives a real 8A/80 line; at its far end stands an emulated board that keeps its own record of every pulse,
of which the program knows nothing. Where parcels really lie is written by the people alone.
"""

import asyncio
import time
from collections.abc import Callable, Mapping
from contextlib import closing
from pathlib import Path
from typing import Final

import msgspec

from restante.core.bank import SourceKind
from restante.core.ids import ParcelId
from restante.core.refusals import Fault
from restante.edge import moments
from restante.edge.bank import BOOK_FILE
from restante.edge.boards.emulated import LiveBoard
from restante.edge.boards.steel import Deed, Input, Open, Unlock, board_of
from restante.edge.boards.xor8a import PtyXor8aBoard
from restante.edge.book import Book, open_book
from restante.edge.drivers.port import Answer
from restante.edge.drivers.xor8a import XorBoard
from restante.edge.inputs import Choice
from restante.edge.keeping import restore
from restante.edge.loopback import LOOPBACK_FILE, Choose, LoopbackClosed, Request, Status
from restante.edge.person import Person
from restante.edge.state import Opening
from restante.sim.kill.network import Program
from restante.sim.kill.patience import PATIENCE_SECONDS

DOORS: Final = 6
LOOK_SECONDS: Final = 0.05


class Killed(Fault):
    """The program of the bank was killed, as the proof wanted."""


class Stuck(Fault):
    """A bank did not do what the story waits for; the proof has found something, or asks for too much."""


BROKEN_OFF: Final = (Fault, TimeoutError)
"""How a story that cannot go on ends."""


class Pulse(msgspec.Struct, frozen=True):
    """A lock was told to open: by which controller, in which start of its program, and which."""

    controller: int
    boot: int
    door: int


class RecordedBoard(LiveBoard):
    """An emulated board that writes down each pulse it gets."""

    def __init__(self) -> None:
        super().__init__(board_of(DOORS))
        self.controller = 0
        self.boot = 0
        self.pulses: list[Pulse] = []

    def named(self, boot: int) -> None:
        """The program has said which start this is: so the pulses since it began belong to that one."""
        if self.boot != boot:
            self.pulses = [msgspec.structs.replace(one, boot=boot) if not one.boot else one for one in self.pulses]
            self.boot = boot

    def put(self, given: Input) -> Answer | None:
        """See `LiveBoard.put`."""
        if isinstance(given, Unlock):
            self.pulses.append(Pulse(self.controller, self.boot, given.door))
        return super().put(given)


class Machine:
    """What stands at one point: its state folders, one a controller, and its program, running or not.

    ``ground`` is behind which door, or at which place of the shelf, each parcel really lies. A counter has no steel.
    """

    def __init__(
        self,
        point: str,
        source: str,
        folder: Path,
        *,
        environ: Mapping[str, str],
        kind: SourceKind = SourceKind.BANK,
    ) -> None:
        self.point = point
        self.source = source
        self.kind = kind
        self.steel = RecordedBoard()
        self.ground: dict[ParcelId, int] = {}
        self.recoveries: list[tuple[float, float]] = []
        self.died_at: list[tuple[moments.Moment | None, int]] = []
        self.aim = moments.NOWHERE
        self.invitation = ""
        self.told: Mapping[str, str] = {}
        """What the program finds in its environment besides: which version it is."""
        self._folder = folder
        self.environ = environ
        self._wire = PtyXor8aBoard(self.steel, XorBoard(address=1, locks=DOORS, status_bytes=1))
        folder.mkdir(mode=0o700, parents=True)
        self.fit_controller()

    @property
    def kills(self) -> int:
        """How often its program was killed."""
        return len(self.died_at)

    def note_death(self) -> None:
        """The program was killed: the last moment that it has noted, and which time of reaching it that was."""
        last = moments.noted(self.state)[-1]
        self.died_at.append((last[-1], last.count(last[-1])) if last else (None, 0))

    # --- the controller

    def fit_controller(self) -> None:
        """Put a controller out of its box in place of the one before, whose folder stays."""
        self.steel.controller += 1
        self.state = self._folder / f"controller-{self.steel.controller}"
        self.state.mkdir(mode=0o700)
        (self.state / moments.NOTES_FILE).touch(mode=0o600)
        name, log = self.kind.value, self._folder / f"{self.kind.value}.log"
        board = {SourceKind.BANK: ["--board", f"xor8a:{self._wire.path}:1x{DOORS}x1"], SourceKind.COUNTER: []}
        arguments = [name, "--state", str(self.state), *board[self.kind], "--invitation", "-"]
        self.bank = self.program = Program(name, arguments, environ=self.environ, log=log)
        self.person = Person(self.state)

    def path_of(self, controller: int) -> Path:
        """The book of one of its controllers, the first being 1."""
        return self._folder / f"controller-{controller}" / BOOK_FILE

    async def start(self, **more: str) -> None:
        """Start the program; it dies where it is aimed at, if it gets there."""
        (self.state / LOOPBACK_FILE).unlink(missing_ok=True)
        self.steel.boot = 0
        told = {**self.told, "RESTANTE_KILL_AT": self.aim, **more}
        await self.program.start(told, stdin=self.invitation.encode() + b"\n")

    async def stop(self) -> None:
        """Stop the program as a service manager does, and hang up."""
        await self.person.leave()
        await self.program.stop()

    async def close(self) -> None:
        """Stop everything."""
        await self.stop()
        self._wire.close()

    # --- people

    async def until(self, wanted: Callable[[Status], bool], *, seconds: float = PATIENCE_SECONDS) -> Status:
        """How things are once they are so. Faults: `Killed`, `Stuck`."""
        ends_at, seen = time.monotonic() + seconds, "nothing"
        while time.monotonic() < ends_at:
            try:
                status = await self.person.status()
            except LoopbackClosed:
                await self._still_there()
            else:
                self.steel.named(status.boot)
                if wanted(status):
                    return status
                seen = f"{status.screen.page} {status.texts} online={status.online} head={status.head}"
            await asyncio.sleep(LOOK_SECONDS)
        raise Stuck(f"not so within {seconds} s: {seen}")

    async def ask(self, request: Request) -> Status:
        """Do something at the screen. Faults: `Killed`, `Stuck`."""
        try:
            return await self.person.ask(request)
        except LoopbackClosed as lost:
            for _ in range(int(1 / LOOK_SECONDS)):
                await self._still_there()
                await asyncio.sleep(LOOK_SECONDS)
            raise Stuck(f"the program lives and does not answer: {lost}") from lost

    async def _still_there(self) -> None:
        if not self.program.is_running:
            await self.person.leave()
            if not self.program.was_killed:
                raise Stuck(f"the program ended by itself: {self.program.log}")
            raise Killed

    async def put_in(self, door: int, parcel: ParcelId) -> None:
        """Somebody puts a parcel where the screen asks for it, and shuts the door; staff say that it is done."""
        if self.kind is SourceKind.BANK:
            self.put(door, parcel)
        else:
            await self.ask(Choose(Choice.DONE))
            self.ground[parcel] = door

    async def take_out(self, door: int, parcel: ParcelId) -> ParcelId | None:
        """Somebody takes what lies where the screen says; of several on a shelf, this one. What was taken."""
        if self.kind is SourceKind.BANK:
            return self.take(door)
        await self.ask(Choose(Choice.DONE))
        return self._fetched(door, parcel)

    def _fetched(self, door: int, parcel: ParcelId | None = None) -> ParcelId | None:
        """What is fetched from a door or place: this parcel if it lies there, else whatever does."""
        there = [one for one, where in self.ground.items() if where == door]
        taken = parcel if parcel in there else next(iter(there), None)
        if taken is not None:
            del self.ground[taken]
        return taken

    # --- steel

    def is_open(self, door: int) -> bool:
        """Whether a door stands open, whatever anybody knows of it."""
        return isinstance(self.steel.board.locks[door - 1].leaf, Open)

    def put(self, door: int, parcel: ParcelId) -> None:
        """Somebody puts a parcel behind an open door and shuts it."""
        assert self.is_open(door)
        self.steel.touch(door, Deed.PUT, Deed.PUSH)
        self.ground[parcel] = door

    def take(self, door: int) -> ParcelId | None:
        """Somebody takes what lies behind an open door and shuts it."""
        assert self.is_open(door)
        self.steel.touch(door, Deed.TAKE, Deed.PUSH)
        return self._fetched(door)

    def push(self, door: int) -> None:
        """Somebody shuts a door."""
        self.steel.touch(door, Deed.PUSH)

    # --- the book, while no program has it

    def book(self) -> Book:
        """The book of the present controller. Faults: those of `open_book`."""
        return open_book(self.state / BOOK_FILE, source=self.source)

    def openings(self) -> dict[int, Opening]:
        """What the book says was under way when the program ended; nothing before there is a book."""
        if not (self.state / BOOK_FILE).exists():
            return {}
        with closing(self.book()) as book:
            return restore(book, SourceKind.BANK).openings
