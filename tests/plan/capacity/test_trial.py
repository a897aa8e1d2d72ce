"""A bank tried on drawn requests: it earns what the exact calculation says, whatever the stays are distributed like."""

import numpy as np
import pytest

from restante.plan.capacity.admission import Scarce, by_bid_prices, earned, first_come
from restante.plan.capacity.erlang import erlang_b
from restante.plan.capacity.trial import (
    Requests,
    drawn_futures,
    drawn_requests,
    free_table,
    price_table,
    tried,
)
from tests.plan.capacity.test_admission import CROWDED, QUIET


@pytest.mark.parametrize("bank", [CROWDED, QUIET])
def test_a_trial_earns_what_is_exact(bank: Scarce) -> None:
    """Over 100,000 people first-come and bid prices earn an hour what the chain says, to a per cent or so."""
    people = drawn_requests(bank, np.random.default_rng(1), count=100_000)
    for table, policy in ((free_table(bank), first_come(bank)), (price_table(bank), by_bid_prices(bank))):
        found = tried(bank, table, people)
        assert sum(found.taken) + sum(found.turned_away) == 100_000
        assert found.worth / people.at_hours[-1] == pytest.approx(earned(bank, policy).at_least, rel=0.015)


@pytest.mark.parametrize("name", ["exponential", "always alike", "most short, some long"])
def test_erlang_holds_for_any_stays(name: str) -> None:
    """Given one size and stays of one mean, then the share turned away is Erlang's, whatever their distribution."""
    chance, count, mean = np.random.default_rng(2), 200_000, 24.0
    stays = {
        "exponential": chance.exponential(mean, count),
        "always alike": np.full(count, mean),
        "most short, some long": np.where(chance.random(count) < 0.8, mean / 4, 4 * mean),
    }[name]
    bank = Scarce((30,), (1.2,), (1.0,), mean)
    people = Requests(chance.exponential(1 / 1.2, count).cumsum(), np.zeros(count, dtype=np.int64), stays)
    found = tried(bank, free_table(bank), people)
    assert found.turned_away[0] / count == pytest.approx(erlang_b(30, 1.2 * mean), abs=0.005)


@pytest.mark.slow(seconds=9)
def test_the_same_people_the_same_outcome() -> None:
    """A trial takes no chance of its own."""
    people = drawn_requests(CROWDED, np.random.default_rng(3), count=300)
    ahead = drawn_futures(CROWDED, np.random.default_rng(4), futures=20)
    assert tried(CROWDED, price_table(CROWDED), people, futures=ahead) == tried(
        CROWDED, price_table(CROWDED), people, futures=ahead
    )


def test_a_rollout_betters_first_come() -> None:
    """Given the futures of a crowded bank, looking ahead from first-come earns more on the same people."""
    people = drawn_requests(CROWDED, np.random.default_rng(5), count=2_000)
    ahead = drawn_futures(CROWDED, np.random.default_rng(6), futures=60)
    table = free_table(CROWDED)
    assert tried(CROWDED, table, people, futures=ahead).worth > 1.01 * tried(CROWDED, table, people).worth


def test_a_place_is_free_again_when_its_stay_ends() -> None:
    """One compartment, three people: the second comes too early, the third just in time."""
    bank = Scarce((1,), (1.0,), (1.0,), 1.0)
    three = Requests(np.array([0.0, 1.0, 2.0]), np.zeros(3, dtype=np.int64), np.array([2.0, 9.0, 9.0]))
    found = tried(bank, free_table(bank), three)
    assert (found.taken, found.turned_away) == ((2,), (1,))


def test_the_small_take_what_is_larger_and_the_large_nothing_smaller() -> None:
    """Two small parcels fill a small and a large compartment; a large one after them finds nothing."""
    bank = Scarce((1, 1), (1.0, 1.0), (1.0, 1.0), 1.0)
    three = Requests(np.array([0.0, 0.1, 0.2]), np.array([0, 0, 1]), np.full(3, 9.0))
    found = tried(bank, free_table(bank), three)
    assert (found.taken, found.turned_away) == ((2, 0), (0, 1))
