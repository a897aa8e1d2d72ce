"""Who may go along a way of OpenStreetMap, in which directions and how fast: its tags as tables, by mode.

Speeds by class of road are assumptions for a city with traffic at its best; a posted limit below them holds instead. An
extract without posted limits on small roads is the rule, so they are told by their class.
"""

from collections.abc import Mapping
from typing import Final, Literal

import msgspec

Mode = Literal["car", "bike", "walk"]
MODES: Final[tuple[Mode, ...]] = ("car", "bike", "walk")

WALK_KMH: Final = 4.8
BIKE_KMH: Final = 15.0
_STEPS_KMH: Final = 2.4
_PUSHED_KMH: Final = 4.0

CAR_KMH: Final[Mapping[str, float]] = {
    "motorway": 90, "motorway_link": 50, "trunk": 70, "trunk_link": 45, "primary": 45, "primary_link": 40,
    "secondary": 40, "secondary_link": 35, "tertiary": 35, "tertiary_link": 30, "unclassified": 30, "residential": 25,
    "living_street": 10, "service": 15, "road": 25,
}  # fmt: skip
"""Kilometres an hour by class of road. Assumed."""

_FOOT_ONLY: Final = ("footway", "pedestrian", "path", "track", "bridleway", "corridor", "platform", "crossing")
_FAST: Final = ("motorway", "motorway_link", "trunk", "trunk_link")
KMH: Final[Mapping[Mode, Mapping[str, float]]] = {
    "car": CAR_KMH,
    "bike": {
        **{road: BIKE_KMH for road in CAR_KMH if road not in _FAST},
        "cycleway": BIKE_KMH,
        "track": 12.0,
        "path": 12.0,
        "pedestrian": _PUSHED_KMH,
        "footway": _PUSHED_KMH,
    },
    "walk": {
        **{road: WALK_KMH for road in (*CAR_KMH, *_FOOT_ONLY, "cycleway") if road not in _FAST},
        "steps": _STEPS_KMH,
    },
}
"""Kilometres an hour of each mode, by class of way; who is not in a row does not go there. Assumed."""

_ACCESS: Final[Mapping[Mode, tuple[str, ...]]] = {
    "car": ("motorcar", "motor_vehicle", "vehicle", "access"),
    "bike": ("bicycle", "vehicle", "access"),
    "walk": ("foot", "access"),
}
"""The keys that say who may go there; the first that a way has decides."""

_CLOSED: Final = frozenset({"no", "private", "agricultural", "forestry", "use_sidepath", "customers"})
_OPENED: Final = frozenset({"yes", "designated", "permissive"})
_ALONG: Final = frozenset({"yes", "true", "1"})
_AGAINST: Final = frozenset({"-1", "reverse"})
_ROUND: Final = frozenset({"roundabout", "circular"})
_MPH: Final = 1.609344


class Way(msgspec.Struct, frozen=True):
    """A way of the map: its id, the ids of its nodes, where they are (latitude, longitude), and its tags."""

    id: int
    nodes: tuple[int, ...]
    places: tuple[tuple[float, float], ...]
    tags: Mapping[str, str]


class Pace(msgspec.Struct, frozen=True):
    """How a mode goes along a way: kilometres an hour, and in which directions."""

    kmh: float
    along: bool = True
    against: bool = True


def pace_on(tags: Mapping[str, str], mode: Mode) -> Pace | None:
    """How a mode goes along a way with these tags; None if it does not."""
    access = next((tags[key] for key in _ACCESS[mode] if key in tags), "")
    kmh = KMH[mode].get(tags.get("highway", ""), WALK_KMH if mode == "walk" and access in _OPENED else 0.0)
    if mode == "bike" and access in _OPENED and kmh:
        kmh = max(kmh, 12.0)
    if not kmh or access in _CLOSED or tags.get("area") == "yes":
        return None
    if mode == "walk":
        return Pace(kmh)
    limit = limit_kmh(tags.get("maxspeed", ""))
    along, against = _directions(tags, mode)
    return Pace(min(kmh, limit) if limit else kmh, along, against)


def limit_kmh(posted: str) -> float:
    """A posted limit in kilometres an hour; 0 where none can be read."""
    number, _, unit = posted.partition(" ")
    if not (number.isascii() and number.isdigit()) or unit not in {"", "km/h", "mph"}:
        return 0.0
    return float(number[:4]) * (_MPH if unit == "mph" else 1.0)


def _directions(tags: Mapping[str, str], mode: Mode) -> tuple[bool, bool]:
    said = tags.get("oneway:bicycle", "") if mode == "bike" else ""
    if mode == "bike" and not said and tags.get("cycleway", "").startswith("opposite"):
        said = "no"
    said = said or tags.get("oneway", "")
    if said in _AGAINST:
        return False, True
    implied = tags.get("junction") in _ROUND or tags.get("highway") in {"motorway", "motorway_link"}
    return True, not (said in _ALONG or (implied and said != "no"))
