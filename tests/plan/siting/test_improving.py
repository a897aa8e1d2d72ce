"""The local search of the city: no small change betters what it leaves, and it keeps to its limits."""

from itertools import combinations, product

import pytest

from restante.plan.siting.city import Indices, walks_from_matrix
from restante.plan.siting.improving import is_affordable, settled, value_of
from restante.plan.siting.model import Model, model_of
from restante.plan.siting.proposing import cheapest_start
from restante.plan.siting.search import Search
from tests.plan.siting.towns import brief, town


def model(seed: int) -> Model:
    """A town of ten sites, whose budget pays for some four."""
    city, metres = town(seed, cells=14, sites=10)
    return model_of(city, walks_from_matrix(metres, reach_m=1800.0), brief(3500)).model


def neighbours(made: Model, mix: Indices) -> list[Indices]:
    """All plans within the budget that differ in two sites at most."""
    found = []
    for one, other in combinations(range(len(mix)), 2):
        for pair in product(range(-1, made.mixes[one]), range(-1, made.mixes[other])):
            changed = mix.copy()
            changed[[one, other]] = pair
            found.append(changed)
    return [each for each in found if is_affordable(made, each)]


@pytest.mark.parametrize("seed", range(4))
def test_no_change_of_two_sites_betters_what_is_left(seed: int) -> None:
    """Every plan that differs from the one found in one or two sites counts for no more."""
    made = model(seed)
    found = settled(made, cheapest_start(made), search=Search(seed=seed, rounds=600))
    best = max(value_of(made, each) for each in neighbours(made, found))
    assert value_of(made, found) >= best - 1e-9


def test_a_search_of_no_rounds_leaves_the_plan() -> None:
    """Neither without rounds nor when it is stopped does anything change."""
    made = model(1)
    begun = cheapest_start(made)
    for search in (Search(rounds=0), Search(stop=lambda: True)):
        assert (settled(made, begun, search=search) == begun).all()
