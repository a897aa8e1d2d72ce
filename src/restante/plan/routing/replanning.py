"""A day that goes on differently: what is done stays done, vans are where they are, parcels for a closed stop go on.

``rest_of`` makes of a day, its plan and a change the snapshot of what is left, with the old tours to start from.
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise
from typing import Final

import msgspec
from msgspec.structs import replace

from restante.plan.routing.day import Begun, Day, Errand, Option, Request, Stop, Van
from restante.plan.routing.effort import Effort, Progress, ignore
from restante.plan.routing.proposal import Choice, Proposal, Reload, Rest, Shortfall, Step, Tour, Visit
from restante.plan.routing.solving import plan_routes

NEXT_POINT_M: Final = 2_000.0
"""How far from a stop that is full or out of order its parcels may be brought to another one."""

MOVE_SHARE: Final = 0.002
"""What taking a request off its van costs, as a share of the metres still to be driven."""


class Change(msgspec.Struct, frozen=True):
    """What is known at ``now_s``: stops that take nothing more (full or dead), requests that are new or called off.

    ``moved`` holds the options that a request has now in place of those it had.
    """

    now_s: float
    closed: frozenset[int] = frozenset()
    added: tuple[Request, ...] = ()
    cancelled: frozenset[int] = frozenset()
    moved: Mapping[int, tuple[Option, ...]] = {}


class Remainder(msgspec.Struct, frozen=True):
    """What is left of a day: its snapshot, which old request each one was, and who is still in each van's tour."""

    day: Day
    was: tuple[int | None, ...]
    tours: tuple[tuple[Choice, ...], ...]

    def before(self) -> dict[int, int]:
        """The van that each request was planned on."""
        return {choice.request: van for van, tour in enumerate(self.tours) for choice in tour}


def replan(
    rest: Remainder, *, seed: int, effort: Effort, progress: Callable[[Progress], None] = ignore
) -> Proposal | Shortfall:
    """The best plan found for what is left, from the old tours on, in which few requests change their van."""
    metres = sum(float(rest.day.metres[a, b]) for tour in rest.tours for a, b in _ways(rest.day, tour))
    return plan_routes(
        rest.day, seed=seed, effort=effort, progress=progress,
        before=rest.before(), move_m=MOVE_SHARE * metres, warm=rest.tours,
    )  # fmt: skip


def _ways(day: Day, tour: Sequence[Choice]) -> list[tuple[int, int]]:
    places = [day.stops[day.requests[one.request].options[one.option].stop].place for one in tour]
    return list(pairwise(places))


def rest_of(day: Day, plan: Proposal, change: Change) -> Remainder:
    """What is left of a day at a change.

    Steps that a van is at, or has set out for, are done. What it has loaded stays aboard; parcels for a closed stop may
    go to any shared stop within ``NEXT_POINT_M`` that has a compartment of the size. Shares of preference levels were
    promised for the whole day and bind the rest no more.
    """
    done = {tour.van: _begun_steps(tour, change.now_s) for tour in plan.tours}
    gone = {choice.request for steps in done.values() for choice in _choices(steps)} | change.cancelled
    aboard = _aboard(plan, done)
    was = [at for at in range(len(day.requests)) if at not in gone]
    asked = [replace(day.requests[at], options=change.moved.get(at, day.requests[at].options)) for at in was]
    kept = [
        _redirected(day, replace(request, aboard=aboard.get(at)), change.closed)
        for at, request in zip(was, asked, strict=True)
    ]
    stops = tuple(_stop_now(day, at, [*done.values()], is_closed=at in change.closed) for at in range(len(day.stops)))
    vans = tuple(_van_now(day, at, done.get(at, ()), now_s=change.now_s) for at in range(len(day.vans)))
    now = replace(day, vans=vans, stops=stops, requests=(*kept, *change.added), levels=())
    fresh = {old: new for new, old in enumerate(was)}
    tours = [_tour_left(day, plan, at, known=(fresh, done.get(at, ()), kept)) for at in range(len(day.vans))]
    return Remainder(now, (*was, *(None for _ in change.added)), tuple(tours))


def _begun_steps(tour: Tour, now_s: float) -> tuple[Step, ...]:
    """Those that the van is at or has set out for, which it did when it left the step before."""
    left_s = [tour.leave_s, *(step.leave_s for step in tour.steps)]
    return tuple(step for step, free_s in zip(tour.steps, left_s, strict=False) if free_s <= now_s)


def _choices(steps: Sequence[Step]) -> list[Choice]:
    return [choice for step in steps if isinstance(step, Visit) for choice in step.choices]


