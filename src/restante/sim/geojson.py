"""The shape in which a city's map is kept: GeoJSON (RFC 7946) with buildings and streets, as values."""

from typing import Literal

import msgspec

Lon = float
Lat = float
Position = tuple[Lon, Lat]
"""Degrees, longitude first, as the RFC has it."""

CREDIT = "© OpenStreetMap contributors"
"""What must stand wherever the map or anything drawn from it is shown (ODbL)."""


class Polygon(msgspec.Struct, frozen=True, tag_field="type"):
    """An outline and its courtyards: closed rings, the outer one first."""

    coordinates: tuple[tuple[Position, ...], ...]


class LineString(msgspec.Struct, frozen=True, tag_field="type"):
    """A way of two positions or more."""

    coordinates: tuple[Position, ...]


class Properties(msgspec.Struct, frozen=True, omit_defaults=True):
    """Of a building its address, of a street its name and OSM class, as far as they are mapped."""

    kind: Literal["building", "street"]
    address: str | None = None
    name: str | None = None
    highway: str | None = None


class Feature(msgspec.Struct, frozen=True, tag_field="type"):
    """One building or one stretch of street; the id is OSM's, as ``way/4256``."""

    id: str
    geometry: Polygon | LineString
    properties: Properties


class FeatureCollection(msgspec.Struct, frozen=True, tag_field="type"):
    """A map and whom to credit for it."""

    features: tuple[Feature, ...]
    credit: str = CREDIT
