"""Travel times from many places to many: on streets where there are any, else by the great circle with a detour.

Theory of operation. A place is taken to the nearest node of the graph, not farther than a stated limit, and the stretch
between counts as walked. From each node where somebody starts Dijkstra's algorithm runs until every target is reached;
where there are fewer targets than starts it runs backwards from those. Times are those of empty streets; factors by the
hour make them longer.
"""

import hashlib
from collections.abc import MutableMapping, Sequence
from typing import Final

import msgspec
import numpy as np

from restante.core.refusals import Refusal
from restante.plan.streets.dijkstra import seconds_from
from restante.plan.streets.graph import MOST_NAMED, StreetGraph
from restante.plan.streets.sphere import DETOUR, Places, Real, Whole, metres_between, nearest
from restante.plan.streets.ways import BIKE_KMH, WALK_KMH, Mode

SNAP_LIMIT_M: Final = 250.0
_KMH: Final = 3.6

FALLBACK_KMH: Final[dict[Mode, float]] = {"car": 25.0, "bike": BIKE_KMH, "walk": WALK_KMH}
"""Kilometres an hour where there are no streets to ask. Assumed."""

Kept = MutableMapping[str, Real]
"""Matrices that were worked out before, by what they were worked out from."""


class Travel(msgspec.Struct, frozen=True):
    """Seconds from each place (rows) to each other (columns), and on what they rest."""

    seconds: Real
    basis: str


class Snapped(msgspec.Struct, frozen=True):
    """For each place the node of a graph that it is taken to, and the metres between."""

    node: Whole
    metres: Real


def snapped(graph: StreetGraph, places: Places, *, limit_m: float = SNAP_LIMIT_M) -> Snapped | Refusal:
    """The nearest node of each place. Refused with ``place-off-street``, naming the rows that are too far off."""
    node, metres = nearest(places, graph.places)
    far = np.flatnonzero(metres > limit_m)
    if len(far):
        named = ", ".join(f"{row} ({metres[row]:,.0f} m)" for row in far[:MOST_NAMED].tolist())
        more = f" and {len(far) - MOST_NAMED} more" if len(far) > MOST_NAMED else ""
        return Refusal("place-off-street", "places", f"more than {limit_m:g} m: {named}{more}")
    return Snapped(node, metres)


def street_times(
    graph: StreetGraph, places: Places, others: Places, *, limit_m: float = SNAP_LIMIT_M, kept: Kept | None = None
) -> Travel | Refusal:
    """Seconds on streets from each place to each other. ``kept`` is asked first, and given what was worked out.

    Refusals: ``place-off-street``; ``places-unconnected``, which names pairs of rows with no way between.
    """
    start, target = snapped(graph, places, limit_m=limit_m), snapped(graph, others, limit_m=limit_m)
    if isinstance(start, Refusal):
        return start
    if isinstance(target, Refusal):
        return msgspec.structs.replace(target, field="others")
    key = content_key(graph, start, target)
    seconds = kept.get(key) if kept is not None else None
    if seconds is None:
        seconds = _between(graph, start, target)
        if kept is not None:
            kept[key] = seconds
    missing = np.argwhere(np.isinf(seconds))
    if len(missing):
        named = ", ".join(f"{row} to {column}" for row, column in missing[:MOST_NAMED].tolist())
        more = f" and {len(missing) - MOST_NAMED} more" if len(missing) > MOST_NAMED else ""
        return Refusal("places-unconnected", "places", f"{graph.mode}: {named}{more}")
    return Travel(seconds, f"streets, {graph.mode}, at most {limit_m:g} m to the nearest")


def crow_times(places: Places, others: Places, mode: Mode) -> Travel:
    """Seconds by the great circle times ``DETOUR``: what holds where there are no streets to ask, and says so."""
    kmh = FALLBACK_KMH[mode]
    seconds = metres_between(places, others) * DETOUR * _KMH / kmh
    return Travel(seconds, f"no streets: {DETOUR:g} x great circle, {mode}, {kmh:g} km/h (assumed)")


def hour_factors(kmh_by_hour: Sequence[float]) -> tuple[float, ...]:
    """By how much each hour of the day is slower than the quickest one, from the speeds of its 24 hours."""
    assert len(kmh_by_hour) == 24, "a day has 24 hours"
    assert min(kmh_by_hour) > 0, "traffic moves, if slowly"
    best = max(kmh_by_hour)
    return tuple(best / kmh for kmh in kmh_by_hour)


def at_hour(travel: Travel, factors: Sequence[float], hour: int) -> Travel:
    """The times of those who set out in an hour of the day (0 to 23)."""
    assert len(factors) == 24, "a day has 24 hours"
    return Travel(travel.seconds * factors[hour], f"{travel.basis}; at {hour} h, factor {factors[hour]:.2f}")


def content_key(graph: StreetGraph, start: Snapped, target: Snapped) -> str:
    """A digest of all that a matrix follows from: the same key, the same matrix."""
    digest = hashlib.sha256(graph.mode.encode())
    for part in (graph.first, graph.to, graph.seconds, start.node, start.metres, target.node, target.metres):
        digest.update(str((part.dtype, part.shape)).encode())
        digest.update(np.ascontiguousarray(part).data)
    return digest.hexdigest()


def _between(graph: StreetGraph, start: Snapped, target: Snapped) -> Real:
    starts, start_at = np.unique(start.node, return_inverse=True)
    targets, target_at = np.unique(target.node, return_inverse=True)
    if len(targets) < len(starts):
        seconds = seconds_from(graph.reversed(), targets, starts).T
    else:
        seconds = seconds_from(graph, starts, targets)
    foot = _KMH / WALK_KMH
    return np.asarray(seconds[start_at][:, target_at] + start.metres[:, None] * foot + target.metres[None, :] * foot)
