"""Ways to spoil a plan that keeps to every rule, each with the rule that it breaks then."""

import random
from collections.abc import Callable
from typing import Any

from msgspec.structs import replace

from restante.plan.routing.day import Day, ServiceLevel
from restante.plan.routing.proposal import Choice, Proposal, Reload, Rest, Tour, Visit

Case = tuple[Day, Proposal]
Spoil = Callable[[Day, Proposal, random.Random], Case | None]
"""A spoilt case, or None where this plan gives no occasion."""


def _steps(plan: Proposal, kind: type) -> list[tuple[int, int]]:
    return [
        (at, number)
        for at, tour in enumerate(plan.tours)
        for number, step in enumerate(tour.steps)
        if isinstance(step, kind)
    ]


def _with_tour(plan: Proposal, at: int, tour: Tour) -> Proposal:
    return replace(plan, tours=(*plan.tours[:at], tour, *plan.tours[at + 1 :]))


def _with_step(plan: Proposal, where: tuple[int, int], **changes: Any) -> Proposal:
    at, number = where
    steps = plan.tours[at].steps
    step = replace(steps[number], **changes)
    return _with_tour(plan, at, replace(plan.tours[at], steps=(*steps[:number], step, *steps[number + 1 :])))


def _step(kind: type, change: Callable[[Day, Any, random.Random], dict[str, Any] | None]) -> Spoil:
    def spoil(day: Day, plan: Proposal, chance: random.Random) -> Case | None:
        places = _steps(plan, kind)
        if not places:
            return None
        at, number = where = chance.choice(places)
        changes = change(day, plan.tours[at].steps[number], chance)
        return None if changes is None else (day, _with_step(plan, where, **changes))

    return spoil


def _tour(change: Callable[[Day, Tour, random.Random], dict[str, Any]]) -> Spoil:
    def spoil(day: Day, plan: Proposal, chance: random.Random) -> Case:
        at = chance.randrange(len(plan.tours))
        return day, _with_tour(plan, at, replace(plan.tours[at], **change(day, plan.tours[at], chance)))

    return spoil


def _drop_choice(_: Day, visit: Visit, chance: random.Random) -> dict[str, Any] | None:
    if len(visit.choices) < 2:
        return None
    gone = chance.randrange(len(visit.choices))
    return {"choices": visit.choices[:gone] + visit.choices[gone + 1 :]}


def _drop_visit(day: Day, plan: Proposal, chance: random.Random) -> Case | None:
    at, number = chance.choice(_steps(plan, Visit))
    steps = plan.tours[at].steps
    return day, _with_tour(plan, at, replace(plan.tours[at], steps=steps[:number] + steps[number + 1 :]))


def _other_option(day: Day, visit: Visit, chance: random.Random) -> dict[str, Any] | None:
    choice = chance.choice(visit.choices)
    others = [
        at
        for at, option in enumerate(day.requests[choice.request].options)
        if option.stop != visit.stop and at != choice.option
    ]
    if not others:
        return None
    swapped = Choice(choice.request, chance.choice(others))
    return {"choices": tuple(swapped if one == choice else one for one in visit.choices)}


def _work_s(day: Day, visit: Visit) -> float:
    prepared = sum(day.requests[one.request].options[one.option].preparation_s for one in visit.choices)
    return day.stops[visit.stop].service_s + prepared


def _too_late(day: Day, visit: Visit, chance: random.Random) -> dict[str, Any]:
    start_s = day.stops[visit.stop].due_s + chance.uniform(1, 900)
    return {"start_s": start_s, "leave_s": start_s + _work_s(day, visit)}


def _too_early(day: Day, visit: Visit, chance: random.Random) -> dict[str, Any]:
    return {"start_s": day.stops[visit.stop].ready_s - chance.uniform(1, 900)}


def _hurried(day: Day, visit: Visit, chance: random.Random) -> dict[str, Any]:
    return {"leave_s": visit.start_s + _work_s(day, visit) * chance.uniform(0, 0.99)}


def _flies(day: Day, plan: Proposal, chance: random.Random) -> Case | None:
    """Back home at once after the last step, though it is some way."""
    at = chance.randrange(len(plan.tours))
    tour = plan.tours[at]
    way_s = tour.back_s - tour.steps[-1].leave_s
    if way_s < 1:
        return None
    return day, _with_tour(plan, at, replace(tour, back_s=tour.back_s - chance.uniform(0.5, way_s)))


def _smaller_vans(day: Day, plan: Proposal, chance: random.Random) -> Case | None:
    """Vans that carry a little less than some visit's parcels weigh."""
    at, number = chance.choice(_steps(plan, Visit))
    visit, tour = plan.tours[at].steps[number], plan.tours[at]
    assert isinstance(visit, Visit)
    heaviest = max(day.requests[choice.request].load[0] for choice in visit.choices)
    van = replace(day.vans[tour.van], capacity=(heaviest - 0.5, *day.vans[tour.van].capacity[1:]))
    return replace(day, vans=(*day.vans[: tour.van], van, *day.vans[tour.van + 1 :])), plan


