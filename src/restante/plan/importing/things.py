"""Demand and sites from the things on a map: who lives in which building, and where a bank might stand.

A map says which buildings there are and how high some are, not how many people live there: floor space over floor space
per person is all that can be had from it, and is told as assumed. What is left out is told with its reason.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Final

import msgspec

from restante.core.refusals import Refusal
from restante.plan.importing.rates import Rates
from restante.plan.siting.cells import Cell, Site

MOST_LEVELS: Final = 60
SMALLEST_M2: Final = 20.0
ASSUMED_LEVELS: Final = 2.0

HOMES: Final = frozenset({
    "yes", "apartments", "residential", "house", "detached", "semidetached_house", "terrace", "dormitory", "bungalow",
    "farm", "cabin", "static_caravan",
})  # fmt: skip
"""Values of ``building`` in which people live; "yes" says nothing else, and most buildings are so."""

HOSTS: Final[Mapping[tuple[str, str], tuple[str, int]]] = {
    ("shop", "supermarket"): ("supermarket", 6),
    ("shop", "mall"): ("shopping centre", 8),
    ("shop", "convenience"): ("convenience store", 3),
    ("shop", "kiosk"): ("kiosk", 2),
    ("shop", "doityourself"): ("hardware store", 6),
    ("amenity", "fuel"): ("filling station", 4),
    ("amenity", "parking"): ("car park", 6),
    ("amenity", "post_office"): ("post office", 6),
    ("amenity", "library"): ("library", 3),
    ("amenity", "university"): ("university", 6),
    ("railway", "station"): ("railway station", 8),
    ("railway", "subway_entrance"): ("underground station", 3),
    ("public_transport", "station"): ("station", 6),
    ("leisure", "sports_centre"): ("sports centre", 4),
}
"""What may host a bank, and the room for modules there. Assumed, for no map says so."""

STANDING: Final = ("amenity", "parcel_locker")


class Thing(msgspec.Struct, frozen=True):
    """Something on the map: its OSM id (``way/4256``), its middle, its m² of ground (0 of a node), its tags."""

    id: str
    latitude: float
    longitude: float
    ground_m2: float
    tags: Mapping[str, str]


class Gathered(msgspec.Struct, frozen=True):
    """Cells and sites, how many things were left out for which reason, and what was assumed."""

    cells: tuple[Cell, ...]
    sites: tuple[Site, ...]
    left_out: Mapping[str, int]
    assumed: str


def gathered(things: Iterable[Thing], rates: Rates) -> Gathered | Refusal:
    """Every home is a cell, every possible host and every parcel locker a site.

    Refusals: ``plan-no-demand`` where nobody lives, ``plan-no-sites`` where nothing may host.
    """
    cells: list[Cell] = []
    sites: list[Site] = []
    left_out: Counter[str] = Counter()
    for thing in things:
        site, home = _site(thing), _home(thing, rates)
        if site is not None:
            sites.append(site)
        if isinstance(home, Cell):
            cells.append(home)
        elif site is None:
            left_out[home] += 1
    if not cells:
        return Refusal("plan-no-demand", "things", _counted(left_out))
    if not sites:
        return Refusal("plan-no-sites", "things", _counted(left_out))
    return Gathered(tuple(cells), tuple(sites), dict(left_out), rates.label)


def _home(thing: Thing, rates: Rates) -> Cell | str:
    """The cell of a home, or why there is none."""
    building = thing.tags.get("building", "")
    if not building:
        return "not-building"
    if building not in HOMES:
        return "not-home"
    if thing.ground_m2 < SMALLEST_M2:
        return "too-small"
    people = thing.ground_m2 * _levels(thing.tags.get("building:levels", "")) / rates.floor_m2_per_person
    district = thing.tags.get("addr:postcode") or thing.tags.get("addr:suburb", "")
    parcels = rates.by_size(people * rates.parcels_per_person)
    return Cell(thing.id, thing.latitude, thing.longitude, district, parcels)


def _levels(told: str) -> float:
    plain = told.replace(".", "", 1)
    levels = float(told) if plain.isascii() and plain.isdigit() and len(told) < 6 else ASSUMED_LEVELS
    return min(max(levels, 1.0), float(MOST_LEVELS))


def _site(thing: Thing) -> Site | None:
    standing = thing.tags.get(STANDING[0]) == STANDING[1]
    known = [host for (key, value), host in HOSTS.items() if thing.tags.get(key) == value]
    if not (standing or known) or thing.tags.get("access") in {"private", "no"}:
        return None
    host, room = known[0] if known else (thing.tags.get("operator", "parcel locker"), 1)
    step_free = thing.tags.get("wheelchair", "yes") != "no"
    return Site(thing.id, thing.latitude, thing.longitude, host, 0, room, step_free=step_free, standing=standing)


def _counted(left_out: Mapping[str, int]) -> str:
    return ", ".join(f"{reason}: {count}" for reason, count in sorted(left_out.items())) or "nothing at all"
