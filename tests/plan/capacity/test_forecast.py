"""The forecast of fullness: exact where it can be worked out by hand, calibrated against a simulation of its own."""

import numpy as np
import pytest
from numpy.typing import NDArray

from restante.plan.capacity.dwell import WEEK_HOURS, Dwell, assumed_dwell, fit_dwell, hazards, still_there
from restante.plan.capacity.forecast import Lying, Outlook, Promised, forecast
from tests.plan.capacity.test_dwell import TRUE, drawn

NOTHING = np.zeros((48, 2))
TWO_SIZES = Dwell(TRUE.age, TRUE.clock, TRUE.weekday, TRUE.size[:2])
LEVELS = (0.05, 0.25, 0.5, 0.75, 0.95)


def test_what_lies_there_thins_by_its_hazard() -> None:
    """Given two parcels that have waited, then in a day each is there with its own chance and takes its compartment."""
    dwell = assumed_dwell(2)
    lying = (Lying(0, 0, 10, 5), Lying(1, 0, 10, 30))
    (soon, later) = forecast(Outlook(20, (1, 1), lying, (), NOTHING), dwell, hours=[0, 24])
    assert soon.means == (1.0, 1.0)
    assert soon.chance_full == 0
    curve = still_there(dwell, 10, 0, hours=54)
    assert later.means == pytest.approx((curve[29] / curve[5], curve[54] / curve[30]))


def test_a_promise_counts_from_when_it_is_due() -> None:
    """Nothing before, its chance at the hour, thinned by its dwell thereafter."""
    dwell = assumed_dwell(2)
    outlook = Outlook(0, (1, 1), (), (Promised(1, 0.8, 6),), NOTHING)
    found = forecast(outlook, dwell, hours=[5, 6, 30])
    assert [one.means[1] for one in found] == pytest.approx([0, 0.8, 0.8 * 0.38])


def test_steady_arrivals_settle_at_littles_law() -> None:
    """After a long time as many lie there as arrive in the mean hours of a stay."""
    dwell = Dwell(assumed_dwell(1).age, (0.0,) * 24, (0.0,) * 7, (0.0,))
    arrivals = np.full((600, 1), 0.5)
    (found,) = forecast(Outlook(0, (40,), (), (), arrivals), dwell, hours=[600])
    mean_hours = still_there(dwell, 0, 0, hours=600)[:-1].sum()
    assert found.means[0] == pytest.approx(0.5 * mean_hours, rel=1e-3)


def test_full_counts_what_nests() -> None:
    """A small parcel in excess stands in a large compartment; a large one in excess stands nowhere."""
    dwell = assumed_dwell(2)
    small = Outlook(0, (1, 1), (), (Promised(0, 1.0, 0),) * 2, NOTHING)
    large = Outlook(0, (1, 1), (), (Promised(1, 1.0, 0),) * 2, NOTHING)
    assert forecast(small, dwell, hours=[0])[0].chance_full == pytest.approx(0)
    assert forecast(large, dwell, hours=[0])[0].chance_full == pytest.approx(1)


def _lived(outlook: Outlook, dwell: Dwell, ahead: int, *, rounds: int, seed: int) -> NDArray[np.int64]:
    """How many lie there by size in so many lives of the bank, hour by hour and parcel by parcel."""
    chance = np.random.default_rng(seed)
    counts = np.zeros((rounds, len(outlook.compartments)), dtype=np.int64)
    table = np.array([[hazards(dwell, hour, size, hours=200) for size in range(2)] for hour in range(WEEK_HOURS)])

    def lives_on(noticed: int, size: int, *, waited: int = 0, hours: int) -> NDArray[np.bool_]:
        chances = table[noticed % WEEK_HOURS, size, waited : waited + hours]
        return np.asarray((chance.random((rounds, hours)) >= chances).all(axis=1))

    for one in outlook.lying:
        counts[:, one.compartment_size] += lives_on(one.noticed, one.size, waited=one.waited, hours=ahead)
    for due in outlook.promised:
        comes = chance.random(rounds) < due.comes
        counts[:, due.size] += comes & lives_on(outlook.hour + due.in_hours, due.size, hours=ahead - due.in_hours)
    for hour in range(ahead):
        for size, mean in enumerate(outlook.arrivals[hour]):
            number = chance.poisson(mean, rounds)
            for nth in range(int(number.max(initial=0))):
                stays = lives_on(outlook.hour + hour + 1, size, hours=ahead - hour - 1)
                counts[:, size] += (number > nth) & stays
    return counts


def _busy() -> Outlook:
    """A bank with 25 parcels of all ages, eight promises and two days of arrivals ahead."""
    chance = np.random.default_rng(8)
    columns = (chance.integers(0, most, 25).tolist() for most in (2, 2, WEEK_HOURS, 60))
    lying = tuple(Lying(size, min(size, own), *rest) for size, own, *rest in zip(*columns, strict=True))
    promised = tuple(Promised(due % 2, 0.9, due) for due in range(8))
    daily = np.tile([[0.0, 0.0]] * 8 + [[1.2, 0.5]] * 8 + [[0.2, 0.1]] * 8, (2, 1))
    return Outlook(30, (24, 14), lying, promised, daily)


@pytest.mark.parametrize(("learnt_from", "off"), [(0, 0.02), (25_000, 0.05)])
def test_quantiles_are_calibrated(learnt_from: int, off: float) -> None:
    """Given the true dwell, or one learnt from stays cut short, when the bank lives 4,000 times, quantiles hold."""
    stays = drawn(TWO_SIZES, learnt_from, seed=5)
    found = fit_dwell(stays, assumed_dwell(2)) if learnt_from else TWO_SIZES
    outlook = _busy()
    for ahead, told in zip((12, 36), forecast(outlook, found, hours=(12, 36), levels=LEVELS), strict=True):
        counts = _lived(outlook, TWO_SIZES, ahead, rounds=4_000, seed=ahead)
        assert counts.mean(axis=0) == pytest.approx(told.means, rel=2 * off)
        room = (counts[:, 1] <= 14) & (counts.sum(axis=1) <= 38)
        assert 1 - room.mean() == pytest.approx(told.chance_full, abs=off)
        sums = [*((counts[:, size], told.quantiles[size]) for size in range(2)), (counts.sum(axis=1), told.whole)]
        for lived, quantiles in sums:
            for level, most in zip(LEVELS, quantiles, strict=True):
                # A count is whole: no more than the level lie below the quantile, at least as many up to it.
                assert (lived < most).mean() - off <= level <= (lived <= most).mean() + off


@pytest.mark.parametrize(("arrivals", "hours"), [(np.zeros((4, 3)), [1]), (NOTHING, [49]), (NOTHING, [-1])])
def test_hours_and_sizes_that_are_not_given_are_a_bug(arrivals: NDArray[np.float64], hours: list[int]) -> None:
    """A forecast goes no further than the arrivals that it was given."""
    with pytest.raises(AssertionError):
        forecast(Outlook(0, (1, 1), (), (), arrivals), assumed_dwell(2), hours=hours)
