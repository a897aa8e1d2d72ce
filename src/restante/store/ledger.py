"""The port to where the hub's truth is kept: what the engine, the worker and the readers ask of it.

Two implementations exist and pass the same contract suite: PostgreSQL (``postgres.py``) and the simulator's row store.

Theory of operation. A batch is two trips. The first locks the lane rows of everything its commands name, ascending, and
loads the named rows and the receipts of the commands. The second writes what changed and moves the lane heads, in one
commit. Positions in a lane are therefore gapless, in order, and owned by one batch at a time: they are the feed.

A ledger that knows the rows already may save the first trip to who asks ``ahead``: the commands are decided on what it
knows, and the one trip left locks, looks whether that still holds, writes and commits, or does nothing at all.
"""

from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Final, Protocol

import msgspec

from restante.core.bank import Point
from restante.core.commands import Keys
from restante.core.events import AnyEvent
from restante.core.ids import CommandId, Lane, OrgId, ParcelId, PointId, SourceId, StayKey
from restante.core.parcel import Parcel
from restante.core.reactions import AnyTask
from restante.core.refusals import Fault
from restante.core.reservation import Promise, Room
from restante.core.stay import RecallReason
from restante.core.time import Instant
from restante.core.timers import TimerKind
from restante.core.world import SourceHead, World


class Recorded(msgspec.Struct, frozen=True):
    """An event as it stands in the log of its lane; ``version`` is its parcel's after it, 0 for a point's event."""

    lane: Lane
    seq: int
    at: Instant
    recorded_at: Instant
    actor: str
    command: CommandId
    event: AnyEvent
    version: int = 0
    org: OrgId | None = None
    schema: int = 1


class Receipt(msgspec.Struct, frozen=True):
    """What a command came to: its fingerprint, and the events' positions or the refusal, encoded by the engine."""

    lane: Lane
    command: CommandId
    fingerprint: bytes
    outcome: bytes
    at: Instant


class JournalRow(msgspec.Struct, frozen=True):
    """One adopted journal entry, kept byte for byte."""

    source: SourceId
    epoch: int
    seq: int
    hash: str
    entry: bytes


class TaskRow(msgspec.Struct, frozen=True):
    """A task in the outbox, named by the event it follows from."""

    lane: Lane
    seq: int
    ordinal: int
    task: AnyTask
    attempts: int = 0


class TimerRow(msgspec.Struct, frozen=True):
    """A timer of a parcel."""

    parcel: ParcelId
    kind: TimerKind
    due: Instant


class OpenStay(msgspec.Struct, frozen=True, omit_defaults=True):
    """An open stay as the source's lane knows it: what a manifest, a recall list and a stopped clock need."""

    key: StayKey
    parcel: ParcelId
    point: PointId
    org: OrgId
    code: str
    door: int
    room_class: str
    direction: str
    opened_at: Instant
    recall: RecallReason | None = None
    holder: str = ""


class OpenPromise(msgspec.Struct, frozen=True, omit_defaults=True):
    """A live promise as the point's lane knows it."""

    parcel: ParcelId
    number: int
    promise: Promise
    code: str
    direction: str
    holder: str = ""


class Credential(msgspec.Struct, frozen=True):
    """How a source recognises a code: by parcel, or by organisation for its couriers. The code itself is not here."""

    point: PointId
    subject: str
    number: int
    verifier: str
    expires_at: Instant | None = None


class PointView(msgspec.Struct, frozen=True):
    """All that a manifest is made of, read in one snapshot."""

    point: Point
    room: Room
    head: SourceHead
    promises: tuple[OpenPromise, ...]
    stays: tuple[OpenStay, ...]
    credentials: tuple[Credential, ...]


class Standing(msgspec.Struct, frozen=True):
    """Every row of custody that one lane keeps, read in one snapshot: what a check compares."""

    parcels: tuple[Parcel, ...]
    rooms: tuple[Room, ...]
    promises: tuple[OpenPromise, ...]
    stays: tuple[OpenStay, ...]
    timers: tuple[TimerRow, ...]


class Signal(msgspec.Struct, frozen=True):
    """A commit left tasks behind; ``points`` are those whose manifests it changed, None when that is not known."""

    points: tuple[PointId, ...] | None = None


class Changes(msgspec.Struct):
    """What one batch writes. Rows in ``parcels``, ``rooms``, ``sources``, ``points`` are whole and replace old ones.

    ``promises`` maps (point, parcel) and ``stays`` a stay's key to its row, or to None when it ended; ``timers`` maps
    (parcel, kind) to the new due time, or to None to clear it. A parcel's rows change only together with the parcel.
    """

    events: list[Recorded] = []
    parcels: dict[ParcelId, Parcel] = {}
    rooms: dict[PointId, Room] = {}
    sources: dict[SourceId, SourceHead] = {}
    points: dict[PointId, Point] = {}
    promises: dict[tuple[PointId, ParcelId], OpenPromise | None] = {}
    stays: dict[StayKey, OpenStay | None] = {}
    timers: dict[tuple[ParcelId, TimerKind], Instant | None] = {}
    tasks: list[TaskRow] = []
    receipts: list[Receipt] = []
    journal: list[JournalRow] = []


