"""Whose turn it is on a bus: unlocks before polls, a gap between pulses, and no lock pulsed until it burns.

Pure: the queue is a value and time is an argument, so that real buses and virtual time share one rule. A supply that
feeds several solenoids at once browns out, hence the gap; a hammered solenoid overheats, hence the limit per lock.
"""

from typing import Annotated

from msgspec import Meta, Struct
from msgspec.structs import replace

from restante.edge.drivers.port import Rejected


class Pacing(Struct, frozen=True, kw_only=True):
    """How gently one supply and its locks are treated."""

    gap_ms: Annotated[int, Meta(ge=500, le=1000)] = 700
    pulses_per_lock: Annotated[int, Meta(ge=1, le=2)] = 2
    lock_window_ms: Annotated[int, Meta(ge=5_000)] = 5_000
    waiting_limit: Annotated[int, Meta(ge=1)] = 64


class UnlockTurn(Struct, frozen=True):
    """Somebody wants to pulse `door`, not after `before_ms`."""

    ticket: int
    door: int
    before_ms: int | None = None


class PollTurn(Struct, frozen=True):
    """Somebody wants to ask a board for its sensors."""

    ticket: int


Turn = UnlockTurn | PollTurn


class Pulse(Struct, frozen=True):
    """A pulse that was allowed, whether or not the board ever answered."""

    door: int
    at_ms: int


class BusQueue(Struct, frozen=True, kw_only=True):
    """Who waits, who is being served, and the pulses still remembered (oldest first)."""

    waiting: tuple[Turn, ...] = ()
    serving: Turn | None = None
    pulses: tuple[Pulse, ...] = ()


class Serve(Struct, frozen=True):
    """The bus is this turn's until it leaves."""

    turn: Turn


class Refuse(Struct, frozen=True):
    """This turn will not be served."""

    turn: UnlockTurn
    why: Rejected


class Wake(Struct, frozen=True):
    """Nothing may be served before `at_ms`; ask again then."""

    at_ms: int


class Idle(Struct, frozen=True):
    """Nothing to do until somebody asks or leaves."""


Call = Serve | Refuse | Wake | Idle


def ask(queue: BusQueue, turn: Turn, pacing: Pacing) -> BusQueue | Rejected:
    """Join the queue, or be rejected with `bus-full`."""
    if len(queue.waiting) >= pacing.waiting_limit:
        return Rejected("bus-full", pacing.gap_ms)
    return replace(queue, waiting=(*queue.waiting, turn))


def leave(queue: BusQueue, turn: Turn) -> BusQueue:
    """Give the bus back, or stop waiting for it."""
    serving = None if queue.serving == turn else queue.serving
    return replace(queue, serving=serving, waiting=_without(queue, turn))


def call_next(queue: BusQueue, pacing: Pacing, now_ms: int) -> tuple[BusQueue, Call]:
    """Decide who comes next. After `Serve` nobody else is called until that turn leaves."""
    if queue.serving is not None:
        return queue, Idle()
    unlocks = [turn for turn in queue.waiting if isinstance(turn, UnlockTurn)]
    for turn in unlocks:
        if why := _objection(queue, turn, pacing=pacing, now_ms=now_ms):
            return replace(queue, waiting=_without(queue, turn)), Refuse(turn, why)
    gap_ends_ms = queue.pulses[-1].at_ms + pacing.gap_ms if queue.pulses else now_ms
    if unlocks and now_ms >= gap_ends_ms:
        return _serve_unlock(queue, unlocks[0], pacing=pacing, now_ms=now_ms)
    # What still waits and is no unlock is a poll, and a poll may use the gap.
    for poll in queue.waiting:
        if isinstance(poll, PollTurn):
            return replace(queue, waiting=_without(queue, poll), serving=poll), Serve(poll)
    return queue, Wake(gap_ends_ms) if unlocks else Idle()


def _serve_unlock(queue: BusQueue, turn: UnlockTurn, *, pacing: Pacing, now_ms: int) -> tuple[BusQueue, Call]:
    remembered = tuple(pulse for pulse in queue.pulses if pulse.at_ms + pacing.lock_window_ms > now_ms)
    pulses = (*remembered, Pulse(turn.door, now_ms))
    return BusQueue(waiting=_without(queue, turn), serving=turn, pulses=pulses), Serve(turn)


def _objection(queue: BusQueue, turn: UnlockTurn, *, pacing: Pacing, now_ms: int) -> Rejected | None:
    if turn.before_ms is not None and now_ms >= turn.before_ms:
        return Rejected("deadline-passed")
    recent = [p.at_ms for p in queue.pulses if p.door == turn.door and p.at_ms + pacing.lock_window_ms > now_ms]
    if len(recent) < pacing.pulses_per_lock:
        return None
    return Rejected("lock-cooling", recent[-pacing.pulses_per_lock] + pacing.lock_window_ms - now_ms)


def _without(queue: BusQueue, turn: Turn) -> tuple[Turn, ...]:
    return tuple(other for other in queue.waiting if other != turn)
