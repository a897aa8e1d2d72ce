"""The street graph: what becomes an edge, what hangs together, and what is told of the rest."""

import numpy as np
import pytest

from restante.core.refusals import Refusal
from restante.plan.geometry import great_circle_m
from restante.plan.streets.graph import StreetGraph, hanging_together, street_graph
from restante.plan.streets.ways import Mode, Way

PLACES = {node: (60.0 + node / 1000, 25.0) for node in range(1, 10)}


def way(number: int, *nodes: int, **tags: str) -> Way:
    """A residential street through these nodes, unless tags say otherwise."""
    return Way(number, nodes, tuple(PLACES[node] for node in nodes), {"highway": "residential"} | tags)


def graph_of(*ways: Way, mode: Mode = "car") -> StreetGraph:
    """Their graph, which there is."""
    graph = street_graph(ways, mode)
    assert isinstance(graph, StreetGraph)
    return graph


def edges(graph: StreetGraph) -> dict[tuple[int, int], tuple[float, float]]:
    """Metres and seconds by the OSM ids of both ends."""
    whence = np.repeat(np.arange(len(graph.osm_ids)), np.diff(graph.first))
    ends = zip(graph.osm_ids[whence].tolist(), graph.osm_ids[graph.to].tolist(), strict=True)
    return dict(zip(ends, zip(graph.metres.tolist(), graph.seconds.tolist(), strict=True), strict=True))


def test_a_street_is_edges_both_ways_and_a_one_way_street_is_not() -> None:
    """Metres by the great circle, seconds by the speed."""
    found = edges(graph_of(way(1, 1, 2, 3), way(2, 3, 4, oneway="yes")))
    assert found.keys() == {(1, 2), (2, 1), (2, 3), (3, 2), (3, 4)}
    metres, seconds = found[1, 2]
    assert metres == pytest.approx(great_circle_m(PLACES[1], PLACES[2]))
    assert seconds == pytest.approx(metres / (25 / 3.6))


def test_the_quicker_of_two_ways_beside_each_other_is_kept() -> None:
    """Given a slow and a quick street between the same nodes, then one edge is left, the quick one."""
    found = edges(graph_of(way(1, 1, 2, highway="service"), way(2, 1, 2, highway="primary"), way(3, 2, 2)))
    assert len(found) == 2
    assert found[1, 2][1] == pytest.approx(found[1, 2][0] / (45 / 3.6))


def test_an_extract_without_streets_is_refused() -> None:
    """A city of footways has no graph for cars."""
    found = street_graph([way(1, 1, 2, highway="footway")], "car")
    assert found == Refusal("streets-absent", "streets", "car")
    assert isinstance(street_graph([way(1, 1, 2, highway="footway")], "walk"), StreetGraph)


def test_what_hangs_loose_is_left_out_and_told() -> None:
    """A dead end that only leads in, and an island: both are out, and their first nodes are named."""
    whole = graph_of(way(1, 1, 2, 3), way(2, 3, 4, oneway="yes"), way(3, 8, 9))
    kept, loose = hanging_together(whole)
    assert kept.osm_ids.tolist() == [1, 2, 3]
    assert edges(kept) == {ends: told for ends, told in edges(whole).items() if max(ends) <= 3}
    assert (loose.kept_nodes, loose.pieces, loose.nodes) == (3, 2, 3)
    assert loose.named == (8, 4)
    assert loose.kept_metres + loose.metres == pytest.approx(whole.metres.sum())


def test_reversed_streets() -> None:
    """Each edge the other way round; twice is as before."""
    graph = graph_of(way(1, 1, 2, 3, oneway="yes"), way(2, 3, 1))
    assert edges(graph.reversed()) == {(to, whence): told for (whence, to), told in edges(graph).items()}
    assert edges(graph.reversed().reversed()) == edges(graph)
