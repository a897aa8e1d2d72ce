"""Lists are read in whatever form they come: encoding, delimiter, dialect, JSON; or refused by field and rule."""

import io
import json
from random import Random
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from restante.carriers.lists.columns import find_columns
from restante.carriers.lists.dialects import PARCELS, POINTS
from restante.carriers.lists.objects import CHUNK
from restante.carriers.lists.reading import Record, records
from restante.carriers.lists.seen import Seen
from restante.carriers.lists.survey import Survey, Wish, survey
from restante.carriers.lists.text import EncodingScan, encoding_named
from restante.core.refusals import Refusal
from restante.hub.intake.schemas import Announcement
from restante.hub.network.schemas import PointGiven
from tests.carriers.lists.bringing import judged, looked_through, parcels_judged, rows_of

TEXTS = {
    "German": "Währinger Gürtel, Große Sperlgasse, Österreich, Ärztehaus",
    "Polish": "Żurawia, Łączna, Święty Krzyż, Źródlana, Gdańsk, Wąska, Kępna, ćwierć, Ósma",
    "Czech": "Příčná, Žižkov, Dělnická, Štěpánská, Nádražní, Tůně, Čáslavská, Ďáblice, Koněvova",
    "French": "Rue de la Liberté, Hôtel de Ville, Île Saint-Louis, Forêt, Noël, Évêché, Façade, à côté",
    "Spanish": "Peñíscola, Málaga, Avenida de la Constitución, Alcalá, Logroño, Güell, Jaén",
    "Hungarian": "Erdő utca, Fűtő tér, Kőbánya, Győr, Ötödik, Ünnep, Ágoston, Ősz, Íróasztal",
    "Swedish": "Södra vägen, Åkeshov, Älvsjö, Örebro, Kungsträdgården",
    "Danish": "Nørrebro, Ærø, Østerbro, Århus, Gåsebæksvej, Sønderjylland",
}
WRITTEN_IN = {
    "German": ("cp1252", "cp1250", "iso8859-2", "iso8859-15"),
    "Polish": ("cp1250", "iso8859-2"),
    "Czech": ("cp1250", "iso8859-2"),
    "Hungarian": ("cp1250", "iso8859-2"),
    "French": ("cp1252", "iso8859-15"),
    "Spanish": ("cp1252", "iso8859-15"),
    "Swedish": ("cp1252", "iso8859-15"),
    "Danish": ("cp1252", "iso8859-15"),
}
ANY = ("utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be")


@pytest.mark.parametrize(("language", "encoding"), [(one, e) for one in TEXTS for e in (*ANY, *WRITTEN_IN[one])])
def test_the_encoding_is_found_out(language: str, encoding: str) -> None:
    """Given a text of a language in an encoding that it is written in, then it is read as it was written."""
    content = (f"name,lat,lon\n{TEXTS[language]}\n" * 20).encode(encoding)
    scan = EncodingScan()
    for start in range(0, len(content), 7):
        scan.feed(content[start : start + 7])
    found = scan.found()
    assert content.decode(found.name).lstrip("\ufeff").startswith(f"name,lat,lon\n{TEXTS[language]}")
    assert found.why


def test_a_few_broken_characters_do_not_make_it_another_encoding() -> None:
    """Given UTF-8 with one byte damaged, then it is UTF-8, and says how much is broken."""
    scan = EncodingScan()
    scan.feed("Gürtel ".encode() * 100 + b"\xff")
    assert scan.found().name == "utf-8"
    assert "1 broken" in scan.found().why


def test_an_encoding_is_named_or_refused() -> None:
    """Given a name that somebody typed, then the encoding, or what may be named."""
    for name, known in (("Windows-1250", "cp1250"), ("ISO-8859-15", "iso8859-15"), ("latin1", "cp1252")):
        found = encoding_named(name)
        assert not isinstance(found, Refusal)
        assert found.name == known
    for name in ("rot13", "no such", "base64", "\x00"):
        refused = encoding_named(name)
        assert isinstance(refused, Refusal)
        assert refused.code == "list-encoding-unknown"


