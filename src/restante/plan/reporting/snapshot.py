"""What a report on sites is made of, and what follows from it: which points open or close, and who walks how far."""

from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import NamedTuple

import msgspec
import numpy as np

from restante.plan.reporting.ground import Ground
from restante.plan.siting.brief import Brief
from restante.plan.siting.cells import Site
from restante.plan.siting.city import City, Numbers, Walks
from restante.plan.siting.comparing import Emissions
from restante.plan.siting.model import Room, model_of
from restante.plan.siting.outcome import accepted, outcome_of
from restante.plan.siting.proposal import Placed, Proposal, Unmet


class Sited(msgspec.Struct, frozen=True):
    """A city, what was asked for, what was found, and what there is today if anything.

    ``found`` may be what cannot be met. ``room`` has to be the one that the proposal was made with. ``notes`` are
    sentences about how the snapshot was made; they stand with the assumptions.
    """

    title: str
    city: City
    walks: Walks
    brief: Brief
    found: Proposal | Unmet
    today: Proposal | None = None
    ground: Ground = Ground()
    notes: tuple[str, ...] = ()
    emissions: Emissions = Emissions()
    room: Room | None = None

    @property
    def plan(self) -> Proposal | None:
        """The proposal, or the best relaxed plan."""
        return self.found.relaxed if isinstance(self.found, Unmet) else self.found


class Fate(StrEnum):
    """What becomes of a site."""

    OPENED = "opens"
    KEPT = "stays"
    CLOSED = "closes"


class Point(NamedTuple):
    """A site that has a point today or in the plan, as it is in each."""

    site: Site
    fate: Fate
    planned: Placed | None
    today: Placed | None

    @property
    def shown(self) -> Placed | None:
        """As it is planned, else as it is today."""
        return self.planned or self.today


def points_of(told: Sited, plan: Proposal) -> tuple[Point, ...]:
    """Every site with a point today or in the plan, in the order of the snapshot."""
    planned = {one.site: one for one in plan.placed}
    today = {one.site: one for one in told.today.placed} if told.today else {}
    stands = today.keys() if told.today else {site.id for site in told.city.sites if site.standing}
    fates = {(True, True): Fate.KEPT, (False, True): Fate.OPENED, (True, False): Fate.CLOSED}
    return tuple(
        Point(site, fates[site.id in stands, site.id in planned], planned.get(site.id), today.get(site.id))
        for site in told.city.sites
        if site.id in stands or site.id in planned
    )


def doors_of(city: City, columns: Mapping[str, int]) -> int:
    """How many doors columns have together."""
    return sum(columns.get(module.name, 0) * sum(module.compartments) for module in city.modules)


class Walked(NamedTuple):
    """Parcels a day that find room, by how many metres their people walk one way: two columns of one length."""

    metres: Numbers
    parcels: Numbers


def walked(told: Sited, plan: Proposal) -> Walked:
    """Who walks how far to the points of a plan, on average over the scenarios.

    Its parcels add up to ``served_per_day``, its parcel-kilometres to ``walked_km_per_day``.
    """
    asked = model_of(told.city, told.walks, told.brief, room=told.room)
    columns = {mix.columns: number for number, mix in enumerate(asked.mixes)}
    numbers = {site.id: number for number, site in enumerate(told.city.sites)}
    mix = np.full(len(told.city.sites), -1, np.int64)
    for one in plan.placed:
        mix[numbers[one.site]] = columns[tuple(one.columns.get(module.name, 0) for module in told.city.modules)]
    now = outcome_of(asked.model, mix)
    model, taken = asked.model, accepted(asked.model, now)
    pairs = np.flatnonzero(mix[model.site] >= 0)
    cell, site = model.cell[pairs], model.site[pairs]
    share = model.pull[:, pairs] / (1.0 + now.pulled[:, cell])
    parcels = (model.parcels[:, cell] * taken[:, site] * share[:, :, None]).sum(axis=(0, 2))
    return Walked(model.metres[pairs], np.asarray(parcels, np.float64))


def median_walk_m(one: Walked) -> float:
    """The way that half of the parcels are walked at most."""
    if not one.parcels.sum():
        return float("nan")
    order = np.argsort(one.metres, kind="stable")
    reached = np.cumsum(one.parcels[order])
    return float(one.metres[order][np.searchsorted(reached, reached[-1] / 2)])


def shares_within(one: Walked, limits: Sequence[float], parcels: float) -> Numbers:
    """The share of so many parcels that are walked at most each of these metres."""
    found = [one.parcels[one.metres <= limit].sum() for limit in limits]
    return np.asarray(found, np.float64) / parcels if parcels else np.zeros(len(limits))
