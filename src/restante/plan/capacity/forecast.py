"""How full a bank will be in the hours ahead, size by size, with quantiles.

Theory of operation. What lies there is thinned by the hazard of its dwell; what is promised comes or does not, and is
thinned from then on; what is not known of yet arrives by a Poisson process of given means and is thinned likewise,
which leaves a Poisson number. All are independent, so the count of each size is a Poisson-binomial plus a Poisson
number, and exact. Nobody is turned away in this: where a bank fills up, the forecast tells how many would want it,
which is more than what will lie there.
"""

from collections.abc import Sequence
from functools import reduce
from typing import Final

import msgspec
import numpy as np
from numpy.typing import NDArray

from restante.plan.capacity.counts import Chances, chance_all_fit, how_many, poisson, quantile, together
from restante.plan.capacity.dwell import WEEK_HOURS, Dwell, still_there

LEVELS: Final = (0.1, 0.5, 0.9)
"""Of which quantiles are told unless others are asked for."""


class Lying(msgspec.Struct, frozen=True):
    """A parcel that lies in a compartment of a size, at least as large as its own.

    ``noticed`` is the local hour of the week of its notice (0 is Monday from midnight to one), ``waited`` the whole
    hours since.
    """

    compartment_size: int
    size: int
    noticed: int
    waited: int


class Promised(msgspec.Struct, frozen=True):
    """A parcel that is announced: the chance that it comes, and in how many hours."""

    size: int
    comes: float
    in_hours: int


class Outlook(msgspec.Struct, frozen=True):
    """A bank now: the local hour of the week, its compartments in order by size, what lies there, what is to come.

    ``arrivals`` has a row for each hour ahead and a column for each size: the mean number of parcels that arrive in
    that hour and are not among the promised.
    """

    hour: int
    compartments: tuple[int, ...]
    lying: tuple[Lying, ...]
    promised: tuple[Promised, ...]
    arrivals: NDArray[np.float64]


class Fullness(msgspec.Struct, frozen=True):
    """A bank in some hours: by size the mean and the quantiles of what wants a compartment; the same of the whole bank.

    ``quantiles`` has a row for each size and an entry for each level. ``chance_full`` is the chance that not all fit.
    """

    in_hours: int
    means: tuple[float, ...]
    quantiles: tuple[tuple[int, ...], ...]
    whole: tuple[int, ...]
    chance_full: float


def forecast(
    outlook: Outlook, dwell: Dwell, *, hours: Sequence[int], levels: Sequence[float] = LEVELS
) -> tuple[Fullness, ...]:
    """How full the bank will be in each of these hours from now; none is beyond the arrivals given."""
    assert outlook.arrivals.shape[1] == len(outlook.compartments), "arrivals have a column for each size"
    assert all(0 <= ahead <= len(outlook.arrivals) for ahead in hours), "arrivals have a row for each hour ahead"
    thinning = _Thinning(dwell)
    return tuple(_fullness(ahead, outlook, _counts(ahead, outlook, thinning), levels=levels) for ahead in hours)


class _Thinning:
    """Chances to be still there, each curve worked out once."""

    def __init__(self, dwell: Dwell) -> None:
        self._dwell = dwell
        self._curves: dict[tuple[int, int], NDArray[np.float64]] = {}

    def left(self, noticed: int, size: int, *, waited: int = 0, ahead: int) -> float:
        """The chance that what was noticed in an hour and has waited is still there so many hours ahead."""
        kind, most = (noticed % WEEK_HOURS, size), waited + ahead
        curve = self._curves.get(kind)
        if curve is None or len(curve) <= most:
            curve = self._curves[kind] = still_there(self._dwell, *kind, hours=max(most, WEEK_HOURS))
        return float(curve[most] / curve[waited])


def _counts(ahead: int, outlook: Outlook, thinning: _Thinning) -> list[Chances]:
    """By size, how many will want a compartment."""
    single: list[list[float]] = [[] for _ in outlook.compartments]
    for one in outlook.lying:
        left = thinning.left(one.noticed, one.size, waited=one.waited, ahead=ahead)
        single[one.compartment_size].append(left)
    for due in outlook.promised:
        if due.in_hours <= ahead:
            left = thinning.left(outlook.hour + due.in_hours, due.size, ahead=ahead - due.in_hours)
            single[due.size].append(due.comes * left)
    arrived = [_arrived(ahead, outlook, thinning, size=size) for size in range(len(single))]
    return [together(how_many(chances), poisson(mean)) for chances, mean in zip(single, arrived, strict=True)]


def _arrived(ahead: int, outlook: Outlook, thinning: _Thinning, *, size: int) -> float:
    """The mean of what arrives until then and is still there. It counts as noticed at the end of its hour."""
    return sum(
        float(outlook.arrivals[hour, size]) * thinning.left(outlook.hour + hour + 1, size, ahead=ahead - hour - 1)
        for hour in range(ahead)
    )


def _fullness(ahead: int, outlook: Outlook, counts: Sequence[Chances], *, levels: Sequence[float]) -> Fullness:
    means = tuple(float(count @ np.arange(len(count))) for count in counts)
    quantiles = tuple(tuple(quantile(count, level) for level in levels) for count in counts)
    everything = reduce(together, counts)
    whole = tuple(quantile(everything, level) for level in levels)
    return Fullness(ahead, means, quantiles, whole, 1.0 - chance_all_fit(counts, outlook.compartments))
