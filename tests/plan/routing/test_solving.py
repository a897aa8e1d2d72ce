"""Search over a day: as good as trying everything on tiny days, honest about who is left out, the same per seed."""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from restante.plan.routing import solving
from restante.plan.routing.bounds import fewest_vans
from restante.plan.routing.checker import violations
from restante.plan.routing.day import Day, Errand, Option, Request, ServiceLevel, Stop
from restante.plan.routing.effort import Effort, Progress, Spending
from restante.plan.routing.proposal import Proposal, Shortfall
from restante.plan.routing.solving import plan_routes, warm_up
from tests.plan.routing.brute import best_of_all
from tests.plan.routing.days import a_day, out_already

ENOUGH = Effort(iterations=600)


def planned(day: Day, *, seed: int = 1) -> Proposal | Shortfall:
    """What search makes of a day in a few hundred iterations."""
    return plan_routes(day, seed=seed, effort=ENOUGH)


@pytest.mark.slow(seconds=60)
@given(st.integers(0, 10_000), st.booleans())
@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_tiny_days_are_solved_to_the_best(seed: int, vans_first: bool) -> None:
    """Three parcels, two vans: search finds what trying everything finds, or both find that it cannot be done."""
    day = a_day(seed=seed, requests=3, vans=2, plain=True)
    day = replace(day, vans_first=vans_first, levels=())
    best, found = best_of_all(day), planned(day)
    if best is None:
        assert isinstance(found, Shortfall)
    else:
        assert isinstance(found, Proposal), found
        assert violations(day, found) == []
        assert found.vans == best[0] or not vans_first
        assert found.metres == pytest.approx(best[1], abs=1e-3)


@given(st.integers(0, 10_000), st.booleans())
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_whatever_is_planned_keeps_to_the_rules(seed: int, is_out: bool) -> None:
    """With breaks, reloads, parcels to fetch, vans that are out: nothing is wrong but what is said to be left out."""
    day = a_day(seed=seed, requests=9)
    day = out_already(day) if is_out and any(one.errand is Errand.DELIVERY for one in day.requests) else day
    found = planned(day)
    plan = found.relaxed if isinstance(found, Shortfall) else found
    wrong = {one.rule for one in violations(day, plan)}
    assert wrong <= ({"request-unserved"} if plan.unserved else set())
    assert bool(plan.unserved) == isinstance(found, Shortfall)


def test_the_same_seed_gives_the_same_plan() -> None:
    """With a number of iterations, a plan follows from snapshot and seed."""
    day = a_day(seed=4, requests=12, plain=True)
    assert planned(day, seed=3) == planned(day, seed=3)


def test_progress_only_gets_better() -> None:
    """Whoever watches sees shares that rise, and nobody unserved again who was served."""
    seen: list[Progress] = []
    plan_routes(a_day(seed=2, requests=8), seed=1, effort=Effort(iterations=3_000), progress=seen.append)
    assert [one.share for one in seen] == sorted(one.share for one in seen)
    assert seen[-1].share == 1.0
    unserved = [one.unserved for one in seen if one.vans == seen[-1].vans]
    assert unserved == sorted(unserved, reverse=True)


def rules(found: Proposal | Shortfall) -> dict[str, str]:
    """The refusals of a shortfall: code to detail."""
    assert isinstance(found, Shortfall)
    return {refusal.code: refusal.detail for refusal in found.refusals}


def test_a_snapshot_that_contradicts_itself_is_refused() -> None:
    """Every flaw is named with its field, nothing is planned, and nobody is forgotten."""
    day = a_day(seed=1, requests=3)
    broken = replace(day.requests[0], options=(Option(99),), load=(1.0,))
    found = planned(replace(day, requests=(broken, *day.requests[1:]), levels=(ServiceLevel(0, 2.0),)))
    assert isinstance(found, Shortfall)
    assert {refusal.code for refusal in found.refusals} == {"routing-malformed"}
    fields = {refusal.field for refusal in found.refusals}
    assert fields == {"requests[0].load", "requests[0].options[0].stop", "levels[0].share"}
    assert found.relaxed.unserved == (0, 1, 2)


