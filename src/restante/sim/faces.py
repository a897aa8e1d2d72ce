"""The faces of the demo city: twelve locker banks and two counters as drawing data in millimetres.

A face is the front elevation as it would be measured at commissioning. Doors are numbered down each column, columns
from left to right. Heights are pitches: door and gap, so that the rows of a column add up to the column.
"""

from typing import Final, Literal

import msgspec

from restante.core.bank import SEATED_REACH_MM, Ability, BankModule, Compartment, Place
from restante.core.size import Dimensions, Ladder, SizeClass

LADDER: Final = Ladder(
    (
        SizeClass("S", Dimensions(380, 80, 640), 25_000),
        SizeClass("M", Dimensions(380, 190, 640), 25_000),
        SizeClass("L", Dimensions(380, 410, 640), 25_000),
        SizeClass("XL", Dimensions(380, 620, 640), 25_000),
    )
)
"""The size classes of the demo network: 8, 19, 41 and 62 by 38 by 64 cm, 25 kg."""

_PITCH_MM: Final = {"S": 105, "M": 210, "L": 420, "X": 630, "K": 735}
_NAMES: Final = {"S": "S", "M": "M", "L": "L", "X": "XL"}
_WIDTH_MM: Final = 460
_WIDE_MM: Final = 560


class Door(msgspec.Struct, frozen=True):
    """A row with a door: its number, size class and height with the gap."""

    door: int
    size: str
    height_mm: int


class Screen(msgspec.Struct, frozen=True):
    """A row with the screen and its controls."""

    screen: Literal[True]
    height_mm: int


class Column(msgspec.Struct, frozen=True):
    """One column, rows from the top down; ``cold`` when all of its compartments are cooled."""

    width_mm: int
    cold: bool
    rows: tuple[Door | Screen, ...]


class Face(msgspec.Struct, frozen=True):
    """A locker bank in elevation: columns from left to right on a plinth, under a cap."""

    columns: tuple[Column, ...]
    plinth_mm: int
    cap_mm: int


class Shelf(msgspec.Struct, frozen=True):
    """One board of pigeonholes: its letter, the size class and number of parcels a place takes, the places' numbers."""

    label: str
    size: str
    height_mm: int
    capacity: int
    places: tuple[int, ...]


class CounterFace(msgspec.Struct, frozen=True):
    """The pigeonholes behind a desk, boards from the top down; the lowest stands ``sill_mm`` above the ground."""

    shelves: tuple[Shelf, ...]
    place_width_mm: int
    sill_mm: int


def drawing(face: Face | CounterFace) -> dict[str, object]:
    """The face as plain data, in the shape the interface draws and the hub's points carry."""
    plain: dict[str, object] = msgspec.to_builtins(face)
    return plain


def modules(face: Face | CounterFace) -> tuple[BankModule, ...]:
    """The compartments a face shows: a module per column, or one module of shelf places for a counter.

    A door can be worked sitting when its centre is within ``SEATED_REACH_MM`` of the ground. At a counter staff fetch
    the parcel, so every shelf place will do.
    """
    match face:
        case Face():
            edges = [sum(column.width_mm for column in face.columns[:k]) for k in range(len(face.columns))]
            return tuple(
                BankModule(number, _compartments(column, x_mm=x_mm, sill_mm=face.plinth_mm))
                for number, (column, x_mm) in enumerate(zip(face.columns, edges, strict=True), 1)
            )
        case CounterFace():
            return (BankModule(1, _shelf_places(face)),)


def place_label(face: CounterFace, place: int) -> str | None:
    """What is written on a shelf place, as ``C3`` for the third place of board C; None if there is no such place."""
    for shelf in face.shelves:
        if place in shelf.places:
            return f"{shelf.label}{shelf.places.index(place) + 1}"
    return None


def _compartments(column: Column, *, x_mm: int, sill_mm: int) -> tuple[Compartment, ...]:
    found = []
    top_mm = sill_mm + sum(row.height_mm for row in column.rows)
    for row in column.rows:
        top_mm -= row.height_mm
        if isinstance(row, Door):
            place = Place(x_mm, top_mm, column.width_mm, row.height_mm)
            found.append(_compartment(row, place, cold=column.cold))
    return tuple(found)


def _compartment(row: Door, place: Place, *, cold: bool) -> Compartment:
    reach_mm = place.y_mm + place.height_mm // 2
    seated = SEATED_REACH_MM[0] <= reach_mm <= SEATED_REACH_MM[1]
    abilities = tuple(ability for ability, held in ((Ability.COLD, cold), (Ability.SEATED, seated)) if held)
    return Compartment(row.door, _rank(row.size), reach_mm, abilities, place)


