"""A parcel: what is intended for it, where it has stayed, and the stage that follows from both.

Theory of operation. A parcel carries an *intention* (promise, destination, cancellation, release) that commands
change, and a set of *stays* that facts open and close. Its stage is not stored but follows from both by ``stage_of``.
Because stays are keyed by the journal entry that told of them and each fact touches one stay only, facts from different
sources may arrive in any order and lead to the same stage.

What came first is asked of a clock only when nothing better is known. Within one source the journal's own numbers tell.
Between sources: a parcel that somebody collected is collected, whatever the clocks of other sources say, and of two
places that both claim to hold it, the one it was bound for counts. Only when neither was is the later wall time
believed, which decides no more than what is shown until the case that is open about it has been settled.
"""

from collections.abc import Collection
from enum import StrEnum

import msgspec

from restante.core.bank import RoomClass
from restante.core.ids import CaseId, ConsignmentId, ContactId, OrgId, ParcelId, PointId, SourceId, StayKey, born_at
from restante.core.refusals import Refusal
from restante.core.reservation import Promise
from restante.core.stay import By, Hold, RecallReason, Stay, Withdrawal
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
    """Behind a door, put in by the sender, waiting for a courier to take it further."""

    stay: StayKey
    point: PointId


class Recalled(msgspec.Struct, frozen=True, tag="recalled"):
    """Behind a door; a courier is to take it out."""

    stay: StayKey
    point: PointId
    reason: RecallReason


class WithCourier(msgspec.Struct, frozen=True, tag="with-courier"):
    """Taken out by a courier, staff or a technician, and not ended."""

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


class Parcel(msgspec.Struct, frozen=True, omit_defaults=True):
    """One item in the network's care.

    ``destination`` is where a drop-off goes on to, if that is a point of the network; ``bound_for`` is the point at
    which room was promised last, and ``promises`` the number of that promise, 0 if there was none. ``version`` counts
    its events; ``cases`` are the open ones, by kind.
    """

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
    destination: PointId | None = None
    bound_for: PointId | None = None

    def stay(self, key: StayKey) -> Stay | None:
        """The stay with this key."""
        return next((stay for stay in self.stays if stay.key == key), None)


def current_stay(parcel: Parcel) -> Stay | None:
    """The open stay that tells where the parcel is: where it was bound for, else the one put in last."""
    found = [stay for stay in parcel.stays if stay.withdrawn is None]
    if len(found) < 2:
        return found[0] if found else None
    return max(found, key=lambda stay: (stay.point == parcel.bound_for, stay.deposited_at, stay.key))


def open_stay(parcel: Parcel, point: PointId) -> Stay | None:
    """The open stay at a point: the newest by that source's own count."""
    return max((stay for stay in parcel.stays if stay.is_open and stay.point == point), key=_key, default=None)


def waiting_at(parcel: Parcel, point: PointId) -> Stay | Refusal:
    """The open stay at a point. Refusals: ``point-not-named``, ``parcel-not-waiting``."""
    if (stay := open_stay(parcel, point)) is not None:
        return stay
    if (elsewhere := current_stay(parcel)) is not None:
        return Refusal("point-not-named", "point", elsewhere.point)
    return Refusal("parcel-not-waiting", "parcel", parcel.id)


def is_drop_off(parcel: Parcel, stay: Stay) -> bool:
    """Whether a stay waits for a courier to take the parcel further, not for its recipient."""
    return parcel.direction is Direction.DROP_OFF and stay.by is By.SENDER and stay.point != parcel.destination


def leg_of(parcel: Parcel) -> Direction:
    """What the parcel's next deposit is: a drop-off until a courier or staff have taken it from its sender's stay."""
    if parcel.direction is Direction.DELIVERY:
        return Direction.DELIVERY
    closed = ((stay, stay.withdrawn) for stay in parcel.stays if stay.withdrawn is not None)
    under_way = any(not _taken_back(stay, ended) for stay, ended in closed)
    return Direction.DELIVERY if under_way else Direction.DROP_OFF


def stage_of(parcel: Parcel) -> Stage:
    """The stage that follows from what is intended and from every stay known."""
    if not parcel.stays:
        return _stage_never_in(parcel)
    if (stay := current_stay(parcel)) is not None:
        return _stage_behind_door(parcel, stay)
    return _stage_taken_out(parcel)


def _stage_never_in(parcel: Parcel) -> Stage:
    if parcel.cancelled_at is not None:
        return Cancelled(parcel.cancelled_at)
    if parcel.released_at is not None:
        return Released(parcel.released_at)
    return Promised(parcel.promise) if parcel.promise else Announced()


def _stage_behind_door(parcel: Parcel, stay: Stay) -> Stage:
    if stay.recall is not None:
        return Recalled(stay.key, stay.point, stay.recall)
    if is_drop_off(parcel, stay):
        return DroppedOff(stay.key, stay.point)
    if stay.hold is None:
        return Deposited(stay.key, stay.point)
    if stay.hold.lapsed_at is not None:
        return Lapsed(stay.key, stay.point, stay.hold)
    return Held(stay.key, stay.point, stay.hold)


def _stage_taken_out(parcel: Parcel) -> Stage:
    if (collected := collection_of(parcel)) is not None:
        return Collected(collected.at, collected.by)
    carried = [ended.at for stay, ended in _last_withdrawals(parcel) if not _taken_back(stay, ended)]
    if not carried:
        return _stage_never_in(parcel)
    if parcel.released_at is not None:
        return Released(parcel.released_at)
    if parcel.promise is not None:
        return Promised(parcel.promise)
    return WithCourier(max(carried))


def collection_of(parcel: Parcel) -> Withdrawal | None:
    """The withdrawal that put the parcel into its recipient's hands, by the last word of each source."""
    into_hands = [ended for _, ended in _last_withdrawals(parcel) if ended.by in (By.RECIPIENT, By.NOMINEE)]
    return max(into_hands, key=lambda ended: (ended.at, ended.by)) if into_hands else None


def _last_withdrawals(parcel: Parcel) -> Collection[tuple[Stay, Withdrawal]]:
    """How the last closed stay at each source ended."""
    last: dict[SourceId, tuple[Stay, Withdrawal]] = {}
    for stay in parcel.stays:
        if stay.withdrawn is not None:
            before = last.get(stay.key.source)
            if before is None or before[0].key < stay.key:
                last[stay.key.source] = stay, stay.withdrawn
    return last.values()


def _taken_back(stay: Stay, ended: Withdrawal) -> bool:
    """Whether the sender changed their mind: the parcel is where it was before it was dropped off."""
    return stay.by is By.SENDER and ended.by is By.SENDER


def _key(stay: Stay) -> StayKey:
    return stay.key


def is_ended(stage: Stage) -> bool:
    """Whether a stage is terminal: no command changes it, though a fact may still surprise."""
    return isinstance(stage, (Collected, Cancelled, Released))


def is_over(parcel: Parcel) -> bool:
    """Whether nothing more was to be put in: called off, released, or in its recipient's hands."""
    return parcel.cancelled_at is not None or parcel.released_at is not None or collection_of(parcel) is not None


def idle_since(parcel: Parcel) -> Instant | None:
    """When the last thing happened to a parcel; None while room is promised to it or it lies behind a door."""
    if parcel.promise is not None or any(stay.is_open for stay in parcel.stays):
        return None
    ends = [stay.withdrawn.at for stay in parcel.stays if stay.withdrawn is not None]
    known = (parcel.announced_at, parcel.cancelled_at, parcel.released_at, *ends)
    return max((at for at in known if at is not None), default=born_at(parcel.id))
