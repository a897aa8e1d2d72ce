"""A day as PyVRP reads it: whole numbers, an option for a client, a request for a group of clients.

What a visit costs but once lies on the ways into its stop from others, so that neighbours at one stop pay it once.
Every number is rounded to the safe side, seconds and loads up, ends of windows and capacities down: what PyVRP holds
for feasible can be driven. A visit's later parcels have to begin within its window too, which the rules do not ask; so
some plans are not seen.
"""

from collections.abc import Iterator, Sequence
from typing import Any, Final, NamedTuple, cast

import numpy as np
from pyvrp import (
    Activity,
    Client,
    ClientGroup,
    Depot,
    Location,
    ProblemData,
    Solution,
    VehicleType,
)

from restante.plan.routing.day import Day, Errand, Matrix, Van
from restante.plan.routing.driving import Entry
from restante.plan.routing.figures import Ints, kinds
from restante.plan.routing.proposal import Choice
from restante.plan.routing.routes import RELOAD

SCALE: Final = 100
"""Whole numbers are hundredths of seconds, metres and units of load."""

EXACT: Final = 1e-6
"""What may be an error of rounding is not rounded on."""

FIXED_TRIPS: Final = 2.0
"""What a van costs where few vans are asked for, in the longest ways there and back: enough to be saved by a detour."""


class Expressed(NamedTuple):
    """A day for PyVRP: what each client stands for, its matrices (depots first, then options), and the rest as it is.

    ``van_of`` lists, for each vehicle type, the vans that are of it.
    """

    choices: tuple[Choice, ...]
    metres: Ints
    seconds: Ints
    clients: tuple[Client, ...]
    groups: tuple[ClientGroup, ...]
    depots: tuple[Depot, ...]
    vans_of: tuple[tuple[int, ...], ...]
    types: tuple[VehicleType, ...]


def unsayable(day: Day) -> dict[str, str]:
    """What of a day PyVRP has no words for, by its field: breaks, and vans that are out with parcels aboard."""
    breaks = {f"vans[{at}].breaks": "PyVRP knows no breaks" for at, van in enumerate(day.vans) if van.breaks}
    begun = {f"vans[{at}].begun": "PyVRP knows no van that is out" for at, van in enumerate(day.vans) if van.begun}
    nothing = {} if day.vans and day.requests else {"requests": "PyVRP asks for a van and a request at least"}
    return breaks | begun | nothing


def expressed(day: Day) -> Expressed:
    """The day in PyVRP's words, without prices; of a day that ``unsayable`` finds nothing against."""
    options = [range(len(request.options)) for request in day.requests]
    choices = tuple(Choice(request, at) for request, its in enumerate(options) for at in its)
    stops = np.array([day.requests[one.request].options[one.option].stop for one in choices])
    places = np.array([*(depot.place for depot in day.depots), *(day.stops[stop].place for stop in stops)])
    metres = np.round(SCALE * day.metres[np.ix_(places, places)]).astype(np.int64)
    service_s = np.array([day.stops[stop].service_s for stop in stops])
    seconds = day.seconds[np.ix_(places, places)].copy()
    home = len(day.depots)
    is_another = np.vstack([np.ones((home, len(stops)), dtype=bool), stops[:, None] != stops[None, :]])
    seconds[:, home:] += is_another * service_s
    depots, vans_of, types = _fleet(day, metres[:home].max() + metres[:, :home].max())
    return Expressed(
        choices,
        _hollow(metres),
        _hollow(_up(seconds)),
        tuple(_clients(day, choices)),
        _groups(day),
        depots,
        vans_of,
        types,
    )


def _up(amounts: Matrix) -> Ints:
    return np.ceil(SCALE * amounts - EXACT).astype(np.int64)


def _hollow(matrix: Ints) -> Ints:
    """The matrix without ways from a place to itself, which PyVRP refuses."""
    np.fill_diagonal(matrix, 0)
    return matrix


def _later(seconds: float) -> int:
    return max(0, int(np.ceil(SCALE * seconds - EXACT)))


def _earlier(seconds: float) -> int:
    return max(0, int(np.floor(SCALE * seconds + EXACT)))


