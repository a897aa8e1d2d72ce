"""The dialects that lists of demand and of sites are written in, as tables; see ``dialects`` for points and parcels."""

from typing import Final

from restante.carriers.lists.columns import Kind, dialect

MOST_SIZES: Final = 6
SIZES: Final = tuple(f"size_{rank}" for rank in range(1, MOST_SIZES + 1))
_PLACED: Final = (("latitude", "place"), ("longitude", "place"))

CELLS: Final = Kind(
    "cells",
    {
        "id": "the cell's own id; its row if there is none",
        "latitude": "degrees north",
        "longitude": "degrees east",
        "place": "both in one: latitude, longitude, or WKT's POINT (longitude latitude)",
        "country": "ISO 3166 code or name; judged, not brought in",
        "district": "the district whose coverage is asked for",
        "parcels": "parcels a day",
        "population": "people who live there; parcels follow by an assumed rate",
        "passers_by": "people who come by in a day; parcels follow by an assumed rate",
        **{size: f"parcels a day of the size of rank {rank}" for rank, size in enumerate(SIZES)},
    },
    (*_PLACED, ("parcels", "population", "passers_by", *SIZES)),
    (
        dialect(
            "restante",
            "cells of demand",
            id="id",
            latitude="latitude",
            longitude="longitude",
            district="district",
            parcels="parcels_per_day",
            population="population",
            passers_by="passers_by_per_day",
            size_1="parcels_s",
            size_2="parcels_m",
            size_3="parcels_l",
            size_4="parcels_xl",
        ),
        dialect(
            "english",
            "columns in English",
            id="cell cell_id code tract tractid",
            latitude="lat y",
            longitude="lon lng long x",
            place="coordinates location wkt geometry",
            country="country country_code",
            district="borough neighbourhood zone area",
            parcels="parcels demand weight volume",
            population="people inhabitants residents pop",
            passers_by="footfall visitors foot_traffic",
            **{size: size for size in SIZES},
        ),
        dialect(
            "german",
            "Spalten auf Deutsch",
            id="kennung zelle",
            latitude="breite breitengrad",
            longitude="lange laenge langengrad laengengrad",
            district="bezirk stadtteil ortsteil",
            parcels="pakete pakete_pro_tag",
            population="einwohner bevolkerung bevoelkerung",
            passers_by="passanten",
        ),
    ),
)
"""Lists of demand."""

SITES: Final = Kind(
    "sites",
    {
        "id": "the site's own id; its row if there is none",
        "latitude": "degrees north",
        "longitude": "degrees east",
        "place": "both in one: latitude, longitude, or WKT's POINT (longitude latitude)",
        "country": "ISO 3166 code or name; judged, not brought in",
        "host": "who owns the ground",
        "kind": "bank or counter",
        "cost": "cost of a year, without modules, in the currency's main unit",
        "modules": "for how many modules there is room",
        "hours": "hours a week in which it can be reached",
        "step_free": "whether it is reached without a step",
        "watched": "whether it is lit and watched",
        "standing": "whether a point stands there already",
    },
    _PLACED,
    (
        dialect(
            "restante",
            "sites where a point might stand",
            id="id",
            latitude="latitude",
            longitude="longitude",
            host="host",
            kind="kind",
            cost="cost_per_year",
            modules="room_modules",
            hours="open_hours_per_week",
            step_free="step_free",
            watched="watched",
            standing="standing",
        ),
        dialect(
            "english",
            "columns in English",
            id="site site_id candidate code",
            latitude="lat y",
            longitude="lon lng long x",
            place="coordinates location wkt geometry",
            country="country country_code",
            host="owner operator name",
            kind="type category",
            cost="cost rent yearly_cost",
            modules="modules room columns",
            hours="hours_per_week opening_hours_per_week",
            step_free="wheelchair accessible",
            watched="security cctv",
            standing="existing",
        ),
        dialect(
            "german",
            "Spalten auf Deutsch",
            id="kennung standort",
            latitude="breite breitengrad",
            longitude="lange laenge langengrad laengengrad",
            host="eigentumer eigentuemer gastgeber",
            kind="art typ",
            cost="kosten jahreskosten miete",
            modules="module platze plaetze",
            step_free="stufenlos barrierefrei",
            watched="uberwacht ueberwacht",
            standing="bestehend vorhanden",
        ),
    ),
)
"""Lists of sites."""
