"""Which requests are taken out of their tours, to be built in anew: strings, neighbours, tours, lockers, any.

Strings of neighbouring tours follow the published description of Christiaens and Vanden Berghe (Transportation Science
54, 2020); the kinds beside them that of Dumez, Lehuédé and Péton (Transportation Research B 144, 2021).
"""

from restante.plan.compiled import inner
from restante.plan.routing.chance import below, uniform
from restante.plan.routing.figures import UNBOUND, Flags, Ints
from restante.plan.routing.routes import FIRST_BREAK, RELOAD, Work, choose, refresh

LONGEST_STRING = 10
MEAN_REMOVED = 10
SPLIT_SHARE = 0.5
LONGER_GAP_SHARE = 0.99


@inner
def release(w: Work, lot: Ints, is_touched: Flags) -> None:
    """Take the requests of the lot out of their tours, and mark the vans of these."""
    for request in lot:
        is_touched[w.served[request].van] = True
        choose(w, request, UNBOUND)
        w.served[request].van = UNBOUND
    for van in range(len(w.vans)):
        if is_touched[van]:
            _close_up(w, van)


@inner
def _close_up(w: Work, van: int) -> None:
    """Drop from a sequence whoever is served no more, and reloads that nothing comes before or after."""
    kept = 0
    entries = w.entries[van]
    waiting = False
    for column in range(w.tours[van].length):
        entry = entries[column]
        if entry >= 0 and w.served[entry].option == UNBOUND:
            continue
        if entry == RELOAD and not waiting:
            continue
        waiting = entry >= 0 or (waiting and entry != RELOAD)
        entries[kept] = entry
        kept += 1
    at = kept - 1
    while at >= 0 and entries[at] <= FIRST_BREAK:
        at -= 1
    if at >= 0 and entries[at] == RELOAD:
        for column in range(at, kept - 1):
            entries[column] = entries[column + 1]
        kept -= 1
    w.tours[van].length = kept
    refresh(w, van)


@inner
def pick_strings(w: Work, lot: Ints) -> int:
    """Strings of a few tours around one request; how many requests of them stand in the lot now."""
    served, out = 0, 0
    for van in range(len(w.vans)):
        out += w.tours[van].last > 0
    for request in range(len(w.served)):
        served += w.served[request].option != UNBOUND
    if served == 0:
        return 0
    longest = min(LONGEST_STRING, max(1, served // max(1, out)))
    strings = int(uniform(w.chance) * (4.0 * MEAN_REMOVED / (1.0 + longest))) + 1
    count, cut = 0, 0
    for request in w.near[below(w.chance, len(w.served))]:
        van = w.served[request].van
        if van == UNBOUND or _is_cut(w, van, lot[:count]):
            continue
        count = _cut(w, (request, longest), lot[count:]) + count
        cut += 1
        if cut >= strings or count + LONGEST_STRING >= len(lot):
            break
    return count


@inner
def _is_cut(w: Work, van: int, lot: Ints) -> bool:
    """Whether somebody of the lot is served by this van."""
    found = 0
    for request in lot:
        found += w.served[request].van == van
    return found > 0


@inner
def _cut(w: Work, what: tuple[int, int], lot: Ints) -> int:
    """A string of at most so many requests around one in its tour; half of them keep a part in the middle."""
    request, longest = what
    van = w.served[request].van
    tour, here = 0, 0
    for column in range(w.tours[van].length):
        if w.entries[van, column] == request:
            here = tour
        tour += w.entries[van, column] >= 0
    size = below(w.chance, min(tour, longest)) + 1
    kept = 0
    if size > 1 and uniform(w.chance) < SPLIT_SHARE:
        while size + kept < tour and (kept == 0 or uniform(w.chance) > LONGER_GAP_SHARE):
            kept += 1
    span = size + kept
    first = max(0, here - span + 1)
    first += below(w.chance, min(here, tour - span) - first + 1)
    gap = first + (1 + below(w.chance, size - 1) if kept > 0 else span)
    at, count = 0, 0
    for column in range(w.tours[van].length):
        if w.entries[van, column] >= 0:
            if first <= at < first + span and not gap <= at < gap + kept:
                lot[count] = w.entries[van, column]
                count += 1
            at += 1
    return count


@inner
def pick_neighbours(w: Work, lot: Ints) -> int:
    """A request and such as are near it, nearer ones more likely."""
    near = w.near[below(w.chance, len(w.served))]
    wanted = min(len(lot), 2 + below(w.chance, 2 * MEAN_REMOVED))
    count = 0
    for request in near:
        if w.served[request].option != UNBOUND and uniform(w.chance) < 0.8:
            lot[count] = request
            count += 1
            if count == wanted:
                break
    return count


@inner
def pick_any(w: Work, lot: Ints) -> int:
    """Requests from anywhere."""
    wanted, count = min(len(lot), 1 + below(w.chance, 2 * MEAN_REMOVED)), 0
    for _ in range(wanted):
        request = below(w.chance, len(w.served))
        if w.served[request].option != UNBOUND and not _holds(lot[:count], request):
            lot[count] = request
            count += 1
    return count


@inner
def _holds(lot: Ints, request: int) -> bool:
    """Whether the request stands in the lot."""
    found = 0
    for one in lot:
        found += one == request
    return found > 0


@inner
def pick_tour(w: Work, lot: Ints) -> int:
    """All of one tour, as far as the lot holds them."""
    van, count = below(w.chance, len(w.vans)), 0
    for _ in range(len(w.vans)):
        if w.tours[van].last > 0:
            break
        van = (van + 1) % len(w.vans)
    for column in range(w.tours[van].length):
        if w.entries[van, column] >= 0 and count < len(lot):
            lot[count] = w.entries[van, column]
            count += 1
    return count


@inner
def pick_locker(w: Work, lot: Ints) -> int:
    """Some of those served at one shared stop, and some who could be served there."""
    rooms = len(w.room_free)
    if rooms == 0:
        return pick_any(w, lot)
    room, share = below(w.chance, rooms), 0.2 + 0.8 * uniform(w.chance)
    wanted = min(len(lot), 2 + below(w.chance, 3 * MEAN_REMOVED))
    offset, count = below(w.chance, len(w.served)), 0
    for step in range(len(w.served)):
        request = (offset + step) % len(w.served)
        if w.served[request].option == UNBOUND or uniform(w.chance) > share or count == wanted:
            continue
        for option in range(w.requests[request].first, w.requests[request].last):
            if w.stops[w.options[option].stop].room == room:
                lot[count] = request
                count += 1
                break
    return count
