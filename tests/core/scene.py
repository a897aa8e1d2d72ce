"""A small city for the rules to act in: two locker banks and a counter, and what their journals and the hub say."""

from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec

from restante.core import commands as cmd
from restante.core import events as ev
from restante.core import facts as fact
from restante.core.bank import BankModule, Compartment, Point, RoomClass, Source, SourceKind, room_class
from restante.core.custody import Decision
from restante.core.decide import execute
from restante.core.ids import CommandId, Lane, OrgId, ParcelId, PointId, SourceId, StayKey, laned_id
from restante.core.parcel import Direction, Parcel, Stage, stage_of
from restante.core.refusals import Refusal
from restante.core.reservation import Firmness, Window
from restante.core.stay import By, Evidence
from restante.core.time import Calendar, ElapsedHours
from restante.core.world import World

NOW = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
ORG = OrgId("org-1")
FIELDS = {
    "already-cancelled": {"parcel"},
    "already-promised": {"point"},
    "already-recalled": {"parcel"},
    "already-there": {"to_point"},
    "case-open": {"about"},
    "case-unknown": {"case"},
    "contact-unchanged": {"lost"},
    "epoch-not-later": {"epoch"},
    "hold-lapsed": {"parcel"},
    "hold-not-longer": {"ends_at"},
    "hold-not-paused": {"why"},
    "hold-not-started": {"parcel"},
    "hold-paused": {"parcel", "why"},
    "hold-running": {"at"},
    "hold-too-long": {"ends_at"},
    "journal-epoch": {"log_epoch"},
    "journal-fork": {"previous_hash", "seq"},
    "journal-gap": {"seq"},
    "module-exists": {"module", "modules"},
    "not-promised": {"point"},
    "parcel-ended": {"parcel"},
    "parcel-exists": {"parcel"},
    "parcel-in-custody": {"parcel"},
    "parcel-not-waiting": {"parcel"},
    "parcel-unknown": {"parcel"},
    "point-closed": {"point"},
    "point-exists": {"id"},
    "point-gone": {"point"},
    "point-not-named": {"from_point", "point"},
    "point-unknown": {"point"},
    "promise-running": {"at"},
    "room-class-malformed": {"room_class"},
    "source-exists": {"source"},
    "source-forked": {"source"},
    "source-heard": {"point"},
    "source-unheard": {"point"},
    "source-unknown": {"source"},
    "stray-unknown": {"stay"},
    "too-many-cases": {"point"},
    "window-backwards": {"window.closes_at"},
}
"""Which field of a command each code speaks of: what a caller has to look at."""
SMALL = RoomClass("0+seated")


def an_id(number: int, lane: int = 1) -> str:
    """An id that is the same for the same number."""
    return laned_id(NOW, number.to_bytes(8, "big"), Lane(lane))


A, B, COUNTER = (PointId(an_id(n, lane=n)) for n in (1, 2, 3))
BANK_A, BANK_B, DESK = (SourceId(an_id(10 + n, lane=n)) for n in (1, 2, 3))
SOURCES = {A: BANK_A, B: BANK_B, COUNTER: DESK}
PARCELS = tuple(ParcelId(an_id(100 + n, lane=4 + n)) for n in range(4))
PARCEL = PARCELS[0]
CALENDAR = Calendar("Europe/Helsinki")


def a_point(point: PointId, hold_hours: int = 48) -> Point:
    """A point that is open day and night."""
    return Point(
        point, "Mall", "mall", "host", 60.2, 24.9, "Street 1", "By the door", CALENDAR, ElapsedHours(hold_hours)
    )


def a_module(first_door: int = 1, number: int = 1) -> BankModule:
    """Two small, two medium and one large compartment, all within reach."""
    sizes = (0, 0, 1, 1, 2)
    return BankModule(number, tuple(Compartment(first_door + at, size, 900) for at, size in enumerate(sizes)))


def shelves() -> BankModule:
    """Two shelf places for ten parcels each."""
    return BankModule(1, tuple(Compartment(door, 2, 1000, capacity=10) for door in (1, 2)))


