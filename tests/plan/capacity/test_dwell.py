"""The dwell: start values, what is learnt from ended and unended stays, and Kaplan-Meier beside it."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from restante.plan.capacity.dwell import (
    AGES,
    ASSUMED,
    WEEK_HOURS,
    Dwell,
    StartValues,
    Stays,
    age_of,
    assumed_dwell,
    fit_dwell,
    hazards,
    kaplan_meier,
    still_there,
    worst_gap,
)

TRUE = Dwell(
    tuple(np.linspace(-3.0, -2.5, len(AGES)).tolist()),
    (-2.0,) * 6 + (0.3,) * 18,
    (0.0, 0.0, 0.0, 0.0, 0.1, 0.4, -0.5),
    (0.1, 0.0, -0.4),
)
START = assumed_dwell(3)


def drawn(dwell: Dwell, count: int, *, seed: int, seen_hours: int = 80) -> Stays:
    """Stays drawn from a dwell, each last looked at after a random number of hours."""
    chance = np.random.default_rng(seed)
    noticed = chance.integers(0, WEEK_HOURS, count)
    size = chance.integers(0, len(dwell.size), count)
    curves = {
        (hour, rank): still_there(dwell, hour, rank, hours=600)
        for hour in range(WEEK_HOURS)
        for rank in range(len(dwell.size))
    }
    ended = np.array(
        [
            np.searchsorted(-curves[int(hour), int(rank)], -draw) - 1
            for hour, rank, draw in zip(noticed, size, chance.random(count), strict=True)
        ]
    )
    looked = chance.integers(1, seen_hours, count)
    return Stays(noticed, np.minimum(ended, looked), ended < looked, size)


def test_start_values_are_what_they_say() -> None:
    """Before any data the shares within a day and two are the parameters, and they are labelled as assumed."""
    left = still_there(START, 10, 2, hours=48)
    assert 1 - left[24] == pytest.approx(0.62)
    assert 1 - left[48] == pytest.approx(0.87)
    assert START.start == ASSUMED
    assert START.stays == 0
    other = still_there(assumed_dwell(1, StartValues(0.55, 0.9)), 0, 0, hours=48)
    assert (1 - other[24], 1 - other[48]) == pytest.approx((0.55, 0.9))


@pytest.mark.parametrize("wrong", [StartValues(0.9, 0.6), StartValues(0, 0.5), StartValues(0.5, 1)])
def test_start_values_that_cannot_be(wrong: StartValues) -> None:
    """More are collected in two days than in one, and never all."""
    with pytest.raises(AssertionError):
        assumed_dwell(1, wrong)


def test_no_stays_leave_the_start_values() -> None:
    """Nothing seen, nothing learnt."""
    none = np.zeros(0, dtype=np.int64)
    assert fit_dwell(Stays(none, none, none.astype(np.bool_), none), START) is START


def test_what_is_drawn_is_found_again() -> None:
    """Given stays from a known dwell, many cut short, when fitted, then survival is near and Kaplan-Meier agrees."""
    stays = drawn(TRUE, 12_000, seed=3)
    assert 0.2 < 1 - stays.collected.mean() < 0.6, "enough of them are cut short to matter"
    found = fit_dwell(stays, START)
    assert found.stays == 12_000
    assert worst_gap(found, stays, hours=72) < 0.01
    assert worst_gap(START, stays, hours=72) > 0.05
    for hour, size in ((0, 0), (100, 2), (130, 1)):
        left, truly = (still_there(one, hour, size, hours=72) for one in (found, TRUE))
        assert np.abs(left - truly).max() < 0.03


def test_unended_stays_are_no_ended_ones() -> None:
    """Taken as collected when last seen, or left out, unended stays make everybody look quicker than they are."""
    stays = drawn(TRUE, 4_000, seed=4)
    truly = float(np.mean([still_there(TRUE, h, s, hours=24)[-1] for h in range(WEEK_HOURS) for s in range(3)]))
    as_ended = Stays(stays.noticed, stays.hours, np.ones_like(stays.collected), stays.size)
    ended = np.flatnonzero(stays.collected)
    only = Stays(stays.noticed[ended], stays.hours[ended], stays.collected[ended], stays.size[ended])
    assert kaplan_meier(stays)[24] == pytest.approx(truly, abs=0.025)
    for wrong in (as_ended, only):
        assert kaplan_meier(wrong)[24] < truly - 0.05


def test_few_stays_hardly_move_the_start() -> None:
    """Where the start is firm, five parcels collected at once are no reason to expect all others to be."""
    five = Stays(np.full(5, 30), np.zeros(5, dtype=np.int64), np.ones(5, dtype=np.bool_), np.zeros(5, dtype=np.int64))
    found = fit_dwell(five, START, firmness=100.0)
    assert still_there(found, 30, 0, hours=24)[24] == pytest.approx(0.38, abs=0.08)
    assert found.size[0] > found.size[1] == START.size[1]


def test_a_model_with_nothing_but_age_is_kaplan_meier() -> None:
    """Where only the hours waited differ and nothing is firm, the fitted survival is Kaplan and Meier's."""
    hours = np.array([0, 0, 1, 1, 1, 2, 3, 3, 4, 4])
    collected = np.array([True, False, True, True, False, False, True, True, False, False])
    zeros = np.zeros(10, dtype=np.int64)
    stays = Stays(zeros, hours, collected, zeros)
    second = 8 / 9 * 5 / 7
    assert kaplan_meier(stays) == pytest.approx([1, 8 / 9, second, second, second / 2])
    assert worst_gap(fit_dwell(stays, assumed_dwell(1), firmness=1e-6), stays, hours=4) < 1e-3


@given(st.integers(0, WEEK_HOURS - 1), st.integers(0, 2), st.integers(0, 400))
@settings(max_examples=40)
def test_survival_only_falls(noticed: int, size: int, hours: int) -> None:
    """It begins with everybody, never rises, and an hour is a hazard's worth."""
    left = still_there(TRUE, noticed, size, hours=hours)
    chance = hazards(TRUE, noticed, size, hours=hours)
    assert left[0] == 1
    assert len(left) == hours + 1
    assert ((chance > 0) & (chance < 1)).all()
    assert left[1:] == pytest.approx(left[:-1] * (1 - chance))


def test_ages_have_no_gaps() -> None:
    """Every hour waited belongs to the last entry that has begun."""
    assert age_of(np.array([0, 23, 24, 27, 28, 96, 119, 120, 168, 9999])).tolist() == [
        *(0, 23, 24, 24, 25), AGES.index(96), AGES.index(96), AGES.index(120), AGES.index(168), AGES.index(168)
    ]  # fmt: skip


@pytest.mark.parametrize(("noticed", "hours", "size"), [(168, 1, 0), (-1, 1, 0), (0, -1, 0), (0, 1, 3), (0, 1, -1)])
def test_a_stay_that_cannot_be_is_a_bug(noticed: int, hours: int, size: int) -> None:
    """Whoever reads events has judged them before."""
    one = Stays(np.array([noticed]), np.array([hours]), np.array([True]), np.array([size]))
    with pytest.raises(AssertionError):
        fit_dwell(one, START)
