"""Module mixes: which columns a point may be built of, what they cost, and how many parcels a day they have room for.

The limit on "full" is a limit on each up-set of sizes: parcels of a size and larger find the compartments of that size
and larger full at most so often, by Erlang's loss formula (exact for any dwell time with the given mean, when arrivals
are a Poisson process and a parcel may lie in any compartment that is large enough).
"""

from collections.abc import Callable, Iterator, Sequence
from itertools import product

import msgspec

from restante.plan.siting.city import ModuleKind


class Mix(msgspec.Struct, frozen=True):
    """How many columns of each kind, their compartments by size, their yearly cost, and room in parcels a day.

    ``room_per_day[s]`` is the limit on parcels of size rank s **and larger**.
    """

    columns: tuple[int, ...]
    compartments: tuple[int, ...]
    cost_minor_per_year: int
    room_per_day: tuple[float, ...]


def blocking(compartments: int, offered: float) -> float:
    """Erlang's loss formula: the chance that all compartments are taken, for a load in Erlangs (rate × dwell)."""
    chance = 1.0
    for number in range(1, compartments + 1):
        chance = offered * chance / (number + offered * chance)
    return chance


def erlang_room(*, full_chance: float, dwell_days: float) -> Callable[[int], float]:
    """Parcels a day for a number of compartments such that the chance of "full" is at most ``full_chance``."""
    assert 0 < full_chance < 1
    assert dwell_days > 0

    def room(compartments: int) -> float:
        low, high = 0.0, float(2 * compartments + 1) / (1 - full_chance)
        for _ in range(50):
            middle = (low + high) / 2
            low, high = (middle, high) if blocking(compartments, middle) <= full_chance else (low, middle)
        return low / dwell_days

    return room


def catalogue(modules: Sequence[ModuleKind], most: int, *, room: Callable[[int], float]) -> tuple[Mix, ...]:
    """Every mix of 1 to ``most`` columns that no other of as few columns betters in room for as little money.

    Sorted by the number of columns, so that what a smaller site may hold is a prefix.
    """
    made = sorted(_mixes(modules, most, room), key=lambda mix: (sum(mix.columns), mix.cost_minor_per_year, mix.columns))
    kept: list[Mix] = []
    for mix in made:
        if not any(_betters(other, mix) for other in kept):
            kept.append(mix)
    return tuple(kept)


def _mixes(modules: Sequence[ModuleKind], most: int, room: Callable[[int], float]) -> Iterator[Mix]:
    for columns in product(range(most + 1), repeat=len(modules)):
        if 1 <= sum(columns) <= most:
            rows = zip(*(module.compartments for module in modules), strict=True)
            held = tuple(sum(n * count for n, count in zip(columns, row, strict=True)) for row in rows)
            cost = sum(n * module.cost_minor_per_year for n, module in zip(columns, modules, strict=True))
            yield Mix(columns, held, cost, tuple(room(sum(held[rank:])) for rank in range(len(held))))


def _betters(one: Mix, other: Mix) -> bool:
    return one.cost_minor_per_year <= other.cost_minor_per_year and all(
        a >= b for a, b in zip(one.room_per_day, other.room_per_day, strict=True)
    )
