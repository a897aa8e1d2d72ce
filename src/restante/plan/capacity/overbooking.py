"""How much more of a bank may be promised than it has, so that the courier hardly ever finds it full.

Some of what lies there will be gone by the drop, and some of what is announced never comes. Room promised firmly is
kept by the hub's own rule and none of this; here is decided how many softer promises stand beside it.
"""

from collections.abc import Sequence
from typing import Final

import msgspec

from restante.plan.capacity.counts import Chances, chance_all_fit, how_many, together

MOST_PROMISES: Final = 10_000


class Prospect(msgspec.Struct, frozen=True):
    """What is known of a drop to come, by size from the smallest up.

    ``compartments`` are those in order. ``staying`` are the chances of what lies in compartments of a size, whatever
    its own, to lie there still at the drop; ``coming`` those of each promised parcel of a size to come.
    """

    compartments: tuple[int, ...]
    staying: tuple[tuple[float, ...], ...]
    coming: tuple[tuple[float, ...], ...]


class Overbooking(msgspec.Struct, frozen=True):
    """How many promises more are safe, and the chance of a full bank with them, and with one more than that."""

    more: int
    chance_full: float
    chance_full_beyond: float


def chance_full(prospect: Prospect) -> float:
    """The chance that not every parcel that comes to the drop finds a compartment; exact where all are independent."""
    return 1.0 - chance_all_fit(_wanted(prospect), prospect.compartments)


def safe_overbooking(prospect: Prospect, size: int, *, comes: float, limit: float) -> Overbooking:
    """How many parcels of a size, each of which comes with the chance ``comes``, may be promised besides.

    The chance that the drop finds the bank full stays at ``limit`` or below. None are safe where it is above already.
    Beyond ``MOST_PROMISES`` nobody looks for more.
    """
    assert 0 < comes <= 1, "what never comes needs no promise"
    assert 0 < limit < 1, "a limit lies between 0 and 1"
    wanted = _wanted(prospect)

    def full_with(more: int) -> float:
        crowded = [*wanted]
        crowded[size] = together(wanted[size], how_many([comes] * more))
        return 1.0 - chance_all_fit(crowded, prospect.compartments)

    safe, beyond = 0, 1
    while beyond < MOST_PROMISES and full_with(beyond) <= limit:
        safe, beyond = beyond, 2 * beyond
    while beyond - safe > 1:
        middle = (safe + beyond) // 2
        safe, beyond = (middle, beyond) if full_with(middle) <= limit else (safe, middle)
    return Overbooking(safe, full_with(safe), full_with(safe + 1))


def _wanted(prospect: Prospect) -> Sequence[Chances]:
    pairs = zip(prospect.staying, prospect.coming, strict=True)
    return [how_many((*staying, *coming)) for staying, coming in pairs]
