"""Dijkstra's algorithm from many nodes, each until all targets are reached, compiled."""

import numpy as np
from numpy.typing import NDArray

from restante.plan.compiled import compiled
from restante.plan.streets.graph import StreetGraph
from restante.plan.streets.sphere import Real, Whole


def seconds_from(graph: StreetGraph, starts: Whole, targets: Whole) -> Real:
    """Seconds from each start to each target, both distinct nodes; infinity where there is no way."""
    wanted = np.zeros(len(graph.osm_ids), dtype=np.bool_)
    wanted[targets] = True
    streets = graph.first, graph.to, graph.seconds
    return _from_each(streets, (starts, targets), wanted)


@compiled
def _pushed(size: int, item: tuple[float, int], heap: tuple[Real, Whole]) -> int:
    """A binary heap with one item more; its size."""
    seconds, nodes = heap
    at = size
    while at > 0:
        above = (at - 1) // 2
        if seconds[above] <= item[0]:
            break
        seconds[at], nodes[at] = seconds[above], nodes[above]
        at = above
    seconds[at], nodes[at] = item
    return size + 1


@compiled
def _popped(size: int, heap: tuple[Real, Whole]) -> int:
    """A binary heap without its least item; its size."""
    seconds, nodes = heap
    size -= 1
    last, node = seconds[size], nodes[size]
    at = 0
    while True:
        below = 2 * at + 1
        if below >= size:
            break
        if below + 1 < size and seconds[below + 1] < seconds[below]:
            below += 1
        if last <= seconds[below]:
            break
        seconds[at], nodes[at] = seconds[below], nodes[below]
        at = below
    seconds[at], nodes[at] = last, node
    return size


@compiled
def _reach(
    start: int, streets: tuple[Whole, Whole, Real], room: tuple[Real, Whole, Real, NDArray[np.bool_], int]
) -> None:
    """Fill in the seconds from a start, until all wanted nodes are settled."""
    first, to, length = streets
    heap_seconds, heap_nodes, seconds, wanted, left = room
    heap = heap_seconds, heap_nodes
    seconds[:] = np.inf
    seconds[start] = 0.0
    size = _pushed(0, (0.0, start), heap)
    while size and left:
        now, node = heap_seconds[0], heap_nodes[0]
        size = _popped(size, heap)
        if now > seconds[node]:
            continue
        if wanted[node]:
            left -= 1
        for edge in range(first[node], first[node + 1]):
            later = now + length[edge]
            if later < seconds[to[edge]]:
                seconds[to[edge]] = later
                size = _pushed(size, (later, to[edge]), heap)


@compiled
def _from_each(streets: tuple[Whole, Whole, Real], ends: tuple[Whole, Whole], wanted: NDArray[np.bool_]) -> Real:
    starts, targets = ends
    first, to, _length = streets
    heap_seconds, heap_nodes = np.empty(len(to) + 1), np.empty(len(to) + 1, dtype=np.int64)
    seconds = np.empty(len(first) - 1)
    table = np.empty((len(starts), len(targets)))
    for row in range(len(starts)):
        _reach(starts[row], streets, (heap_seconds, heap_nodes, seconds, wanted, len(targets)))
        for column in range(len(targets)):
            table[row, column] = seconds[targets[column]]
    return table