def _clients(day: Day, choices: Sequence[Choice]) -> Iterator[Client]:
    """One for each option; its service is what the parcel takes, begun when the stop's own is done."""
    for location, choice in enumerate(choices, len(day.depots)):
        request = day.requests[choice.request]
        option = request.options[choice.option]
        stop = day.stops[option.stop]
        load, none = [_later(amount) for amount in request.load], [0] * len(request.load)
        is_delivery, ready = request.errand is Errand.DELIVERY, _later(stop.ready_s + stop.service_s)
        yield Client(
            location,
            delivery=load if is_delivery else none,
            pickup=none if is_delivery else load,
            service_duration=_later(option.preparation_s),
            tw_early=ready,
            tw_late=max(ready, _earlier(stop.due_s + stop.service_s)),
            required=False,
            group=choice.request,
        )


def _groups(day: Day) -> tuple[ClientGroup, ...]:
    ends = np.cumsum([len(request.options) for request in day.requests])
    return tuple(
        ClientGroup(list(range(end - len(request.options), end)))
        for request, end in zip(day.requests, ends, strict=True)
    )


def _fleet(day: Day, longest: int) -> tuple[tuple[Depot, ...], tuple[tuple[int, ...], ...], tuple[VehicleType, ...]]:
    """Depots: those where tours begin and end, then those where a kind of van reloads. Vans by kind. The kinds."""
    depots = [Depot(at, _later(depot.ready_s), _earlier(depot.due_s)) for at, depot in enumerate(day.depots)]
    vans_of: dict[int, list[int]] = {}
    for at, kind in enumerate(kinds(day)):
        vans_of.setdefault(kind, []).append(at)
    types = []
    for vans in vans_of.values():
        van = day.vans[vans[0]]
        reloads = []
        if van.reloads:
            here = depots[van.depot]
            depots.append(Depot(van.depot, here.tw_early, here.tw_late, _later(van.reload_s)))
            reloads.append(len(depots) - 1)
        fixed = int(FIXED_TRIPS * longest) if day.vans_first else 0
        types.append(_kind(day, van, (len(vans), fixed, reloads)))
    return tuple(depots), tuple(tuple(vans) for vans in vans_of.values()), tuple(types)


def _kind(day: Day, van: Van, what: tuple[int, int, list[int]]) -> VehicleType:
    count, fixed, reloads = what
    depot = day.depots[van.depot]
    return VehicleType(
        count,
        capacity=[_earlier(amount) for amount in van.capacity],
        start_depot=van.depot,
        end_depot=van.depot,
        fixed_cost=fixed,
        tw_early=_later(max(van.opens_s, depot.ready_s)),
        tw_late=_earlier(min(van.closes_s, depot.due_s)),
        reload_depots=reloads,
        max_reloads=van.reloads,
    )


def priced(its: Expressed, prices: Ints, most_vans: int) -> ProblemData:
    """PyVRP's data when each option costs a price on the way into it; with no more vans than so many, if alike."""
    home = len(its.metres) - len(prices)
    metres = its.metres.copy()
    metres[:, home:] += prices
    types = list(its.types)
    if len(types) == 1:
        types = [types[0].replace(num_available=min(most_vans, types[0].num_available))]
    return ProblemData(
        [Location(0, 0)] * len(metres),
        list(its.clients),
        list(its.depots),
        types,
        cast(Any, [_hollow(metres)]),
        cast(Any, [its.seconds]),
        list(its.groups),
    )  # its types know no shape of an array


def taken(solution: Solution) -> list[int]:
    """The clients that a solution visits, which are options by their number through all requests."""
    return [one.idx for route in solution.routes() for one in route if one.is_client()]


def sequences(its: Expressed, solution: Solution) -> Iterator[tuple[int, list[Entry]]]:
    """What each van does in a solution: its number, and its entries in their order."""
    waiting = [list(vans) for vans in its.vans_of]
    for route in solution.routes():
        inner = list(route)[1:-1]
        yield (
            waiting[route.vehicle_type()].pop(0),
            [its.choices[one.idx] if one.is_client() else RELOAD for one in inner],
        )


def activities(solution: Solution) -> list[tuple[int, list[Activity]]]:
    """The routes of a solution without the data that they were made of: a kind of van each, and what it does."""
    return [
        (route.vehicle_type(), [Activity(one.type, one.idx) for one in list(route)[1:-1]])
        for route in solution.routes()
    ]
