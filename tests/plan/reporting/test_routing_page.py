"""The page of a plan for tours: its numbers are the proposal's, its names are only names, every parcel stands in it."""

import json
import re
from xml.etree import ElementTree as ET

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from restante.core.refusals import Refusal
from restante.plan.reporting.frame import frame_around
from restante.plan.reporting.routing_geojson import routing_geojson
from restante.plan.reporting.routing_map import frame_of, map_of_one, spot_of, spots_along
from restante.plan.reporting.routing_page import routing_page
from restante.plan.reporting.tours import Address, Routed, hours_of, legs_of, metres_of
from restante.plan.reporting.wording import clock, count
from restante.plan.routing.proposal import Reload, Rest, Shortfall, Visit
from tests.plan.reporting.reading import NAMES, Read
from tests.plan.reporting.vans import told


def test_legs_are_what_the_proposal_drives() -> None:
    """All ways of all tours are its metres; nobody moves at a rest, and a reload is at the depot."""
    one = told()
    assert sum(metres_of(one.day, tour) for tour in one.plan.tours) == pytest.approx(one.plan.metres)
    legs = list(legs_of(one.day, one.plan.tours[0]))
    kinds = [type(leg.step) for leg in legs]
    assert {Visit, Reload, Rest} <= set(kinds)
    assert legs[kinds.index(Rest)].metres == 0
    assert legs[kinds.index(Reload)].place == one.day.depots[0].place


def test_hours_are_all_of_the_tour() -> None:
    """Driving, serving, resting and waiting are the time between leaving and being back."""
    one = told()
    for tour in one.plan.tours:
        assert sum(hours_of(one.day, tour)) == pytest.approx(tour.back_s - tour.leave_s)
    assert hours_of(one.day, one.plan.tours[0]).resting == pytest.approx(1800.0)


def test_hours_of_all_vans_are_drawn_in_one_scale() -> None:
    """The dark parts are as long to each other as the vans drive; the longest day takes the whole width."""
    one = told()
    page = routing_page(one)
    part = page[page.index("<section><h2>How hours") :].partition("</section>")[0]
    shapes = ET.fromstring(f"{part}</section>")
    dark = [float(each.get("width", "")) for each in shapes.iter("rect") if each.get("class") == "now"]
    longest_first = sorted(one.plan.tours, key=lambda tour: tour.leave_s - tour.back_s)
    driving = [hours_of(one.day, tour).driving for tour in longest_first]
    assert dark[0] / dark[1] == pytest.approx(driving[0] / driving[1], rel=1e-2)


def test_the_ground_lies_under_a_vans_own_map_too() -> None:
    """A place of the map of all, moved and enlarged as its ground is, falls where the van's own map has that place."""
    one = told()
    whole, tour = frame_of(one), one.plan.tours[0]
    own = frame_around(spots_along(one, tour))
    (use,) = (each for each in map_of_one(one, whole, tour).iter("use"))
    x, y, times, left, up = map(float, re.findall(r"-?\d+\.\d+", use.get("transform", "")))
    for place in one.places:
        at = whole.at(spot_of(place))
        moved = x + times * (at[0] + left), y + times * (at[1] + up)
        assert moved == pytest.approx(own.at(spot_of(place)), abs=0.5)


def test_every_parcel_and_time_stands_in_the_page() -> None:
    """Each parcel with the van that serves it, each visit with its time, kilometres, and the boundary of CO2."""
    one = told()
    read = Read(routing_page(one))
    assert {request.id for request in one.day.requests[:10]} <= set(read.of("bdi"))
    for tour in one.plan.tours:
        assert {clock(step.start_s) for step in tour.steps} <= set(read.of("td"))
    for said in (
        f"{count(one.plan.metres / 1000, 1)}\u202fkm",
        "van only, while it drives",
        "200 g a kilometre",
        "drawn",
    ):
        assert said in read.words
    assert {value for value in read.asked if not value.startswith("#")} == set()


