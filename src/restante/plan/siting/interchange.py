"""Local search for the p-median: swap one open site for a closed one as long as that is cheaper.

Fast interchange after Whitaker (INFOR 21, 1983), in the reading of Hansen and Mladenović (Location Science 5, 1997): a
closed site is tried by one walk over the cells, which at the same time finds the best open site to give up for it. The
first swap that saves is made. Starts that are disturbed by random swaps leave local optima (iterated local search).
"""

from typing import NamedTuple

import numpy as np

from restante.plan.compiled import compiled
from restante.plan.siting.search import Progress, Search
from restante.plan.siting.table import Flags, Indices, Numbers, Table

SAVES = 1e-9
"""A swap has to save this share of the cost, so that rounding never swaps back and forth."""


class Nearest(NamedTuple):
    """Per cell the cheapest open site, and what it and the second cheapest cost."""

    site: Indices
    first: Numbers
    second: Numbers


def improved(table: Table, opened: Flags, search: Search) -> Flags:
    """The best set of as many sites as ``opened`` has, found from it and from disturbed copies of what was found."""
    chance = np.random.default_rng(search.seed)
    best, near = opened.copy(), nearest_of(table)
    cost = descend(table, best, near)
    movable = min(int(best.sum() - table.kept.sum()), table.sites - int(best.sum()))
    for start in range(search.starts if movable else 0):
        if search.stop():
            break
        tried = disturbed(best, table.kept, chance=chance, swaps=1 + start % min(movable, 8))
        found = descend(table, tried, near)
        if found < cost - SAVES * abs(cost):
            best, cost = tried, found
            search.tell(Progress("swapping", cost, -np.inf))
    return best


def disturbed(opened: Flags, kept: Flags, *, chance: np.random.Generator, swaps: int) -> Flags:
    """A copy in which so many sites, drawn at random, have changed places with closed ones; kept ones stay."""
    copy = opened.copy()
    copy[chance.choice(np.flatnonzero(opened & ~kept), swaps, replace=False)] = False
    copy[chance.choice(np.flatnonzero(~opened), swaps, replace=False)] = True
    return copy


def nearest_of(table: Table) -> Nearest:
    """Room for what the cells find nearest."""
    return Nearest(np.empty(table.cells, np.int32), np.empty(table.cells), np.empty(table.cells))


@compiled
def settle(table: Table, opened: Flags, near: Nearest) -> float:
    """Find every cell's two cheapest open sites; the cost of the first ones. At least one site is open."""
    total = 0.0
    for cell in range(table.order.shape[0]):
        found = 0
        near.second[cell] = np.inf
        for rank in range(table.order.shape[1]):
            site = table.order[cell, rank]
            if opened[site]:
                if found == 1:
                    near.second[cell] = table.cost[site, cell]
                    break
                found = 1
                near.site[cell] = site
                near.first[cell] = table.cost[site, cell]
        total += near.first[cell]
    return total


@compiled
def descend(table: Table, opened: Flags, near: Nearest) -> float:
    """Swap until no swap saves; ``opened`` is changed in place. The cost of what is then open."""
    sites, cells = table.cost.shape
    total = settle(table, opened, near)
    loss = np.zeros(sites)
    since, entering = 0, 0
    while since < sites:
        since += 1
        entering = (entering + 1) % sites
        if opened[entering]:
            continue
        loss[:] = 0.0
        gain = 0.0
        for cell in range(cells):
            there = table.cost[entering, cell]
            if there < near.first[cell]:
                gain += near.first[cell] - there
            else:
                loss[near.site[cell]] += min(there, near.second[cell]) - near.first[cell]
        leaving, least = -1, np.inf
        for site in range(sites):
            if opened[site] and not table.kept[site] and loss[site] < least:
                leaving, least = site, loss[site]
        if leaving >= 0 and gain - least > 1e-9 * abs(total):
            opened[leaving], opened[entering] = False, True
            total = settle(table, opened, near)
            since = 0
    return total
