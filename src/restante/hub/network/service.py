"""Find points and show the room they have; turn what a provisioning request says into commands."""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec

from restante.core import commands as cmd
from restante.core.bank import (
    Ability,
    BankModule,
    Compartment,
    Place,
    Point,
    PointStatus,
    RoomClass,
    Source,
    parts,
    room_class,
)
from restante.core.ids import OrgId, PointId, SourceId, is_laned_id, lane_for, lane_of, laned_id
from restante.core.refusals import Refusal
from restante.core.reservation import Firmness, Promise, Room, Window, check_promise, room_left, rooms_left
from restante.core.size import Ladder
from restante.core.time import Calendar, ElapsedHours, HoldRule, Instant, OpenDays, OpenTime, day_of
from restante.hub.callers import Attempt, Principal
from restante.hub.engine import Accepted, Engine
from restante.hub.network.schemas import CompartmentGiven as Given
from restante.hub.network.schemas import (
    HoldDays,
    HoldHours,
    Hours,
    ModuleGiven,
    PlaceGiven,
    PointGiven,
    PointPage,
    PointShown,
    RoomShown,
    SourceGiven,
    SourceShown,
)
from restante.hub.paging import read_cursor, write_cursor
from restante.hub.problems import NearPoint, Refused
from restante.hub.settings import Settings
from restante.store import bodies, statements
from restante.store.tables import Rows, Tables

EARTH_RADIUS_M: Final = 6_371_008.8
FEW: Final = 4
PAGE_READ: Final = 64
MOST_READ: Final = 1024
MOST_NEAR_READ: Final = 256
MOST_PLACES_KNOWN: Final = 100_000
NOWHERE: Final = "00000000-0000-0000-0000-000000000000"

_SQL: Final = {name: one.text.encode() for name, one in statements.load("restante.hub.network").items()}


class Filters(msgspec.Struct, frozen=True):
    """Which points are asked for, and from where."""

    here: tuple[float, float] | None = None
    kind: str | None = None
    ability: Ability | None = None
    rank: int | None = None
    open_now: bool = False
    status: PointStatus | None = None

    @property
    def are_choosy(self) -> bool:
        """Whether points are left out for what stands in their rows, so that many are read for a few."""
        return (self.ability, self.rank, self.status) != (None, None, None) or self.open_now


class Found(msgspec.Struct, frozen=True):
    """A point, its room, and how far it is (as the distance of unit vectors)."""

    point: Point
    room: Room
    chord: float


