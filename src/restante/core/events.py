"""Events: what the hub holds to have happened. Stored for ever, so a field is only ever added, with a default."""

from enum import StrEnum
from typing import Final

import msgspec

from restante.core.bank import BankModule, Condition, Point, PointStatus, RoomClass, SourceKind
from restante.core.ids import CaseId, ConsignmentId, ContactId, OrgId, ParcelId, PointId, SourceId, StayKey
from restante.core.parcel import Direction
from restante.core.reservation import Promise
from restante.core.stay import By, Evidence, RecallReason
from restante.core.time import Instant

SCHEMA: Final = 1
"""The schema number stored with each event of this release."""


class NoticeKind(StrEnum):
    """What a person is told."""

    READY = "ready"
    REMINDER = "reminder"
    EXTENDED = "extended"
    MOVED = "moved"
    OVERDUE = "overdue"
    TAKEN_BACK = "taken-back"
    DROP_OFF_CODE = "drop-off-code"
    RECEIPT = "receipt"


class PromiseEnd(StrEnum):
    """Why a promise of room ended."""

    KEPT = "kept"
    EXPIRED = "expired"
    CANCELLED = "cancelled"
    MOVED = "moved"
    ELSEWHERE = "elsewhere"
    RELEASED = "released"


class CaseKind(StrEnum):
    """A surprise or problem that a person or a rule must settle."""

    PARCEL_UNKNOWN = "parcel-unknown"
    DEPOSITED_ELSEWHERE = "deposited-elsewhere"
    DEPOSITED_AFTER_END = "deposited-after-end"
    IN_TWO_PLACES = "in-two-places"
    STAY_UNKNOWN = "stay-unknown"
    TAKEN_OUT_TWICE = "taken-out-twice"
    TAKEN_OUT_UNASKED = "taken-out-unasked"
    DEPOSIT_DECLINED = "deposit-declined"
    NOTICE_BOUNCED = "notice-bounced"
    DOOR_STUCK = "door-stuck"
    DOOR_FORCED = "door-forced"
    CODE_ENTRY_CLOSED = "code-entry-closed"
    FACT_UNKNOWN = "fact-unknown"
    OUTCOME_UNKNOWN = "outcome-unknown"
    FORKED = "forked"
    JOURNAL_BROKEN = "journal-broken"
    ENTRIES_SET_ASIDE = "entries-set-aside"


class Event(msgspec.Struct, frozen=True, tag_field="kind"):
    """Something that happened."""


class ParcelEvent(Event, frozen=True):
    """Something that happened to one parcel; it is kept in the parcel's lane."""

    parcel: ParcelId


class PointEvent(Event, frozen=True):
    """Something that happened at one point; it is kept in the point's lane."""

    point: PointId


class ParcelAnnounced(ParcelEvent, frozen=True, tag="parcel-announced"):
    """A carrier or sender told of a parcel."""

    org: OrgId
    code: str
    direction: Direction
    room_class: RoomClass
    weight_grams: int
    recipient: ContactId | None = None
    consignment: ConsignmentId | None = None
    destination: PointId | None = None


class RoomReserved(ParcelEvent, frozen=True, tag="room-reserved"):
    """Room was promised; ``number`` rises from promise to promise of a parcel: see ``promise_number``."""

    promise: Promise
    number: int


class PromiseEnded(ParcelEvent, frozen=True, tag="promise-ended"):
    """A promise of room came to its end."""

    promise: Promise
    why: PromiseEnd


class ParcelCancelled(ParcelEvent, frozen=True, tag="parcel-cancelled"):
    """The parcel was called off."""


class ParcelRedirected(ParcelEvent, frozen=True, tag="parcel-redirected"):
    """The parcel is to go to another point."""

    to_point: PointId
    from_point: PointId | None = None


class ParcelDeposited(ParcelEvent, frozen=True, tag="parcel-deposited"):
    """A stay began; ``shared`` when the parcel lies beside another one and takes up no room of its own."""

    stay: StayKey
    point: PointId
    door: int
    room_class: RoomClass
    by: By
    evidence: Evidence
    shared: bool = False


class ParcelWithdrawn(ParcelEvent, frozen=True, tag="parcel-withdrawn"):
    """A stay ended."""

    stay: StayKey
    point: PointId
    door: int
    room_class: RoomClass
    by: By
    evidence: Evidence


class HoldStarted(ParcelEvent, frozen=True, tag="hold-started"):
    """The first notice was handed to a channel, and the free period began."""

    stay: StayKey
    ends_at: Instant


class HoldExtended(ParcelEvent, frozen=True, tag="hold-extended"):
    """The end of the hold was moved later."""

    stay: StayKey
    ends_at: Instant


class HoldPaused(ParcelEvent, frozen=True, tag="hold-paused"):
    """A reason for the hold's clock to stand began: the source is not heard from, or the door may not open."""

    stay: StayKey
    why: str


class HoldResumed(ParcelEvent, frozen=True, tag="hold-resumed"):
    """A reason for the hold's clock to stand ended; with the last one the end moved later by the time that it stood."""

    stay: StayKey
    ends_at: Instant
    why: str


