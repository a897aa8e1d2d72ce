"""GeoJSON (RFC 7946): features of points and lines, longitude first, and a collection that says what it is of."""

from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise
from typing import Any, Final

import msgspec

from restante.plan.reporting.frame import Spot
from restante.plan.reporting.markup import speakable

DECIMALS: Final = 7
"""Degrees to about a centimetre."""

Feature = dict[str, Any]
Properties = Mapping[str, object]


def point(spot: Spot, properties: Properties, *, name: str) -> Feature:
    """A feature at a place; ``name`` is its id, unique in its collection."""
    return _feature({"type": "Point", "coordinates": _position(spot)}, properties, name)


def line(spots: Sequence[Spot], properties: Properties, *, name: str) -> Feature:
    """A feature along places; cut in two wherever it crosses the date line, as section 3.1.9 asks."""
    assert len(spots) > 1, "a line has two ends"
    parts = [[_position(one) for one in part] for part in _cut(spots)]
    if len(parts) == 1:
        return _feature({"type": "LineString", "coordinates": parts[0]}, properties, name)
    return _feature({"type": "MultiLineString", "coordinates": parts}, properties, name)


def collection(features: Iterable[Feature], about: Properties) -> str:
    """A feature collection as text; ``about`` stands beside the features, as a member of its own."""
    whole = {"type": "FeatureCollection", "about": about, "features": list(features)}
    return speakable(msgspec.json.encode(whole).decode()) + "\n"


def _feature(geometry: Properties, properties: Properties, name: str) -> Feature:
    return {"type": "Feature", "id": name, "geometry": geometry, "properties": properties}


def _position(spot: Spot) -> list[float]:
    return [round(spot[1], DECIMALS), round(spot[0], DECIMALS)]


def _cut(spots: Sequence[Spot]) -> list[list[Spot]]:
    parts: list[list[Spot]] = [[spots[0]]]
    for (lat, lon), (to_lat, to_lon) in pairwise(spots):
        if abs(to_lon - lon) > 180:
            edge = 180.0 if lon > 0 else -180.0
            gone, whole = abs(edge - lon), 360 - abs(to_lon - lon)
            crossing = lat + (to_lat - lat) * (gone / whole if whole else 0.0)
            parts[-1].append((crossing, edge))
            parts.append([(crossing, -edge)])
        parts[-1].append((to_lat, to_lon))
    return parts
