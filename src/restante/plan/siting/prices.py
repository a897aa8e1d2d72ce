"""A bound for the p-median: each cell is given a price for being served, and sites are chosen by those prices alone.

Lagrangian relaxation of "every cell is served once" (Cornuéjols, Fisher and Nemhauser, Management Science 23, 1977):
for any prices, the sum of prices plus the least savings of as many sites as may open is a lower bound on every cost.
Prices follow a smoothed subgradient, with Polyak's steps towards the best cost known.
"""

from typing import NamedTuple

import numpy as np

from restante.plan.compiled import compiled
from restante.plan.siting.interchange import descend, nearest_of, settle
from restante.plan.siting.search import Progress, Search
from restante.plan.siting.table import Flags, Numbers, Table

SMALLEST_STEP = 1e-3
PATIENCE = 20
SMOOTHING = 0.6
EVERY = 40


class Priced(NamedTuple):
    """The prices with the best bound, what each site saves at them (at most 0), that bound, and the best set found."""

    prices: Numbers
    saved: Numbers
    bound: float
    opened: Flags
    cost: float


def priced(table: Table, opened: Flags, *, search: Search, grain: float) -> Priced:
    """Raise the bound from a good set of open sites, trying what the prices choose as starts for swapping."""
    near, points = nearest_of(table), int(opened.sum())
    cost = settle(table, opened, near)
    prices = (near.first + np.where(np.isfinite(near.second), near.second, near.first)) / 2
    best = Priced(prices, np.zeros(table.sites), -np.inf, opened.copy(), cost)
    step, since, heading = 2.0, 0, np.zeros(table.cells)
    for number in range(search.rounds):
        saved = savings(table, prices)
        chosen = cheapest(saved, table.kept, points)
        bound = float(prices.sum() + saved[chosen].sum())
        since = 0 if bound > best.bound + 1e-6 * abs(best.bound) else since + 1
        if bound > best.bound:
            best = best._replace(prices=prices, saved=saved, bound=bound)
        if number % EVERY == 0:
            best = _tried(table, chosen, best)
            search.tell(Progress("bounding", best.cost, best.bound))
        if is_proven(best, grain) or step < SMALLEST_STEP or search.stop():
            break
        if since >= PATIENCE:
            step, since, prices, heading = step / 2, 0, best.prices, np.zeros(table.cells)
            continue
        missed = 1.0 - served(table, prices, chosen)
        heading = SMOOTHING * heading + missed
        length = float(heading @ heading)
        if length == 0:
            break
        prices = prices + step * max(best.cost - bound, grain / 2) / length * heading
    return best


def is_proven(best: Priced, grain: float) -> bool:
    """Whether no total cost lies between the bound and the best found."""
    return best.bound > best.cost - grain + 1e-6 if grain else best.bound >= best.cost * (1 - 1e-9)


def cheapest(saved: Numbers, kept: Flags, points: int) -> Flags:
    """The kept sites and, of the others, those which save most."""
    ranked = np.where(kept, -np.inf, saved)
    chosen = np.zeros(len(saved), np.bool_)
    chosen[np.argpartition(ranked, points - 1)[:points]] = True
    return chosen


def _tried(table: Table, chosen: Flags, best: Priced) -> Priced:
    opened = chosen.copy()
    cost = descend(table, opened, nearest_of(table))
    return best._replace(opened=opened, cost=cost) if cost < best.cost else best


@compiled
def savings(table: Table, prices: Numbers) -> Numbers:
    """What each site would save: the sum, over cells whose price is higher, of its cost less the price."""
    cells, sites = table.order.shape
    saved = np.zeros(sites)
    for cell in range(cells):
        for rank in range(sites):
            site = table.order[cell, rank]
            reduced = table.cost[site, cell] - prices[cell]
            if reduced >= 0.0:
                break
            saved[site] += reduced
    return saved


@compiled
def served(table: Table, prices: Numbers, chosen: Flags) -> Numbers:
    """How often each cell is served by chosen sites that cost less than its price."""
    cells, sites = table.order.shape
    times = np.zeros(cells)
    for cell in range(cells):
        for rank in range(sites):
            site = table.order[cell, rank]
            if table.cost[site, cell] >= prices[cell]:
                break
            if chosen[site]:
                times[cell] += 1.0
    return times
