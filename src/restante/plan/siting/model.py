"""City and brief as arrays for the compiled loops, and what can be refused before anything is searched."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from restante.core.bank import SourceKind
from restante.core.refusals import Refusal
from restante.plan.siting.brief import Brief
from restante.plan.siting.cells import Site
from restante.plan.siting.city import City, Indices, Numbers, Walks
from restante.plan.siting.mixes import Mix, catalogue, erlang_room

CLOSED = -1


class Model(NamedTuple):
    """Pairs of site and cell stand grouped by site; k counts scenarios, s sizes, m mixes.

    ``pull[k, pair]`` is the attraction relative to no point; ``metres`` and ``worth`` are the way and
    what a parcel counts there;
    ``parcels[k, cell, s]`` demand times the scenario's weight; ``room[k, m, s]`` likewise, by up-set of sizes;
    ``cost[site, m]`` is what a mix costs there, ``mixes[site]`` how many of them fit. ``by_cell`` and ``cell_start``
    list the pairs of each cell, ``site`` the site of each pair. ``needed[d]`` is the number of parcels a district has
    to see, ``district[cell]`` which district that is.
    """

    start: Indices
    cell: Indices
    site: Indices
    cell_start: Indices
    by_cell: Indices
    pull: Numbers
    metres: Numbers
    worth: Numbers
    parcels: Numbers
    room: Numbers
    cost: Numbers
    mixes: Indices
    must: NDArray[np.bool_]
    budget: float
    district: Indices
    needed: Numbers


class Asked(NamedTuple):
    """A model, with the mixes and the names of districts behind its numbers."""

    model: Model
    mixes: tuple[Mix, ...]
    districts: tuple[str, ...]


Room = Callable[[int], float]


def model_of(city: City, walks: Walks, brief: Brief, *, room: Room | None = None) -> Asked:  # fmt: skip
    """The arrays; ``refused`` has found nothing wrong with what they are made of."""
    room = room or erlang_room(full_chance=brief.full_chance, dwell_days=brief.dwell_days)
    most = max((site.room_modules for site in city.sites), default=0)
    mixes = catalogue(city.modules, most, room=room)
    columns = np.asarray([sum(mix.columns) for mix in mixes])
    site = np.repeat(np.arange(len(city.sites)), np.diff(walks.start))
    order = np.argsort(walks.cell, kind="stable")
    weights = np.asarray([each.weight for each in brief.scenarios])
    weights = weights / weights.sum()
    demand = city.parcels_per_day
    districts = tuple(sorted({cell.district for cell in city.cells}))
    rooms = np.asarray([mix.room_per_day for mix in mixes])
    parcels = np.stack([w * each.demand_factor * demand for w, each in zip(weights, brief.scenarios, strict=True)])
    numbers = {name: number for number, name in enumerate(districts)}
    district = np.asarray([numbers[cell.district] for cell in city.cells])
    in_district = np.bincount(district, weights=parcels.sum(axis=(0, 2)), minlength=len(districts))
    closed_for_good = _flags(city, brief.forbidden)
    limits = [
        0 if shut else int((columns <= each.room_modules).sum())
        for each, shut in zip(city.sites, closed_for_good, strict=True)
    ]
    model = Model(
        start=walks.start,
        cell=walks.cell,
        site=site,
        cell_start=np.searchsorted(walks.cell[order], np.arange(len(city.cells) + 1)),
        by_cell=order,
        pull=_pull(city, walks, brief, site=site),
        metres=walks.metres,
        worth=1.0 - brief.walk_weight * walks.metres / 1000,
        parcels=parcels,
        room=np.stack([w * each.room_factor * rooms for w, each in zip(weights, brief.scenarios, strict=True)]),
        cost=np.asarray(
            [[each.cost_minor_per_year + mix.cost_minor_per_year for mix in mixes] for each in city.sites], np.float64
        ),
        mixes=np.asarray(limits),
        must=_flags(city, brief.must) | np.asarray([each.standing and brief.keep_standing for each in city.sites]),
        budget=float(brief.budget_minor_per_year),
        district=district,
        needed=np.asarray([brief.least_share.get(name, 0.0) for name in districts]) * in_district,
    )
    return Asked(model, mixes, districts)


def _flags(city: City, names: tuple[str, ...]) -> NDArray[np.bool_]:
    named = set(names)
    return np.asarray([site.id in named for site in city.sites], np.bool_)


def _pull(city: City, walks: Walks, brief: Brief, *, site: Indices) -> Numbers:
    tastes = brief.tastes
    alone = np.asarray([_utility(each, brief) for each in city.sites])[site]
    rows = []
    for scenario in brief.scenarios:
        is_open = ~_flags(city, scenario.closed)[site]
        rows.append(np.where(is_open, np.exp(alone - tastes.per_km * scenario.walk_factor * walks.metres / 1000), 0.0))
    return np.stack(rows)


def _utility(site: Site, brief: Brief) -> float:
    tastes = brief.tastes
    open_share = site.open_hours_per_week / 168
    return (
        (tastes.bank if site.kind is SourceKind.BANK else tastes.counter)
        + tastes.always_open * open_share
        + tastes.step_free * site.step_free
        + tastes.watched * site.watched
    )


def refused(city: City, walks: Walks, brief: Brief) -> Refusal | None:
    """What cannot be planned for, whatever is searched: the first rule that is broken, with field and amount."""
    return _malformed(city, walks, brief) or _contradicting(city, brief) or _unreachable(city, walks, brief)


def _malformed(city: City, walks: Walks, brief: Brief) -> Refusal | None:
    demand = city.parcels_per_day
    if not np.isfinite(demand).all() or (demand < 0).any():
        return Refusal("plan-value-malformed", "parcels_per_day", "a number that is finite and not negative")
    if not demand.sum() > 0:
        return Refusal("plan-no-demand", "parcels_per_day", f"{len(city.cells)} cells without a parcel")
    checks = {
        "full_chance": 0 < brief.full_chance < 1,
        "dwell_days": 0 < brief.dwell_days < np.inf,
        "scenarios": bool(brief.scenarios)
        and all(each.weight > 0 and each.demand_factor >= 0 for each in brief.scenarios),
        "least_share": all(0 <= share <= 1 for share in brief.least_share.values()),
        "walk_weight": brief.walk_weight >= 0 and brief.walk_weight * walks.metres.max(initial=0.0) / 1000 < 1,
        "modules": bool(city.modules) and all(len(each.compartments) == len(city.sizes) for each in city.modules),
        "room_modules": any(site.room_modules > 0 for site in city.sites),
    }
    wrong = next((name for name, holds in checks.items() if not holds), None)
    return Refusal("plan-value-malformed", wrong, "see the brief's page for what it may be") if wrong else None


def _contradicting(city: City, brief: Brief) -> Refusal | None:
    known = {site.id for site in city.sites}
    closed = {name for scenario in brief.scenarios for name in scenario.closed}
    if unknown := sorted(({*brief.must, *brief.forbidden} | closed) - known):
        return Refusal("plan-site-unknown", "sites", ", ".join(unknown[:5]))
    if unknown := sorted(set(brief.least_share) - {cell.district for cell in city.cells}):
        return Refusal("plan-site-unknown", "least_share", ", ".join(unknown[:5]))
    kept = {site.id for site in city.sites if site.standing and brief.keep_standing}
    if both := sorted(({*brief.must} | kept) & {*brief.forbidden}):
        return Refusal("plan-sites-contradict", "forbidden", ", ".join(both[:5]))
    return None


def _unreachable(city: City, walks: Walks, brief: Brief) -> Refusal | None:
    ways, must = np.diff(walks.start), set(brief.must)
    if not ways.any():
        return Refusal("plan-cell-unreachable", "walks", "no cell is within reach of any site")
    lost = [site.id for site, count in zip(city.sites, ways, strict=True) if not count and site.id in must]
    return Refusal("plan-site-unreachable", "must", ", ".join(lost[:5])) if lost else None
