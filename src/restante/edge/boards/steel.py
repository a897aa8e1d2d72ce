"""The steel of an emulated locker bank: doors that pop, jam and are pushed by people, with sensors that may lie.

    Closed --unlock--> Opening --time--> Open --push--> Closed
       └── unlock, held shut --> Released --pull--> Open

Pure: `step` takes time as a value, so that virtual time can run it alone.
"""

from collections.abc import Mapping
from enum import StrEnum
from typing import assert_never

from msgspec import Struct
from msgspec.structs import replace

from restante.edge.drivers.port import (
    UNSEEN,
    Accepted,
    Answer,
    Door,
    DoorChanged,
    DoorReading,
    Item,
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
