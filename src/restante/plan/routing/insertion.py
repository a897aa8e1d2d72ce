"""Where a request fits best: every option, every tour, every gap; and how the requests without a tour take turns."""

import numpy as np

from restante.plan.compiled import holding, inner
from restante.plan.routing.chance import uniform
from restante.plan.routing.figures import METRES, METRES_INTO, SECONDS, SECONDS_INTO, UNBOUND, Flags, Floats, Ints
from restante.plan.routing.routes import AFTER, BEFORE, ROUNDING, Work, choose, put, take

NEVER = np.inf
BLINK = 0.01
"""How often the best gap so far is overlooked, so that the same ruin is not always built up the same way."""

FAR = 1e5
"""Metres that stand for a tour that takes the request nowhere, when regret is counted."""


@inner
def best_spot(w: Work, request: int, van: int) -> tuple[float, int, int]:
    """Metres, option and column of the cheapest insertion of a request into one tour; infinite metres where none is."""
    best_m, best_option, best_column = NEVER, UNBOUND, 0
    if not _may_carry(w, request, van):
        return best_m, best_option, best_column
    for option in range(w.requests[request].first, w.requests[request].last):
        if is_liked(w, option):
            extra_m, column = _best_gap(w, (request, option), (van, best_m))
            if extra_m < best_m:
                best_m, best_option, best_column = extra_m, option, column
    if w.requests[request].before != UNBOUND and w.requests[request].before != van:
        best_m += w.move_m
    return best_m, best_option, best_column


@inner
def is_liked(w: Work, option: int) -> bool:
    """Whether one more request may be served at this option's level."""
    level = 0
    while level < w.options[option].level and w.beyond[level] < w.most_worse[level]:
        level += 1
    return bool(level == w.options[option].level)


@inner
def has_room(w: Work, request: int, option: int) -> bool:
    """Whether the stop has a compartment for one more such parcel, without counting on what a visit frees."""
    room = w.stops[w.options[option].stop].room
    if room == UNBOUND or not w.requests[request].is_delivery:
        return True
    size = w.requests[request].rank
    while size >= 0 and w.used[room, size] < w.room_free[room, size]:
        size -= 1
    return bool(size < 0)


@inner
def _may_carry(w: Work, request: int, van: int) -> bool:
    if w.requests[request].aboard != UNBOUND:
        return bool(w.requests[request].aboard == van)
    return not (w.vans[van].is_begun and w.requests[request].is_delivery)


@inner
def _best_gap(w: Work, what: tuple[int, int], where: tuple[int, float]) -> tuple[float, int]:
    """The cheapest gap, or visit to join, for a request at one option, if it adds less than the metres given."""
    (request, option), (van, best_m) = what, where
    stop, work, best_column = w.options[option].stop, w.options[option].work, -1
    its, last = w.stops[stop], w.tours[van].last
    ready, due, service = its.ready, its.due, its.service + work
    out_m, into_m = w.ways[METRES, its.place], w.ways[METRES_INTO, its.place]
    out_s, into_s = w.ways[SECONDS, its.place], w.ways[SECONDS_INTO, its.place]
    room, is_tight = has_room(w, request, option), _is_tight(w, request, van)
    has_breaks = w.vans[van].last_break > w.vans[van].first_break
    for pos in range(last + 1):
        here, there = w.visits[van, pos], w.visits[van, pos + 1]
        if here.leave > due and not has_breaks:
            break
        is_join = here.stop == stop
        if not is_join and (there.stop == stop or not room):
            continue
        extra_m = 0.0 if is_join else into_m[here.place] + out_m[there.place] - here.leg_m
        if extra_m >= best_m:
            continue
        column = here.ends
        if has_breaks:
            column = _driven_column(w, (request, option), (van, pos))
            if column < 0:
                continue
        else:
            begins_s = max(ready, here.leave + into_s[here.place])
            ends_s = here.leave + work if is_join else begins_s + service
            if ends_s + out_s[there.place] > there.late + ROUNDING or (begins_s > due + ROUNDING and not is_join):
                continue
            if is_tight and not _can_carry(w, request, (van, pos, is_join)):
                continue
            if is_join and not room and not _has_room_joining(w, request, (van, pos)):
                continue
        if best_column >= 0 and uniform(w.chance) < BLINK:
            continue
        best_m, best_column = extra_m, column
    return (best_m, best_column) if best_column >= 0 else (NEVER, 0)


