"""Rows judged by one rule at a time: those that a planted list does not try, and the near misses that break none."""

import json
from collections.abc import Mapping
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from restante.carriers.lists.account import MOST_EXAMPLES, Account
from restante.carriers.lists.countries import COUNTRIES, OPEN_SEA, country_code, may_be_postcode
from restante.carriers.lists.parcels import KnownPoints
from restante.carriers.lists.places import (
    MOST_SAMPLED,
    Bulk,
    Place,
    Sample,
    bulk_of,
    country_of,
    judge_place,
    read_place,
)
from restante.carriers.lists.points import Judged
from restante.carriers.lists.rules import RULES, Finding, shown
from restante.carriers.lists.survey import Wish
from restante.carriers.lists.wording import has_control, is_garbled, is_test_address, may_be_email, names_a_test
from restante.hub.intake.schemas import Announcement
from restante.hub.network.schemas import PointGiven
from tests.carriers.lists.bringing import judged, parcels_judged

TOWNS = {
    "AT": (48.2, 16.37), "BE": (50.85, 4.35), "BG": (42.7, 23.3), "CH": (46.95, 7.45), "CY": (35.17, 33.36),
    "CZ": (50.08, 14.43), "DE": (52.52, 13.4), "DK": (55.68, 12.57), "EE": (59.44, 24.75), "ES": (40.42, -3.7),
    "FI": (60.17, 24.94), "FR": (48.86, 2.35), "GB": (51.5, -0.13), "GR": (37.98, 23.73), "HR": (45.81, 15.98),
    "HU": (47.5, 19.04), "IE": (53.35, -6.26), "IS": (64.15, -21.94), "IT": (41.9, 12.49), "LI": (47.14, 9.52),
    "LT": (54.69, 25.28), "LU": (49.61, 6.13), "LV": (56.95, 24.1), "MT": (35.9, 14.51), "NL": (52.37, 4.9),
    "NO": (59.91, 10.75), "PL": (52.23, 21.01), "PT": (38.72, -9.14), "RO": (44.43, 26.1), "SE": (59.33, 18.07),
    "SI": (46.06, 14.51), "SK": (48.15, 17.11),
}  # fmt: skip
"""The capital of each country."""

EDGES = {
    "Sylt": ("DE", 55.02, 8.43), "Passau": ("DE", 48.57, 13.46), "Vorarlberg": ("AT", 47.24, 9.6),
    "Melilla": ("ES", 35.29, -2.94), "Las Palmas": ("ES", 28.12, -15.43), "Funchal": ("PT", 32.65, -16.91),
    "Ponta Delgada": ("PT", 37.74, -25.67), "Lerwick": ("GB", 60.15, -1.15), "Stornoway": ("GB", 58.21, -6.39),
    "Hugh Town": ("GB", 49.91, -6.32), "Ajaccio": ("FR", 41.92, 8.74), "Brest": ("FR", 48.39, -4.49),
    "Longyearbyen": ("NO", 78.22, 15.65), "Kirkenes": ("NO", 69.73, 30.05), "Bergen": ("NO", 60.39, 5.32),
    "Lampedusa": ("IT", 35.5, 12.61), "Rhodes": ("GR", 36.44, 28.22), "Corfu": ("GR", 39.62, 19.92),
    "Rønne": ("DK", 55.1, 14.7), "Visby": ("SE", 57.63, 18.3), "Mariehamn": ("FI", 60.1, 19.94),
    "Utsjoki": ("FI", 69.91, 27.03), "Galway": ("IE", 53.27, -9.05), "Dubrovnik": ("HR", 42.65, 18.09),
}  # fmt: skip


@pytest.mark.parametrize("code", COUNTRIES)
def test_a_capital_lies_in_its_country_and_not_in_the_sea(code: str) -> None:
    """Given each country's capital, then nothing is wrong with it there; swapped, it is told to be."""
    place = Place(*TOWNS[code])
    assert judge_place(place, code, None) is None
    turned = judge_place(Place(place.longitude, place.latitude), code, None)
    assert turned is not None
    assert turned.rule == "swapped"
    assert country_code(code.lower()) == country_code(COUNTRIES[code].names.split()[0]) == code


@pytest.mark.parametrize("town", EDGES)
def test_a_town_at_the_edge_lies_in_its_country(town: str) -> None:
    """Given islands and border towns, then the coarse boxes keep none of them out, and each has a time zone."""
    code, *degrees = EDGES[town]
    assert judge_place(Place(*degrees), code, None) is None
    assert "/" in COUNTRIES[code].zone_at(*degrees)


