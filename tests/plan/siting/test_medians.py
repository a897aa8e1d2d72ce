"""The p-median against brute force: the best is found, no bound lies above it, and what cannot be is refused."""

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from restante.core.refusals import Refusal
from restante.plan.siting.interchange import descend, nearest_of
from restante.plan.siting.medians import Medians, first, p_median, solved
from restante.plan.siting.prices import priced
from restante.plan.siting.search import Progress, Search
from restante.plan.siting.table import grain_of, table_of

Numbers = NDArray[np.float64]
SHORT = Search(rounds=200, starts=5)


@st.composite
def cases(draw: st.DrawFn, whole: bool = True) -> tuple[Numbers, int, list[int]]:
    """Costs of up to nine cells from up to seven sites, how many open, and which of them are kept."""
    cells, sites = draw(st.integers(1, 9)), draw(st.integers(1, 7))
    value = st.integers(0, 30) if whole else st.floats(0, 30).map(lambda x: round(x, 3) + 0.0005)
    cost = draw(st.lists(st.lists(value, min_size=sites, max_size=sites), min_size=cells, max_size=cells))
    points = draw(st.integers(1, sites))
    kept = draw(st.lists(st.integers(0, sites - 1), max_size=points, unique=True))
    return np.asarray(cost, dtype=np.float64), points, kept


def brute(cost: Numbers, points: int, kept: list[int]) -> float:
    """The least cost over all sets of sites with the kept ones in them."""
    sets = (each for each in combinations(range(cost.shape[1]), points) if set(kept) <= set(each))
    return min(float(cost[:, each].min(axis=1).sum()) for each in sets)


def is_honest(found: Medians, cost: Numbers, points: int) -> bool:
    """Whether what is said to be open serves every cell at the cost stated."""
    nearest = cost[:, found.opened].min(axis=1)
    served = cost[np.arange(len(cost)), found.serves]
    return (
        len(found.opened) == points and bool((nearest == served).all()) and found.cost == pytest.approx(nearest.sum())
    )


@given(cases())
@settings(max_examples=150, deadline=None)
def test_whole_costs_are_solved_and_proven(case: tuple[Numbers, int, list[int]]) -> None:
    """The plan found is the best of all, and the bound says so."""
    cost, points, kept = case
    found = p_median(cost, points, kept=kept, search=SHORT)
    assert isinstance(found, Medians)
    assert found.cost == found.bound == brute(cost, points, kept)
    assert is_honest(found, cost, points)
    assert set(kept) <= set(found.opened)


@given(cases(whole=False))
@settings(max_examples=100, deadline=None)
def test_broken_costs_are_solved_and_proven(case: tuple[Numbers, int, list[int]]) -> None:
    """Without a least difference between totals, bound and cost meet within the tolerance, the best in between."""
    cost, points, kept = case
    found = p_median(cost, points, kept=kept, search=SHORT)
    assert isinstance(found, Medians)
    best = brute(cost, points, kept)
    assert found.cost == pytest.approx(best, rel=1e-8)
    assert found.bound <= best + 1e-9
    assert found.bound == pytest.approx(best, rel=1e-7)


@given(cases(), st.integers(0, 12))
@settings(max_examples=100, deadline=None)
def test_a_search_cut_short_bounds_from_below(case: tuple[Numbers, int, list[int]], after: int) -> None:
    """Whenever it has to stop, the plan is feasible and the bound is none too high."""
    cost, points, kept = case
    asked = iter(range(after))
    stop = Search(rounds=40, starts=3, stop=lambda: next(asked, None) is None)
    found = p_median(cost, points, kept=kept, search=stop)
    assert isinstance(found, Medians)
    best = brute(cost, points, kept)
    assert found.bound <= best <= found.cost
    assert is_honest(found, cost, points)


