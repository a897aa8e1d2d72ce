"""Stays and holds: one deposit-to-withdrawal, and the free time within it.

A hold starts when the first notice was handed to a channel. Its clock stands for as long as any reason for it lasts (a
door that cannot be opened, a source that is not heard from); the end then moves later by as long as the clock stood. No
order of reasons, and no clock of any source, moves the end earlier.
"""

from datetime import timedelta
from enum import StrEnum
from typing import Final

import msgspec

from restante.core.bank import RoomClass
from restante.core.ids import PointId, StayKey
from restante.core.time import Instant

NO_CONTACT: Final = "no-contact"
"""The reason a clock stands while the source is not heard from."""

DOOR: Final = "door"
"""The reason a clock stands while the door cannot be opened."""


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


class Hold(msgspec.Struct, frozen=True, omit_defaults=True):
    """The free period of a stay. ``ends_at`` is as shown; since ``paused_at`` the clock stands, for ``reasons``."""

    started_at: Instant
    ends_at: Instant
    paused_at: Instant | None = None
    lapsed_at: Instant | None = None
    reminded_at: Instant | None = None
    reasons: tuple[str, ...] = ()


class Stay(msgspec.Struct, frozen=True, omit_defaults=True):
    """One deposit and what became of it.

    ``expected``: the parcel was bound for this point when it was put in. ``shared``: it lies beside another parcel.
    """

    key: StayKey
    point: PointId
    door: int
    room_class: RoomClass
    deposited_at: Instant
    by: By
    hold: Hold | None = None
    recall: RecallReason | None = None
    withdrawn: Withdrawal | None = None
    expected: bool = True
    shared: bool = False

    @property
    def is_open(self) -> bool:
        """Whether the parcel is still behind the door, as far as anybody has said."""
        return self.withdrawn is None


def paused(hold: Hold, why: str, at: Instant) -> Hold:
    """The hold with one reason more to stand still, from ``at`` on, which no wrong clock puts before its start."""
    since = max(at, hold.started_at)
    earliest = since if hold.paused_at is None else min(hold.paused_at, since)
    return msgspec.structs.replace(hold, paused_at=earliest, reasons=(*hold.reasons, why))


def resumed(hold: Hold, why: str, at: Instant) -> Hold:
    """The hold with one reason fewer to stand still; when none is left the end moves later by the time it stood."""
    assert hold.paused_at is not None
    left = tuple(reason for reason in hold.reasons if reason != why)
    if left:
        return msgspec.structs.replace(hold, reasons=left)
    stood = max(at - hold.paused_at, timedelta(0))
    return msgspec.structs.replace(hold, paused_at=None, reasons=(), ends_at=hold.ends_at + stood)
