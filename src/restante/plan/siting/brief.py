"""What a planner asks for: money, sites that must or may not be, how often a bank may be full, how people choose.

Every number here that was not given is an assumption, and a proposal prints it as one.
"""

from collections.abc import Mapping

import msgspec


class Tastes(msgspec.Struct, frozen=True):
    """How people choose: utilities of a multinomial logit, in which using no point at all has utility 0.

    A point is worth ``bank`` or ``counter``, less ``per_km`` for each kilometre walked, plus the share of the week it
    is open times ``always_open``, plus ``step_free`` and ``watched`` where it is so. The start values are assumptions.
    """

    bank: float = 1.0
    counter: float = 0.8
    per_km: float = 3.0
    always_open: float = 0.6
    step_free: float = 0.2
    watched: float = 0.1


class Scenario(msgspec.Struct, frozen=True):
    """One state of the world and its weight: demand, felt distance and room by factors, and sites that are closed."""

    name: str
    weight: float = 1.0
    demand_factor: float = 1.0
    walk_factor: float = 1.0
    room_factor: float = 1.0
    closed: tuple[str, ...] = ()


ORDINARY = Scenario("ordinary day")
PEAK = Scenario("peak", demand_factor=1.8)
STORM = Scenario("storm", walk_factor=1.5, room_factor=0.8)


class Brief(msgspec.Struct, frozen=True):
    """The constraints and the aim.

    The aim is parcels a day at points, less ``walk_weight`` parcels for each parcel-kilometre walked, on average over
    the scenarios. ``least_share`` asks for a share of a district's parcels, on the same average. A bank may be full
    with ``full_chance``, where a parcel stays ``dwell_days``. If ``keep_standing``, what stands stays, at its cost.
    """

    budget_minor_per_year: int
    must: tuple[str, ...] = ()
    forbidden: tuple[str, ...] = ()
    least_share: Mapping[str, float] = {}
    keep_standing: bool = True
    walk_weight: float = 0.1
    full_chance: float = 0.05
    dwell_days: float = 1.2
    tastes: Tastes = Tastes()
    scenarios: tuple[Scenario, ...] = (ORDINARY,)


def assumptions(brief: Brief) -> tuple[str, ...]:
    """What a proposal for this brief takes for granted, as sentences."""
    tastes = brief.tastes
    return (
        f"Choice is a logit: bank {tastes.bank:g}, counter {tastes.counter:g}, a km −{tastes.per_km:g}, no point 0.",
        f"Open all week counts {tastes.always_open:g}, step-free {tastes.step_free:g}, watched {tastes.watched:g}.",
        f"A parcel stays {brief.dwell_days:g} days on average; arrivals are a Poisson process.",
        f"A point is full with a chance of at most {brief.full_chance:g}; what it turns away is lost.",
        f"A parcel-kilometre walked counts as {brief.walk_weight:g} parcels.",
        *(
            (
                f"Scenario {each.name!r}: weight {each.weight:g}, demand × {each.demand_factor:g}, "
                f"distance × {each.walk_factor:g}, room × {each.room_factor:g}, {len(each.closed)} sites closed."
            )
            for each in brief.scenarios
        ),
    )