CELL = st.text(st.characters(codec="utf-8", exclude_categories=("Cc", "Cs")), max_size=12).map(str.strip)
NAMES: dict[str, tuple[str, ...]] = {
    "id": ("id", "Code", "Nummer", "kod"),
    "name": ("name", "Bezeichnung", "Nazwa", "Nom"),
    "latitude": ("lat", "Latitude", "Breitengrad", "Szerokość geograficzna", "LATITUD"),
    "longitude": ("lon", "lng", "Längengrad", "długość", "Longitude"),
    "city": ("city", "Ort", "Miasto", "ville"),
    "street": ("street", "Straße", "STRASSE", "ulica", "rue"),
    "hours": ("Öffnungszeiten", "opening_hours", "Horaires", "Godziny otwarcia"),
}


@settings(max_examples=60)
@given(
    st.data(),
    st.fixed_dictionaries({field: st.sampled_from(names) for field, names in NAMES.items()}),
    st.sampled_from([",", ";", "\t", "|"]),
    st.sampled_from(ANY),
    st.sampled_from(["\n", "\r\n"]),
    st.booleans(),
)
def test_what_was_written_is_read(
    data: st.DataObject,
    names: dict[str, str],
    delimiter: str,
    encoding: str,
    end: str,
    quoted: bool,
) -> None:
    """Given any cells under headers of any language, any delimiter and any Unicode encoding, then the same cells."""
    fields = data.draw(st.permutations(list(NAMES)))
    rows = data.draw(st.lists(st.fixed_dictionaries(dict.fromkeys(fields, CELL)), min_size=1, max_size=8))
    for number, row in enumerate(rows):
        row |= {"id": f"P{number}", "latitude": f"48,{number:05d}", "longitude": "16.37"}

    def cell(text: str) -> str:
        needs = quoted or any(sign in text for sign in f'{delimiter}"\n\r')
        return '"' + text.replace('"', '""') + '"' if needs else text

    table = [[names[field] for field in fields], *([row[field] for field in fields] for row in rows)]
    content = "".join(delimiter.join(map(cell, one)) + end for one in table).encode(encoding)
    found = looked_through(content)
    assert isinstance(found, Survey)
    assert found.form.delimiter == delimiter
    assert found.columns.by_field == names
    read = [{field: row.cells[names[field]].strip() for field in fields} for row in rows_of(content, found)]
    assert read == rows


POINT = {"id": "P1", "name": "Library", "lat": 60.17, "lon": 24.94, "city": "Helsinki"}


def feature(number: int, **more: Any) -> dict[str, Any]:
    """A GeoJSON feature of a point."""
    return {
        "type": "Feature",
        "properties": {"name": f"Point {number}", "opening_hours": "24/7", "addr:country": "FI"},
        "geometry": {"type": "Point", "coordinates": [24 + number, 60.2]},
        **more,
    }


def test_geojson_is_read_wherever_its_members_stand() -> None:
    """Given a FeatureCollection with other members before and after its features, then one point for each feature."""
    before = {"type": "FeatureCollection", "crs": {"type": "name", "properties": {"name": "CRS84"}}}
    document = {**before, "features": [feature(1), feature(2, id=7)], "bbox": [1, 2, 3, 4]}
    rows = judged(json.dumps(document).encode())
    assert [row.body["name"] for row in rows] == ["Point 1", "Point 2"]
    assert [(row.body["latitude"], row.body["longitude"]) for row in rows] == [(60.2, 25), (60.2, 26)]
    assert not any(row.is_rejected for row in rows)


def test_a_feature_that_is_no_point_has_no_place() -> None:
    """Given an area among the features, then its row lacks coordinates, and the others stay."""
    area = feature(1, geometry={"type": "Polygon", "coordinates": [[[1, 2], [3, 4]]]})
    rows = judged(json.dumps({"type": "FeatureCollection", "features": [feature(2), area, feature(3)]}).encode())
    assert [[one.rule for one in row.findings] for row in rows] == [[], ["coordinate-missing"], []]


def test_an_entry_that_is_no_object_is_rejected_alone() -> None:
    """Given 7 among objects, then it is the one row that is rejected."""
    rows = judged(json.dumps([POINT, 7, {**POINT, "id": "P2", "lat": 60.2}]).encode(), zone="Europe/Helsinki")
    assert [[one.rule for one in row.findings] for row in rows] == [[], ["row-not-object"], []]


