"""The inner loop of the search: ruin, recreate, and go on from what is not much worse.

Simulated annealing (Kirkpatrick, Gelatt, Vecchi, Science 220, 1983): the worse a result, the rarer it is gone on from.
While requests are left without a tour, those count that have been left out most often before (Christiaens and Vanden
Berghe 2020).
"""

from typing import NamedTuple

import numpy as np

from restante.plan.compiled import compiled, inner
from restante.plan.routing import removal
from restante.plan.routing.chance import below, uniform
from restante.plan.routing.figures import METRES, UNBOUND, Flags, Floats, Ints
from restante.plan.routing.insertion import has_room, insert_by_regret, insert_in_turn, is_liked
from restante.plan.routing.pool import Pool, remember
from restante.plan.routing.routes import RELOAD, Work, choose, put, refresh, take

MOST_REMOVED = 64
STRINGS, NEIGHBOURS, ANY, LOCKER, TOUR = 0.62, 0.76, 0.86, 0.95, 1.0
"""Which share of the ruins is of which kind, added up."""

IN_TURN_SHARE = 0.8
STRICTER, LAXER = 1.02, 0.99
"""Factors of the penalty after going on from a solution that leaves somebody out, and from one that does not."""


class Kept(NamedTuple):
    """A solution put aside: sequences, their lengths, the options chosen; how many are unserved, and the metres."""

    entries: Ints
    length: Ints
    chosen: Ints
    unserved: Ints
    metres: Floats


class Trail(NamedTuple):
    """Where a search stands, the best that it has met, and how often each request was left out.

    ``penalty_m`` is what a request left out counts like, while a search that has served everybody passes through
    solutions that do not; it follows how many of those it goes on from.
    """

    current: Kept
    best: Kept
    missed: Ints
    penalty_m: Floats


class Leg(NamedTuple):
    """A part of a search: how many iterations, how many metres worse is let through on average, and the most vans."""

    iterations: int
    heat_m: float
    most_vans: int


def new_trail(w: Work) -> Trail:
    """A search that stands where the tours stand now."""

    def kept() -> Kept:
        metres = np.array([total_m(w)])
        unserved = np.array([(w.served.option == UNBOUND).sum()], dtype=np.int64)
        return Kept(w.entries.copy(), w.tours.length.copy(), w.served.option.copy(), unserved, metres)

    penalty_m = np.array([2.0 * total_m(w) / max(1, len(w.served))])
    return Trail(kept(), kept(), np.ones(len(w.served), dtype=np.int64), penalty_m)


@compiled
def total_m(w: Work) -> float:
    """The metres of all tours, and what requests on another van than before cost on top."""
    total = 0.0
    for van in range(len(w.tours)):
        total += w.tours[van].metres
    if w.move_m > 0.0:
        for request in range(len(w.served)):
            before, van = w.requests[request].before, w.served[request].van
            if before != UNBOUND and van not in (UNBOUND, before):
                total += w.move_m
    return float(total)


@compiled
def advance(w: Work, t: Trail, search: tuple[Pool, Leg]) -> int:
    """Go on for some iterations, or until nobody is left unserved who was before; how many were done."""
    pool, leg = search
    requests = len(w.served)
    lot, keys = np.empty(requests, dtype=np.int64), np.empty(requests)
    is_touched = np.zeros(len(w.vans), dtype=np.bool_)
    had_unserved = t.best.unserved[0] > 0
    for iteration in range(leg.iterations):
        count = _pick(w, lot[:MOST_REMOVED])
        _set_all(is_touched, False)
        removal.release(w, lot[:count], is_touched)
        count = _unserved(w, lot)
        unserved = _recreate(w, (lot[:count], keys[:count]), leg.most_vans)
        unserved = _insert_after_reloads(w, lot[:unserved])
        _mark_changed(w, t.current, is_touched)
        metres = total_m(w)
        heat_m = -leg.heat_m * np.log(1.0 - uniform(w.chance))
        if _is_sound(w) and _is_accepted(t, (lot[:unserved], metres), heat_m):
            _keep(w, t.current, is_touched)
            t.current.unserved[0], t.current.metres[0] = unserved, metres
            for van in range(len(is_touched)):
                if is_touched[van]:
                    remember(w, pool, van)
            if (unserved, metres) < (t.best.unserved[0], t.best.metres[0] - 1e-7):
                _set_all(is_touched, True)
                _keep(w, t.best, is_touched)
                t.best.unserved[0], t.best.metres[0] = unserved, metres
                if had_unserved and unserved == 0:
                    return iteration + 1
        else:
            _return(w, t.current, is_touched)
        for request in lot[:unserved]:
            t.missed[request] += 1
    return leg.iterations


@inner
def _pick(w: Work, lot: Ints) -> int:
    kind = uniform(w.chance)
    if kind < STRINGS:
        return removal.pick_strings(w, lot)
    if kind < NEIGHBOURS:
        return removal.pick_neighbours(w, lot)
    if kind < ANY:
        return removal.pick_any(w, lot)
    if kind < LOCKER:
        return removal.pick_locker(w, lot)
    return removal.pick_tour(w, lot)


@inner
def _unserved(w: Work, lot: Ints) -> int:
    count = 0
    for request in range(len(w.served)):
        if w.served[request].option == UNBOUND:
            lot[count] = request
            count += 1
    return count


@inner
def _recreate(w: Work, what: tuple[Ints, Floats], most_vans: int) -> int:
    """Insert the lot, in turn by one of several orders (keys have room for it) or by regret; how many found no spot."""
    lot, keys = what
    if uniform(w.chance) < IN_TURN_SHARE:
        _order(w, lot, keys)
        return insert_in_turn(w, lot, most_vans)
    return insert_by_regret(w, lot, (most_vans, 2 + below(w.chance, 2)))


