"""Commands: what callers ask the engine to do. Each names every row it touches, so that one trip loads them all."""

from typing import assert_never

import msgspec
from msgspec import UNSET, UnsetType

from restante.core.bank import BankModule, Point, PointStatus, RoomClass, Source
from restante.core.events import CaseKind, NoticeKind
from restante.core.facts import AnyFact, named_parcels
from restante.core.ids import (
    CaseId,
    CommandId,
    ConsignmentId,
    ContactId,
    Lane,
    OrgId,
    ParcelId,
    PointId,
    SourceId,
    StayKey,
    lane_of,
    lanes_of,
)
from restante.core.parcel import Direction
from restante.core.reservation import Firmness, Window
from restante.core.stay import RecallReason
from restante.core.time import Instant


class Keys(msgspec.Struct, frozen=True):
    """The rows a command touches; ``made`` are those of its parcels that it makes when it is accepted."""

    parcels: frozenset[ParcelId] = frozenset()
    rooms: frozenset[PointId] = frozenset()
    sources: frozenset[SourceId] = frozenset()
    points: frozenset[PointId] = frozenset()
    made: frozenset[ParcelId] = frozenset()

    def lanes(self) -> frozenset[Lane]:
        """The lanes of those rows."""
        return lanes_of((*self.parcels, *self.rooms, *self.sources, *self.points))


class Command(msgspec.Struct, frozen=True, tag_field="kind"):
    """Something asked for: its own id (at most once per id), who asks, and when."""

    id: CommandId
    actor: str
    at: Instant


class Owned(Command, frozen=True, kw_only=True):
    """Something that is done only to what belongs to ``owner``, where one is given; to everybody else it is unknown."""

    owner: OrgId | UnsetType = UNSET


class ParcelCommand(Owned, frozen=True):
    """Something asked about one parcel; its receipt is kept in the parcel's lane."""

    parcel: ParcelId


class AnnounceParcel(ParcelCommand, frozen=True, tag="announce-parcel"):
    """Tell of a parcel. Refusals: ``parcel-exists``, ``room-class-malformed``.

    ``destination`` is the point a drop-off goes on to, if it stays in the network. A parcel that a source has told of
    already is announced under the name the source gave it, and then claimed with ``ClaimStray``.
    """

    org: OrgId
    code: str
    direction: Direction
    room_class: RoomClass
    weight_grams: int
    recipient: ContactId | None = None
    consignment: ConsignmentId | None = None
    destination: PointId | None = None


class ClaimStray(ParcelCommand, frozen=True, tag="claim-stray"):
    """Take over the stay of a parcel that was put in before it was announced. Refusals: ``stray-unknown``."""

    point: PointId
    stay: StayKey


class ReserveRoom(ParcelCommand, frozen=True, tag="reserve-room"):
    """Promise room to a parcel at a point.

    Refusals: those of ``check_promise``, ``already-promised``, ``already-cancelled``, and by stage.
    """

    point: PointId
    window: Window
    firmness: Firmness
    until: Instant


class ReleaseRoom(ParcelCommand, frozen=True, tag="release-room"):
    """Give room back that is no longer needed. Refusals: ``not-promised``."""

    point: PointId


class ExpirePromise(ParcelCommand, frozen=True, tag="expire-promise"):
    """End a promise whose time is over. Refusals: ``not-promised``, ``promise-running``, ``source-unheard``."""

    point: PointId


class CancelParcel(ParcelCommand, frozen=True, tag="cancel-parcel"):
    """Call a parcel off; names the point of its promise, if it has one.

    Refusals: ``parcel-in-custody``, ``already-cancelled``, ``point-not-named``, by stage.
    """

    point: PointId | None = None


class RedirectParcel(ParcelCommand, frozen=True, tag="redirect-parcel"):
    """Send a parcel to another point; ``from_point`` is where it is promised or waits.

    Refusals: those of ``check_promise``, ``already-there``, ``already-cancelled``, ``already-recalled``,
    ``point-not-named``, by stage.
    """

    to_point: PointId
    window: Window
    until: Instant
    from_point: PointId | None = None
    firmness: Firmness = Firmness.HARD


