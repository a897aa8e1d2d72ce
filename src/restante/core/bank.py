"""Points, locker banks, their modules and compartments.

A counter is built of the same parts: one module whose compartments are shelf places that hold several parcels.
"""

import re
from collections.abc import Iterable
from enum import StrEnum
from functools import lru_cache
from typing import Final, NewType

import msgspec

from restante.core.ids import PointId, SourceId
from restante.core.time import Calendar, HoldRule

RoomClass = NewType("RoomClass", str)
"""A size rank with abilities, as ``2`` or ``2+cold+seated``: a class of compartments, or what a parcel asks for."""

_ROOM_CLASS: Final = re.compile(r"[0-9]{1,2}(\+[a-z][a-z-]{0,30}){0,8}")

SEATED_REACH_MM: Final = (380, 1220)
"""Reach heights that can be worked from a wheelchair (EN 301 549, chapter 8; the lower limit as in ``ui.md``)."""


class Ability(StrEnum):
    """What a compartment can do beyond being a box; a parcel's needs name the same things."""

    COLD = "cold"
    SEATED = "seated"


class Condition(StrEnum):
    """Whether a compartment can be used."""

    IN_ORDER = "in-order"
    JAMMED = "jammed"
    BLOCKED = "blocked"
    DIRTY = "dirty"
    OUT_OF_USE = "out-of-use"
    UNKNOWN = "unknown"


OPENABLE: Final = frozenset({Condition.IN_ORDER, Condition.DIRTY})
"""Conditions in which a recipient can still get at what lies behind the door, so that a hold runs on."""


class Place(msgspec.Struct, frozen=True):
    """Where a door is in the front elevation: millimetres from the left edge and from the ground, width and height."""

    x_mm: int
    y_mm: int
    width_mm: int
    height_mm: int


class Compartment(msgspec.Struct, frozen=True):
    """One door and its space, or one shelf place (``capacity`` parcels side by side)."""

    door: int
    size: int
    reach_height_mm: int
    abilities: tuple[Ability, ...] = ()
    place: Place | None = None
    capacity: int = 1

    @property
    def room_class(self) -> RoomClass:
        """The class this compartment is counted under."""
        seated = SEATED_REACH_MM[0] <= self.reach_height_mm <= SEATED_REACH_MM[1]
        return room_class(self.size, {*self.abilities, Ability.SEATED} if seated else self.abilities)


class BankModule(msgspec.Struct, frozen=True):
    """One column of compartments with a lock board of its own."""

    number: int
    compartments: tuple[Compartment, ...]


class SourceKind(StrEnum):
    """What keeps a journal at a point."""

    BANK = "bank"
    COUNTER = "counter"


class Source(msgspec.Struct, frozen=True):
    """The locker bank or counter that stands at a point: the author of its facts."""

    id: SourceId
    kind: SourceKind
    modules: tuple[BankModule, ...]

    def compartments(self) -> Iterable[Compartment]:
        """Every compartment, module by module."""
        return (compartment for module in self.modules for compartment in module.compartments)


class PointStatus(StrEnum):
    """Whether a point takes parcels: open, closed for now, or gone for good."""

    OPEN = "open"
    CLOSED = "closed"
    GONE = "gone"


class Point(msgspec.Struct, frozen=True):
    """A pick-up point as it is shown and searched; ``face`` is its front elevation as drawing data."""

    id: PointId
    name: str
    kind: str
    host: str
    latitude: float
    longitude: float
    address: str
    directions: str
    calendar: Calendar
    hold: HoldRule
    photo_url: str = ""
    face: dict[str, msgspec.Raw] | None = None
    status: PointStatus = PointStatus.OPEN
    source: Source | None = None


class CompartmentState(msgspec.Struct, frozen=True):
    """What a source knows of one compartment just now."""

    compartment: Compartment
    condition: Condition = Condition.IN_ORDER
    door_shut: bool = True
    parcels: int = 0

    @property
    def is_free(self) -> bool:
        """Whether one more parcel may go in: in order, known to be shut, and not full."""
        return self.condition is Condition.IN_ORDER and self.door_shut and self.parcels < self.compartment.capacity


def room_class(size: int, abilities: Iterable[Ability | str]) -> RoomClass:
    """The name of a class of compartments, or of what a parcel asks for."""
    return RoomClass("+".join([str(size), *sorted(str(ability) for ability in abilities)]))


def is_room_class(text: str) -> bool:
    """Whether ``text`` has the form of a room class: facts come from machines that may write anything."""
    return _ROOM_CLASS.fullmatch(text) is not None


@lru_cache(maxsize=4096)
def parts(name: RoomClass) -> tuple[int, frozenset[str]]:
    """The size rank and the abilities of a class."""
    size, *abilities = name.split("+")
    return int(size), frozenset(abilities)


@lru_cache(maxsize=65536)
def serves(supply: RoomClass, demand: RoomClass) -> bool:
    """Whether a compartment of class ``supply`` takes a parcel that asks for ``demand``."""
    size, abilities = parts(supply)
    wanted, needs = parts(demand)
    return size >= wanted and needs <= abilities
