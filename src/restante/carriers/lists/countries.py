"""What is known of countries without any data: coarse boxes around them, time zones, names, forms of post codes.

The boxes were written by hand from the well-known extreme points of each country, wider by 0.05 to 0.3 degrees, with a
box of its own for what lies far off. They are no borders: a place just across one passes, and no place within one is
kept out. The stretches of sea hold no land at all, and are far from all the sea there is.
"""

import re
from typing import Final, NamedTuple

import msgspec


class Box(NamedTuple):
    """Degrees from south-west to north-east."""

    south: float
    west: float
    north: float
    east: float

    def holds(self, latitude: float, longitude: float) -> bool:
        """Whether a place lies inside."""
        return self.south <= latitude <= self.north and self.west <= longitude <= self.east


class Country(msgspec.Struct, frozen=True):
    """A country: coarse boxes, time zone, other codes and names, and the form of its post codes (empty: not known)."""

    boxes: tuple[Box, ...]
    zone: str
    names: str
    postcode: str = r"\d{4}"
    far: tuple[tuple[Box, str], ...] = ()

    def holds(self, latitude: float, longitude: float) -> bool:
        """Whether a place may be in it."""
        for box in self.boxes:
            if box.holds(latitude, longitude):
                return True
        return any(box.holds(latitude, longitude) for box, _ in self.far)

    def zone_at(self, latitude: float, longitude: float) -> str:
        """The time zone there."""
        return next((zone for box, zone in self.far if box.holds(latitude, longitude)), self.zone)


_FIVE: Final = r"\d{5}"
_SPACED: Final = r"\d{3} ?\d{2}"

COUNTRIES: Final[dict[str, Country]] = {
    "AT": Country((Box(46.3, 9.4, 49.1, 17.25),), "Europe/Vienna", "aut austria österreich"),
    "BE": Country((Box(49.4, 2.4, 51.6, 6.5),), "Europe/Brussels", "bel belgium belgië belgique"),
    "BG": Country((Box(41.1, 22.2, 44.3, 28.7),), "Europe/Sofia", "bgr bulgaria"),
    "CH": Country((Box(45.7, 5.8, 47.9, 10.6),), "Europe/Zurich", "che switzerland schweiz suisse svizzera"),
    "CY": Country((Box(34.5, 32.2, 35.8, 34.7),), "Asia/Nicosia", "cyp cyprus"),
    "CZ": Country((Box(48.5, 12.0, 51.1, 18.95),), "Europe/Prague", "cze czechia česko", _SPACED),
    "DE": Country((Box(47.2, 5.8, 55.15, 15.1),), "Europe/Berlin", "deu germany deutschland", _FIVE),
    "DK": Country((Box(54.5, 8.0, 57.85, 15.3),), "Europe/Copenhagen", "dnk denmark danmark"),
    "EE": Country((Box(57.45, 21.7, 59.75, 28.3),), "Europe/Tallinn", "est estonia eesti", _FIVE),
    "ES": Country(
        (Box(35.8, -9.4, 43.9, 4.4), Box(35.2, -3.1, 35.4, -2.8)),
        "Europe/Madrid",
        "esp spain españa",
        _FIVE,
        ((Box(27.5, -18.3, 29.5, -13.3), "Atlantic/Canary"),),
    ),
    "FI": Country((Box(59.4, 19.0, 70.15, 31.65),), "Europe/Helsinki", "fin finland suomi", _FIVE),
    "FR": Country((Box(42.2, -5.3, 51.2, 8.35), Box(41.3, 8.4, 43.1, 9.7)), "Europe/Paris", "fra france", _FIVE),
    "GB": Country(
        (Box(49.8, -8.3, 59.5, 1.85), Box(59.4, -2.3, 60.95, -0.6), Box(56.7, -8.7, 58.6, -6.0)),
        "Europe/London",
        "gbr uk united kingdom great britain",
        r"[a-z]{1,2}\d[a-z\d]? ?\d[a-z]{2}",
    ),
    "GR": Country((Box(34.7, 19.3, 41.85, 29.7),), "Europe/Athens", "grc greece el", _SPACED),
    "HR": Country((Box(42.3, 13.4, 46.65, 19.5),), "Europe/Zagreb", "hrv croatia hrvatska", _FIVE),
    "HU": Country((Box(45.7, 16.05, 48.65, 22.95),), "Europe/Budapest", "hun hungary magyarország"),
    "IE": Country((Box(51.35, -10.7, 55.5, -5.9),), "Europe/Dublin", "irl ireland éire", r"[a-z]\d[\dw] ?[a-z\d]{4}"),
    "IS": Country((Box(63.2, -24.7, 66.65, -13.4),), "Atlantic/Reykjavik", "isl iceland ísland", r"\d{3}"),
    "IT": Country((Box(35.4, 6.55, 47.15, 18.6),), "Europe/Rome", "ita italy italia", _FIVE),
    "LI": Country((Box(47.0, 9.4, 47.3, 9.7),), "Europe/Vaduz", "lie liechtenstein"),
    "LT": Country((Box(53.85, 20.9, 56.5, 26.9),), "Europe/Vilnius", "ltu lithuania lietuva", _FIVE),
    "LU": Country((Box(49.4, 5.7, 50.2, 6.55),), "Europe/Luxembourg", "lux luxembourg"),
    "LV": Country((Box(55.6, 20.9, 58.15, 28.3),), "Europe/Riga", "lva latvia latvija"),
    "MT": Country((Box(35.7, 14.1, 36.15, 14.65),), "Europe/Malta", "mlt malta", r"[a-z]{3} ?\d{4}"),
    "NL": Country((Box(50.7, 3.3, 53.6, 7.3),), "Europe/Amsterdam", "nld netherlands nederland", r"\d{4} ?[a-z]{2}"),
    "NO": Country(
        (Box(57.9, 4.4, 64.5, 12.8), Box(64.0, 9.5, 71.3, 31.3)),
        "Europe/Oslo",
        "nor norway norge",
        far=((Box(76.0, 10.0, 81.0, 34.0), "Arctic/Longyearbyen"),),
    ),
    "PL": Country((Box(48.9, 14.0, 54.95, 24.25),), "Europe/Warsaw", "pol poland polska", r"\d{2}-?\d{3}"),
    "PT": Country(
        (Box(36.9, -9.6, 42.25, -6.1),),
        "Europe/Lisbon",
        "prt portugal",
        r"\d{4}(-\d{3})?",
        (
            (Box(32.3, -17.4, 33.2, -16.2), "Atlantic/Madeira"),
            (Box(36.8, -31.4, 39.8, -24.9), "Atlantic/Azores"),
        ),
    ),
    "RO": Country((Box(43.55, 20.2, 48.35, 29.8),), "Europe/Bucharest", "rou romania românia", r"\d{6}"),
    "SE": Country((Box(55.2, 10.8, 69.15, 24.25),), "Europe/Stockholm", "swe sweden sverige", _SPACED),
    "SI": Country((Box(45.35, 13.3, 46.95, 16.65),), "Europe/Ljubljana", "svn slovenia slovenija"),
    "SK": Country((Box(47.7, 16.8, 49.65, 22.6),), "Europe/Bratislava", "svk slovakia slovensko", _SPACED),
}  # fmt: skip
"""Countries by their ISO 3166-1 code."""

