"""The judge of every routing plan: reads the snapshot and the plan, believes neither the solver nor its figures.

It is written to be read beside the rules in ``day``, in plain Python, and shares no code with the solvers: a mistake in
their arithmetic is not repeated here. A plan without violations can be driven as it stands.
"""

import math
from collections import Counter
from collections.abc import Iterator, Sequence

import msgspec

from restante.plan.routing.day import Day, Errand, Option, Request, Van
from restante.plan.routing.proposal import Choice, Proposal, Reload, Rest, Tour, Visit

TOLERANCE = 1e-6
"""Seconds, metres and units of load by which rounding may be off."""


class Violation(msgspec.Struct, frozen=True):
    """A rule that a plan breaks: its name, where, and by how much (seconds, metres, units of load or parcels)."""

    rule: str
    where: str
    by: float = 1.0


def violations(day: Day, plan: Proposal) -> list[Violation]:
    """Every rule that the plan breaks; names that lead nowhere are told alone, because nothing else can be judged."""
    if lost := list(_names(day, plan)):
        return lost
    rules = (_each_once, _vans, _times, _rests, _reloads, _loads, _aboard, _compartments, _levels, _metres)
    return [found for rule in rules for found in rule(day, plan)]


def _names(day: Day, plan: Proposal) -> Iterator[Violation]:
    for tour in plan.tours:
        if not 0 <= tour.van < len(day.vans):
            yield Violation("van-unknown", f"van {tour.van}")
    for where, visit in _visits(plan):
        if not 0 <= visit.stop < len(day.stops):
            yield Violation("stop-unknown", where)
        if not visit.choices:
            yield Violation("visit-empty", where)
        for choice in visit.choices:
            yield from _choice_names(day, where, choice)
    for request in plan.unserved:
        if not 0 <= request < len(day.requests):
            yield Violation("request-unknown", f"unserved {request}")


def _choice_names(day: Day, where: str, choice: Choice) -> Iterator[Violation]:
    if not 0 <= choice.request < len(day.requests):
        yield Violation("request-unknown", where)
    elif not 0 <= choice.option < len(day.requests[choice.request].options):
        yield Violation("option-unknown", f"{where}, request {choice.request}")


def _each_once(day: Day, plan: Proposal) -> Iterator[Violation]:
    served = Counter(choice.request for _, visit in _visits(plan) for choice in visit.choices)
    left = Counter(plan.unserved)
    for request in range(len(day.requests)):
        where = f"request {request}"
        if served[request] + left[request] == 0:
            yield Violation("request-missing", where)
        if served[request] + left[request] > 1:
            yield Violation("request-twice", where, served[request] + left[request] - 1)
        if left[request]:
            yield Violation("request-unserved", where)
    for where, visit in _visits(plan):
        for choice in visit.choices:
            if _option(day, choice).stop != visit.stop:
                yield Violation("option-elsewhere", f"{where}, request {choice.request}")


def _vans(day: Day, plan: Proposal) -> Iterator[Violation]:
    out = Counter(tour.van for tour in plan.tours)
    for number, van in enumerate(day.vans):
        if out[number] > 1:
            yield Violation("van-twice", f"van {number}", out[number] - 1)
        if van.begun is not None and not out[number]:
            yield Violation("van-stranded", f"van {number}")
    for tour in plan.tours:
        if not tour.steps and day.vans[tour.van].begun is None:
            yield Violation("tour-empty", f"van {tour.van}")


def _times(day: Day, plan: Proposal) -> Iterator[Violation]:
    """Nobody leaves too early, drives too fast, comes outside a window, hurries a service, or is back too late."""
    for tour in plan.tours:
        van, at, free_s = day.vans[tour.van], _begins_at(day, tour), tour.leave_s
        yield from _late("leaves-early", f"van {tour.van}", _may_leave_s(day, van) - tour.leave_s)
        for number, step in enumerate(tour.steps):
            where, place = f"van {tour.van}, step {number}", _place(day, tour, step, at=at)
            yield from _late("travels-too-fast", where, free_s + float(day.seconds[at, place]) - step.start_s)
            if isinstance(step, Visit):
                yield from _service(day, where, step)
            at, free_s = place, step.leave_s
        home = day.depots[van.depot].place
        yield from _late(
            "travels-too-fast", f"van {tour.van}, back", free_s + float(day.seconds[at, home]) - tour.back_s
        )
        yield from _late("back-late", f"van {tour.van}", tour.back_s - min(van.closes_s, day.depots[van.depot].due_s))


