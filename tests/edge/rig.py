"""A whole bank or counter in one process and in virtual time: the agent on a book in memory, in front of real steel."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any, NoReturn, cast

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from restante.core.bank import RoomClass, SourceKind
from restante.core.ids import OrgId, ParcelId, SourceId, StayKey
from restante.edge.boards import steel
from restante.edge.boards.steel import Deed
from restante.edge.book import Book
from restante.edge.clock import Now
from restante.edge.drivers.evidence import NoChange, NotPulsed, Opened
from restante.edge.drivers.port import Door
from restante.edge.inputs import (
    Choice,
    Chosen,
    CodeEntered,
    DoorsSeen,
    Input,
    ManifestCame,
    OpeningEnded,
    Outward,
    ParcelScanned,
    SessionOpened,
    Ticked,
    Unlock,
    WholeWanted,
    Woke,
)
from restante.edge.keeping import KeptAgent, next_boot
from restante.edge.memory import MemoryBook
from restante.edge.running import Running
from restante.wire import seal
from restante.wire.journal import Entry
from restante.wire.manifest import Grant, GrantKind, ListedCompartment, Manifest, Settings, code_verifier, sign

KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
MANIFEST_KEY = seal.public_key_to_text(KEY.public_key())
SOURCE = SourceId("bank-1")
SOURCE_KEY = bytes(range(100, 132))
START = datetime(2026, 3, 1, 8, tzinfo=UTC)
CHEAP = Settings(kdf_n=2, kdf_r=1)
COURIER = "11112222"
CARRIER = OrgId("carrier-1")


def parcel(number: int) -> ParcelId:
    """A parcel's id."""
    return ParcelId(f"00000000-0000-8000-8000-{number:08x}0001")


def verifier(code: str, *, source: SourceId = SOURCE, epoch: int = 1) -> str:
    """What a grant holds in place of a code."""
    return code_verifier(code, source_key=SOURCE_KEY, source=source, log_epoch=epoch, settings=CHEAP)


def service(code: str = COURIER, org: OrgId = CARRIER) -> Grant:
    """A courier's permission to open rounds."""
    return Grant(GrantKind.SERVICE, org, verifier=verifier(code), max_uses=0)


def deposit(number: int, **more: Any) -> Grant:
    """A permission to put parcel ``number`` in, whose parcel code is ``P<number>``."""
    wanted = more.pop("room_class", RoomClass("1"))
    return Grant(GrantKind.DEPOSIT, more.pop("org", CARRIER), parcel(number), f"P{number}", wanted, **more)


def collect(number: int, code: str, **more: Any) -> Grant:
    """A permission to take parcel ``number`` out with a code."""
    return Grant(GrantKind.COLLECT, CARRIER, parcel(number), verifier=verifier(code), **more)


def recall(number: int, org: OrgId = CARRIER) -> Grant:
    """A permission of a courier to take parcel ``number`` back."""
    return Grant(GrantKind.RECALL, org, parcel(number))


class Crash(Exception):
    """The power went."""


