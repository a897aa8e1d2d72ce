"""Proving a p-median the best: prices decide most sites, and branching on the others decides the rest.

At every node the prices of its parent are raised for a few rounds. If putting a site in, or leaving it out, raises the
bound above the target, no better plan does so and the site is decided (reduced costs). The sites decided before the
first branch are left out of the table altogether, which makes a round cost little. Of the two branches the one that
opens the site comes first; what is not yet looked at keeps the bound of its parent, so the search may stop at any time.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from restante.plan.compiled import compiled
from restante.plan.siting.interchange import nearest_of, settle
from restante.plan.siting.prices import Priced, savings, served
from restante.plan.siting.search import Progress, Search
from restante.plan.siting.table import Flags, Numbers, Table

ROUNDS = 60
PATIENCE = 6
SMOOTHING = 0.6
OUT, FREE, IN = -1, 0, 1

States = NDArray[np.int8]


class Node(NamedTuple):
    """A part of all plans: what is decided about each site, the prices to begin with, and a bound on its plans."""

    states: States
    prices: Numbers
    bound: float


class Aim(NamedTuple):
    """How many sites open, the cost known, the bound that ends a node, and how many rounds it may take."""

    points: int
    cost: float
    target: float
    rounds: int


def branched(table: Table, best: Priced, *, search: Search, grain: float) -> Priced:
    """The best plan, with a bound that is its cost; or what was found and proven when the search had to stop."""
    sites = np.flatnonzero(_undecided(best, table.kept, target=_target(best.cost, grain)))
    small = _part(table, sites)
    points = int(best.opened.sum())
    root = Node(np.where(small.kept, IN, FREE).astype(np.int8), best.prices, best.bound)
    stack, near = [root], nearest_of(small)
    while stack and not search.stop():
        node = stack.pop()
        target = _target(best.cost, grain)
        if node.bound > target:
            continue
        states, prices = node.states.copy(), node.prices.copy()
        share = np.zeros(len(sites))
        bound = raised(small, (states, prices, share), Aim(points, best.cost, target, ROUNDS))
        opened = _guess(states, share, points)
        if opened.sum() == points and (cost := settle(small, opened, near)) < best.cost:
            best = best._replace(opened=_whole(table, sites, opened), cost=cost)
        if bound <= _target(best.cost, grain):
            stack += _children(Node(states, prices, max(bound, node.bound)), share, points)
        search.tell(Progress("proving", best.cost, min([best.cost, *(each.bound for each in stack)])))
    left = min([best.cost, *(each.bound for each in stack)])
    return best._replace(bound=max(best.bound, left))


def _target(cost: float, grain: float) -> float:
    return cost - grain + 1e-6 if grain else cost * (1 - 1e-9)


def _undecided(best: Priced, kept: Flags, *, target: float) -> Flags:
    """Sites which a better plan may open, and those of the best plan known."""
    ranked = np.sort(np.where(kept, -np.inf, best.saved))
    last_in = ranked[int(best.opened.sum()) - 1]
    allowed: Flags = (best.bound + best.saved - last_in <= target) | best.opened | kept
    return allowed


def _part(table: Table, sites: NDArray[np.int64]) -> Table:
    cost = np.ascontiguousarray(table.cost[sites])
    order = np.argsort(cost.T, axis=1, kind="stable").astype(np.int32)
    return Table(cost, order, table.kept[sites])


def _whole(table: Table, sites: NDArray[np.int64], opened: Flags) -> Flags:
    flags = np.zeros(table.sites, np.bool_)
    flags[sites[opened]] = True
    return flags


def _guess(states: States, share: Numbers, points: int) -> Flags:
    """The sites that are in, and those chosen most often in the rounds of this node."""
    ranked = np.where(states == IN, np.inf, np.where(states == OUT, -np.inf, share))
    opened = np.zeros(len(states), np.bool_)
    opened[np.argsort(-ranked, kind="stable")[:points]] = True
    guess: Flags = opened & (states != OUT)
    return guess


def _children(node: Node, share: Numbers, points: int) -> list[Node]:
    """The two halves of a node, the one to look at first last; none where everything is decided."""
    free = np.flatnonzero(node.states == FREE)
    wanted = points - int((node.states == IN).sum())
    if not wanted or wanted > len(free):
        return []
    if wanted == len(free):
        states = np.where(node.states == FREE, IN, node.states).astype(np.int8)
        return [node._replace(states=states)]
    site = free[np.argmin(np.abs(share[free] - 0.5))]
    halves = []
    for state in (OUT, IN):
        states = node.states.copy()
        states[site] = state
        halves.append(node._replace(states=states))
    return halves


@compiled
def raised(table: Table, node: tuple[States, Numbers, Numbers], aim: Aim) -> float:
    """Raise the bound of a node, deciding sites on the way; infinite when no plan of the node is better.

    ``node`` is changed in place: the states of sites where one is decided, the prices to the best ones, and the share
    of rounds that chose each site.
    """
    states, best_prices, share = node
    prices = best_prices.copy()
    heading = np.zeros(len(prices))
    best, step, since = -np.inf, 1.0, 0
    for _ in range(aim.rounds):
        saved = savings(table, prices)
        ranked = _ranked(saved, states)
        order = np.argsort(ranked)
        chosen = np.zeros(len(states), np.bool_)
        chosen[order[: aim.points]] = True
        last_in = ranked[order[aim.points - 1]]
        bound = prices.sum() + saved[chosen].sum()
        if bound > aim.target or np.isposinf(last_in):
            return np.inf
        share += 0.1 * (chosen - share)
        first_out = ranked[order[aim.points]] if aim.points < len(order) else np.inf
        _decide(states, (saved, chosen), (aim.target - bound, last_in, first_out))
        since = 0 if bound > best + 1e-6 * abs(best) else since + 1
        if bound > best:
            best = bound
            best_prices[:] = prices
        if since >= PATIENCE:
            step, since = step / 2, 0
        missed = 1.0 - served(table, prices, chosen)
        heading = SMOOTHING * heading + missed
        length = (heading * heading).sum()
        if length == 0.0:
            break
        prices = prices + step * max(aim.cost - bound, 0.5) / length * heading
    return best


@compiled
def _ranked(saved: Numbers, states: States) -> Numbers:
    """Savings, with what is in before and what is out after everything that is free."""
    ranked = saved.copy()
    for site in range(len(states)):
        if states[site] != FREE:
            ranked[site] = -np.inf if states[site] == IN else np.inf
    return ranked


@compiled
def _decide(states: States, at: tuple[Numbers, Flags], edge: tuple[float, float, float]) -> None:
    """Decide free sites whose change of place with the last one in or the first one out costs more than the slack."""
    saved, chosen = at
    slack, last_in, first_out = edge
    for site in range(len(states)):
        if states[site] == FREE and not chosen[site] and saved[site] - last_in > slack:
            states[site] = OUT
        elif states[site] == FREE and chosen[site] and first_out - saved[site] > slack:
            states[site] = IN
