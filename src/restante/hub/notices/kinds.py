"""What there is to tell a person about one parcel: one frozen value for each occasion."""

from datetime import datetime

import msgspec

from restante.hub.notices.address import Address


class Recipient(msgspec.Struct, frozen=True):
    """Whom a notice is for, decrypted for this one sending: never stored, never logged."""

    name: str
    email: Address
    language: str


class Place(msgspec.Struct, frozen=True):
    """A pick-up point as a person finds it; ``zone`` is the IANA zone in which its times are told."""

    name: str
    directions: str
    zone: str
    staffed: bool = False


class About(msgspec.Struct, frozen=True):
    """The parcel as people know it: its parcel code, and the shop or person it comes from."""

    parcel: str
    origin: str = ""


class OnItsWay(msgspec.Struct, frozen=True):
    """Room is promised at the place; ``due`` is the latest arrival, if anybody promised one."""

    about: About
    place: Place
    due: datetime | None = None


class Ready(msgspec.Struct, frozen=True):
    """The parcel waits, and this code (eight digits) collects it."""

    about: About
    place: Place
    code: str
    held_until: datetime


class Reminder(msgspec.Struct, frozen=True):
    """The parcel still waits, and the hold ends in ``left_hours``."""

    about: About
    place: Place
    code: str
    held_until: datetime
    left_hours: int


class HeldLonger(msgspec.Struct, frozen=True):
    """The hold ends later than was said; ``stopped_hours`` of that came back from a clock that stood still."""

    about: About
    place: Place
    code: str
    held_until: datetime
    stopped_hours: int = 0


class Moved(msgspec.Struct, frozen=True):
    """The parcel was redirected from the place called ``former`` to ``place``."""

    about: About
    place: Place
    former: str


class Overdue(msgspec.Struct, frozen=True):
    """The hold has lapsed; the code still works until the parcel is taken back."""

    about: About
    place: Place
    code: str
    held_until: datetime


class TakenBack(msgspec.Struct, frozen=True):
    """A courier took the parcel out again."""

    about: About
    place: Place


class DropOffCode(msgspec.Struct, frozen=True):
    """A sender may put the parcel in with this code, until ``valid_until``."""

    about: About
    place: Place
    code: str
    valid_until: datetime


class Receipt(msgspec.Struct, frozen=True):
    """The parcel was collected."""

    about: About
    place: Place
    collected_at: datetime


Notice = OnItsWay | Ready | Reminder | HeldLonger | Moved | Overdue | TakenBack | DropOffCode | Receipt
