"""Cells taken together, and people spread over places: nobody is lost."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from restante.core.refusals import Refusal
from restante.plan.geometry import great_circle_m
from restante.plan.importing.grouping import grouped, spread_over
from restante.plan.importing.rates import Rates
from restante.plan.siting.cells import Cell

RATES = Rates(parcels_per_person=0.1, size_shares=(0.75, 0.25))

many = st.lists(
    st.builds(
        Cell,
        st.text("ab", max_size=2),
        st.floats(48.0, 48.2),
        st.floats(16.0, 16.3),
        st.sampled_from(["I", "II"]),
        st.tuples(st.floats(0, 9), st.floats(0, 9)),
    ),
    max_size=30,
)


@given(many, st.floats(50, 5_000))
def test_no_parcel_is_lost_and_none_goes_far(cells: list[Cell], side_m: float) -> None:
    """Sums by size stay, squares have names of their own, and each cell is within its square's diagonal."""
    found = grouped(cells, side_m=side_m)
    assert len({cell.id for cell in found}) == len(found) <= len(cells)
    for size in range(2):
        before, after = (sum(cell.parcels_per_day[size] for cell in each) for each in (cells, found))
        assert after == pytest.approx(before)
    for cell in cells:
        near = min(great_circle_m((cell.latitude, cell.longitude), (one.latitude, one.longitude)) for one in found)
        assert near <= 1.5 * side_m


def test_a_square_is_where_its_parcels_are() -> None:
    """Three quarters of the parcels weigh three quarters, and give the district."""
    one = Cell("a", 48.2000, 16.3000, "I", (3.0, 0.0))
    other = Cell("b", 48.2004, 16.3004, "II", (0.0, 1.0))
    (found,) = grouped([other, one], side_m=5_000)
    assert (found.latitude, found.longitude) == pytest.approx((48.2001, 16.3001))
    assert (found.district, found.parcels_per_day) == ("I", (3.0, 1.0))


def test_people_are_spread_over_the_places_of_their_district() -> None:
    """Two places share a district in halves; a place in a district without people asks for nothing."""
    places = [("a", 48.2, 16.3, "I"), ("b", 48.3, 16.4, "I"), ("c", 48.1, 16.3, "II")]
    found = spread_over({"I": 200.0}, places, RATES)
    assert isinstance(found, tuple)
    assert [cell.parcels_per_day for cell in found] == [(7.5, 2.5), (7.5, 2.5), (0.0, 0.0)]


def test_people_without_a_place_are_refused_by_district() -> None:
    """Nobody is dropped in silence."""
    found = spread_over({"I": 1.0, "III": 5.0, "II": 5.0, "IV": 0.0}, [("a", 48.2, 16.3, "I")], RATES)
    assert found == Refusal("plan-no-demand", "places", "no place in II, III")


def test_a_square_without_sides_is_a_bug() -> None:
    """Nothing can be divided into it."""
    with pytest.raises(AssertionError):
        grouped([], side_m=0)
