"""A plan for tours as one page: all tours on a map, how hours are spent, every van's stops, whatever is not served."""

from collections.abc import Iterator, Sequence
from itertools import count as numbers
from xml.etree.ElementTree import Element

from restante.plan.reporting.frame import Frame
from restante.plan.reporting.look import STYLE
from restante.plan.reporting.markup import NONE, Part, element, named, page
from restante.plan.reporting.plots import Bar, Pair, bars, gap_line
from restante.plan.reporting.routing_map import frame_of, map_of_all, map_of_one
from restante.plan.reporting.tables import Column, listed, section, table
from restante.plan.reporting.tours import (
    VAN_BOUNDARY,
    Leg,
    Routed,
    co2_kg,
    first_choices,
    hours_of,
    legs_of,
    metres_of,
    parcels_at,
    visits_of,
)
from restante.plan.reporting.wording import clock, count, gap, plural, share
from restante.plan.routing.proposal import Reload, Rest, Shortfall, Tour, Visit

MOST_BARS = 24
_KM = 1000.0
_HOUR = 3600.0


def routing_page(told: Routed) -> str:
    """The page, as HTML that needs nothing beside it. Every name in it is text and can be nothing else.

    Of a day that cannot be served whole it tells what stands in the way, and every parcel that stands in no tour.
    """
    frame = frame_of(told)
    main: list[Part] = [_short(told, told.found)] if isinstance(told.found, Shortfall) else []
    over = element("div", NONE, section("Where vans go", _STRAIGHT, *map_of_all(told, frame)))
    side = element("div", NONE, _figures(told), *_how_good(told))
    main += [element("div", {"class": "top"}, over, side), *_hours(told)]
    main += [_van(told, frame, tour, number=number) for number, tour in enumerate(told.plan.tours, 1)]
    main.append(_assumed(told))
    return page(told.title, STYLE, (element("header", NONE, *_head(told)), element("main", NONE, *main)))


_STRAIGHT = "Lines join stops straight, whatever streets a van takes. Numbers are those of the vans below."


def _head(told: Routed) -> Iterator[Part]:
    plan, asked = told.plan, len(told.day.requests)
    yield element("p", {"class": "label"}, named(told.title), f" · {plural(asked, 'parcel')} · {told.basis}")
    served = asked - len(plan.unserved)
    vans = f"{plural(plan.vans, 'van')} {'serves' if plan.vans == 1 else 'serve'}"
    what = f"all {plural(asked, 'parcel')}" if served == asked else f"{count(served)} of {plural(asked, 'parcel')}"
    yield element("h1", NONE, f"{vans} {what} on {count(plan.metres / _KM, 1)}\u202fkm.")


def _short(told: Routed, found: Shortfall) -> Element:
    """What stands in the way, and every parcel that stands in no tour."""
    rows: list[list[Part]] = [[named(no.field), f"{no.rule} {no.detail}"] for no in found.refusals]
    left = [named(told.day.requests[at].id) for at in found.relaxed.unserved]
    title = element("h2", NONE, "This day cannot be served whole")
    why = table((Column("Where", look="word"), Column("What stands in the way", look="word")), rows, is_long=True)
    names = element("p", {"class": "said"}, f"Not served ({count(len(left))}): ", *_commas(left))
    return element("section", {"class": "unmet"}, title, why, names)


def _commas(parts: Sequence[Part]) -> Iterator[Part]:
    for number, part in enumerate(parts):
        yield ", " if number else None
        yield part


def _figures(told: Routed) -> Element:
    plan, day = told.plan, told.day
    visits = list(visits_of(plan))
    served = sum(len(visit.choices) for visit in visits)
    left, fetched = (sum(len(parcels_at(day, visit)[way]) for visit in visits) for way in (0, 1))
    rows: list[tuple[str, str, str]] = [
        ("Vans out", "", f"{count(plan.vans)} of {count(len(day.vans))}"),
        ("Driven", "", f"{count(plan.metres / _KM, 1)}\u202fkm"),
        ("A parcel", "driven", f"{count(plan.metres / _KM / served, 2)}\u202fkm" if served else "–"),
        ("Visits", "", count(len(visits))),
        ("Parcels left at doors and points", "", count(left)),
        ("Parcels fetched", "returns and recalls", count(fetched)),
        ("Not served", "", count(len(plan.unserved))),
        ("At the option liked best", "of parcels served", share(first_choices(day, plan) / served) if served else "–"),
        ("CO₂", VAN_BOUNDARY, f"{count(co2_kg(told), 1)}\u202fkg"),
    ]
    cells = [(element("span", NONE, name, element("small", NONE, note)), value) for name, note, value in rows]
    return section("The day", "", table((Column(""), Column("Plan", look="on")), cells))