def test_islands_have_their_own_time() -> None:
    """Given points on far islands, then the time there and not the capital's."""
    assert COUNTRIES["ES"].zone_at(28.12, -15.43) == "Atlantic/Canary"
    assert COUNTRIES["PT"].zone_at(37.74, -25.67) == "Atlantic/Azores"


BULK = Bulk(Place(48.2, 16.4), 100.0)
PLACES: Mapping[str, tuple[tuple[float, float], str, Bulk | None, str | None]] = {
    "Tyrol in a list of Vienna": ((47.3, 11.4), "AT", BULK, "far-from-rest"),
    "Vienna itself": ((48.3, 16.3), "AT", BULK, None),
    "Tyrol, of a country unknown": ((47.3, 11.4), "", BULK, "outside-bulk"),
    "swapped, of a country unknown": ((16.4, 48.2), "", BULK, "swapped"),
    "a latitude that is a longitude": ((116.4, 39.9), "", Bulk(Place(39.9, 116.4), 100.0), "swapped"),
    "a latitude that is none": ((116.4, 39.9), "", None, "coordinate-range"),
    "the North Sea": ((56.0, 4.0), "", None, "in-the-sea"),
    "the Bay of Biscay, in France's box": ((45.5, -4.5), "FR", None, "in-the-sea"),
    "0/0 in Britain": ((0.0, 0.0), "GB", None, "near-zero"),
    "Greenwich": ((51.48, 0.0), "GB", None, None),
    "Accra, two degrees from the equator": ((5.56, -0.2), "", None, None),
    "nothing known": ((10.0, 100.0), "", None, None),
}


@pytest.mark.parametrize("name", PLACES)
def test_a_place_is_judged_by_country_sea_and_bulk(name: str) -> None:
    """Given a place, a country or none, and the list's bulk or none, then the one thing that is wrong with it."""
    degrees, country, bulk, rule = PLACES[name]
    found = judge_place(Place(*degrees), country, bulk)
    assert (found and found.rule) == rule


@given(st.text(max_size=20), st.text(max_size=20), st.text(max_size=40))
def test_any_texts_are_a_place_or_a_finding(latitude: str, longitude: str, pair: str) -> None:
    """Whatever stands for coordinates, there are degrees within a turn, or the rule that is broken."""
    found = read_place(latitude, longitude, pair)
    assert isinstance(found, Finding) or max(map(abs, found)) <= 180


@pytest.mark.parametrize("pair", ["48.2, 16.4", "(48.2;16.4)", "POINT (16.4 48.2)", "point(16.4  48.2)"])
def test_coordinates_in_one_are_read(pair: str) -> None:
    """Given both coordinates in one cell, latitude first or WKT, then the place."""
    assert read_place("", "", pair) == Place(48.2, 16.4)


def test_a_sample_is_bounded_and_spread() -> None:
    """Given very many places, then a bounded number of them from all over the list."""
    sample = Sample()
    for number in range(50_000):
        sample.add(Place(number / 1000, 0))
    assert MOST_SAMPLED // 2 <= len(sample.places) <= MOST_SAMPLED
    assert sample.places[0] == Place(0, 0)
    assert sample.places[-1].latitude > 49
    middle = bulk_of(sample.places)
    assert middle is not None
    assert 24 < middle.middle.latitude < 26


def test_a_country_is_found_where_one_alone_fits() -> None:
    """Given places of one country, then it is found; of two, of a box shared by several, or too few, none is."""
    warsaw = [Place(52.2 + one / 1000, 21.0) for one in range(40)]
    helsinki = [Place(60.1 + one / 1000, 24.9) for one in range(40)]
    assert (country_of(warsaw), country_of(helsinki)) == ("PL", "FI")
    assert country_of(warsaw + helsinki) == ""
    assert country_of(warsaw[:5]) == ""
    assert country_of([Place(48.15, 17.0)] * 40) == "", "Bratislava stands in Austria's box and in Slovakia's"


def test_no_capital_is_in_the_sea() -> None:
    """The stretches of open sea lie apart from what people live on."""
    assert [code for code, town in TOWNS.items() if any(box.holds(*town) for box in OPEN_SEA)] == []