class Rig:
    """One source; time stands unless it is moved."""

    def __init__(self, *, doors: int = 4, kind: SourceKind = SourceKind.BANK, epoch: int = 1) -> None:
        self.kind = kind
        self.book = MemoryBook(SOURCE)
        self.board = steel.board_of(doors)
        self.monotonic_ms = 1_000
        self.wall = self.hub_time = START
        self.boot = 0
        self.epoch = epoch
        self.generation = 0
        self.issued: Manifest | None = None
        self.grants: dict[str, Grant] = {}
        self.listed = tuple(ListedCompartment(door, 1, 1 + (door > 3), 1500) for door in range(1, doors + 1))
        self.pulses: list[int] = []
        self.not_pulsed: dict[int, NotPulsed] = {}
        self.is_deaf = False
        """Whether of the locks that are told nothing is heard."""
        self.wanted: list[WholeWanted] = []
        self.before_outward: Callable[[Outward], None] = lambda effect: None
        self.wake()

    @property
    def now(self) -> Now:
        """The machine's clocks."""
        return Now(self.wall, self.monotonic_ms, self.boot)

    @property
    def page(self) -> str:
        """The page on the screen."""
        return self.agent.state.screen.page

    @property
    def words(self) -> str:
        """The sentences on the screen, in English."""
        return " ".join(self.agent.state.screen.texts())

    def wake(self) -> None:
        """Start the program on what the book kept."""
        self.boot = next_boot(self.book)
        self.monotonic_ms = 1_000
        self.agent = KeptAgent(self.book, kind=self.kind)
        self.feed(Woke("test"))
        self.look()
        self.look()

    def install(self, **grants: Grant) -> None:
        """The first session and the first manifest."""
        self.open_session()
        self.send(service=service(), **grants)

    def open_session(self, **more: Any) -> None:
        """The hub says welcome."""
        key = seal.to_text(SOURCE_KEY)
        self.feed(SessionOpened(self.hub_time, self.epoch, key, MANIFEST_KEY, **more))

    def manifest(self) -> Manifest:
        """The manifest of the present grants."""
        return Manifest(SOURCE, 1, self.generation, self.hub_time, self.epoch, CHEAP, self.listed, dict(self.grants))

    def send(self, *revoked: str, **grants: Grant) -> None:
        """The hub sends a manifest with these grants more and those revoked."""
        self.generation += 1
        self.grants = {name: one for name, one in {**self.grants, **grants}.items() if name not in revoked}
        self.issued = self.manifest()
        self.feed(ManifestCame(sign(self.issued, KEY)))

    def feed(self, given: Input) -> None:
        """One input, and everything that follows from it at once."""
        for effect in self.agent.feed(given, self.now):
            self.before_outward(effect)
            if isinstance(effect, Unlock):
                self._unlock(effect)
            elif isinstance(effect, WholeWanted):
                self.wanted.append(effect)

    def _unlock(self, effect: Unlock) -> None:
        self.pulses.append(effect.door)
        if self.is_deaf:
            return
        if effect.door in self.not_pulsed:
            self.feed(OpeningEnded(effect.door, self.not_pulsed.pop(effect.door)))
            return
        self.board, _ = steel.step(self.board, steel.Unlock(effect.door), self.monotonic_ms)
        self.pass_ms(500)
        opened = steel.sense(self.board)[effect.door].door is Door.OPEN
        self.feed(OpeningEnded(effect.door, Opened() if opened else NoChange()))

    def pass_ms(self, duration_ms: int) -> None:
        """Let time pass; nobody is told."""
        self.monotonic_ms += duration_ms
        self.wall += timedelta(milliseconds=duration_ms)
        self.hub_time += timedelta(milliseconds=duration_ms)
        self.board, _ = steel.step(self.board, steel.Tick(), self.monotonic_ms)

    def tick(self, **passed: float) -> None:
        """Let time pass, then tell the agent."""
        self.pass_ms(int(timedelta(**passed).total_seconds() * 1000))
        self.feed(Ticked())

    def look(self) -> None:
        """One look at the door sensors."""
        self.feed(DoorsSeen(steel.sense(self.board)))

    def do(self, door: int, *deeds: Deed) -> None:
        """Somebody is at a door, and the sensors are looked at twice."""
        for deed in deeds:
            self.board, _ = steel.step(self.board, steel.Touch(door, deed), self.monotonic_ms)
        self.look()
        self.look()

    def code(self, text: str, channel: str = "keypad") -> None:
        """Somebody types a code."""
        self.feed(CodeEntered(text, channel))

    def scan(self, number: int) -> None:
        """A courier scans the code of parcel ``number``."""
        self.feed(ParcelScanned(f"P{number}"))

    def choose(self, choice: Choice) -> None:
        """Somebody presses something."""
        self.feed(Chosen(choice))

    def put_in(self, number: int) -> int:
        """A courier puts parcel ``number`` in; behind which door."""
        if self.agent.state.round is None:
            self.code(COURIER)
        self.scan(number)
        door = self.pulses[-1]
        self.do(door, Deed.PUT, Deed.PUSH)
        return door

    def facts(self, *kinds: str) -> list[Entry]:
        """The entries of the journal, of these kinds if named."""
        entries = self.book.entries_from(1, 100_000)
        return [entry for entry in entries if not kinds or entry.kind in kinds]

    def kinds(self) -> list[str]:
        """The kinds of all entries, oldest first."""
        return [entry.kind for entry in self.facts()]

    def stay(self, number: int) -> StayKey:
        """The open stay of parcel ``number``."""
        return next(one.key for one in self.agent.state.stays.values() if one.parcel == parcel(number))


def at_work(rig: Rig, agent: KeptAgent | None = None) -> Running:
    """The rig's bank as a running program, with its agent or another on the same book; no hub is dialled."""
    return Running(agent or rig.agent, cast("Book", rig.book), board=None, where=nowhere)


def nowhere() -> NoReturn:
    """The address of a hub that nobody is to ask for."""
    raise AssertionError