class HoldLapsed(ParcelEvent, frozen=True, tag="hold-lapsed"):
    """The hold ended with the parcel still behind the door."""

    stay: StayKey


class RecallOrdered(ParcelEvent, frozen=True, tag="recall-ordered"):
    """A courier is to take the parcel out."""

    stay: StayKey
    point: PointId
    reason: RecallReason


class ParcelReleased(ParcelEvent, frozen=True, tag="parcel-released"):
    """The parcel left the network's care into its carrier's."""


class NoticeGiven(ParcelEvent, frozen=True, tag="notice-given"):
    """A notice was handed to a channel that took it."""

    notice: NoticeKind
    channel: str
    stay: StayKey | None = None


class NoticeBounced(ParcelEvent, frozen=True, tag="notice-bounced"):
    """A channel refused a notice for good."""

    notice: NoticeKind
    channel: str
    stay: StayKey | None = None


class DepositDeclined(ParcelEvent, frozen=True, tag="deposit-declined"):
    """The parcel could not be put in."""

    point: PointId
    reason: str


class StayInherited(ParcelEvent, frozen=True, tag="stay-inherited"):
    """A new controller answers for an open stay."""

    stay: StayKey
    point: PointId


class CaseOpened(ParcelEvent, frozen=True, tag="case-opened"):
    """A surprise about a parcel waits for a person or a rule."""

    case: CaseId
    what: CaseKind
    detail: str = ""


class CaseSettled(ParcelEvent, frozen=True, tag="case-settled"):
    """A case about a parcel is closed."""

    case: CaseId
    what: CaseKind
    how: str


class PointProvisioned(PointEvent, frozen=True, tag="point-provisioned"):
    """A point joined the network."""

    definition: Point


class PointChanged(PointEvent, frozen=True, tag="point-changed"):
    """A point opened, closed, or left the network."""

    status: PointStatus


class SourceInstalled(PointEvent, frozen=True, tag="source-installed"):
    """A locker bank or counter was put up at a point."""

    source: SourceId
    what: SourceKind


class ModuleAdded(PointEvent, frozen=True, tag="module-added"):
    """A module came into service."""

    source: SourceId
    module: BankModule


class ConditionChanged(PointEvent, frozen=True, tag="condition-changed"):
    """A compartment went out of order or came back, holding ``stays`` parcels; ``epoch`` is the log that told of it."""

    source: SourceId
    door: int
    room_class: RoomClass
    capacity: int
    condition: Condition
    stays: int
    epoch: int = 1


class ContactLost(PointEvent, frozen=True, tag="contact-lost"):
    """Nothing has been heard from the point's source for a while."""

    source: SourceId


class ContactRegained(PointEvent, frozen=True, tag="contact-regained"):
    """The point's source is heard from again."""

    source: SourceId


class StrayDeposited(PointEvent, frozen=True, tag="stray-deposited"):
    """A parcel that nobody has announced was put behind a door; ``parcel_named`` is what the source calls it."""

    stay: StayKey
    parcel_named: ParcelId
    door: int
    room_class: RoomClass
    by: By
    shared: bool = False


class StrayWithdrawn(PointEvent, frozen=True, tag="stray-withdrawn"):
    """A parcel that nobody has announced was taken out again."""

    stay: StayKey
    by: By


class StrayClaimed(PointEvent, frozen=True, tag="stray-claimed"):
    """A parcel that lay behind a door unannounced was announced at last; its stay goes on as that parcel's."""

    stay: StayKey


class PointCaseOpened(PointEvent, frozen=True, tag="point-case-opened"):
    """A surprise about a point or its source waits to be settled; ``detail`` names the door, parcel or channel."""

    case: CaseId
    what: CaseKind
    detail: str = ""


class PointCaseSettled(PointEvent, frozen=True, tag="point-case-settled"):
    """A case about a point or its source is closed."""

    case: CaseId
    what: CaseKind
    how: str


class ForkFound(PointEvent, frozen=True, tag="fork-found"):
    """Two journals claim to be the same source's."""

    source: SourceId
    epoch: int
    seq: int


class EpochStarted(PointEvent, frozen=True, tag="epoch-started"):
    """A new controller begins a new log epoch; earlier forks are settled by it."""

    source: SourceId
    epoch: int


AnyParcelEvent = (
    ParcelAnnounced
    | RoomReserved
    | PromiseEnded
    | ParcelCancelled
    | ParcelRedirected
    | ParcelDeposited
    | ParcelWithdrawn
    | HoldStarted
    | HoldExtended
    | HoldPaused
    | HoldResumed
    | HoldLapsed
    | RecallOrdered
    | ParcelReleased
    | NoticeGiven
    | NoticeBounced
    | DepositDeclined
    | StayInherited
    | CaseOpened
    | CaseSettled
)
AnyPointEvent = (
    PointProvisioned
    | PointChanged
    | SourceInstalled
    | ModuleAdded
    | ConditionChanged
    | ContactLost
    | ContactRegained
    | StrayDeposited
    | StrayWithdrawn
    | StrayClaimed
    | PointCaseOpened
    | PointCaseSettled
    | ForkFound
    | EpochStarted
)
AnyEvent = AnyParcelEvent | AnyPointEvent
