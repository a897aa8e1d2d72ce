"""Reads real days of Polish locker networks: orders, road metres and free compartments of a whole city.

The instances (``polish_locker_cities``) hold, line by line::

    n m v                                       orders, lockers, vehicles
    service_s park_s van_capacity start_hour
    size weight location is_delivery            n times; size 0/1/2 = A/B/C; 1 = delivery, 0 = sent from the locker
    d d d …                                     m + 1 times m + 1 road metres
    id freeA freeB freeC                        m times

**Locations count from 1, and place 0 of the matrix is the depot.** Evidence, the same in all eleven instances:
locations run from 1 to m and never say 0; locker ids run 1, 2, … m; the matrix has one place more than there are
lockers; read this way, no locker is sent more of a size than it has free, while read from 0 location m has no locker.
The published matrix of a city lists its lockers first and its depots last; moving the last depot to the front gives the
instance's matrix entry for entry (Radom, Ostrów, Łódź), so lockers keep their order behind it.

Road metres depend on the direction. The files name no unit of weight; 1 to 25 in a network that carries at most 25 kg
is read as kilograms, and van capacity likewise.
"""

import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from random import Random
from typing import ClassVar, Final, Literal

import msgspec

from restante.core.size import Dimensions, Ladder, SizeClass
from restante.plan.geometry import Layout, classical_mds, great_circle_m

Letter = Literal["A", "B", "C"]
LETTERS: Final[tuple[Letter, Letter, Letter]] = ("A", "B", "C")

LADDER: Final = Ladder(
    tuple(
        SizeClass(letter, Dimensions(380, height_mm, 640), 25_000)
        for letter, height_mm in zip(LETTERS, (80, 190, 410), strict=True)
    )
)
"""The size classes of Polish machines: 8, 19 and 41 by 38 by 64 cm, 25 kg."""

CENTRES: Final[dict[str, tuple[float, float]]] = {
    "Czestochowa": (50.8118, 19.1203),
    "Inowroclaw": (52.7993, 18.2567),
    "Lodz": (51.7592, 19.4560),
    "OstrowWlkp": (51.6550, 17.8069),
    "Radom": (51.4027, 21.1471),
    "Suwalki": (54.1115, 22.9309),
}
"""Where to centre the synthetic map of each city, by the name its files begin with."""


class Order(msgspec.Struct, frozen=True):
    """One parcel of the day: delivered to a locker, or sent from it."""

    size: Letter
    weight_grams: int
    locker: int
    is_delivery: bool


class Locker(msgspec.Struct, frozen=True):
    """One machine and the compartments of size A, B and C that were free that morning."""

    number: int
    free: tuple[int, int, int]


class Instance(msgspec.Struct, frozen=True):
    """A day of a city. ``metres[a][b]`` is the way from a to b, where 0 is the depot and k the k-th locker."""

    vehicles: int
    service_s: int
    park_s: int
    van_capacity_grams: int
    start_hour: float
    orders: tuple[Order, ...]
    metres: tuple[tuple[int, ...], ...]
    lockers: tuple[Locker, ...]


class Malformed(msgspec.Struct, frozen=True):
    """The refusal of a file: the line (from 1), the field as the format names it, and the rule it breaks."""

    code: ClassVar[str] = "instance-malformed"
    line: int
    field: str
    rule: str


class _Column(msgspec.Struct, frozen=True):
    field: str
    low: int
    high: int


_Row = tuple[int, ...]

_HEADER: Final = (_Column("n", 1, 100_000), _Column("m", 1, 2_000), _Column("v", 1, 10_000))
_DAY: Final = (_Column("service_s", 0, 86_400), _Column("park_s", 0, 86_400), _Column("van_capacity", 1, 100_000))
_METRES_MOST: Final = 1_000_000
_FREE_MOST: Final = 1_000


