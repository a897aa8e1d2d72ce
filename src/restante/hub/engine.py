"""The custody engine: commands in, durable events out, one path for one command and for ten thousand.

Theory of operation. Callers hand in commands; while a lane's last batch is on its way to the disk the next one gathers,
so batches make themselves as large as the load asks for and an idle hub adds no wait. A batch is one transaction over
every lane its commands name: load the named rows (or go by what is known of them, and have that confirmed at the end),
decide in arrival order and in memory (so command k sees what k-1 did), write, commit; only then are the callers
answered. A refusal is a value, so one bad command never disturbs its
neighbours. A fault rolls the whole batch back: it is tried once more, then halved until the command that cannot be
stored stands alone and is answered with the fault.

Commands with an id leave a receipt, and the same id again is answered from it. A command without an id (a journal
entry, a timer) is idempotent by the state it meets.
"""

import asyncio
import gc
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from hashlib import sha256
from time import perf_counter
from typing import Final, TypeVar

import msgspec
from msgspec import UNSET

from restante.core import events as ev
from restante.core.commands import AdoptFact, AnyCommand, Keys, ParcelCommand, home_lane, keys_of
from restante.core.decide import execute
from restante.core.ids import Lane, ParcelId, lane_of
from restante.core.parcel import Parcel
from restante.core.reactions import react
from restante.core.refusals import Fault, Refusal
from restante.core.time import Instant
from restante.core.timers import TimerKind, timers_of
from restante.core.world import World
from restante.hub.measures import Batches
from restante.store.derived import open_promises, open_stays
from restante.store.gathering import all_have_come
from restante.store.ledger import (
    Batch,
    Changes,
    JournalRow,
    LaneMissing,
    Ledger,
    OutcomeUnknown,
    Receipt,
    Recorded,
    TaskRow,
    Unforeseen,
)

replace = msgspec.structs.replace


class Accepted(msgspec.Struct, frozen=True, tag="accepted"):
    """A command was accepted: where its events stand, as (lane, position); ``replayed`` when a receipt answered."""

    positions: tuple[tuple[int, int], ...] = ()
    replayed: bool = False


class Refused(msgspec.Struct, frozen=True, tag="refused"):
    """A refusal as a receipt keeps it."""

    refusal: Refusal


Outcome = Accepted | Refusal

K = TypeVar("K")
V = TypeVar("V")

_OUTCOME: msgspec.json.Decoder[Accepted | Refused] = msgspec.json.Decoder(Accepted | Refused)
_ENCODER = msgspec.json.Encoder()


_ATTEMPTS: Final = 2
_ANY_TIME: Final = Instant.min


class CommandBroken(Fault):
    """The command met a mistake in the program; nothing of it was stored, and its neighbours were not touched."""