@inner
def _is_tight(w: Work, request: int, van: int) -> bool:
    """Whether the load could be too much somewhere in the tour, so that each gap has to be looked at."""
    for dimension in range(w.capacity.shape[1]):
        if w.peak[van, dimension] + w.load[request, dimension] > w.capacity[van, dimension] + ROUNDING:
            return True
    return False


@inner
def _can_carry(w: Work, request: int, where: tuple[int, int, bool]) -> bool:
    """Whether the van carries one more parcel up to the gap after a position (or the visit there), or from there on."""
    van, pos, is_join = where
    for dimension in range(w.capacity.shape[1]):
        if not w.requests[request].is_delivery:
            heaviest = w.loads[van, pos, AFTER, dimension]
        else:
            heaviest = w.loads[van, pos - 1 if is_join else pos, BEFORE, dimension]
        if heaviest + w.load[request, dimension] > w.capacity[van, dimension] + ROUNDING:
            return False
    return True


@inner
def _has_room_joining(w: Work, request: int, where: tuple[int, int]) -> bool:
    """Whether what the visit frees itself, with what is left at the stop, takes one more delivery."""
    net, room = w.net[where[0], where[1]], w.stops[w.visits[where[0], where[1]].stop].room
    unmet, unmet_then = 0, 0
    for size in range(len(net) - 1, -1, -1):
        unmet = max(unmet, net[size])
        unmet_then = max(unmet_then, net[size] + (1 if size <= w.requests[request].rank else 0))
        if w.used[room, size] - unmet + unmet_then > w.room_free[room, size]:
            return False
    return True


@inner
def _driven_column(w: Work, what: tuple[int, int], where: tuple[int, int]) -> int:
    """The first column after a position, before or after the breaks there, where the tour stays feasible, or -1."""
    (request, option), (van, pos) = what, where
    found = -1
    for column in range(w.visits[van, pos].ends, w.visits[van, pos + 1].begins + 1):
        w.served[request].option = option
        is_feasible = put(w, request, (van, column)) and _rooms_suffice(w, option)
        take(w, (van, column))
        w.served[request].option = UNBOUND
        if is_feasible:
            found = column
            break
    w.served[request].van = UNBOUND
    return found


@inner
def _rooms_suffice(w: Work, option: int) -> bool:
    room = w.stops[w.options[option].stop].room
    if room != UNBOUND:
        for size in range(w.used.shape[1]):
            if w.used[room, size] > w.room_free[room, size]:
                return False
    return True


@inner
def may_try(w: Work, van: int, most_vans: int) -> bool:
    """Whether a tour is worth a look: it is out already, or the first idle van of its kind and one more may go out."""
    if w.tours[van].last > 0 or w.vans[van].is_begun:
        return True
    out = 0
    for other in range(len(w.vans)):
        is_out = w.tours[other].last > 0 or w.vans[other].is_begun
        out += is_out
        if other < van and not is_out and w.vans[other].kind == w.vans[van].kind:
            return False
    return out < most_vans


@inner
def serve(w: Work, request: int, spot: tuple[int, int, int]) -> None:
    """Insert a request: option, van, column."""
    option, van, column = spot
    choose(w, request, option)
    put(w, request, (van, column))


