"""The map of a plan for sites: streets, how near a point is on foot, demand, and points today and planned."""

import math
from collections.abc import Iterator, Sequence
from typing import Final
from xml.etree.ElementTree import Element

import numpy as np
from scipy.spatial import cKDTree

from restante.plan.reporting.frame import Frame, drawing, frame_around, scale_bar, titled
from restante.plan.reporting.ground import NEAR, credit, reach, streets
from restante.plan.reporting.marks import key, key_row, mark, square
from restante.plan.reporting.markup import Part, element
from restante.plan.reporting.snapshot import Fate, Point, Sited, doors_of, points_of
from restante.plan.reporting.wording import brief_count, plural
from restante.plan.siting.cells import Cell
from restante.plan.siting.city import Numbers
from restante.plan.siting.proposal import Proposal

SHADES: Final = (0.05, 0.1, 0.17, 0.26, 0.38)
"""How dark cells are, from the fifth of them that asks for least to the one that asks for most."""

_LARGEST: Final = (4.5, 11.0)
_SMALLEST: Final = 0.5
_CELL_SIDES: Final = (3.0, 22.0)


def siting_map(told: Sited, plan: Proposal) -> list[Element]:
    """The map, its scale, its key and whom to thank."""
    points = points_of(told, plan)
    planned = [(one.site.latitude, one.site.longitude) for one in points if one.planned]
    cells = [(one.latitude, one.longitude) for one in told.city.cells]
    frame = frame_around([*cells, *((one.site.latitude, one.site.longitude) for one in points)])
    parts: list[Part] = [*streets(frame, told.ground), *_demand(frame, told.city.cells)]
    if told.ground.walking is not None and planned:
        parts += reach(frame, told.ground.walking, planned)
    parts += _points(frame, told, points)
    said = f"Map of {plural(len(points), 'point')} and {plural(len(cells), 'cell')}; the points are in a table below"
    return [
        element("div", {"class": "frame"}, drawing(frame, said, parts)),
        scale_bar(frame),
        key(*_key(told, points)),
        *credit(told.ground),
    ]


def _demand(frame: Frame, cells: Sequence[Cell]) -> Iterator[Element]:
    """Squares as large as cells lie apart, shaded by fifths of the cells."""
    asked = np.asarray([sum(cell.parcels_per_day) for cell in cells])
    fifth = np.searchsorted(np.quantile(asked, np.arange(1, len(SHADES)) / len(SHADES)), asked)
    at = np.asarray([frame.at((cell.latitude, cell.longitude)) for cell in cells])
    half = _apart(at, limits=_CELL_SIDES) / 2
    for number, strength in enumerate(SHADES):
        squares = "".join(square(x, y, half) for x, y in at[fifth == number].tolist())
        if squares:
            yield element("path", {"class": "cell", "fill-opacity": strength, "d": squares})


def _apart(at: Numbers, *, limits: tuple[float, float]) -> float:
    """How far from one place it is to the next, typically, within what can be seen."""
    least, most = limits
    if len(at) < 2:
        return most
    return min(max(float(np.median(cKDTree(at).query(at, k=2)[0][:, 1])), least), most)


def _doors(told: Sited, point: Point) -> int:
    return doors_of(told.city, point.shown.columns) if point.shown else 0


def _points(frame: Frame, told: Sited, points: Sequence[Point]) -> Iterator[Element]:
    """Marks whose surface grows with the doors, small where points stand close; those that close lie lowest."""
    at = np.asarray([frame.at((one.site.latitude, one.site.longitude)) for one in points]).reshape(-1, 2)
    largest = _apart(at, limits=_LARGEST)
    most = max((_doors(told, one) for one in points), default=1)
    order = sorted(range(len(points)), key=lambda one: (bool(points[one].planned), -_doors(told, points[one])))
    for number in order:
        one, doors = points[number], _doors(told, points[number])
        half = largest * math.sqrt(_SMALLEST**2 + (1 - _SMALLEST**2) * doors / max(1, most))
        x, y = at[number].tolist()
        said = ", ".join(filter(None, (one.site.id, one.site.host, one.fate, plural(doors, "door"))))
        yield titled(mark(one.fate, (x, y), half), said)


def _key(told: Sited, points: Sequence[Point]) -> Iterator[Element]:
    middle = 12.0, 12.0
    for fate in Fate:
        if number := sum(one.fate is fate for one in points):
            yield key_row([mark(fate, middle, 7.0)], f"{fate}: {plural(number, 'point')}")
    yield key_row([mark(Fate.KEPT, (8.0, 12.0), 3.5), mark(Fate.KEPT, (28.0, 12.0), 9.0)], "more doors", wide=42)
    asked = [sum(cell.parcels_per_day) for cell in told.city.cells]
    shades = [
        element("path", {"class": "cell", "fill-opacity": strength, "d": square(6 + 12 * at, 12, 6)})
        for at, strength in enumerate(SHADES)
    ]
    demand = f"{brief_count(min(asked))} to {brief_count(max(asked))} parcels a day from a cell"
    yield key_row(shades, demand, wide=12 * len(SHADES))
    if told.ground.walking is not None:
        for limit_m, strength, width in NEAR:
            line = element("path", {"class": "near", "opacity": strength, "stroke-width": 1.6 * width, "d": "M3 12h18"})
            yield key_row([line], f"to {limit_m:g} m on foot")