class Draft:
    """One batch being decided: the rows as they change, and what is to be written."""

    def __init__(self, batch: Batch, now: Instant) -> None:
        self.world: World = batch.world
        self.now = now
        self.changes = Changes()
        self._heads = dict(batch.heads)
        self._receipts = dict(batch.receipts)
        self._versions = {key: parcel.version if parcel else 0 for key, parcel in batch.world.parcels.items()}
        self._parcels = dict(batch.world.parcels)
        self._rooms = dict(batch.world.rooms)
        self._sources = dict(batch.world.sources)
        self._points = dict(batch.world.points)

    def take(self, command: AnyCommand) -> Outcome:
        """Decide one command, after all those taken before it."""
        fingerprint = _fingerprint(command) if command.id else b""
        if command.id in self._receipts:
            return _replayed(self._receipts[command.id], fingerprint)
        outcome = self._decide(command)
        if command.id:
            self._write_receipt(command, fingerprint, outcome)
        return outcome

    def finish(self) -> Changes:
        """Everything to write, whole rows included."""
        changes, world = self.changes, self.world
        for key, parcel in world.parcels.items():
            if parcel is not None and parcel is not self._parcels[key]:
                self._note_parcel(self._parcels[key], parcel)
        changes.rooms = {
            key: replace(room, version=room.version + 1)
            for key, room in world.rooms.items()
            if room is not None and room is not self._rooms[key]
        }
        changes.sources = {
            key: source
            for key, source in world.sources.items()
            if source is not None and source is not self._sources[key]
        }
        changes.points = {
            key: point for key, point in world.points.items() if point is not None and point is not self._points[key]
        }
        return changes

    def _decide(self, command: AnyCommand) -> Outcome:
        known = self._is_known(command)
        decision = execute(command, self.world)
        if isinstance(decision, Refusal):
            return decision
        if isinstance(command, AdoptFact) and not known:
            row = JournalRow(command.source, command.epoch, command.seq, command.hash, command.entry)
            self.changes.journal.append(row)
        return Accepted(tuple([self._record(command, event) for event in decision]))

    def _is_known(self, command: AnyCommand) -> bool:
        if not isinstance(command, AdoptFact):
            return False
        head = self.world.sources[command.source]
        return head is not None and head.holds(command.epoch, command.seq)

    def _record(self, command: AnyCommand, event: ev.AnyEvent) -> tuple[int, int]:
        if isinstance(event, ev.ParcelEvent):
            parcel, lane = self.world.parcels[event.parcel], lane_of(event.parcel)
            version = self._versions[event.parcel] = self._versions[event.parcel] + 1
        else:
            parcel, lane, version = None, lane_of(event.point), 0
        if lane not in self._heads:
            raise LaneMissing(f"There is no lane {lane}: the hub was started with fewer lanes than its ids name")
        seq = self._heads[lane] = self._heads[lane] + 1
        org = parcel.org if parcel else None
        recorded = Recorded(lane, seq, command.at, self.now, command.actor, command.id, event, version, org, ev.SCHEMA)
        self.changes.events.append(recorded)
        for ordinal, task in enumerate(react(event, parcel)):
            self.changes.tasks.append(TaskRow(lane, seq, ordinal, task))
        return lane, seq

    def _note_parcel(self, before: Parcel | None, after: Parcel) -> None:
        """Write a parcel, and what follows from it where that changed between the batch's beginning and its end."""
        self.changes.parcels[after.id] = after
        was_promised, was_in = (before.promise, before.stays) if before else (None, ())
        promise_changed, stays_changed = after.promise is not was_promised, after.stays is not was_in
        if promise_changed:
            _note(self.changes.promises, open_promises(before), open_promises(after))
        if stays_changed:
            _note(self.changes.stays, open_stays(before), open_stays(after))
        if promise_changed or stays_changed:
            self._note_timers(after.id, timers_of(before), timers_of(after))

    def _note_timers(
        self, parcel: ParcelId, before: Mapping[TimerKind, Instant], after: Mapping[TimerKind, Instant]
    ) -> None:
        timers = self.changes.timers
        timers.update({(parcel, kind): due for kind, due in after.items() if before.get(kind) != due})
        timers.update({(parcel, kind): None for kind in before if kind not in after})

    def _write_receipt(self, command: AnyCommand, fingerprint: bytes, outcome: Outcome) -> None:
        kept = Refused(outcome) if isinstance(outcome, Refusal) else outcome
        receipt = Receipt(home_lane(command), command.id, fingerprint, _ENCODER.encode(kept), self.now)
        self._receipts[command.id] = receipt
        self.changes.receipts.append(receipt)


def _note(changes: dict[K, V | None], before: Mapping[K, V], after: Mapping[K, V]) -> None:
    changes.update({key: row for key, row in after.items() if before.get(key) != row})
    changes.update({key: None for key in before if key not in after})


def _fingerprint(command: AnyCommand) -> bytes:
    """What makes two commands with one id the same: everything but the instant they arrived at and who may ask."""
    bare = (
        replace(command, at=_ANY_TIME, owner=UNSET)
        if isinstance(command, ParcelCommand)
        else replace(command, at=_ANY_TIME)
    )
    return sha256(_ENCODER.encode(bare)).digest()[:16]


def _replayed(receipt: Receipt, fingerprint: bytes) -> Outcome:
    if receipt.fingerprint != fingerprint:
        return Refusal("key-reused", "id", receipt.command)
    outcome = _OUTCOME.decode(receipt.outcome)
    return outcome.refusal if isinstance(outcome, Refused) else replace(outcome, replayed=True)


