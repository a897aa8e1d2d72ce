"""A street graph as arrays: who follows whom, how many metres and how many seconds; what of it hangs together."""

from collections.abc import Iterable, Iterator
from itertools import pairwise
from typing import Final

import msgspec
import numpy as np
from scipy.sparse import csr_array
from scipy.sparse.csgraph import connected_components

from restante.core.refusals import Refusal
from restante.plan.streets.sphere import Places, Real, Whole, metres_along
from restante.plan.streets.ways import Mode, Way, pace_on

MOST_NAMED: Final = 20
_KMH: Final = 3.6


class StreetGraph(msgspec.Struct, frozen=True):
    """Streets for one mode. Edges of node ``n`` are those from ``first[n]`` to before ``first[n + 1]``.

    ``places`` and ``osm_ids`` are of nodes; ``to``, ``metres`` and ``seconds`` of edges.
    """

    mode: Mode
    osm_ids: Whole
    places: Places
    first: Whole
    to: Whole
    metres: Real
    seconds: Real

    def reversed(self) -> "StreetGraph":
        """The same streets the other way round."""
        whence = np.repeat(np.arange(len(self.osm_ids)), np.diff(self.first))
        return _graph(self, (self.to, whence), self.metres, seconds=self.seconds)


class Loose(msgspec.Struct, frozen=True):
    """What of a graph was left out because one cannot go from it to the rest and back, and what was kept.

    ``named`` are the OSM ids of the first nodes of the largest loose pieces, to look them up by.
    """

    kept_nodes: int
    kept_metres: float
    pieces: int
    nodes: int
    metres: float
    named: tuple[int, ...]


def street_graph(ways: Iterable[Way], mode: Mode) -> StreetGraph | Refusal:
    """The graph of all ways that a mode may go. Of edges beside each other the quickest is kept.

    Refused with ``streets-absent`` when there is none.
    """
    places: dict[int, tuple[float, float]] = {}
    edges: list[tuple[int, int, float]] = []
    for way in ways:
        places.update(zip(way.nodes, way.places, strict=True))
        edges.extend(_edges(way, mode))
    if not edges:
        return Refusal("streets-absent", "streets", mode)
    columns = np.array(edges)
    ends = columns[:, :2].astype(np.int64)
    osm_ids, at = np.unique(ends, return_inverse=True)
    where = np.array([places[int(node)] for node in osm_ids])
    whence, to = at.reshape(ends.shape).T
    metres = metres_along(where[whence], where[to])
    none = np.zeros(0, dtype=np.int64)
    empty = StreetGraph(mode, osm_ids, where, none, none, none.astype(float), none.astype(float))
    return _graph(empty, (whence, to), metres, seconds=metres * _KMH / columns[:, 2])


def hanging_together(graph: StreetGraph) -> tuple[StreetGraph, Loose]:
    """The largest part of a graph within which one can go from everywhere to everywhere, and what hangs loose."""
    count = len(graph.osm_ids)
    matrix = csr_array((np.ones(len(graph.to)), graph.to, graph.first), shape=(count, count))
    pieces, piece = connected_components(matrix, connection="strong")
    sizes = np.bincount(piece)
    kept = piece == sizes.argmax()
    whence = np.repeat(np.arange(count), np.diff(graph.first))
    inside = kept[whence] & kept[graph.to]
    renamed = np.cumsum(kept) - 1
    part = msgspec.structs.replace(graph, osm_ids=graph.osm_ids[kept], places=graph.places[kept])
    rest = np.argsort(-sizes, kind="stable")[1 : MOST_NAMED + 1]
    loose = Loose(
        kept_nodes=int(kept.sum()),
        kept_metres=float(graph.metres[inside].sum()),
        pieces=pieces - 1,
        nodes=int((~kept).sum()),
        metres=float(graph.metres[~inside].sum()),
        named=tuple(int(graph.osm_ids[int(np.flatnonzero(piece == one)[0])]) for one in rest),
    )
    ends = renamed[whence[inside]], renamed[graph.to[inside]]
    return _graph(part, ends, graph.metres[inside], seconds=graph.seconds[inside]), loose


def _edges(way: Way, mode: Mode) -> Iterator[tuple[int, int, float]]:
    """The stretches of a way in each direction that the mode may go, with kilometres an hour."""
    pace = pace_on(way.tags, mode)
    if pace is None:
        return
    for node, following in pairwise(way.nodes):
        if node != following:
            if pace.along:
                yield node, following, pace.kmh
            if pace.against:
                yield following, node, pace.kmh


def _graph(like: StreetGraph, ends: tuple[Whole, Whole], metres: Real, *, seconds: Real) -> StreetGraph:
    """A graph on the nodes of another with these edges, sorted, and the quickest of those beside each other."""
    whence, to = ends
    order = np.lexsort((seconds, to, whence))
    whence, to = whence[order], to[order]
    fresh = np.ones(len(order), dtype=np.bool_)
    fresh[1:] = (whence[1:] != whence[:-1]) | (to[1:] != to[:-1])
    kept = order[fresh]
    first = np.concatenate(([0], np.bincount(whence[fresh], minlength=len(like.osm_ids)).cumsum()))
    return msgspec.structs.replace(like, first=first, to=to[fresh], metres=metres[kept], seconds=seconds[kept])
