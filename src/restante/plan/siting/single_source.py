"""Single-source capacitated siting: every cell is served by exactly one site, and no site beyond its capacity.

A plan to start from is made by serving the largest cells first, at the least extra cost, and bettered by opening,
closing and replacing sites, and by moving and exchanging cells. The strong form, in which a cell cannot be served from
a site that is not open, is relaxed; what would raise its cost above the plan's is left out (reduced costs), and HiGHS
proves the rest.
"""

import math
from itertools import product
from typing import NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_matrix, csr_matrix, vstack

from restante.core.refusals import Refusal
from restante.plan.program import Answer, Effort, Program, solve
from restante.plan.siting.search import Search
from restante.plan.siting.table import Flags, Numbers, grain_of

ABSOLUTE_GAP = 1e-6
RELATIVE_GAP = 1e-9
WHOLE = 1e-6
PARTS = (0.2, 1.0)
"""How far towards the cost of a known plan reduced costs go in what the first program may use, and in the second."""
NEAR = 1.03
"""How dear a plan may be, as a multiple of the best one, for its cells to be exchanged."""

Serves = NDArray[np.int64]


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
    begun = begin(depots)
    begun = None if begun is None else bettered(depots, begun, search=search)
    serves, bound = _proven(depots, begun, search=search)
    if serves is None:
        return Refusal("plan-capacity-short", "capacity", "no assignment of whole cells was found to fit")
    cost = cost_of(depots, serves)
    bound = min(bound, cost)
    bound = math.ceil(bound - WHOLE) if _grain(depots) and math.isfinite(bound) else bound
    return Assignment(tuple(int(site) for site in serves), cost, bound)


def _proven(depots: Depots, serves: Serves | None, *, search: Search) -> tuple[Serves | None, float]:
    """The best plan found from one to start from, and a bound: first among what is cheapest to use, then among all."""
    program, grain = _program(depots), _grain(depots)
    effort = Effort(search.stop, 0.999 * grain or ABSOLUTE_GAP, RELATIVE_GAP, seed=search.seed)
    relaxed = solve(program._replace(whole=np.zeros_like(program.whole)), effort)
    if serves is None or not math.isfinite(relaxed.bound):
        answer = solve(program, effort._replace(start=None if serves is None else _values(depots, serves)))
        found = _chosen(depots, answer)
        return serves if found is None else found, answer.bound
    bound = relaxed.bound
    for part in PARTS:
        known, start = cost_of(depots, serves), _values(depots, serves)
        target = relaxed.bound + part * (known - 0.999 * grain - relaxed.bound)
        used = (relaxed.bound + relaxed.reduced <= target + WHOLE * abs(target)) | (start > 0)
        answer = solve(program._replace(upper=used.astype(np.float64)), effort._replace(start=start))
        plans = [each for each in (serves, _chosen(depots, answer)) if each is not None]
        serves, bound = min(plans, key=lambda each: cost_of(depots, each)), min(answer.bound, known)
    return serves, max(bound, relaxed.bound)


def _chosen(depots: Depots, answer: Answer) -> Serves | None:
    """The plan of an answer, if it has one."""
    if not answer.values.size:
        return None
    serves: Serves = np.argmax(answer.values[len(depots.capacity) :].reshape(depots.serving.shape), axis=1)
    return serves


def _grain(depots: Depots) -> float:
    return grain_of(np.vstack((depots.serving, depots.opening)))


def cost_of(depots: Depots, serves: Serves) -> float:
    """What an assignment costs: opening the sites it uses and serving each cell."""
    opening = depots.opening[np.unique(serves)].sum()
    return float(opening + depots.serving[np.arange(len(serves)), serves].sum())


def begin(depots: Depots) -> Serves | None:
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


def bettered(depots: Depots, serves: Serves, *, search: Search) -> Serves:
    """A plan no dearer, that no opening or closing of one site, nor putting one in the place of another, betters."""
    best = _exchanged(depots, serves)
    found = _neighbour(depots, best, search=search)
    while found is not None:
        best, found = found, _neighbour(depots, found, search=search)
    return best


def _neighbour(depots: Depots, serves: Serves, *, search: Search) -> Serves | None:
    """The first cheaper plan that differs in one site, or in an open and a closed one; none when time is up."""
    cost, known = cost_of(depots, serves), np.zeros(len(depots.capacity), np.bool_)
    known[serves] = True
    single = [(site,) for site in range(len(known))]
    for change in (*single, *product(np.flatnonzero(known).tolist(), np.flatnonzero(~known).tolist())):
        if search.stop():
            return None
        opened = known.copy()
        opened[list(change)] ^= True
        if depots.capacity[opened].sum() < depots.demand.sum():
            continue
        made = _filled(depots, opened)
        if made is None or cost_of(depots, made) > cost * NEAR:
            continue
        if cost_of(depots, made := _exchanged(depots, made)) < cost * (1 - RELATIVE_GAP):
            return made
    return None


def _exchanged(depots: Depots, serves: Serves) -> Serves:
    """A plan among the same sites, or fewer, that neither moving a cell nor exchanging two makes cheaper to serve."""
    serves, cells = serves.copy(), np.arange(len(serves))
    free = depots.capacity - np.bincount(serves, weights=depots.demand, minlength=len(depots.capacity))
    opened = np.zeros(len(free), np.bool_)
    opened[serves] = True
    larger = depots.demand[:, None] - depots.demand[None]
    while True:
        now, there = depots.serving[cells, serves], depots.serving[:, serves]
        moved = np.where(opened & (free >= depots.demand[:, None]), depots.serving - now[:, None], 0.0)
        fits = (larger <= free[serves][None]) & (-larger <= free[serves][:, None])
        swapped = np.where(fits, there + there.T - now[:, None] - now[None], 0.0)
        least = min(moved.min(), swapped.min())
        if least >= -WHOLE:
            return serves
        if moved.min() == least:
            cell, site = np.unravel_index(int(moved.argmin()), moved.shape)
            serves[cell] = site
        else:
            one, other = np.unravel_index(int(swapped.argmin()), swapped.shape)
            serves[one], serves[other] = serves[other], serves[one]
        free = depots.capacity - np.bincount(serves, weights=depots.demand, minlength=len(free))


def _filled(depots: Depots, opened: Flags) -> Serves | None:
    """Cells at their cheapest open site, or, where those are too small, one by one, who would lose most by waiting."""
    serving = np.where(opened, depots.serving, math.inf)
    serves: Serves = np.argmin(serving, axis=1)
    load = np.bincount(serves, weights=depots.demand, minlength=len(opened))
    if not opened.any() or (load <= depots.capacity).all():
        return serves if opened.any() else None
    second = np.partition(serving, 1, axis=1)[:, 1] if len(opened) > 1 else serving[:, 0]
    free = depots.capacity.astype(np.float64).copy()
    for cell in np.argsort(serving.min(axis=1) - second, kind="stable"):
        costs = np.where(free >= depots.demand[cell], serving[cell], math.inf)
        serves[cell] = np.argmin(costs)
        if not math.isfinite(costs[serves[cell]]):
            return None
        free[serves[cell]] -= depots.demand[cell]
    return serves


def _values(depots: Depots, serves: Serves) -> Numbers:
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
