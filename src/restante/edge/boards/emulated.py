"""An emulated lock board in this process: the steel on a clock, behind the same port as the drivers of real boards."""

import asyncio
from collections.abc import Callable, Mapping

from restante.edge.boards.steel import Board, Deed, Input, Tick, Touch, Unlock, next_change_ms, sense, step
from restante.edge.drivers.bus import MONOTONIC, Bus, Clock, Listeners
from restante.edge.drivers.pacing import Pacing
from restante.edge.drivers.port import UNSEEN, Answer, DoorChanged, DoorReading, Listener, NoAck, Rejected


class LiveBoard:
    """A `Board` on a clock: doors spring open when their time comes, and listeners hear of it."""

    def __init__(self, board: Board, clock: Clock = MONOTONIC) -> None:
        self._board = board
        self._clock = clock
        self._alarm: asyncio.Task[None] | None = None
        self.listeners = Listeners()

    @property
    def board(self) -> Board:
        """The board as it stands at this moment."""
        self.put(Tick())
        return self._board

    def put(self, given: Input) -> Answer | None:
        """Let something happen to the board; returns the answer if it was an `Unlock`."""
        self._board, outputs = step(self._board, given, self._clock.now_ms())
        answer: Answer | None = None
        for output in outputs:
            if isinstance(output, DoorChanged):
                self.listeners.tell(output)
            else:
                answer = output
        self._set_alarm()
        return answer

    def touch(self, door: int, *deeds: Deed) -> None:
        """Do one thing after another to a door."""
        for deed in deeds:
            self.put(Touch(door, deed))

    def close(self) -> None:
        """Stop the clockwork."""
        if self._alarm is not None:
            self._alarm.cancel()

    def _set_alarm(self) -> None:
        at_ms = next_change_ms(self._board)
        if at_ms is not None and (self._alarm is None or self._alarm.done()):
            self._alarm = asyncio.get_running_loop().create_task(self._spring(at_ms))

    async def _spring(self, at_ms: int) -> None:
        await self._clock.sleep_ms(max(0, at_ms - self._clock.now_ms()))
        self._alarm = None
        self.put(Tick())


class EmulatedBoard:
    """The driver port in front of a `LiveBoard`, with the same queue and pacing as a real bus."""

    def __init__(self, live: LiveBoard, *, pacing: Pacing | None = None, clock: Clock = MONOTONIC) -> None:
        self._live = live
        self._clock = clock
        self._bus = Bus(pacing or Pacing(), clock)
        self._answer_within_ms = 500

    async def unlock(self, door: int, *, before_ms: int | None = None) -> Answer:
        """See `LockBoard.unlock`."""
        if not 1 <= door <= len(self._live.board.locks):
            return Rejected("unknown-door")
        async with self._bus.unlock_turn(door, before_ms) as rejected:
            if rejected is not None:
                return rejected
            answer = self._live.put(Unlock(door))
            assert answer is not None
            return answer if await self._replies_in_time() else NoAck()

    async def read_all(self) -> Mapping[int, DoorReading]:
        """See `LockBoard.read_all`."""
        async with self._bus.poll_turn() as rejected:
            if rejected is None and await self._replies_in_time():
                return sense(self._live.board)
        return dict.fromkeys(sense(self._live.board), UNSEEN)

    def changes(self, listener: Listener) -> Callable[[], None]:
        """See `LockBoard.changes`."""
        return self._live.listeners.add(listener)

    async def close(self) -> None:
        """See `LockBoard.close`."""
        self._bus.close()
        self._live.close()

    async def _replies_in_time(self) -> bool:
        delay_ms = self._live.board.knobs.reply_delay_ms
        if delay_ms:
            await self._clock.sleep_ms(min(delay_ms, self._answer_within_ms))
        return delay_ms < self._answer_within_ms
