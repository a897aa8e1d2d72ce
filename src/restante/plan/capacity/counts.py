"""How many of several uncertain things happen: distributions of counts, exact, as arrays of chances from 0 upwards."""

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import gammaln

Chances = NDArray[np.float64]
"""Entry ``n`` is the chance that exactly ``n`` of them happen."""

NEGLIGIBLE: Final = 1e-15
"""A tail of this chance is cut off a distribution that has no end of its own."""

TRANSFORMED_AT_ONCE: Final = 512
"""The transform of more would need memory by their square."""

_SURE: Final = 1e-12


def how_many(chances: ArrayLike) -> Chances:
    """How many of independent things happen that have these chances each: the Poisson-binomial distribution.

    The discrete Fourier transform of its characteristic function (Hong, Computational Statistics & Data Analysis 59,
    2013): exact but for rounding, which is below 1e-13. The answer has one entry more than there are things.
    """
    each = np.asarray(chances, dtype=np.float64).ravel()
    assert bool(((each >= 0) & (each <= 1)).all()), "a chance is 0 to 1"
    if len(each) > TRANSFORMED_AT_ONCE:
        middle = len(each) // 2
        return together(how_many(each[:middle]), how_many(each[middle:]))
    size = len(each) + 1
    # The second half of the transform of a real sequence mirrors the first.
    turns = np.exp(2j * np.pi * np.arange(size // 2 + 1) / size)
    transform = (1.0 + np.outer(turns - 1.0, each)).prod(axis=1)
    count = np.fft.irfft(transform.conj(), n=size)
    return np.clip(count, 0.0, 1.0)


def poisson(mean: float) -> Chances:
    """How many events of a Poisson process fall where ``mean`` are expected, up to a tail of ``NEGLIGIBLE``."""
    assert mean >= 0, "no fewer than none are expected"
    if mean == 0:
        return np.ones(1)
    most = int(mean + 12 * np.sqrt(mean) + 30)
    at = np.arange(most + 1)
    count: Chances = np.exp(at * np.log(mean) - mean - gammaln(at + 1))
    return count[: int(np.flatnonzero(count > NEGLIGIBLE)[-1]) + 1]


def together(one: Chances, other: Chances) -> Chances:
    """The sum of two independent counts."""
    return np.convolve(one, other)


def quantile(count: Chances, level: float) -> int:
    """The least number that is not exceeded with a chance of ``level`` or more."""
    assert 0 < level < 1, "a level lies between 0 and 1"
    return min(int(np.searchsorted(count.cumsum(), level - _SURE)), len(count) - 1)


def chance_above(count: Chances, most: int) -> float:
    """The chance of more than ``most``. Summed from the far end, so that small chances keep their digits."""
    return float(count[: max(0, most) : -1].sum()) if most >= 0 else 1.0


def chance_all_fit(wanted: Sequence[Chances], compartments: Sequence[int]) -> float:
    """The chance that all parcels find a compartment, where a smaller parcel may stand in a larger one.

    ``wanted`` and ``compartments`` go from the smallest size up; counts of different sizes are independent. Sizes nest,
    so all fit exactly if for each size what is as large or larger wants no more compartments than there are of that
    size or larger: the sum is built from the largest size down, and what exceeds it is cut off at each step.
    """
    assert len(wanted) == len(compartments), "one distribution for each size"
    fitting, room = np.ones(1), 0
    for count, more in zip(reversed(wanted), reversed(compartments), strict=True):
        room += more
        fitting = together(fitting, count)[: room + 1]
    return min(1.0, float(fitting.sum()))