@pytest.mark.parametrize(
    ("text", "is_test"),
    [
        ("Test", True), ("TEST-1", True), ("locker_test_02", True), ("Dummy", True), ("Point (demo)", True),
        ("test1", True), ("Sternwartestraße", False), ("Testarossagasse", False), ("Contest", False),
        ("Attest", False), ("Democracy Square", False), ("Test Valley Borough", False), ("River Test", True),
        ("Protestantische Kirche", False), ("Demografie", False), ("", False), ("Prüfteststelle", False),
    ],
)  # fmt: skip
def test_test_rows_are_told_by_whole_words(text: str, *, is_test: bool) -> None:
    """Given names with a test in them, then only where it is a word of its own."""
    assert names_a_test(text) is is_test


def test_a_test_by_its_address() -> None:
    """Given placeholders for a street or town, with a number or not, then a test; streets may sound alike."""
    assert is_test_address("Teststraße 5", "Wien")
    assert is_test_address("Musterstr. 1a", "")
    assert is_test_address("Hauptstraße", "Musterstadt")
    assert not is_test_address("Test Lane 5", "Southampton")
    assert not is_test_address("Teststraße-Nord", "Wien")


@pytest.mark.parametrize("text", ["a@b.example", "a.b+c@mail.b-c.example", "x@münchen.example", "o'neil@b.example"])
def test_addresses_that_mail_goes_to(text: str) -> None:
    """Given addresses of people, then none is called impossible."""
    assert may_be_email(text)


@pytest.mark.parametrize(
    ("code", "text", "fits"),
    [
        ("AT", "1030", True), ("AT", "A-1030", True), ("AT", "10300", False), ("PL", "00-680", True),
        ("PL", "00680", True), ("GB", "sw1a 1aa", True), ("GB", "M1 1AE", True), ("GB", "12345", False),
        ("CZ", "110 00", True), ("NL", "1011 AB", True), ("DE", "1067", False), ("PT", "1000-205", True),
        ("", "whatever", True), ("US", "whatever", True),
    ],
)  # fmt: skip
def test_post_codes_are_judged_by_their_country(code: str, text: str, *, fits: bool) -> None:
    """Given a post code, then whether its country has any of that form; an unknown country has all."""
    assert may_be_postcode(text, code) is fits


def test_signs_that_no_text_has() -> None:
    """Given text, then controls and what a wrong encoding leaves are seen, and ordinary scripts are not."""
    assert has_control("a\x00b")
    assert has_control("\x1b[2J")
    assert not has_control("two\nlines\tand a tab")
    assert is_garbled("WÃ¤hringer GÃ¼rtel")
    assert is_garbled("W\ufffdhringer")
    assert not is_garbled("Währinger Gürtel, Łódź, Ærøskøbing, Αθήνα, São Paulo, Ângela")
    assert shown("\x1b[31m" + "x" * 99) == "\\x1b[31m" + "x" * 55 + "…"


def point(**cells: Any) -> bytes:
    """A list of one point, as JSON."""
    return json.dumps([{"id": "P1", "name": "Library", "lat": 60.17, "lon": 24.94, "country": "FI"} | cells]).encode()


ONE: Mapping[str, tuple[dict[str, Any], str]] = {
    "garbled": ({"city": "WÃ¤ÃŸrig"}, "text-garbled"),
    "a place called Test": ({"street": "Test Way 5, by the River Test"}, "test-word"),
    "a status nobody knows": ({"status": "Frozen"}, "status-unknown"),
    "a country nobody knows": ({"country": "Atlantis"}, "country-unknown"),
    "hours are empty": ({"opening_hours": ""}, "hours-unknown"),
    "a bank without modules": ({"source": {"kind": "bank", "modules": []}}, "no-doors"),
    "a module without doors": (
        {"source": {"kind": "bank", "modules": [{"number": 1, "compartments": []}]}}, "no-doors"),
}  # fmt: skip


@pytest.mark.parametrize("name", ONE)
def test_one_thing_is_wrong(name: str) -> None:
    """Given a row with one fault, then that one finding."""
    cells, rule = ONE[name]
    [row] = judged(point(**cells), zone="Europe/Helsinki")
    assert [one.rule for one in row.findings][-1:] == [rule]
    assert len({one.rule for one in row.findings} - {"country-unknown"}) <= 1


@pytest.mark.parametrize(
    ("hours", "rule"),
    [
        ({"opens": 600, "closes": 600}, "hours-backwards"),
        ({"opens": 600, "closes": 1500}, "hours-range"),
        ({"opens": "ten"}, "hours-unreadable"),
    ],
)
def test_hours_of_our_own_form_are_judged(hours: dict[str, Any], rule: str) -> None:
    """Given a body of the interface whose hours cannot be, then the rule that they break."""
    body = {"name": "Library", "latitude": 60.17, "longitude": 24.94, "zone": "Europe/Helsinki"}
    [row] = judged(json.dumps([{**body, "hours": [{"weekday": 0, **hours}]}]).encode())
    assert [one.rule for one in row.findings] == [rule]


