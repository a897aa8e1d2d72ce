"""Maximal covering and single-source siting against brute force."""

from itertools import combinations, product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from restante.core.refusals import Refusal
from restante.plan.siting.covering import Covering, Reach, maximal_covering
from restante.plan.siting.search import Search
from restante.plan.siting.single_source import Assignment, Depots, begin, bettered, cost_of, single_source

Numbers = NDArray[np.float64]
SHORT = Search(rounds=100, starts=3)


@st.composite
def reaches(draw: st.DrawFn) -> tuple[Reach, int]:
    """Up to nine cells and six sites on a line."""
    cells, sites = draw(st.integers(1, 9)), draw(st.integers(1, 6))
    where = st.integers(0, 40)
    at = np.asarray(draw(st.lists(where, min_size=cells, max_size=cells)))
    stands = np.asarray(draw(st.lists(where, min_size=sites, max_size=sites)))
    demand = draw(st.lists(st.integers(0, 9), min_size=cells, max_size=cells).filter(any))
    distance = np.abs(at[:, None] - stands[None]).astype(np.float64)
    return Reach(distance, draw(st.integers(0, 15)), np.asarray(demand, dtype=np.float64)), draw(st.integers(1, sites))


@given(reaches())
@settings(max_examples=100, deadline=None)
def test_most_demand_is_covered_and_proven(case: tuple[Reach, int]) -> None:
    """What is covered is the most that can be, and the bound says so."""
    reach, points = case
    within = reach.distance <= reach.limit
    sets = combinations(range(within.shape[1]), points)
    best = max(float(reach.demand[within[:, each].any(axis=1)].sum()) for each in sets)
    found = maximal_covering(reach, points, search=SHORT)
    assert isinstance(found, Covering)
    assert found.covered == found.bound == best
    assert reach.demand[within[:, found.opened].any(axis=1)].sum() == best


def test_covering_nobody_is_proven_too() -> None:
    """Sites out of everybody's reach cover nothing, and nothing better is claimed to be possible."""
    found = maximal_covering(Reach(np.full((2, 2), 9.0), 1.0, np.ones(2)), 1)
    assert isinstance(found, Covering)
    assert (found.covered, found.bound) == (0.0, 0.0)


def test_a_kept_site_stays() -> None:
    """A site that has to be open is, even where another covers more."""
    distance = np.asarray([[0.0, 9.0], [9.0, 0.0], [9.0, 0.0]])
    found = maximal_covering(Reach(distance, 1.0, np.ones(3)), 1, kept=[0])
    assert isinstance(found, Covering)
    assert (found.opened, found.covered, found.bound) == ((0,), 1.0, 1.0)


@pytest.mark.parametrize(
    ("demand", "points", "code"),
    [
        ([0.0, 0.0], 1, "plan-no-demand"),
        ([-1.0, 2.0], 1, "plan-value-malformed"),
        ([1.0, 1.0], 3, "plan-too-few-sites"),
    ],
)
def test_covering_refuses(demand: list[float], points: int, code: str) -> None:
    """No demand, negative demand, more points than sites."""
    found = maximal_covering(Reach(np.ones((2, 2)), 1.0, np.asarray(demand)), points)
    assert isinstance(found, Refusal)
    assert found.code == code


@st.composite
def depots(draw: st.DrawFn) -> Depots:
    """Up to five cells and four sites."""
    cells, sites = draw(st.integers(1, 5)), draw(st.integers(1, 4))
    numbers = st.integers(0, 20)
    demand = draw(st.lists(st.integers(1, 8), min_size=cells, max_size=cells))
    rows = st.lists(st.lists(numbers, min_size=sites, max_size=sites), min_size=cells, max_size=cells)
    columns = st.lists(numbers, min_size=sites, max_size=sites)
    given_: list[object] = [draw(columns), draw(columns), demand, draw(rows)]
    return Depots(*(np.asarray(each, dtype=np.float64) for each in given_))


def fits(case: Depots, serves: NDArray[np.int64]) -> bool:
    """Whether no site is loaded beyond its capacity."""
    load = np.bincount(serves, weights=case.demand, minlength=len(case.capacity))
    return bool((load <= case.capacity).all())


