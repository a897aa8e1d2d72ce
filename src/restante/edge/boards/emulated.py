"""An emulated lock board: doors that pop, jam and are pushed by people, with sensors that may lie.

    Closed --unlock--> Opening --time--> Open --push--> Closed
       └── unlock, held shut --> Released --pull--> Open

`step` is pure and takes time as a value, so virtual time can run it alone. `LiveBoard` gives it a clock;
`EmulatedBoard` puts it behind the driver port, beside the drivers of real boards.
"""

import asyncio
from collections.abc import Callable, Mapping
from enum import StrEnum
from typing import assert_never

from msgspec import Struct
from msgspec.structs import replace

from restante.edge.drivers.bus import MONOTONIC, Bus, Clock, Listeners
from restante.edge.drivers.pacing import Pacing
from restante.edge.drivers.port import (
    UNSEEN,
    Accepted,
    Answer,
    Door,
    DoorChanged,
    DoorReading,
    Item,
    Listener,
    NoAck,
    Rejected,
)


class Closed(Struct, frozen=True):
    """Shut and bolted."""


class Opening(Struct, frozen=True):
    """The bolt is back and the spring is pushing; still reads closed."""

    opens_at_ms: int


class Released(Struct, frozen=True):
    """The bolt is back but something holds the door shut; still reads closed."""


class Open(Struct, frozen=True):
    """Visibly open."""


Leaf = Closed | Opening | Released | Open


class Trouble(StrEnum):
    """What is wrong with a lock: a jammed bolt ignores every pulse, a blocked door does not spring open."""

    NONE = "none"
    JAMMED = "jammed"
    BLOCKED = "blocked"


class Lock(Struct, frozen=True):
    """One door, its lock and what lies behind it."""

    leaf: Leaf = Closed()
    trouble: Trouble = Trouble.NONE
    has_item: bool = False


class Knobs(Struct, frozen=True, kw_only=True):
    """How the board itself misbehaves."""

    powered: bool = True
    acknowledges: bool = True
    reply_delay_ms: int = 0
    opening_ms: int = 120
    lying_doors: frozenset[int] = frozenset()
    lying_items: frozenset[int] = frozenset()
    blind_doors: frozenset[int] = frozenset()


class Board(Struct, frozen=True):
    """All locks of one board; door n is `locks[n - 1]`."""

    locks: tuple[Lock, ...]
    knobs: Knobs = Knobs()


class Deed(StrEnum):
    """What a person, a parcel or fate does to a door."""

    PULL = "pull"
    PUSH = "push"
    FORCE = "force"
    PUT = "put"
    TAKE = "take"
    JAM = "jam"
    BLOCK = "block"
    MEND = "mend"


class Unlock(Struct, frozen=True):
    """The controller asks for one pulse."""

    door: int


class Touch(Struct, frozen=True):
    """Somebody is at a door."""

    door: int
    deed: Deed


class Tick(Struct, frozen=True):
    """Time passed; `next_change_ms` says when this is worth sending."""


Input = Unlock | Touch | Knobs | Tick
Output = Answer | DoorChanged


def board_of(doors: int) -> Board:
    """A sound board with `doors` closed, empty compartments."""
    return Board((Lock(),) * doors)


def step(board: Board, given: Input, now_ms: int) -> tuple[Board, tuple[Output, ...]]:
    """Let time pass, then let `given` happen: the answer to an `Unlock` comes first, sensed changes after it."""
    before = sense(board)
    board = _let_pass(board, now_ms)
    answers: tuple[Answer, ...] = ()
    match given:
        case Unlock(door):
            board, answer = _pulse(board, door, now_ms)
            answers = (answer,)
        case Touch(door, deed):
            board = _with_lock(board, door, touched(board.locks[door - 1], deed))
        case Knobs():
            board = replace(board, knobs=given)
        case Tick():
            pass
        case _:
            assert_never(given)
    return board, (*answers, *_changes(before, sense(board)))


def sense(board: Board) -> dict[int, DoorReading]:
    """What the sensors say now, lies included; a board without power says nothing."""
    return {door: _sensed(lock, door, board.knobs) for door, lock in enumerate(board.locks, 1)}


def next_change_ms(board: Board) -> int | None:
    """When the next door will spring open by itself, if any will."""
    return min((lock.leaf.opens_at_ms for lock in board.locks if isinstance(lock.leaf, Opening)), default=None)


def touched(lock: Lock, deed: Deed) -> Lock:
    """The lock after a deed; an impossible deed (putting through a closed door) leaves it as it was."""
    is_open = isinstance(lock.leaf, Open)
    match deed:
        case Deed.PULL:
            return lock if isinstance(lock.leaf, Closed) else replace(lock, leaf=Open())
        case Deed.PUSH:
            return replace(lock, leaf=Closed())
        case Deed.FORCE:
            return replace(lock, leaf=Open())
        case Deed.PUT | Deed.TAKE:
            return replace(lock, has_item=deed is Deed.PUT) if is_open else lock
        case Deed.JAM:
            return replace(lock, trouble=Trouble.JAMMED)
        case Deed.BLOCK:
            return replace(lock, trouble=Trouble.BLOCKED)
        case Deed.MEND:
            return replace(lock, trouble=Trouble.NONE)
        case _:
            assert_never(deed)


def _pulse(board: Board, door: int, now_ms: int) -> tuple[Board, Answer]:
    if not 1 <= door <= len(board.locks):
        return board, Rejected("unknown-door")
    if not board.knobs.powered:
        return board, NoAck()
    lock = board.locks[door - 1]
    moved = replace(lock, leaf=_unbolted(lock, now_ms + board.knobs.opening_ms))
    return _with_lock(board, door, moved), Accepted() if board.knobs.acknowledges else NoAck()


def _unbolted(lock: Lock, opens_at_ms: int) -> Leaf:
    if not isinstance(lock.leaf, Closed):
        return lock.leaf
    match lock.trouble:
        case Trouble.NONE:
            return Opening(opens_at_ms)
        case Trouble.BLOCKED:
            return Released()
        case Trouble.JAMMED:
            return lock.leaf
        case _:
            assert_never(lock.trouble)


def _let_pass(board: Board, now_ms: int) -> Board:
    def aged(lock: Lock) -> Lock:
        sprung = isinstance(lock.leaf, Opening) and lock.leaf.opens_at_ms <= now_ms
        return replace(lock, leaf=Open()) if sprung else lock

    return replace(board, locks=tuple(map(aged, board.locks)))


def _with_lock(board: Board, door: int, lock: Lock) -> Board:
    return replace(board, locks=(*board.locks[: door - 1], lock, *board.locks[door:]))


def _sensed(lock: Lock, door: int, knobs: Knobs) -> DoorReading:
    if not knobs.powered or door in knobs.blind_doors:
        return UNSEEN
    reads_open = isinstance(lock.leaf, Open) != (door in knobs.lying_doors)
    reads_item = lock.has_item != (door in knobs.lying_items)
    return DoorReading(Door.OPEN if reads_open else Door.CLOSED, Item.YES if reads_item else Item.NO)


def _changes(before: Mapping[int, DoorReading], after: Mapping[int, DoorReading]) -> tuple[DoorChanged, ...]:
    return tuple(
        DoorChanged(door, reading)
        for door, reading in after.items()
        if Door.UNKNOWN not in (before[door].door, reading.door) and before[door].door != reading.door
    )


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
