"""The fourteen pick-up points of the demo city: where they stand, whose ground it is, when they are open.

Coordinates are those of the street, square or house named, read off the OpenStreetMap extract; hosts and directions are
invented. Without the extract they are the same, and are assumptions.
"""

from typing import Final, Literal

import msgspec

from restante.core.bank import SourceKind
from restante.core.time import Calendar, OpenTime

ZONE: Final = "Europe/Helsinki"

HostKind = Literal["mall", "transit-hub", "housing", "office", "shop"]


class Site(msgspec.Struct, frozen=True):
    """Ground for a bank or a counter. ``street`` is the street or square it is named after or stands in."""

    code: str
    name: str
    kind: SourceKind
    host_kind: HostKind
    host: str
    street: str
    address: str
    lat: float
    lon: float
    directions: str
    calendar: Calendar


def _hours(*spans: tuple[range, int, int]) -> Calendar:
    """A week from (weekdays, opening hour, closing hour); Monday is 0. No spans at all: open day and night."""
    return Calendar(
        ZONE, tuple(OpenTime(day, opens * 60, closes * 60) for days, opens, closes in spans for day in days)
    )


_ALWAYS: Final = _hours()
_MON_FRI: Final = range(5)
_SAT: Final = range(5, 6)
_SUN: Final = range(6, 7)
_DAILY: Final = range(7)


SITES: Final[tuple[Site, ...]] = (
    Site(
        code="RAU",
        name="Rautatientori",
        kind=SourceKind.BANK,
        host_kind="transit-hub",
        host="Central Station",
        street="Rautatientori",
        address="Rautatientori",
        lat=60.17092,
        lon=24.94268,
        directions="East arcade of the station, on the side of the square.",
        calendar=_ALWAYS,
    ),
    Site(
        code="ELI",
        name="Elielinaukio",
        kind=SourceKind.BANK,
        host_kind="transit-hub",
        host="Central Station",
        street="Elielinaukio",
        address="Elielinaukio 3",
        lat=60.17185,
        lon=24.94005,
        directions="West side of the station, under the canopy by the bus stops.",
        calendar=_ALWAYS,
    ),
    Site(
        code="KVP",
        name="Kaivopiha",
        kind=SourceKind.BANK,
        host_kind="shop",
        host="Kaivopiha courtyard shops",
        street="Kaivopiha",
        address="Kaivopiha",
        lat=60.16955,
        lon=24.94040,
        directions="In the courtyard, left of the stairs that lead down to the street.",
        calendar=_ALWAYS,
    ),
    Site(
        code="KAI",
        name="Kaisaniemi",
        kind=SourceKind.BANK,
        host_kind="transit-hub",
        host="University metro station",
        street="Kaisaniemenkatu",
        address="Kaisaniemenkatu 4",
        lat=60.17147,
        lon=24.94740,
        directions="Upper hall of the metro, straight ahead from the escalators.",
        calendar=_hours((_DAILY, 5, 24)),
    ),
    Site(
        code="POR",
        name="Porthania",
        kind=SourceKind.BANK,
        host_kind="office",
        host="University offices",
        street="Yliopistonkatu",
        address="Yliopistonkatu 3",
        lat=60.16997,
        lon=24.94812,
        directions="Ground floor lobby, to the right behind the glass doors.",
        calendar=_hours((_MON_FRI, 7, 21), (_SAT, 9, 17)),
    ),
    Site(
        code="KLU",
        name="Kluuvikatu",
        kind=SourceKind.BANK,
        host_kind="mall",
        host="Kluuvi arcade",
        street="Kluuvikatu",
        address="Kluuvikatu 5",
        lat=60.16927,
        lon=24.94773,
        directions="Ground floor of the arcade, past the grocery, beside the lifts.",
        calendar=_hours((_MON_FRI, 7, 22), (_SAT, 8, 21), (_SUN, 10, 20)),
    ),
    Site(
        code="ESP",
        name="Pohjoisesplanadi",
        kind=SourceKind.BANK,
        host_kind="shop",
        host="Esplanade shops",
        street="Pohjoisesplanadi",
        address="Pohjoisesplanadi 19",
        lat=60.16798,
        lon=24.95070,
        directions="In the passage that leads to the market, on the right-hand wall.",
        calendar=_ALWAYS,
    ),
    Site(
        code="ERO",
        name="Erottaja",
        kind=SourceKind.BANK,
        host_kind="transit-hub",
        host="City trams",
        street="Erottajankatu",
        address="Erottajankatu 15",
        lat=60.16617,
        lon=24.94410,
        directions="Beside the tram shelter, facing the pavement.",
        calendar=_ALWAYS,
    ),
    Site(
        code="BUL",
        name="Bulevardi",
        kind=SourceKind.BANK,
        host_kind="housing",
        host="Housing company Bulevardi",
        street="Bulevardi",
        address="Bulevardi 6",
        lat=60.16600,
        lon=24.94190,
        directions="Through the yard gate, first wall on the left. It has no screen: bring your phone.",
        calendar=_ALWAYS,
    ),
    Site(
        code="KAN",
        name="Töölönlahdenkatu",
        kind=SourceKind.BANK,
        host_kind="office",
        host="Library and press offices",
        street="Töölönlahdenkatu",
        address="Töölönlahdenkatu 4",
        lat=60.17390,
        lon=24.93820,
        directions="South porch of the library, under the wooden roof.",
        calendar=_ALWAYS,
    ),
    Site(
        code="HAK",
        name="Hakaniemenranta",
        kind=SourceKind.BANK,
        host_kind="housing",
        host="Housing company Siltasaari",
        street="Hakaniemenranta",
        address="Hakaniemenranta 1",
        lat=60.17793,
        lon=24.95068,
        directions="On the quay side of the house, next to the bicycle shed.",
        calendar=_ALWAYS,
    ),
    Site(
        code="KOR",
        name="Korkeavuorenkatu",
        kind=SourceKind.BANK,
        host_kind="housing",
        host="Housing company Korkeavuori",
        street="Korkeavuorenkatu",
        address="Korkeavuorenkatu 28",
        lat=60.16560,
        lon=24.94575,
        directions="At the corner by the fire station, left of the house door.",
        calendar=_ALWAYS,
    ),
    Site(
        code="VUO",
        name="Kiosk Vuorikatu",
        kind=SourceKind.COUNTER,
        host_kind="shop",
        host="Kiosk Vuorikatu",
        street="Vuorikatu",
        address="Vuorikatu 16",
        lat=60.17190,
        lon=24.94727,
        directions="At the counter of the kiosk, opposite the metro stairs.",
        calendar=_hours((_MON_FRI, 8, 20), (_SAT, 10, 18)),
    ),
    Site(
        code="YRJ",
        name="Books & Coffee Yrjönkatu",
        kind=SourceKind.COUNTER,
        host_kind="shop",
        host="Books & Coffee",
        street="Yrjönkatu",
        address="Yrjönkatu 12",
        lat=60.16478,
        lon=24.94309,
        directions="Inside the bookshop, at the till behind the coffee bar.",
        calendar=_hours((_MON_FRI, 9, 18)),
    ),
)
"""Twelve banks of different faces (``faces.BANKS``) and two counters (``faces.COUNTERS``)."""
