"""Counts of uncertain things: against enumeration, exact fractions and the flow that the hub promises by."""

from collections import Counter
from fractions import Fraction
from itertools import product
from math import comb, exp, factorial

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from restante.core.bank import RoomClass
from restante.core.reservation import is_feasible
from restante.plan.capacity.counts import (
    TRANSFORMED_AT_ONCE,
    Chances,
    chance_above,
    chance_all_fit,
    how_many,
    poisson,
    quantile,
    together,
)

chances = st.lists(st.floats(0, 1), max_size=150)
few_sizes = st.integers(1, 3)


def _convolved(each: list[float]) -> list[Fraction]:
    """The same distribution, one thing after the other, in exact fractions."""
    count = [Fraction(1)]
    for chance in map(Fraction, each):
        longer = [Fraction(0)] * (len(count) + 1)
        for at, share in enumerate(count):
            longer[at] += share * (1 - chance)
            longer[at + 1] += share * chance
        count = longer
    return count


@given(st.lists(st.floats(0, 1).map(lambda x: round(x, 3)), max_size=25))
@settings(max_examples=60, deadline=None)
def test_the_transform_is_exact(each: list[float]) -> None:
    """It agrees with exact fractions to the last bits, for chances of 0 and 1 too."""
    assert how_many(each) == pytest.approx([float(share) for share in _convolved(each)], abs=1e-14)


@given(chances)
@settings(max_examples=60, deadline=None)
def test_150_parcels_are_exact(each: list[float]) -> None:
    """At the size of a bank it agrees with the convolution of one parcel after the other."""
    count = np.ones(1)
    for chance in each:
        count = np.convolve(count, [1 - chance, chance])
    assert np.abs(how_many(each) - count).max() < 1e-13


def test_alike_things_are_binomial() -> None:
    """Forty alike are the binomial distribution."""
    assert how_many([0.3] * 40) == pytest.approx([comb(40, n) * 0.3**n * 0.7 ** (40 - n) for n in range(41)], abs=1e-14)


def test_more_than_are_transformed_at_once() -> None:
    """A large number is put together from parts, and its mean and variance are the sums of those of its things."""
    each = np.linspace(0, 1, 3 * TRANSFORMED_AT_ONCE)
    count = how_many(each)
    at = np.arange(len(count))
    mean = count @ at
    assert len(count) == len(each) + 1
    assert mean == pytest.approx(each.sum())
    assert count @ (at - mean) ** 2 == pytest.approx((each * (1 - each)).sum())


@pytest.mark.parametrize("wrong", [[-0.1], [1.1], [float("nan")]])
def test_what_is_no_chance_is_a_bug(wrong: list[float]) -> None:
    """Chances are 0 to 1."""
    with pytest.raises(AssertionError):
        how_many(wrong)


@pytest.mark.parametrize("mean", [0, 0.01, 1, 20, 400])
def test_poisson(mean: float) -> None:
    """Its entries are those of the formula, and nothing that matters is cut off."""
    count = poisson(mean)
    assert count.sum() == pytest.approx(1, abs=1e-12)
    assert count[:20] == pytest.approx([exp(-mean) * mean**n / factorial(n) for n in range(len(count[:20]))], abs=1e-13)


def test_poisson_counts_add_up() -> None:
    """Two independent Poisson counts are one of both means."""
    both = together(poisson(2), poisson(5))
    assert both[:30] == pytest.approx(poisson(7)[:30], abs=1e-12)


def test_quantiles_of_a_die() -> None:
    """The least number that is not exceeded so often."""
    die = np.array([0.0, *[1 / 6] * 6])
    assert [quantile(die, level) for level in (0.1, 1 / 6, 0.5, 0.51, 0.99)] == [1, 1, 3, 4, 6]
    assert chance_above(die, 4) == pytest.approx(1 / 3)
    assert chance_above(die, -1) == 1
    assert chance_above(die, 7) == 0


@st.composite
def _drops(draw: st.DrawFn) -> tuple[list[list[float]], list[int]]:
    sizes = draw(few_sizes)
    some = st.lists(st.floats(0, 1).map(lambda x: round(x, 2)), max_size=3)
    return [draw(some) for _ in range(sizes)], [draw(st.integers(0, 3)) for _ in range(sizes)]


def _room(counts: tuple[int, ...]) -> Counter[RoomClass]:
    return Counter({RoomClass(str(size)): count for size, count in enumerate(counts) if count})


@given(_drops())
@settings(max_examples=60, deadline=None)
def test_all_fit_as_often_as_in_an_enumeration(drop: tuple[list[list[float]], list[int]]) -> None:
    """Given every outcome by hand, when the hub's own rule of feasible promises judges each, then the chance agrees."""
    wanted, compartments = drop
    each = [(size, chance) for size, chances in enumerate(wanted) for chance in chances]
    fitting = 0.0
    for comes in product((False, True), repeat=len(each)):
        chance = float(np.prod([p if come else 1 - p for come, (_, p) in zip(comes, each, strict=True)]))
        there = tuple(
            sum(come and at == size for come, (at, _) in zip(comes, each, strict=True)) for size in range(len(wanted))
        )
        fitting += chance * is_feasible(_room(tuple(compartments)), _room(there))
    counts: list[Chances] = [how_many(chances) for chances in wanted]
    assert chance_all_fit(counts, compartments) == pytest.approx(fitting, abs=1e-12)
