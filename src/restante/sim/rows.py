"""The ledger in memory: the same port as PostgreSQL's, without a disk, a clock or chance, and with faults on order.

It passes the ledger's contract suite. What is committed here outlives the engine that wrote it, so a simulated hub is
killed by dropping its engine and started again over the same rows. A planted fault breaks the next commit: before its
effect (nothing is written), or after it (all is written and the answer lost).
"""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import timedelta
from enum import StrEnum
from typing import TypeVar

import msgspec

from restante.core.bank import Point
from restante.core.commands import Keys
from restante.core.ids import CommandId, Lane, ParcelId, PointId, SourceId, StayKey, lane_of
from restante.core.parcel import Parcel
from restante.core.reactions import IssueCode
from restante.core.reservation import Room
from restante.core.time import EPOCH, Instant
from restante.core.timers import TimerKind
from restante.core.world import SourceHead, World
from restante.store.derived import refreshed, subject_of
from restante.store.ledger import (
    KEPT_DAYS,
    Changes,
    Credential,
    JournalRow,
    OpenPromise,
    OpenStay,
    OutcomeUnknown,
    PointView,
    Receipt,
    Recorded,
    RowsMoved,
    Signal,
    Standing,
    StoreDown,
    TaskRow,
    TimerRow,
    Unforeseen,
)

K = TypeVar("K")
V = TypeVar("V")


class Break(StrEnum):
    """Where a commit breaks."""

    BEFORE = "before its effect, and the caller knows"
    UNSEEN = "before its effect, and the caller cannot know"
    AFTER = "after its effect, and the caller cannot know"


class _Timer(msgspec.Struct):
    due: Instant
    leased_until: Instant = EPOCH


class _Task(msgspec.Struct):
    row: TaskRow
    ready_at: Instant = EPOCH


class RowBatch:
    """Locked lanes and the rows of one batch; one begun ahead has not looked for receipts."""

    def __init__(
        self, ledger: "RowLedger", keys: Keys, receipts: Mapping[CommandId, Lane], *, ahead: bool = False
    ) -> None:
        self.world = World(
            {key: ledger.kept_parcels.get(key) for key in keys.parcels},
            {key: ledger.kept_rooms.get(key) for key in keys.rooms},
            {key: ledger.kept_sources.get(key) for key in keys.sources},
            {key: ledger.kept_points.get(key) for key in keys.points},
        )
        self.heads: Mapping[Lane, int] = {
            lane: len(ledger.logs[lane]) for lane in sorted(keys.lanes()) if lane in ledger.logs
        }
        self.receipts: Mapping[CommandId, Receipt] = {
            command: ledger.receipts[lane, command]
            for command, lane in receipts.items()
            if not ahead and (lane, command) in ledger.receipts
        }
        self._ledger = ledger
        self._ahead = ahead

    async def commit(self, changes: Changes) -> None:
        """Write everything at once: see ``Batch.commit``."""
        try:
            self._commit(changes)
        except RowsMoved as moved:
            if self._ahead:
                raise Unforeseen from moved
            raise

    def _commit(self, changes: Changes) -> None:
        match self._ledger.take_break():
            case None:
                self._ledger.write(changes)
            case Break.BEFORE:
                raise StoreDown
            case Break.UNSEEN:
                raise OutcomeUnknown
            case Break.AFTER:
                self._ledger.write(changes)
                raise OutcomeUnknown