def test_nobody_is_dropped_in_silence() -> None:
    """Two parcels stand in no tour: the page names both and what stands in the way, and so does the GeoJSON."""
    one = told()
    reason = Refusal("routing-unreachable", "requests[11]", "by 40 minutes")
    short = msgspec.structs.replace(one, found=Shortfall((reason,), one.plan))
    read = Read(routing_page(short))
    assert "This day cannot be served whole" in read.of("h2")
    assert "10 of 12 parcels" in read.of("h1")[0]
    for said in ("requests[11]", "r10", "r11"):
        assert said in read.of("bdi")
    assert f"{reason.rule} {reason.detail}" in read.of("td")
    about = json.loads(routing_geojson(short))["about"]
    assert about["unserved"] == ["r10", "r11"]
    assert about["shortfall"][0]["code"] == "routing-unreachable"


def test_a_bound_is_told_with_its_model_or_its_lack_is() -> None:
    """What no plan goes below, and how much of the kilometres could be saved at most."""
    one = told()
    assert "No bound was proven" in Read(routing_page(one)).words
    proven = msgspec.structs.replace(one.plan, bound_m=one.plan.metres / 2, bound_of="a model of its own")
    words = Read(routing_page(msgspec.structs.replace(one, found=proven))).words
    assert "a model of its own" in words
    assert "At most 50.00\u202f%" in words


@settings(max_examples=15, deadline=None)
@given(st.lists(NAMES, min_size=6, max_size=6, unique=True))
def test_names_of_any_kind_are_only_names(names: list[str]) -> None:
    """Title, vans, parcels, places, notes and what times rest on come back unharmed, and bring no element with them."""
    one = renamed(told(), names)
    read, plain = Read(routing_page(one)), Read(routing_page(told()))
    assert read.tags == plain.tags
    assert {value for value in read.asked if not value.startswith("#")} == set()
    title, van, parcel, place, note, _ = names
    assert {title, van, parcel, place} <= set(read.of("bdi"))
    assert note in read.of("li")
    made = json.loads(routing_geojson(one))
    assert made["about"]["title"] == title
    assert any(parcel in each["properties"].get("fetched", []) for each in made["features"])
    assert any(feature["properties"].get("van") == van for feature in made["features"])


def renamed(one: Routed, names: list[str]) -> Routed:
    """The same report with other names: title, the first van, its first parcel and place, a note, a basis."""
    title, van, parcel, place, note, basis = names
    at = one.plan.tours[0].steps[0]
    assert isinstance(at, Visit)
    asked, there = at.choices[0].request, one.day.stops[at.stop].place
    requests, vans = list(one.day.requests), list(one.day.vans)
    requests[asked] = msgspec.structs.replace(requests[asked], id=parcel)
    vans[0] = msgspec.structs.replace(vans[0], id=van)
    places = list(one.places)
    places[there] = Address(place, places[there].latitude, places[there].longitude)
    day = msgspec.structs.replace(one.day, requests=tuple(requests), vans=tuple(vans))
    return msgspec.structs.replace(one, title=title, day=day, places=tuple(places), notes=(note,), basis=basis)


def test_geojson_of_tours() -> None:
    """A line for every tour that begins and ends at the depot, and every visit in its order with its parcels."""
    one = told()
    made = json.loads(routing_geojson(one))
    assert made["type"] == "FeatureCollection"
    lines = [each for each in made["features"] if each["properties"]["kind"] == "tour"]
    assert [each["geometry"]["type"] for each in lines] == ["LineString"] * 2
    depot = one.places[one.day.depots[0].place]
    for each in lines:
        ends = each["geometry"]["coordinates"][0], each["geometry"]["coordinates"][-1]
        assert ends == ([depot.longitude, depot.latitude],) * 2
    assert sum(each["properties"]["metres"] for each in lines) == pytest.approx(one.plan.metres)
    parcels = [
        name
        for each in made["features"]
        if each["properties"]["kind"] == "visit"
        for name in (*each["properties"]["left"], *each["properties"]["fetched"])
    ]
    assert sorted(parcels) == sorted(request.id for request in one.day.requests[:10])


def test_a_day_without_a_tour_is_a_page_too() -> None:
    """Nobody is served: no tours, no hours, all parcels named."""
    one = told(served=0)
    read = Read(routing_page(one))
    assert "0 vans" in read.of("h1")[0]
    assert len(json.loads(routing_geojson(one))["features"]) == 1