class City:
    """A world and everything that was said to it, by whom and in what order."""

    def __init__(self) -> None:
        self.world = World()
        self.log: list[ev.AnyEvent] = []
        self.now = NOW
        self.said = 0
        for point, source in SOURCES.items():
            kind = SourceKind.COUNTER if point == COUNTER else SourceKind.BANK
            modules = (shelves(),) if point == COUNTER else (a_module(),)
            self.does(cmd.ProvisionPoint(**self.by(), definition=a_point(point)))
            self.does(cmd.InstallSource(**self.by(), point=point, source=Source(source, kind, modules)))

    def by(self) -> dict[str, Any]:
        """The id, actor and time of the next command."""
        self.said += 1
        return {"id": CommandId(f"c{self.said}"), "actor": "test", "at": self.now}

    def asks(self, command: cmd.AnyCommand) -> Decision:
        """Execute a command on exactly the rows it names, as the engine does."""
        decision = execute_on_named_rows(command, self.world)
        if isinstance(decision, list):
            self.log += decision
        return decision

    def does(self, command: cmd.AnyCommand) -> list[ev.AnyEvent]:
        """Execute a command that is accepted."""
        decision = self.asks(command)
        assert isinstance(decision, list), decision
        return decision

    def refuses(self, command: cmd.AnyCommand) -> str:
        """Execute a command that is refused; answers the code."""
        decision = self.asks(command)
        assert isinstance(decision, Refusal), decision
        assert decision.field in FIELDS[decision.code], decision
        return decision.code

    def entry(self, point: PointId, told: fact.AnyFact, at: datetime | None = None) -> cmd.AdoptFact:
        """The next entry in the journal of a point's source."""
        source = SOURCES[point]
        head = self.world.sources[source]
        assert head is not None
        said = self.by() | {"at": at or self.now}
        return cmd.AdoptFact(
            **said,
            source=source,
            point=point,
            epoch=head.epoch,
            seq=head.seq + 1,
            previous_hash=head.hash,
            hash=f"h{head.epoch}.{head.seq + 1}",
            fact=told,
        )

    def tells(self, point: PointId, told: fact.AnyFact, at: datetime | None = None) -> list[ev.AnyEvent]:
        """A source tells a fact, which is always adopted."""
        return self.does(self.entry(point, told, at))

    def announces(self, parcel: ParcelId = PARCEL, **more: Any) -> list[ev.AnyEvent]:
        """Announce a parcel."""
        what: dict[str, Any] = {
            "direction": Direction.DELIVERY,
            "room_class": RoomClass("0"),
            "weight_grams": 500,
        } | more
        return self.does(cmd.AnnounceParcel(**self.by(), parcel=parcel, org=ORG, code="ABCD2345", **what))

    def reserve(self, parcel: ParcelId = PARCEL, point: PointId = A, days: int = 0) -> cmd.ReserveRoom:
        """A command to promise room from now on."""
        window = Window(self.now, self.now + days * DAY)
        return cmd.ReserveRoom(
            **self.by(),
            parcel=parcel,
            point=point,
            window=window,
            firmness=Firmness.HARD,
            until=self.now + DAY,
        )

    def puts_in(self, parcel: ParcelId = PARCEL, point: PointId = A, **more: Any) -> StayKey:
        """A courier puts a parcel in; answers its stay."""
        self.tells(point, put_in(parcel, **more))
        head = self.world.sources[SOURCES[point]]
        assert head is not None
        return StayKey(SOURCES[point], head.epoch, head.seq)

    def takes_out(self, stay: StayKey, by: By = By.RECIPIENT, parcel: ParcelId = PARCEL) -> list[ev.AnyEvent]:
        """Somebody takes a parcel out of the source that its stay names."""
        point = next(point for point, source in SOURCES.items() if source == stay.source)
        return self.tells(point, taken_out(parcel, stay, by))

    def notifies(self, stay: StayKey, parcel: ParcelId = PARCEL, **more: Any) -> list[ev.AnyEvent]:
        """A channel takes the notice that a parcel is ready."""
        point = next(point for point, source in SOURCES.items() if source == stay.source)
        said: dict[str, Any] = {
            "notice": ev.NoticeKind.READY,
            "channel": "mail",
            "bounced": False,
            "stay": stay,
            "point": point,
        } | more
        return self.does(cmd.RecordNotice(**self.by(), parcel=parcel, **said))

    def parcel(self, parcel: ParcelId = PARCEL) -> Parcel:
        """A parcel as it is."""
        found = self.world.parcels[parcel]
        assert found is not None
        return found

    def stage(self, parcel: ParcelId = PARCEL) -> Stage:
        """The stage a parcel is in."""
        return stage_of(self.parcel(parcel))


class Strict(dict[Any, Any]):
    """Rows that know which of them were asked for."""

    def __init__(self, rows: dict[Any, Any]) -> None:
        super().__init__(rows)
        self.asked: set[str] = set()

    def __getitem__(self, key: str) -> Any:
        self.asked.add(key)
        return super().__getitem__(key)

    def __setitem__(self, key: str, value: Any) -> None:
        assert key in self, f"{key} was written and not loaded"
        super().__setitem__(key, value)


def execute_on_named_rows(command: cmd.AnyCommand, world: World) -> Decision:
    """Execute a command on a world of nothing but the rows it names; a row it does not name is a ``KeyError``."""
    keys = cmd.keys_of(command)
    tables = {
        name: Strict({key: getattr(world, name).get(key) for key in getattr(keys, name)})
        for name in World.__struct_fields__
    }
    narrow = World(tables["parcels"], tables["rooms"], tables["sources"], tables["points"])
    before = msgspec.json.encode(narrow)
    decision = execute(command, narrow)
    if isinstance(decision, Refusal):
        assert msgspec.json.encode(narrow) == before, "a refusal changed something"
    for name, rows in tables.items():
        getattr(world, name).update(rows)
    return decision


def put_in(parcel: ParcelId = PARCEL, **more: Any) -> fact.ParcelPutIn:
    """The fact that a courier put a parcel in."""
    what: dict[str, Any] = {
        "grant": "g",
        "door": 1,
        "room_class": SMALL,
        "by": By.COURIER,
        "evidence": Evidence.SENSOR,
    } | more
    return fact.ParcelPutIn(parcel, **what)


def taken_out(parcel: ParcelId, stay: StayKey, by: By = By.RECIPIENT) -> fact.ParcelTakenOut:
    """The fact that a parcel was taken out."""
    return fact.ParcelTakenOut(parcel, stay, "g", 1, by, Evidence.SENSOR)


def kinds(events: list[ev.AnyEvent]) -> list[str]:
    """The names of events."""
    return [type(event).__name__ for event in events]


assert room_class(0, ["seated"]) == SMALL
