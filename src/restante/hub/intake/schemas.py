"""What it takes to announce a parcel, and what is answered."""

from datetime import datetime
from typing import Annotated

import msgspec
from msgspec import Meta

from restante.core.bank import Ability
from restante.core.ids import ParcelId, PointId
from restante.core.parcel import Direction
from restante.core.reservation import Firmness
from restante.hub.problems import Problem

MOST_ITEMS = 1000

WARNINGS = {
    "nobody-to-tell": "No notice can reach anybody by e-mail.",
    "no-point": "No room is promised until a point is chosen.",
    "window-odd": "The window opened more than a day ago, or stands without a point.",
}
"""What an announcement is warned of, beside e-mail addresses that no mail can go to (``address-…``)."""

Side = Annotated[int, Meta(ge=1, le=10_000)]
Instant = Annotated[datetime, Meta(tz=True)]
Id = Annotated[str, Meta(min_length=36, max_length=36)]
Email = Annotated[str, Meta(max_length=320)]


class DimensionsGiven(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The three sides of a parcel, in any order."""

    width_mm: Side
    height_mm: Side
    depth_mm: Side


class WindowGiven(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """From when until when the deposit is expected; at most 14 days."""

    opens_at: Instant
    closes_at: Instant


class RecipientGiven(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Who is told about the parcel (for a drop-off: who sends it), and how; e-mail addresses by preference.

    An address that no mail can be sent to is left out, with a warning that names it: the parcel is taken all the same.
    """

    name: Annotated[str, Meta(min_length=1, max_length=200)]
    emails: Annotated[list[Email], Meta(max_length=5)] = []
    phone: Annotated[str, Meta(max_length=40)] = ""
    language: Annotated[str, Meta(max_length=35)] = ""
    street_address: Annotated[str, Meta(max_length=500)] = ""

    def __repr__(self) -> str:
        return "<RecipientGiven>"  # what is printed by chance ends in a log


class Announcement(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A parcel to announce, by dimensions or by the name of a size class.

    The reference is the organisation's own and means one parcel for ever. With a point, room is promised there at once.
    """

    reference: Annotated[str, Meta(min_length=1, max_length=100)]
    direction: Direction = Direction.DELIVERY
    dimensions: DimensionsGiven | None = None
    size: Annotated[str, Meta(max_length=40)] | None = None
    weight_grams: Annotated[int, Meta(ge=0, le=1_000_000)] = 0
    needs: Annotated[list[Ability], Meta(max_length=8)] = []
    recipient: RecipientGiven | None = None
    consignment: Annotated[str, Meta(min_length=1, max_length=100)] | None = None
    point: Id | None = None
    window: WindowGiven | None = None
    firmness: Firmness = Firmness.HARD
    destination: Id | None = None

    def __repr__(self) -> str:
        return "<Announcement>"


class Bulk(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Up to 1,000 parcels to announce."""

    items: Annotated[list[Announcement], Meta(min_length=1, max_length=MOST_ITEMS)]


class PromiseMade(msgspec.Struct, frozen=True):
    """Room promised at a point until an instant."""

    point: PointId
    opens_at: datetime
    closes_at: datetime
    until: datetime


class Warned(msgspec.Struct, frozen=True):
    """Something that does not keep the parcel out but may keep it from its recipient; ``field`` is what to mend."""

    code: str
    field: str
    detail: str


class ParcelAccepted(msgspec.Struct, frozen=True):
    """A parcel the network knows; without a promise ``problem`` says why, and where else there is room."""

    parcel: ParcelId
    code: str
    size: str
    replayed: bool
    promise: PromiseMade | None = None
    problem: Problem | None = None
    warnings: list[Warned] = []


class ItemAnswer(msgspec.Struct, frozen=True, omit_defaults=True):
    """What became of one item of a bulk announcement: accepted or refused."""

    index: int
    status: str
    accepted: ParcelAccepted | None = None
    problem: Problem | None = None


class BulkAnswer(msgspec.Struct, frozen=True):
    """What became of each item, in the order they were sent."""

    accepted: int
    refused: int
    items: list[ItemAnswer]