def test_too_small_a_fleet_is_told_with_the_surplus() -> None:
    """The load beyond what all vans carry is named, the others get a plan, and who is left out is named too."""
    day = a_day(seed=5, requests=8, vans=1, fetched=False, plain=True)
    light = replace(day, vans=(replace(day.vans[0], capacity=(12.0, 99.0)),))
    load = sum(request.load[0] for request in day.requests)
    told = rules(found := planned(light))
    assert told["routing-fleet"] == f"{load:g} to deliver, {load - 12:g} too much"
    assert isinstance(found, Shortfall)
    assert found.relaxed.unserved
    assert {one.rule for one in violations(light, found.relaxed)} == {"request-unserved"}


def test_a_stop_too_far_is_told_with_the_seconds() -> None:
    """A window that closes before any van can be there is named with the least delay."""
    day = a_day(seed=6, requests=2, vans=1, fetched=False, plain=True)
    way_s = float(day.seconds[0, 3])
    stops = (*day.stops[:2], Stop(3, 0.0, way_s - 40.0), *day.stops[3:])
    requests = (replace(day.requests[0], options=(Option(2),)), *day.requests[1:])
    told = rules(planned(replace(day, stops=stops, requests=requests)))
    assert told["routing-unreachable"].startswith("40 s too late")


def test_a_full_bank_is_told_with_the_compartments_missing() -> None:
    """Three parcels that can go only to a bank with one compartment lack two."""
    day = a_day(seed=6, requests=1, vans=1, plain=True)
    bank = replace(day.stops[0], free=(0, 1, 0))
    parcels = tuple(Request(str(at), (1.0, 1.0), (Option(0),), size=1) for at in range(3))
    told = rules(planned(replace(day, stops=(bank, *day.stops[1:]), requests=parcels)))
    assert told["routing-compartments"].startswith("2 compartments of size 1")


def test_fewest_vans_is_a_bound() -> None:
    """Load over capacity, in the dimension that needs most."""
    day = a_day(seed=5, requests=8, vans=3, fetched=False, plain=True)
    first, second = (sum(request.load[at] for request in day.requests) for at in (0, 1))
    assert fewest_vans(day) >= max(first / 12, second / 11)
    assert fewest_vans(replace(day, requests=day.requests[:1])) == 1


@pytest.mark.parametrize("took_s", [1.0, 40.0])
def test_no_assembly_outlasts_the_effort(took_s: float, monkeypatch: pytest.MonkeyPatch) -> None:
    """None begins when the time is up, nor when less of it is left than the last one took."""
    warm_up()
    now_s, begun_s = [0.0], list[float]()

    def clock() -> float:
        now_s[0] += 0.05
        return now_s[0]

    def slow(*_: object) -> None:
        begun_s.append(now_s[0])
        now_s[0] += took_s

    monkeypatch.setattr(solving, "assemble", slow)
    day = replace(a_day(seed=3, requests=3, vans=2, plain=True), levels=(), vans_first=False)
    found = plan_routes(day, seed=1, effort=Effort(seconds=100.0, clock=clock))
    assert isinstance(found, Proposal)
    assert begun_s
    assert begun_s[-1] + took_s <= 101.0


def test_few_iterations_are_done_between_two_looks_at_a_clock_that_runs_out() -> None:
    """At first ten, then as many as the speed so far promises for what is left; without seconds, as asked."""
    now_s = [0.0]
    spending = Spending(Effort(seconds=10.0, clock=lambda: now_s[0]))
    assert spending.bite(500) == 10
    spending.done, now_s[0] = 10, 8.0
    assert spending.bite(500) == 2
    assert Spending(Effort(iterations=700)).bite(500) == 500
