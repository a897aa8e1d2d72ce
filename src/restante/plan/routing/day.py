"""A day's routing as planning sees it: an immutable snapshot of vans, stops and requests, and what is wrong with one.

A *stop* is one place in one time window: a door at home, a locker bank in the morning, a counter in its opening hours.
A *request* is one parcel with one or more *options*, each at a stop. Parcels that choose the same stop share its
compartments. Places are rows of two matrices, seconds and metres, which need not be symmetric.
"""

import math
from collections.abc import Iterator, Mapping
from enum import StrEnum

import msgspec
import numpy as np
from numpy.typing import NDArray

from restante.core.refusals import Refusal

Matrix = NDArray[np.float64]


class Errand(StrEnum):
    """What is done with a parcel: taken out to a stop, or fetched there and brought to the van's end."""

    DELIVERY = "delivery"
    RETURN = "return"
    RECALL = "recall"


class Stop(msgspec.Struct, frozen=True):
    """One place in one time window, in which service has to begin.

    ``service_s`` is spent once a visit. ``free`` counts the free compartments of each size class, smallest first; None
    stands for a door at home, where nothing is shared.
    """

    place: int
    ready_s: float
    due_s: float
    service_s: float = 0.0
    free: tuple[int, ...] | None = None


class Option(msgspec.Struct, frozen=True):
    """One way to serve a request: at which stop, how well that is liked (level 0 is best), seconds for this parcel."""

    stop: int
    level: int = 0
    preparation_s: float = 0.0


class Request(msgspec.Struct, frozen=True):
    """One parcel to deliver or to fetch.

    ``size`` is the class of the parcel when it is delivered, and of the compartment that it leaves when it is fetched.
    ``load`` has one number for each dimension of the vans' capacity. A parcel already ``aboard`` a van stays on it.
    """

    id: str
    load: tuple[float, ...]
    options: tuple[Option, ...]
    errand: Errand = Errand.DELIVERY
    size: int = 0
    aboard: int | None = None


class Break(msgspec.Struct, frozen=True):
    """A rest that begins within a window; not owed by a tour that ends no later than the window does."""

    earliest_s: float
    latest_s: float
    length_s: float


class Depot(msgspec.Struct, frozen=True):
    """Where vans begin, reload and end; they leave and return within its hours."""

    place: int
    ready_s: float
    due_s: float


class Begun(msgspec.Struct, frozen=True):
    """A van that is out already: where and when it is free again, and what it has collected."""

    place: int
    at_s: float
    collected: tuple[float, ...]


class Van(msgspec.Struct, frozen=True):
    """A van with a capacity in each dimension, a shift, breaks in the order of the day, and how often it may reload."""

    id: str
    capacity: tuple[float, ...]
    opens_s: float
    closes_s: float
    depot: int = 0
    breaks: tuple[Break, ...] = ()
    reloads: int = 0
    reload_s: float = 0.0
    begun: Begun | None = None


class ServiceLevel(msgspec.Struct, frozen=True):
    """At least this share of all requests is served by an option of this level or a better one."""

    level: int
    share: float

    def most_worse(self, requests: int) -> int:
        """How many of so many requests may get a worse option."""
        return requests - math.ceil(self.share * requests - 1e-9)


class Day(msgspec.Struct, frozen=True):
    """All that a day's routing depends on. ``vans_first`` asks for the fewest vans before the fewest metres."""

    seconds: Matrix
    metres: Matrix
    depots: tuple[Depot, ...]
    vans: tuple[Van, ...]
    stops: tuple[Stop, ...]
    requests: tuple[Request, ...]
    levels: tuple[ServiceLevel, ...] = ()
    vans_first: bool = True


def flaws(day: Day) -> list[Refusal]:
    """Everything about a snapshot that no plan could mend; a snapshot without flaws may still be infeasible.

    Refusals: ``routing-malformed`` with the field and the rule that it breaks.
    """
    checks = (_matrix_flaws, _depot_flaws, _stop_flaws, _van_flaws, _request_flaws, _level_flaws)
    return [Refusal("routing-malformed", field, detail) for check in checks for field, detail in check(day)]


Flaws = Iterator[tuple[str, str]]


