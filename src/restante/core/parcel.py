"""A parcel: what is intended for it, where it has stayed, and the stage that follows from both.

Theory of operation. A parcel carries an *intention* (promise, cancellation, release) that commands change, and a set of
*stays* that facts open and close. Its stage is not stored but follows from the two by ``stage_of``. Because stays are
keyed by the journal entry that told of them and each fact touches one stay only, facts from different sources may
arrive in any order and lead to the same stage.
"""

from enum import StrEnum

import msgspec

from restante.core.bank import RoomClass
from restante.core.ids import CaseId, ConsignmentId, ContactId, OrgId, ParcelId, PointId, StayKey
from restante.core.reservation import Promise
from restante.core.stay import By, Hold, RecallReason, Stay
from restante.core.time import Instant


class Direction(StrEnum):
    """Whether a courier brings the parcel for a recipient, or a sender drops it off for a courier."""

    DELIVERY = "delivery"
    DROP_OFF = "drop-off"


class Announced(msgspec.Struct, frozen=True, tag="announced"):
    """Heard of; no room is promised."""


class Promised(msgspec.Struct, frozen=True, tag="promised"):
    """Room is promised at a point."""

    promise: Promise


class Deposited(msgspec.Struct, frozen=True, tag="deposited"):
    """Behind a door; nobody has been told yet, so no hold runs."""

    stay: StayKey
    point: PointId


class Held(msgspec.Struct, frozen=True, tag="held"):
    """Behind a door and the recipient knows; the hold runs (or its clock stands)."""

    stay: StayKey
    point: PointId
    hold: Hold


class Lapsed(msgspec.Struct, frozen=True, tag="lapsed"):
    """Behind a door, and the hold has ended."""

    stay: StayKey
    point: PointId
    hold: Hold


class DroppedOff(msgspec.Struct, frozen=True, tag="dropped-off"):
    """Behind a door, put in by the sender, waiting for a courier."""

    stay: StayKey
    point: PointId


class Recalled(msgspec.Struct, frozen=True, tag="recalled"):
    """Behind a door; a courier is to take it out."""

    stay: StayKey
    point: PointId
    reason: RecallReason


class WithCourier(msgspec.Struct, frozen=True, tag="with-courier"):
    """Taken out by a courier or by staff, and not ended."""

    since: Instant


class Collected(msgspec.Struct, frozen=True, tag="collected"):
    """In the hands of the recipient or a nominee."""

    at: Instant
    by: By


class Cancelled(msgspec.Struct, frozen=True, tag="cancelled"):
    """Called off before any deposit."""

    at: Instant


class Released(msgspec.Struct, frozen=True, tag="released"):
    """Out of the network's care: the carrier has it and says so."""

    at: Instant


Stage = (
    Announced
    | Promised
    | Deposited
    | Held
    | Lapsed
    | DroppedOff
    | Recalled
    | WithCourier
    | Collected
    | Cancelled
    | Released
)


class Parcel(msgspec.Struct, frozen=True):
    """One item in the network's care. ``version`` counts its events; ``cases`` are the open ones, by kind."""

    id: ParcelId
    org: OrgId
    code: str
    direction: Direction
    room_class: RoomClass
    weight_grams: int
    recipient: ContactId | None = None
    consignment: ConsignmentId | None = None
    announced_at: Instant | None = None
    promise: Promise | None = None
    promises: int = 0
    stays: tuple[Stay, ...] = ()
    cancelled_at: Instant | None = None
    released_at: Instant | None = None
    cases: dict[str, CaseId] = {}
    version: int = 0

    def stay(self, key: StayKey) -> Stay | None:
        """The stay with this key."""
        return next((stay for stay in self.stays if stay.key == key), None)


def current_stay(parcel: Parcel) -> Stay | None:
    """The open stay that tells where the parcel is: the one put in last."""
    return max((stay for stay in parcel.stays if stay.is_open), key=_put_in, default=None)


def stage_of(parcel: Parcel) -> Stage:
    """The stage that follows from what is intended and from every stay known."""
    if (stay := current_stay(parcel)) is not None:
        return _stage_behind_door(parcel, stay)
    if parcel.stays:
        return _stage_taken_out(parcel)
    if parcel.cancelled_at is not None:
        return Cancelled(parcel.cancelled_at)
    if parcel.released_at is not None:
        return Released(parcel.released_at)
    return Promised(parcel.promise) if parcel.promise else Announced()


def _stage_behind_door(parcel: Parcel, stay: Stay) -> Stage:
    if stay.recall is not None:
        return Recalled(stay.key, stay.point, stay.recall)
    if parcel.direction is Direction.DROP_OFF and stay.by is By.SENDER:
        return DroppedOff(stay.key, stay.point)
    if stay.hold is None:
        return Deposited(stay.key, stay.point)
    if stay.hold.lapsed_at is not None:
        return Lapsed(stay.key, stay.point, stay.hold)
    return Held(stay.key, stay.point, stay.hold)


def _stage_taken_out(parcel: Parcel) -> Stage:
    ends = [(stay.withdrawn.at, stay.key, stay.withdrawn) for stay in parcel.stays if stay.withdrawn]
    last = max(ends)[2]
    if last.by in (By.RECIPIENT, By.NOMINEE):
        return Collected(last.at, last.by)
    if parcel.released_at is not None:
        return Released(parcel.released_at)
    if parcel.cancelled_at is not None:
        return WithCourier(last.at)
    return Promised(parcel.promise) if parcel.promise else WithCourier(last.at)


def _put_in(stay: Stay) -> tuple[Instant, StayKey]:
    return stay.deposited_at, stay.key


def is_ended(stage: Stage) -> bool:
    """Whether a stage is terminal: no command changes it, though a fact may still surprise."""
    return isinstance(stage, Collected | Cancelled | Released)