def test_json_is_read_over_the_ends_of_chunks() -> None:
    """Given objects longer than a chunk and many of them, then each comes out whole."""
    many = [{**POINT, "id": f"P{number}", "note": "ä" * (number * 977 % 5000)} for number in range(300)]
    many[7]["note"] = "long " * (CHUNK // 4)
    for encoding in ("utf-8", "utf-16"):
        content = json.dumps(many, ensure_ascii=False).encode(encoding)
        found = looked_through(content)
        assert isinstance(found, Survey)
        assert [row.whole for row in rows_of(content, found)] == many


def test_lists_of_networks_stand_under_a_member() -> None:
    """Given an answer of an interface, {"items": […]} with nested addresses, then its dialect is known."""
    item = {
        "name": "WAW53AP",
        "type": ["parcel_locker"],
        "location": {"latitude": 52.22743, "longitude": 21.01075},
        "address_details": {"city": "Warszawa", "post_code": "00-680", "street": "Żurawia"},
        "country": "PL",
    }
    content = json.dumps({"count": 1, "items": [item]}, ensure_ascii=False).encode()
    found = looked_through(content)
    assert isinstance(found, Survey)
    assert found.columns.dialect == "inpost-api"
    [row] = judged(content)
    assert (row.body["kind"], row.body["address"], row.body["zone"]) == (
        "locker",
        "Żurawia, 00-680 Warszawa",
        "Europe/Warsaw",
    )


HEADER = b"name,lat,lon\n"
REFUSED = {
    "nothing": (b"", "list-empty"),
    "space": (b" \n\r\n", "list-empty"),
    "a header only": (HEADER, "list-empty"),
    "an empty list": (b"[]", "list-empty"),
    "an object": (b"{}", "list-empty"),
    "no known column": (b"a,b\n1,2\n", "list-header-unknown"),
    "one column": (b"words\nand more\n", "list-header-unknown"),
    "no place": (b"name,city\nA,B\n", "list-column-missing"),
    "too wide": (b",".join(b"c%d" % n for n in range(300)) + b"\n1\n", "list-too-wide"),
    "an endless line": (b"name," + b"x" * 70_000, "list-line-too-long"),
    "a list cut off": (b'[{"name":"A","lat":1,"lon":2},', "list-malformed"),
    "a list that goes on": (b'[{"name":"A","lat":1,"lon":2} 7', "list-malformed"),
    "too deep": (b"[" * 200_000, "list-malformed"),
    "not a number": (b'[{"lat": NaN}]', "list-malformed"),
    "a document without a list": (b'{"type":"Topology","objects":{}}', "list-malformed"),
    "half an object": (b'{"features":', "list-malformed"),
    "a member without a name": (b"{[1]: [{}]}", "list-malformed"),
}


@pytest.mark.parametrize(("content", "code"), REFUSED.values(), ids=REFUSED)
def test_what_is_no_list_is_refused(content: bytes, code: str) -> None:
    """Given a file that holds no list, then a refusal that names its rule and where."""
    refused = looked_through(content)
    assert isinstance(refused, Refusal)
    assert refused.code == code
    assert refused.field


BREAKS_LATER = {
    "an unclosed quote": (HEADER + b"A,60,24\n" * 300 + b'"B,60,24\n' + b"C,60,24\n" * 30_000, "list-malformed"),
    "an endless line": (HEADER + b"A,60,24\n" * 300 + b"x" * 70_000, "list-line-too-long"),
    "a list cut off": (b"[" + b'{"name":"A","lat":1,"lon":2},' * 300 + b'{"na', "list-malformed"),
}


@pytest.mark.parametrize(("content", "code"), BREAKS_LATER.values(), ids=BREAKS_LATER)
def test_a_list_that_breaks_later_says_where(content: bytes, code: str) -> None:
    """Given a list that cannot be read to its end, then the rows before, and a refusal at their end."""
    found = looked_through(content)
    assert isinstance(found, Survey)
    assert found.rows == 300
    assert found.broken is not None
    assert (found.broken.code, bool(found.broken.field)) == (code, True)


def test_columns_can_be_named_by_hand() -> None:
    """Given a header that nobody knows, or one that misleads, then what was said holds."""
    content = b"a;b;c;lat\nLibrary;60.17;24.94;x\n"
    refused = looked_through(content)
    assert isinstance(refused, Refusal)
    wish = Wish(columns={"a": "name", "b": "latitude", "c": "longitude", "lat": ""})
    [row] = judged(content, wish, zone="Europe/Helsinki")
    assert (row.body["name"], row.body["latitude"]) == ("Library", 60.17)
    assert not row.findings


@pytest.mark.parametrize("columns", [{"nowhere": "name"}, {"a": "no field"}])
def test_columns_that_are_not_there_are_refused(columns: dict[str, str]) -> None:
    """Given a column that the list lacks, or a field that nobody knows, then a refusal."""
    refused = find_columns(("a", "lat", "lon"), POINTS, columns)
    assert isinstance(refused, Refusal)
    assert (refused.code, refused.field) == ("list-column-unknown", "--column")


def test_a_country_without_an_outline_is_refused() -> None:
    """Given a country that is not in the table, then those that are."""
    refused = looked_through(HEADER + b"A,1,2\n", Wish(country="XX"))
    assert isinstance(refused, Refusal)
    assert refused.code == "list-country-unknown"


def test_what_seen_remembers_is_what_a_table_would() -> None:
    """Given many keys, some of them again, then each row is told the first one, as by a dictionary."""
    random, seen, known = Random(1), Seen(), dict[str, int]()
    for row in range(20_000):
        key = f"{random.randrange(9_000)}"
        assert seen.first(key, row) == known.setdefault(key, row)


PIECES = st.sampled_from(
    [b"name,lat,lon", b"\n", b"\r", b",", b";", b'"', b"[", b"]", b"{", b"}", b'"name":', b'"lat":', b"1", b"48.2",
     b"\xff",
     b"\xff\xfe", b"\x00", b'"features":', b'"type":"Feature"', b"null", b"-", b"e9", "ü".encode(), b"\xfc", b"24/7",
     b"status"]
)  # fmt: skip
START = st.sampled_from(
    [b"", HEADER, b"reference;size\n", b"[", b'{"features":[', b'[{"name":"A","lat":48.2,"lon":16.3}']
)
ANYTHING = st.binary(max_size=200) | st.tuples(START, st.lists(PIECES, max_size=40)).map(
    lambda parts: parts[0] + b"".join(parts[1])
)


@settings(max_examples=200)
@given(ANYTHING)
def test_any_bytes_are_judged_or_refused(content: bytes) -> None:
    """Whatever the file holds, there is a report or a refusal, for points as for parcels; never an exception."""
    found = looked_through(content)
    rows = judged(content, zone="Europe/Vienna")
    assert len(rows) == (0 if isinstance(found, Refusal) else found.rows)
    for row in rows:
        if not row.is_rejected:
            msgspec.convert(row.body, PointGiven)
    for row in parcels_judged(content):
        if not row.is_rejected:
            msgspec.convert(row.body, Announcement)


KEYS = st.sampled_from(
    ["name", "latitude", "longitude", "lat", "lon", "zone", "kind", "address", "hours", "hold", "source", "modules",
     "id", "type", "geometry", "properties", "coordinates", "compartments", "reference", "size", "recipient",
     "dimensions"]
)  # fmt: skip
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False)
    | st.sampled_from(["48.2", "16.4", "Feature", "24/7", "Europe/Vienna", "S", "\x00", "A"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=4),
    max_leaves=8,
)  # fmt: skip
PLACED = st.fixed_dictionaries({"name": VALUES, "latitude": VALUES | st.just("48.2"), "longitude": st.just(16.4)})