def _how_good(told: Routed) -> Iterator[Element]:
    """The metres beside what no plan goes below, where that was proven."""
    plan = told.plan
    if plan.bound_m is None:
        yield section("How good is that?", "No bound was proven: it is one for plans that serve everybody.")
        return
    value = Pair(f"Plan {count(plan.metres / _KM, 1)} km", plan.metres)
    bound = Pair(f"No plan is below {count(plan.bound_m / _KM, 1)} km", plan.bound_m)
    above = gap((plan.metres - plan.bound_m) / plan.metres if plan.metres else 0.0)
    said = f"At most {above} of these kilometres could be saved by another plan, proven."
    words = element("p", {"class": "said"}, f"The bound is one of this model: {plan.bound_of}.")
    yield section("How good is that?", said, gap_line(value, bound, None), words)


def _hours(told: Routed) -> Iterator[Element]:
    """Each van's hours, the longest first."""
    spent = sorted(
        ((hours_of(told.day, tour), number, tour) for number, tour in enumerate(told.plan.tours, 1)),
        key=lambda one: (-sum(one[0]), one[1]),
    )
    rows: list[Bar] = []
    for hours, number, tour in spent[:MOST_BARS]:
        named_parts = zip(("driving", "at stops", "resting", "waiting"), hours, strict=True)
        pieces = tuple((each, f"{each / _HOUR:.1f} h {what}") for what, each in named_parts if each >= _HOUR / 20)
        rows.append(Bar(f"{number} · {told.day.vans[tour.van].id}", pieces, is_planned=True))
    said = "Hours from leaving to being back, the longest day first; driving is dark, all of one scale."
    if len(spent) > MOST_BARS:
        said += f" The {MOST_BARS} longest of {len(spent)}."
    longest = max((row.length for row in rows), default=0.0)
    if rows:
        yield section(
            "How hours are spent",
            said,
            element("div", {"class": "plots"}, *(bars([row], longest=longest) for row in rows)),
        )


def _van(told: Routed, frame: Frame, tour: Tour, *, number: int) -> Element:
    """One van: its map and all its steps."""
    title = element("h2", NONE, f"{number} · ", named(told.day.vans[tour.van].id))
    out = f"Leaves at {clock(tour.leave_s)}, back at {clock(tour.back_s)}"
    said = element("p", {"class": "said"}, f"{out}, {count(metres_of(told.day, tour) / _KM, 1)}\u202fkm.")
    heads = (
        Column("", look="word"), Column("Begins"), Column("Leaves"), Column("Where", look="word"),
        Column("Left", look="word"), Column("Fetched", look="word"), Column("km"),
    )  # fmt: skip
    visit_numbers = numbers(1)
    rows = [
        [str(next(visit_numbers)) if isinstance(leg.step, Visit) else "", *_row(told, tour, leg)]
        for leg in legs_of(told.day, tour)
    ]
    steps = table(heads, rows, is_long=True)
    both = element("div", {"class": "van"}, map_of_one(told, frame, tour), steps)
    return element("section", NONE, title, said, both)


def _row(told: Routed, tour: Tour, leg: Leg) -> Sequence[Part]:
    """Times, place, what changes hands, and the way there."""
    where, km = named(told.places[leg.place].name), count(leg.metres / _KM, 1)
    match leg.step:
        case Visit() as visit:
            left, fetched = (
                element("span", NONE, *_commas([named(one) for one in ids])) for ids in parcels_at(told.day, visit)
            )
            return clock(visit.start_s), clock(visit.leave_s), where, left, fetched, km
        case Reload() as reload:
            return clock(reload.start_s), clock(reload.leave_s), where, "reloads", "", km
        case Rest() as rest:
            return clock(rest.start_s), clock(rest.leave_s), where, "rests", "", ""
        case None:
            return clock(tour.back_s), "", where, "back", "", km


def _assumed(told: Routed) -> Element:
    sentences = (
        *told.notes,
        f"Times and metres: {told.basis}.",
        f"CO₂ (assumed): {told.grams_per_km:g} g a kilometre of a van. Boundary: {VAN_BOUNDARY}.",
        *(
            f"At least {share(one.share, 0)} of parcels at an option of level {one.level} or a better one."
            for one in told.day.levels
        ),
        "Fewest vans first, then fewest metres." if told.day.vans_first else "Fewest metres, whatever the vans.",
    )
    return section("What is assumed", "Nothing here was measured unless it says so.", listed(sentences))
