"""What no plan of a day goes below, and of which model that is a bound."""

from typing import Final

import numpy as np
from msgspec.structs import replace

from restante.plan.routing.day import Day, Errand
from restante.plan.routing.proposal import Proposal

ENTERED: Final = (
    "places entered: every place that is the only one for somebody is come to once, from the nearest place there is, "
    "and as many vans as the load needs come home; without times, compartments, or ways that follow on each other"
)


def bounded(day: Day, plan: Proposal) -> Proposal:
    """The plan with a proven bound on its metres, where everybody is served: it is one for such plans only."""
    return plan if plan.unserved else replace(plan, bound_m=fewest_metres(day), bound_of=ENTERED)


def fewest_metres(day: Day) -> float:
    """A bound from below on the metres of all plans that serve everybody, of the model ``ENTERED``. It is not near."""
    if not day.requests:
        return 0.0
    served = [{day.stops[option.stop].place for option in request.options} for request in day.requests]
    depots = {depot.place for depot in day.depots}
    begins = depots | {van.begun.place for van in day.vans if van.begun is not None}
    forced = sorted({place for places in served for place in places if len(places) == 1} - begins)
    known = sorted(set.union(begins, *served))
    into = day.metres[np.ix_(known, forced)].copy()
    into[np.array(known)[:, None] == np.array(forced)[None, :]] = np.inf
    home = day.metres[np.ix_(sorted(set.union(*served)), sorted(depots))]
    homecomings = 0 if any(van.begun for van in day.vans) else fewest_vans(day)
    return float(into.min(axis=0).sum() + homecomings * home.min())


def fewest_vans(day: Day) -> int:
    """A bound from below: so many of the largest vans are needed to carry the load, in any dimension, in all trips."""
    most = 1
    deliveries = [request.load for request in day.requests if request.errand is Errand.DELIVERY]
    for dimension in range(len(day.vans[0].capacity) if day.vans else 0):
        left = sum(load[dimension] for load in deliveries)
        rooms = sorted((van.capacity[dimension] * (1 + van.reloads) for van in day.vans), reverse=True)
        needed = 0
        for room in rooms:
            if left > 1e-9:
                left, needed = left - room, needed + 1
        most = max(most, needed)
    return most
