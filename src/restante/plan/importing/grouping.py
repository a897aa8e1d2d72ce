"""Many small cells taken together to fewer: by squares of a grid, or people of a district spread over places in it."""

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from restante.core.refusals import Refusal
from restante.plan.geometry import EARTH_RADIUS_M
from restante.plan.importing.rates import Rates
from restante.plan.siting.cells import Cell


def grouped(cells: Iterable[Cell], *, side_m: float) -> tuple[Cell, ...]:
    """Cells of one square of ``side_m`` metres are one cell, where their parcels are on average.

    No parcel is lost. Its district is the one that most of its parcels are of. Squares are bands of latitude, divided
    by what a degree of longitude measures in that band, so one across the date line is two.
    """
    assert side_m > 0, "a square has sides"
    squares: dict[tuple[int, int], list[Cell]] = {}
    for cell in cells:
        squares.setdefault(_square(cell, side_m), []).append(cell)
    return tuple(_as_one(f"{row}/{column}", squares[row, column]) for row, column in sorted(squares))


def spread_over(
    people: Mapping[str, float], places: Sequence[tuple[str, float, float, str]], rates: Rates
) -> tuple[Cell, ...] | Refusal:
    """The people of each district in equal parts at the places (id, latitude, longitude, district) in it.

    An assumption where nothing finer is known, and to be told as one. Refused with ``plan-no-demand``, which names the
    districts that have people and no place, for nobody is dropped in silence.
    """
    counts = Counter(district for *_, district in places)
    nowhere = sorted(district for district, number in people.items() if number and not counts[district])
    if nowhere:
        return Refusal("plan-no-demand", "places", f"no place in {', '.join(nowhere)}")
    return tuple(
        Cell(name, lat, lon, district, rates.by_size(_asked(people.get(district, 0.0), rates) / counts[district]))
        for name, lat, lon, district in places
    )


def _asked(people: float, rates: Rates) -> float:
    return people * rates.parcels_per_person


def _square(cell: Cell, side_m: float) -> tuple[int, int]:
    degree_m = math.radians(1) * EARTH_RADIUS_M
    row = math.floor(cell.latitude * degree_m / side_m)
    middle = math.radians(min(89.0, abs((row + 0.5) * side_m / degree_m)))
    return row, math.floor(cell.longitude * degree_m * math.cos(middle) / side_m)


def _as_one(name: str, cells: Sequence[Cell]) -> Cell:
    weights = [sum(cell.parcels_per_day) for cell in cells]
    # Cells without parcels are where they are on average, all alike.
    shares = [weight / sum(weights) if sum(weights) else 1 / len(cells) for weight in weights]
    district: dict[str, float] = {}
    for cell, share in zip(cells, shares, strict=True):
        district[cell.district] = district.get(cell.district, 0.0) + share
    return Cell(
        name,
        sum(share * cell.latitude for share, cell in zip(shares, cells, strict=True)),
        sum(share * cell.longitude for share, cell in zip(shares, cells, strict=True)),
        max(sorted(district), key=district.__getitem__),
        tuple(map(sum, zip(*(cell.parcels_per_day for cell in cells), strict=True))),
    )