def _matrix_flaws(day: Day) -> Flaws:
    for field, matrix in (("seconds", day.seconds), ("metres", day.metres)):
        if matrix.ndim != 2 or matrix.shape[0] != matrix.shape[1] or matrix.shape != day.seconds.shape:
            yield field, f"{matrix.shape} is not square, or not as large as the other"
        elif not (np.isfinite(matrix).all() and (matrix >= 0).all()):
            from_place, to_place = np.argwhere(~(np.isfinite(matrix) & (matrix >= 0)))[0]
            yield field, f"no way from place {from_place} to place {to_place}: {matrix[from_place, to_place]}"


def _depot_flaws(day: Day) -> Flaws:
    for at, depot in enumerate(day.depots):
        yield from _within(f"depots[{at}].place", depot.place, len(day.seconds))
        yield from _window(f"depots[{at}]", depot.ready_s, depot.due_s)


def _stop_flaws(day: Day) -> Flaws:
    for at, stop in enumerate(day.stops):
        yield from _within(f"stops[{at}].place", stop.place, len(day.seconds))
        yield from _window(f"stops[{at}]", stop.ready_s, stop.due_s)
        yield from _amounts(f"stops[{at}]", {"service_s": stop.service_s, "free": min(stop.free or (0,))})


def _van_flaws(day: Day) -> Flaws:
    dimensions = len(day.vans[0].capacity) if day.vans else 0
    for at, van in enumerate(day.vans):
        field = f"vans[{at}]"
        yield from _within(f"{field}.depot", van.depot, len(day.depots))
        yield from _window(field, van.opens_s, van.closes_s)
        yield from _amounts(field, {"reload_s": van.reload_s, "reloads": van.reloads, "capacity": min(van.capacity)})
        if len(van.capacity) != dimensions:
            yield f"{field}.capacity", f"{len(van.capacity)} dimensions, {dimensions} in the first van"
        if van.begun is not None:
            yield from _within(f"{field}.begun.place", van.begun.place, len(day.seconds))
        yield from _break_flaws(field, van)
    if len({van.id for van in day.vans}) < len(day.vans):
        yield "vans.id", "two vans have one id"


def _break_flaws(field: str, van: Van) -> Flaws:
    ends = -math.inf
    for at, rest in enumerate(van.breaks):
        yield from _window(f"{field}.breaks[{at}]", rest.earliest_s, rest.latest_s)
        if rest.length_s < 0 or rest.latest_s < ends:
            yield f"{field}.breaks[{at}]", "not in the order of the day, or shorter than nothing"
        ends = rest.latest_s


def _request_flaws(day: Day) -> Flaws:
    dimensions = len(day.vans[0].capacity) if day.vans else 0
    for at, request in enumerate(day.requests):
        field = f"requests[{at}]"
        if not request.options:
            yield f"{field}.options", "no option: nowhere to serve it"
        if day.vans and len(request.load) != dimensions:
            yield f"{field}.load", f"{len(request.load)} dimensions, {dimensions} in a van"
        yield from _amounts(field, {"load": min(request.load, default=0.0), "size": request.size})
        if request.aboard is not None:
            yield from _within(f"{field}.aboard", request.aboard, len(day.vans))
        yield from _option_flaws(field, request, day.stops)
    if len({request.id for request in day.requests}) < len(day.requests):
        yield "requests.id", "two requests have one id"


def _option_flaws(field: str, request: Request, stops: tuple[Stop, ...]) -> Flaws:
    for at, option in enumerate(request.options):
        where = f"{field}.options[{at}]"
        outside = list(_within(f"{where}.stop", option.stop, len(stops)))
        yield from outside
        yield from _amounts(where, {"level": option.level, "preparation_s": option.preparation_s})
        if not outside and (free := stops[option.stop].free) is not None and request.size >= len(free):
            yield where, f"size {request.size} is none of the {len(free)} classes of the stop"


def _level_flaws(day: Day) -> Flaws:
    for at, level in enumerate(day.levels):
        if not 0 <= level.share <= 1:
            yield f"levels[{at}].share", f"{level.share} is no share"


def _within(field: str, number: int, count: int) -> Flaws:
    if not 0 <= number < count:
        yield field, f"{number} is not one of {count}"


def _window(field: str, opens: float, closes: float) -> Flaws:
    if not (math.isfinite(opens) and math.isfinite(closes) and opens <= closes):
        yield field, f"the window from {opens} to {closes} s is none"


def _amounts(field: str, amounts: Mapping[str, float]) -> Flaws:
    for name, amount in amounts.items():
        if not (math.isfinite(amount) and amount >= 0):
            yield f"{field}.{name}", f"{amount} is less than nothing"
