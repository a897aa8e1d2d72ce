"""Erlang's loss formula: how often a bank of one size is full, and how many compartments keep that rare.

It is exact for parcels that arrive by a Poisson process and are turned away when nothing is free, whatever the
distribution of the time that they stay; only its mean counts (Sevastyanov, Theory of Probability 2, 1957).
"""

from collections.abc import Iterator
from typing import Final

MOST_COMPARTMENTS: Final = 100_000


def erlang_b(compartments: int, load: float) -> float:
    """The chance that a comer finds all compartments taken.

    ``load`` is in erlangs: parcels an hour times the mean hours of a stay. By the recursion
    B(n) = a B(n-1) / (n + a B(n-1)), which is stable where the formula with factorials overflows.
    """
    assert compartments >= 0, "no fewer compartments than none"
    assert load >= 0, "no less than nothing arrives"
    *_, blocked = _each(compartments, load)
    return blocked


def compartments_for(load: float, limit: float) -> int:
    """The fewest compartments at which a comer is turned away with a chance of ``limit`` at most."""
    assert 0 < limit <= 1, "some limit has to be allowed"
    for count, blocked in enumerate(_each(MOST_COMPARTMENTS, load)):
        if blocked <= limit:
            return count
    raise AssertionError(f"a load of {load} erlangs belongs to no single bank")


def load_for(compartments: int, limit: float) -> float:
    """The largest load, in erlangs, that is turned away with a chance of ``limit`` at most; by bisection."""
    assert 0 < limit < 1, "a limit lies between 0 and 1"
    if compartments == 0:
        return 0.0
    low, high = 0.0, 1.0
    while erlang_b(compartments, high) <= limit:
        low, high = high, 2 * high
    while high - low > 1e-12 * high:
        middle = (low + high) / 2
        if erlang_b(compartments, middle) <= limit:
            low = middle
        else:
            high = middle
    return low


def _each(most: int, load: float) -> Iterator[float]:
    blocked = 1.0
    yield blocked
    for count in range(1, most + 1):
        blocked = load * blocked / (count + load * blocked)
        yield blocked