def _shelf_places(face: CounterFace) -> tuple[Compartment, ...]:
    found = []
    top_mm = face.sill_mm + sum(shelf.height_mm for shelf in face.shelves)
    for shelf in face.shelves:
        top_mm -= shelf.height_mm
        for at, number in enumerate(shelf.places):
            place = Place(at * face.place_width_mm, top_mm, face.place_width_mm, shelf.height_mm)
            reach_mm = top_mm + shelf.height_mm // 2
            found.append(
                Compartment(number, _rank(shelf.size), reach_mm, (Ability.SEATED,), place, capacity=shelf.capacity)
            )
    return tuple(found)


def _rank(size: str) -> int:
    rank = LADDER.rank(size)
    assert rank is not None, f"size {size!r} is not on the ladder"
    return rank


def _bank(*columns: str, plinth_mm: int = 130, cap_mm: int = 80) -> Face:
    """A face from one word a column, top down: S M L, X for XL, K the screen; ``*`` is cold, ``+`` is wide."""
    built = []
    door = 0
    for word in columns:
        rows: list[Door | Screen] = []
        for letter in word.lstrip("*+"):
            if letter == "K":
                rows.append(Screen(screen=True, height_mm=_PITCH_MM[letter]))
            else:
                door += 1
                rows.append(Door(door, _NAMES[letter], _PITCH_MM[letter]))
        built.append(Column(_WIDE_MM if "+" in word else _WIDTH_MM, "*" in word, tuple(rows)))
    return Face(tuple(built), plinth_mm, cap_mm)


def _counter(*boards: tuple[str, int, int], across: int) -> CounterFace:
    """A counter from boards of (size, height in mm, parcels a place), ``across`` places wide."""
    shelves = tuple(
        Shelf("ABCDEF"[at], size, height_mm, capacity, tuple(range(at * across + 1, (at + 1) * across + 1)))
        for at, (size, height_mm, capacity) in enumerate(boards)
    )
    return CounterFace(shelves, place_width_mm=420, sill_mm=300)


BANKS: Final[dict[str, Face]] = {
    "RAU": _bank("MMLXMM", "SSSSMMLMMSS", "MMMSMMMSL", "MMKMMMS", "SSSMMLMMSSS", "*MMLLMMM"),
    "ELI": _bank(
        *("SSSSSSSSMMMMM",) * 4, *("SSSSMMLMMSS",) * 3, "SSSSKSSMMS", *("SSSSSSMMMMMM",) * 4, "MMLXMM", plinth_mm=120
    ),
    "KVP": _bank("MMLXMM", "LKMMMS", "SSSSMMLMMSS"),
    "KAI": _bank("SSSSMMLMM", "MMMMMMMM", "SSSKMMM", "SSMMMMMMM", "LLLL", "SSSSMMLMM", plinth_mm=150, cap_mm=60),
    "POR": _bank("SSSSSSMMMMMM", "MMKMMMS", "SSSSMMLMMSS", "MMMSMMMSL"),
    "KLU": _bank("SSSMMLMMSSS", "MMKMMMS", "*MMLLMMM", "*MMMMMMMMM", "+XXX"),
    "ESP": _bank("+XLLMM", "LKMMMS", "SSSSSSMMMMMM", cap_mm=120),
    "ERO": _bank("MMKMMMS", "MMLXMM", "SSSSSSSSMMMMM"),
    "BUL": _bank("SSMMLMM", "MMMMMMM", "MMLMMSS", plinth_mm=200, cap_mm=60),
    "KAN": _bank("SSSSMMLMMSS", "MMMSMMMSL", "MMKMMMS", "MMLXMM", "SSSMMLMMSSS"),
    "HAK": _bank(
        "SSSMMLMMSSS", "SSSSSSMMMMMM", "MMMSMMMSL", "SSSSKSSMMS", "MMMSMMMSL", "SSSSSSMMMMMM", "SSSSMMLMMSS", "+XXX"
    ),
    "KOR": _bank("LLLLM", "MMKMMMS", "MMMSMMMSL", "SSSMMLMMSSS"),
}
"""The banks' faces by the code of their site."""

COUNTERS: Final[dict[str, CounterFace]] = {
    "VUO": _counter(("S", 320, 6), ("M", 340, 4), ("L", 440, 2), across=5),
    "YRJ": _counter(("M", 340, 4), ("M", 340, 4), ("XL", 660, 1), across=4),
}
"""The counters' faces by the code of their site."""
