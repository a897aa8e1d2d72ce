"""PyVRP with prices: what is shared is kept to though PyVRP knows nothing of it, and what it cannot say is refused."""

import numpy as np
import pytest
from msgspec.structs import replace

from restante.plan.routing import bargaining
from restante.plan.routing.bargaining import plan_by_prices
from restante.plan.routing.checker import violations
from restante.plan.routing.day import Day, Depot, Option, Request, ServiceLevel, Stop, Van
from restante.plan.routing.effort import Effort, Progress
from restante.plan.routing.limits import excess, limits_of, moved
from restante.plan.routing.proposal import Proposal, Reload, Shortfall, Unfit, Visit
from tests.plan.routing.brute import best_of_all
from tests.plan.routing.days import HOUR, a_day, out_already, square

ENOUGH = Effort(iterations=800)


def planned(day: Day, *, seed: int = 1) -> Proposal:
    """What PyVRP makes of a day at prices, which the judge has nothing against."""
    found = plan_by_prices(day, seed=seed, effort=ENOUGH)
    assert isinstance(found, Proposal), found
    assert violations(day, found) == []
    return found


def tiny(seed: int, *, vans_first: bool) -> Day:
    """Three parcels, two vans, levels, banks with few compartments."""
    return replace(a_day(seed=seed, requests=3, vans=2, plain=True, fetched=False), vans_first=vans_first)


@pytest.mark.parametrize("vans_first", [False, True])
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_tiny_days_are_solved_to_the_best(seed: int, vans_first: bool) -> None:
    """Where there is room for everybody, PyVRP finds what trying everything finds."""
    day = tiny(seed, vans_first=vans_first)
    roomy = tuple(replace(stop, free=stop.free and (3, 3, 3)) for stop in day.stops)
    day = replace(day, stops=roomy, levels=())
    best, found = best_of_all(day), planned(day)
    assert best is not None
    assert found.vans == best[0] or not vans_first
    assert found.metres == pytest.approx(best[1], abs=0.05)


@pytest.mark.parametrize("seed", [1, 2, 3, 5])
def test_what_is_scarce_is_shared_nearly_as_well_as_can_be(seed: int) -> None:
    """Prices may miss the best plan, as no price need belong to it; but not by far, and nothing is better than it."""
    day = tiny(seed, vans_first=False)
    best, found = best_of_all(day), planned(day)
    assert best is not None
    assert best[1] - 1e-3 <= found.metres <= 1.05 * best[1]


@pytest.mark.parametrize("seed", range(6))
def test_whatever_is_planned_keeps_to_the_rules(seed: int) -> None:
    """With reloads, parcels to fetch and vans of several kinds: a plan without a fault, or all named as left out."""
    day = a_day(seed=seed, requests=9)
    day = replace(day, vans=tuple(replace(van, breaks=()) for van in day.vans))
    found = plan_by_prices(day, seed=1, effort=ENOUGH)
    if isinstance(found, Shortfall):
        assert found.relaxed.unserved == tuple(range(9))
        assert {one.rule for one in violations(day, found.relaxed)} == {"request-unserved"}
    else:
        assert isinstance(found, Proposal)
        assert violations(day, found) == []


def by_the_way(parcels: int, *, free: tuple[int, ...], sizes: tuple[int, ...] = ()) -> Day:
    """A bank beside the depot, and homes far from each other: everybody is best served at the bank."""
    seconds, metres = square(parcels + 2, seed=9)
    metres = metres + 2_000.0 * (1 - np.eye(len(metres)))
    metres[0, 1] = metres[1, 0] = 10.0
    stops = (Stop(1, 0, 9 * HOUR, 60.0, free), *(Stop(2 + at, 0, 9 * HOUR, 60.0) for at in range(parcels)))
    requests = tuple(
        Request(str(at), (1.0,), (Option(0, 1), Option(1 + at, 0)), size=sizes[at] if sizes else 0)
        for at in range(parcels)
    )
    vans = (Van("v", (99.0,), 0, 9 * HOUR),)
    return Day(seconds, metres, (Depot(0, 0, 9 * HOUR),), vans, stops, requests, vans_first=False)


def at_the_bank(plan: Proposal) -> int:
    """How many parcels a plan brings to the first stop."""
    return sum(
        len(step.choices) for tour in plan.tours for step in tour.steps if isinstance(step, Visit) and not step.stop
    )


