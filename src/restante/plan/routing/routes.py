"""The state of compiled search: tours as sequences, and all that follows from them, kept so that moves cost little.

A van's sequence holds requests, reloads and breaks. Neighbours that choose the same stop are one visit. ``refresh``
derives positions (0 is the start, then visits and reloads, then home) with the time at which each is left at the
earliest and has to be reached at the latest (the slack of Savelsbergh, ORSA J. Comput. 4, 1992), and the heaviest load
before and after each, so that an insertion is judged without driving the tour again. Only vans with breaks are driven.
"""

from typing import NamedTuple

import numpy as np

from restante.plan.compiled import compiled, inner
from restante.plan.routing.chance import Stream
from restante.plan.routing.figures import (
    METRES,
    SECONDS,
    UNBOUND,
    Figures,
    Floats,
    Ints,
    Records,
    record,
)  # fmt: skip

RELOAD = -1
FIRST_BREAK = -2
"""Entries of a sequence below zero: a reload, and break b as ``FIRST_BREAK - b``. All others are requests."""

AT_DEPOT = -1
ROUNDING = 1e-9

TOUR = record("length last is_sound", "metres back")
VISIT = record("stop place begins ends rested", "work start leave late leg_m")
SERVED = record("option van", "")

ONBOARD, BEFORE, AFTER = range(3)
"""Loads of a position: on the way out of it, and the heaviest up to there and from there on, between reloads."""