class Network:
    """The network's points."""

    def __init__(
        self, engine: Engine, reads: Tables, writes: Tables, *, settings: Settings, now: Callable[[], Instant]
    ):
        self._engine = engine
        self._reads = reads
        self._writes = writes
        self._settings = settings
        self._now = now
        self._places: dict[PointId, tuple[float, float]] = {}

    # --- reading

    async def page(self, caller: Principal, filters: Filters, *, cursor: str, limit: int) -> PointPage:
        """A page of points: the nearest first if asked from somewhere, else in the order they were made in."""
        about = f"points:{msgspec.json.encode(filters).decode()}"
        after = read_cursor(about, cursor, tuple[float, str]) if cursor else (-1.0, NOWHERE)
        if not is_laned_id(after[1]) and after[1] != NOWHERE:
            raise Refused(Refusal("cursor-malformed", "cursor"))
        items: list[PointShown] = []
        now, read = self._now(), 0
        while read < MOST_READ:
            asked = PAGE_READ if filters.are_choosy else min(PAGE_READ, limit - len(items))
            rows = await self._rows(filters, after, limit=asked)
            read += len(rows)
            for point_id, point, room, chord in rows:
                after = (chord, point_id)
                found = _found(point, room, chord)
                if found is not None and _suits(found, filters, now):
                    items.append(self.show(found, caller, near=filters.here is not None))
                    if len(items) == limit:
                        return PointPage(items, write_cursor(about, after))
            if len(rows) < asked:
                return PointPage(items)
        return PointPage(items, write_cursor(about, after))

    async def one(self, point: PointId) -> Found:
        """One point and its room. Refused with ``point-unknown``."""
        rows: Rows = []
        if is_laned_id(point):
            rows = await self._reads.rows(_SQL["one"], {"lane": lane_of(point), "id": point})
        found = _found(*rows[0][1:]) if rows else None
        if found is None:
            raise Refused(Refusal("point-unknown", "point", point[:80]))
        return found

    async def place_of(self, point: PointId) -> tuple[float, float] | None:
        """Latitude and longitude of a point of the network, else None; a point never moves, so they are kept."""
        if (place := self._places.get(point)) is not None or not is_laned_id(point):
            return place
        rows = await self._reads.rows(_SQL["place"], {"id": point})
        if not rows:
            return None
        if len(self._places) >= MOST_PLACES_KNOWN:
            self._places.clear()
        place = self._places[point] = (rows[0][0], rows[0][1])
        return place

    async def nearest_with_room(
        self, point: PointId, wanted: RoomClass, *, window: Window, most: int = 3
    ) -> list[NearPoint]:
        """The points nearest to another that can promise room now, the nearest first."""
        here = await self.place_of(point)
        if here is None:
            return []
        near: list[NearPoint] = []
        after, read, now = (-1.0, NOWHERE), 0, self._now()
        while read < MOST_NEAR_READ:
            rows = await self._rows(Filters(here=here), after, limit=PAGE_READ)
            read += len(rows)
            for point_id, body, room_body, chord in rows:
                after = (chord, point_id)
                found = _found(body, room_body, chord)
                if found is None or point_id == point or not _has_room(found.room, wanted, window, now=now):
                    continue
                level = _level(room_left(found.room, wanted, day_of(now)))
                near.append(NearPoint(found.point.id, found.point.name, _metres(chord), level))
                if len(near) == most:
                    return near
            if len(rows) < PAGE_READ:
                break
        return near

    def show(self, found: Found, caller: Principal, *, near: bool = False, whole: bool = False) -> PointShown:
        """A point as a caller sees it; ``whole`` with its face and modules."""
        point, room, exact = found.point, found.room, caller.is_operator
        return PointShown(
            id=point.id,
            public_id=f"{self._settings.network}:{point.id}",
            name=point.name,
            kind=point.kind,
            status=point.status,
            is_open_now=_is_open(point, self._now()),
            latitude=point.latitude,
            longitude=point.longitude,
            zone=point.calendar.zone,
            hours=[Hours(span.weekday, span.opens, span.closes) for span in point.calendar.hours],
            shut=list(point.calendar.shut),
            hold=_hold_shown(point.hold),
            room=_room_shown(room, self._settings.ladder, day=day_of(self._now()), exact=exact),
            host=point.host,
            address=point.address,
            directions=point.directions,
            photo_url=point.photo_url,
            distance_m=_metres(found.chord) if near else None,
            source=_source_shown(point.source),
            is_heard=room.lost_at is None if exact and point.source else None,
            face=_face(point) if whole else None,
            modules=_modules_shown(point.source, self._settings.ladder) if whole else None,
        )

    async def _rows(self, filters: Filters, after: tuple[float, str], *, limit: int) -> Rows:
        given: dict[str, Any] = {"kind": filters.kind, "after": after[1], "limit": limit}
        if filters.here is not None:
            given |= {"here": globe(*filters.here), "distance": after[0]}
        name = "in_order" if filters.here is None else "nearest"
        return await self._reads.rows(_SQL[name], given)

    def rank(self, size: str | None) -> int | None:
        """The rank of a size class by name. Refused with ``size-unknown``."""
        rank = None if size is None else self._settings.ladder.rank(size)
        if rank is None and size is not None:
            raise Refused(Refusal("size-unknown", "size", size))
        return rank

    # --- provisioning

    async def provision(self, given: PointGiven, caller: Principal, attempt: Attempt) -> PointId | Refusal:
        """Take a point into the network; returns its id. Refusals: ``zone-unknown``, ``hours-malformed``."""
        calendar = _calendar(given)
        if isinstance(calendar, Refusal):
            return calendar
        chance = attempt.chance("point")
        point = PointId(laned_id(attempt.at, chance, lane_for(chance.hex(), self._settings.lanes)))
        definition = Point(
            id=point,
            name=given.name,
            kind=given.kind,
            host=given.host,
            latitude=given.latitude,
            longitude=given.longitude,
            address=given.address,
            directions=given.directions,
            calendar=calendar,
            hold=_hold_rule(given.hold),
            photo_url=given.photo_url,
            face=_raw(given.face),
        )
        await self._put_place(definition)
        command = cmd.ProvisionPoint(attempt.command_id("provision"), caller.actor, attempt.at, definition)
        outcome = await self._engine.submit(command)
        return outcome if isinstance(outcome, Refusal) else point

    async def install(
        self, point: PointId, given: SourceGiven, caller: Principal, *, attempt: Attempt
    ) -> SourceId | Refusal:
        """Put up a locker bank or counter. Refusals: ``size-unknown``, and those of ``InstallSource``."""
        modules = _modules(given.modules, self._settings.ladder)
        if isinstance(modules, Refusal):
            return modules
        source = SourceId(laned_id(attempt.at, attempt.chance("source"), lane_of(point)))
        what = Source(source, given.kind, modules)
        command = cmd.InstallSource(attempt.command_id("install"), caller.actor, attempt.at, point, what)
        outcome = await self._engine.submit(command)
        return outcome if isinstance(outcome, Refusal) else source

    async def add_module(
        self, found: Found, given: ModuleGiven, caller: Principal, *, attempt: Attempt
    ) -> Accepted | Refusal:
        """Take a module into service at a running bank or counter. Refusals: ``size-unknown``, of ``AddModule``."""
        modules = _modules([given], self._settings.ladder)
        if isinstance(modules, Refusal):
            return modules
        if found.point.source is None:
            return Refusal("source-unknown", "point", found.point.id)
        return await self._engine.submit(
            cmd.AddModule(
                attempt.command_id("module"),
                caller.actor,
                attempt.at,
                found.point.id,
                found.point.source.id,
                modules[0],
            )
        )

    async def change(
        self, point: PointId, status: PointStatus, caller: Principal, *, attempt: Attempt
    ) -> Accepted | Refusal:
        """Open, close or give up a point. Refusals: ``point-gone``, ``point-unknown``."""
        command = cmd.ChangePoint(attempt.command_id("status"), caller.actor, attempt.at, point, status)
        return await self._engine.submit(command)

    async def _put_place(self, point: Point) -> None:
        given = {
            "id": point.id,
            "lane": lane_of(point.id),
            "kind": point.kind,
            "latitude": point.latitude,
            "longitude": point.longitude,
            "globe": globe(point.latitude, point.longitude),
        }
        await self._writes.rows(_SQL["put_place"], given)


