"""Turns an OpenStreetMap extract into the buildings and streets of a city; the only place that knows ``osmium``."""

from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

import osmium
from osmium.osm import Area, Node, NodeRefList, TagList, Way

from restante.sim.geojson import Feature, FeatureCollection, LineString, Polygon, Position, Properties

_Door = tuple[Position, str]


def read_osm(extract: Path) -> FeatureCollection:
    """Buildings with their addresses and streets with their names from any file osmium reads (``.osm.pbf``, ``.osm``).

    A building without an address of its own takes the first, by the alphabet, of the address points inside its outline.
    Ways cut off by the edge of the extract keep the part inside it. Raises ``RuntimeError`` if it is no OSM file.
    """
    buildings: list[Feature] = []
    streets: list[Feature] = []
    doors: list[_Door] = []
    for thing in osmium.FileProcessor(str(extract)).with_locations().with_areas():
        if isinstance(thing, Node) and (address := _address(thing.tags)):
            doors.append(((thing.location.lon, thing.location.lat), address))
        elif isinstance(thing, Area) and "building" in thing.tags:
            buildings += _building(thing)
        elif isinstance(thing, Way) and "highway" in thing.tags:
            streets += _street(thing)
    doors.sort(key=lambda door: door[1])
    return FeatureCollection((*(_addressed(building, doors) for building in buildings), *streets))


def _address(tags: TagList) -> str | None:
    street, number = tags.get("addr:street"), tags.get("addr:housenumber")
    return f"{street} {number}" if street and number else None


def _building(area: Area) -> list[Feature]:
    osm_id = f"{'way' if area.from_way() else 'relation'}/{area.orig_id()}"
    outlines = list(area.outer_rings())
    return [
        Feature(
            osm_id if at == 0 else f"{osm_id}/{at}",
            Polygon((_line(outer), *(_line(inner) for inner in area.inner_rings(outer)))),
            Properties("building", address=_address(area.tags)),
        )
        for at, outer in enumerate(outlines)
    ]


def _street(way: Way) -> list[Feature]:
    line = _line(way.nodes)
    if len(line) < 2:
        return []
    named = Properties("street", name=way.tags.get("name"), highway=way.tags.get("highway"))
    return [Feature(f"way/{way.id}", LineString(line), named)]


def _line(nodes: NodeRefList) -> tuple[Position, ...]:
    return tuple((node.location.lon, node.location.lat) for node in nodes if node.location.valid())


def _addressed(building: Feature, doors: Sequence[_Door]) -> Feature:
    assert isinstance(building.geometry, Polygon)
    if building.properties.address is not None:
        return building
    outline = building.geometry.coordinates[0]
    address = next((address for position, address in doors if inside(outline, position)), None)
    return Feature(building.id, building.geometry, Properties("building", address=address))


def inside(ring: Sequence[Position], position: Position) -> bool:
    """Whether a position lies within a closed ring: a ray to the east crosses it an odd number of times."""
    lon, lat = position
    if not (min(x for x, _ in ring) <= lon <= max(x for x, _ in ring)):
        return False
    crossings = 0
    for (x, y), (next_x, next_y) in pairwise(ring):
        if (y > lat) != (next_y > lat):
            crossings += lon < x + (lat - y) * (next_x - x) / (next_y - y)
    return crossings % 2 == 1