def read_instance(data: bytes) -> Instance | Malformed:
    """The day a file tells of, or what is wrong with the first line that breaks the format."""
    if not data.isascii():
        line = 1 + data[: next(at for at, byte in enumerate(data) if byte > 127)].count(b"\n")
        return Malformed(line, "text", "must be ASCII")
    lines = data.decode("ascii").split("\n")
    header = _row(lines, 1, _HEADER)
    if isinstance(header, Malformed):
        return header
    day = _day(lines)
    if isinstance(day, Malformed):
        return day
    return _tables(lines, header, day)


def write_instance(instance: Instance) -> bytes:
    """The file that ``read_instance`` reads back as the same day."""
    rows = [
        (len(instance.orders), len(instance.lockers), instance.vehicles),
        (instance.service_s, instance.park_s, instance.van_capacity_grams // 1000, f"{instance.start_hour:.2f}"),
        *((LETTERS.index(o.size), o.weight_grams // 1000, o.locker, int(o.is_delivery)) for o in instance.orders),
        *instance.metres,
        *((locker.number, *locker.free) for locker in instance.lockers),
    ]
    return "".join(" ".join(map(str, row)) + "\n" for row in rows).encode("ascii")


def data_dir(environment: Mapping[str, str] = os.environ) -> Path | None:
    """The folder of benchmark data: ``RESTANTE_DATA``, else ``shared/data`` beside the checkout; None if absent."""
    named = environment.get("RESTANTE_DATA")
    folder = Path(named) if named else Path(__file__).resolve().parents[4] / "shared" / "data"
    return folder if folder.is_dir() else None


def instance_paths(data: Path, city: str = "") -> tuple[Path, ...]:
    """The instance files of a city (of all, if none is named) in the data folder, by name."""
    return tuple(sorted((data / "polish_locker_cities" / "instances").glob(f"{city}*.txt")))


def repeated(instance: Instance, times: int) -> Instance:
    """The same day with its orders so many times over: what it takes to make banks overflow."""
    return msgspec.structs.replace(instance, orders=instance.orders * times)


def next_best(instance: Instance, locker: int) -> tuple[int, ...]:
    """All other lockers, the nearest by road from this one first; equals by number."""
    away = instance.metres[locker]
    return tuple(sorted((k for k in range(1, len(away)) if k != locker), key=lambda k: (away[k], k)))


def synthetic_layout(instance: Instance) -> Layout:
    """A made-up map of the lockers (the depot left out), in the order of their numbers; see ``plan.geometry``."""
    return classical_mds([row[1:] for row in instance.metres[1:]])


def synthetic_instance(chance: Random, *, lockers: int, orders: int) -> Instance:
    """A made-up day of the same shape as the real ones, for trials without them: deliveries never exceed free room."""
    places = [(51.4 + chance.uniform(-0.03, 0.03), 21.1 + chance.uniform(-0.05, 0.05)) for _ in range(lockers + 1)]
    machines = tuple(
        Locker(number, (chance.randint(22, 32), chance.randint(19, 29), chance.randint(12, 18)))
        for number in range(1, lockers + 1)
    )
    room = [(machine.number, rank) for machine in machines for rank in range(3) for _ in range(machine.free[rank])]
    chance.shuffle(room)
    return Instance(
        vehicles=1 + orders // 60,
        service_s=30,
        park_s=60,
        van_capacity_grams=700_000,
        start_hour=9.0,
        orders=tuple(
            Order(LETTERS[rank], chance.randint(1, 25) * 1000, number, chance.random() < 0.75)
            for number, rank in room[:orders]
        ),
        metres=tuple(tuple(_road_metres(chance, a, b) for b in places) for a in places),
        lockers=machines,
    )


def _road_metres(chance: Random, a: tuple[float, float], b: tuple[float, float]) -> int:
    return 0 if a is b else 1 + round(great_circle_m(a, b) * chance.uniform(1.2, 1.5))


def _tables(lines: Sequence[str], header: _Row, day: tuple[int, int, int, float]) -> Instance | Malformed:
    n, m, v = header
    # Columns are made line by line, so that a short file with a large header costs nothing.
    orders = _rows(lines, 3, (_order_columns(m),) * n)
    if isinstance(orders, Malformed):
        return orders
    metres = _rows(lines, 3 + n, (_metre_columns(place, m) for place in range(m + 1)))
    if isinstance(metres, Malformed):
        return metres
    lockers = _rows(lines, 4 + n + m, (_locker_columns(number) for number in range(1, m + 1)))
    if isinstance(lockers, Malformed):
        return lockers
    end = 4 + n + 2 * m
    if (over := next((at for at in range(end, len(lines) + 1) if lines[at - 1].strip()), None)) is not None:
        return Malformed(over, "text", f"nothing may follow line {end - 1}")
    service_s, park_s, van, start_hour = day
    return Instance(
        vehicles=v,
        service_s=service_s,
        park_s=park_s,
        van_capacity_grams=van * 1000,
        start_hour=start_hour,
        orders=tuple(Order(LETTERS[s], weight * 1000, at, way == 1) for s, weight, at, way in orders),
        metres=tuple(metres),
        lockers=tuple(Locker(number, (a, b, c)) for number, a, b, c in lockers),
    )


def _order_columns(lockers: int) -> tuple[_Column, ...]:
    return (
        _Column("size", 0, 2),
        _Column("weight", 1, 25),
        _Column("location", 1, lockers),
        _Column("is_delivery", 0, 1),
    )


def _metre_columns(place: int, lockers: int) -> tuple[_Column, ...]:
    # From a place to itself it is nothing, to any other at least a metre.
    return tuple(
        _Column(f"metres {place} to {k}", int(k != place), _METRES_MOST * (k != place)) for k in range(lockers + 1)
    )


def _locker_columns(number: int) -> tuple[_Column, ...]:
    return (_Column("id", number, number), *(_Column(f"free{letter}", 0, _FREE_MOST) for letter in LETTERS))


def _rows(lines: Sequence[str], first: int, table: Iterable[tuple[_Column, ...]]) -> list[_Row] | Malformed:
    rows = []
    for at, columns in enumerate(table, first):
        row = _row(lines, at, columns)
        if isinstance(row, Malformed):
            return row
        rows.append(row)
    return rows


def _row(lines: Sequence[str], at: int, columns: tuple[_Column, ...]) -> _Row | Malformed:
    words = _words(lines, at, columns)
    if isinstance(words, Malformed):
        return words
    row = []
    for word, column in zip(words, columns, strict=True):
        # Ten digits are more than any field takes, and int() would be asked for thousands by a hostile file.
        if not (word.isdigit() and len(word) < 10 and column.low <= int(word) <= column.high):
            return Malformed(at, column.field, f"must be a whole number from {column.low} to {column.high}")
        row.append(int(word))
    return tuple(row)


def _words(lines: Sequence[str], at: int, columns: tuple[_Column, ...]) -> list[str] | Malformed:
    words = lines[at - 1].split() if at <= len(lines) else []
    if not words:
        return Malformed(at, columns[0].field, "the line is missing")
    if len(words) != len(columns):
        field = columns[min(len(words), len(columns) - 1)].field
        return Malformed(at, field, f"the line must hold {len(columns)} numbers, not {len(words)}")
    return words


def _day(lines: Sequence[str]) -> tuple[int, int, int, float] | Malformed:
    words = _words(lines, 2, (*_DAY, _Column("start_hour", 0, 24)))
    if isinstance(words, Malformed):
        return words
    row = _row([" ".join(words[:3])], 1, _DAY)
    if isinstance(row, Malformed):
        return Malformed(2, row.field, row.rule)
    hour, dot, hundredths = words[3].partition(".")
    plain = hour.isdigit() and len(hour) < 3 and dot and hundredths.isdigit() and len(hundredths) == 2
    if not plain or float(words[3]) >= 24:
        return Malformed(2, "start_hour", "must be hours with two decimals from 0.00 to 23.99")
    return row[0], row[1], row[2], float(words[3])
