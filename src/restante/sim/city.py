"""The demo city: the centre of Helsinki, its buildings as recipients' homes and its sites for banks and counters.

Set-up (``python -m restante.sim.city``, from the Makefile) fetches the extract and keeps its buildings and streets as
GeoJSON in the state directory; from then on neither the network nor ``osmium`` is needed. Where there is no map, the
sites are the same and the buildings are made up around them: ``City.assumed`` says which it is.
"""

import math
import os
import sys
from collections.abc import Mapping
from itertools import pairwise
from pathlib import Path
from random import Random
from typing import Final

import msgspec

from restante.sim.extract import Tell, fetch_extract, state_dir, to_stderr
from restante.sim.geojson import CREDIT, FeatureCollection, Polygon, Position
from restante.sim.sites import SITES, ZONE, Site

__all__ = [
    "Building",
    "City",
    "assumed_city",
    "cache_dir",
    "city_from",
    "fetch_extract",
    "load_city",
    "load_map",
    "prepare",
]

NAME: Final = "Helsinki Centre"
_METRES_PER_DEGREE: Final = 111_195
_SCATTER_M: Final = 180


class Building(msgspec.Struct, frozen=True):
    """A house people live or work in: its middle, in degrees, and its address if the map has one."""

    id: str
    lat: float
    lon: float
    address: str | None = None


class City(msgspec.Struct, frozen=True):
    """A city to play in. ``credit`` must stand wherever it is shown; ``assumed`` when its buildings are made up."""

    name: str
    buildings: tuple[Building, ...]
    sites: tuple[Site, ...]
    assumed: bool = False
    zone: str = ZONE
    credit: str = CREDIT


def cache_dir(environment: Mapping[str, str] = os.environ) -> Path:
    """Where the extract and its GeoJSON are kept."""
    return state_dir(environment) / "city"


def prepare(cache: Path, *, tell: Tell = to_stderr) -> Path | None:
    """The city's GeoJSON in ``cache``, made from the extract first if it is not there; None if there is no extract."""
    if load_map(cache) is not None:
        return _map_path(cache)
    extract = fetch_extract(cache, tell=tell)
    if extract is None:
        return None
    from restante.sim.osm import read_osm  # noqa: PLC0415 - osmium is needed here, at set-up, and nowhere else

    try:
        part = _map_path(cache).with_suffix(".part")
        part.write_bytes(msgspec.json.encode(read_osm(extract)))
        return part.replace(_map_path(cache))
    except OSError as failed:
        tell(f"No map for the demo: it cannot be kept ({failed.strerror}). It goes on with a built-in list of places.")
        return None


def load_map(cache: Path) -> FeatureCollection | None:
    """The city's buildings and streets as set-up left them; None if they are absent or not readable."""
    try:
        return msgspec.json.decode(_map_path(cache).read_bytes(), type=FeatureCollection)
    except (OSError, msgspec.DecodeError, UnicodeDecodeError):
        return None


def load_city(cache: Path, *, chance: Random) -> City:
    """The city on its map if set-up found one, else the assumed city; ``chance`` places what has to be made up."""
    ground = load_map(cache)
    return assumed_city(chance) if ground is None else city_from(ground)


def city_from(ground: FeatureCollection) -> City:
    """The city whose buildings are those of a map, each where the middle of its outline is."""
    buildings = []
    for feature in ground.features:
        if isinstance(feature.geometry, Polygon) and any(feature.geometry.coordinates[:1]):
            lon, lat = middle(feature.geometry.coordinates[0])
            buildings.append(Building(feature.id, lat, lon, feature.properties.address))
    return City(NAME, tuple(buildings), SITES, credit=ground.credit)


def assumed_city(chance: Random, *, buildings: int = 400) -> City:
    """The city without a map: the same sites, and made-up buildings without addresses within a short walk of them."""
    return City(NAME, tuple(_made_up(number, chance) for number in range(1, buildings + 1)), SITES, assumed=True)


def middle(ring: tuple[Position, ...]) -> Position:
    """The centroid of a closed ring by the shoelace formula; of a ring without area the mean of its positions."""
    # Counted from the first corner: areas of a few millionths of a square degree would drown in the products otherwise.
    east, north = ring[0]
    corners = [(x - east, y - north) for x, y in ring]
    twice_area = x_sum = y_sum = 0.0
    for (x, y), (next_x, next_y) in pairwise(corners):
        cross = x * next_y - next_x * y
        twice_area += cross
        x_sum += (x + next_x) * cross
        y_sum += (y + next_y) * cross
    if abs(twice_area) < 1e-15:
        return sum(x for x, _ in ring) / len(ring), sum(y for _, y in ring) / len(ring)
    return east + x_sum / (3 * twice_area), north + y_sum / (3 * twice_area)


def _made_up(number: int, chance: Random) -> Building:
    site = chance.choice(SITES)
    bearing, away_m = chance.uniform(0, 2 * math.pi), chance.uniform(20, _SCATTER_M)
    lat = site.lat + away_m * math.cos(bearing) / _METRES_PER_DEGREE
    lon = site.lon + away_m * math.sin(bearing) / (_METRES_PER_DEGREE * math.cos(math.radians(site.lat)))
    return Building(f"assumed/{number}", lat, lon)


def _map_path(cache: Path) -> Path:
    return cache / "helsinki_centre.geojson"


def main() -> int:
    """Prepare the city for the demo. Always 0: without a map the demo runs too, and says so."""
    found = prepare(cache_dir())
    ground = None if found is None else load_map(found.parent)
    if ground is not None:
        city = city_from(ground)
        print(f"{city.name}: {len(city.buildings)} buildings, {len(city.sites)} pick-up points. {city.credit}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