class Work(NamedTuple):
    """What every compiled step is handed: the day, as in ``Figures``, the tours it changes, and its chance.

    Sequences (``entries``) and ``served`` are the truth, the rest is derived. ``beyond`` counts requests served at a
    worse option than each level; ``net`` is, by van, position and size, deliveries less parcels fetched of that size or
    larger; ``used`` what visits need beyond what they free themselves, by room and size.
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
    entries: Ints
    tours: Records
    visits: Records
    served: Records
    beyond: Ints
    used: Ints
    loads: Floats
    peak: Floats
    net: Ints
    chance: Stream


def idle(f: Figures, chance: Stream) -> Work:
    """Every van at its depot with its breaks before it, every request unserved."""
    vans, columns = len(f.vans), _longest(f)
    dimensions, sizes = f.capacity.shape[1], f.room_free.shape[1]
    w = Work(
        *f,
        entries=np.zeros((vans, columns), dtype=np.int64),
        tours=np.zeros(vans, dtype=TOUR).view(np.recarray),
        visits=np.zeros((vans, columns), dtype=VISIT).view(np.recarray),
        served=np.full(len(f.requests), UNBOUND, dtype=SERVED).view(np.recarray),
        beyond=np.zeros(len(f.most_worse), dtype=np.int64),
        used=np.zeros(f.room_free.shape, dtype=np.int64),
        loads=np.zeros((vans, columns, 3, dimensions), dtype=np.float64),
        peak=np.zeros((vans, dimensions), dtype=np.float64),
        net=np.zeros((vans, columns, sizes), dtype=np.int64),
        chance=chance,
    )
    for van in range(vans):
        rests = int(f.vans[van].last_break - f.vans[van].first_break)
        w.entries[van, :rests] = FIRST_BREAK - np.arange(rests)
        w.tours[van].length = rests
        refresh(w, van)
    return w


def _longest(f: Figures) -> int:
    """Columns that no feasible sequence outgrows: as many of the lightest requests as a van can carry at once."""
    most = 0
    for is_delivery in (0, 1):
        loads = np.sort(f.load[f.requests.is_delivery == is_delivery], axis=0).cumsum(axis=0)
        room = f.capacity.max(axis=0) + ROUNDING
        most += min((int(np.searchsorted(loads[:, at], room[at], side="right")) for at in range(len(room))), default=0)
    trips = 1 + int(f.vans.reloads.max(initial=0))
    breaks = int((f.vans.last_break - f.vans.first_break).max(initial=0))
    return min(len(f.requests), most * trips) + trips + breaks + 4


@compiled
def refresh(w: Work, van: int) -> bool:
    """Derive everything about a tour from its sequence. False when it comes late somewhere or carries too much."""
    _count_rooms(w, van, -1)
    _lay_out(w, van)
    _count_rooms(w, van, 1)
    in_time = _time(w, van)
    is_sound = _weigh(w, van) and in_time
    w.tours[van].is_sound = is_sound
    return is_sound


@inner
def _lay_out(w: Work, van: int) -> None:
    at, tour, home = 0, w.tours[van], w.vans[van].home
    visit = w.visits[van, 0]
    visit.stop, visit.place, visit.work = AT_DEPOT, w.vans[van].start, 0.0
    visit.begins, visit.ends, visit.rested = 0, 0, 0
    for column in range(tour.length):
        entry = w.entries[van, column]
        if entry <= FIRST_BREAK:
            w.visits[van, at].rested += 1
            continue
        here = AT_DEPOT if entry == RELOAD else w.options[w.served[entry].option].stop
        if here == AT_DEPOT or here != w.visits[van, at].stop:
            at += 1
            visit = w.visits[van, at]
            visit.stop, visit.begins, visit.rested = here, column, w.visits[van, at - 1].rested
            visit.place = home if here == AT_DEPOT else w.stops[here].place
            visit.work = w.vans[van].reload_s if here == AT_DEPOT else w.stops[here].service
            for size in range(w.net.shape[2]):
                w.net[van, at, size] = 0
        w.visits[van, at].ends = column + 1
        if entry >= 0:
            w.visits[van, at].work += w.options[w.served[entry].option].work
            if w.stops[here].room != UNBOUND:
                for size in range(w.requests[entry].rank + 1):
                    w.net[van, at, size] += 1 if w.requests[entry].is_delivery else -1
    tour.last = at
    visit = w.visits[van, at + 1]
    visit.stop, visit.place, visit.begins, visit.ends = AT_DEPOT, home, tour.length, tour.length
    tour.metres = 0.0
    for pos in range(at + 1):
        leg_m = w.ways[METRES, w.visits[van, pos].place, w.visits[van, pos + 1].place]
        w.visits[van, pos].leg_m = leg_m if at > 0 or w.vans[van].is_begun else 0.0
        tour.metres += w.visits[van, pos].leg_m


@inner
def _count_rooms(w: Work, van: int, sign: int) -> None:
    for pos in range(1, w.tours[van].last + 1):
        here = w.visits[van, pos].stop
        if here == AT_DEPOT or w.stops[here].room == UNBOUND:
            continue
        unmet = 0
        for size in range(w.net.shape[2] - 1, -1, -1):
            unmet = max(unmet, w.net[van, pos, size])
            w.used[w.stops[here].room, size] += sign * unmet


@inner
def _time(w: Work, van: int) -> bool:
    """Earliest times forward, latest backward. Breaks between visits are taken, those after the last one if owed."""
    its, last = w.vans[van], w.tours[van].last
    w.visits[van, last + 1].late = its.closes
    visit = w.visits[van, 0]
    visit.start = visit.leave = its.opens
    if last > 0 and visit.rested > 0:
        visit.leave = _rest(w, (its.first_break, its.first_break + visit.rested), its.opens)
    in_time = True
    for pos in range(1, last + 1):
        before, visit = w.visits[van, pos - 1], w.visits[van, pos]
        is_reload = visit.stop == AT_DEPOT
        visit.late = its.depot_due if is_reload else w.stops[visit.stop].due
        ready = its.depot_ready if is_reload else w.stops[visit.stop].ready
        visit.start = max(ready, before.leave + w.ways[SECONDS, before.place, visit.place])
        in_time = in_time and visit.start <= visit.late + ROUNDING
        visit.leave = visit.start + visit.work
        if pos < last and visit.rested > before.rested:
            visit.leave = _rest(w, (its.first_break + before.rested, its.first_break + visit.rested), visit.leave)
    for pos in range(last, 0, -1):
        visit, after = w.visits[van, pos], w.visits[van, pos + 1]
        visit.late = min(visit.late, after.late - w.ways[SECONDS, visit.place, after.place] - visit.work)
    w.tours[van].back = _back(w, van, last)
    return last == 0 or (in_time and w.tours[van].back <= its.closes + ROUNDING)


@inner
def _rest(w: Work, breaks: tuple[int, int], at_s: float) -> float:
    """When a van that is ready to go at ``at_s`` has taken these breaks; never, when it is too late for one."""
    for rest in range(breaks[0], breaks[1]):
        if at_s > w.breaks[rest].latest + ROUNDING:
            return np.inf
        at_s = max(at_s, w.breaks[rest].earliest) + w.breaks[rest].length
    return at_s


@inner
def _back(w: Work, van: int, last: int) -> float:
    """When the van is home, after as many of its remaining breaks as it owes."""
    at_s, home_s = w.visits[van, last].leave, w.ways[SECONDS, w.visits[van, last].place, w.vans[van].home]
    first = w.vans[van].first_break + (w.visits[van, last - 1].rested if last > 0 else 0)
    for rest in range(first, w.vans[van].last_break):
        if at_s + home_s <= w.breaks[rest].latest + ROUNDING:
            break
        at_s = _rest(w, (rest, rest + 1), at_s)
    return float(at_s + home_s)


@inner
def _weigh(w: Work, van: int) -> bool:
    """The load on the way out of each position, and the heaviest on the ways before and after it up to a reload."""
    last, fits = w.tours[van].last, True
    for dimension in range(w.capacity.shape[1]):
        carried = 0.0
        for pos in range(last, -1, -1):
            w.loads[van, pos, ONBOARD, dimension] = carried
            carried = 0.0 if w.visits[van, pos].stop == AT_DEPOT else carried + _moved(w, (van, pos, 1), dimension)
        carried, peak = w.collected[van, dimension], 0.0
        for pos in range(last + 1):
            load, is_depot = w.loads[van, pos], w.visits[van, pos].stop == AT_DEPOT
            if pos > 0:
                carried = 0.0 if is_depot else carried + _moved(w, (van, pos, 0), dimension)
            load[ONBOARD, dimension] += carried
            heaviest = load[ONBOARD, dimension]
            load[BEFORE, dimension] = heaviest if is_depot else max(heaviest, w.loads[van, pos - 1, BEFORE, dimension])
            peak = max(peak, heaviest)
        for pos in range(last, -1, -1):
            heaviest = w.loads[van, pos, ONBOARD, dimension]
            if w.visits[van, pos + 1].stop != AT_DEPOT:
                heaviest = max(heaviest, w.loads[van, pos + 1, AFTER, dimension])
            w.loads[van, pos, AFTER, dimension] = heaviest
        w.peak[van, dimension] = peak
        fits = fits and peak <= w.capacity[van, dimension] + ROUNDING
    return fits


@inner
def _moved(w: Work, where: tuple[int, int, int], dimension: int) -> float:
    """What a visit takes off the van (1) or onto it (0)."""
    van, pos, is_delivery = where
    moved = 0.0
    for column in range(w.visits[van, pos].begins, w.visits[van, pos].ends):
        entry = w.entries[van, column]
        if entry >= 0 and w.requests[entry].is_delivery == is_delivery:
            moved += w.load[entry, dimension]
    return moved


@inner
def put(w: Work, entry: int, where: tuple[int, int]) -> bool:
    """Put an entry into a van's sequence at a column and refresh the tour; whether it is feasible."""
    van, column = where
    for at in range(w.tours[van].length, column, -1):
        w.entries[van, at] = w.entries[van, at - 1]
    w.entries[van, column] = entry
    w.tours[van].length += 1
    if entry >= 0:
        w.served[entry].van = van
    return refresh(w, van)


@inner
def take(w: Work, where: tuple[int, int]) -> bool:
    """Take the entry at a column out of a van's sequence and refresh the tour; whether it is feasible."""
    van, column = where
    for at in range(column, w.tours[van].length - 1):
        w.entries[van, at] = w.entries[van, at + 1]
    w.tours[van].length -= 1
    return refresh(w, van)


@inner
def choose(w: Work, request: int, option: int) -> None:
    """Note which option (or ``UNBOUND``) a request is served by, and count it among those beyond each level."""
    chosen = w.served[request].option
    if chosen != UNBOUND:
        for level in range(w.options[chosen].level):
            w.beyond[level] -= 1
    if option != UNBOUND:
        for level in range(w.options[option].level):
            w.beyond[level] += 1
    w.served[request].option = option