class ExtendHold(ParcelCommand, frozen=True, tag="extend-hold"):
    """Move the end of a hold later.

    Refusals: ``hold-not-longer``, ``hold-too-long``, ``hold-lapsed``, ``already-recalled``, by stage.
    """

    ends_at: Instant
    longest_hold_hours: int


class PauseHold(ParcelCommand, frozen=True, tag="pause-hold"):
    """Stop the clock of the hold at a point, for a reason: the clock stands until the last reason has gone.

    For the reason ``NO_CONTACT`` the room is asked whether it still holds, since the task may come late.
    Refusals: ``hold-paused`` for this reason, ``source-heard``, ``point-not-named``, by stage.
    """

    point: PointId
    why: str


class ResumeHold(ParcelCommand, frozen=True, tag="resume-hold"):
    """Take away one reason for the clock of the hold at a point to stand.

    Refusals: ``hold-not-paused`` for this reason, ``source-unheard``, ``point-not-named``, by stage.
    """

    point: PointId
    why: str


class LapseHold(ParcelCommand, frozen=True, tag="lapse-hold"):
    """End a hold whose time is over; names the point where the parcel waits.

    Refusals: ``hold-running``, ``hold-paused``, ``source-unheard``, ``point-not-named``, by stage.
    """

    point: PointId


class RecallParcel(ParcelCommand, frozen=True, tag="recall-parcel"):
    """Have a courier take the parcel out; names the point where it waits. Refusals: ``already-recalled``, by stage."""

    point: PointId
    reason: RecallReason


class ReleaseParcel(ParcelCommand, frozen=True, tag="release-parcel"):
    """Let a parcel leave the network. Refusals: ``parcel-in-custody``, ``point-not-named``, by stage."""

    point: PointId | None = None


class RecordNotice(ParcelCommand, frozen=True, tag="record-notice"):
    """Say what became of a notice; the first ``ready`` that a channel takes starts the hold.

    Names the stay it tells of and the point of that stay. Refusals: ``point-not-named``.
    """

    notice: NoticeKind
    channel: str
    bounced: bool
    stay: StayKey | None = None
    point: PointId | None = None
    last_channel: bool = True


class SettleCase(ParcelCommand, frozen=True, tag="settle-case"):
    """Close a case about a parcel. Refusals: ``case-unknown``."""

    case: CaseId
    how: str


class SettlePointCase(Command, frozen=True, tag="settle-point-case"):
    """Close a case about a point or its source. Refusals: ``case-unknown``, ``point-unknown``."""

    point: PointId
    case: CaseId
    how: str


class OpenPointCase(Command, frozen=True, tag="open-point-case"):
    """Open a case about a point that no fact opens. ``about`` names its subject, ``told`` says what was found there.

    Refusals: ``case-open`` while one of this kind about this subject is, ``too-many-cases``, ``point-unknown``.
    """

    point: PointId
    what: CaseKind
    about: str
    told: str = ""


class ProvisionPoint(Command, frozen=True, tag="provision-point"):
    """Take a point into the network; what stands there is installed afterwards.

    Refusals: ``point-exists``, ``source-exists`` when the definition names a source.
    """

    definition: Point


class ChangePoint(Command, frozen=True, tag="change-point"):
    """Open, close or give up a point. Refusals: ``point-gone``."""

    point: PointId
    status: PointStatus


class InstallSource(Command, frozen=True, tag="install-source"):
    """Put up a locker bank or counter at a point, with its modules. Refusals: ``source-exists``, ``module-exists``."""

    point: PointId
    source: Source


class AddModule(Command, frozen=True, tag="add-module"):
    """Take a module into service. Refusals: ``module-exists``, ``source-unknown``."""

    point: PointId
    source: SourceId
    module: BankModule


