"""Erlang's loss formula and its inverses, against the formula in exact fractions."""

from fractions import Fraction
from math import factorial

import pytest
from hypothesis import given
from hypothesis import strategies as st

from restante.plan.capacity.erlang import compartments_for, erlang_b, load_for


@pytest.mark.parametrize(("compartments", "load"), [(0, 3), (1, 1), (5, 2), (10, 5), (40, 60), (120, 100)])
def test_the_recursion_is_the_formula(compartments: int, load: int) -> None:
    """a^n/n! over the sum of all its likes, in fractions."""
    terms = [Fraction(load) ** n / factorial(n) for n in range(compartments + 1)]
    assert erlang_b(compartments, load) == pytest.approx(float(terms[-1] / sum(terms)), rel=1e-12)


def test_where_the_formula_overflows() -> None:
    """Ten thousand compartments are no harder; nothing arriving is never turned away."""
    assert 0 < erlang_b(10_000, 10_000) < 0.01
    assert erlang_b(4, 0) == 0


@given(st.floats(0, 300), st.floats(0.001, 0.9))
def test_the_fewest_compartments(load: float, limit: float) -> None:
    """So many keep the limit, and one fewer would not."""
    count = compartments_for(load, limit)
    assert erlang_b(count, load) <= limit
    assert count == 0 or erlang_b(count - 1, load) > limit


@given(st.integers(1, 200), st.floats(0.001, 0.9))
def test_the_largest_load(compartments: int, limit: float) -> None:
    """At that load the limit is met, and not with much to spare."""
    load = load_for(compartments, limit)
    assert erlang_b(compartments, load) == pytest.approx(limit, rel=1e-9)


def test_no_compartments_bear_no_load() -> None:
    """Where nothing stands, everything is turned away."""
    assert load_for(0, 0.5) == 0
    assert compartments_for(0.0, 0.01) == 1


def test_a_load_of_a_whole_country_is_a_bug() -> None:
    """A single bank has an end."""
    with pytest.raises(AssertionError, match="no single bank"):
        compartments_for(1e6, 0.001)