@given(cases())
@settings(max_examples=60, deadline=None)
def test_prices_alone_bound_from_below(case: tuple[Numbers, int, list[int]]) -> None:
    """Whatever the prices, their bound is at most the best cost."""
    cost, points, kept = case
    must = np.isin(np.arange(cost.shape[1]), kept)
    table = table_of(cost, must)
    best = priced(table, first(table, points), search=Search(rounds=30), grain=1.0)
    assert best.bound <= brute(cost, points, kept) + 1e-9


def test_no_single_swap_improves_a_descent() -> None:
    """After a descent, brute force finds no swap that saves."""
    cost = np.random.default_rng(4).uniform(0, 100, (30, 12))
    table, opened = table_of(cost, np.zeros(12, np.bool_)), np.arange(12) < 4
    found = descend(table, opened, nearest_of(table))
    for out in np.flatnonzero(opened):
        for into in np.flatnonzero(~opened):
            swapped = [*(set(np.flatnonzero(opened).tolist()) - {int(out)}), int(into)]
            assert cost[:, swapped].min(axis=1).sum() >= found * (1 - 1e-9)


@pytest.mark.slow(seconds=6)
def test_a_hard_town_is_branched_to_the_end() -> None:
    """Where prices leave a gap, branching closes it, and progress never shows a bound above the value."""
    xy = np.random.default_rng(11).integers(0, 60, (90, 2))
    cost = np.abs(xy[:, None] - xy[None]).sum(axis=2).astype(np.float64)
    told: list[Progress] = []
    found = solved(table_of(cost, np.zeros(90, np.bool_)), 7, search=Search(rounds=60, starts=1, tell=told.append))
    assert found.cost == found.bound
    assert {"bounding", "proving"} <= {each.stage for each in told}
    assert all(each.bound <= each.value + 1e-6 for each in told)


def test_the_same_seed_finds_the_same() -> None:
    """A search is decided by its seed."""
    cost = np.random.default_rng(3).uniform(0, 9, (40, 25))
    assert p_median(cost, 6, search=Search(seed=5)) == p_median(cost, 6, search=Search(seed=5))


def test_costs_that_are_whole_differ_by_one() -> None:
    """Whole costs have a grain, broken ones none."""
    assert grain_of(np.asarray([[1.0, 2.0]])) == 1.0
    assert grain_of(np.asarray([[1.5, 2.0]])) == 0.0


REFUSED = {
    "no cells": (np.empty((0, 3)), 1, [], "plan-no-demand", "cells"),
    "not a number": (np.asarray([[np.nan, 1.0]]), 1, [], "plan-value-malformed", "cost"),
    "negative": (np.asarray([[-1.0, 1.0]]), 1, [], "plan-value-malformed", "cost"),
    "no points": (np.ones((2, 2)), 0, [], "plan-too-few-sites", "points"),
    "too many points": (np.ones((2, 2)), 3, [], "plan-too-few-sites", "points"),
    "too many kept": (np.ones((2, 3)), 1, [0, 2], "plan-sites-contradict", "kept"),
    "a cell at sea": (np.asarray([[1.0, 2.0], [np.inf, np.inf]]), 1, [], "plan-cell-unreachable", "cells [1]"),
    "two islands": (np.asarray([[1.0, np.inf], [np.inf, 1.0]]), 1, [], "plan-cell-unreachable", "points"),
}


@pytest.mark.parametrize(("cost", "points", "kept", "code", "field"), REFUSED.values(), ids=REFUSED)
def test_what_cannot_be_is_refused(cost: Numbers, points: int, kept: list[int], code: str, field: str) -> None:
    """The refusal names the rule and the field."""
    found = p_median(cost, points, kept=kept)
    assert isinstance(found, Refusal)
    assert (found.code, found.field) == (code, field)


def test_islands_are_reached_by_enough_points() -> None:
    """Infinite costs are no obstacle where some choice of sites reaches everybody."""
    found = p_median(np.asarray([[1.0, np.inf], [np.inf, 2.0]]), 2)
    assert isinstance(found, Medians)
    assert found.cost == found.bound == 3.0
