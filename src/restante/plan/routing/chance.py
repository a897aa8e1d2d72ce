"""Chance for compiled search: a stream of numbers that follows from its seed alone, on every machine."""

import numpy as np
from numpy.typing import NDArray

from restante.plan.compiled import inner

Stream = NDArray[np.uint64]


def stream(seed: int) -> Stream:
    """A stream of its own for every seed (Steele, Lea, Flood: splitmix64, OOPSLA 2014)."""
    return np.array([(seed * 0x9E3779B97F4A7C15 + 0x1234567) % 2**64], dtype=np.uint64)


@inner
def draw(chance: Stream) -> np.uint64:
    """The next 64 bits."""
    chance[0] += np.uint64(0x9E3779B97F4A7C15)
    bits = chance[0]
    bits = (bits ^ (bits >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    bits = (bits ^ (bits >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return np.uint64(bits ^ (bits >> np.uint64(31)))


@inner
def uniform(chance: Stream) -> float:
    """A number from 0 up to, but not including, 1."""
    return float(draw(chance) >> np.uint64(11)) * 2.0**-53


@inner
def below(chance: Stream, count: int) -> int:
    """A whole number from 0 up to, but not including, ``count``."""
    return int(uniform(chance) * count)