@given(depots())
@settings(max_examples=100, deadline=None)
def test_the_cheapest_assignment_is_found(case: Depots) -> None:
    """Brute force over all assignments agrees; what does not fit is refused."""
    cells, sites = case.serving.shape
    every = (np.asarray(each) for each in product(range(sites), repeat=cells))
    best = min((cost_of(case, each) for each in every if fits(case, each)), default=None)
    found = single_source(case, search=SHORT)
    if best is None:
        assert isinstance(found, Refusal)
        assert found.code == "plan-capacity-short"
        return
    assert isinstance(found, Assignment)
    assert found.cost == pytest.approx(best)
    assert found.bound <= best + 1e-6
    assert found.bound == pytest.approx(best, abs=1e-4)
    assert fits(case, np.asarray(found.serves))
    assert set(found.opened) == set(found.serves)


@given(depots())
@settings(max_examples=60, deadline=None)
def test_what_a_search_starts_from_fits(case: Depots) -> None:
    """A plan to start from, if there is one, loads no site beyond its capacity."""
    serves = begin(case)
    assert serves is None or fits(case, serves)


@given(depots())
@settings(max_examples=60, deadline=None)
def test_what_is_bettered_fits_and_costs_no_more(case: Depots) -> None:
    """Opening and closing sites leaves a plan that fits, no dearer than the one it began with."""
    serves = begin(case)
    if serves is not None:
        better = bettered(case, serves, search=Search())
        assert fits(case, better)
        assert cost_of(case, better) <= cost_of(case, serves)


def test_a_stopped_search_hands_back_its_start() -> None:
    """Without any time the plan to start from is the answer, and its bound is below."""
    case = Depots(np.asarray([5.0, 5.0]), np.ones(2), np.asarray([3.0, 4.0]), np.asarray([[1.0, 2.0], [2.0, 1.0]]))
    found = single_source(case, search=Search(stop=lambda: True))
    assert isinstance(found, Assignment)
    assert found.bound <= 4.0 <= found.cost


def test_a_site_takes_the_place_of_another() -> None:
    """Where neither opening nor closing one site betters a plan, putting one in the place of another may."""
    serving = np.asarray([[1.0, 4.0], [4.0, 0.0]])
    case = Depots(np.asarray([2.0, 2.0]), np.asarray([10.0, 5.0]), np.ones(2), serving)
    assert bettered(case, np.asarray([0, 0]), search=SHORT).tolist() == [1, 1]


def test_cells_are_exchanged_where_no_room_is_left() -> None:
    """Two sites that are full serve each other's neighbours until both cells change places."""
    serving = np.asarray([[1.0, 2.0], [1.0, 5.0], [5.0, 1.0]])
    case = Depots(np.asarray([2.0, 1.0]), np.zeros(2), np.asarray([1.0, 1.0, 1.0]), serving)
    crossed = np.asarray([0, 1, 0])
    assert bettered(case, crossed, search=SHORT).tolist() == [0, 0, 1]


def test_a_shortage_is_named() -> None:
    """The refusal says by how much all sites together are too small, or the largest for the largest cell."""
    ones = np.ones((2, 2))
    short = single_source(Depots(np.asarray([3.0, 4.0]), np.ones(2), np.asarray([5.0, 4.5]), ones))
    large = single_source(Depots(np.asarray([4.0, 4.0]), np.ones(2), np.asarray([5.0, 1.0]), ones))
    none = single_source(Depots(np.ones(2), np.ones(2), np.zeros(2), ones))
    assert isinstance(short, Refusal)
    assert isinstance(large, Refusal)
    assert isinstance(none, Refusal)
    assert (short.code, short.detail) == ("plan-capacity-short", "all sites together lack room for 2.5")
    assert (large.field, large.detail) == ("demand", "the largest cell exceeds the largest site by 1")
    assert none.code == "plan-no-demand"


def test_a_number_that_is_none_is_refused() -> None:
    """Which of the four tables holds it is said."""
    found = single_source(Depots(np.ones(1), np.asarray([np.nan]), np.ones(1), np.ones((1, 1))))
    assert found == Refusal("plan-value-malformed", "opening", "a number that is finite and not negative")