@inner
def insert_in_turn(w: Work, lot: Ints, most_vans: int) -> int:
    """Give each request, in its order, the cheapest spot; how many found none. Those come first in the lot."""
    unserved = 0
    for at in range(len(lot)):
        request = lot[at]
        best_m, option, van, column = NEVER, UNBOUND, 0, 0
        for candidate in range(len(w.vans)):
            if may_try(w, candidate, most_vans):
                extra_m, its_option, its_column = best_spot(w, request, candidate)
                if extra_m < best_m:
                    best_m, option, van, column = extra_m, its_option, candidate, its_column
        if best_m < NEVER:
            serve(w, request, (option, van, column))
        else:
            lot[unserved] = request
            unserved += 1
    return unserved


@holding
def insert_by_regret(w: Work, lot: Ints, limits: tuple[int, int]) -> int:
    """Insert first whoever would lose most by waiting: the metres by which the next best tours are worse than the best.

    ``limits`` are the most vans and how many next best tours count (Potvin, Rousseau: EJOR 66, 1993). How many requests
    found no spot; those come first in the lot.
    """
    vans, waiting = len(w.vans), len(lot)
    metres = np.full((waiting, vans), NEVER)
    options, columns = np.zeros((waiting, vans), dtype=np.int64), np.zeros((waiting, vans), dtype=np.int64)
    is_done, is_fresh = np.zeros(waiting, dtype=np.bool_), np.ones(waiting, dtype=np.bool_)
    for at in range(waiting):
        _look_everywhere(w, (lot[at], limits[0]), (metres[at], options[at], columns[at]))
    while True:
        at = _most_regret(metres, is_done, limits[1])
        if at < 0:
            break
        request, van = lot[at], int(np.argmin(metres[at]))
        if not (is_fresh[at] or (has_room(w, request, options[at, van]) and is_liked(w, options[at, van]))):
            _look_everywhere(w, (request, limits[0]), (metres[at], options[at], columns[at]))
            is_fresh[at] = True
            continue
        was_idle = w.tours[van].last == 0
        serve(w, request, (options[at, van], van, columns[at, van]))
        is_done[at] = True
        for other in range(waiting):
            if not is_done[other]:
                where = (metres[other], options[other], columns[other])
                if was_idle:
                    _look_everywhere(w, (lot[other], limits[0]), where)
                else:
                    _look(w, (lot[other], van), where)
                is_fresh[other] = was_idle
    return _keep_unserved(lot, is_done)


@inner
def _look_everywhere(w: Work, what: tuple[int, int], where: tuple[Floats, Ints, Ints]) -> None:
    request, most_vans = what
    for van in range(len(w.vans)):
        where[0][van] = NEVER
        if may_try(w, van, most_vans):
            _look(w, (request, van), where)


@inner
def _look(w: Work, what: tuple[int, int], where: tuple[Floats, Ints, Ints]) -> None:
    request, van = what
    where[0][van], where[1][van], where[2][van] = best_spot(w, request, van)


@inner
def _most_regret(metres: Floats, is_done: Flags, ranks: int) -> int:
    """Who loses most by waiting among those that have a spot, or -1; of equals, who adds least."""
    best, most, least = -1, -NEVER, NEVER
    for at in range(len(is_done)):
        if is_done[at]:
            continue
        cost, regret = _regret(metres[at], ranks)
        if cost < NEVER and (regret > most or (regret == most and cost < least)):
            best, most, least = at, regret, cost
    return best


@inner
def _regret(costs: Floats, ranks: int) -> tuple[float, float]:
    """The least cost, and by how much the second (and, of three ranks, the third) is above it."""
    first = second = third = NEVER
    for cost in costs:
        if cost < first:
            first, second, third = cost, first, second
        elif cost < second:
            second, third = cost, second
        elif cost < third:
            third = cost
    regret = 0.0
    if len(costs) > 1:
        regret += min(second, FAR) - first
    if len(costs) > 2 and ranks > 2:
        regret += min(third, FAR) - first
    return first, regret


@inner
def _keep_unserved(lot: Ints, is_done: Flags) -> int:
    unserved = 0
    for at in range(len(lot)):
        if not is_done[at]:
            lot[unserved] = lot[at]
            unserved += 1
    return unserved
