"""A real day of a city as work to be done: points to provision, parcels to announce, tours, and where else to go.

Pure: the same instance, tag and seed give the same plan. The instances tell no times, so the order within the day is
made up: everything is announced in the order of the file; then senders drop off, in an order drawn from the seed; then
couriers go their tours, taking out at each stop what senders left before they put in what they bring; recipients come
as soon as their mail has.
"""

from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from random import Random
from typing import Any, Final

import msgspec

from restante.plan.geometry import to_wgs84
from restante.sim.polish import CENTRES, LADDER, LETTERS, Instance, Letter, Order, next_best, synthetic_layout

ZONE: Final = "Europe/Warsaw"
HOLD_HOURS: Final = 48
MAIL_DOMAIN: Final = "people.example"

COLUMN_MM: Final = 1_900
GROUND_MM: Final = 100
STEEL_MM: Final = 20
"""Made up, as the instances say nothing of steel: columns of 1.9 m, 10 cm above the ground, 2 cm between doors."""

_ELSEWHERE: Final = (51.9, 19.1)
"""Where a city without a known centre is put: the middle of Poland."""


class Errand(msgspec.Struct, frozen=True):
    """One parcel of the day, by its place in the order of announcements, under a reference and for a person."""

    number: int
    order: Order
    reference: str
    email: str

    @property
    def rank(self) -> int:
        """The rank of its size class."""
        return LETTERS.index(self.order.size)


class PointPlan(msgspec.Struct, frozen=True):
    """A locker as the API takes it: the point, and the bank that stands there with so many doors."""

    locker: int
    point: dict[str, Any]
    source: dict[str, Any]
    doors: int


def city_of(stem: str) -> str:
    """The city that the name of a file begins with."""
    return stem.partition("_")[0]


def point_plans(instance: Instance, city: str) -> tuple[PointPlan, ...]:
    """Every locker as a point, at a place made from road metres and labelled synthetic."""
    layout = synthetic_layout(instance)
    places = to_wgs84(layout.xy_m, CENTRES.get(city, _ELSEWHERE))
    label = (
        f"Synthetic place: made from road metres by multidimensional scaling (stress {layout.stress:.2f}); "
        "the machine stands elsewhere."
    )
    return tuple(
        _point_plan(f"{city} {locker.number:03}", label, place=place, locker=locker.number, free=locker.free)
        for locker, place in zip(instance.lockers, places, strict=True)
    )


def _point_plan(
    name: str, label: str, *, place: tuple[float, float], locker: int, free: tuple[int, int, int]
) -> PointPlan:
    point = {
        "name": name,
        "kind": "locker",
        "latitude": round(place[0], 6),
        "longitude": round(place[1], 6),
        "zone": ZONE,
        "directions": label,
        "hold": {"kind": "elapsed-hours", "hold_hours": HOLD_HOURS},
    }
    return PointPlan(locker, point, {"kind": "bank", "modules": modules(free)}, sum(free))


def modules(free: Sequence[int]) -> list[dict[str, Any]]:
    """The free compartments as columns of a bank: the largest first from the ground up, each in the first with room."""
    columns: list[list[tuple[Letter, int, int]]] = []
    heights: list[int] = []
    for rank in reversed(range(len(LETTERS))):
        tall = LADDER.classes[rank].inside.height_mm
        for _ in range(free[rank]):
            at = next((at for at, used in enumerate(heights) if used + tall <= COLUMN_MM), len(columns))
            if at == len(columns):
                columns.append([])
                heights.append(0)
            columns[at].append((LETTERS[rank], GROUND_MM + heights[at], tall))
            heights[at] += tall + STEEL_MM
    doors = iter(range(1, sum(free) + 1))
    return [
        {"number": number, "compartments": [_compartment(next(doors), number, box) for box in column]}
        for number, column in enumerate(columns, 1)
    ]


def _compartment(door: int, column: int, box: tuple[Letter, int, int]) -> dict[str, Any]:
    size, above_mm, tall_mm = box
    width_mm = LADDER.classes[0].inside.width_mm
    return {
        "door": door,
        "size": size,
        "reach_height_mm": above_mm + tall_mm // 2,
        "place": {
            "x_mm": (column - 1) * (width_mm + STEEL_MM),
            "y_mm": above_mm,
            "width_mm": width_mm,
            "height_mm": tall_mm,
        },
    }


def errands(instance: Instance, tag: str) -> tuple[Errand, ...]:
    """The orders in the order of the file, each with a reference of its own and a person of its own."""
    return tuple(
        Errand(number, order, f"{tag}-{number:06}", f"{tag}-{number:06}@{MAIL_DOMAIN}")
        for number, order in enumerate(instance.orders)
    )


def announcement(errand: Errand, point: str) -> dict[str, Any]:
    """What the carrier says of a parcel, bound for a point."""
    who = "Recipient" if errand.order.is_delivery else "Sender"
    return {
        "reference": errand.reference,
        "direction": "delivery" if errand.order.is_delivery else "drop-off",
        "size": errand.order.size,
        "weight_grams": errand.order.weight_grams,
        "recipient": {"name": f"{who} {errand.number}", "emails": [errand.email], "language": "en"},
        "point": point,
    }


def shuffled(some: Sequence[Errand], chance: Random) -> list[Errand]:
    """In an order drawn by chance."""
    drawn = list(some)
    chance.shuffle(drawn)
    return drawn


def with_room(instance: Instance, locker: int, left: Mapping[int, int]) -> Iterator[int]:
    """Lockers other than this one that have room left for one more, the nearest by road first.

    ``left`` is looked at anew before each, so it may be brought up to date on the way.
    """
    return (other for other in next_best(instance, locker) if left.get(other, 0) > 0)


def tours(instance: Instance, couriers: int, load: Mapping[int, int]) -> tuple[tuple[int, ...], ...]:
    """Which lockers each courier visits, in order; together every locker with a ``load``, once.

    One way through all of them, always to the nearest by road that is left, from the depot on; cut where a courier has
    a fair share of the parcels. A plan to carry the day out by, and no attempt at a short one.
    """
    way = _nearest_neighbour(instance, {locker for locker, count in load.items() if count > 0})
    share = sum(load[locker] for locker in way) / max(1, couriers)
    cut: list[list[int]] = [[] for _ in range(max(1, couriers))]
    carried = 0
    for locker in way:
        cut[min(int(carried / share), len(cut) - 1)].append(locker)
        carried += load[locker]
    return tuple(tuple(tour) for tour in cut if tour)


def _nearest_neighbour(instance: Instance, left: set[int]) -> list[int]:
    here, way = 0, list[int]()
    while left:
        away = instance.metres[here]
        here = min(left, key=lambda locker: (away[locker], locker))
        left.remove(here)
        way.append(here)
    return way


def tour_metres(instance: Instance, tour: Sequence[int]) -> int:
    """Road metres of a tour from the depot and back to it."""
    stops = (0, *tour, 0)
    return sum(instance.metres[a][b] for a, b in pairwise(stops))
