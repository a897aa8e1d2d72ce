"""Maximal covering: so many sites that as much demand as can be lies within reach of one, with a proof.

Covering is a p-median in which a cell costs nothing where a site within reach is open and its whole demand elsewhere
(Church and ReVelle, Geographical Analysis 8, 1976), so swapping is that of the p-median and gives a plan to start from.
Its linear program is nearly whole, where prices of so few different costs are slow: HiGHS proves the rest.
"""

from collections.abc import Sequence

import msgspec
import numpy as np
from scipy.sparse import csr_matrix, vstack

from restante.core.refusals import Refusal
from restante.plan.program import Effort, Program, solve
from restante.plan.siting.interchange import improved
from restante.plan.siting.medians import first, refused
from restante.plan.siting.search import Search
from restante.plan.siting.table import Flags, Numbers, grain_of, table_of


class Covering(msgspec.Struct, frozen=True):
    """Which sites are open, the demand within reach of one, and a proven bound on every such demand."""

    opened: tuple[int, ...]
    covered: float
    bound: float


class Reach(msgspec.Struct, frozen=True):
    """Distances (cells × sites, any unit), how far a site reaches in that unit, and the demand of each cell."""

    distance: Numbers
    limit: float
    demand: Numbers


def maximal_covering(
    reach: Reach, points: int, *, kept: Sequence[int] = (), search: Search | None = None
) -> Covering | Refusal:
    """The ``points`` sites that cover most demand.

    Refusals: ``plan-no-demand`` when there is none, ``plan-value-malformed`` for a negative number,
    ``plan-too-few-sites`` and ``plan-sites-contradict`` as for the p-median.
    """
    total = float(reach.demand.sum())
    if not total > 0:
        return Refusal("plan-no-demand", "demand", f"the demand of all cells is {total:g}")
    if (reach.demand < 0).any():
        return Refusal("plan-value-malformed", "demand", "a demand is not negative")
    cost = np.where(reach.distance <= reach.limit, 0.0, reach.demand[:, None])
    if no := refused(cost, points, kept):
        return no
    must = np.zeros(cost.shape[1], np.bool_)
    must[list(kept)] = True
    search, table = search or Search(), table_of(cost, must)
    return _proven(reach, improved(table, first(table, points), search), must, search=search)


def _proven(reach: Reach, opened: Flags, must: Flags, *, search: Search) -> Covering:
    """The best HiGHS finds from a start, and its bound."""
    within = reach.distance <= reach.limit
    start = np.concatenate((opened, within[:, opened].any(axis=1))).astype(np.float64)
    effort = Effort(
        search.stop, absolute_gap=0.999 * grain_of(reach.demand[None]) or 1e-9, start=start, seed=search.seed
    )
    answer = solve(_program(reach, must, int(opened.sum())), effort)
    if answer.values.size:
        found = answer.values[: len(opened)] > 0.5
        opened = max((opened, found), key=lambda each: _covered(reach, within, each))
    covered = _covered(reach, within, opened)
    bound = min(-answer.bound, float(reach.demand.sum()))
    if grain_of(reach.demand[None]):
        bound = float(np.floor(bound + 1e-6))
    return Covering(tuple(int(site) for site in np.flatnonzero(opened)), covered, max(bound, covered))


def _covered(reach: Reach, within: Flags, opened: Flags) -> float:
    return float(reach.demand[within[:, opened].any(axis=1)].sum())


def _program(reach: Reach, must: Flags, points: int) -> Program:
    """First a variable per site, then one per cell, which is covered only if a site within reach is open."""
    cells, sites = reach.distance.shape
    cell, site = np.nonzero(reach.distance <= reach.limit)
    every = np.arange(cells)
    rows = csr_matrix((np.ones(cells), (every, sites + every)), (cells, sites + cells))
    rows = rows - csr_matrix((np.ones(len(cell)), (cell, site)), rows.shape)
    count = csr_matrix((np.ones(sites), (np.zeros(sites, np.int64), np.arange(sites))), (1, sites + cells))
    kept = csr_matrix((must.astype(np.float64), (np.zeros(sites, np.int64), np.arange(sites))), (1, sites + cells))
    return Program(
        costs=np.concatenate((np.zeros(sites), -reach.demand)),
        upper=np.ones(sites + cells),
        whole=np.arange(sites + cells) < sites,
        rows=csr_matrix(vstack([rows, count, kept])),
        row_lower=np.concatenate((np.full(cells, -np.inf), [points, must.sum()])),
        row_upper=np.concatenate((np.zeros(cells), [points, np.inf])),
    )