def test_a_full_bank_becomes_dear_until_it_is_not_overfull() -> None:
    """Eight parcels for three compartments beside the depot: three stand in them, as in the best plan, and no more."""
    assert at_the_bank(planned(by_the_way(8, free=(3,)))) == 3


def test_sizes_nest() -> None:
    """Two small compartments and one large: of three large parcels one is let in, of three small ones two."""
    sizes = (0, 0, 0, 1, 1, 1)
    plan = planned(by_the_way(6, free=(2, 1), sizes=sizes))
    inside = [sizes[one.request] for tour in plan.tours for step in tour.steps
              if isinstance(step, Visit) and step.stop == 0 for one in step.choices]  # fmt: skip
    assert len(inside) == 3


def test_preference_levels_have_a_price_too() -> None:
    """Where half of all have to be served as they like best, half of them are, though the bank would take them all."""
    day = replace(by_the_way(8, free=(8,)), levels=(ServiceLevel(0, 0.5),))
    assert at_the_bank(planned(day)) == 4


def test_without_prices_that_rise_a_full_bank_would_stay_overfull(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is the prices that make plans of PyVRP's solutions: where they stay at nothing, none is a plan."""
    monkeypatch.setattr(bargaining, "moved", lambda prices, over, step: prices)
    found = plan_by_prices(by_the_way(8, free=(3,)), seed=1, effort=ENOUGH)
    assert isinstance(found, Shortfall)
    assert len(found.relaxed.unserved) == 8


def test_prices_rise_where_too_many_come_and_fall_where_there_is_room() -> None:
    """One too many: a step up. Three too many: two steps, no more. Room for one: half a step down, never below 0."""
    prices = moved(np.array([1.0, 1.0, 1.0, 1.0, 0.2]), np.array([1, 3, 0, -1, -5]), 0.5)
    assert prices == pytest.approx([1.5, 2.0, 1.0, 0.75, 0.0])


def test_only_limits_that_could_be_exceeded_are_priced() -> None:
    """A bank with a compartment for everybody limits nobody; one with too few does, by what is too much."""
    assert len(limits_of(by_the_way(4, free=(4,))).most) == 0
    assert excess(limits_of(by_the_way(4, free=(1,))), [0, 2, 5]).tolist() == [1]


def test_the_load_of_two_trips_is_two_trips() -> None:
    """Parcels that a van cannot carry at once are fetched at the depot between two visits."""
    day = replace(by_the_way(4, free=(0,)), vans=(Van("v", (3.0,), 0, 9 * HOUR, reloads=1, reload_s=600.0),))
    assert sum(isinstance(step, Reload) for tour in planned(day).tours for step in tour.steps) == 1


def test_neighbours_at_one_stop_pay_its_service_once() -> None:
    """Five parcels at a bank where service takes an hour, and a shift of two: only as one visit can it be done."""
    day = by_the_way(5, free=(5,))
    bank = Stop(1, 0, 2 * HOUR, HOUR, (5,))
    only = tuple(replace(request, options=request.options[:1]) for request in day.requests)
    day = replace(day, stops=(bank, *day.stops[1:]), requests=only, vans=(Van("v", (99.0,), 0, 2 * HOUR),))
    assert len(planned(day).tours[0].steps) == 1


def test_what_pyvrp_cannot_say_is_refused_by_name() -> None:
    """Breaks and vans that are out are named with their fields, and nothing is tried."""
    found = plan_by_prices(out_already(a_day(seed=1)), seed=1, effort=ENOUGH)
    assert isinstance(found, Unfit)
    assert set(found.reasons) == {"vans[0].breaks", "vans[1].breaks", "vans[2].breaks", "vans[0].begun"}


def test_the_same_seed_gives_the_same_plan() -> None:
    """With a number of iterations, a plan follows from snapshot and seed."""
    day = a_day(seed=4, requests=12, plain=True)
    first, second = (plan_by_prices(day, seed=3, effort=ENOUGH) for _ in range(2))
    assert first == second


def test_a_limit_of_seconds_ends_a_search() -> None:
    """Without a number of iterations it ends once its clock has gone on by the seconds of its limit."""
    ticks, seen = iter(range(10**6)), list[Progress]()
    effort = Effort(seconds=300.0, clock=lambda: float(next(ticks)))
    plan_by_prices(a_day(seed=1, plain=True), seed=1, effort=effort, progress=seen.append)
    assert 300 < next(ticks) < 900
    assert [one.share for one in seen] == sorted(one.share for one in seen)
