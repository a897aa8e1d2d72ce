"""A day as arrays, which is all that compiled search sees of it."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from restante.plan.routing.day import Day, Errand, Option, Stop

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Flags = NDArray[np.bool_]
Records = np.recarray[Any, Any]
Row = np.dtype[np.void]

UNBOUND = -1
"""No van, no room: an index that means nothing."""

NEIGHBOURS = 250
"""How many neighbours a request knows; removal looks no further."""


def record(whole: str, real: str) -> Row:
    """The row of a table: columns of whole numbers, then of real ones."""
    return np.dtype([(name, np.int64) for name in whole.split()] + [(name, np.float64) for name in real.split()])


METRES, METRES_INTO, SECONDS, SECONDS_INTO = range(4)
"""What ``ways`` holds: from place to place along rows, and transposed, so that the ways into a place are a row."""

STOP = record("place room", "ready due service")
OPTION = record("stop level room", "work")
REQUEST = record("first last rank aboard before is_delivery", "")
VAN = record("kind is_begun start home reloads first_break last_break", "opens closes reload_s depot_ready depot_due")
BREAK = record("", "earliest latest length")


class Figures(NamedTuple):
    """The day. Options are numbered through all requests, those of one from its ``first`` up to, without, its ``last``.

    ``room_free`` counts the compartments of a size *and larger*; ``most_worse[l]`` the requests that may get an option
    worse than level l.
    """

    ways: Floats
    stops: Records
    options: Records
    requests: Records
    load: Floats
    near: Ints
    vans: Records
    capacity: Floats
    collected: Floats
    breaks: Records
    room_free: Ints
    most_worse: Ints
    move_m: float


def figures(day: Day, *, before: Mapping[int, int] | None = None, move_m: float = 0.0) -> Figures:
    """The arrays of a day without flaws.

    ``before`` names the van that each request was last planned on; taking it off that van costs ``move_m`` metres.
    """
    dimensions = len(day.vans[0].capacity)
    rooms = {at: room for room, at in enumerate(at for at, stop in enumerate(day.stops) if stop.free is not None)}
    ways = (day.metres, day.metres.T, day.seconds, day.seconds.T)
    collected = [van.begun.collected if van.begun else (0.0,) * dimensions for van in day.vans]
    return Figures(
        ways=np.ascontiguousarray(np.stack([np.asarray(matrix, dtype=np.float64) for matrix in ways])),
        stops=_table(STOP, [_stop_row(stop, rooms.get(at, UNBOUND)) for at, stop in enumerate(day.stops)]),
        options=_table(OPTION, [_option_row(option, rooms) for request in day.requests for option in request.options]),
        requests=_request_table(day, before or {}),
        load=np.array([request.load for request in day.requests], dtype=np.float64).reshape(-1, dimensions),
        near=_near(day),
        vans=_van_table(day),
        capacity=np.array([van.capacity for van in day.vans], dtype=np.float64).reshape(-1, dimensions),
        collected=np.array(collected, dtype=np.float64).reshape(-1, dimensions),
        breaks=_table(
            BREAK, [(rest.earliest_s, rest.latest_s, rest.length_s) for van in day.vans for rest in van.breaks]
        ),
        room_free=_room_free(day, list(rooms)),
        most_worse=_most_worse(day),
        move_m=move_m,
    )


def _table(of: Row, rows: Sequence[tuple[float, ...]]) -> Records:
    return np.array(list(rows), dtype=of).view(np.recarray)


def _stop_row(stop: Stop, room: int) -> tuple[float, ...]:
    return stop.place, room, stop.ready_s, stop.due_s, stop.service_s


def _option_row(option: Option, rooms: Mapping[int, int]) -> tuple[float, ...]:
    return option.stop, option.level, rooms.get(option.stop, UNBOUND), option.preparation_s


def _request_table(day: Day, before: Mapping[int, int]) -> Records:
    rows, last = [], 0
    for at, request in enumerate(day.requests):
        first, last = last, last + len(request.options)
        aboard = UNBOUND if request.aboard is None else request.aboard
        is_delivery = request.errand is Errand.DELIVERY
        rows.append((first, last, request.size, aboard, before.get(at, UNBOUND), is_delivery))
    return _table(REQUEST, rows)


def _van_table(day: Day) -> Records:
    rows, last = [], 0
    for van, kind in zip(day.vans, kinds(day), strict=True):
        depot, first, last = day.depots[van.depot], last, last + len(van.breaks)
        begins = (van.begun.place, van.begun.at_s) if van.begun else (depot.place, depot.ready_s)
        places = (kind, van.begun is not None, begins[0], depot.place, 0 if van.begun else van.reloads, first, last)
        times = (max(van.opens_s, begins[1]), min(van.closes_s, depot.due_s), van.reload_s)
        rows.append((*places, *times, depot.ready_s, depot.due_s))
    return _table(VAN, rows)


def _room_free(day: Day, rooms: list[int]) -> Ints:
    """Compartments of each size and larger, in every room; a class that a room lacks has none."""
    sizes = max((len(stop.free) for stop in day.stops if stop.free is not None), default=1)
    free = np.zeros((len(rooms), sizes), dtype=np.int64)
    for row, at in enumerate(rooms):
        given = day.stops[at].free or ()
        free[row, : len(given)] = given
    return np.ascontiguousarray(np.cumsum(free[:, ::-1], axis=1)[:, ::-1])


def _most_worse(day: Day) -> Ints:
    """By level, from 0 to the worst there is; without a rule every request may get worse."""
    worst = max((option.level for request in day.requests for option in request.options), default=0)
    most = np.full(worst + 1, len(day.requests), dtype=np.int64)
    for rule in day.levels:
        if 0 <= rule.level <= worst:
            most[rule.level] = min(most[rule.level], rule.most_worse(len(day.requests)))
    return most


def kinds(day: Day) -> list[int]:
    """Vans that nothing tells apart share a number; a van that is out is like no other."""
    known: dict[object, int] = {}
    kinds = []
    for at, van in enumerate(day.vans):
        alike = (van.capacity, van.opens_s, van.closes_s, van.depot, van.breaks, van.reloads, van.reload_s)
        told_apart = any(request.aboard == at for request in day.requests) or van.begun is not None
        kinds.append(known.setdefault((at,) if told_apart else alike, len(known)))
    return kinds


def _near(day: Day) -> Ints:
    """For every request the nearest others, itself first, by metres between their nearest options, both ways halved."""
    both = (day.metres + day.metres.T) / 2
    places = [[day.stops[option.stop].place for option in request.options] for request in day.requests]
    flat = np.array([place for request in places for place in request], dtype=np.int64)
    firsts = np.cumsum([0, *(len(request) for request in places)])[:-1]
    known = min(len(places), NEIGHBOURS)
    near = np.zeros((len(places), known), dtype=np.int64)
    for at, request in enumerate(places):
        apart = np.minimum.reduceat(both[request][:, flat].min(axis=0), firsts)
        apart[at] = -1.0
        near[at] = np.argsort(apart, kind="stable")[:known]
    return near
