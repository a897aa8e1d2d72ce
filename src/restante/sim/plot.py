"""The plot: who wants what in a story, drawn from the seed before it begins, so that faults do not change it."""

from enum import StrEnum
from random import Random
from typing import Final

import msgspec

from restante.sim.clock import DAY_MS, HOUR_MS, MINUTE_MS


class Bent(StrEnum):
    """What a person or a carrier does beyond the plain way of a parcel."""

    PLAIN = "plain"
    NO_SHOW = "no-show"
    LATE = "late"
    WRONG_CODES = "wrong-codes"
    WRONG_POINT = "wrong-point"
    REDIRECTED = "redirected"
    REDIRECTED_LATE = "redirected-late"
    CANCELLED = "cancelled"
    EXTENDED = "extended"
    LEAVES_IT = "leaves-it"


class Errand(msgspec.Struct, frozen=True):
    """One parcel of the plot. Points and carriers are numbers; ``other`` is the point it is sent to instead or next."""

    number: int
    announced_ms: int
    carrier: int
    point: int
    other: int
    rank: int
    seated: bool
    recipient: int
    bent: Bent
    bent_after_ms: int
    comes_after_ms: int
    is_drop_off: bool = False
    goes_on: bool = False


class Round(msgspec.Struct, frozen=True):
    """A courier of a carrier comes to a point."""

    at_ms: int
    carrier: int
    point: int


class Plot(msgspec.Struct, frozen=True):
    """All errands and rounds of a story; ``doors`` are the ranks behind each point's doors, the last one is staffed."""

    days: int
    lanes: int
    carriers: int
    doors: tuple[tuple[int, ...], ...]
    errands: tuple[Errand, ...]
    rounds: tuple[Round, ...]

    @property
    def points(self) -> int:
        """How many pick-up points there are."""
        return len(self.doors)


RANKS: Final = (0, 0, 0, 1, 1, 2)
_DAYS: Final = (3, 4, 5)
_BENTS: Final = {
    Bent.PLAIN: 10,
    Bent.NO_SHOW: 3,
    Bent.LATE: 2,
    Bent.WRONG_CODES: 2,
    Bent.WRONG_POINT: 2,
    Bent.REDIRECTED: 3,
    Bent.REDIRECTED_LATE: 3,
    Bent.CANCELLED: 3,
    Bent.EXTENDED: 2,
    Bent.LEAVES_IT: 1,
}


def draw(chance: Random) -> Plot:
    """A plot: a few days, two to three banks of a few doors and a counter, two lanes, two or three carriers."""
    days, carriers, banks = chance.choice(_DAYS), chance.choice((2, 3)), chance.choice((2, 3))
    doors = tuple(tuple(sorted(chance.choices(RANKS, k=chance.randrange(3, 8)))) for _ in range(banks))
    doors = (*doors, (0, 1, 2))
    many = chance.randrange(8, 21)
    errands = tuple(
        _errand(number, chance, days=days, carriers=carriers, points=len(doors)) for number in range(1, many + 1)
    )
    return Plot(
        days=days,
        lanes=2,
        carriers=carriers,
        doors=doors,
        errands=tuple(sorted(errands, key=lambda errand: errand.announced_ms)),
        rounds=_rounds(chance, days=days, carriers=carriers, points=len(doors)),
    )


def _errand(number: int, chance: Random, *, days: int, carriers: int, points: int) -> Errand:
    point, other = chance.sample(range(points), 2)
    drop_off = chance.random() < 0.2
    return Errand(
        number=number,
        announced_ms=chance.randrange(0, (days - 1) * DAY_MS),
        carrier=chance.randrange(carriers),
        point=point,
        other=other,
        rank=chance.choice((0, 0, 0, 1, 2)),
        seated=chance.random() < 0.1,
        recipient=chance.randrange(8),
        bent=Bent.PLAIN if drop_off else chance.choices(list(_BENTS), weights=list(_BENTS.values()))[0],
        bent_after_ms=chance.randrange(5 * MINUTE_MS, 20 * HOUR_MS),
        comes_after_ms=chance.randrange(2 * MINUTE_MS, 10 * HOUR_MS),
        is_drop_off=drop_off,
        goes_on=drop_off and chance.random() < 0.7,
    )


def _rounds(chance: Random, *, days: int, carriers: int, points: int) -> tuple[Round, ...]:
    """Each carrier comes to each point two or three times a day, one courier after the other."""
    rounds = [
        Round(day * DAY_MS + hour * HOUR_MS + chance.randrange(2 * HOUR_MS), carrier, point)
        for day in range(days)
        for hour in chance.sample(range(24), chance.choice((2, 3)))
        for carrier in range(carriers)
        for point in range(points)
    ]
    return tuple(sorted(rounds, key=lambda each: (each.at_ms, each.carrier, each.point)))
