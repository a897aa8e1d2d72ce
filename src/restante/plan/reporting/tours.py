"""What a report on tours is made of, and what follows from it: each van's legs and parcels, how hours are spent."""

from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

import msgspec

from restante.plan.reporting.ground import Ground
from restante.plan.routing.day import Day, Errand
from restante.plan.routing.proposal import Proposal, Reload, Rest, Shortfall, Step, Tour, Visit

VAN_GRAMS_PER_KM: Final = 200.0
VAN_BOUNDARY: Final = "van only, while it drives; neither its making nor the recipient's way"


class Address(msgspec.Struct, frozen=True):
    """A place of the matrices: its name, degrees north and east."""

    name: str
    latitude: float
    longitude: float


class Routed(msgspec.Struct, frozen=True):
    """A day, the places behind the rows of its matrices, and what was found for it.

    ``basis`` says on what times and metres rest; ``notes`` are sentences that stand with the assumptions.
    """

    title: str
    day: Day
    places: tuple[Address, ...]
    found: Proposal | Shortfall
    basis: str
    ground: Ground = Ground()
    notes: tuple[str, ...] = ()
    grams_per_km: float = VAN_GRAMS_PER_KM

    @property
    def plan(self) -> Proposal:
        """The proposal, or the best that can be done of a day that cannot be served whole."""
        return self.found.relaxed if isinstance(self.found, Shortfall) else self.found


class Leg(NamedTuple):
    """The way to a step and the step: the place it ends at, metres and seconds driven, and when what was done.

    ``step`` is None for the way home.
    """

    place: int
    metres: float
    seconds: float
    step: Step | None


def begins_at(day: Day, tour: Tour) -> int:
    """The place a van sets out from: its depot, or where it is already."""
    van = day.vans[tour.van]
    return van.begun.place if van.begun else day.depots[van.depot].place


def legs_of(day: Day, tour: Tour) -> Iterator[Leg]:
    """Every step of a tour with the way to it, then the way home."""
    here = begins_at(day, tour)
    for step in (*tour.steps, None):
        there = _place_of(day, tour, step, here=here)
        # Whoever rests stays, even where a matrix has a way from a place to itself.
        moves = not isinstance(step, Rest)
        yield Leg(there, moves * float(day.metres[here, there]), moves * float(day.seconds[here, there]), step)
        here = there


def _place_of(day: Day, tour: Tour, step: Step | None, *, here: int) -> int:
    match step:
        case Visit():
            return day.stops[step.stop].place
        case Rest():
            return here
        case Reload() | None:
            return day.depots[day.vans[tour.van].depot].place


def metres_of(day: Day, tour: Tour) -> float:
    """What a van drives."""
    return sum(leg.metres for leg in legs_of(day, tour))


class Hours(NamedTuple):
    """How a tour's time is spent, in seconds."""

    driving: float
    serving: float
    resting: float
    waiting: float


def hours_of(day: Day, tour: Tour) -> Hours:
    """Driving, at stops and reloading, on breaks, and what is left: waiting for a window to open."""
    driving = sum(leg.seconds for leg in legs_of(day, tour))
    resting = sum(step.leave_s - step.start_s for step in tour.steps if isinstance(step, Rest))
    serving = sum(step.leave_s - step.start_s for step in tour.steps) - resting
    return Hours(driving, serving, resting, max(0.0, tour.back_s - tour.leave_s - driving - serving - resting))


def parcels_at(day: Day, visit: Visit) -> tuple[Sequence[str], Sequence[str]]:
    """The ids of parcels that are left at a visit, and of those that are fetched."""
    asked = [day.requests[one.request] for one in visit.choices]
    left = [one.id for one in asked if one.errand is Errand.DELIVERY]
    return left, [one.id for one in asked if one.errand is not Errand.DELIVERY]


def visits_of(plan: Proposal) -> Iterator[Visit]:
    """Every visit of every van."""
    for tour in plan.tours:
        yield from (step for step in tour.steps if isinstance(step, Visit))


def first_choices(day: Day, plan: Proposal) -> int:
    """How many parcels are served by an option of the level that is liked best."""
    chosen = (one for visit in visits_of(plan) for one in visit.choices)
    return sum(day.requests[one.request].options[one.option].level == 0 for one in chosen)


def co2_kg(told: Routed) -> float:
    """What the vans let out in a day, within ``VAN_BOUNDARY``."""
    return told.plan.metres / 1000 * told.grams_per_km / 1000
