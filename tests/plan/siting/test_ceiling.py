"""The bound of a city: no plan exceeds it, whatever the prices are, and it counts those who come."""

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from restante.plan.siting.brief import PEAK, STORM, Brief, Scenario
from restante.plan.siting.ceiling import first_ceiling, lowered
from restante.plan.siting.city import walks_from_matrix
from restante.plan.siting.copies import Prices, evaluated
from restante.plan.siting.model import Model, model_of
from restante.plan.siting.outcome import captured, nothing_open, outcome_of, spent
from tests.plan.siting.towns import best_of, brief, every_plan, town

STORMY = (Scenario("ordinary day", weight=3.0), PEAK, STORM, Scenario("closed", closed=("s1",)))
ASKED = {
    "as it is": brief(),
    "four scenarios": msgspec.structs.replace(brief(), scenarios=STORMY),
    "sites that must and must not be": msgspec.structs.replace(brief(), must=("s0",), forbidden=("s2",)),
    "hardly any room": msgspec.structs.replace(brief(), full_chance=0.001, dwell_days=4.0),
    "room for all": msgspec.structs.replace(brief(10**6), dwell_days=0.1),
    "walks that count": msgspec.structs.replace(brief(), walk_weight=0.4),
}


def model(seed: int, asked: Brief) -> Model:
    """The model of a small town."""
    city, metres = town(seed)
    return model_of(city, walks_from_matrix(metres, reach_m=1800.0), asked).model


def drawn_prices(made: Model, seed: int) -> Prices:
    """Prices that nothing led to."""
    chance, like = np.random.default_rng(seed), first_ceiling(made, nothing_open(made).pulled).prices
    return Prices(
        copy=chance.normal(0, 2, like.copy.shape),
        tangent=chance.random(like.tangent.shape),
        room=chance.random(like.room.shape),
        reward=np.zeros(len(made.needed)),
        none=chance.random(like.none.shape),
    )


@pytest.mark.parametrize("asked", ASKED.values(), ids=ASKED)
@given(seed=st.integers(0, 10_000))
@settings(max_examples=4, deadline=None)
def test_no_plan_exceeds_a_bound(asked: Brief, seed: int) -> None:
    """Whatever the prices are, on the way, at the end and at random, the best plan counts for no more."""
    made = model(seed, asked)
    best = best_of(made)
    at = first_ceiling(made, nothing_open(made).pulled)
    for _ in range(60):
        at, now = lowered(made, at)
        assert now.bound >= best - 1e-9
        assert spent(made, now.dear) <= made.budget
    assert evaluated(made, drawn_prices(made, seed)).bound >= best - 1e-9


@given(st.integers(0, 10_000))
@settings(max_examples=6, deadline=None)
def test_no_plan_that_serves_a_district_exceeds_its_bound(seed: int) -> None:
    """A bound in which a district asks for a share holds for all plans that reach it, and may be lower than without."""
    free = model(seed, brief(1500))
    south = free.district == 1
    plans = [outcome_of(free, each) for each in every_plan(free)]
    seen = [float(captured(free, each)[0][south].sum()) for each in plans]
    worth = [float(each.value.sum()) for each in plans]
    asked = free._replace(needed=np.asarray([0.0, float(np.quantile(seen, 0.9))]))
    best = max(value for value, enough in zip(worth, seen, strict=True) if enough >= asked.needed[1])
    at = first_ceiling(asked, nothing_open(asked).pulled)
    for _ in range(60):
        at, now = lowered(asked, at)
        assert now.bound >= best - 1e-9
    drawn = drawn_prices(asked, seed)._replace(reward=np.asarray([0.3, 2.0]))
    assert evaluated(asked, drawn).bound >= best - 1e-9


def test_a_bound_counts_those_who_come() -> None:
    """One large point beside three small ones that turn people away: the bound knows that these are lost.

    If they were served at the large one, more than twice as many would be.
    """
    every = ("s0", "s1", "s2", "s3")
    made = model(4, msgspec.structs.replace(brief(10**6), must=every, dwell_days=1.0, walk_weight=0.0))
    made = made._replace(mixes=np.asarray([5, 1, 1, 1]))
    best = max(every_plan(made), key=lambda each: float(outcome_of(made, each).value.sum()))
    now = outcome_of(made, best)
    at = first_ceiling(made, now.pulled)
    for _ in range(800):
        at, _ = lowered(made, at)
    assert min(now.load.sum(), made.room[0, best, 0].sum()) > 2 * now.value.sum()
    assert at.bound == pytest.approx(now.value.sum(), rel=1e-6)
