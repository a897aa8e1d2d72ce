"""From a city and a brief to a proposal: prices bound from above, their choices are improved, and both are told."""

from typing import Final

import msgspec
import numpy as np

from restante.core.refusals import Refusal
from restante.plan.siting.brief import Brief, assumptions
from restante.plan.siting.ceiling import SMALLEST_STEP, Ceiling, first_ceiling, lowered
from restante.plan.siting.city import City, Indices, Numbers, Walks
from restante.plan.siting.copies import evaluated
from restante.plan.siting.improving import IN_VAIN, improved, is_affordable, settled, value_of
from restante.plan.siting.model import Asked, Model, Room, model_of, refused
from restante.plan.siting.opening import reopened
from restante.plan.siting.outcome import Outcome, accepted, captured, outcome_of, shortage
from restante.plan.siting.proposal import Day, District, Placed, Proposal, Unmet
from restante.plan.siting.search import Progress, Search, gap_between

MODEL: Final = "logit choice with a no-choice option, module mixes, and a limit on the chance of full"
OBJECTIVE: Final = "parcels a day at points, less the weight of kilometres walked, on average over the scenarios"
BOUND_OF: Final = (
    "the same model, relaxed: each site has its own copy of how many in a cell choose no point, and prices have the "
    "copies agree; what a point turns away is lost; points may be open in part"
)
SMALL_GAP: Final = 1e-4
TRY_EVERY: Final = 10
FIRST_OPENING: Final = 32
"""After how many rounds points are opened and closed at the round's price on money; again when rounds have doubled."""
OPENING_SHARE: Final = 2
SHORT_TOLERANCE: Final = 1e-6


def propose(
    city: City,
    walks: Walks,
    brief: Brief,
    *,
    search: Search | None = None,
    earlier: Proposal | None = None,
    room: Room | None = None,
) -> Proposal | Unmet | Refusal:
    """The best plan found for a city, with a proven bound.

    It starts from an ``earlier`` proposal if that is given. ``room`` is a function from compartments to parcels a day,
    in place of Erlang's formula. A malformed snapshot or a contradiction is a refusal; a budget that does not pay for
    what has to be open, and coverage of districts that no plan found reaches, are ``Unmet``, with the best plan of the
    same brief without that constraint.
    """
    search = search or Search(rounds=600)
    if no := refused(city, walks, brief):
        return no
    asked = model_of(city, walks, brief, room=room)
    mix = cheapest_start(asked.model)
    least = int(sum(asked.model.cost[site, mix[site]] for site in np.flatnonzero(mix >= 0)))
    if least > brief.budget_minor_per_year:
        relaxed = propose(city, walks, msgspec.structs.replace(brief, budget_minor_per_year=least), search=search)
        more = least - brief.budget_minor_per_year
        detail = f"what has to be open costs {least} {city.currency} minor a year, {more} more than there is"
        no = Refusal("plan-budget-too-small", "budget_minor_per_year", detail)
        return Unmet(no, least, brief.budget_minor_per_year, relaxed if isinstance(relaxed, Proposal) else None)
    mix, ceiling = searched(asked.model, [mix, *_warm(city, asked, earlier)], search=search)
    short = float(shortage(asked.model, outcome_of(asked.model, mix)))
    if short > SHORT_TOLERANCE:
        bound = without_districts(asked.model, ceiling)
        return _unmet(told(city, asked, brief, mix=mix, bound=bound, seed=search.seed), asked, short)
    return told(city, asked, brief, mix=mix, bound=ceiling.bound, seed=search.seed)