@inner
def _order(w: Work, lot: Ints, keys: Floats) -> None:
    """At random, or the heaviest, the farthest, the nearest, the least flexible first."""
    kind = below(w.chance, 12)
    for at in range(len(lot)):
        request = lot[at]
        stop = w.options[w.requests[request].first].stop
        if kind < 4:
            keys[at] = uniform(w.chance)
        elif kind < 7:
            keys[at] = -w.load[request].sum() + 1e-6 * uniform(w.chance)
        elif kind < 9:
            keys[at] = -w.ways[METRES, w.vans[0].start, w.stops[stop].place]
        elif kind < 10:
            keys[at] = w.ways[METRES, w.vans[0].start, w.stops[stop].place]
        else:
            keys[at] = 0.0
            for option in range(w.requests[request].first, w.requests[request].last):
                keys[at] += w.stops[w.options[option].stop].due - w.stops[w.options[option].stop].ready
    _sort(lot, keys)


@inner
def _sort(lot: Ints, keys: Floats) -> None:
    """By rising keys. Lots are short, and the library's sorting takes longer to compile than all of this file."""
    for end in range(1, len(lot)):
        at, request, key = end, lot[end], keys[end]
        while at > 0 and keys[at - 1] > key:
            lot[at], keys[at] = lot[at - 1], keys[at - 1]
            at -= 1
        lot[at], keys[at] = request, key


@inner
def _set_all(flags: Flags, value: bool) -> None:
    for at in range(len(flags)):
        flags[at] = value


@inner
def _mark_changed(w: Work, kept: Kept, is_touched: Flags) -> None:
    """Mark the vans whose sequence is no longer the one put aside."""
    for van in range(len(is_touched)):
        if w.tours[van].length != kept.length[van]:
            is_touched[van] = True
        elif not is_touched[van]:
            for column in range(kept.length[van]):
                if w.entries[van, column] != kept.entries[van, column]:
                    is_touched[van] = True
                    break


@inner
def _is_accepted(t: Trail, new: tuple[Ints, float], heat_m: float) -> bool:
    left_out, metres = new
    if t.best.unserved[0] == 0:
        now_m = t.current.metres[0] + t.current.unserved[0] * t.penalty_m[0]
        is_near = metres + len(left_out) * t.penalty_m[0] < now_m + heat_m
        if is_near:
            t.penalty_m[0] *= STRICTER if len(left_out) > 0 else LAXER
        return bool(is_near)
    if len(left_out) == 0:
        return True
    missed, missed_now = 0, 0
    for request in left_out:
        missed += t.missed[request]
    for request in range(len(t.missed)):
        if t.current.chosen[request] == UNBOUND:
            missed_now += t.missed[request]
    is_shorter = metres < t.current.metres[0] + heat_m
    return bool(missed < missed_now or (missed == missed_now and is_shorter))


@inner
def _is_sound(w: Work) -> bool:
    """Whether every tour is in time and no compartment is taken twice, which what a removed parcel freed could be."""
    for van in range(len(w.tours)):
        if w.tours[van].is_sound == 0:
            return False
    for room in range(w.used.shape[0]):
        for size in range(w.used.shape[1]):
            if w.used[room, size] > w.room_free[room, size]:
                return False
    return True


@inner
def _insert_after_reloads(w: Work, lot: Ints) -> int:
    """Send vans that may reload back to the depot after their tours, for who has no spot; how many still have none."""
    unserved = 0
    for at in range(len(lot)):
        is_served = False
        for van in range(len(w.vans)):
            if not is_served and w.tours[van].last > 0 and _reloads(w, van) < w.vans[van].reloads:
                is_served = _insert_after_reload(w, lot[at], van)
        if not is_served:
            lot[unserved] = lot[at]
            unserved += 1
    return unserved


@inner
def _reloads(w: Work, van: int) -> int:
    count = 0
    for column in range(w.tours[van].length):
        count += w.entries[van, column] == RELOAD
    return count


@inner
def _insert_after_reload(w: Work, request: int, van: int) -> bool:
    if w.requests[request].aboard != UNBOUND:
        return False
    column = w.tours[van].length
    put(w, RELOAD, (van, column))
    for option in range(w.requests[request].first, w.requests[request].last):
        if is_liked(w, option) and has_room(w, request, option):
            choose(w, request, option)
            if put(w, request, (van, column + 1)):
                return True
            take(w, (van, column + 1))
            choose(w, request, UNBOUND)
            w.served[request].van = UNBOUND
    take(w, (van, column))
    return False


@inner
def _keep(w: Work, kept: Kept, which: Flags) -> None:
    for van in range(len(which)):
        if which[van]:
            kept.length[van] = w.tours[van].length
            for column in range(w.tours[van].length):
                kept.entries[van, column] = w.entries[van, column]
    for request in range(len(w.served)):
        kept.chosen[request] = w.served[request].option


@inner
def _return(w: Work, kept: Kept, which: Flags) -> None:
    """Put the marked vans back as they were put aside."""
    for request in range(len(kept.chosen)):
        if w.served[request].option != kept.chosen[request]:
            choose(w, request, kept.chosen[request])
            if kept.chosen[request] == UNBOUND:
                w.served[request].van = UNBOUND
    for van in range(len(which)):
        if which[van]:
            w.tours[van].length = kept.length[van]
            for column in range(kept.length[van]):
                entry = kept.entries[van, column]
                w.entries[van, column] = entry
                if entry >= 0:
                    w.served[entry].van = van
            refresh(w, van)


@compiled
def stand_at(w: Work, kept: Kept) -> None:
    """Make the tours what was put aside."""
    _return(w, kept, np.ones(len(w.vans), dtype=np.bool_))
