"""Admission by bid prices: against the exact best, against Erlang, and never below what rollout starts from."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from restante.plan.capacity.admission import (
    TURNED_AWAY,
    Scarce,
    best_policy,
    bid_prices,
    by_bid_prices,
    earned,
    first_come,
    rolled_out,
    states_of,
)
from restante.plan.capacity.erlang import erlang_b

CROWDED = Scarce((3, 3, 3, 3), (0.2, 0.1, 0.1, 0.1), (1.0, 2.0, 3.0, 5.0), 24.0)
QUIET = Scarce((6, 4, 2), (0.05, 0.03, 0.01), (1.0, 1.0, 1.0), 24.0)


def _bank(sizes: list[tuple[int, float, float]]) -> Scarce:
    compartments, per_hour, worth = zip(*sizes, strict=True)
    return Scarce(compartments, per_hour, worth, 20.0)


banks = st.lists(st.tuples(st.integers(0, 4), st.floats(0.01, 0.5), st.floats(0, 5)), min_size=1, max_size=3).map(_bank)


def test_one_size_earns_what_erlang_says() -> None:
    """With one size and no choice, the share turned away is Erlang's."""
    one = Scarce((8,), (0.4,), (2.0,), 24.0)
    expected = 0.4 * 2 * (1 - erlang_b(8, 0.4 * 24))
    for found in (earned(one, first_come(one)), best_policy(one)):
        assert found.at_least == pytest.approx(expected, abs=1e-8)
        assert found.at_most == pytest.approx(expected, abs=1e-8)


def test_one_size_has_the_price_of_the_next_to_be_turned_away() -> None:
    """Given one size alone, the closed form is the fall of the exact values from state to state."""
    one = Scarce((5,), (0.3,), (2.0,), 10.0)
    (price,) = bid_prices(one)
    gain, rate, leave = earned(one, first_come(one)).at_least, 0.3, 0.1
    # Poisson's equation of the birth-death chain, upwards from the empty bank: gain = rate (worth - price) + leaving.
    assert gain == pytest.approx(rate * (2.0 - price[0]))
    for taken in range(1, 5):
        assert gain == pytest.approx(rate * (2.0 - price[taken]) + taken * leave * price[taken - 1])
    assert price[5] == np.inf


@given(banks)
@settings(max_examples=25, deadline=None)
def test_nothing_beats_the_best_and_rollout_never_loses(bank: Scarce) -> None:
    """No policy earns more than the best; a rollout earns no less than what it betters."""
    best = best_policy(bank, near=1e-7)
    assert earned(bank, best.policy, near=1e-7).at_most >= best.at_least - 1e-5
    for policy in (first_come(bank), by_bid_prices(bank)):
        before = earned(bank, policy, near=1e-7)
        after = earned(bank, rolled_out(bank, policy, sizes=range(len(bank.worth)), near=1e-7), near=1e-7)
        assert after.at_most >= before.at_least - 1e-5
        assert after.at_least <= best.at_most + 1e-5


@given(banks)
@settings(max_examples=25, deadline=None)
def test_a_parcel_goes_only_where_it_fits(bank: Scarce) -> None:
    """Every policy puts a parcel into a free compartment of its size or larger, or turns it away."""
    free = states_of(bank) < np.array(bank.compartments)
    for policy in (first_come(bank), by_bid_prices(bank), best_policy(bank, near=1e-5).policy):
        for size in range(len(bank.worth)):
            place = policy[:, size]
            assert ((place == TURNED_AWAY) | (place >= size)).all()
            taken = np.flatnonzero(place != TURNED_AWAY)
            assert free[taken, place[taken]].all()


def test_scarce_room_is_worth_keeping() -> None:
    """Where large parcels are worth more and there is too little room, bid prices gain and come near the best."""
    plain = earned(CROWDED, first_come(CROWDED)).at_least
    prices = by_bid_prices(CROWDED)
    priced = earned(CROWDED, prices).at_least
    rolled = earned(CROWDED, rolled_out(CROWDED, prices, sizes=range(4))).at_least
    best = best_policy(CROWDED)
    assert best.at_most - best.at_least <= 1e-9
    assert priced > 1.05 * plain
    assert priced <= rolled <= best.at_most
    assert rolled > 0.999 * best.at_least


def test_where_collections_are_quick_everybody_is_taken() -> None:
    """With room to spare, first-come is as good as the best to a thousandth."""
    assert earned(QUIET, first_come(QUIET)).at_least > 0.999 * best_policy(QUIET).at_least


def test_a_bank_with_more_states_than_can_be_looked_at_is_a_bug() -> None:
    """Whoever has a large bank uses prices and futures."""
    with pytest.raises(AssertionError, match="more than are looked at"):
        states_of(Scarce((60, 60, 60), (1.0, 1.0, 1.0), (1.0, 1.0, 1.0), 24.0))


@pytest.mark.parametrize(
    "wrong",
    [
        ((1,), (1.0, 1.0), (1.0,), 1.0), ((1,), (-1.0,), (1.0,), 1.0),
        ((1,), (1.0,), (-1.0,), 1.0), ((1,), (1.0,), (1.0,), 0.0),
    ],
)  # fmt: skip
def test_a_bank_that_cannot_be_is_a_bug(wrong: tuple[tuple[int], tuple[float], tuple[float], float]) -> None:
    """Sizes agree, nothing is negative, and a stay takes time."""
    with pytest.raises(AssertionError):
        Scarce(*wrong)
