"""What the API says about points and what it takes to provision one."""

from datetime import date
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from restante.core.bank import Ability, PointStatus, SourceKind
from restante.core.ids import PointId, SourceId

Line = Annotated[str, Meta(min_length=1, max_length=200)]
Text = Annotated[str, Meta(max_length=2000)]
Millimetres = Annotated[int, Meta(ge=-100_000, le=100_000)]
Minute = Annotated[int, Meta(ge=0, le=1440)]


class Hours(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One stretch of a weekday (0 is Monday) in minutes after local midnight; ``closes`` may be 1440."""

    weekday: Annotated[int, Meta(ge=0, le=6)]
    opens: Minute
    closes: Minute


class HoldHours(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="kind", tag="elapsed-hours"):
    """A hold of so many hours by the clock."""

    hold_hours: Annotated[int, Meta(ge=1, le=8760)]


class HoldDays(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="kind", tag="open-days"):
    """A hold until closing time of the n-th open day after the day it began."""

    days: Annotated[int, Meta(ge=1, le=60)]


HoldRuleGiven = HoldHours | HoldDays


class PlaceGiven(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Where a door is in the front elevation: from the left edge and from the ground, width and height."""

    x_mm: Millimetres
    y_mm: Millimetres
    width_mm: Millimetres
    height_mm: Millimetres


class CompartmentGiven(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One door and its space, or a shelf place for ``capacity`` parcels; ``size`` is the name of a size class."""

    door: Annotated[int, Meta(ge=1, le=100_000)]
    size: Annotated[str, Meta(min_length=1, max_length=40)]
    reach_height_mm: Annotated[int, Meta(ge=0, le=5000)]
    abilities: Annotated[list[Ability], Meta(max_length=8)] = []
    place: PlaceGiven | None = None
    capacity: Annotated[int, Meta(ge=1, le=10_000)] = 1


class ModuleGiven(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One column of compartments; a counter's shelves are one."""

    number: Annotated[int, Meta(ge=0, le=10_000)]
    compartments: Annotated[list[CompartmentGiven], Meta(min_length=1, max_length=500)]


class SourceGiven(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A locker bank or a counter to put up at a point."""

    kind: SourceKind
    modules: Annotated[list[ModuleGiven], Meta(max_length=200)] = []


class PointGiven(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A point to take into the network; without hours it is open day and night."""

    name: Line
    kind: Line
    latitude: Annotated[float, Meta(ge=-90, le=90)]
    longitude: Annotated[float, Meta(ge=-180, le=180)]
    zone: Line
    host: Annotated[str, Meta(max_length=200)] = ""
    address: Text = ""
    directions: Text = ""
    hours: Annotated[list[Hours], Meta(max_length=70)] = []
    shut: Annotated[list[date], Meta(max_length=400)] = []
    hold: HoldRuleGiven = HoldHours(72)
    photo_url: Text = ""
    face: dict[str, Any] | None = None


class StatusGiven(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What becomes of a point: open, closed for now, or gone for good."""

    status: PointStatus


class RoomShown(msgspec.Struct, frozen=True, omit_defaults=True):
    """Room for parcels of a size and needs today: ``none``, ``few`` or ``enough``; the operator also sees how many."""

    size: str
    needs: list[str]
    level: str
    left: int | None = None


class SourceShown(msgspec.Struct, frozen=True):
    """What stands at a point."""

    id: SourceId
    kind: SourceKind
    modules: int
    compartments: int


class PointShown(msgspec.Struct, frozen=True):
    """A pick-up point; ``public_id`` holds beyond this network. Face and modules are shown for one point only."""

    id: PointId
    public_id: str
    name: str
    kind: str
    status: PointStatus
    is_open_now: bool
    latitude: float
    longitude: float
    zone: str
    hours: list[Hours]
    shut: list[date]
    hold: HoldRuleGiven
    room: list[RoomShown]
    host: str = ""
    address: str = ""
    directions: str = ""
    photo_url: str = ""
    distance_m: int | None = None
    source: SourceShown | None = None
    is_heard: bool | None = None
    face: dict[str, Any] | None = None
    modules: list[ModuleGiven] | None = None


class PointPage(msgspec.Struct, frozen=True):
    """Points, and the cursor of the next page if there may be one."""

    items: list[PointShown]
    cursor: str | None = None


class SourceMade(msgspec.Struct, frozen=True):
    """What was put up at a point."""

    point: PointId
    source: SourceId
