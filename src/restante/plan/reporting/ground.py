"""What lies under the marks of a map: streets, and how near a point is along them on foot."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Final
from xml.etree.ElementTree import Element

import msgspec
import numpy as np

from restante.plan.reporting.frame import Frame, Spot, path_of
from restante.plan.reporting.markup import element
from restante.plan.streets.dijkstra import seconds_from
from restante.plan.streets.graph import StreetGraph
from restante.plan.streets.sphere import Real, nearest
from restante.plan.streets.times import SNAP_LIMIT_M
from restante.plan.streets.ways import WALK_KMH, Way

NEAR: Final = ((300.0, 0.95, 3.2), (600.0, 0.55, 2.5), (900.0, 0.38, 1.9))
"""Metres on foot to the next point, and how strong and how wide streets so near are painted."""

_WIDTHS: Final[Mapping[str, float]] = {
    "motorway": 5, "trunk": 5, "primary": 4.5, "secondary": 4, "tertiary": 3.2, "residential": 2.4, "unclassified": 2.4,
}  # fmt: skip
_THIN: Final = 1.2


class Ground(msgspec.Struct, frozen=True):
    """What lies under a map: ways to draw, the graph that people walk on, and whom to thank for both."""

    ways: tuple[Way, ...] = ()
    walking: StreetGraph | None = None
    credit: str = ""


def streets(frame: Frame, ground: Ground) -> Iterator[Element]:
    """The ways of a map, those of a width together, the widest last."""
    alike: dict[float, list[Way]] = {}
    for way in ground.ways:
        alike.setdefault(_WIDTHS.get(way.tags.get("highway", ""), _THIN), []).append(way)
    for width in sorted(alike):
        data = path_of(frame, (way.places for way in alike[width]))
        yield element("path", {"class": "road", "stroke-width": width, "d": data})


def reach(frame: Frame, walking: StreetGraph, points: Sequence[Spot]) -> Iterator[Element]:
    """Streets painted by how far the nearest of these points is along them, the nearest streets last."""
    ways_m = metres_to_nearest(walking, points)
    whence = np.repeat(np.arange(len(walking.osm_ids)), np.diff(walking.first))
    farther = np.maximum(ways_m[whence], ways_m[walking.to])
    for (limit_m, strength, width), (nearer_m, *_) in zip(reversed(NEAR), (*reversed(NEAR[:-1]), (0.0,)), strict=True):
        chosen = np.flatnonzero((whence < walking.to) & (farther <= limit_m) & (farther > nearer_m))
        ends = walking.places[np.stack((whence[chosen], walking.to[chosen]), axis=1)]
        data = path_of(frame, ([(a, b), (c, d)] for (a, b), (c, d) in ends.tolist()))
        yield element("path", {"class": "near", "opacity": strength, "stroke-width": width, "d": data})


def metres_to_nearest(walking: StreetGraph, points: Sequence[Spot]) -> Real:
    """Metres on foot, at the usual speed, from every node to the nearest of these points that is at a street."""
    node, off_m = nearest(np.asarray(points, np.float64).reshape(-1, 2), walking.places)
    at_street = off_m <= SNAP_LIMIT_M
    if not at_street.any():
        return np.full(len(walking.osm_ids), np.inf)
    starts, which = np.unique(node[at_street], return_inverse=True)
    to_street_m = np.full(len(starts), np.inf)
    np.minimum.at(to_street_m, which, off_m[at_street])
    along_m = seconds_from(walking, starts, np.arange(len(walking.osm_ids))) * WALK_KMH / 3.6
    return np.asarray((along_m + to_street_m[:, None]).min(axis=0))


def credit(ground: Ground) -> Iterator[Element]:
    """Whom to thank for the map, where somebody is."""
    if ground.credit:
        yield element("p", {"class": "label"}, ground.credit)
