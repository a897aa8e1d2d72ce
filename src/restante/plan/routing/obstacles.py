"""Why a day cannot be served whole: the rules that stand in the way, and by how much each would have to give."""

from collections.abc import Iterator

from restante.core.refusals import Refusal
from restante.plan.routing.day import Day, Errand, Option, Request, Van
from restante.plan.routing.proposal import Proposal


def obstacles(day: Day, best: Proposal) -> list[Refusal]:
    """What keeps requests out of every plan, as far as it can be told rule by rule, and who is left out of this one.

    Refusals: ``routing-fleet`` (load beyond what all vans carry in all their trips), ``routing-unreachable`` (no van is
    in time at any option, or large enough), ``routing-compartments`` (parcels that have no other option than stops that
    are full), ``routing-unserved`` for each request that has no tour in the best plan.
    """
    found = [*_fleet(day), *_unreachable(day), *_compartments(day)]
    left = [Refusal("routing-unserved", f"requests[{at}]", f"request {day.requests[at].id}") for at in best.unserved]
    return [*found, *left]


def _fleet(day: Day) -> Iterator[Refusal]:
    for dimension in range(len(day.vans[0].capacity) if day.vans else 0):
        load = sum(one.load[dimension] for one in day.requests if one.errand is Errand.DELIVERY)
        room = sum(van.capacity[dimension] * (1 + van.reloads) for van in day.vans)
        if load > room + 1e-9:
            yield Refusal("routing-fleet", f"load[{dimension}]", f"{load:g} to deliver, {load - room:g} too much")
    if not day.vans:
        yield Refusal("routing-fleet", "vans", f"{len(day.requests)} requests and no van")


def _unreachable(day: Day) -> Iterator[Refusal]:
    for at, request in enumerate(day.requests):
        late = [_late_s(day, option, van) for option in request.options for van in _allowed(day, request)]
        if late and min(late) > 1e-6:
            yield Refusal(
                "routing-unreachable", f"requests[{at}]", f"{min(late):g} s too late at the best of its options"
            )
        if not any(_fits(request, van) for van in _allowed(day, request)) and day.vans:
            yield Refusal("routing-unreachable", f"requests[{at}].load", "more than any van that may take it carries")


def _allowed(day: Day, request: Request) -> list[Van]:
    return list(day.vans) if request.aboard is None else [day.vans[request.aboard]]


def _fits(request: Request, van: Van) -> bool:
    return all(load <= most + 1e-9 for load, most in zip(request.load, van.capacity, strict=True))


def _late_s(day: Day, option: Option, van: Van) -> float:
    """By how much a van that does nothing else misses the window, or its own end."""
    stop, depot = day.stops[option.stop], day.depots[van.depot]
    begins = van.begun.place if van.begun else depot.place
    leaves_s = max(van.opens_s, van.begun.at_s if van.begun else depot.ready_s)
    start_s = max(stop.ready_s, leaves_s + float(day.seconds[begins, stop.place]))
    back_s = start_s + stop.service_s + option.preparation_s + float(day.seconds[stop.place, depot.place])
    return max(start_s - stop.due_s, back_s - min(van.closes_s, depot.due_s), 0.0)


def _compartments(day: Day) -> Iterator[Refusal]:
    """Per stop: parcels that can go nowhere else, beyond its free compartments and all that may be freed there."""
    for at, stop in enumerate(day.stops):
        only = [one for one in day.requests if {option.stop for option in one.options} == {at}]
        for size in range(len(stop.free or ())):
            wanted = sum(one.size >= size for one in only if one.errand is Errand.DELIVERY)
            freed = sum(
                one.size >= size
                for one in day.requests
                if one.errand is not Errand.DELIVERY and any(option.stop == at for option in one.options)
            )
            missing = wanted - freed - sum((stop.free or ())[size:])
            if missing > 0:
                detail = f"{missing} compartments of size {size} or larger are missing"
                yield Refusal("routing-compartments", f"stops[{at}].free", detail)