def keys_of_all(commands: Iterable[AnyCommand]) -> Keys:
    """Every row that any of the commands touches."""
    keys = [keys_of(command) for command in commands]
    return Keys(
        parcels=frozenset().union(*[key.parcels for key in keys]),
        rooms=frozenset().union(*[key.rooms for key in keys]),
        sources=frozenset().union(*[key.sources for key in keys]),
        points=frozenset().union(*[key.points for key in keys]),
        made=frozenset().union(*[key.made for key in keys]),
    )


async def run_batch(ledger: Ledger, commands: Sequence[AnyCommand], now: Instant) -> list[Outcome]:
    """Decide and store commands in one transaction. Faults: those of the ledger; then nothing was stored."""
    try:
        return await _run_batch(ledger, commands, now, ahead=True)
    except Unforeseen:
        return await _run_batch(ledger, commands, now, ahead=False)


async def _run_batch(ledger: Ledger, commands: Sequence[AnyCommand], now: Instant, *, ahead: bool) -> list[Outcome]:
    receipts = {command.id: home_lane(command) for command in commands if command.id}
    async with ledger.transact(keys_of_all(commands), receipts, ahead=ahead) as batch:
        draft = Draft(batch, now)
        outcomes = [draft.take(command) for command in commands]
        changes = draft.finish()
        try:
            await batch.commit(changes)
        except OutcomeUnknown:
            if not changes.events or not await _was_stored(ledger, changes.events[-1]):
                raise
    return outcomes


async def _was_stored(ledger: Ledger, last: Recorded) -> bool:
    """Whether the batch that ends with this event is known to be committed: positions belong to one batch only."""
    try:
        found = await ledger.feed(last.lane, last.seq - 1, 1)
    except Fault:  # the outcome stays unknown, which a fault of the reading would hide
        return False
    return list(found) == [last]


class _Job:
    """Commands of one caller that are decided in order, and where their answers go."""

    __slots__ = ("answer", "commands")

    def __init__(self, commands: Sequence[AnyCommand]) -> None:
        self.commands = commands
        self.answer: asyncio.Future[list[Outcome | Fault]] = asyncio.get_running_loop().create_future()