class Batch(Protocol):
    """Locked lanes and loaded rows, until committed or left."""

    world: World
    heads: Mapping[Lane, int]
    receipts: Mapping[CommandId, Receipt]

    async def commit(self, changes: Changes) -> None:
        """Write and commit, once.

        Faults: ``OutcomeUnknown`` when the answer to the commit was lost. With every other one nothing was written:
        ``StoreDown``, ``LaneStalled``, ``RowsMoved``, ``RowsRefused``; of a batch asked for ahead, also ``Unforeseen``.
        """


class Ledger(Protocol):
    """Where the hub's truth is kept."""

    def transact(
        self, keys: Keys, receipts: Mapping[CommandId, Lane], *, ahead: bool = False
    ) -> AbstractAsyncContextManager[Batch]:
        """Begin a batch over these rows; leaving without a commit rolls it back.

        Asked ``ahead``, it may show rows as the ledger last knew them, and no receipts. Only its commit tells whether
        that was the truth, so nothing that was decided on them may be told to anybody before.

        A row whose lane does not exist is loaded as None, and ``heads`` lacks that lane. Faults: ``StoreDown``,
        ``LaneStalled``, ``RowsRefused``.
        """

    async def ensure_lanes(self, count: int) -> None:
        """Make the lanes 0 … ``count`` - 1 that are missing."""

    async def lane_heads(self) -> Mapping[Lane, int]:
        """The head of every lane."""

    async def cuts(self) -> Mapping[Lane, int]:
        """Of each lane the position up to which days were retired; a lane whose log is whole has none."""

    async def parcels(self, ids: Iterable[ParcelId]) -> Mapping[ParcelId, Parcel]:
        """Those of these parcels that exist."""

    async def rooms(self, ids: Iterable[PointId]) -> Mapping[PointId, Room]:
        """Those of these rooms that exist."""

    async def source(self, source: SourceId) -> SourceHead | None:
        """How far a source's journal has been adopted."""

    async def journal(self, source: SourceId, epoch: int, span: range) -> Sequence[JournalRow]:
        """Adopted entries whose numbers lie in ``span``, in order."""

    async def feed(self, lane: Lane, after: int, limit: int) -> Sequence[Recorded]:
        """Events of a lane with a position greater than ``after``, in order."""

    async def history(self, subject: ParcelId | PointId) -> Sequence[Recorded]:
        """Every event about one parcel or point, in order."""

    async def view(self, point: PointId) -> PointView | None:
        """What a point's manifest is made of; None when the point or its source does not exist."""

    async def standing(self, lane: Lane) -> Standing:
        """Every row of custody of a lane: much to read, and meant for checks."""

    async def claim_tasks(self, now: Instant, limit: int, lease_seconds: float, *, codes: int) -> Sequence[TaskRow]:
        """Lease tasks that nobody holds, oldest first; a lease that runs out makes a task claimable again.

        Up to ``codes`` of those that make codes, which are slow, and up to ``limit`` of all others: each has a share of
        its own, so that neither waits behind a burst of the other.
        """

    async def finish_tasks(self, done: Iterable[TaskRow]) -> None:
        """Delete tasks that have had their effect."""

    async def postpone_task(self, task: TaskRow, until: Instant) -> None:
        """Give a task back, to be claimed no earlier than ``until``, with one attempt more."""

    async def claim_timers(self, now: Instant, limit: int, lease_seconds: float) -> Sequence[TimerRow]:
        """Lease timers that are due; a timer goes when its parcel changes, a lease keeps two workers off one timer."""

    async def put_credential(self, credential: Credential) -> bool:
        """Store how a code is recognised; False when another live code at the point has the same verifier."""

    async def drop_credential(self, point: PointId, subject: str) -> None:
        """Forget how a code is recognised."""

    def signals(self) -> AsyncIterator[Signal]:
        """A signal at once, then one for each commit that left tasks.

        Some may be lost, so whoever listens also polls. Fault: ``StoreDown``; then listen again.
        """

    async def upkeep(self, now: Instant) -> None:
        """What is due at least daily: forget what is older than ``KEPT_DAYS``, make room for the coming days."""


KEPT_DAYS: Final = 7
"""For how many days a request under its Idempotency-Key, and a command under its id, is answered and not done again."""


class StoreDown(Fault):
    """The database cannot be reached; start it, or set DATABASE_URL to one that runs."""

    retryable = True


class LaneStalled(Fault):
    """Another writer holds the lane and does not let go."""

    retryable = True


class OutcomeUnknown(Fault):
    """The answer to a commit was lost; the lane's head tells whether it took place."""

    retryable = True


class RowsMoved(Fault):
    """Somebody other than the engine changed a row of the batch; nothing was written."""

    retryable = True


class Unforeseen(RowsMoved):
    """What a batch begun ahead took for granted is not so; nothing was written. Begin it again, and not ahead."""


class RowsRefused(Fault):
    """The database refused what was to be written; trying it again would end the same way."""


class LaneMissing(Fault):
    """A command would write to a lane that does not exist."""