def test_a_country_may_be_asked_for() -> None:
    """Given --country, then rows of another one are kept out, and rows that name none are taken as of it."""
    content = b"name,lat,lon,country\nA,60.17,24.94,FI\nB,59.33,18.07,SE\nC,60.19,24.94,\nD,48.2,16.4,\n"
    rules = [[one.rule for one in row.findings] for row in judged(content, Wish(country="FI"))]
    assert rules == [[], ["country-other"], [], ["outside-country"]]


def test_a_time_zone_comes_from_somewhere() -> None:
    """Given a point whose country is not known, then it needs a zone; one that the row names is taken as it is."""
    content = b"name,lat,lon,zone\nA,-33.9,18.4,\nB,-33.8,18.4,Africa/Johannesburg\n"
    first, second = judged(content)
    assert [one.rule for one in first.findings] == ["zone-missing"]
    assert not second.findings


def test_a_locker_and_a_shop_at_one_spot_are_two_points() -> None:
    """Given one spot, then another kind is another point; of one kind the same address is the same point."""
    rows = judged(
        b"id,type,lat,lon,country,street,is_247\n"
        b"1,parcel_locker,48.2,16.4,AT,Rochusplatz,x\n"
        b"2,pok|pop,48.2,16.4,AT,Rochusplatz,x\n"
        b"3,parcel_locker,48.2,16.4,AT,Landstrasse,x\n"
        b"4,parcel_locker,48.2,16.4,AT,ROCHUSPLATZ ,x\n"
    )
    assert [[one.rule for one in row.findings] for row in rows] == [[], [], ["same-place"], ["duplicate-place"]]


def test_a_row_that_is_kept_out_makes_no_other_one_a_duplicate() -> None:
    """Given a disabled point and its successor at the same place under the same id, then the successor is taken."""
    content = b"id,lat,lon,country,status\nA,48.2,16.4,AT,Disabled\nA,48.2,16.4,AT,Operating\n"
    assert [[one.rule for one in row.findings] for row in judged(content)] == [["not-operating"], []]


NETWORK = KnownPoints(
    {"p-1": "open", "p-2": "closed", "p-3": "open", "p-4": "open"}, {"library": ["p-1"], "kiosk": ["p-3", "p-4"]}
)
WHOLE = {
    "reference": "R-1", "size": "M", "point": "p-1", "name": "Ada", "email": "ada@people.example",
    "status": "in transit",
}  # fmt: skip
PARCELS = {
    "as it should be": ({}, None),
    "by the point's name": ({"point": "LIBRARY"}, None),
    "by its sides": ({"size": "", "width_cm": "10", "height_cm": "20,5", "length_cm": "30"}, None),
    "no reference": ({"reference": ""}, "reference-missing"),
    "no size": ({"size": ""}, "size-missing"),
    "two sides": ({"size": "", "width_mm": "100", "height_mm": "100"}, "size-missing"),
    "a side of nothing": ({"width_mm": "0"}, "size-unreadable"),
    "a side in words": ({"width_mm": "wide"}, "size-unreadable"),
    "a ship": ({"weight_kg": "5000"}, "weight-unreadable"),
    "sideways": ({"direction": "sideways"}, "direction-unknown"),
    "no e-mail": ({"email": ""}, "nobody-to-tell"),
    "one bad e-mail of two": ({"email": "ada@people.example; ada@"}, "email-impossible"),
    "nobody's e-mail": ({"name": ""}, "name-missing"),
    "a post code of nowhere": ({"country": "DE", "zip": "1067"}, "postcode-impossible"),
    "no point": ({"point": ""}, "point-missing"),
    "nobody's point": ({"point": "Moon"}, "point-unknown"),
    "two points of a name": ({"point": "Kiosk"}, "point-ambiguous"),
    "a shut point": ({"point": "p-2"}, "point-closed"),
    "in a compartment": ({"status": "READY_TO_PICKUP"}, "lies-elsewhere"),
    "in a compartment, in Polish": ({"status": "Gotowa do odbioru"}, "lies-elsewhere"),
    "collected": ({"status": "Delivered"}, "already-over"),
    "somewhere": ({"status": "in limbo"}, "stage-unknown"),
    "a test": ({"reference": "TEST-7"}, "test-row"),
    "a long name": ({"name": "x" * 201}, "text-too-long"),
    "many addresses": ({"email": ";".join(["a@b.example"] * 6)}, "text-too-long"),
    "a bell": ({"name": "Ad\x07a"}, "control-character"),
}  # fmt: skip


