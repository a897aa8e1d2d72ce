"""Stays and holds: one deposit-to-withdrawal, and the free time within it.

A hold starts when the first notice was handed to a channel. Its clock stops while the compartment cannot be opened; the
end then moves later by as long as the clock stood, and is never moved earlier.
"""

from datetime import timedelta
from enum import StrEnum

import msgspec

from restante.core.bank import RoomClass
from restante.core.ids import PointId, StayKey
from restante.core.time import Instant


class By(StrEnum):
    """Whose hands a parcel passed through at the door."""

    RECIPIENT = "recipient"
    NOMINEE = "nominee"
    SENDER = "sender"
    COURIER = "courier"
    STAFF = "staff"
    SERVICE = "service"


class Evidence(StrEnum):
    """What a fact about a door rests on: a sensor read-back, a lock board's answer, a person's word, or nothing."""

    SENSOR = "sensor"
    ACK = "ack"
    STAFF = "staff"
    NONE = "none"


class RecallReason(StrEnum):
    """Why a courier is to take a parcel out."""

    LAPSED = "lapsed"
    CANCELLED = "cancelled"
    REDIRECTED = "redirected"
    RETURNED = "returned"
    FORWARD = "forward"


class Withdrawal(msgspec.Struct, frozen=True):
    """How a stay ended."""

    at: Instant
    by: By


class Hold(msgspec.Struct, frozen=True):
    """The free period of a stay. ``ends_at`` counts as shown; while ``paused_at`` is set the clock stands."""

    started_at: Instant
    ends_at: Instant
    paused_at: Instant | None = None
    lapsed_at: Instant | None = None
    reminded_at: Instant | None = None


class Stay(msgspec.Struct, frozen=True):
    """One deposit and what became of it."""

    key: StayKey
    point: PointId
    door: int
    room_class: RoomClass
    deposited_at: Instant
    by: By
    hold: Hold | None = None
    recall: RecallReason | None = None
    withdrawn: Withdrawal | None = None

    @property
    def is_open(self) -> bool:
        """Whether the parcel is still behind the door, as far as anybody has said."""
        return self.withdrawn is None


def paused(hold: Hold, at: Instant) -> Hold:
    """The hold with its clock stopped at ``at``."""
    return msgspec.structs.replace(hold, paused_at=at)


def resumed(hold: Hold, at: Instant) -> Hold:
    """The hold with its clock running again: the end moves later by the time that did not count."""
    assert hold.paused_at is not None
    stood = max(at - hold.paused_at, timedelta(0))
    return msgspec.structs.replace(hold, paused_at=None, ends_at=hold.ends_at + stood)
