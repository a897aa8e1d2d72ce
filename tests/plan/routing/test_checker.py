"""The judge of routing plans: it lets good plans pass, and no kind of corruption escapes it."""

import random
from collections import Counter
from functools import cache

import pytest
from msgspec.structs import replace

from restante.plan.routing.checker import violations
from restante.plan.routing.day import Begun, Day, Depot, Errand, Option, Request, Stop, Van
from restante.plan.routing.proposal import Choice, Proposal, Reload, Tour, Visit
from tests.plan.routing.brute import greedy, keeps_rules
from tests.plan.routing.corruptions import KINDS
from tests.plan.routing.days import a_day, square

CORRUPTED = 1_000


@cache
def good(seed: int) -> tuple[Day, Proposal]:
    """A day and a plan for it that keeps to every rule, with those left out taken off the day."""
    day = a_day(seed=seed, requests=7, vans=2)
    plan = greedy(day, reloads=seed % 2 == 0)
    assert keeps_rules(day, plan)
    kept = [at for at in range(len(day.requests)) if at not in plan.unserved]
    renamed = {at: new for new, at in enumerate(kept)}
    tours = tuple(
        replace(
            tour,
            steps=tuple(
                replace(step, choices=tuple(Choice(renamed[one.request], one.option) for one in step.choices))
                if isinstance(step, Visit)
                else step
                for step in tour.steps
            ),
        )
        for tour in plan.tours
    )
    return replace(day, requests=tuple(day.requests[at] for at in kept), levels=()), Proposal(tours, plan.metres)


def test_good_plans_pass() -> None:
    """Plans made rule by rule have nothing wrong with them."""
    for seed in range(8):
        assert violations(*good(seed)) == []


def test_a_thousand_corrupted_plans_are_caught() -> None:
    """Whatever is spoilt in a good plan, the judge names the rule that is broken by it."""
    chance, caught = random.Random(7), Counter[str]()
    while sum(caught.values()) < CORRUPTED:
        day, plan = good(chance.randrange(8))
        kind = chance.choice(list(KINDS))
        rule, spoil = KINDS[kind]
        case = spoil(day, plan, chance)
        if case is not None:
            assert rule in {found.rule for found in violations(*case)}, (kind, case[1])
            caught[kind] += 1
    assert set(caught) == set(KINDS)


def swap(*, free: int, out_size: int, in_size: int) -> tuple[Day, Proposal]:
    """One visit to a bank that takes a parcel out of a compartment and puts one in."""
    seconds, metres = square(2, seed=1)
    stop = Stop(1, 0, 9000, 0, (0, free, 0))
    fetched = Request("out", (1.0,), (Option(0),), Errand.RECALL, out_size)
    given = Request("in", (1.0,), (Option(0),), Errand.DELIVERY, in_size)
    day = Day(seconds, metres, (Depot(0, 0, 9000),), (Van("v", (1.0,), 0, 9000),), (stop,), (fetched, given))
    way = float(seconds[0, 1])
    visit = Visit(0, way, way, (Choice(0, 0), Choice(1, 0)))
    return day, Proposal((Tour(0, 0.0, (visit,), 2 * way),), float(metres[0, 1] * 2))


@pytest.mark.parametrize(
    ("free", "out_size", "in_size", "broken"),
    [(0, 1, 1, []), (0, 2, 1, []), (0, 0, 1, ["compartments"]), (1, 0, 1, []), (1, 0, 2, ["compartments"])],
)
def test_what_is_fetched_frees_its_compartment(free: int, out_size: int, in_size: int, broken: list[str]) -> None:
    """A parcel goes into the compartment that another leaves in the same visit, if it is as large."""
    found = violations(*swap(free=free, out_size=out_size, in_size=in_size))
    assert sorted({one.rule for one in found}) == broken


def test_two_visits_free_nothing_for_each_other() -> None:
    """Who comes second is not known for sure, so what one visit frees serves no other."""
    day, plan = swap(free=0, out_size=1, in_size=1)
    (tour,) = plan.tours
    (visit,) = (step for step in tour.steps if isinstance(step, Visit))
    halves = tuple(replace(visit, choices=(choice,)) for choice in visit.choices)
    parted = replace(plan, tours=(replace(tour, steps=halves),))
    roomy = replace(day, vans=(replace(day.vans[0], capacity=(2.0,)),))
    assert {found.rule for found in violations(roomy, parted)} == {"compartments"}


def test_a_van_that_is_out_has_only_what_it_took_along() -> None:
    """Parcels at the depot are delivered by a van that is out only after it has reloaded; those aboard by no other."""
    seconds, metres = square(3, seed=2)
    way = float(seconds[2, 1])
    out = Van("v", (9.0,), 0, 9000, reloads=1, begun=Begun(2, 100.0, (0.0,)))
    stop, depot = Stop(1, 0, 9000), Depot(0, 0, 9000)
    day = Day(seconds, metres, (depot,), (out,), (stop,), (Request("p", (1.0,), (Option(0),)),))
    visit = Visit(0, 100 + way, 100 + way, (Choice(0, 0),))
    home = float(seconds[1, 0])
    plan = Proposal((Tour(0, 100.0, (visit,), 100 + way + home),), float(metres[2, 1] + metres[1, 0]))
    assert [found.rule for found in violations(day, plan)] == ["not-aboard"]
    aboard = replace(day, requests=(replace(day.requests[0], aboard=0),))
    assert violations(aboard, plan) == []
    assert [found.rule for found in violations(aboard, Proposal((), 0.0, (0,)))] == ["request-unserved", "van-stranded"]


def test_a_reload_empties_and_fills_the_van() -> None:
    """Two parcels that a van cannot carry at once are two trips, and one trip too few is told with the surplus load."""
    seconds, metres = square(3, seed=3)
    stops = (Stop(1, 0, 9000), Stop(2, 0, 9000))
    requests = tuple(Request(str(at), (2.0,), (Option(at),)) for at in (0, 1))
    day = Day(seconds, metres, (Depot(0, 0, 9000),), (Van("v", (3.0,), 0, 9000, reloads=1),), stops, requests)
    there, back = float(seconds[0, 1]), float(seconds[1, 0])
    again = there + back + float(seconds[0, 2])
    steps = (
        Visit(0, there, there, (Choice(0, 0),)),
        Reload(there + back, there + back),
        Visit(1, again, again, (Choice(1, 0),)),
    )
    driven = float(metres[0, 1] * 2 + metres[0, 2] * 2)
    plan = Proposal((Tour(0, 0.0, steps, again + float(seconds[2, 0])),), driven)
    assert violations(day, plan) == []
    in_one = replace(plan, tours=(replace(plan.tours[0], steps=(steps[0], steps[2])),))
    found = {one.rule: one.by for one in violations(day, in_one)}
    assert found["overloaded"] == pytest.approx(1.0)
