"""Facts: what locker banks and counters say has happened, as kinds of journal entries.

A fact is never refused for what it says. Kinds that this version does not know are kept as they came.
"""

from typing import Final

import msgspec

from restante.core.bank import Condition, RoomClass
from restante.core.ids import ParcelId, StayKey, is_laned_id
from restante.core.stay import By, Evidence

MAX_STAYS_NAMED: Final = 64
"""How many stays of one fact are read: a shelf place holds fewer, and a forged fact shall not load every row."""


class Fact(msgspec.Struct, frozen=True, tag_field="kind"):
    """Something that happened at a source."""


class ParcelPutIn(Fact, frozen=True, tag="parcel-put-in"):
    """A parcel was put behind a door and the door shut.

    ``larger``: a larger compartment than needed was taken. ``shared``: it lies beside another parcel of the same
    recipient, so it takes up no room of its own.
    """

    parcel: ParcelId
    grant: str
    door: int
    room_class: RoomClass
    by: By
    evidence: Evidence
    larger: bool = False
    shared: bool = False


class ParcelTakenOut(Fact, frozen=True, tag="parcel-taken-out"):
    """A parcel was taken out from behind a door."""

    parcel: ParcelId
    stay: StayKey
    grant: str
    door: int
    by: By
    evidence: Evidence


class DepositDeclined(Fact, frozen=True, tag="deposit-declined"):
    """A courier or sender could not put a parcel in: ``too-big``, ``full``, ``door``, ``refused`` or ``damaged``."""

    parcel: ParcelId
    reason: str


class StayInherited(Fact, frozen=True, tag="stay-inherited"):
    """A new controller took over an open stay that its hub told it of."""

    parcel: ParcelId
    stay: StayKey
    door: int


class ConditionSeen(Fact, frozen=True, tag="condition-seen"):
    """A compartment went out of order or came back, with the parcels behind its door at that moment."""

    door: int
    room_class: RoomClass
    capacity: int
    condition: Condition
    stays: tuple[tuple[ParcelId, StayKey], ...] = ()


class IntentRecorded(Fact, frozen=True, tag="intent-recorded"):
    """A permission was accepted and a door is about to be unlocked: written before the lock is told."""

    door: int
    grant: str
    action: str


class DoorOpened(Fact, frozen=True, tag="door-opened"):
    """A door was seen open after it had been unlocked."""

    door: int
    evidence: Evidence


class DoorShut(Fact, frozen=True, tag="door-shut"):
    """A door was seen shut again."""

    door: int


class DoorStuck(Fact, frozen=True, tag="door-stuck"):
    """A door was unlocked and did not open, whatever the lock board answered."""

    door: int
    grant: str


class DoorForced(Fact, frozen=True, tag="door-forced"):
    """A door opened that nobody had unlocked."""

    door: int


class CodeRefused(Fact, frozen=True, tag="code-refused"):
    """A wrong code was entered on a channel."""

    channel: str


class CodeEntryClosed(Fact, frozen=True, tag="code-entry-closed"):
    """Code entry is closed on a channel after too many wrong codes, for so many seconds (0: until a person comes)."""

    channel: str
    seconds: int


class ManifestApplied(Fact, frozen=True, tag="manifest-applied"):
    """A manifest is in force."""

    hub_epoch: int
    generation: int


class Started(Fact, frozen=True, tag="started"):
    """The controller started; ``unfinished`` names intents whose outcome it cannot know."""

    software: str
    unfinished: tuple[str, ...] = ()


class Unknown(Fact, frozen=True, tag="unknown"):
    """A kind this version does not know, kept as it came and opened as a case."""

    name: str
    data: dict[str, object] = {}


Known = (
    ParcelPutIn
    | ParcelTakenOut
    | DepositDeclined
    | StayInherited
    | ConditionSeen
    | IntentRecorded
    | DoorOpened
    | DoorShut
    | DoorStuck
    | DoorForced
    | CodeRefused
    | CodeEntryClosed
    | ManifestApplied
    | Started
)
AnyFact = Known | Unknown


def named_parcels(fact: AnyFact) -> frozenset[ParcelId]:
    """The parcels a fact speaks of whose rows may exist: a name that is no id of ours has no row to load."""
    match fact:
        case ParcelPutIn() | ParcelTakenOut() | DepositDeclined() | StayInherited():
            return frozenset((fact.parcel,) if is_laned_id(fact.parcel) else ())
        case ConditionSeen():
            return frozenset(parcel for parcel, _ in fact.stays[:MAX_STAYS_NAMED] if is_laned_id(parcel))
        case _:
            return frozenset()
