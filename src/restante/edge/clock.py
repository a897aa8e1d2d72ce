"""What time it is, as far as a source can tell: a clock that runs steadily, never goes back, and listens to the hub.

Theory of operation. While the program runs, the steady clock alone moves time: a wall clock that jumps while people
stand at the door changes nothing. Across a restart nobody counted, so the wall clock is believed if it is later, and
time goes on from the highest seen if it is not. The hub's time, which comes over a proven line, corrects the clock
either way, but never to before a time the hub has named already. A wall clock that was ten years ahead at a restart so
costs deposits until the hub is heard, and never a collection; one ten years behind revives nothing.
"""

from datetime import timedelta

import msgspec

from restante.core.time import EPOCH, Instant
from restante.wire import journal


class Now(msgspec.Struct, frozen=True):
    """What the machine's clocks read: wall time in UTC, milliseconds of a steady clock, and the count of starts.

    ``pace`` is how much faster wall time runs than the steady clock: 1 outside the demo.
    """

    wall: Instant
    monotonic_ms: int
    boot: int
    clock_source: str = "system"
    uncertainty_ms: int = 1_000
    pace: float = 1.0


class SteadyClock(msgspec.Struct, frozen=True):
    """The time it is held to be (``at``), the reading it was brought up to, and the latest time the hub has named."""

    at: Instant = EPOCH
    hub_named: Instant = EPOCH
    boot: int = -1
    monotonic_ms: int = 0


def brought_up(clock: SteadyClock, now: Now) -> SteadyClock:
    """The clock at this reading: by the steady clock within one start, else by the wall clock if that is later."""
    if now.boot != clock.boot:
        return SteadyClock(max(clock.at, now.wall), clock.hub_named, now.boot, now.monotonic_ms)
    passed_ms = max(0, now.monotonic_ms - clock.monotonic_ms)
    at = clock.at + timedelta(milliseconds=passed_ms) * now.pace
    return msgspec.structs.replace(clock, at=at, monotonic_ms=clock.monotonic_ms + passed_ms)


def corrected(clock: SteadyClock, hub_time: Instant) -> SteadyClock:
    """The clock after the hub named the time."""
    named = max(clock.hub_named, hub_time)
    return msgspec.structs.replace(clock, at=named, hub_named=named)


def no_earlier(clock: SteadyClock, signed_at: Instant) -> SteadyClock:
    """The clock after something was read that the hub signed at that time."""
    return msgspec.structs.replace(clock, at=max(clock.at, signed_at), hub_named=max(clock.hub_named, signed_at))


def stamp(clock: SteadyClock, now: Now) -> journal.Stamp:
    """What an entry says of its time."""
    told = journal.Clock(source=now.clock_source, uncertainty_ms=now.uncertainty_ms)
    return journal.Stamp(boot=now.boot, wall_time=clock.at, monotonic_ms=clock.monotonic_ms, clock=told)
