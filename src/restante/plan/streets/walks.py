"""The ways that people walk from cells to sites, along streets; and what stands too far from any street for that.

A site in the sea or beyond a river without a bridge is left out and named with how far off it is, not moved: the walks
of all others are those of the best relaxed snapshot. What cells without a way ask for stays in the demand.
"""

import msgspec
import numpy as np

from restante.core.refusals import Refusal
from restante.plan.siting.city import City, Walks, walks_from_matrix
from restante.plan.streets.graph import StreetGraph
from restante.plan.streets.sphere import Real, nearest
from restante.plan.streets.times import SNAP_LIMIT_M, Kept, Travel, street_times
from restante.plan.streets.ways import WALK_KMH


class OnStreets(msgspec.Struct, frozen=True):
    """Walks, and a refusal (``place-off-street``) for each cell and each site that no walk leads to for that reason."""

    walks: Walks
    cells_off: tuple[Refusal, ...]
    sites_off: tuple[Refusal, ...]


def walks_on_streets(
    city: City, graph: StreetGraph, *, reach_m: float, limit_m: float = SNAP_LIMIT_M, kept: Kept | None = None
) -> OnStreets | Refusal:
    """Walks up to ``reach_m`` along a graph for walking; steps and the like count as the metres of their time.

    Refused with ``place-off-street`` where no cell or no site is within ``limit_m`` of a street, and with
    ``places-unconnected`` where the graph does not hang together.
    """
    assert graph.mode == "walk", "people walk to a point"
    cells, cell_off_m = _places([(one.latitude, one.longitude) for one in city.cells], graph)
    sites, site_off_m = _places([(one.latitude, one.longitude) for one in city.sites], graph)
    near = np.flatnonzero(cell_off_m <= limit_m), np.flatnonzero(site_off_m <= limit_m)
    cells_off = _off("cells", [one.id for one in city.cells], cell_off_m, limit_m=limit_m)
    sites_off = _off("sites", [one.id for one in city.sites], site_off_m, limit_m=limit_m)
    if not len(near[0]) or not len(near[1]):
        return (sites_off if len(near[0]) else cells_off)[0]
    travel = street_times(graph, cells[near[0]], sites[near[1]], limit_m=limit_m, kept=kept)
    if isinstance(travel, Refusal):
        return travel
    metres = np.full((len(cells), len(sites)), np.inf)
    metres[np.ix_(*near)] = travel.seconds * WALK_KMH / 3.6
    return OnStreets(walks_from_matrix(metres, reach_m=reach_m)._replace(told=_told(travel)), cells_off, sites_off)


def _told(travel: Travel) -> str:
    return f"along {travel.basis} (on foot), as metres at {WALK_KMH:g} km/h"


def _places(spots: list[tuple[float, float]], graph: StreetGraph) -> tuple[Real, Real]:
    """Places, and how many metres each is from the nearest node."""
    places = np.asarray(spots, np.float64).reshape(-1, 2)
    return places, nearest(places, graph.places)[1]


def _off(field: str, ids: list[str], off_m: Real, *, limit_m: float) -> tuple[Refusal, ...]:
    """Who is too far off, the farthest first."""
    far = [number for number in np.argsort(-off_m, kind="stable").tolist() if off_m[number] > limit_m]
    return tuple(
        Refusal("place-off-street", field, f"{ids[number]}: {off_m[number]:,.0f} m, {limit_m:g} m are allowed")
        for number in far
    )