@pytest.mark.parametrize("name", PARCELS)
def test_a_parcel_is_judged(name: str) -> None:
    """Given a parcel in flight, then the rule that it breaks, if any, and no word of who it is for."""
    cells, rule = PARCELS[name]
    [row] = parcels_judged(json.dumps([{**WHOLE, **cells}]).encode(), NETWORK)
    assert [one.rule for one in row.findings] == ([rule] if rule else [])
    assert not any(word in str(row.findings) for word in ("Ada", "ada@", "R-1", "TEST-7", "xxx"))


def test_a_parcel_becomes_an_announcement() -> None:
    """Given columns of any units, then the body of the request, with the point's id for its name."""
    table = "Sendungsnummer;Breite;Höhe;Tiefe;Gewicht;Abholpunkt;Empfänger;E-Mail;Bestellung\n"
    table += "S1;10;20,5;30,01;1,25;Library;Ada;ada@people.example,a@b.example;O-7\n"
    [row] = parcels_judged(table.encode("cp1252"), NETWORK)
    assert row.body == {
        "reference": "S1",
        "direction": "delivery",
        "dimensions": {"width_mm": 100, "height_mm": 205, "depth_mm": 301},
        "weight_grams": 1250,
        "recipient": {"name": "Ada", "emails": ["ada@people.example", "a@b.example"]},
        "consignment": "O-7",
        "point": "p-1",
    }


def test_objects_of_others_are_mapped_and_our_own_are_sent_as_they_are() -> None:
    """Given objects that share names with our bodies, then only those that are meant as such go as they are."""
    theirs = {"id": 7, "name": "Box", "latitude": "49.1", "longitude": "14.4", "country": "cz", "zip": "370 01"}
    ours = {
        "name": "Box",
        "latitude": 49.2,
        "longitude": 14.4,
        "zone": "Europe/Prague",
        "hold": {"kind": "x"},
        "typo": 1,
    }
    first, second = judged(json.dumps([theirs, ours]).encode())
    assert msgspec.convert(first.body, PointGiven).latitude == 49.1
    assert second.body["hold"] == {"kind": "x"}
    assert second.body["typo"] == 1, "the hub is to refuse it by name"
    table = {"reference": "R", "size": "M", "email": "a@b.example", "name": "Ada"}
    body = {"reference": "S", "size": "M", "recipient": {"name": "Ada", "emails": []}, "typo": 1}
    [parcel] = parcels_judged(json.dumps([table]).encode())
    assert msgspec.convert(parcel.body, Announcement).recipient is not None
    [parcel] = parcels_judged(json.dumps([body]).encode())
    assert parcel.body == body


def test_letters_of_another_ladder_are_ours() -> None:
    """Given sizes A to C of another network, then S to L; letters of ours stay."""
    content = b"reference,gabaryt\n1,A\n2,b\n3,C\n4,XL\n"
    assert [row.body["size"] for row in parcels_judged(content)] == ["S", "M", "L", "XL"]


def test_a_reference_stands_once() -> None:
    """Given one reference twice, then the second row is kept out, and names the first."""
    first, second = parcels_judged(b"reference,size,email,name,point\nR,S,a@b.example,A,p\nR,M,a@b.example,A,p\n")
    assert not first.findings
    assert [(one.rule, one.value) for one in second.findings] == [("duplicate-id", "row 1")]


def test_an_account_counts_rows_and_keeps_few_of_them() -> None:
    """Given many rows, then counts by outcome and rule, and a few examples of each rule."""
    account = Account()
    for number in range(1, 101):
        odd = (Finding("near-zero", "latitude"),) * 2 if number % 2 else (Finding("hours-unknown", "hours"),)
        account.add(Judged(number, odd if number % 10 else (), {}))
    assert (account.rows, account.accepted, account.rejected, account.warned) == (100, 50, 50, 40)
    assert account.rules(rejects=True) == [("near-zero", 50)]
    assert account.plain()["rules"]["hours-unknown"]["rows"] == 40
    assert all(len(examples) == MOST_EXAMPLES for examples in account.examples.values())


@pytest.mark.parametrize("rule", RULES)
def test_a_rule_is_a_sentence(rule: str) -> None:
    """People read the rule and not its code."""
    assert RULES[rule].said[0].isupper()
    assert RULES[rule].said.endswith(".")