def searched(model: Model, starts: list[Indices], *, search: Search) -> tuple[Indices, Ceiling]:
    """The best plan found from the starts that the budget pays for, and the search for its bound."""
    mix = max(filter(lambda each: is_affordable(model, each), starts), key=lambda each: value_of(model, each))
    mix = improved(model, mix, search=search, chunks=2)
    ceiling = first_ceiling(model, outcome_of(model, mix).pulled)
    value, opening = value_of(model, mix), FIRST_OPENING
    for number in range(search.rounds):
        ceiling, now = lowered(model, ceiling)
        # By turns, so that whenever time is up both the plan and its bound have had their share of it.
        again = msgspec.structs.replace(search, seed=search.seed + number)
        if number == opening:
            opening *= 2
            mix = _reopened(model, mix, (ceiling, now.money), search=again, chunks=number // OPENING_SHARE)
        if number % TRY_EVERY == 0:
            if is_affordable(model, now.dear) and value_of(model, now.dear) > value:
                mix = now.dear
            mix = improved(model, mix, search=again, chunks=1)
            value = value_of(model, mix)
            search.tell(Progress("bounding", value, ceiling.bound))
        if search.stop() or _is_done(ceiling, value):
            break
    mix = _finished(model, mix, (ceiling, 0.0), search=search)
    return settled(model, mix, search=search), ceiling


def _finished(model: Model, mix: Indices, at: tuple[Ceiling, float], *, search: Search) -> Indices:
    """The plan after cooling for twice as long each time, until it is in vain or the rounds are used up."""
    chunks, vain = FIRST_OPENING, 0
    while chunks <= search.rounds and vain < IN_VAIN and not search.stop():
        again = msgspec.structs.replace(search, seed=search.seed + chunks)
        found = _reopened(model, mix, at, search=again, chunks=chunks)
        vain = vain + 1 if found is mix else 0
        mix, chunks = found, chunks * 2
    return mix


def _reopened(model: Model, mix: Indices, at: tuple[Ceiling, float], *, search: Search, chunks: int) -> Indices:
    """The better of a plan and of what is found by opening points anew, where districts reward as the bound's do."""
    ceiling, money = at
    rewarded = model._replace(worth=model.worth + ceiling.best.reward[model.district[model.cell]])
    found = reopened(rewarded, (mix, money), search=search, chunks=chunks)
    return max(mix, found, key=lambda each: value_of(model, each))


def _is_done(ceiling: Ceiling, value: float) -> bool:
    return ceiling.step < SMALLEST_STEP or gap_between(value, ceiling.bound) < SMALL_GAP


def cheapest_start(model: Model) -> Indices:
    """What has to be open, as cheap as can be, and nothing else."""
    mix = np.full(len(model.mixes), -1, np.int64)
    for site in np.flatnonzero(model.must & (model.mixes > 0)):
        mix[site] = int(np.argmin(model.cost[site, : model.mixes[site]]))
    return mix


def _warm(city: City, asked: Asked, earlier: Proposal | None) -> list[Indices]:
    """An earlier proposal in this model's numbers: its points where they may still be, the rest as has to be."""
    if earlier is None:
        return []
    model, mix = asked.model, cheapest_start(asked.model)
    numbers = {site.id: number for number, site in enumerate(city.sites)}
    columns = {each.columns: number for number, each in enumerate(asked.mixes)}
    for placed in earlier.placed:
        site = numbers.get(placed.site)
        wanted = columns.get(tuple(placed.columns.get(module.name, 0) for module in city.modules))
        if site is not None and wanted is not None and wanted < model.mixes[site]:
            mix[site] = wanted
    return [mix]


def _unmet(made: Proposal, asked: Asked, short: float) -> Unmet:
    """The districts that see too few parcels in the best plan found."""
    needed = dict(zip(asked.districts, asked.model.needed, strict=True))
    lacking = [each for each in made.districts if each.served_per_day < needed[each.name] - 1e-6]
    worst = max(lacking, key=lambda each: needed[each.name] - each.served_per_day)
    need = float(needed[worst.name])
    detail = (
        f"{len(lacking)} districts are short of {short:.1f} parcels a day in the best plan found; {worst.name} sees "
        f"{worst.served_per_day:.1f} of the {need:.1f} asked for"
    )
    return Unmet(Refusal("plan-coverage-too-low", "least_share", detail), need, worst.served_per_day, made)


def without_districts(model: Model, ceiling: Ceiling) -> float:
    """A bound for the model in which no district asks for anything."""
    free = model._replace(needed=np.zeros(len(model.needed)))
    return evaluated(free, ceiling.best._replace(reward=np.zeros(len(model.needed)))).bound


def told(city: City, asked: Asked, brief: Brief, *, mix: Indices, bound: float, seed: int) -> Proposal:
    """A plan in words and figures."""
    model, now = asked.model, outcome_of(asked.model, mix)
    parcels, km = captured(model, now)
    shares = accepted(model, now)
    demand = model.parcels.sum(axis=(0, 2))
    reached = np.bincount(model.cell, minlength=len(demand)) > 0
    opened = [int(site) for site in np.flatnonzero(mix >= 0)]
    value = float(now.value.sum())
    placed = tuple(_placed(city, asked, site, now=now, shares=shares) for site in opened)
    return Proposal(
        model=MODEL,
        objective=OBJECTIVE,
        value=value,
        bound=bound,
        bound_of=BOUND_OF,
        seed=seed,
        assumptions=assumptions(brief),
        placed=placed,
        districts=_districts(asked, demand, parcels),
        parcels_per_day=float(demand.sum()),
        served_per_day=float(parcels.sum()),
        walked_km_per_day=float(km.sum()),
        unreached_per_day=float(demand[~reached].sum()),
        cost_minor_per_year=int(sum(model.cost[site, mix[site]] for site in opened)),
        currency=city.currency,
        days=tuple(_day(city, asked, mix, each=(number, brief)) for number in range(len(brief.scenarios))),
    )


def _districts(asked: Asked, demand: Numbers, parcels: Numbers) -> tuple[District, ...]:
    """What is sent to each district, and served, from the same by cell."""
    of = asked.model.district
    sums = (np.bincount(of, weights=each, minlength=len(asked.districts)).tolist() for each in (demand, parcels))
    return tuple(District(*row) for row in zip(asked.districts, *sums, strict=True))


def _day(city: City, asked: Asked, mix: Indices, *, each: tuple[int, Brief]) -> Day:
    """A day of one scenario, told by its number in the brief."""
    number, brief = each
    scenario, whole = brief.scenarios[number], sum(one.weight for one in brief.scenarios)
    share, only = scenario.weight / whole, slice(number, number + 1)
    model = asked.model._replace(
        pull=asked.model.pull[only], parcels=asked.model.parcels[only] / share, room=asked.model.room[only] / share
    )
    now = outcome_of(model, mix)
    parcels, km = captured(model, now)
    shares, demand = accepted(model, now), model.parcels.sum(axis=(0, 2))
    opened = [int(site) for site in np.flatnonzero(mix >= 0) if city.sites[site].id not in scenario.closed]
    fullness = [_placed(city, asked._replace(model=model), site, now=now, shares=shares).fullness for site in opened]
    return Day(
        scenario=scenario.name,
        weight=share,
        parcels_per_day=float(demand.sum()),
        served_per_day=float(parcels.sum()),
        walked_km_per_day=float(km.sum()),
        turned_away_per_day=max(0.0, float(now.load.sum() - parcels.sum())),
        fullness=float(np.mean(fullness)) if fullness else 0.0,
        districts=_districts(asked, demand, parcels),
    )


def _placed(city: City, asked: Asked, site: int, *, now: Outcome, shares: Numbers) -> Placed:
    mix = int(now.mix[site])
    room, load = asked.model.room[:, mix], now.load[:, site] * shares[:, site]
    upsets = np.cumsum(load[:, ::-1], axis=1)[:, ::-1]
    taken = np.divide(upsets, room, out=np.zeros_like(upsets), where=room > 0)
    columns = zip(city.modules, asked.mixes[mix].columns, strict=True)
    return Placed(
        site=city.sites[site].id,
        columns={module.name: count for module, count in columns if count},
        cost_minor_per_year=int(asked.model.cost[site, mix]),
        parcels_per_day=float(load.sum()),
        turned_away_per_day=max(0.0, float(now.load[:, site].sum() - load.sum())),
        fullness=float(taken.max()),
    )
