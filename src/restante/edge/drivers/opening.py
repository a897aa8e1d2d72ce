"""Carries the steps of `evidence` out on a real or emulated bus."""

from typing import assert_never

from restante.edge.drivers.bus import Clock
from restante.edge.drivers.evidence import (
    Answered,
    Concluded,
    Effect,
    OpeningRules,
    SampleAt,
    Sampled,
    SendPulse,
    Verdict,
    begin,
    step,
)
from restante.edge.drivers.port import UNSEEN, LockBoard
from restante.edge.moments import Moment, reached


async def open_door(
    board: LockBoard, door: int, *, deadline_ms: int, clock: Clock, rules: OpeningRules | None = None
) -> Verdict:
    """Open one door and say what the sensors saw. `deadline_ms` is on `clock`, which must be the board's own."""
    rules = rules or OpeningRules()
    state, effects = begin(door, deadline_ms=deadline_ms, now_ms=clock.now_ms())
    while not isinstance(state, Concluded):
        given = await _carry_out(effects[0], board, door=door, clock=clock)
        state, effects = step(state, given, now_ms=clock.now_ms(), rules=rules)
    return state.verdict


async def _carry_out(effect: Effect, board: LockBoard, *, door: int, clock: Clock) -> Answered | Sampled:
    match effect:
        case SendPulse(door, before_ms):
            reached(Moment.BEFORE_PULSE)
            answer = await board.unlock(door, before_ms=before_ms)
            reached(Moment.AFTER_PULSE)
            return Answered(answer)
        case SampleAt(at_ms):
            await clock.sleep_ms(max(0, at_ms - clock.now_ms()))
            return Sampled((await board.read_all()).get(door, UNSEEN).door)
        case _:
            assert_never(effect)
