"""The worker as a program: claims tasks and timers by lease, does many at once, wakes at a signal and by the clock.

Any number of workers may run on one database: a lease keeps two off one task, and a lease that runs out (its worker
died, or was slower than anybody would be) hands the task to another. Durations of the program itself are real ones;
instants come from the clock it was given, which in a demo runs ``pace`` times faster: leases are told that much longer.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from datetime import date
from typing import TypeVar

import msgspec
import structlog

from restante.core.ids import PointId
from restante.core.reactions import IssueCode
from restante.core.refusals import Fault
from restante.core.time import Instant
from restante.hub.worker.orders import errand_of
from restante.hub.worker.steps import Steps
from restante.store.attempts import Errand
from restante.store.ledger import Ledger, TaskRow, TimerRow

_log = structlog.get_logger(__name__)

Done = TypeVar("Done")
Points = Callable[[], Awaitable[Sequence[PointId]]]
"""Every point of the network, to be reconciled in turn."""


class Rhythm(msgspec.Struct, frozen=True):
    """How often and how much: seconds of real time, except that leases are told to the ledger in the clock's.

    Codes are made ``codes_at_once``, enough to keep their threads at work while others wait for the store; everything
    else is done ``at_once`` beside them.
    """

    at_once: int = 32
    codes_at_once: int = 4
    lease_seconds: float = 60.0
    poll_seconds: float = 1.0
    reconcile_seconds: float = 300.0
    fault_seconds: float = 2.0
    pace: float = 1.0


class Worker:
    """Runs steps for whatever is due."""

    def __init__(
        self, steps: Steps, ledger: Ledger, *, now: Callable[[], Instant], points: Points, rhythm: Rhythm
    ) -> None:
        self._steps = steps
        self._ledger = ledger
        self._now = now
        self._points = points
        self._rhythm = rhythm
        self._woken = asyncio.Event()
        self._upkept: date | None = None

    async def run(self) -> None:
        """Work until cancelled. What is under way then is finished by whoever takes it up when its lease runs out."""
        async with asyncio.TaskGroup() as group:
            for duty in (self._hear(), self._tasks(), self._timers(), self._reconcile()):
                group.create_task(duty)

    async def drain(self) -> int:
        """Do everything that is due now and everything that follows from it; how much there was."""
        done = 0
        while True:
            rows: list[TaskRow | TimerRow] = [*await self._claim_tasks(())]
            rows += await self._claim_timers()
            if not rows:
                return done
            await asyncio.gather(*(self._do(row) for row in rows))
            done += len(rows)

    async def reconcile(self) -> None:
        """Bring every point in order, and do once a day what the store needs done daily."""
        today = self._now().date()
        if self._upkept != today:
            await self._ledger.upkeep(self._now())
            await self._steps.forget_old()
            self._upkept = today
        for point in await self._points():
            await self._steps.go_round(point)
        self._steps.work.round_at = time.time()

    async def _do(self, row: TaskRow | TimerRow) -> None:
        await (self._steps.do_task(row) if isinstance(row, TaskRow) else self._steps.do_timer(row))

    async def _tasks(self) -> None:
        """Keep both shares of tasks under way; look for more at a signal, when one is done, and every so often."""
        under_way: dict[Errand, tuple[TaskRow, asyncio.Task[None]]] = {}
        try:
            while True:
                self._woken.clear()
                under_way = {errand: (row, task) for errand, (row, task) in under_way.items() if not task.done()}
                claim = self._claim_tasks([row for row, _ in under_way.values()])
                for row in await self._patiently(claim) or ():
                    # One whose lease ran out while it is still under way here is not begun a second time.
                    if (errand := errand_of(row)) not in under_way:
                        under_way[errand] = row, self._begin(row)
                # What is ready was claimed, or its share is full.
                await self._until_woken()
        finally:
            for _, task in under_way.values():
                task.cancel()
            await asyncio.gather(*(task for _, task in under_way.values()), return_exceptions=True)

    def _begin(self, row: TaskRow) -> asyncio.Task[None]:
        task = asyncio.create_task(self._do(row))
        task.add_done_callback(lambda _done: self._woken.set())
        return task

    async def _timers(self) -> None:
        """Do what is due; a timer is set for later than now, so looking every so often is enough."""
        while True:
            rows = await self._patiently(self._claim_timers())
            await asyncio.gather(*(self._do(row) for row in rows or ()))
            if not rows:
                await asyncio.sleep(self._rhythm.poll_seconds)

    async def _hear(self) -> None:
        """Listen for signals; each wakes whoever claims tasks."""
        while True:
            await self._patiently(self._listen())

    async def _listen(self) -> None:
        async for _signal in self._ledger.signals():
            self._woken.set()

    async def _reconcile(self) -> None:
        while True:
            await self._patiently(self.reconcile())
            await asyncio.sleep(self._rhythm.reconcile_seconds)

    async def _until_woken(self) -> None:
        # Not ``wait_for``, which in Python 3.11 loses a cancellation that meets the end of the wait.
        with suppress(TimeoutError):
            async with asyncio.timeout(self._rhythm.poll_seconds):
                await self._woken.wait()

    async def _patiently(self, doing: Awaitable[Done]) -> Done | None:
        """What comes of it; None after a fault, and a moment to let the world recover."""
        try:
            return await doing
        except Fault as fault:
            _log.warning("worker-waits", fault=type(fault).__name__)
            await asyncio.sleep(self._rhythm.fault_seconds)
            return None

    async def _claim_tasks(self, under_way: Sequence[TaskRow]) -> Sequence[TaskRow]:
        """As many of each share as may be begun beside those ``under_way``."""
        codes = sum(isinstance(row.task, IssueCode) for row in under_way)
        others = len(under_way) - codes
        codes_free, free = self._rhythm.codes_at_once - codes, self._rhythm.at_once - others
        if not codes_free and not free:
            return ()
        return await self._ledger.claim_tasks(self._now(), free, self._lease_seconds, codes=codes_free)

    async def _claim_timers(self) -> Sequence[TimerRow]:
        return await self._ledger.claim_timers(self._now(), self._rhythm.at_once, self._lease_seconds)

    @property
    def _lease_seconds(self) -> float:
        return self._rhythm.lease_seconds * self._rhythm.pace
