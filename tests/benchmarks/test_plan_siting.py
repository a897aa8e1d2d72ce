"""The benchmarks of siting read their formats, judge what they find, and draw the same city from the same seed."""

import numpy as np

from benchmarks.plan_cases import read_depots, read_median, read_reach
from benchmarks.plan_city import drawn_city
from benchmarks.plan_siting import Case, report


def test_a_repeated_edge_keeps_the_last_cost() -> None:
    """Nodes, edges and p, then edges; a later cost of the same pair replaces the earlier one, either way round."""
    case = read_median("3 3 1\n1 2 5\n2 3 4\n2 1 7\n")
    assert case.points == 1
    assert case.distance.tolist() == [[0, 7, 11], [7, 0, 4], [11, 4, 0]]


def test_depots_are_read_in_their_order() -> None:
    """Capacities, opening costs, demands, then a row of costs for each cell."""
    depots = read_depots("2 3\n10 20\n1 2\n3 4 5\n1 2\n3 4\n5 6\n")
    assert depots.capacity.tolist() == [10, 20]
    assert depots.demand.tolist() == [3, 4, 5]
    assert depots.serving.tolist() == [[1, 2], [3, 4], [5, 6]]


def test_nodes_are_cells_and_sites() -> None:
    """The first line is left out; distances are straight lines."""
    reach = read_reach("2 9999 p S\n0 0 5\n3 4 7 \n", 5.0)
    assert np.allclose(reach.distance, [[0, 5], [5, 0]])
    assert reach.demand.tolist() == [5, 7]


def test_what_is_not_the_best_or_not_proven_is_told() -> None:
    """A worse value makes figures worthless, an open gap and a slow case miss a floor."""
    cases = [Case("a", 5, 5, 5, 1.0), Case("b", 5, 6, 4, 9.0)]
    found = report(cases, seeds=1, floor_s=2.0, each=True)
    assert found.wrong == ("b: 6 is not 5",)
    assert found.missed == ("b is not proven", "9.0 s, the floor is 2 s")
    assert report(cases[:1], seeds=1, floor_s=2.0, each=False).missed == ()


def test_a_drawn_city_is_the_same_again() -> None:
    """A seed decides a city."""
    assert drawn_city(30, 5, 2) == drawn_city(30, 5, 2)
    assert len(drawn_city(30, 5, 2).cells) == 30
