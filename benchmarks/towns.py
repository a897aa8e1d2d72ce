"""A hundred thousand pick-up points spread as people live: in towns of very different sizes, and some all over.

Rows are written by the store's own encoders from a few kinds of point, with room that differs from point to point, and
copied in. Where people ask from follows where the points are.
"""

import math
import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Final

import msgspec
import psycopg

from restante.core.bank import (
    Ability,
    BankModule,
    Compartment,
    Point,
    PointStatus,
    RoomClass,
    Source,
    SourceKind,
    parts,
)
from restante.core.ids import Lane, PointId, SourceId, lane_of, laned_id
from restante.core.reservation import Room
from restante.core.time import Calendar, ElapsedHours, OpenTime, day_of
from restante.hub.network.service import globe
from restante.store.bodies import encode

Here = tuple[float, float]
"""Degrees north and east."""

SOUTH, WEST, NORTH, EAST = 36.0, -9.0, 69.0, 30.0
TOWNS_PER_POINT: Final = 1 / 50
UNIFORM_SHARE: Final = 0.15
LARGEST_TOWN_KM: Final = 15.0
LANES: Final = 8
KINDS: Final = (("bank", 0.79), ("shop", 0.20), ("depot", 0.01))
COLD_SHARE: Final = 0.1
FULL_SHARE: Final = 0.2
PROMISED_DAYS: Final = 6
_KM_PER_DEGREE: Final = 111.2
_BORN: Final = datetime(2026, 3, 2, tzinfo=UTC)
_DAY_HOURS: Final = tuple(OpenTime(day, 8 * 60, 20 * 60) for day in range(6))


class Town(msgspec.Struct, frozen=True):
    """Points around a centre; most of them lie within ``spread_km``."""

    centre: Here
    spread_km: float
    weight: float


def towns(count: int, chance: random.Random) -> list[Town]:
    """Towns over the country, the n-th with a weight of 1/n (Zipf), and as wide as its weight allows."""
    made = []
    for rank in range(1, count + 1):
        centre = chance.uniform(SOUTH, NORTH), chance.uniform(WEST, EAST)
        made.append(Town(centre, max(0.5, LARGEST_TOWN_KM / math.sqrt(rank)), 1 / rank))
    return made


def places(count: int, *, seed: int) -> list[Here]:
    """Where so many points lie; the same seed gives the same country."""
    chance = random.Random(seed)
    known = towns(max(1, round(count * TOWNS_PER_POINT)), chance)
    chosen = chance.choices(known, weights=[town.weight for town in known], k=count)
    return [_anywhere(chance) if chance.random() < UNIFORM_SHARE else _in_town(town, chance) for town in chosen]


def _anywhere(chance: random.Random) -> Here:
    return chance.uniform(SOUTH, NORTH), chance.uniform(WEST, EAST)


def _in_town(town: Town, chance: random.Random) -> Here:
    north, east = town.centre
    spread = town.spread_km / _KM_PER_DEGREE
    return chance.gauss(north, spread), chance.gauss(east, spread / math.cos(math.radians(north)))


def points(where: list[Here], *, seed: int) -> Iterator[tuple[Point, Room]]:
    """A point of some kind at each place, and the room it has."""
    chance = random.Random(seed)
    for number, here in enumerate(where):
        (kind,) = chance.choices([name for name, _ in KINDS], weights=[share for _, share in KINDS])
        yield _point(number, here, kind, chance=chance)


def _point(number: int, here: Here, kind: str, *, chance: random.Random) -> tuple[Point, Room]:
    born, lane = _BORN + timedelta(milliseconds=number), Lane(number % LANES)
    key = PointId(laned_id(born, chance.randbytes(8), lane))
    source = SourceId(laned_id(born, chance.randbytes(8), lane))
    modules = tuple(_module(one, chance) for one in range(1, chance.choice((2, 3, 4, 6)) + 1))
    calendar = Calendar("Europe/Warsaw", () if kind == "bank" else _DAY_HOURS)
    shown = Point(
        id=key,
        name=f"{kind.title()} {number}",
        kind=kind,
        host="harbour",
        latitude=here[0],
        longitude=here[1],
        address=f"Harbour Street {number}",
        directions="Beside the main door.",
        calendar=calendar,
        hold=ElapsedHours(72),
        source=Source(source, SourceKind.BANK, modules),
    )
    supply: dict[str, int] = {}
    for compartment in shown.source.compartments() if shown.source else ():
        supply[compartment.room_class] = supply.get(compartment.room_class, 0) + compartment.capacity
    is_full = chance.random() < FULL_SHARE
    in_use = {name: count if is_full else chance.randint(0, count) for name, count in supply.items()}
    promised = {str(day_of(_BORN) + ahead): _promised(supply, in_use, chance) for ahead in range(PROMISED_DAYS)}
    room = Room(
        key,
        PointStatus.OPEN,
        calendar,
        shown.hold,
        source=source,
        supply=supply,
        in_use=in_use,
        promised={day: counts for day, counts in promised.items() if counts},
    )
    return shown, room


def _promised(supply: dict[str, int], in_use: dict[str, int], chance: random.Random) -> dict[str, int]:
    """What is promised on a day: of each class some of what is free, asked for without needs."""
    wanted: dict[str, int] = {}
    for name, count in supply.items():
        size, _ = parts(RoomClass(name))
        wanted[str(size)] = wanted.get(str(size), 0) + chance.randint(0, count - in_use[name]) // 2
    return {name: count for name, count in wanted.items() if count}


def _module(number: int, chance: random.Random) -> BankModule:
    """A column of twelve doors; a few columns are cooled."""
    needs = (Ability.COLD,) if chance.random() < COLD_SHARE else ()
    doors = range(12)
    return BankModule(
        number,
        tuple(Compartment(12 * number + door, (0, 0, 1, 1, 2, 3)[door % 6], 200 + 150 * door, needs) for door in doors),
    )


def fill(db: psycopg.Connection, where: list[Here], *, seed: int) -> None:
    """Copy the points in, with the statistics that a server which runs for long has."""
    rows = [(point, encode(point), room) for point, room in points(where, seed=seed)]
    with db.cursor() as cursor:
        with cursor.copy("COPY place (id, lane, kind, latitude, longitude, at_globe) FROM STDIN") as copy:
            for point, _, _ in rows:
                unit = f"({','.join(map(repr, globe(point.latitude, point.longitude)))})"
                copy.write_row((point.id, lane_of(point.id), point.kind, point.latitude, point.longitude, unit))
        with cursor.copy("COPY point (lane, id, version, body) FROM STDIN") as copy:
            for point, body, _ in rows:
                copy.write_row((lane_of(point.id), point.id, 1, body))
        with cursor.copy("COPY room (lane, point, version, body) FROM STDIN") as copy:
            for _, _, room in rows:
                copy.write_row((lane_of(room.point), room.point, 1, encode(room)))
    db.execute("VACUUM ANALYZE place, point, room")
