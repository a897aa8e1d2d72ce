"""The search over open sites, each of the best mix at a price on money: against brute force and its own sums."""

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from restante.plan.siting.city import walks_from_matrix
from restante.plan.siting.improving import is_affordable, value_of
from restante.plan.siting.model import Model, model_of
from restante.plan.siting.opening import balanced, fitted, flip, reopened, resized, spend
from restante.plan.siting.outcome import outcome_of, spent
from restante.plan.siting.proposing import cheapest_start, searched
from restante.plan.siting.search import Search
from tests.plan.siting.towns import best_of, brief, town

MONEY = 0.004


def model(seed: int, *, must: tuple[str, ...] = ()) -> Model:
    """The model of a town of six sites."""
    city, metres = town(seed, cells=9, sites=6, room_modules=1)
    asked = msgspec.structs.replace(brief(2500), must=must)
    return model_of(city, walks_from_matrix(metres, reach_m=1800.0), asked).model


@given(st.integers(0, 10_000), st.lists(st.integers(0, 5), max_size=8))
@settings(max_examples=25, deadline=None)
def test_what_each_open_point_is_worth_stays_true(seed: int, flips: list[int]) -> None:
    """After any flips, each open point has the mix and the worth it would be given anew, and a closed one none."""
    made = model(seed)
    now, net = outcome_of(made, np.full(6, -1, np.int64)), np.zeros(6)
    for site in flips:
        flip(made, now, (site, net, MONEY))
    afresh = outcome_of(made, now.mix)
    for site in range(6):
        expected = fitted(made, afresh, (site, MONEY)) if now.mix[site] >= 0 else 0.0
        assert net[site] == pytest.approx(expected, abs=1e-9)
    assert (afresh.mix == now.mix).all()


@given(st.integers(0, 10_000), st.integers(0, 5000))
@settings(max_examples=25, deadline=None)
def test_a_price_of_money_keeps_to_the_budget(seed: int, budget: int) -> None:
    """At the price that balances, what is open is paid for wherever any mixes of it are; a little below, it is not."""
    made = model(seed)._replace(budget=float(budget))
    now, net = outcome_of(made, np.asarray([0, 0, 0, -1, -1, -1])), np.zeros(6)
    money = balanced(made, now, net)
    cheapest = float(made.cost[:3].min(axis=1).sum())
    assert (spent(made, now.mix) <= budget) == (cheapest <= budget)
    if money > 0 and cheapest <= budget:
        assert resized(made, now, (net, 0.999 * money)) > budget


@given(st.integers(0, 10_000), st.integers(1500, 5000))
@settings(max_examples=25, deadline=None)
def test_what_a_price_leaves_is_spent(seed: int, budget: int) -> None:
    """Afterwards the budget still pays for what is open, and for no other mix of one point that is worth more."""
    made = model(seed)._replace(budget=float(budget))
    now = outcome_of(made, np.asarray([0, 0, 0, -1, -1, -1]))
    balanced(made, now, np.zeros(6))
    was_affordable = is_affordable(made, now.mix)
    spend(made, now)
    assert is_affordable(made, now.mix) == was_affordable
    for site in range(3):
        for mix in range(made.mixes[site]):
            other = now.mix.copy()
            other[site] = mix
            assert not is_affordable(made, other) or value_of(made, other) <= value_of(made, now.mix) + 1e-6


def test_it_finds_the_best_of_nearly_every_town() -> None:
    """Of eight towns it finds the best, or nearly, in most: sets of points that no price prefers stay unseen."""
    shares = []
    for seed in range(8):
        made = model(seed)
        found = reopened(made, (cheapest_start(made), 0.0), search=Search(), chunks=40)
        assert is_affordable(made, found)
        shares.append(float(outcome_of(made, found).value.sum()) / best_of(made))
    assert min(shares) > 0.7
    assert np.median(shares) > 0.99


@pytest.mark.parametrize("seed", range(12))
def test_by_turns_the_best_is_found(seed: int) -> None:
    """What no price on money prefers, the search that keeps to the budget finds: no plan of the town is better."""
    made = model(seed)
    found, _ = searched(made, [cheapest_start(made)], search=Search(rounds=60))
    assert value_of(made, found) == pytest.approx(best_of(made))


def test_what_must_be_open_stays() -> None:
    """A must-have site is never closed on the way, and a plan that cannot be bettered in no chunks comes back."""
    made = model(3, must=("s2", "s4"))
    begun = cheapest_start(made)
    assert reopened(made, (begun, 0.0), search=Search(), chunks=0) is begun
    found = reopened(made, (begun, 0.0), search=Search(), chunks=10)
    assert (found[[2, 4]] >= 0).all()
