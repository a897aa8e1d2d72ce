"""Places from distances: great circles, layouts, and the plane laid on the sphere."""

import math
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from restante.plan.geometry import Layout, classical_mds, great_circle_m, stress, symmetric, to_wgs84

places = st.lists(st.tuples(st.integers(-9000, 9000), st.integers(-9000, 9000)), min_size=1, max_size=12, unique=True)
degrees = st.tuples(st.floats(-90, 90), st.floats(-180, 180))


def _metres(points: list[tuple[int, int]]) -> list[list[float]]:
    return [[math.dist(a, b) for b in points] for a in points]


def test_a_quarter_of_the_earth() -> None:
    """From the equator to the pole is a quarter of the mean circumference."""
    assert great_circle_m((0, 0), (90, 0)) == pytest.approx(10_007_557, abs=1)


def test_helsinki_to_tallinn() -> None:
    """Two cathedrals some 82 km apart come out so."""
    assert great_circle_m((60.1704, 24.9521), (59.4372, 24.7399)) == pytest.approx(82_400, rel=0.01)


@given(degrees, degrees)
def test_distance_is_symmetric_and_bounded(a: tuple[float, float], b: tuple[float, float]) -> None:
    """Both ways are equally long, never negative, and never longer than half the circumference."""
    there = great_circle_m(a, b)
    assert there == pytest.approx(great_circle_m(b, a), abs=1e-6)
    assert 0 <= there <= 20_015_115


@given(places)
@settings(max_examples=50)
def test_planar_points_come_back(points: list[tuple[int, int]]) -> None:
    """Given the distances of points in a plane, their layout has the same distances and next to no stress."""
    layout = classical_mds(_metres(points))
    for i, j in combinations(range(len(points)), 2):
        assert math.dist(layout.xy_m[i], layout.xy_m[j]) == pytest.approx(math.dist(points[i], points[j]), abs=0.05)
    assert layout.stress < 1e-4


def test_no_points_and_one_point() -> None:
    """Nothing lays out as nothing, and a single point sits at the centre."""
    assert classical_mds([]) == Layout((), 0.0)
    assert classical_mds([[0.0]]) == Layout(((0.0, 0.0),), 0.0)


def test_points_at_one_spot_have_no_stress() -> None:
    """Distances that are all zero fit exactly instead of dividing by nothing."""
    assert classical_mds([[0, 0], [0, 0]]).stress == 0


def test_directions_are_averaged() -> None:
    """A one-way detour of 300 m out and 100 m back counts as 200 m."""
    first, second = classical_mds([[0, 300], [100, 0]]).xy_m
    assert math.dist(first, second) == pytest.approx(200)


def test_each_axis_points_to_its_largest_coordinate() -> None:
    """The sign of an eigenvector is arbitrary; ours is not."""
    layout = classical_mds(_metres([(0, 0), (10, 0), (11, 0), (5, 3)]))
    for axis in (0, 1):
        column = [xy[axis] for xy in layout.xy_m]
        assert max(column, key=abs) > 0


def test_mirrored_distances_give_the_same_map() -> None:
    """The same matrix handed over transposed is the same map to the last bit."""
    metres = _metres([(0, 0), (700, 100), (300, 900), (250, 120)])
    metres[0][1] += 40
    assert classical_mds(metres) == classical_mds([list(row) for row in zip(*metres, strict=True)])


def test_a_tetrahedron_does_not_fit_a_plane() -> None:
    """Four points all equally far apart need three dimensions, and the stress says so."""
    layout = classical_mds([[float(i != j) for j in range(4)] for i in range(4)])
    assert 0.2 < layout.stress < 0.5


def test_stress_of_a_known_misfit() -> None:
    """One distance of 4 drawn as 3 is a stress of a quarter."""
    assert stress(np.array([[0.0, 4.0], [4.0, 0.0]]), np.array([[0.0, 0.0], [3.0, 0.0]])) == pytest.approx(0.25)


@pytest.mark.parametrize("broken", [[[0, -1], [1, 0]], [[0, math.nan], [1, 0]], [[2, 1], [1, 0]]])
def test_what_is_no_distance_is_a_bug(broken: list[list[float]]) -> None:
    """Negative, undefined and self-distances are stopped before they become a map."""
    with pytest.raises(AssertionError):
        symmetric(broken)


def test_a_matrix_that_is_not_square_is_a_bug() -> None:
    """Rows of unequal length are stopped too."""
    with pytest.raises(ValueError, match="reshape"):
        symmetric([[0, 1, 2], [1, 0, 2]])


@given(
    st.tuples(st.floats(-14_000, 14_000), st.floats(-14_000, 14_000)),
    st.tuples(st.floats(-60, 60), st.floats(-170, 170)),
)
def test_the_plane_keeps_distances_from_its_centre(xy: tuple[float, float], centre: tuple[float, float]) -> None:
    """Within 20 km a point lands as far from the centre as it was drawn, within one per cent."""
    (place,) = to_wgs84([xy], centre)
    assert great_circle_m(centre, place) == pytest.approx(math.hypot(*xy), rel=0.01, abs=0.01)


def test_north_is_up() -> None:
    """Positive x goes east and positive y goes north."""
    (east, north) = to_wgs84([(1000, 0), (0, 1000)], (60.17, 24.94))
    assert east[1] > 24.94
    assert east[0] == 60.17
    assert north[0] > 60.17
    assert north[1] == 24.94