@settings(max_examples=100)
@given(
    st.lists(
        st.tuples(PLACED | st.just({}), st.dictionaries(KEYS, VALUES, max_size=6)).map(lambda two: two[0] | two[1])
    )
)
def test_any_objects_are_judged_or_refused(objects: list[dict[str, Any]]) -> None:
    """Whatever values stand under the names that are known, the same holds; what is taken has a place."""
    content = json.dumps(objects).encode()
    for row in judged(content, zone="Europe/Vienna"):
        assert row.is_rejected or isinstance(row.body["latitude"] + row.body["longitude"], float)
    parcels_judged(content)


@settings(max_examples=150)
@given(
    st.binary(max_size=120),
    st.sampled_from(["utf-16-le", "utf-16-be", "utf-8-sig", "cp1250"]),
    st.sampled_from(",;\t|"),
)
def test_any_bytes_are_read_as_somebody_says(content: bytes, encoding: str, delimiter: str) -> None:
    """Whatever is said of the file, the same holds."""
    for kind in (POINTS, PARCELS):
        found = survey(lambda: io.BytesIO(content), kind, Wish(encoding, delimiter))
        if isinstance(found, Survey):
            read = list(records(lambda: io.BytesIO(content), found.form))
            assert all(isinstance(one, Record) for one in read[:-1])
