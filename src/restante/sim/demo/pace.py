"""The demo's time: a day that runs faster than the clock on the wall, the same in every program of the demo.

Everything that people and parcels do runs ``pace`` times faster. What machines do to each other (pings, session clocks,
deadlines, door pulses, certificates) runs in real time.
"""

import os
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Final

import msgspec

from restante.core.refusals import Fault
from restante.core.time import Instant

FROM: Final = "RESTANTE_PACE_FROM"
PACE: Final = "RESTANTE_PACE"


class PaceMalformed(Fault):
    """The demo's time cannot be told: RESTANTE_PACE is a number of at least 1, RESTANTE_PACE_FROM an instant."""


class PacedClock(msgspec.Struct, frozen=True):
    """Time that agrees with real time at ``since`` and runs ``pace`` times faster from then on."""

    since: Instant
    pace: float = 1.0

    def at(self, real: Instant) -> Instant:
        """The demo's time at a real instant."""
        return self.since + (real - self.since) * self.pace

    def now(self) -> Instant:
        """The demo's time now."""
        return self.at(real_now())

    def real_seconds(self, hours: float) -> float:
        """How many real seconds so many hours of the demo take."""
        return hours * 3600 / self.pace

    def environment(self) -> dict[str, str]:
        """What tells other programs this time."""
        return {FROM: self.since.isoformat(), PACE: repr(self.pace)}


def real_now() -> Instant:
    """Real time in UTC."""
    return datetime.now(UTC)


def read_clock(environ: Mapping[str, str] = os.environ) -> PacedClock:
    """The clock of this program: real time unless the demo has told another. Fault: ``PaceMalformed``."""
    given = environ.get(FROM)
    if given is None:
        return PacedClock(datetime(1970, 1, 1, tzinfo=UTC))
    try:
        since, pace = datetime.fromisoformat(given), float(environ.get(PACE, "1"))
    except ValueError as wrong:
        raise PaceMalformed from wrong
    if since.tzinfo is None or not 1 <= pace <= 100_000:
        raise PaceMalformed
    return PacedClock(since, pace)


def hours(count: float) -> timedelta:
    """So many hours."""
    return timedelta(hours=count)
