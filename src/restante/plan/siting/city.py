"""A city as siting sees it: who is sent parcels where, where points may stand, and how far people walk.

All of it is a snapshot: values, which nothing here changes.
"""

from typing import NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from restante.plan.geometry import EARTH_RADIUS_M
from restante.plan.siting.cells import Cell, Site

Numbers = NDArray[np.float64]
Indices = NDArray[np.int64]

DETOUR = 1.3
"""How much longer a way is than the great circle, where no streets are known: an assumption."""


class ModuleKind(msgspec.Struct, frozen=True):
    """One kind of column: its yearly cost and its compartments by size rank."""

    name: str
    cost_minor_per_year: int
    compartments: tuple[int, ...]


class City(msgspec.Struct, frozen=True):
    """Everything at once; ``sizes`` names the ladder from the smallest class, money is in ``currency`` (ISO 4217)."""

    sizes: tuple[str, ...]
    cells: tuple[Cell, ...]
    sites: tuple[Site, ...]
    modules: tuple[ModuleKind, ...]
    currency: str = "EUR"

    @property
    def parcels_per_day(self) -> Numbers:
        """Demand (cells × sizes)."""
        return np.asarray([cell.parcels_per_day for cell in self.cells], np.float64).reshape(-1, len(self.sizes))


class Walks(NamedTuple):
    """Ways people would walk, grouped by site: those of site j stand at ``start[j] : start[j + 1]``."""

    start: Indices
    cell: Indices
    metres: Numbers
    told: str


def walks_from_matrix(metres: Numbers, *, reach_m: float) -> Walks:
    """Ways up to ``reach_m`` from distances (cells × sites); infinite where there is no way."""
    within = metres <= reach_m
    site, cell = np.nonzero(within.T)
    start = np.searchsorted(site, np.arange(metres.shape[1] + 1))
    return Walks(start, cell, np.asarray(metres, np.float64)[cell, site], "walking distances as given")


def walks_by_great_circle(city: City, *, reach_m: float, detour: float = DETOUR) -> Walks:
    """Ways up to ``reach_m`` as great circles times ``detour``: the fallback where no streets are known."""
    cells = _on_the_sphere([(cell.latitude, cell.longitude) for cell in city.cells])
    sites = _on_the_sphere([(site.latitude, site.longitude) for site in city.sites])
    chord = 2 * np.sin(min(np.pi, reach_m / detour / EARTH_RADIUS_M) / 2)
    near = cKDTree(cells).query_ball_point(sites, chord, return_sorted=True) if len(sites) and len(cells) else []
    start = np.cumsum([0, *map(len, near)])
    cell = np.fromiter((each for row in near for each in row), np.int64, int(start[-1]))
    site = np.repeat(np.arange(len(near)), np.diff(start))
    apart = np.linalg.norm(cells[cell] - sites[site], axis=1)
    metres = 2 * np.arcsin(np.minimum(1.0, apart / 2)) * EARTH_RADIUS_M * detour
    return Walks(start, cell, metres, f"great circle × {detour:g}, for want of streets")


def _on_the_sphere(places: list[tuple[float, float]]) -> Numbers:
    lat, lon = np.radians(np.asarray(places, np.float64).reshape(-1, 2)).T
    return np.column_stack((np.cos(lat) * np.cos(lon), np.cos(lat) * np.sin(lon), np.sin(lat)))
