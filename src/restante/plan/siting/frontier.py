"""Cost, coverage and walk against each other: proposals of which none is better than another in everything."""

from collections.abc import Sequence

import msgspec

from restante.plan.siting.brief import Brief
from restante.plan.siting.city import City, Walks
from restante.plan.siting.proposal import Proposal
from restante.plan.siting.proposing import propose
from restante.plan.siting.search import Search


def frontier(
    city: City, walks: Walks, brief: Brief, *, budgets: Sequence[int], walk_weights: Sequence[float], search: Search
) -> tuple[Proposal, ...]:
    """A proposal for each budget and weight of the walk, each begun from the one before; dominated ones are left out.

    A budget that cannot be met makes no proposal. The bound of each is that of its own budget and weight.
    """
    found: list[Proposal] = []
    for weight in walk_weights:
        earlier: Proposal | None = None
        for budget in sorted(budgets):
            asked = msgspec.structs.replace(brief, budget_minor_per_year=budget, walk_weight=weight)
            made = propose(city, walks, asked, search=search, earlier=earlier)
            if isinstance(made, Proposal):
                earlier = made
                found.append(made)
    return undominated(found)


def undominated(proposals: Sequence[Proposal]) -> tuple[Proposal, ...]:
    """Those that no other equals or betters in cost, coverage and walk; of equal ones the first stays."""
    kept: list[Proposal] = []
    for at, each in enumerate(proposals):
        others = [*kept, *proposals[at + 1 :]]
        if not any(_dominates(other, each, earlier=other in kept) for other in others):
            kept.append(each)
    return tuple(kept)


def _dominates(one: Proposal, other: Proposal, *, earlier: bool) -> bool:
    a, b = _aims(one), _aims(other)
    return all(x <= y for x, y in zip(a, b, strict=True)) and (earlier or a != b)


def _aims(each: Proposal) -> tuple[float, float, float]:
    walk = each.walked_km_per_day / each.served_per_day if each.served_per_day else 0.0
    return float(each.cost_minor_per_year), -each.served_per_day, walk