class AdoptFact(Command, frozen=True, tag="adopt-fact"):
    """Record one journal entry. Refusals: ``journal-gap``, ``journal-fork``, ``journal-epoch``, ``source-forked``.

    An entry of an earlier epoch follows what was adopted of that epoch, and leaves later ones as they are.
    ``at`` is the wall time the source gave, as ``time.believed`` takes it; ``entry`` is the canonical entry as it came.
    """

    source: SourceId
    point: PointId
    epoch: int
    seq: int
    previous_hash: str
    hash: str
    fact: AnyFact
    entry: bytes = b""


class NoteContact(Command, frozen=True, tag="note-contact"):
    """Say that contact with a source was lost or regained. Refusals: ``contact-unchanged``."""

    point: PointId
    source: SourceId
    lost: bool


class ReportFork(Command, frozen=True, tag="report-fork"):
    """Say that two journals claim to be one source's."""

    point: PointId
    source: SourceId
    epoch: int
    seq: int


class StartEpoch(Command, frozen=True, tag="start-epoch"):
    """Begin a new log epoch for a new controller. Refusals: ``epoch-not-later``."""

    point: PointId
    source: SourceId
    epoch: int


AnyParcelCommand = (
    AnnounceParcel
    | ClaimStray
    | ReserveRoom
    | ReleaseRoom
    | ExpirePromise
    | CancelParcel
    | RedirectParcel
    | ExtendHold
    | PauseHold
    | ResumeHold
    | LapseHold
    | RecallParcel
    | ReleaseParcel
    | RecordNotice
    | SettleCase
)
SourceCommand = AdoptFact | NoteContact | ReportFork | StartEpoch | SettlePointCase | OpenPointCase
PointCommand = ProvisionPoint | ChangePoint | InstallSource | AddModule
AnyCommand = AnyParcelCommand | PointCommand | SourceCommand


def keys_of(command: AnyCommand) -> Keys:
    """Every row the command touches."""
    match command:
        case AdoptFact():
            return Keys(
                parcels=named_parcels(command.fact),
                rooms=frozenset((command.point,)),
                sources=frozenset((command.source,)),
            )
        case (
            ClaimStray()
            | ReserveRoom()
            | ReleaseRoom()
            | ExpirePromise()
            | RecallParcel()
            | PauseHold()
            | ResumeHold()
            | LapseHold()
        ):
            return Keys(parcels=frozenset((command.parcel,)), rooms=frozenset((command.point,)))
        case CancelParcel() | ReleaseParcel() | RecordNotice():
            return Keys(
                parcels=frozenset((command.parcel,)),
                rooms=frozenset((command.point,)) if command.point else frozenset(),
            )
        case AnnounceParcel():
            made = frozenset((command.parcel,))
            return Keys(parcels=made, made=made)
        case ExtendHold() | SettleCase():
            return Keys(parcels=frozenset((command.parcel,)))
        case NoteContact() | ReportFork() | StartEpoch():
            return Keys(rooms=frozenset((command.point,)), sources=frozenset((command.source,)))
        case SettlePointCase() | OpenPointCase():
            return Keys(rooms=frozenset((command.point,)))
        case ProvisionPoint():
            return Keys(rooms=frozenset((command.definition.id,)), points=frozenset((command.definition.id,)))
        case ChangePoint():
            return Keys(rooms=frozenset((command.point,)), points=frozenset((command.point,)))
        case InstallSource():
            here = frozenset((command.point,))
            return Keys(rooms=here, points=here, sources=frozenset((command.source.id,)))
        case AddModule():
            here = frozenset((command.point,))
            return Keys(rooms=here, points=here, sources=frozenset((command.source,)))
        case RedirectParcel():
            rooms = {command.to_point} | ({command.from_point} if command.from_point else set())
            return Keys(parcels=frozenset((command.parcel,)), rooms=frozenset(rooms))
        case _:
            assert_never(command)


def home_lane(command: AnyCommand) -> Lane:
    """The lane that keeps the command's receipt: its parcel's, else its point's."""
    if isinstance(command, ParcelCommand):
        return lane_of(command.parcel)
    return lane_of(command.definition.id if isinstance(command, ProvisionPoint) else command.point)
