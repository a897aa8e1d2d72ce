"""A day of a city as a plan: nothing of the instance is lost, and what is made up keeps to its rules."""

from collections import Counter
from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st

from restante.plan.geometry import great_circle_m
from restante.sim.polish import CENTRES, LADDER, LETTERS, repeated, synthetic_instance
from restante.sim.radom_plan import (
    COLUMN_MM,
    GROUND_MM,
    announcement,
    city_of,
    errands,
    modules,
    point_plans,
    shuffled,
    tour_metres,
    tours,
    with_room,
)

DAY = synthetic_instance(Random(11), lockers=7, orders=40)

free_counts = st.tuples(*(st.integers(0, 40) for _ in LETTERS))


@settings(max_examples=60, deadline=None)
@given(free_counts)
def test_a_bank_has_the_compartments_that_were_free(free: tuple[int, ...]) -> None:
    """Given free compartments, when columns are made of them, then each is there once, in its column, over no other."""
    columns = modules(free)
    boxes = [(column["number"], box) for column in columns for box in column["compartments"]]
    assert Counter(box["size"] for _, box in boxes) == Counter(dict(zip(LETTERS, free, strict=True)))
    assert [box["door"] for _, box in boxes] == list(range(1, sum(free) + 1))
    tops: dict[int, int] = {}
    for number, box in boxes:
        place = box["place"]
        assert place["y_mm"] >= tops.get(number, GROUND_MM)
        assert place["height_mm"] == LADDER.classes[LETTERS.index(box["size"])].inside.height_mm
        assert place["y_mm"] <= box["reach_height_mm"] <= place["y_mm"] + place["height_mm"]
        tops[number] = place["y_mm"] + place["height_mm"]
    assert all(top <= GROUND_MM + COLUMN_MM for top in tops.values())


def test_every_locker_becomes_a_point_labelled_synthetic() -> None:
    """Given an instance, when points are planned, then one stands for each locker, near the city, and says made-up."""
    plans = point_plans(DAY, "Radom")
    assert [plan.locker for plan in plans] == [locker.number for locker in DAY.lockers]
    assert [plan.doors for plan in plans] == [sum(locker.free) for locker in DAY.lockers]
    for plan in plans:
        here = (plan.point["latitude"], plan.point["longitude"])
        assert great_circle_m(here, CENTRES["Radom"]) < 20_000
        assert "Synthetic" in plan.point["directions"]
    assert len({plan.point["name"] for plan in plans}) == len(plans)


def test_every_order_is_announced_once_under_its_own_reference() -> None:
    """Given a day three times over, when it is announced, then each order has its own reference, person and size."""
    day = repeated(DAY, 3)
    found = errands(day, "t")
    said = [announcement(errand, "p") for errand in found]
    assert len({one["reference"] for one in said}) == len(day.orders)
    assert len({one["recipient"]["emails"][0] for one in said}) == len(day.orders)
    assert [one["size"] for one in said] == [order.size for order in day.orders]
    assert [one["direction"] == "delivery" for one in said] == [order.is_delivery for order in day.orders]
    assert [one["weight_grams"] for one in said] == [order.weight_grams for order in day.orders]


def test_the_order_of_senders_follows_from_the_seed() -> None:
    """The same seed draws the same order, another seed another one, and nobody is lost."""
    some = errands(DAY, "t")
    assert shuffled(some, Random(1)) == shuffled(some, Random(1))
    assert shuffled(some, Random(1)) != shuffled(some, Random(2))
    assert sorted(shuffled(some, Random(1)), key=lambda errand: errand.number) == list(some)


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 12), st.dictionaries(st.integers(1, 7), st.integers(0, 9)))
def test_tours_visit_every_locker_with_work_once(couriers: int, load: dict[int, int]) -> None:
    """Given loads, when tours are cut, then each locker with work is in one of them, once, and no courier idles."""
    made = tours(DAY, couriers, load)
    assert sorted(locker for tour in made for locker in tour) == sorted(k for k, count in load.items() if count)
    assert len(made) <= couriers
    assert all(made)
    assert all(tour_metres(DAY, tour) >= DAY.metres[0][tour[0]] for tour in made)


def test_next_best_goes_by_the_road_and_by_what_is_left_now() -> None:
    """Given room at two other lockers, then the nearer by road comes first, and one that fills up is passed over."""
    left = {1: 5, 3: 1, 6: 1}
    expected = sorted((3, 6), key=lambda other: DAY.metres[1][other])
    assert list(with_room(DAY, 1, left)) == expected
    way = with_room(DAY, 1, left)
    assert next(way) == expected[0]
    left[expected[1]] = 0
    assert list(way) == []


def test_the_city_stands_before_the_first_dash() -> None:
    """Files are named after their city."""
    assert city_of("Radom_0.002_17200") == "Radom"
    assert city_of("day") == "day"
