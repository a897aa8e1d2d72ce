"""The maps of a plan for tours: all of them on one, and each van's own with its stops numbered.

Lines join stops straight, whatever streets the van takes between them. Tours are told apart by how their line is broken
and by the van's number at its farthest stop; colour comes second.
"""

from collections.abc import Iterator
from itertools import pairwise
from typing import Final
from xml.etree.ElementTree import Element

from restante.plan.reporting.frame import WIDTH, Frame, Spot, drawing, frame_around, path_of, scale_bar, titled
from restante.plan.reporting.ground import credit, streets
from restante.plan.reporting.markup import NONE, Part, element
from restante.plan.reporting.tours import Address, Routed, begins_at, legs_of
from restante.plan.reporting.wording import plural
from restante.plan.routing.proposal import Tour, Visit

INKS: Final = ("act", "ink", "text-cold", "text-laps", "text-fault")
BREAKS: Final = ("none", "9 4", "2.5 5", "12 4 2.5 4")
_GROUND: Final = "ground"


def spot_of(place: Address) -> Spot:
    """Where a place is."""
    return place.latitude, place.longitude


def spots_along(told: Routed, tour: Tour) -> list[Spot]:
    """Every place a van comes to, from the first to the last, with no place twice in a row."""
    places = [begins_at(told.day, tour), *(leg.place for leg in legs_of(told.day, tour))]
    kept = places[:1] + [place for before, place in pairwise(places) if place != before]
    return [spot_of(told.places[place]) for place in kept]


def frame_of(told: Routed) -> Frame:
    """The map on which every place of the day is."""
    return frame_around([spot_of(place) for place in told.places])


def map_of_all(told: Routed, frame: Frame) -> list[Element]:
    """All tours, the scale and whom to thank; what lies under them is what the vans' own maps use again."""
    plan = told.plan
    parts: list[Part] = [element("g", {"id": _GROUND}, *streets(frame, told.ground))]
    for number, tour in enumerate(plan.tours):
        look = f"stroke:var(--{INKS[number % len(INKS)]});stroke-dasharray:{BREAKS[number % len(BREAKS)]}"
        line = path_of(frame, [spots_along(told, tour)])
        parts.append(titled(element("path", {"class": "tour", "style": look, "d": line}), told.day.vans[tour.van].id))
    parts += _stops(told, frame)
    parts += [_number(told, frame, tour, number=number) for number, tour in enumerate(plan.tours, 1)]
    parts += _depots(told, frame)
    said = f"Map of {plural(len(plan.tours), 'tour')}; each is in a table below"
    return [element("div", {"class": "frame"}, drawing(frame, said, parts)), scale_bar(frame), *credit(told.ground)]


def map_of_one(told: Routed, whole: Frame, tour: Tour) -> Element:
    """One van's tour as large as it can be, over the ground of the map of all, its visits numbered in their order."""
    spots = spots_along(told, tour)
    frame = frame_around(spots)
    line = element("path", {"class": "tour", "style": "stroke:var(--act)", "d": path_of(frame, [spots])})
    parts: list[Part] = [_ground(whole, frame), line, *_depots(told, frame)]
    visits = [step for step in tour.steps if isinstance(step, Visit)]
    for number, visit in enumerate(visits, 1):
        place = told.places[told.day.stops[visit.stop].place]
        x, y = frame.at(spot_of(place))
        dot = element("circle", {"class": "stop", "cx": x, "cy": y, "r": 14})
        words = element("text", {"class": "mid onstop", "x": x, "y": y + 6}, str(number))
        parts.append(titled(element("g", NONE, dot, words), place.name))
    said = f"Map of {plural(len(visits), 'visit')}; they are in the table beside it"
    return element("div", {"class": "frame"}, drawing(frame, said, parts))


def _ground(whole: Frame, frame: Frame) -> Element:
    """What was drawn for one map, moved and enlarged to another."""
    (x, y), times = frame.at(whole.middle), whole.metres / frame.metres
    moved = f"translate({x:.2f} {y:.2f}) scale({times:.4f}) translate({-WIDTH / 2:.2f} {-whole.height / 2:.2f})"
    return element("use", {"href": f"#{_GROUND}", "transform": moved})


def _stops(told: Routed, frame: Frame) -> Iterator[Element]:
    """Every place that a van comes to."""
    places = {
        told.day.stops[step.stop].place for tour in told.plan.tours for step in tour.steps if isinstance(step, Visit)
    }
    for place in sorted(places):
        x, y = frame.at(spot_of(told.places[place]))
        yield titled(element("circle", {"class": "stop", "cx": x, "cy": y, "r": 3.5}), told.places[place].name)


def _depots(told: Routed, frame: Frame) -> Iterator[Element]:
    for depot in told.day.depots:
        x, y = frame.at(spot_of(told.places[depot.place]))
        shape = f"M{x - 9:.1f} {y + 7:.1f}v-9l9 -7l9 7v9z"
        yield titled(element("path", {"class": "depot", "d": shape}), told.places[depot.place].name)


def _number(told: Routed, frame: Frame, tour: Tour, *, number: int) -> Element:
    """The van's number, as the tables have it, at the stop farthest from where it sets out."""
    at = [frame.at(spot) for spot in spots_along(told, tour)]
    x, y = max(at, key=lambda one: (one[0] - at[0][0]) ** 2 + (one[1] - at[0][1]) ** 2)
    return element("text", {"class": "strong mid large", "x": x, "y": y - 8}, str(number))
