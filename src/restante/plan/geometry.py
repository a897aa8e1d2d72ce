"""Places from distances: great-circle metres, and coordinates for points of which only road metres are known.

Coordinates found here by multidimensional scaling are **synthetic**: they resemble the road distances they were made
from and say nothing about where a point stands on the ground. Whoever shows or stores them labels them so.
"""

import math
from collections.abc import Sequence
from typing import Final

import msgspec
import numpy as np
from numpy.typing import NDArray

EARTH_RADIUS_M: Final = 6_371_008.8
"""Mean radius of the Earth (IUGG)."""

Matrix = NDArray[np.float64]


class Layout(msgspec.Struct, frozen=True):
    """Points in a plane, metres east and north of their common centre, and how badly they fit the distances given.

    ``stress`` is Kruskal's stress-1: the root of squared misfit over squared distance; 0 is exact, 0.1 fair, 0.2 poor.
    """

    xy_m: tuple[tuple[float, float], ...]
    stress: float


def great_circle_m(a: tuple[float, float], b: tuple[float, float]) -> float:
    """Metres over the sphere between two (latitude, longitude) pairs in degrees, by the haversine formula."""
    lat_a, lon_a, lat_b, lon_b = map(math.radians, (*a, *b))
    chord = math.sin((lat_b - lat_a) / 2) ** 2
    chord += math.cos(lat_a) * math.cos(lat_b) * math.sin((lon_b - lon_a) / 2) ** 2
    return 2 * EARTH_RADIUS_M * math.asin(math.sqrt(min(1.0, chord)))


def classical_mds(metres: Sequence[Sequence[float]]) -> Layout:
    """Lay points out in a plane so that their distances come near a square matrix of metres.

    Torgerson's classical scaling (Psychometrika 17, 1952): the matrix is made symmetric by averaging both directions,
    squared and double-centred; the two leading eigenvectors, scaled by the roots of their eigenvalues, are the
    coordinates. Each axis points to where its largest coordinate is positive, so the same matrix gives the same map.
    """
    both = symmetric(metres)
    size = len(both)
    if size == 0:
        return Layout((), 0.0)
    centring = np.eye(size) - 1.0 / size
    values, vectors = np.linalg.eigh(-0.5 * centring @ (both * both) @ centring)
    xy = np.zeros((size, 2))
    for axis in range(min(2, size)):
        xy[:, axis] = _pointed(vectors[:, -1 - axis]) * math.sqrt(max(0.0, float(values[-1 - axis])))
    return Layout(tuple((float(x), float(y)) for x, y in xy), stress(both, xy))


def symmetric(metres: Sequence[Sequence[float]]) -> Matrix:
    """Both directions averaged. The matrix is square, finite, not negative, and zero from a point to itself."""
    given = np.asarray(metres, dtype=np.float64).reshape(len(metres), len(metres))
    assert np.isfinite(given).all(), "a distance is a number"
    assert (given >= 0).all(), "no distance is negative"
    assert not given.diagonal().any(), "a point is no way from itself"
    both: Matrix = (given + given.T) / 2
    return both


def stress(metres: Matrix, xy_m: Matrix) -> float:
    """Kruskal's stress-1 of a layout against symmetric distances (Psychometrika 29, 1964); 0 when all are zero."""
    apart = np.linalg.norm(xy_m[:, None, :] - xy_m[None, :, :], axis=2)
    scale = float((metres**2).sum())
    return math.sqrt(float(((metres - apart) ** 2).sum()) / scale) if scale else 0.0


def to_wgs84(xy_m: Sequence[tuple[float, float]], centre: tuple[float, float]) -> tuple[tuple[float, float], ...]:
    """(latitude, longitude) in degrees of points given in metres east and north of ``centre``.

    A plane touching the sphere at the centre: off by less than 1 % within 20 km of it, up to 60° of latitude.
    """
    lat, lon = centre
    assert abs(lat) < 89, "a plane does not do at a pole"
    east = EARTH_RADIUS_M * math.cos(math.radians(lat))
    return tuple((lat + math.degrees(y / EARTH_RADIUS_M), lon + math.degrees(x / east)) for x, y in xy_m)


def _pointed(axis: Matrix) -> Matrix:
    # The nudge lets the first of two equally long coordinates decide, whatever the last bits of rounding say.
    lead = int(np.argmax(np.round(np.abs(axis), 9)))
    return -axis if axis[lead] < 0 else axis