def globe(latitude: float, longitude: float) -> list[float]:
    """A place as a unit vector from the centre of the globe, in degrees north and east."""
    north, east = math.radians(latitude), math.radians(longitude)
    return [math.cos(north) * math.cos(east), math.cos(north) * math.sin(east), math.sin(north)]


def _metres(chord: float) -> int:
    """The distance over ground of two places whose unit vectors are ``chord`` apart."""
    return round(2 * EARTH_RADIUS_M * math.asin(min(1.0, chord / 2)))


def _found(point: bytes | None, room: bytes | None, chord: float) -> Found | None:
    if point is None or room is None:
        return None
    return Found(bodies.POINT.decode(point), bodies.ROOM.decode(room), chord)


def _suits(found: Found, filters: Filters, now: Instant) -> bool:
    point, room = found.point, found.room
    if point.status is PointStatus.GONE and filters.status is not PointStatus.GONE:
        return False
    if filters.status is not None and point.status is not filters.status:
        return False
    if filters.open_now and not _is_open(point, now):
        return False
    if filters.ability is None and filters.rank is None:
        return True
    wanted = room_class(filters.rank or 0, [filters.ability] if filters.ability else [])
    return room_left(room, wanted, day_of(now)) > 0


def _is_open(point: Point, now: Instant) -> bool:
    local = now.astimezone(ZoneInfo(point.calendar.zone))
    if point.status is not PointStatus.OPEN or local.date() in point.calendar.shut:
        return False
    minute = local.hour * 60 + local.minute
    hours = point.calendar.hours
    return not hours or any(span.weekday == local.weekday() and span.opens <= minute < span.closes for span in hours)


