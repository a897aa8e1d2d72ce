"""How long things took, in figures: nearest-rank percentiles, so that each is a wait that somebody had."""

import math
from collections.abc import Iterable, Sequence

import msgspec


class Waits(msgspec.Struct, frozen=True):
    """How many there were, and the waits in milliseconds that half, 99 in 100 and all of them did not exceed."""

    count: int
    p50_ms: float
    p99_ms: float
    most_ms: float

    def __str__(self) -> str:
        return f"{self.p50_ms:,.1f} / {self.p99_ms:,.1f}"


def waits(seconds: Iterable[float]) -> Waits:
    """The figures of some waits; of none, zeros with a count that says so."""
    ordered = sorted(seconds)
    if not ordered:
        return Waits(0, 0.0, 0.0, 0.0)
    return Waits(len(ordered), *(round(1000 * percentile(ordered, share), 2) for share in (0.5, 0.99, 1.0)))


def percentile(ordered: Sequence[float], share: float) -> float:
    """The value of an ascending, non-empty series that this share of it does not exceed, by nearest rank."""
    assert 0 < share <= 1
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)]