class RowLedger:
    """Every row of a simulated hub."""

    def __init__(self) -> None:
        self.logs: dict[Lane, list[Recorded]] = {}
        self.receipts: dict[tuple[Lane, CommandId], Receipt] = {}
        self.kept_parcels: dict[ParcelId, Parcel] = {}
        self.kept_rooms: dict[PointId, Room] = {}
        self.kept_sources: dict[SourceId, SourceHead] = {}
        self.kept_points: dict[PointId, Point] = {}
        self._promises: dict[tuple[PointId, ParcelId], OpenPromise] = {}
        self._stays: dict[StayKey, OpenStay] = {}
        self._timers: dict[tuple[ParcelId, TimerKind], _Timer] = {}
        self._tasks: dict[tuple[Lane, int, int], _Task] = {}
        self._journal: dict[tuple[SourceId, int, int], JournalRow] = {}
        self._credentials: dict[tuple[PointId, str], Credential] = {}
        self._locks: dict[Lane, asyncio.Lock] = {}
        self._breaks: deque[Break | None] = deque()
        self._listeners: list[asyncio.Queue[Signal]] = []
        self._turn = 0

    def plant(self, where: Break, *, after_commits: int = 0) -> None:
        """Break a commit: the next one, or one so many commits later."""
        self._breaks.extend([None] * (after_commits - len(self._breaks)))
        self._breaks.insert(after_commits, where)

    def take_break(self) -> Break | None:
        """What befalls the commit that takes place now."""
        return self._breaks.popleft() if self._breaks else None

    def write(self, changes: Changes) -> None:
        """Make the changes of a batch take effect. Fault: ``RowsMoved`` when a receipt of its commands exists."""
        if any((row.lane, row.command) in self.receipts for row in changes.receipts):
            raise RowsMoved
        for row in changes.events:
            assert row.seq == len(self.logs[row.lane]) + 1, "a batch takes the next positions of its lane"
            self.logs[row.lane].append(row)
        self.kept_parcels |= changes.parcels
        self.kept_rooms |= changes.rooms
        self.kept_sources |= changes.sources
        self.kept_points |= changes.points
        _merge(self._promises, changes.promises)
        _merge(self._stays, changes.stays)
        timers = {key: _Timer(due) if due is not None else None for key, due in changes.timers.items()}
        _merge(self._timers, timers)
        self._tasks |= {(row.lane, row.seq, row.ordinal): _Task(row) for row in changes.tasks}
        self.receipts |= {(row.lane, row.command): row for row in changes.receipts}
        self._journal |= {(row.source, row.epoch, row.seq): row for row in changes.journal}
        if changes.tasks:
            for listener in self._listeners:
                listener.put_nowait(Signal(tuple(refreshed(changes.tasks))))

    @asynccontextmanager
    async def transact(
        self, keys: Keys, receipts: Mapping[CommandId, Lane], *, ahead: bool = False
    ) -> AsyncIterator[RowBatch]:
        """One batch: see ``Ledger.transact``."""
        async with AsyncExitStack() as held:
            for lane in sorted(keys.lanes()):
                if lane in self._locks:
                    await held.enter_async_context(self._locks[lane])
            yield RowBatch(self, keys, receipts, ahead=ahead)

    async def ensure_lanes(self, count: int) -> None:
        """Make the lanes that are missing."""
        for lane in map(Lane, range(count)):
            self.logs.setdefault(lane, [])
            self._locks.setdefault(lane, asyncio.Lock())

    async def lane_heads(self) -> Mapping[Lane, int]:
        """The head of every lane."""
        return {lane: len(log) for lane, log in sorted(self.logs.items())}

    async def cuts(self) -> Mapping[Lane, int]:
        """None: what is kept here is kept whole."""
        return {}

    async def parcels(self, ids: Iterable[ParcelId]) -> Mapping[ParcelId, Parcel]:
        """Those of these parcels that exist."""
        return {key: self.kept_parcels[key] for key in ids if key in self.kept_parcels}

    async def rooms(self, ids: Iterable[PointId]) -> Mapping[PointId, Room]:
        """Those of these rooms that exist."""
        return {key: self.kept_rooms[key] for key in ids if key in self.kept_rooms}

    async def source(self, source: SourceId) -> SourceHead | None:
        """How far a source's journal has been adopted."""
        return self.kept_sources.get(source)

    async def journal(self, source: SourceId, epoch: int, span: range) -> Sequence[JournalRow]:
        """Adopted entries whose numbers lie in ``span``, in order."""
        return [
            self._journal[source, epoch, seq]
            for seq in range(span.start, span.stop)
            if (source, epoch, seq) in self._journal
        ]

    async def feed(self, lane: Lane, after: int, limit: int) -> Sequence[Recorded]:
        """Events of a lane after a position, in order."""
        return self.logs.get(lane, [])[max(after, 0) : max(after, 0) + limit]

    async def history(self, subject: ParcelId | PointId) -> Sequence[Recorded]:
        """Every event about one parcel or point, in order."""
        return [row for row in self.logs.get(lane_of(subject), []) if subject_of(row) == subject]

    async def view(self, point: PointId) -> PointView | None:
        """What a point's manifest is made of."""
        head = next((head for head in self.kept_sources.values() if head.point == point), None)
        if point not in self.kept_points or head is None:
            return None
        return PointView(
            self.kept_points[point],
            self.kept_rooms[point],
            head,
            tuple(row for (at, _), row in sorted(self._promises.items()) if at == point),
            tuple(row for key, row in sorted(self._stays.items()) if key.source == head.source),
            tuple(row for (at, _), row in sorted(self._credentials.items()) if at == point),
        )

    async def standing(self, lane: Lane) -> Standing:
        """Every row of custody of a lane."""
        timers = sorted((key, timer) for key, timer in self._timers.items() if lane_of(key[0]) == lane)
        return Standing(
            tuple(row for key, row in sorted(self.kept_parcels.items()) if lane_of(key) == lane),
            tuple(row for key, row in sorted(self.kept_rooms.items()) if lane_of(key) == lane),
            tuple(row for (point, _), row in sorted(self._promises.items()) if lane_of(point) == lane),
            tuple(row for key, row in sorted(self._stays.items()) if lane_of(key.source) == lane),
            tuple(TimerRow(parcel, kind, timer.due) for (parcel, kind), timer in timers),
        )

    async def claim_tasks(self, now: Instant, limit: int, lease_seconds: float, *, codes: int) -> Sequence[TaskRow]:
        """Lease tasks that nobody holds, one lane after the other, oldest first."""
        claimed: list[TaskRow] = []
        left = {True: codes, False: limit}
        for lane in self._lanes_in_turn():
            for key in sorted(key for key, task in self._tasks.items() if key[0] == lane and task.ready_at <= now):
                task = self._tasks[key]
                makes_code = isinstance(task.row.task, IssueCode)
                if left[makes_code]:
                    left[makes_code] -= 1
                    task.ready_at = now + timedelta(seconds=lease_seconds)
                    claimed.append(task.row)
        return sorted(claimed, key=lambda row: (row.seq, row.lane, row.ordinal))

    async def finish_tasks(self, done: Iterable[TaskRow]) -> None:
        """Delete tasks that have had their effect."""
        for row in done:
            self._tasks.pop((row.lane, row.seq, row.ordinal), None)

    async def postpone_task(self, task: TaskRow, until: Instant) -> None:
        """Give a task back for later."""
        kept = self._tasks.get((task.lane, task.seq, task.ordinal))
        if kept is not None:
            kept.row = msgspec.structs.replace(kept.row, attempts=kept.row.attempts + 1)
            kept.ready_at = until

    async def claim_timers(self, now: Instant, limit: int, lease_seconds: float) -> Sequence[TimerRow]:
        """Lease timers that are due, one lane after the other, the longest due first."""
        claimed: list[TimerRow] = []
        for lane in self._lanes_in_turn():
            due = sorted(
                (timer.due, key)
                for key, timer in self._timers.items()
                if lane_of(key[0]) == lane and timer.due <= now and timer.leased_until <= now
            )
            for at, key in due[: limit - len(claimed)]:
                self._timers[key].leased_until = now + timedelta(seconds=lease_seconds)
                claimed.append(TimerRow(*key, at))
        return sorted(claimed, key=lambda row: (row.due, row.parcel, row.kind))

    async def put_credential(self, credential: Credential) -> bool:
        """Store how a code is recognised; False when another live code at the point has the same verifier."""
        if any(
            other.verifier == credential.verifier and other.subject != credential.subject
            for (point, _), other in self._credentials.items()
            if point == credential.point
        ):
            return False
        self._credentials[credential.point, credential.subject] = credential
        return True

    async def drop_credential(self, point: PointId, subject: str) -> None:
        """Forget how a code is recognised."""
        self._credentials.pop((point, subject), None)

    async def signals(self) -> AsyncIterator[Signal]:
        """A signal at once, then one for each commit that left tasks."""
        queue = asyncio.Queue[Signal]()
        self._listeners.append(queue)
        try:
            yield Signal()
            while True:
                yield await queue.get()
        finally:
            self._listeners.remove(queue)

    async def upkeep(self, now: Instant) -> None:
        """Forget old receipts."""
        oldest = now - timedelta(days=KEPT_DAYS)
        self.receipts = {key: row for key, row in self.receipts.items() if row.at >= oldest}

    def _lanes_in_turn(self) -> list[Lane]:
        lanes = sorted(self.logs)
        self._turn = (self._turn + 1) % max(len(lanes), 1)
        return [*lanes[self._turn :], *lanes[: self._turn]]


def _merge(rows: dict[K, V], changes: Mapping[K, V | None]) -> None:
    for key, row in changes.items():
        if row is None:
            rows.pop(key, None)
        else:
            rows[key] = row
