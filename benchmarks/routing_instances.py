"""Published routing instances as days: VRPDO (Dumez 2021, Tilk 2021), Gehring-Homberger; formats: the data README."""

import json
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import msgspec
import numpy as np

from restante.plan.routing.day import Day, Depot, Option, Request, ServiceLevel, Stop, Van
from restante.plan.routing.proposal import Choice

DATA: Final = Path(__file__).resolve().parents[2] / "shared" / "data"

LEVELS: Final = (ServiceLevel(0, 0.8), ServiceLevel(1, 0.9))
SHARED, PRIVATE = 1, 2
TILK_SCALE: Final = 10
TILK_LATER: Final = {SHARED: 2.0, PRIVATE: 5.0}
"""Tilk's convention: whole tenths, distances rounded up, and windows that close later by the kind of location."""


class Published(msgspec.Struct, frozen=True):
    """What is known of an instance, which no solver is told: the best vehicles and distance, and a method's average."""

    vehicles: int
    distance: float
    average_vehicles: float | None = None
    average_distance: float | None = None


class Instance(msgspec.Struct, frozen=True):
    """A name for the table, the day, and what is published about it."""

    name: str
    day: Day
    published: Published


class MissingData(Exception):
    """The shared data are not here."""


def vrpdo(family: str, customers: int) -> Iterator[Instance]:
    """The instances of a family with so many customers, by name."""
    for name, entry, text in records(family):
        if entry["customers"] == customers:
            yield Instance(name, vrpdo_day(text, is_tilk=family == "tilk2021"), published(entry))


def records(family: str) -> Iterator[tuple[str, dict[str, Any], str]]:
    """The instances of a family by name, each with what is published of it and the text of its file."""
    folder = DATA / "vrpdo"
    if not folder.is_dir():
        raise MissingData(f"no instances at {folder}; see its README for where they come from")
    known: dict[str, Any] = json.loads((folder / "best_known.json").read_text())
    for name, entry in sorted(known.items()):
        path = folder / family / f"{name}.txt"
        if entry["family"] == family and path.is_file():
            yield name, entry, path.read_text()


def published(entry: dict[str, Any]) -> Published:
    """The best of all values of a record, vehicles first, and the average of the published search."""
    pairs = [("bks_vehicles", "bks_cost"), ("published_lns_best_vehicles", "published_lns_best_cost")]
    pairs += [("later_found_vehicles", "later_found_cost")]
    best = min((entry[vehicles], entry[cost]) for vehicles, cost in pairs if entry.get(cost) is not None)
    return Published(*best, entry.get("published_lns_avg_vehicles"), entry.get("published_lns_avg_cost"))


def vrpdo_day(text: str, *, is_tilk: bool) -> Day:
    """One VRPDO file as a day; with as many vans as the load needs, and some to spare."""
    rows = [line.split() for line in text.splitlines() if line.strip()]
    (_, capacity, *_), customers = _table(rows, "VEHICLE")[0], _table(rows, "CUSTOMER")
    locations, options = _table(rows, "LOCATION"), _table(rows, "OPTION")
    scale = TILK_SCALE if is_tilk else 1
    xy = np.array([location[1:3] for location in locations])
    ways = np.sqrt(((xy[:, None] - xy[None, :]) ** 2).sum(axis=2))
    ways = np.ceil(scale * ways - 1e-9) if is_tilk else ways
    stops = tuple(_stop(location, scale, is_tilk=is_tilk) for location in locations)
    loads = {int(number): load for number, load in customers}
    requests = tuple(
        Request(
            str(number),
            (load,),
            tuple(Option(int(row[1]), int(row[3]), row[4] * scale) for row in options if int(row[2]) == number),
        )
        for number, load in loads.items()
    )
    opens, closes = locations[0][4] * scale, locations[0][5] * scale
    fleet = math.ceil(sum(loads.values()) / capacity) + 3 + len(loads) // 20
    vans = tuple(Van(str(at), (capacity,), opens, closes) for at in range(fleet))
    return Day(ways, ways, (Depot(0, opens, closes),), vans, stops, requests, LEVELS)


def option_choices(text: str) -> dict[int, Choice]:
    """Which request and option of the day each option of a VRPDO file is, by its number in the file."""
    rows = [line.split() for line in text.splitlines() if line.strip()]
    of_customer: dict[int, list[int]] = {int(row[0]): [] for row in _table(rows, "CUSTOMER")}
    for row in _table(rows, "OPTION"):
        of_customer[int(row[2])].append(int(row[0]))
    numbered = enumerate(of_customer.values())
    return {number: Choice(request, at) for request, its in numbered for at, number in enumerate(its)}


def _table(rows: list[list[str]], heading: str) -> list[list[float]]:
    """The rows of numbers under a heading."""
    first = next(at for at, row in enumerate(rows) if row[0] == heading) + 1
    table = []
    for row in rows[first:]:
        if not row[0].lstrip("-").replace(".", "", 1).isdigit():
            break
        table.append([float(cell) for cell in row])
    return table


def _stop(location: list[float], scale: int, *, is_tilk: bool) -> Stop:
    number, _, _, room, ready, due, kind, service = location
    later = TILK_LATER.get(int(kind), 0.0) if is_tilk else 0.0
    free = (int(room),) if kind == SHARED and room >= 0 else None
    return Stop(int(number), ready * scale, (due + later) * scale, service * scale, free)


def homberger(customers: int) -> Iterator[Instance]:
    """Gehring-Homberger instances with so many customers: distance alone, truncated to tenths as DIMACS does."""
    folder = DATA / "vrptw"
    if not folder.is_dir():
        raise MissingData(f"no instances at {folder}; see its README for where they come from")
    known = json.loads((folder / "best_known.json").read_text())["cost"]
    for name, cost in sorted(known.items()):
        path = folder / f"{name}.txt"
        if path.is_file() and f"_{customers // 100}_" in name:
            yield Instance(name, homberger_day(path.read_text()), Published(0, cost))


def homberger_day(text: str) -> Day:
    """One file as a day of homes with one option each."""
    rows = [line.split() for line in text.splitlines() if line.strip()]
    (fleet, capacity), places = _table(rows, "NUMBER")[0], _table(rows, "CUST")
    xy = np.array([place[1:3] for place in places])
    ways = np.floor(10 * np.sqrt(((xy[:, None] - xy[None, :]) ** 2).sum(axis=2))) / 10
    stops = tuple(Stop(at, place[4], place[5], place[6]) for at, place in enumerate(places))
    requests = tuple(Request(str(at), (places[at][3],), (Option(at),)) for at in range(1, len(places)))
    opens, closes = places[0][4], places[0][5]
    vans = tuple(Van(str(at), (capacity,), opens, closes) for at in range(int(fleet)))
    return Day(ways, ways, (Depot(0, opens, closes),), vans, stops, requests, vans_first=False)
