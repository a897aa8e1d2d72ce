"""Programs handed to HiGHS: values, bounds, reduced costs, and what ends a search."""

import math
from itertools import product

import numpy as np
import pytest
from scipy.sparse import csr_matrix

from restante.plan.program import Effort, Program, solve

WORTH = np.array([9.0, 7.0, 6.0, 3.0])
WEIGHT = np.array([5.0, 4.0, 4.0, 1.0])
ROOM = 9.0


def knapsack(*, whole: bool, least: float = 0.0) -> Program:
    """The most worth within a weight, as the least cost."""
    rows = csr_matrix(WEIGHT[None])
    return Program(-WORTH, np.ones(4), np.full(4, whole), rows, np.array([least]), np.array([ROOM]))


def test_whole_numbers_are_those_of_brute_force() -> None:
    """The cost is the best of all choices, and so is its bound; whole numbers have no reduced costs."""
    best = max(float(WORTH @ each) for each in product((0, 1), repeat=4) if WEIGHT @ each <= ROOM)
    found = solve(knapsack(whole=True), Effort())
    assert found.cost == pytest.approx(-best)
    assert found.bound == pytest.approx(-best)
    assert WORTH @ found.values == pytest.approx(best)
    assert found.reduced.size == 0


def test_reduced_costs_are_what_a_unit_more_would_cost() -> None:
    """By worth per weight the second is taken last and in part; the others differ from its price per weight."""
    found = solve(knapsack(whole=False), Effort())
    assert found.values == pytest.approx([1.0, 0.75, 0.0, 1.0])
    assert found.reduced == pytest.approx(WEIGHT * 7 / 4 - WORTH)
    assert found.bound == pytest.approx(found.cost)


def test_what_cannot_be_is_infinitely_dear() -> None:
    """More weight than there is cannot be reached."""
    for whole in (True, False):
        found = solve(knapsack(whole=whole, least=15.0), Effort())
        assert (found.values.size, found.cost, found.bound) == (0, math.inf, math.inf)


def test_a_search_without_time_proves_nothing_wrong() -> None:
    """Stopped at once, or with no seconds, whatever comes back keeps its bound on the right side."""
    for effort in (Effort(stop=lambda: True), Effort(seconds=0.0)):
        found = solve(knapsack(whole=True), effort)
        assert found.bound <= -15.0
        assert found.cost >= -19.0
