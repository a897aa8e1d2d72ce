"""Extracts: ways cut where they leave it, things with their middle and ground, and files that are none."""

import os
from pathlib import Path

import pytest

from restante.carriers.maps.extract import Extract, middle_of, read_extract
from restante.core.refusals import Refusal
from restante.plan.streets.graph import StreetGraph, hanging_together, street_graph
from restante.plan.streets.ways import MODES

MAP = """<?xml version="1.0"?><osm version="0.6">
<node id="1" version="1" lat="60.000" lon="25.000"/><node id="2" version="1" lat="60.000" lon="25.001"/>
<node id="3" version="1" lat="60.001" lon="25.001"/><node id="4" version="1" lat="60.001" lon="25.000"/>
<node id="5" version="1" lat="60.002" lon="25.002"><tag k="amenity" v="cafe"/></node>
<node id="6" version="1" lat="60.003" lon="25.003"><tag k="natural" v="tree"/></node>
<way id="10" version="1"><nd ref="1"/><nd ref="2"/><nd ref="99"/><nd ref="3"/><nd ref="4"/>
 <tag k="highway" v="residential"/><tag k="name" v="Rue"/></way>
<way id="11" version="1"><nd ref="99"/><nd ref="5"/><tag k="highway" v="primary"/></way>
<way id="12" version="1"><nd ref="1"/><nd ref="2"/><nd ref="3"/><nd ref="4"/><nd ref="1"/>
 <tag k="building" v="apartments"/></way>
</osm>"""


def read(folder: Path, text: str, name: str = "town.osm") -> Extract | Refusal:
    """A map written to a file and read."""
    path = folder / name
    path.write_text(text)
    return read_extract(path)


def test_a_way_is_cut_where_the_extract_ends(tmp_path: Path) -> None:
    """Given a way with a node outside, then it is two ways, and no street leaps over the gap; a single node is none."""
    found = read(tmp_path, MAP)
    assert isinstance(found, Extract)
    assert [(one.id, one.nodes) for one in found.ways] == [(10, (1, 2)), (10, (3, 4))]
    assert found.ways[0].places == ((60.0, 25.0), (60.0, 25.001))
    assert found.ways[0].tags == {"highway": "residential", "name": "Rue"}


def test_things_have_a_middle_and_ground(tmp_path: Path) -> None:
    """A café is a node; a house covers ground; a tree is none of ours."""
    found = read(tmp_path, MAP)
    assert isinstance(found, Extract)
    cafe, house = sorted(found.things, key=lambda one: one.id)
    assert (cafe.id, cafe.latitude, cafe.ground_m2, cafe.tags["amenity"]) == ("node/5", 60.002, 0, "cafe")
    assert (house.id, house.tags) == ("way/12", {"building": "apartments"})
    assert (house.latitude, house.longitude) == pytest.approx((60.0005, 25.0005))
    assert house.ground_m2 == pytest.approx(111.19 * 55.6, rel=0.01)


def test_a_ring_without_ground_is_where_it_begins() -> None:
    """Three corners in a line cover nothing."""
    assert middle_of([(60, 25), (60, 25.1), (60, 25.2), (60, 25)]) == (60, 25, 0)


@pytest.mark.parametrize(
    ("name", "text"), [("a.osm", "<osm"), ("a.osm", "no map"), ("a.osm.pbf", "\x00\x00\x00\x0dOSM"), ("a.txt", "")]
)
def test_what_is_no_extract_is_refused(tmp_path: Path, name: str, text: str) -> None:
    """Cut short, another format, nothing at all: a refusal each, and no crash."""
    found = read(tmp_path, text, name)
    assert isinstance(found, Refusal)
    assert found.code == "extract-unreadable"


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    """Nobody is told of a bug for a wrong name."""
    assert isinstance(read_extract(tmp_path / "none.osm.pbf"), Refusal)


def test_the_streets_of_a_real_city() -> None:
    """Given the centre of Helsinki, then most streets of each mode hang together. Absent, it is skipped."""
    path = Path(os.environ.get("RESTANTE_DATA", "")) / "real" / "helsinki_centre.osm.pbf"
    if not path.is_file():
        pytest.skip("the extract is absent: set RESTANTE_DATA to the folder of benchmark data")
    found = read_extract(path)
    assert isinstance(found, Extract)
    assert len(found.things) > 1_000
    for mode in MODES:
        graph = street_graph(found.ways, mode)
        assert isinstance(graph, StreetGraph)
        _, loose = hanging_together(graph)
        assert loose.kept_metres > 4 * loose.metres
