"""The shell around the pacing rule: coroutines wait here for their turn on one bus."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from itertools import count
from typing import assert_never

from msgspec import Struct

from restante.edge.drivers.pacing import (
    BusQueue,
    Idle,
    Pacing,
    PollTurn,
    Refuse,
    Serve,
    Turn,
    UnlockTurn,
    Wake,
    ask,
    call_next,
    leave,
)
from restante.edge.drivers.port import DoorChanged, Listener, Rejected


class Clock(Struct, frozen=True):
    """Milliseconds that never run backwards, and a way to let them pass; virtual time brings its own."""

    now_ms: Callable[[], int]
    sleep_ms: Callable[[int], Awaitable[None]]


async def _sleep_ms(duration_ms: int) -> None:
    await asyncio.sleep(duration_ms / 1000)


MONOTONIC = Clock(lambda: time.monotonic_ns() // 1_000_000, _sleep_ms)


class Listeners:
    """Those who want to hear of unsolicited door changes."""

    def __init__(self) -> None:
        self._all: list[Listener] = []

    def add(self, listener: Listener) -> Callable[[], None]:
        """Remember `listener`; the returned function forgets it and may be called twice."""
        self._all.append(listener)

        def forget() -> None:
            self._all[:] = [other for other in self._all if other is not listener]

        return forget

    def tell(self, change: DoorChanged) -> None:
        """Call every listener, in the order they came."""
        for listener in tuple(self._all):
            listener(change)


class Bus:
    """One bus, one question at a time, in the order `pacing.call_next` decides."""

    def __init__(self, pacing: Pacing, clock: Clock) -> None:
        self._pacing = pacing
        self._clock = clock
        self._queue = BusQueue()
        self._tickets = count()
        self._called: dict[Turn, asyncio.Future[Rejected | None]] = {}
        self._alarm: asyncio.Task[None] | None = None
        self._closed = False

    @asynccontextmanager
    async def unlock_turn(self, door: int, before_ms: int | None) -> AsyncIterator[Rejected | None]:
        """Hold the bus for one pulse, or learn why there will be none."""
        async with self._turn(UnlockTurn(next(self._tickets), door, before_ms)) as rejected:
            yield rejected

    @asynccontextmanager
    async def poll_turn(self) -> AsyncIterator[Rejected | None]:
        """Hold the bus for one look at the sensors, or learn why not."""
        async with self._turn(PollTurn(next(self._tickets))) as rejected:
            yield rejected

    def close(self) -> None:
        """Reject everybody who waits and everybody who comes."""
        self._closed = True
        if self._alarm is not None:
            self._alarm.cancel()
        for turn in self._queue.waiting:
            self._answer(turn, Rejected("bus-closed"))

    @asynccontextmanager
    async def _turn(self, turn: Turn) -> AsyncIterator[Rejected | None]:
        asked = Rejected("bus-closed") if self._closed else ask(self._queue, turn, self._pacing)
        if isinstance(asked, Rejected):
            yield asked
            return
        self._queue = asked
        called = self._called[turn] = asyncio.get_running_loop().create_future()
        try:
            self._call()
            yield await called
        finally:
            del self._called[turn]
            self._queue = leave(self._queue, turn)
            self._call()

    def _call(self) -> None:
        while not self._closed:
            self._queue, call = call_next(self._queue, self._pacing, self._clock.now_ms())
            match call:
                case Refuse(turn, why):
                    self._answer(turn, why)
                    continue
                case Serve(turn):
                    self._answer(turn, None)
                case Wake(at_ms):
                    self._wake(at_ms)
                case Idle():
                    pass
                case _:
                    assert_never(call)
            return

    def _answer(self, turn: Turn, rejected: Rejected | None) -> None:
        called = self._called[turn]
        if not called.done():  # a waiter cancelled in this very instant leaves by itself
            called.set_result(rejected)

    def _wake(self, at_ms: int) -> None:
        if self._alarm is None or self._alarm.done():
            self._alarm = asyncio.get_running_loop().create_task(self._sleep_until(at_ms))

    async def _sleep_until(self, at_ms: int) -> None:
        await self._clock.sleep_ms(max(0, at_ms - self._clock.now_ms()))
        self._alarm = None
        self._call()