OPEN_SEA: Final = (
    Box(54.8, 2.5, 57.3, 6.5),  # North Sea
    Box(44.3, -8.0, 46.9, -3.5),  # Bay of Biscay
    Box(42.0, -30.0, 54.0, -11.5),  # Atlantic
    Box(64.0, -5.0, 70.0, 4.0),  # Norwegian Sea
    Box(55.5, 18.2, 56.7, 20.2),  # Baltic
    Box(40.5, 4.7, 42.3, 7.9),  # between the Balearic Islands and Corsica
    Box(39.0, 10.3, 40.4, 12.8),  # Tyrrhenian Sea
    Box(35.6, 16.2, 37.4, 19.8),  # Ionian Sea
    Box(42.7, 30.0, 44.2, 36.0),  # Black Sea
)
"""Stretches of sea without an island."""

_CODES: Final = {name: code for code, one in COUNTRIES.items() for name in (code.casefold(), *one.names.split())} | {
    "united kingdom": "GB",
    "great britain": "GB",
}
_POSTCODES: Final = {code: re.compile(one.postcode, re.IGNORECASE | re.ASCII) for code, one in COUNTRIES.items()}


def country_code(text: str) -> str:
    """The code of a country by its code or name, empty if it is not known here."""
    return _CODES.get(" ".join(text.split()).casefold(), "")


def may_be_postcode(text: str, country: str) -> bool:
    """Whether a post code has the form of the country's; the country's code may lead it, as in ``A-1030``."""
    plain = re.sub(r"^[A-Za-z]{1,2}[- ](?=\d)", "", text) if country not in {"GB", "IE", "MT"} else text
    return country not in COUNTRIES or _POSTCODES[country].fullmatch(plain) is not None


def is_open_sea(latitude: float, longitude: float) -> bool:
    """Whether a place is in one of the stretches of sea; False says nothing."""
    return any(south <= latitude <= north and west <= longitude <= east for south, west, north, east in OPEN_SEA)
