"""What no plan of a day goes below."""

from restante.plan.routing.day import Day, Errand


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
