"""What options share: compartments by stop and size, and preference levels; as rows over all options of a day."""

from collections.abc import Sequence
from typing import Final, NamedTuple

import numpy as np

from restante.plan.routing.day import Day, Errand
from restante.plan.routing.figures import Floats, Ints


class Limits(NamedTuple):
    """Of the options taken, at most ``most[row]`` may be among those marked in a row of ``uses``.

    Shape of ``uses``: limits by options, numbered through all requests. A row for each stop and size counts deliveries
    of that size or larger; what is fetched frees nothing here, so that these limits are a little too strict. A row for
    each level counts options that are worse.
    """

    uses: Ints
    most: Ints


def limits_of(day: Day) -> Limits:
    """Those limits of a day that could be exceeded."""
    options = [(request, option) for request in day.requests for option in request.options]
    rows: list[tuple[Sequence[bool], int]] = []
    for at, stop in enumerate(day.stops):
        for size in range(len(stop.free or ())):
            here = [
                option.stop == at and request.size >= size and request.errand is Errand.DELIVERY
                for request, option in options
            ]
            rows.append((here, sum((stop.free or ())[size:])))
    rows += [
        ([option.level > rule.level for _, option in options], rule.most_worse(len(day.requests)))
        for rule in day.levels
    ]
    binding = [(uses, most) for uses, most in rows if sum(uses) > most]
    uses = np.array([uses for uses, _ in binding], dtype=np.int64).reshape(len(binding), len(options))
    return Limits(uses, np.array([most for _, most in binding], dtype=np.int64))


def excess(limits: Limits, options: Sequence[int]) -> Ints:
    """By how many options each limit is exceeded; below nothing, how many more it would let in."""
    return np.asarray(limits.uses[:, list(options)].sum(axis=1) - limits.most)


MOST_STEPS: Final = 2.0
"""However far a limit is exceeded, its price moves by so many steps at most: it would fly past all that is of use."""

EASING: Final = 0.5
"""Prices fall by this share of what they rise by: most rounds are to end with a plan that can be used."""


def moved(prices: Floats, over: Ints, step: float) -> Floats:
    """Prices after a round: up where a limit was exceeded, down where it was not reached, and never below nothing."""
    steps = np.clip(over, -MOST_STEPS, MOST_STEPS)
    return np.maximum(0.0, prices + step * np.where(over > 0, steps, EASING * steps))
