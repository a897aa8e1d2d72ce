"""A point with a bank in the ledger, a source that keeps a journal, and lines between the two without sockets."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from restante.core import commands as cmd
from restante.core.bank import BankModule, Compartment, Point, Source, SourceKind
from restante.core.ids import CommandId, ContactId, Lane, OrgId, ParcelId, PointId, SourceId, laned_id
from restante.core.parcel import Direction
from restante.core.refusals import Refusal
from restante.core.reservation import Firmness, Window, promise_number
from restante.core.time import Calendar, ElapsedHours
from restante.hub.engine import Accepted, Engine, Outcome, run_batch
from restante.hub.fleet.aside import Aside, MemoryAside
from restante.hub.fleet.keys import FleetKeys
from restante.hub.fleet.line import Desk, Line
from restante.hub.fleet.session import Enter, Greeting, Now
from restante.hub.fleet.shelf import MemoryShelf, Shelf
from restante.hub.settings import Settings
from restante.store.ledger import Ledger
from restante.wire import journal, seal
from restante.wire import manifest as wm
from restante.wire import session as wire

NOW = datetime(2026, 3, 2, 9, tzinfo=UTC)
FIRST_PROMISE = promise_number(0, NOW)
SETTINGS = Settings(network="helsinki", kdf_n=2, bank_port=0)
KEYS = FleetKeys(Ed25519PrivateKey.from_private_bytes(bytes(range(32))), bytes(range(32, 64)))
ORG = OrgId("carrier-1")


def an_id(number: int, lane: int = 0) -> str:
    """An id of ours for tests."""
    return laned_id(NOW, number.to_bytes(8, "big"), Lane(lane))


POINT, BANK = PointId(an_id(1)), SourceId(an_id(2))


def parcel_id(number: int) -> ParcelId:
    """The id of the parcel of this number."""
    return ParcelId(an_id(1000 + number))


def a_point(point: PointId = POINT) -> Point:
    """A point in Helsinki."""
    return Point(
        point, "Kamppi", "bank", "host", 60.17, 24.93, "Street 1", "By the door", Calendar("Europe/Helsinki"),
        ElapsedHours(72),
    )  # fmt: skip


def a_source(source: SourceId = BANK, doors: int = 12) -> Source:
    """A bank of one module."""
    compartments = tuple(Compartment(door, 2, 1000) for door in range(1, doors + 1))
    return Source(source, SourceKind.BANK, (BankModule(1, compartments),))


def provisioning(point: PointId = POINT, source: SourceId = BANK) -> list[cmd.AnyCommand]:
    """The commands that put up a point and its bank."""
    return [
        cmd.ProvisionPoint(CommandId(""), "operator", NOW, a_point(point)),
        cmd.InstallSource(CommandId(""), "operator", NOW, point, a_source(source)),
    ]


def promised(number: int, point: PointId = POINT, direction: Direction = Direction.DELIVERY) -> list[cmd.AnyCommand]:
    """The commands that announce a parcel and promise it room."""
    parcel, window = parcel_id(number), Window(NOW - timedelta(hours=1), NOW + timedelta(hours=48))
    announced = cmd.AnnounceParcel(
        CommandId(""), "carrier", NOW, parcel, ORG, f"P{number:07}", direction, a_source().modules[0]
        .compartments[0].room_class, 500, ContactId(an_id(5000 + number)),
    )  # fmt: skip
    reserved = cmd.ReserveRoom(
        CommandId(""), "carrier", NOW, parcel, point, window, Firmness.HARD, NOW + timedelta(hours=72)
    )
    return [announced, reserved]


async def ran(ledger: Ledger, commands: Iterable[cmd.AnyCommand]) -> None:
    """Run commands one batch; all must be accepted."""
    for outcome in await run_batch(ledger, list(commands), NOW):
        assert isinstance(outcome, Accepted), outcome


class Book:
    """A source's journal in memory."""

    def __init__(self, source: SourceId = BANK, epoch: int = 1) -> None:
        self.source = source
        self.head = journal.first_head(source, epoch)
        self.entries: list[journal.Entry] = []

    def copy(self) -> "Book":
        """A clone of the disk."""
        twin = Book(self.source, self.head.epoch)
        twin.head, twin.entries = self.head, list(self.entries)
        return twin

    def write(self, kind: str, data: Mapping[str, Any]) -> journal.Entry:
        """Write an entry."""
        stamp = journal.Stamp(1, NOW, len(self.entries), journal.Clock("ntp", 20))
        entry = journal.append_to(self.head, stamp, source=self.source, kind=kind, data=data)
        self.head = journal.head_after(entry)
        self.entries.append(entry)
        return entry

    def put_in(self, number: int, door: int = 1) -> journal.Entry:
        """A courier puts a parcel in."""
        room_class = a_source().modules[0].compartments[0].room_class
        data = {
            "parcel": parcel_id(number), "grant": "g", "door": door, "room_class": room_class,
            "by": "courier", "evidence": "sensor",
        }  # fmt: skip
        return self.write("parcel-put-in", data)

    def hello(self, applied: wm.Applied | None = None, **more: Any) -> wire.Hello:
        """The hello that this book would say."""
        said = wire.Hello(
            source=self.source,
            versions=(1,),
            log_epoch=self.head.epoch,
            last_seq=self.head.seq,
            last_hash=self.head.hash,
            boot=1,
            software="test",
            hub_epoch=applied.manifest.hub_epoch if applied else 0,
            generation=applied.manifest.generation if applied else 0,
            manifest_digest=applied.digest if applied else "",
            clock=wire.SourceClock("ntp", 20),
        )
        return msgspec.structs.replace(said, **more)

    def batch(self, start: int = 1, number: int = 1) -> wire.JournalSent:
        """Entries from a number on."""
        chosen = [entry for entry in self.entries if entry.seq >= start][: wire.JOURNAL_BATCH]
        return wire.JournalSent(number, tuple(journal.write_entry(entry).decode() for entry in chosen))