def _aboard(plan: Proposal, done: Mapping[int, tuple[Step, ...]]) -> dict[int, int]:
    """Requests that vans which are out have loaded: those before the next reload that is not done yet."""
    found: dict[int, int] = {}
    for tour in plan.tours:
        if done[tour.van]:
            for step in tour.steps[len(done[tour.van]) :]:
                if isinstance(step, Reload):
                    break
                found |= {choice.request: tour.van for choice in _choices([step])}
    return found


def _redirected(day: Day, request: Request, closed: frozenset[int]) -> Request:
    """The request without its options at closed stops; and, if it had one, with all shared stops near to that one."""
    if request.errand is not Errand.DELIVERY:
        return replace(request, aboard=None)
    left = [option for option in request.options if option.stop not in closed]
    known = {option.stop for option in request.options}
    for option in request.options:
        if option.stop in closed:
            near = [at for at in _near(day, option.stop, request) if at not in closed | known]
            left += [Option(at, option.level + 1, option.preparation_s) for at in near]
            known.update(near)
    return replace(request, options=tuple(left) or request.options)


def _near(day: Day, stop: int, request: Request) -> list[int]:
    here = day.stops[stop].place
    return [
        at
        for at, other in enumerate(day.stops)
        if other.free is not None
        and sum(other.free[request.size :]) > 0
        and float(day.metres[here, other.place]) <= NEXT_POINT_M
    ]


def _stop_now(day: Day, at: int, done: list[tuple[Step, ...]], *, is_closed: bool) -> Stop:
    """The stop with the compartments that are still free; nothing is left at one that is closed."""
    stop = day.stops[at]
    if stop.free is None:
        return stop
    visits = [step for steps in done for step in steps if isinstance(step, Visit) and step.stop == at]
    free = [0] * len(stop.free) if is_closed else list(stop.free)
    for visit in visits if not is_closed else []:
        requests = [day.requests[choice.request] for choice in visit.choices]
        freed = Counter(one.size for one in requests if one.errand is not Errand.DELIVERY)
        for size in sorted((one.size for one in requests if one.errand is Errand.DELIVERY), reverse=True):
            _occupy(size, freed, free)
    return replace(stop, free=tuple(free))


def _occupy(size: int, freed: Counter[int], free: list[int]) -> None:
    """Take the smallest compartment that does, one that was freed in the visit before one of the others."""
    for rank in range(size, len(free)):
        if freed[rank]:
            freed[rank] -= 1
            return
    rank = next(rank for rank in range(size, len(free)) if free[rank])
    free[rank] -= 1


def _van_now(day: Day, at: int, done: Sequence[Step], *, now_s: float) -> Van:
    """A van where it will be free next, without the breaks it has had; one that has not left leaves now or later."""
    van = day.vans[at]
    if not done and van.begun is None:
        return replace(van, opens_s=min(max(van.opens_s, now_s), van.closes_s))
    home = day.depots[van.depot].place
    place, collected = (van.begun.place, van.begun.collected) if van.begun else (home, (0.0,) * len(van.capacity))
    for step in done:
        match step:
            case Visit():
                place = day.stops[step.stop].place
                loads = [day.requests[choice.request] for choice in step.choices]
                fetched = [one.load for one in loads if one.errand is not Errand.DELIVERY]
                collected = tuple(sum(column) for column in zip(collected, *fetched, strict=True))
            case Reload():
                place, collected = home, (0.0,) * len(van.capacity)
            case Rest():
                pass
    free_s = max([now_s, *(step.leave_s for step in done), van.begun.at_s if van.begun else now_s])
    taken = sum(isinstance(step, Rest) for step in done)
    return replace(van, begun=Begun(place, free_s, collected), breaks=van.breaks[taken:])


def _tour_left(
    day: Day, plan: Proposal, van: int, *, known: tuple[dict[int, int], Sequence[Step], Sequence[Request]]
) -> tuple[Choice, ...]:
    """Who is still in a van's tour, in its order, at the stop that was planned if that is still an option."""
    fresh, done, requests = known
    steps = next((tour.steps for tour in plan.tours if tour.van == van), ())
    left = []
    for choice in _choices(steps[len(done) :]):
        stop = day.requests[choice.request].options[choice.option].stop
        if choice.request in fresh:
            new = fresh[choice.request]
            options = [at for at, option in enumerate(requests[new].options) if option.stop == stop]
            left += [Choice(new, at) for at in options[:1]]
    return tuple(left)
