"""What the API says about parcels, and what it takes to steer one."""

from datetime import datetime
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from restante.core.ids import ParcelId, PointId
from restante.core.parcel import Direction
from restante.core.reservation import Firmness
from restante.core.status import Actor, Phase
from restante.core.stay import RecallReason

Instant = Annotated[datetime, Meta(tz=True)]
Id = Annotated[str, Meta(min_length=36, max_length=36)]


class Window(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """From when until when the deposit is expected; at most 14 days."""

    opens_at: Instant
    closes_at: Instant


class RoomWanted(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The point at which room is to be promised, and for when."""

    point: Id
    window: Window | None = None
    firmness: Firmness = Firmness.HARD


class Later(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The new end of a hold, later than the one it has."""

    ends_at: Instant


class Recall(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Why a courier is to take the parcel out."""

    reason: RecallReason


class Position(msgspec.Struct, frozen=True):
    """Where an event stands in the log."""

    lane: int
    seq: int


class Done(msgspec.Struct, frozen=True):
    """A command was accepted: the events that followed; ``replayed`` when it had been carried out before."""

    parcel: ParcelId
    events: list[Position]
    replayed: bool


class PromiseShown(msgspec.Struct, frozen=True):
    """Room promised to the parcel."""

    point: PointId
    opens_at: datetime
    closes_at: datetime
    until: datetime
    firmness: Firmness


class HoldShown(msgspec.Struct, frozen=True):
    """The free period; while ``paused_at`` is set its clock stands, and the end will be later."""

    started_at: datetime
    ends_at: datetime
    paused_at: datetime | None = None
    lapsed_at: datetime | None = None


class StayShown(msgspec.Struct, frozen=True):
    """Where the parcel lies; the door is shown to the operator only."""

    point: PointId
    deposited_at: datetime
    hold: HoldShown | None = None
    recall: RecallReason | None = None
    door: int | None = None


class ParcelShown(msgspec.Struct, frozen=True):
    """A parcel as its organisation sees it: the stage, what it means, and where the parcel is promised or lies."""

    id: ParcelId
    code: str
    org: str
    direction: Direction
    stage: str
    phase: Phase
    actor: Actor
    is_terminal: bool
    size: str
    needs: list[str]
    weight_grams: int
    version: int
    reference: str = ""
    announced_at: datetime | None = None
    promise: PromiseShown | None = None
    stay: StayShown | None = None
    destination: PointId | None = None
    cases: list[str] = []


class ParcelPage(msgspec.Struct, frozen=True):
    """Parcels, and the cursor of the next page if there may be one."""

    items: list[ParcelShown]
    cursor: str | None = None


class EventShown(msgspec.Struct, frozen=True, omit_defaults=True):
    """An event at its place in the log. ``event`` has a ``kind`` and that kind's fields, as the reference lists them.

    ``at`` is when it happened, ``recorded_at`` when the hub learnt of it; ``version`` counts the parcel's events.
    """

    lane: int
    seq: int
    at: datetime
    recorded_at: datetime
    by: str
    phase: Phase
    actor: Actor
    is_terminal: bool
    event: dict[str, Any]
    version: int = 0
    org: str | None = None


class EventPage(msgspec.Struct, frozen=True):
    """A parcel's events, and the cursor of the next page if there may be one."""

    items: list[EventShown]
    cursor: str | None = None


class FeedPage(msgspec.Struct, frozen=True):
    """Events in the order of their lanes, and the cursor to ask on from, to be kept together with what was read."""

    items: list[EventShown]
    cursor: str