class Link:
    """The other end of a line: what the hub said, read as a source reads it."""

    def __init__(self) -> None:
        self.heard: list[wire.FromHub] = []
        self.closed: str | None = None

    async def send(self, frame: str) -> None:
        """Take a frame of the hub's."""
        message = wire.read_from_hub(frame)
        assert not isinstance(message, Refusal), message
        self.heard.append(message)

    async def close(self, why: str) -> None:
        """The hub closed the line."""
        self.closed = why

    def take(self) -> list[wire.FromHub]:
        """What came since the last call."""
        taken, self.heard = self.heard, []
        return taken


class Hub:
    """A hub process without sockets over a ledger that several may share."""

    def __init__(self, ledger: Ledger, shelf: Shelf | None = None, aside: Aside | None = None) -> None:
        self.ledger = ledger
        self.engine = Engine(ledger, lambda: NOW, max_batch=256, queue_limit=1000)
        self.entered: list[Enter] = []
        self.submitted: list[Sequence[cmd.AnyCommand]] = []
        self.aside = aside or MemoryAside()
        self.desk = Desk(ledger, self.submit, shelf or MemoryShelf(ledger, SETTINGS), KEYS, self.enter, self.aside)
        self._sessions = 0

    async def submit(self, commands: Sequence[cmd.AnyCommand]) -> list[Outcome]:
        """The engine, with what it was given on record."""
        self.submitted.append(commands)
        return await self.engine.submit_all(commands)

    async def enter(self, entered: Enter, now: Now) -> None:
        """Record a session."""
        self.entered.append(entered)

    def line(self, named: SourceId | None = BANK) -> "Session":
        """A new line to this hub."""
        self._sessions += 1
        link = Link()
        return Session(Line(self.desk, link, Greeting(f"{self._sessions:032x}", 0.0, named)), link)


class Session:
    """A source's side of a line."""

    def __init__(self, line: Line, link: Link) -> None:
        self.line = line
        self.link = link
        self.at = 0.0

    async def say(self, message: wire.FromSource | str) -> list[wire.FromHub]:
        """Say something and read what comes back."""
        frame = message if isinstance(message, str) else wire.encode(message)
        await self.line.hear(frame, Now(NOW + timedelta(seconds=self.at), self.at))
        return self.link.take()

    async def welcome(self, hello: wire.Hello) -> wire.Welcome:
        """Say hello and be welcomed."""
        (welcome,) = [one for one in await self.say(hello) if isinstance(one, wire.Welcome)]
        return welcome


def pinned(epoch: int = 1, source: SourceId = BANK) -> wm.Pinned:
    """What the source holds manifests against."""
    return wm.Pinned(source, epoch, seal.public_key_to_text(KEYS.manifest.public_key()))


def applied(before: wm.Applied | None, messages: Iterable[object], pin: wm.Pinned | None = None) -> wm.Applied:
    """The manifest in force after these messages, each of which must fit."""
    for message in messages:
        if isinstance(message, wire.ManifestSent):
            after = wm.apply(before, message, pin or pinned())
        elif isinstance(message, wire.ManifestFresh):
            after = wm.apply_fresh(before, message, pin or pinned())
        else:
            continue
        assert isinstance(after, wm.Applied), after
        before = after
    assert before is not None
    return before
