"""Demand and sites from the things on a map."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from restante.core.refusals import Refusal
from restante.plan.importing.rates import Rates
from restante.plan.importing.things import Gathered, Thing, gathered

RATES = Rates(parcels_per_person=0.1, floor_m2_per_person=50.0, size_shares=(0.5, 0.5))
SHOP = Thing("node/1", 60.0, 25.0, 0.0, {"shop": "supermarket", "operator": "Shop & Co"})


def house(ground_m2: float, **tags: str) -> Thing:
    """A building."""
    return Thing("way/1", 60.0, 25.0, ground_m2, {"building": "apartments"} | tags)


def found(*things: Thing) -> Gathered:
    """What is gathered, which there is."""
    one = gathered(things, RATES)
    assert isinstance(one, Gathered)
    return one


def test_a_home_asks_by_its_floor_space() -> None:
    """500 m² on four floors are 40 people and 4 parcels a day, in the district of its post code."""
    one = found(house(500, **{"building:levels": "4", "addr:postcode": "00100"}), SHOP)
    (cell,) = one.cells
    assert (cell.id, cell.district) == ("way/1", "00100")
    assert cell.parcels_per_day == pytest.approx((2, 2))
    assert one.assumed == RATES.label


@pytest.mark.parametrize(("levels", "people"), [("", 20), ("0", 10), ("1.5", 15), ("many", 20), ("999", 600)])
def test_levels_that_cannot_be_are_bounded(levels: str, people: float) -> None:
    """No floor is one at least, no tower is higher than any, and words are as if nothing were said."""
    (cell,) = found(house(500, **{"building:levels": levels}), SHOP).cells
    assert sum(cell.parcels_per_day) == pytest.approx(people * 0.1)


def test_what_may_host() -> None:
    """A supermarket, also one that is the building; not what is private; a parcel locker stands already."""
    locker = Thing("node/2", 60.1, 25.0, 0.0, {"amenity": "parcel_locker", "operator": "Box Oy", "wheelchair": "no"})
    private = Thing("node/3", 60.1, 25.0, 0.0, {"amenity": "parking", "access": "private"})
    market = Thing("way/9", 60.2, 25.0, 900.0, {"building": "retail", "shop": "supermarket"})
    one = found(house(500), SHOP, locker, private, market)
    assert [(site.id, site.host, site.standing, site.step_free) for site in one.sites] == [
        ("node/1", "supermarket", False, True),
        ("node/2", "Box Oy", True, False),
        ("way/9", "supermarket", False, True),
    ]
    assert one.left_out == {"not-building": 1}


def test_what_is_left_out_is_counted() -> None:
    """A church, a shed and a bench."""
    others = house(900, building="church"), house(5), Thing("node/7", 60, 25, 0, {"amenity": "bench"})
    assert found(house(500), SHOP, *others).left_out == {"not-home": 1, "too-small": 1, "not-building": 1}


def test_a_map_without_people_or_hosts_is_refused() -> None:
    """With what was found instead."""
    assert gathered([SHOP, house(5)], RATES) == Refusal("plan-no-demand", "things", "too-small: 1")
    assert gathered([house(500)], RATES) == Refusal("plan-no-sites", "things", "nothing at all")


@pytest.mark.parametrize(
    "wrong", [{"size_shares": (0.5, 0.4)}, {"size_shares": (1.5, -0.5)}, {"floor_m2_per_person": 0.0}]
)
def test_rates_that_cannot_be_are_a_bug(wrong: dict[str, Any]) -> None:
    """Shares are of one whole, nothing is negative, people take up room."""
    with pytest.raises(AssertionError):
        Rates(**wrong)


@given(st.dictionaries(st.sampled_from(["building", "building:levels", "amenity", "shop"]), st.text(max_size=8)))
def test_any_tags_are_read(tags: dict[str, str]) -> None:
    """Whatever people have written, demand is a number of parcels, and every thing is something or counted."""
    one = found(Thing("way/2", 60.0, 25.0, 100.0, tags), house(500), SHOP)
    assert all(0 < sum(cell.parcels_per_day) < 1_000 for cell in one.cells)
    assert len(one.cells) + len(one.sites) + sum(one.left_out.values()) >= 3