def _service(day: Day, where: str, visit: Visit) -> Iterator[Violation]:
    stop = day.stops[visit.stop]
    work_s = stop.service_s + sum(_option(day, choice).preparation_s for choice in visit.choices)
    yield from _late("starts-early", where, stop.ready_s - visit.start_s)
    yield from _late("starts-late", where, visit.start_s - stop.due_s)
    yield from _late("serves-too-fast", where, visit.start_s + work_s - visit.leave_s)


def _rests(day: Day, plan: Proposal) -> Iterator[Violation]:
    """Breaks are taken in order, whole and within their window, unless the tour has ended by then."""
    for tour in plan.tours:
        taken = [step for step in tour.steps if isinstance(step, Rest)]
        owed = day.vans[tour.van].breaks
        if [rest.number for rest in taken] != list(range(len(taken))) or len(taken) > len(owed):
            yield Violation("rest-unknown", f"van {tour.van}")
            continue
        for rest in taken:
            rule, where = owed[rest.number], f"van {tour.van}, break {rest.number}"
            yield from _late("rest-early", where, rule.earliest_s - rest.start_s)
            yield from _late("rest-late", where, rest.start_s - rule.latest_s)
            yield from _late("rest-short", where, rest.start_s + rule.length_s - rest.leave_s)
        for number in range(len(taken), len(owed)):
            yield from _late("rest-missing", f"van {tour.van}, break {number}", tour.back_s - owed[number].latest_s)


def _reloads(day: Day, plan: Proposal) -> Iterator[Violation]:
    for tour in plan.tours:
        van, reloads = day.vans[tour.van], [step for step in tour.steps if isinstance(step, Reload)]
        depot = day.depots[van.depot]
        if len(reloads) > van.reloads:
            yield Violation("reloads-too-often", f"van {tour.van}", len(reloads) - van.reloads)
        for number, reload in enumerate(reloads):
            where = f"van {tour.van}, reload {number}"
            yield from _late("reload-too-fast", where, reload.start_s + van.reload_s - reload.leave_s)
            yield from _late("depot-closed", where, max(depot.ready_s - reload.start_s, reload.start_s - depot.due_s))


def _loads(day: Day, plan: Proposal) -> Iterator[Violation]:
    """On no way between two steps does a van carry more than it can, in any dimension."""
    for tour in plan.tours:
        for dimension, capacity in enumerate(day.vans[tour.van].capacity):
            peak = max(_carried(day, tour, dimension))
            yield from _late("overloaded", f"van {tour.van}, dimension {dimension}", peak - capacity)


def _carried(day: Day, tour: Tour, dimension: int) -> Iterator[float]:
    """The load on each way: what is to be delivered before the next reload, and what was collected since the last."""
    trips: list[list[Visit]] = [[]]
    for step in tour.steps:
        if isinstance(step, Reload):
            trips.append([])
        elif isinstance(step, Visit):
            trips[-1].append(step)
    begun = day.vans[tour.van].begun
    collected = begun.collected[dimension] if begun else 0.0
    for number, trip in enumerate(trips):
        later = [visit for following in trips[number + 1 :] for visit in following]
        to_deliver = sum(_weight(day, choice, dimension, way=+1) for visit in trip for choice in visit.choices)
        to_deliver += sum(
            _weight(day, choice, dimension, way=+1)
            for visit in later
            for choice in visit.choices
            if day.requests[choice.request].aboard is not None
        )
        yield collected + to_deliver
        for visit in trip:
            to_deliver -= sum(_weight(day, choice, dimension, way=+1) for choice in visit.choices)
            collected += sum(_weight(day, choice, dimension, way=-1) for choice in visit.choices)
            yield collected + to_deliver
        collected = 0.0


def _weight(day: Day, choice: Choice, dimension: int, *, way: int) -> float:
    """The load of a delivery (way +1) or of a parcel fetched (way -1), and nothing for the other kind."""
    request = day.requests[choice.request]
    return request.load[dimension] if (request.errand is Errand.DELIVERY) == (way > 0) else 0.0


