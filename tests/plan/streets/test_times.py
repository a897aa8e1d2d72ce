"""Travel times: against another implementation, off the streets, without a way, kept, by the hour, and by the crow."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse import csr_array
from scipy.sparse.csgraph import dijkstra

from restante.core.refusals import Refusal
from restante.plan.geometry import great_circle_m
from restante.plan.streets.dijkstra import seconds_from
from restante.plan.streets.graph import StreetGraph, hanging_together
from restante.plan.streets.sphere import Real, metres_along, metres_between, nearest
from restante.plan.streets.times import Travel, at_hour, crow_times, hour_factors, snapped, street_times
from restante.plan.streets.ways import WALK_KMH
from tests.plan.streets.test_graph import PLACES, graph_of, way

AROUND = np.array([PLACES[1], PLACES[3], (PLACES[2][0], 25.001)])


@st.composite
def _graphs(draw: st.DrawFn) -> StreetGraph:
    count = draw(st.integers(2, 12))
    ends = st.tuples(st.integers(0, count - 1), st.integers(0, count - 1))
    pairs = sorted(draw(st.sets(ends, min_size=1, max_size=40)))
    seconds = np.array([float(draw(st.integers(1, 9))) for _ in pairs])
    whence, to = np.array(pairs).T
    first = np.concatenate(([0], np.bincount(whence, minlength=count).cumsum()))
    return StreetGraph("car", np.arange(count), np.zeros((count, 2)), first, to, seconds, seconds)


@given(_graphs(), st.data())
@settings(max_examples=60, deadline=None)
def test_the_quickest_ways(graph: StreetGraph, data: st.DataObject) -> None:
    """Given any graph, then times are those of another implementation, without a way and backwards too."""
    count = len(graph.osm_ids)
    some = st.sets(st.integers(0, count - 1), min_size=1).map(lambda nodes: np.array(sorted(nodes)))
    starts, targets = data.draw(some), data.draw(some)
    matrix = csr_array((graph.seconds, graph.to, graph.first), shape=(count, count))
    expected = dijkstra(matrix, indices=starts)[:, targets]
    assert seconds_from(graph, starts, targets).tolist() == expected.tolist()
    assert seconds_from(graph.reversed(), targets, starts).T.tolist() == expected.tolist()


def _times(found: Travel | Refusal) -> Real:
    assert isinstance(found, Travel)
    return found.seconds


def test_times_with_the_walk_to_the_street() -> None:
    """From node to node it is the street alone; 56 m off it, the walk there comes on top."""
    graph = graph_of(way(1, 1, 2, 3))
    seconds = _times(street_times(graph, AROUND, AROUND))
    street = great_circle_m(PLACES[1], PLACES[3]) / (25 / 3.6)
    off_m = great_circle_m(PLACES[2], (PLACES[2][0], 25.001))
    assert seconds[0, 1] == pytest.approx(street)
    assert seconds[0, 2] == pytest.approx(street / 2 + off_m / (WALK_KMH / 3.6))
    assert seconds[0, 0] == 0


def test_one_way_streets_are_longer_back() -> None:
    """Round the block is the way home, whichever side has more places."""
    graph = graph_of(way(1, 1, 2, oneway="yes"), way(2, 2, 3, 4, oneway="yes"), way(3, 4, 1))
    there, back = np.array([PLACES[1]]), np.array([PLACES[2], PLACES[3]])
    out, home = _times(street_times(graph, there, back)), _times(street_times(graph, back, there))
    assert home[0, 0] > 3 * out[0, 0]
    assert home[1, 0] == pytest.approx(_times(street_times(graph, back[1:], there))[0, 0])


def test_a_place_off_the_streets_is_refused_by_name() -> None:
    """The rows that are too far off are named with their metres; none is dropped in silence."""
    graph = graph_of(way(1, 1, 2))
    far = np.array([PLACES[1], PLACES[9]])
    found = snapped(graph, far, limit_m=250)
    assert isinstance(found, Refusal)
    assert (found.code, found.field) == ("place-off-street", "places")
    assert found.detail == "more than 250 m: 1 (778 m)"
    other = street_times(graph, far[:1], far, limit_m=250)
    assert isinstance(other, Refusal)
    assert other.field == "others"
    assert isinstance(street_times(graph, far, far, limit_m=800), Travel)


def test_places_without_a_way_are_refused_by_name() -> None:
    """Given two islands, when times are asked for, then each pair without a way is named; on one all is well."""
    graph = graph_of(way(1, 1, 2, 3), way(2, 8, 9))
    ends = np.array([PLACES[1], PLACES[9]])
    found = street_times(graph, ends, ends)
    assert found == Refusal("places-unconnected", "places", "car: 0 to 1, 1 to 0")
    kept, _ = hanging_together(graph)
    assert isinstance(street_times(kept, ends[:1], ends[:1]), Travel)


def test_many_names_are_cut_short_and_counted() -> None:
    """A refusal stays readable."""
    graph = graph_of(way(1, 1, 2))
    found = snapped(graph, np.full((50, 2), 10.0))
    assert isinstance(found, Refusal)
    assert found.detail.endswith(" and 30 more")


def test_a_matrix_is_worked_out_once() -> None:
    """The same streets and places are found again; another street, place or mode is another matrix."""
    kept: dict[str, Real] = {}
    graph, other = graph_of(way(1, 1, 2, 3)), graph_of(way(1, 1, 2, 3, maxspeed="10"))
    first = _times(street_times(graph, AROUND, AROUND, kept=kept))
    assert _times(street_times(graph, AROUND.copy(), AROUND, kept=kept)) is first
    for changed in (
        street_times(other, AROUND, AROUND, kept=kept),
        street_times(graph, AROUND + 1e-5, AROUND, kept=kept),
        street_times(graph_of(way(1, 1, 2, 3), mode="bike"), AROUND, AROUND, kept=kept),
    ):
        assert not np.allclose(_times(changed), first)
    assert len(kept) == 4


def test_hours_make_ways_longer() -> None:
    """The quickest hour has factor 1, and one at half its speed takes twice as long."""
    factors = hour_factors([40.0] * 12 + [20.0] * 12)
    travel = Travel(np.array([[60.0]]), "streets")
    assert at_hour(travel, factors, 3).seconds.item() == 60
    assert at_hour(travel, factors, 20).seconds.item() == 120
    assert "20 h" in at_hour(travel, factors, 20).basis
    for wrong in ([40.0] * 23, [40.0] * 23 + [0.0]):
        with pytest.raises(AssertionError):
            hour_factors(wrong)


def test_without_streets_the_crow_says_so() -> None:
    """1.3 times the great circle at an assumed speed, and the basis names all three."""
    found = crow_times(AROUND, AROUND, "walk")
    assert found.seconds[0, 1] == pytest.approx(1.3 * great_circle_m(PLACES[1], PLACES[3]) / (WALK_KMH / 3.6))
    assert found.basis == "no streets: 1.3 x great circle, walk, 4.8 km/h (assumed)"


@given(st.lists(st.tuples(st.floats(-90, 90), st.floats(-180, 180)), min_size=2, max_size=6))
def test_the_sphere_is_the_same_for_many(places: list[tuple[float, float]]) -> None:
    """Metres between many are those between two, at poles and date lines too, and the nearest is nearest."""
    rows = np.array(places)
    each = np.array([[great_circle_m(a, b) for b in places] for a in places])
    assert metres_between(rows, rows) == pytest.approx(each, rel=1e-6, abs=0.5)
    assert metres_along(rows[:1], rows[1:2]) == pytest.approx(each[0, 1:2], rel=1e-6, abs=0.5)
    which, metres = nearest(rows[:1], rows[1:])
    assert metres == pytest.approx(each[:1, 1:].min(axis=1), rel=1e-6, abs=0.5)
    assert each[0, 1 + int(which[0])] == pytest.approx(each[0, 1:].min(), rel=1e-6, abs=0.5)