class Engine:
    """Gathers commands by lane and runs them in batches, one batch a lane at a time; ``measured`` counts them."""

    def __init__(self, ledger: Ledger, now: Callable[[], Instant], *, max_batch: int, queue_limit: int) -> None:
        self._ledger = ledger
        self._now = now
        self._max_batch = max_batch
        self._queue_limit = queue_limit
        self._waiting: dict[Lane, deque[_Job]] = {}
        self._writers: dict[Lane, asyncio.Task[None]] = {}
        self._queued = 0
        self.measured = Batches()

    @property
    def queued(self) -> Mapping[Lane, int]:
        """How many commands wait for a batch, by lane."""
        return {lane: sum(len(job.commands) for job in waiting) for lane, waiting in self._waiting.items()}

    @property
    def queue_limit(self) -> int:
        """How many commands may wait."""
        return self._queue_limit

    async def submit(self, command: AnyCommand) -> Outcome:
        """The outcome of one command. Refusals: ``busy`` and the command's own. Faults: the ledger's."""
        if busy := self._busy(1):
            return busy
        (outcome,) = await self._enqueue(home_lane(command), [command]).answer
        if isinstance(outcome, Fault):
            raise outcome
        return outcome

    async def submit_all(self, commands: Sequence[AnyCommand]) -> list[Outcome]:
        """The outcome of each command; those of one lane are decided in order. Faults: the first one met."""
        outcomes = await self.try_all(commands)
        for outcome in outcomes:
            if isinstance(outcome, Fault):
                raise outcome
        return [outcome for outcome in outcomes if not isinstance(outcome, Fault)]

    async def try_all(self, commands: Sequence[AnyCommand]) -> list[Outcome | Fault]:
        """As ``submit_all``, with a fault as the answer to the very command it befell."""
        if busy := self._busy(len(commands)):
            return [busy] * len(commands)
        lanes: dict[Lane, list[int]] = {}
        for index, command in enumerate(commands):
            lanes.setdefault(home_lane(command), []).append(index)
        answers: list[Outcome | Fault | None] = [None] * len(commands)
        jobs = [
            (part, self._enqueue(lane, [commands[index] for index in part]))
            for lane, whole in lanes.items()
            for part in self._cut(whole)
        ]
        for part, job in jobs:
            for index, outcome in zip(part, await job.answer, strict=True):
                answers[index] = outcome
        return [answer for answer in answers if answer is not None]

    async def close(self) -> None:
        """Let the batches under way finish, then stop."""
        for writer in list(self._writers.values()):
            with suppress(asyncio.CancelledError):
                await writer

    def _cut(self, indices: list[int]) -> Iterable[list[int]]:
        return (indices[start : start + self._max_batch] for start in range(0, len(indices), self._max_batch))

    def _busy(self, more: int) -> Refusal | None:
        """The refusal of so many more commands, if there is no room for them in the queue."""
        if self._queued + more <= self._queue_limit:
            return None
        self.measured.turn_away(more)
        return Refusal("busy", "", f"{self._queued} commands are waiting")

    def _enqueue(self, lane: Lane, commands: Sequence[AnyCommand]) -> _Job:
        job = _Job(commands)
        self._queued += len(commands)
        self._waiting.setdefault(lane, deque()).append(job)
        if lane not in self._writers:
            self._writers[lane] = asyncio.create_task(self._write(lane))
        return job

    async def _write(self, lane: Lane) -> None:
        """Run batches for a lane until nobody waits there."""
        waiting = self._waiting[lane]
        try:
            while waiting:
                await all_have_come(waiting, self._max_batch)
                await self._answer(lane, self._gather(waiting))
        finally:
            # Ids come from callers and may name any lane: nothing is kept of one where nobody waits.
            del self._writers[lane], self._waiting[lane]
            self._drop(waiting)

    def _gather(self, waiting: deque[_Job]) -> list[_Job]:
        jobs = [waiting.popleft()]
        size = len(jobs[0].commands)
        while waiting and size + len(waiting[0].commands) <= self._max_batch:
            jobs.append(waiting.popleft())
            size += len(jobs[-1].commands)
        return jobs

    async def _answer(self, lane: Lane, jobs: list[_Job]) -> None:
        commands = [command for job in jobs for command in job.commands]
        begun_s = perf_counter()
        try:
            outcomes = await self._run(commands)
        except BaseException:
            self._drop(jobs)
            raise
        self._queued -= len(commands)
        self.measured.note(lane, outcomes, perf_counter() - begun_s)
        start = 0
        for job in jobs:
            end = start + len(job.commands)
            if not job.answer.done():
                job.answer.set_result(outcomes[start:end])
            start = end

    def _drop(self, jobs: Iterable[_Job]) -> None:
        """Leave nobody waiting for a writer that was cancelled."""
        for job in jobs:
            self._queued -= len(job.commands)
            job.answer.cancel()

    async def _run(self, commands: Sequence[AnyCommand]) -> list[Outcome | Fault]:
        """Run a batch; if it cannot be stored halve it, so that the command at fault stands alone."""
        fault = await self._attempt(commands)
        if not isinstance(fault, Fault):
            return [*fault]
        if len(commands) == 1 or fault.retryable:
            return [fault] * len(commands)
        middle = len(commands) // 2
        return [*await self._run(commands[:middle]), *await self._run(commands[middle:])]

    async def _attempt(self, commands: Sequence[AnyCommand]) -> list[Outcome] | Fault:
        """Run a batch, once more after a fault. An outcome that was unknown and could not be learnt stays unknown."""
        faults: list[Fault] = []
        for _ in range(_ATTEMPTS):
            try:
                return await run_batch(self._ledger, commands, self._now())
            except Fault as fault:
                faults.append(fault)
            except Exception as bug:  # noqa: BLE001 -- a bug in one command must not take its neighbours with it
                broken = CommandBroken()
                broken.__cause__ = bug
                return broken
        unknown = [fault for fault in faults if isinstance(fault, OutcomeUnknown)]
        return unknown[0] if unknown and faults[-1].retryable else faults[-1]


def settle_memory() -> None:
    """Keep the garbage collector from walking again and again over what lives as long as the program.

    Call it once, when the program is up: a batch makes many short-lived rows and no cycles, and with the standard
    thresholds a third of the engine's time goes into looking for some.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 20)
