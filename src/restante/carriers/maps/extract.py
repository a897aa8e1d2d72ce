"""An extract of OpenStreetMap read into ways and things, in any format that osmium knows (``.osm.pbf``, ``.osm``).

Ways that leave the extract are cut where they do, so that no street leaps over what is missing.
"""

import math
from collections.abc import Iterator, Sequence
from itertools import groupby, pairwise
from pathlib import Path
from typing import Final

import msgspec
import osmium
from osmium.osm import Area, Node, TagList
from osmium.osm import Way as OsmWay

from restante.core.refusals import Refusal
from restante.plan.geometry import EARTH_RADIUS_M
from restante.plan.importing.things import Thing
from restante.plan.streets.ways import Way

CREDIT: Final = "© OpenStreetMap contributors"
"""What must stand wherever anything made from an extract is shown (ODbL)."""

THING_KEYS: Final = ("building", "amenity", "shop", "office", "tourism", "leisure", "public_transport", "railway")
"""Keys of what people live in, work in, or come by."""

MOST_TAGS: Final = 200


class Extract(msgspec.Struct, frozen=True):
    """The streets and things of an extract."""

    ways: tuple[Way, ...]
    things: tuple[Thing, ...]


def read_extract(path: Path) -> Extract | Refusal:
    """Everything in an extract that planning asks for. Refused with ``extract-unreadable``."""
    try:
        objects = osmium.FileProcessor(str(path)).with_locations().with_areas()
        ways: list[Way] = []
        things: list[Thing] = []
        for one in objects.with_filter(osmium.filter.KeyFilter("highway", *THING_KEYS)):
            if isinstance(one, OsmWay) and "highway" in one.tags:
                ways += _ways(one)
            elif isinstance(one, Area | Node):
                things += _thing(one)
    except (RuntimeError, osmium.InvalidLocationError) as odd:
        return Refusal("extract-unreadable", "file", str(odd)[:200])
    return Extract(tuple(ways), tuple(things))


def _ways(way: OsmWay) -> Iterator[Way]:
    told = _told(way.tags)
    for inside, part in groupby(way.nodes, key=lambda node: bool(node.location.valid())):
        line = list(part)
        if inside and len(line) > 1:
            places = tuple((node.location.lat, node.location.lon) for node in line)
            yield Way(way.id, tuple(node.ref for node in line), places, told)


def _thing(one: Area | Node) -> Iterator[Thing]:
    tags = _told(one.tags)
    if not tags.keys() & {*THING_KEYS}:
        return
    if isinstance(one, Node):
        yield Thing(f"node/{one.id}", one.location.lat, one.location.lon, 0.0, tags)
        return
    name = f"{'way' if one.from_way() else 'relation'}/{one.orig_id()}"
    for nth, ring in enumerate(one.outer_rings()):
        corners = [(node.location.lat, node.location.lon) for node in ring]
        latitude, longitude, ground_m2 = middle_of(corners)
        yield Thing(f"{name}/{nth}" if nth else name, latitude, longitude, ground_m2, tags)


def middle_of(corners: Sequence[tuple[float, float]]) -> tuple[float, float, float]:
    """Latitude and longitude of the centroid of a closed ring, and the m² within, by the shoelace formula.

    In a plane that touches the sphere at the first corner, which does for anything the size of a building or a park.
    """
    lat, lon = corners[0]
    north = math.radians(1) * EARTH_RADIUS_M
    east = north * math.cos(math.radians(lat))
    plane = [((b - lon) * east, (a - lat) * north) for a, b in corners]
    turns = [(x, y, u, v, x * v - u * y) for (x, y), (u, v) in pairwise(plane)]
    twice = sum(turn for *_, turn in turns)
    if abs(twice) < 1e-6:
        return lat, lon, 0.0
    x_m = sum((x + u) * turn for x, _, u, _, turn in turns) / (3 * twice)
    y_m = sum((y + v) * turn for _, y, _, v, turn in turns) / (3 * twice)
    return lat + y_m / north, lon + x_m / east, abs(twice) / 2


def _told(tags: TagList) -> dict[str, str]:
    return {tag.k: tag.v for nth, tag in enumerate(tags) if nth < MOST_TAGS}