def _has_room(room: Room, wanted: RoomClass, window: Window, *, now: Instant) -> bool:
    asked = Promise(room.point, wanted, window, OrgId(""), Firmness.SOFT, window.closes_at)
    return check_promise(room, asked, now) is None


def _level(left: int) -> str:
    return "none" if left == 0 else "few" if left < FEW else "enough"


def _room_shown(room: Room, ladder: Ladder, *, day: int, exact: bool) -> list[RoomShown]:
    """Room by size class, plain and for each single need that some compartment here serves."""
    abilities = sorted({ability for name in room.supply for ability in parts(RoomClass(name))[1]})
    asked = [
        (rung.name, needs, room_class(rank, needs))
        for rank, rung in enumerate(ladder.classes)
        for needs in ([], *([ability] for ability in abilities))
    ]
    left = rooms_left(room, [wanted for _, _, wanted in asked], day) if room.status is PointStatus.OPEN else {}
    counts = ((size, needs, left.get(wanted, 0)) for size, needs, wanted in asked)
    return [RoomShown(size, list(needs), _level(count), count if exact else None) for size, needs, count in counts]


def _hold_shown(rule: HoldRule) -> HoldHours | HoldDays:
    return HoldHours(rule.hold_hours) if isinstance(rule, ElapsedHours) else HoldDays(rule.days)


def _hold_rule(given: HoldHours | HoldDays) -> HoldRule:
    return ElapsedHours(given.hold_hours) if isinstance(given, HoldHours) else OpenDays(given.days)


def _source_shown(source: Source | None) -> SourceShown | None:
    if source is None:
        return None
    return SourceShown(source.id, source.kind, len(source.modules), sum(1 for _ in source.compartments()))


def _modules_shown(source: Source | None, ladder: Ladder) -> list[ModuleGiven] | None:
    if source is None:
        return None
    return [
        ModuleGiven(module.number, [_shown(one, ladder) for one in module.compartments]) for module in source.modules
    ]


def _shown(one: Compartment, ladder: Ladder) -> Given:
    place = None if one.place is None else msgspec.convert(one.place, PlaceGiven, from_attributes=True)
    size = ladder.classes[one.size].name
    return Given(one.door, size, one.reach_height_mm, list(one.abilities), place, one.capacity)


def _face(point: Point) -> dict[str, Any] | None:
    return None if point.face is None else {name: msgspec.json.decode(raw) for name, raw in point.face.items()}


def _raw(face: Mapping[str, Any] | None) -> dict[str, msgspec.Raw] | None:
    return None if face is None else {name: msgspec.Raw(msgspec.json.encode(value)) for name, value in face.items()}


def _calendar(given: PointGiven) -> Calendar | Refusal:
    try:
        ZoneInfo(given.zone)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return Refusal("zone-unknown", "zone", given.zone[:80])
    for index, span in enumerate(given.hours):
        if span.opens >= span.closes:
            return Refusal("hours-malformed", f"hours[{index}]")
    hours = tuple(OpenTime(span.weekday, span.opens, span.closes) for span in given.hours)
    return Calendar(given.zone, hours, tuple(given.shut))


def _modules(given: Iterable[ModuleGiven], ladder: Ladder) -> tuple[BankModule, ...] | Refusal:
    modules = []
    for number, module in enumerate(given):
        compartments = _compartments(module.compartments, ladder, field=f"modules[{number}]")
        if isinstance(compartments, Refusal):
            return compartments
        modules.append(BankModule(module.number, compartments))
    return tuple(modules)


def _compartments(given: Sequence[Given], ladder: Ladder, *, field: str) -> tuple[Compartment, ...] | Refusal:
    made = []
    for index, one in enumerate(given):
        rank = ladder.rank(one.size)
        if rank is None:
            return Refusal("size-unknown", f"{field}.compartments[{index}].size", one.size)
        place = None if one.place is None else msgspec.convert(one.place, Place, from_attributes=True)
        abilities = tuple(dict.fromkeys(one.abilities))
        made.append(Compartment(one.door, rank, one.reach_height_mm, abilities, place, one.capacity))
    return tuple(made)
