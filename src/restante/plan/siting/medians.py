"""The p-median: so many sites that all cells together are as near as can be, with a proof of how near that is.

Swapping finds a plan, prices bound it from below, the two decide most sites, branching decides the rest. Must-have
sites are kept open throughout; a forbidden one is left out of the costs by the caller.
"""

from collections.abc import Sequence

import msgspec
import numpy as np

from restante.core.refusals import Refusal
from restante.plan.siting.branching import branched
from restante.plan.siting.interchange import improved, nearest_of, settle
from restante.plan.siting.prices import is_proven, priced
from restante.plan.siting.search import Search
from restante.plan.siting.table import Flags, Numbers, Table, grain_of, table_of


class Medians(msgspec.Struct, frozen=True):
    """Which sites are open, which of them serves each cell, what that costs, and a proven bound on every cost."""

    opened: tuple[int, ...]
    serves: tuple[int, ...]
    cost: float
    bound: float


def p_median(
    cost: Numbers, points: int, *, kept: Sequence[int] = (), search: Search | None = None
) -> Medians | Refusal:
    """The cheapest ``points`` sites for costs given as (cells × sites); infinite where a site cannot serve a cell.

    Refusals: ``plan-no-demand`` without cells, ``plan-too-few-sites`` when fewer sites than points are there,
    ``plan-sites-contradict`` when more sites are to be kept than may open, ``plan-cell-unreachable`` when no choice of
    so many sites is found to reach every cell (the field names cells that no site reaches, if there are any).
    """
    if no := refused(cost, points, kept):
        return no
    search = search or Search()
    finite = np.isfinite(cost)
    # So dear that whoever leaves a cell unserved could have served everything else twice.
    dear = 2.0 * float(np.where(finite, cost, 0.0).max(axis=1).sum()) + 1.0
    must = np.zeros(cost.shape[1], np.bool_)
    must[list(kept)] = True
    found = solved(table_of(np.where(finite, cost, dear), must), points, search=search)
    if found.cost >= dear:
        missed = int(found.cost // dear)
        return Refusal("plan-cell-unreachable", "points", f"{points} points leave {missed} cells unreached at best")
    return found


def solved(table: Table, points: int, *, search: Search) -> Medians:
    """The best set found for a table of finite costs, and the bound; both are equal where ``search`` had the time."""
    grain = grain_of(table.cost)
    opened = improved(table, first(table, points), search)
    best = priced(table, opened, search=search, grain=grain)
    if not (is_proven(best, grain) or search.stop()):
        best = branched(table, best, search=search, grain=grain)
    bound = best.cost if is_proven(best, grain) else best.bound
    return _medians(table, best.opened, bound)


def first(table: Table, points: int) -> Flags:
    """The kept sites and those which would be cheapest alone: where searching starts."""
    ranked = np.where(table.kept, -np.inf, table.cost.sum(axis=1))
    opened = np.zeros(table.sites, np.bool_)
    opened[np.argsort(ranked, kind="stable")[:points]] = True
    return opened


def _medians(table: Table, opened: Flags, bound: float) -> Medians:
    near = nearest_of(table)
    cost = settle(table, opened, near)
    return Medians(
        tuple(int(site) for site in np.flatnonzero(opened)),
        tuple(int(site) for site in near.site),
        float(cost),
        min(bound, float(cost)),
    )


def refused(cost: Numbers, points: int, kept: Sequence[int]) -> Refusal | None:
    """Why no plan can be made of these costs at all, or nothing."""
    cells, sites = cost.shape
    if not cells:
        return Refusal("plan-no-demand", "cells", "there are no cells to serve")
    if np.isnan(cost).any() or (cost < 0).any():
        return Refusal("plan-value-malformed", "cost", "a cost is a number that is not negative")
    if not 1 <= points <= sites:
        return Refusal("plan-too-few-sites", "points", f"{points} points of {sites} sites")
    if len(set(kept)) > points:
        return Refusal("plan-sites-contradict", "kept", f"{len(set(kept))} sites are kept, {points} may open")
    if (lost := np.flatnonzero(~np.isfinite(cost).any(axis=1))).size:
        return Refusal("plan-cell-unreachable", f"cells {lost[:5].tolist()}", f"{lost.size} cells no site reaches")
    return None
