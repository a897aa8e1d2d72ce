"""A plan for tours as GeoJSON: a line for every van, a point for every visit and depot."""

from collections.abc import Iterator

from restante.plan.reporting.geojson import Feature, collection, line, point
from restante.plan.reporting.routing_map import spot_of, spots_along
from restante.plan.reporting.tours import VAN_BOUNDARY, Routed, co2_kg, metres_of, parcels_at
from restante.plan.routing.proposal import Shortfall, Tour, Visit


def routing_geojson(told: Routed) -> str:
    """Tours as straight lines from stop to stop, visits with their times and parcels; ``about`` tells the rest.

    ``unserved`` names every parcel that stands in no tour.
    """
    plan = told.plan
    about = {
        "title": told.title,
        "metres": plan.metres,
        "bound_m": plan.bound_m,
        "bound_of": plan.bound_of,
        "basis": told.basis,
        "co2_kg": co2_kg(told),
        "co2_boundary": VAN_BOUNDARY,
        "unserved": [told.day.requests[at].id for at in plan.unserved],
        "shortfall": [
            {"code": no.code, "field": no.field, "detail": no.detail}
            for no in (told.found.refusals if isinstance(told.found, Shortfall) else ())
        ],
        "assumptions": told.notes,
    }
    return collection([*_depots(told), *(one for tour in plan.tours for one in _tour(told, tour))], about)


def _depots(told: Routed) -> Iterator[Feature]:
    for number, depot in enumerate(told.day.depots):
        place = told.places[depot.place]
        yield point(spot_of(place), {"kind": "depot", "name": place.name}, name=f"depot {number}")


def _tour(told: Routed, tour: Tour) -> Iterator[Feature]:
    van, spots = told.day.vans[tour.van].id, spots_along(told, tour)
    about = {"kind": "tour", "van": van, "leave_s": tour.leave_s, "back_s": tour.back_s}
    if len(spots) > 1:
        yield line(spots, {**about, "metres": metres_of(told.day, tour)}, name=f"tour {tour.van}")
    for number, visit in enumerate((step for step in tour.steps if isinstance(step, Visit)), 1):
        place = told.places[told.day.stops[visit.stop].place]
        left, fetched = parcels_at(told.day, visit)
        times = {"start_s": visit.start_s, "leave_s": visit.leave_s}
        properties = {"kind": "visit", "van": van, "nth": number, "name": place.name, **times}
        yield point(spot_of(place), {**properties, "left": left, "fetched": fetched}, name=f"visit {tour.van}/{number}")
