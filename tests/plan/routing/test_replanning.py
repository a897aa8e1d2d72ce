"""A day that goes on differently: the past stays, vans keep what they carry, and nobody is lost on the way."""

import pytest
from msgspec.structs import replace

from restante.plan.routing.checker import violations
from restante.plan.routing.day import Day, Errand, Option, Request, Stop
from restante.plan.routing.effort import Effort
from restante.plan.routing.proposal import Proposal, Shortfall, Visit
from restante.plan.routing.replanning import Change, Remainder, replan, rest_of
from restante.plan.routing.solving import plan_routes
from tests.plan.routing.days import HOUR, a_day

ENOUGH = Effort(iterations=300)


def planned(seed: int) -> tuple[Day, Proposal]:
    """A day with breaks, and a plan for those of its requests that fit into it."""
    day = a_day(seed=seed, requests=10)
    day = replace(day, vans=tuple(replace(van, reloads=0) for van in day.vans), levels=())
    found = plan_routes(day, seed=1, effort=ENOUGH)
    return day, found.relaxed if isinstance(found, Shortfall) else found


def again(rest: Remainder) -> Proposal:
    """What is planned for the rest."""
    found = replan(rest, seed=1, effort=ENOUGH)
    return found.relaxed if isinstance(found, Shortfall) else found


def wrong(day: Day, plan: Proposal) -> set[str]:
    """The rules broken, but for those left out."""
    return {one.rule for one in violations(day, plan)} - {"request-unserved"}


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("hours", [0.0, 1.5, 3.0])
def test_every_request_is_done_or_still_planned(seed: int, hours: float) -> None:
    """Whatever the hour, each request is in the past or in what is left, and the new plan keeps to the rules."""
    day, plan = planned(seed)
    rest = rest_of(day, plan, Change(hours * HOUR))
    done = {choice.request for tour in plan.tours for step in tour.steps if isinstance(step, Visit)
            for choice in step.choices} - set(rest.was)  # fmt: skip
    assert done | set(rest.was) == set(range(len(day.requests)))
    assert wrong(rest.day, again(rest)) == set()


def test_nothing_changed_moves_nobody() -> None:
    """Without news, every request stays on the van that it was planned on, though another might be a little shorter."""
    day, plan = planned(3)
    rest = rest_of(day, plan, Change(HOUR))
    new = again(rest)
    on = {choice.request: tour.van for tour in new.tours for step in tour.steps if isinstance(step, Visit)
          for choice in step.choices}  # fmt: skip
    assert {at: on.get(at) for at in rest.before()} == rest.before()


def test_what_is_aboard_stays_aboard() -> None:
    """A parcel that a van has loaded is delivered by that van or by none."""
    day, plan = planned(2)
    rest = rest_of(day, plan, Change(1.0))
    out = {van for van, its in enumerate(rest.day.vans) if its.begun is not None}
    assert out
    aboard = [one for one in rest.day.requests if one.aboard is not None]
    assert aboard
    assert {one.aboard for one in aboard} <= out
    assert all(one.errand is Errand.DELIVERY for one in aboard)


def test_parcels_for_a_dead_bank_go_to_the_next_one() -> None:
    """A bank that is out of order loses its parcels to shared stops within 2 km, and to no others."""
    day = a_day(seed=1, requests=2, vans=1, plain=True, fetched=False)
    metres = day.metres.copy()
    metres[1, 2] = metres[2, 1] = 1_900.0
    banks = (Stop(1, 0, 9 * HOUR, free=(1, 0, 0)), Stop(2, 0, 9 * HOUR, free=(0, 1, 0)))
    parcel = Request("p", (1.0, 1.0), (Option(0, preparation_s=20.0),))
    day = replace(day, metres=metres, stops=(*banks, *day.stops[2:]), requests=(parcel,))
    idle = Proposal((), 0.0, (0,))
    rest = rest_of(day, idle, Change(0.0, closed=frozenset({0})))
    assert rest.day.requests[0].options == (Option(1, 1, 20.0),)
    assert again(rest).unserved == ()
    metres[1, 2] = 2_001.0
    far = rest_of(replace(day, metres=metres), idle, Change(0.0, closed=frozenset({0})))
    assert again(far).unserved == (0,)


def test_what_is_new_is_planned_and_what_is_called_off_is_not() -> None:
    """A new request finds a van that is not out yet or waits as unserved; one called off is gone."""
    day, plan = planned(4)
    new = Request("new", (1.0, 1.0), (Option(2),))
    rest = rest_of(day, plan, Change(0.0 - 1, added=(new,), cancelled=frozenset({0})))
    assert rest.was[-1] is None
    assert 0 not in rest.was
    assert wrong(rest.day, again(rest)) == set()


def test_what_moves_is_brought_to_where_it_is_now() -> None:
    """A request at a new address keeps none of its old stops, and loses no parcel that its van has aboard."""
    day, plan = planned(4)
    before = rest_of(day, plan, Change(1.0))
    at = next(new for new, request in enumerate(before.day.requests) if request.aboard is not None)
    old = before.was[at]
    assert old is not None
    elsewhere = (Option(len(day.stops) - 1, preparation_s=30.0),)
    rest = rest_of(day, plan, Change(1.0, moved={old: elsewhere}))
    assert rest.day.requests[at].options == elsewhere
    assert rest.day.requests[at].aboard == before.day.requests[at].aboard
    assert at not in rest.before()
    assert wrong(rest.day, again(rest)) == set()