def _compartments_gone(day: Day, plan: Proposal, chance: random.Random) -> Case | None:
    """A bank that has nothing free, where somebody only delivers."""
    only = [
        step.stop
        for tour in plan.tours
        for step in tour.steps
        if isinstance(step, Visit)
        and day.stops[step.stop].free is not None
        and all(day.requests[choice.request].errand == "delivery" for choice in step.choices)
    ]
    if not only:
        return None
    gone = chance.choice(only)
    stop = replace(day.stops[gone], free=(0,) * len(day.stops[gone].free or ()))
    return replace(day, stops=(*day.stops[:gone], stop, *day.stops[gone + 1 :])), plan


def _pickier(day: Day, plan: Proposal, _: random.Random) -> Case | None:
    chosen = [
        choice for tour in plan.tours for step in tour.steps if isinstance(step, Visit) for choice in step.choices
    ]
    if all(day.requests[one.request].options[one.option].level == 0 for one in chosen):
        return None
    return replace(day, levels=(ServiceLevel(0, 1.0),)), plan


def _no_rest(day: Day, plan: Proposal, chance: random.Random) -> Case | None:
    rests = _steps(plan, Rest)
    if not rests:
        return None
    at, number = chance.choice(rests)
    steps = plan.tours[at].steps
    return day, _with_tour(plan, at, replace(plan.tours[at], steps=steps[:number] + steps[number + 1 :]))


def _no_reloads(day: Day, plan: Proposal, _: random.Random) -> Case | None:
    if not _steps(plan, Reload):
        return None
    return replace(day, vans=tuple(replace(van, reloads=0) for van in day.vans)), plan


def _strange(number: int) -> Callable[[Day, Visit, random.Random], dict[str, Any]]:
    def change(_: Day, visit: Visit, chance: random.Random) -> dict[str, Any]:
        request = visit.choices[0].request
        return {"choices": ((Choice(10**6, 0), Choice(request, 99), Choice(-1, 0))[number], *visit.choices[1:])}

    return change


KINDS: dict[str, tuple[str, Spoil]] = {
    "parcel forgotten": ("request-missing", _step(Visit, _drop_choice)),
    "visit forgotten": ("request-missing", _drop_visit),
    "parcel twice": ("request-twice", _step(Visit, lambda _d, v, _c: {"choices": (*v.choices, v.choices[0])})),
    "served and left": (
        "request-twice",
        lambda day, plan, _: (day, replace(plan, unserved=(_first(plan).choices[0].request,))),
    ),
    "another option": ("option-elsewhere", _step(Visit, _other_option)),
    "unknown request": ("request-unknown", _step(Visit, _strange(0))),
    "request below none": ("request-unknown", _step(Visit, _strange(2))),
    "unknown option": ("option-unknown", _step(Visit, _strange(1))),
    "unknown stop": ("stop-unknown", _step(Visit, lambda _d, _v, _c: {"stop": 10**6})),
    "nobody served": ("visit-empty", _step(Visit, lambda _d, _v, _c: {"choices": ()})),
    "unknown van": ("van-unknown", _tour(lambda _d, _t, _c: {"van": 99})),
    "one van twice": ("van-twice", lambda day, plan, _: (day, replace(plan, tours=(*plan.tours, plan.tours[0])))),
    "tour without steps": ("tour-empty", _tour(lambda _d, _t, _c: {"steps": ()})),
    "leaves too early": ("leaves-early", _tour(lambda d, t, c: {"leave_s": d.vans[t.van].opens_s - c.uniform(1, 99)})),
    "back too late": ("back-late", _tour(lambda d, t, c: {"back_s": d.vans[t.van].closes_s + c.uniform(1, 99)})),
    "flies home": ("travels-too-fast", _flies),
    "too late": ("starts-late", _step(Visit, _too_late)),
    "too early": ("starts-early", _step(Visit, _too_early)),
    "hurried": ("serves-too-fast", _step(Visit, _hurried)),
    "time is not a number": ("not-a-number", _step(Visit, lambda _d, _v, _c: {"start_s": float("nan")})),
    "overloaded": ("overloaded", _smaller_vans),
    "bank full": ("compartments", _compartments_gone),
    "less liked": ("level-missed", _pickier),
    "no rest": ("rest-missing", _no_rest),
    "short rest": ("rest-short", _step(Rest, lambda _d, r, c: {"leave_s": r.leave_s - c.uniform(1, 600)})),
    "early rest": ("rest-early", _step(Rest, lambda _d, _r, c: {"start_s": c.uniform(0, 3599)})),
    "late rest": ("rest-late", _step(Rest, lambda _d, _r, c: {"start_s": 3 * 3600 + c.uniform(1, 999)})),
    "strange rest": ("rest-unknown", _step(Rest, lambda _d, _r, _c: {"number": 7})),
    "reload too fast": ("reload-too-fast", _step(Reload, lambda _d, r, c: {"leave_s": r.leave_s - c.uniform(1, 500)})),
    "no reloads allowed": ("reloads-too-often", _no_reloads),
    "metres made up": ("metres-misstated", lambda d, p, c: (d, replace(p, metres=p.metres - c.uniform(1, 500)))),
}


def _first(plan: Proposal) -> Visit:
    return next(step for tour in plan.tours for step in tour.steps if isinstance(step, Visit))
