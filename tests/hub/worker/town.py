"""A town for the worker: points in two lanes, people with mailboxes, couriers, and a clock that is a value."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from itertools import count
from pathlib import Path
from typing import Any

import msgspec

from restante.core import commands as cmd
from restante.core.access import KdfCost
from restante.core.bank import BankModule, Compartment, Point, Source, SourceKind
from restante.core.facts import AnyFact, ParcelPutIn, ParcelTakenOut
from restante.core.ids import CommandId, ContactId, Lane, OrgId, ParcelId, PointId, SourceId, StayKey, laned_id
from restante.core.parcel import Direction, Parcel
from restante.core.refusals import Fault
from restante.core.reservation import Firmness, Window
from restante.core.stay import By, Evidence
from restante.core.time import Calendar, ElapsedHours, HoldRule, Instant
from restante.core.world import SourceHead
from restante.hub.engine import Accepted, Engine, Outcome
from restante.hub.notices.address import Address
from restante.hub.notices.channel import Channel
from restante.hub.notices.choose import Patience
from restante.hub.notices.mail import Letterhead, read_code
from restante.hub.notices.sink import Sink, open_sink
from restante.hub.notices.smtp import Post, SmtpSettings
from restante.hub.people.codes import Aside, Codes, in_threads
from restante.hub.worker.ports import Manners, Ports
from restante.hub.worker.program import Rhythm, Worker
from restante.hub.worker.steps import Steps
from restante.store.attempts import Attempts, open_attempts
from restante.store.ledger import Ledger
from restante.store.postgres import open_ledger
from restante.store.sealed_vault import open_vault
from restante.store.vault import ContactDetails, Vault

START = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)
CHEAP = KdfCost(n=16)
SENDER = Address("parcels", "network.example")
HEAD = Letterhead("Pohjola Lockers", SENDER, SENDER)
ORG = OrgId("nordpost")
_TWO_DAYS = ElapsedHours(48)


def source_key(source: SourceId, epoch: int) -> bytes:
    """A key for each source and epoch."""
    return sha256(f"{source}/{epoch}".encode()).digest()


class Town:
    """The hub's engine and worker over real stores, and everybody else in a few words each."""

    def __init__(self, ledger: Ledger, vault: Vault, attempts: Attempts, *, sink: Sink, dsn: str) -> None:
        self.now: Instant = START
        self.dsn = dsn
        self.ledger = ledger
        self.vault = vault
        self.attempts = attempts
        self.sink = sink
        self.refreshed: list[PointId] = []
        self.points: list[PointId] = []
        self.engine = Engine(ledger, lambda: self.now, max_batch=64, queue_limit=10_000)
        self.channel: Channel = Post(SmtpSettings("127.0.0.1", sink.port, SENDER), clock=lambda: self.now)
        self.threads = ThreadPoolExecutor(2)
        self.aside: Aside = in_threads(self.threads)
        self.patience = Patience()
        self.knows_codes = True
        self._numbers: Iterator[int] = count(1)
        self._heads: dict[PointId, tuple[SourceId, int, str, int]] = {}

    def steps(self) -> Steps:
        """A worker's steps over this town's stores."""
        codes = Codes(self.ledger, self.vault, source_key=source_key, cost=CHEAP, aside=self.aside)
        ports = Ports(
            self.ledger, self.engine, self.vault, codes, self.channel, self.attempts,
            refresh=self.refresh, is_known=self._is_known, now=lambda: self.now, chance=lambda: 0.5,
        )  # fmt: skip
        return Steps(ports, Manners(HEAD, patience=self.patience))

    def worker(self, **rhythm: Any) -> Worker:
        """A worker over this town's stores."""
        return Worker(self.steps(), self.ledger, now=lambda: self.now, points=self.every_point, rhythm=Rhythm(**rhythm))

    async def drain(self) -> int:
        """Have a worker do all that is due."""
        return await self.worker().drain()

    def an_id(self, lane: int = 0) -> str:
        """A fresh id."""
        return laned_id(START, next(self._numbers).to_bytes(8, "big"), Lane(lane))

    def by(self) -> dict[str, Any]:
        """The id, actor and time of the next command."""
        return {"id": CommandId(self.an_id()), "actor": "test", "at": self.now}

    async def asks(self, command: cmd.AnyCommand) -> Outcome:
        """What the engine says to a command."""
        return await self.engine.submit(command)

    async def does(self, command: cmd.AnyCommand) -> None:
        """Have the engine do it."""
        outcome = await self.asks(command)
        assert isinstance(outcome, Accepted), outcome

    async def open_point(
        self,
        *,
        lane: int = 0,
        hold: HoldRule = _TWO_DAYS,
        kind: SourceKind = SourceKind.BANK,
        name: str = "Mall",
    ) -> PointId:
        """Put up a point with ten doors."""
        point, source = PointId(self.an_id(lane)), SourceId(self.an_id(lane))
        where = Point(
            point, name, "mall", "host", 60.2, 24.9, "Street 1", "By the door.", Calendar("Europe/Helsinki"), hold
        )
        column = BankModule(1, tuple(Compartment(door, 1, 900) for door in range(1, 11)))
        await self.does(cmd.ProvisionPoint(**self.by(), definition=where))
        await self.does(cmd.InstallSource(**self.by(), point=point, source=Source(source, kind, (column,))))
        self.points.append(point)
        self._heads[point] = (source, 0, "", 1)
        return point

    async def announce(
        self,
        point: PointId | None,
        *,
        emails: tuple[str, ...] = ("aino@people.example",),
        lane: int = 1,
        direction: Direction = Direction.DELIVERY,
        destination: PointId | None = None,
        person: ContactDetails | None = None,
        known: bool = True,
    ) -> ParcelId:
        """Announce a parcel for a person and promise room for it."""
        parcel, contact = ParcelId(self.an_id(lane)), ContactId(self.an_id(lane))
        if known:
            await self.vault.remember(contact, person or ContactDetails("Aino Näkki", emails, language="en"))
        await self.does(
            cmd.AnnounceParcel(
                **self.by(),
                parcel=parcel,
                org=ORG,
                code="R7T2K4M9",
                direction=direction,
                room_class=_SMALL,
                weight_grams=900,
                recipient=contact,
                destination=destination,
            )
        )
        if point is not None:
            await self.reserve(parcel, point)
        return parcel

    async def reserve(self, parcel: ParcelId, point: PointId, hours: int = 72) -> None:
        """Promise room to a parcel."""
        until = self.now + hours * HOUR
        window = Window(self.now, until)
        await self.does(
            cmd.ReserveRoom(**self.by(), parcel=parcel, point=point, window=window, firmness=Firmness.HARD, until=until)
        )

    async def deposit(self, parcel: ParcelId, point: PointId, *, door: int = 1, by: By = By.COURIER) -> StayKey:
        """Have a source tell that a parcel was put in."""
        seq = await self.tell(point, ParcelPutIn(parcel, "g", door, _SMALL, by, Evidence.SENSOR))
        source, _, _, epoch = self._heads[point]
        return StayKey(source, epoch, seq)

    async def withdraw(self, parcel: ParcelId, point: PointId, stay: StayKey, *, by: By = By.RECIPIENT) -> None:
        """Have a source tell that a parcel was taken out."""
        await self.tell(point, ParcelTakenOut(parcel, stay, "g", 1, by, Evidence.SENSOR))

    async def tell(self, point: PointId, fact: AnyFact) -> int:
        """Have a source's journal adopted with one fact more."""
        source, seq, previous, epoch = self._heads[point]
        entry = msgspec.json.encode({"seq": seq + 1, "previous": previous, "fact": fact})
        digest = sha256(entry).hexdigest()
        by: dict[str, Any] = {"id": CommandId(""), "actor": "bank", "at": self.now}
        where: dict[str, Any] = {"source": source, "point": point, "epoch": epoch, "seq": seq + 1}
        await self.does(cmd.AdoptFact(**by, **where, previous_hash=previous, hash=digest, fact=fact, entry=entry))
        self._heads[point] = (source, seq + 1, digest, epoch)
        return seq + 1

    async def contact(self, point: PointId, *, lost: bool) -> None:
        """Lose or regain contact with a point's source."""
        await self.does(cmd.NoteContact(**self.by(), point=point, source=self._heads[point][0], lost=lost))

    async def start_epoch(self, point: PointId, epoch: int) -> None:
        """Give a source a new controller."""
        source, *_ = self._heads[point]
        await self.does(cmd.StartEpoch(**self.by(), point=point, source=source, epoch=epoch))
        self._heads[point] = (source, 0, "", epoch)

    async def parcel(self, key: ParcelId) -> Parcel:
        """A parcel as the hub knows it."""
        return (await self.ledger.parcels([key]))[key]

    async def kinds(self, key: ParcelId) -> list[str]:
        """The kinds of a parcel's events, in order."""
        return [one.event.__struct_config__.tag for one in await self.ledger.history(key)]  # type: ignore[misc]

    def subjects(self, address: str = "aino@people.example") -> list[str]:
        """The subjects of the mails that a person got, oldest first."""
        return [str(mail.mail()["Subject"]) for mail in self.sink.inbox(address)]

    def codes(self, address: str = "aino@people.example") -> list[str | None]:
        """The codes in the mails that a person got, oldest first."""
        return [read_code(mail.mail()) for mail in self.sink.inbox(address)]

    async def patiently(self, doing: Callable[[], Awaitable[Any]]) -> None:
        """Do something as often as the store is away."""
        while True:
            try:
                await doing()
            except Fault:
                continue
            return

    async def close(self) -> None:
        """End what is under way."""
        await self.engine.close()
        if isinstance(self.channel, Post):
            await self.channel.close()
        self.threads.shutdown()

    async def refresh(self, point: PointId) -> None:
        """Note that the manifest of a point is due."""
        self.refreshed.append(point)

    async def _is_known(self, head: SourceHead, verifier: str) -> bool:
        assert verifier, "only a code that was made can be known"
        return head.source in {source for source, *_ in self._heads.values()} and self.knows_codes

    async def every_point(self) -> list[PointId]:
        """The points that a worker goes round."""
        return self.points


_SMALL = Compartment(1, 1, 900).room_class


@asynccontextmanager
async def a_town(database: str, folder: Path) -> AsyncIterator[Town]:
    """A town in a database of its own, with a mail server of its own."""
    async with (
        open_ledger(database) as ledger,
        open_vault(database, folder / "state") as vault,
        open_attempts(database) as attempts,
        await open_sink(folder / "mail") as sink,
    ):
        await ledger.ensure_lanes(2)
        town = Town(ledger, vault, attempts, sink=sink, dsn=database)
        try:
            yield town
        finally:
            await town.close()


async def soon(awaitable: Any) -> Any:
    """What comes of it within ten seconds."""
    async with asyncio.timeout(10):
        return await awaitable
