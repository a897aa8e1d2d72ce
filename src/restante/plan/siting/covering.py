"""Maximal covering: so many sites that as much demand as can be lies within reach of one, with a proof.

Covering is a p-median in which a cell costs nothing where a site within reach is open and its whole demand elsewhere
(Church and ReVelle, Geographical Analysis 8, 1976), so prices, swaps and branching are those of the p-median.
"""

from collections.abc import Sequence

import msgspec
import numpy as np

from restante.core.refusals import Refusal
from restante.plan.siting.medians import refused, solved
from restante.plan.siting.search import Search
from restante.plan.siting.table import Numbers, table_of


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
    # What no site reaches or nobody asks for costs the same whatever opens.
    matters = cost.min(axis=1) < cost.max(axis=1)
    constant = float(cost[~matters].min(axis=1).sum())
    found = solved(table_of(cost[matters], must), points, search=search or Search())
    return Covering(found.opened, total - constant - found.cost, total - constant - found.bound)
