"""Distances over the sphere between many places at once, and the nearest of many."""

from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from restante.plan.geometry import EARTH_RADIUS_M

Real = NDArray[np.float64]
Whole = NDArray[np.int64]
Places = NDArray[np.float64]
"""A row each of latitude and longitude, in degrees."""

DETOUR: Final = 1.3
"""By how much streets are longer than the great circle, where there are no streets to ask. Assumed."""


def directions_of(places: Places) -> Real:
    """A row each: the unit vector from the centre of the Earth. Chords between them do not mind poles or date lines."""
    lat, lon = np.radians(places).T
    return np.stack((np.cos(lat) * np.cos(lon), np.cos(lat) * np.sin(lon), np.sin(lat)), axis=1)


def metres_of(chord: Real) -> Real:
    """The length of the arc over a chord of the unit sphere."""
    arc: Real = 2 * EARTH_RADIUS_M * np.arcsin(np.minimum(1.0, chord / 2))
    return arc


def metres_along(places: Places, others: Places) -> Real:
    """Great-circle metres from each place to the other in the same row."""
    return metres_of(np.linalg.norm(directions_of(places) - directions_of(others), axis=1))


def metres_between(places: Places, others: Places) -> Real:
    """Great-circle metres from each place to each other: a matrix."""
    apart = directions_of(places)[:, None, :] - directions_of(others)[None, :, :]
    return metres_of(np.linalg.norm(apart, axis=2))


def nearest(places: Places, among: Places) -> tuple[Whole, Real]:
    """For each place, which of the others is nearest, and how many metres away."""
    chord, which = cKDTree(directions_of(among)).query(directions_of(places))
    return which.astype(np.int64), metres_of(chord)