def _aboard(day: Day, plan: Proposal) -> Iterator[Violation]:
    """A parcel aboard a van is delivered by it; a van that is out delivers nothing else before it has reloaded."""
    for tour in plan.tours:
        at_depot = day.vans[tour.van].begun is None
        for number, step in enumerate(tour.steps):
            at_depot = at_depot or isinstance(step, Reload)
            for choice in step.choices if isinstance(step, Visit) else ():
                request = day.requests[choice.request]
                where = f"van {tour.van}, step {number}, request {choice.request}"
                if request.aboard is not None and request.aboard != tour.van:
                    yield Violation("aboard-another-van", where)
                if request.aboard is None and request.errand is Errand.DELIVERY and not at_depot:
                    yield Violation("not-aboard", where)


def _compartments(day: Day, plan: Proposal) -> Iterator[Violation]:
    """What a stop has free is shared by all vans; what a visit frees serves that visit alone, whoever comes first."""
    wanted: dict[int, Counter[int]] = {}
    for _, visit in _visits(plan):
        if day.stops[visit.stop].free is not None:
            wanted.setdefault(visit.stop, Counter()).update(_wanted(day, visit.choices))
    for stop, sizes in wanted.items():
        free = day.stops[stop].free or ()
        for size in range(len(free)):
            missing = sum(count for rank, count in sizes.items() if rank >= size) - sum(free[size:])
            if missing > 0:
                yield Violation("compartments", f"stop {stop}, size {size} and larger", missing)


def _wanted(day: Day, choices: Sequence[Choice]) -> list[int]:
    """Sizes of the parcels that find no compartment freed in the same visit: the largest take first."""
    requests: list[Request] = [day.requests[choice.request] for choice in choices]
    freed = sorted(request.size for request in requests if request.errand is not Errand.DELIVERY)
    unmet = []
    for size in sorted((request.size for request in requests if request.errand is Errand.DELIVERY), reverse=True):
        if freed and freed[-1] >= size:
            freed.pop()
        else:
            unmet.append(size)
    return unmet


def _levels(day: Day, plan: Proposal) -> Iterator[Violation]:
    given = [_option(day, choice).level for _, visit in _visits(plan) for choice in visit.choices]
    for rule in day.levels:
        too_many = sum(level > rule.level for level in given) - rule.most_worse(len(day.requests))
        if too_many > 0:
            yield Violation("level-missed", f"level {rule.level}", too_many)


def _metres(day: Day, plan: Proposal) -> Iterator[Violation]:
    driven = sum(_driven_m(day, tour) for tour in plan.tours)
    if abs(driven - plan.metres) > TOLERANCE * max(1.0, driven):
        yield Violation("metres-misstated", "plan", abs(driven - plan.metres))


def _driven_m(day: Day, tour: Tour) -> float:
    at, metres = _begins_at(day, tour), 0.0
    for step in tour.steps:
        place = _place(day, tour, step, at=at)
        metres += float(day.metres[at, place])
        at = place
    return metres + float(day.metres[at, day.depots[day.vans[tour.van].depot].place])


def _place(day: Day, tour: Tour, step: Visit | Reload | Rest, *, at: int) -> int:
    match step:
        case Visit():
            return day.stops[step.stop].place
        case Reload():
            return day.depots[day.vans[tour.van].depot].place
        case Rest():
            return at


def _begins_at(day: Day, tour: Tour) -> int:
    van = day.vans[tour.van]
    return van.begun.place if van.begun else day.depots[van.depot].place


def _may_leave_s(day: Day, van: Van) -> float:
    return max(van.opens_s, van.begun.at_s) if van.begun else max(van.opens_s, day.depots[van.depot].ready_s)


def _option(day: Day, choice: Choice) -> Option:
    return day.requests[choice.request].options[choice.option]


def _visits(plan: Proposal) -> Iterator[tuple[str, Visit]]:
    for tour in plan.tours:
        for number, step in enumerate(tour.steps):
            if isinstance(step, Visit):
                yield f"van {tour.van}, step {number}", step


def _late(rule: str, where: str, by: float) -> Iterator[Violation]:
    if by > TOLERANCE:
        yield Violation(rule, where, by)
    elif math.isnan(by):
        yield Violation("not-a-number", where)
