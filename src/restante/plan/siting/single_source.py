"""Single-source capacitated siting: every cell is served by exactly one site, and no site beyond its capacity.

A plan to start from is made by serving the cells with most to lose first, at the least extra cost; HiGHS proves the
rest over the strong form, in which a cell cannot be served from a site that is not open.
"""

import math
from typing import NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_matrix, csr_matrix, vstack

from restante.core.refusals import Refusal
from restante.plan.program import Effort, Program, solve
from restante.plan.siting.search import Search
from restante.plan.siting.table import Numbers

RELATIVE_GAP = 1e-9


class Depots(NamedTuple):
    """Capacity and opening cost of each site, demand of each cell, and the cost of serving (cells × sites)."""

    capacity: Numbers
    opening: Numbers
    demand: Numbers
    serving: Numbers


class Assignment(msgspec.Struct, frozen=True):
    """The site of each cell, the cost of that, and a proven bound on every cost."""

    serves: tuple[int, ...]
    cost: float
    bound: float

    @property
    def opened(self) -> tuple[int, ...]:
        """The sites that serve a cell."""
        return tuple(sorted(set(self.serves)))


def single_source(depots: Depots, *, search: Search | None = None) -> Assignment | Refusal:
    """The cheapest assignment found, with its bound.

    Refusals: ``plan-no-demand`` without cells, ``plan-value-malformed`` for negative or missing numbers,
    ``plan-capacity-short`` when all sites together are too small (the detail says by how much), when a cell is larger
    than every site, or when no assignment fits or none was found in time.
    """
    search = search or Search()
    if no := _refused(depots):
        return no
    program, begun = _program(depots), begin(depots)
    start = None if begun is None else _values(depots, begun)
    effort = Effort(search.stop, relative_gap=RELATIVE_GAP, start=start, seed=search.seed)
    answer = solve(program, effort)
    if not answer.values.size:
        return Refusal("plan-capacity-short", "capacity", "no assignment of whole cells was found to fit")
    cells, sites = depots.serving.shape
    chosen = np.argmax(answer.values[sites:].reshape(cells, sites), axis=1)
    cost = cost_of(depots, chosen)
    return Assignment(tuple(int(site) for site in chosen), cost, min(answer.bound, cost))


def cost_of(depots: Depots, serves: NDArray[np.int64]) -> float:
    """What an assignment costs: opening the sites it uses and serving each cell."""
    opening = depots.opening[np.unique(serves)].sum()
    return float(opening + depots.serving[np.arange(len(serves)), serves].sum())


def begin(depots: Depots) -> NDArray[np.int64] | None:
    """A plan to start from, or nothing when the cells do not fit in this order.

    The largest cells come first; each goes where serving it, and opening the site if it is not open, costs least.
    """
    free, opened = depots.capacity.astype(np.float64).copy(), np.zeros(len(depots.capacity), np.bool_)
    serves = np.full(len(depots.demand), -1, dtype=np.int64)
    for cell in np.argsort(-depots.demand, kind="stable"):
        extra = depots.serving[cell] + np.where(opened, 0.0, depots.opening)
        extra = np.where(free >= depots.demand[cell], extra, math.inf)
        site = int(np.argmin(extra))
        if not math.isfinite(extra[site]):
            return None
        serves[cell], opened[site] = site, True
        free[site] -= depots.demand[cell]
    return serves


def _values(depots: Depots, serves: NDArray[np.int64]) -> Numbers:
    cells, sites = depots.serving.shape
    assigned = np.zeros((cells, sites))
    assigned[np.arange(cells), serves] = 1.0
    return np.concatenate((assigned.max(axis=0), assigned.ravel()))


def _program(depots: Depots) -> Program:
    """First one variable per site, then one per cell and site."""
    cells, sites = depots.serving.shape
    pairs = cells * sites
    site = np.tile(np.arange(sites), cells)
    pair = np.arange(pairs)
    once = csr_matrix((np.ones(pairs), (np.repeat(np.arange(cells), sites), sites + pair)), (cells, sites + pairs))
    room = coo_matrix((np.repeat(depots.demand, sites), (site, sites + pair)), (sites, sites + pairs))
    room = (room - coo_matrix((depots.capacity, (np.arange(sites), np.arange(sites))), room.shape)).tocsr()
    linked = csr_matrix((np.ones(pairs), (pair, sites + pair)), (pairs, sites + pairs))
    linked = linked - csr_matrix((np.ones(pairs), (pair, site)), linked.shape)
    enough = csr_matrix((depots.capacity, (np.zeros(sites, np.int64), np.arange(sites))), (1, sites + pairs))
    rows = csr_matrix(vstack([once, room, linked, enough]))
    lower = np.concatenate((np.ones(cells), np.full(sites + pairs, -np.inf), [depots.demand.sum()]))
    upper = np.concatenate((np.ones(cells), np.zeros(sites + pairs), [np.inf]))
    costs = np.concatenate((depots.opening, depots.serving.ravel()))
    return Program(costs, np.ones(sites + pairs), np.ones(sites + pairs, np.bool_), rows, lower, upper)


def _refused(depots: Depots) -> Refusal | None:
    if not depots.demand.size or not depots.demand.sum() > 0:
        return Refusal("plan-no-demand", "demand", "there are no cells to serve")
    for name, numbers in depots._asdict().items():
        if not np.isfinite(numbers).all() or (numbers < 0).any():
            return Refusal("plan-value-malformed", name, "a number that is finite and not negative")
    if (short := float(depots.demand.sum() - depots.capacity.sum())) > 0:
        return Refusal("plan-capacity-short", "capacity", f"all sites together lack room for {short:g}")
    largest = depots.capacity.max()
    if (over := float(depots.demand.max() - largest)) > 0:
        return Refusal("plan-capacity-short", "demand", f"the largest cell exceeds the largest site by {over:g}")
    return None
