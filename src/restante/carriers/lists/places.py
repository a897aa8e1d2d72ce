"""Where a row says that it is, and whether that can be: ranges, 0/0, swapped coordinates, country, sea, the bulk.

Theory of operation. There is no map here. A country is a few coarse boxes (``countries``), the sea is known in a few
stretches, and the list itself is a witness: the median of a sample of its places is its middle, the median distance
from there its spread. Where the country is known the boxes decide and the bulk only warns; else the bulk decides.
"""

import math
import re
from collections.abc import Sequence
from statistics import median
from typing import Final, NamedTuple

import msgspec

from restante.carriers.lists.countries import COUNTRIES, is_open_sea
from restante.carriers.lists.rules import Finding, shown

NEAR_ZERO_DEGREES: Final = 1.0
LEAST_RADIUS_KM: Final = 100.0
SPREADS: Final = 12.0
LEAST_SAMPLE: Final = 20
MOST_SAMPLED: Final = 4096
LARGE_SHARE: Final = 0.95

_NUMBER: Final = re.compile(r"[+-]?\d{1,9}(?:[.,]\d{0,30})?(?:e[+-]?\d{1,2})?", re.ASCII | re.IGNORECASE)
_PAIR: Final = re.compile(r"[(\[]?\s*([+-]?\d+(?:\.\d+)?)\s*[,; ]\s*([+-]?\d+(?:\.\d+)?)\s*[)\]]?", re.ASCII)
_WKT: Final = re.compile(r"point\s*\(\s*([^\s)]+)\s+([^\s)]+)\s*\)", re.ASCII | re.IGNORECASE)


class Place(NamedTuple):
    """Degrees north and east."""

    latitude: float
    longitude: float


class Bulk(msgspec.Struct, frozen=True):
    """Where most of a list is: its middle, and the distance from there beyond which a place stands out."""

    middle: Place
    radius_km: float

    def holds(self, place: Place) -> bool:
        """Whether a place does not stand out."""
        return _km(self.middle, place) <= self.radius_km


class Sample:
    """Every n-th place of a list, n doubling when there are many: the same for the same list, and never more."""

    def __init__(self) -> None:
        self._kept: list[Place] = []
        self._stride, self._count = 1, 0

    def add(self, place: Place) -> None:
        """Perhaps keep a place."""
        if self._count % self._stride == 0:
            self._kept.append(place)
            if len(self._kept) > MOST_SAMPLED:
                self._kept, self._stride = self._kept[::2], self._stride * 2
        self._count += 1

    @property
    def places(self) -> Sequence[Place]:
        """What was kept."""
        return self._kept


def bulk_of(places: Sequence[Place]) -> Bulk | None:
    """The bulk of a list, unless it is too short to have one."""
    if len(places) < LEAST_SAMPLE:
        return None
    middle = Place(median(one.latitude for one in places), median(one.longitude for one in places))
    spread = median(_km(middle, one) for one in places)
    return Bulk(middle, max(LEAST_RADIUS_KM, SPREADS * spread))


def country_of(places: Sequence[Place]) -> str:
    """The one country whose boxes hold nearly all places of a list; empty if none or several do."""
    if len(places) < LEAST_SAMPLE:
        return ""
    fit = [
        code
        for code, one in COUNTRIES.items()
        if sum(map(one.holds, *zip(*places, strict=True))) >= LARGE_SHARE * len(places)
    ]
    return fit[0] if len(fit) == 1 else ""


def read_place(latitude: str, longitude: str, pair: str = "") -> Place | Finding:
    """Coordinates as texts, each by itself or as a pair (latitude first; longitude first in WKT's ``POINT``).

    A latitude beyond 90 degrees passes here: it may be a longitude in the wrong column, see ``judge_place``.

    Breaks ``coordinate-missing``, ``coordinate-unreadable``, ``coordinate-range``.
    """
    if not (latitude or longitude) and pair:
        latitude, longitude = _pair(pair)
    degrees = []
    for field, text in (("latitude", latitude), ("longitude", longitude)):
        if not text:
            return Finding("coordinate-missing", field)
        if not _NUMBER.fullmatch(text):
            return Finding("coordinate-unreadable", field, shown(text))
        degrees.append(float(text.replace(",", ".")))
    if max(map(abs, degrees)) > 180:
        return Finding("coordinate-range", "latitude", f"{latitude}, {longitude}")
    return Place(*degrees)


def judge_place(place: Place, country: str, bulk: Bulk | None) -> Finding | None:
    """The first thing that is wrong with a place, if any; an unknown ``country`` is one without boxes.

    Breaks every rule on where a row is, of which ``far-from-rest`` only warns.
    """
    said = f"{place.latitude:g}, {place.longitude:g}"
    if abs(place.latitude) < NEAR_ZERO_DEGREES and abs(place.longitude) < NEAR_ZERO_DEGREES:
        return Finding("near-zero", "latitude", said)
    known = COUNTRIES.get(country)
    other_way = Place(place.longitude, place.latitude)
    fits = bool(known.holds(*other_way) if known is not None else bulk is not None and bulk.holds(other_way))
    if abs(place.latitude) > 90:
        return Finding("swapped" if fits else "coordinate-range", "latitude", said)
    if known is not None and not known.holds(*place):
        return Finding("swapped" if fits else "outside-country", "latitude", f"{said} ({country})")
    if is_open_sea(*place):
        return Finding("in-the-sea", "latitude", said)
    if bulk is None or bulk.holds(place):
        return None
    if known is not None:
        return Finding("far-from-rest", "latitude", said)
    return Finding("swapped" if fits else "outside-bulk", "latitude", said)


def _pair(text: str) -> tuple[str, str]:
    if (found := _WKT.fullmatch(text)) is not None:
        return found[2], found[1]
    if (found := _PAIR.fullmatch(text)) is not None:
        return found[1], found[2]
    return text, text


def _km(one: Place, other: Place) -> float:
    """The distance on a sphere (haversine formula), good enough to tell near from far."""
    north, south = math.radians(one.latitude), math.radians(other.latitude)
    turn = math.radians(other.longitude - one.longitude)
    half = math.sin((south - north) / 2) ** 2 + math.cos(north) * math.cos(south) * math.sin(turn / 2) ** 2
    return 2 * 6371.0 * math.asin(math.sqrt(min(1.0, half)))
