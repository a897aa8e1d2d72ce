"""Local search for a city: points open, close, move and change their mix, and a little loss is let pass at first.

Threshold accepting (Dueck and Scheuer, Journal of Computational Physics 90, 1990) over changes of one or two points
that the budget pays for; what a district is short of counts as a loss that no gain makes up for. How long a search may
go on is not known beforehand, so it cools again and again, each time more slowly, from the best plan found.
"""

import msgspec
import numpy as np

from restante.plan.compiled import compiled
from restante.plan.siting.city import Indices, Numbers
from restante.plan.siting.model import Model
from restante.plan.siting.outcome import Outcome, outcome_of, shortage, spent, turn
from restante.plan.siting.search import Progress, Search

CHUNK = 2_000
A_SITE = 100
"""Trials in a chunk, and how many for each site where that is less, so that a town is not searched like a city."""
LOSS = 0.1
"""What a change may lose at first, as a share of the mean value of a point: no more in a large city than in a town."""
FIRST_CHUNKS = 10
IN_VAIN = 3


def settled(model: Model, mix: Indices, *, search: Search) -> Indices:
    """The best plan found by cooling until it is in vain three times, in no more chunks than there are rounds."""
    best, reached = mix, value_of(model, mix)
    left, chunks, vain = search.rounds, FIRST_CHUNKS, 0
    while left > 0 and vain < IN_VAIN and not search.stop():
        again = msgspec.structs.replace(search, seed=search.seed + left)
        best = improved(model, best, search=again, chunks=min(left, chunks))
        value = value_of(model, best)
        vain = 0 if value > reached else vain + 1
        reached, left, chunks = value, left - chunks, chunks + chunks // 2
    return best


def value_of(model: Model, mix: Indices) -> float:
    """What a plan counts, less what its districts are short of."""
    return float(judged(model, outcome_of(model, mix)))


def improved(model: Model, mix: Indices, *, search: Search, chunks: int) -> Indices:
    """The best plan found from one that the budget pays for, after at most so many chunks of trials."""
    chance = np.random.default_rng(search.seed)
    now = outcome_of(model, mix)
    best, best_value, count = now.mix.copy(), judged(model, now), min(CHUNK, A_SITE * len(mix))
    for chunk in range(chunks):
        if search.stop():
            break
        opened = max(1, int((best >= 0).sum()))
        allowed = LOSS * abs(best_value) / opened * (1 - (chunk + 1) / chunks) ** 2
        value = trials(model, now, (chance.random((count, 6)), allowed, best, best_value))
        if value > best_value:
            best_value = value
            search.tell(Progress("moving", best_value, np.inf))
        # Sums that were changed a thousand times are made anew, so that rounding does not add up.
        now = outcome_of(model, best if chunk % 8 == 7 else now.mix)
    return best


@compiled
def judged(model: Model, now: Outcome) -> float:
    """What a plan counts; a parcel that a district is short of counts for ten."""
    return float(now.value.sum() - 10.0 * shortage(model, now))


@compiled
def trials(model: Model, now: Outcome, given: tuple[Numbers, float, Indices, float]) -> float:
    """Try changes drawn from the numbers given; ``now`` moves on, mixes better than the best are written down.

    The best value, which is the one given where nothing better was found.
    """
    draws, allowed, best, best_value = given
    cost = 0.0
    for site in range(len(now.mix)):
        if now.mix[site] >= 0:
            cost += model.cost[site, now.mix[site]]
    reached = judged(model, now)
    sites, mixes, before = np.empty(2, np.int64), np.empty(2, np.int64), np.empty(2, np.int64)
    for row in range(len(draws)):
        count = propose(model, now, (draws[row], sites, mixes))
        extra = 0.0
        for at in range(count):
            before[at] = now.mix[sites[at]]
            extra += model.cost[sites[at], mixes[at]] if mixes[at] >= 0 else 0.0
            extra -= model.cost[sites[at], before[at]] if before[at] >= 0 else 0.0
        if count == 0 or cost + extra > model.budget:
            continue
        for at in range(count):
            turn(model, now, (sites[at], mixes[at]))
        found = judged(model, now)
        if found >= reached - allowed:
            reached, cost = found, cost + extra
            if found > best_value + 1e-9:
                best_value = found
                best[:] = now.mix
        else:
            for at in range(count - 1, -1, -1):
                turn(model, now, (sites[at], before[at]))
    return best_value


@compiled
def propose(model: Model, now: Outcome, given: tuple[Numbers, Indices, Indices]) -> int:
    """Draw a change of one or two different sites; how many there are in it, 0 when the draw makes no sense."""
    draw, sites, mixes = given
    sites[0] = int(draw[1] * len(now.mix))
    if draw[0] < 0.7:  # begin with a site that is open
        opened = np.flatnonzero(now.mix >= 0)
        if len(opened) == 0:
            return 0
        sites[0] = opened[int(draw[1] * len(opened))]
    mixes[0] = drawn_mix(model, now, (sites[0], draw[2], draw[0] < 0.4))
    if mixes[0] == now.mix[sites[0]]:
        return 0
    if draw[3] < 0.3:
        return 1
    sites[1] = int(draw[4] * len(now.mix))
    ways = model.start[sites[0] + 1] - model.start[sites[0]]
    if draw[3] < 0.8 and ways > 0:  # a neighbour: a site that shares a cell with the first
        cell = model.cell[model.start[sites[0]] + int(draw[4] * ways)]
        shared = model.cell_start[cell + 1] - model.cell_start[cell]
        sites[1] = model.site[model.by_cell[model.cell_start[cell] + int(draw[4] * 997.0 % 1.0 * shared)]]
    mixes[1] = drawn_mix(model, now, (sites[1], draw[5], False))
    return 0 if sites[1] == sites[0] or mixes[1] == now.mix[sites[1]] else 2


@compiled
def drawn_mix(model: Model, now: Outcome, given: tuple[int, float, bool]) -> int:
    """A mix for a site: closed if so wished (and it may be), else closed once in five times, else any that fits."""
    site, draw, closing = given
    fitting = model.mixes[site]
    if fitting == 0:
        return int(now.mix[site])
    if not model.must[site] and now.mix[site] >= 0 and (closing or draw < 0.2):
        return -1
    return int(draw * 991.0 % 1.0 * fitting)


def is_affordable(model: Model, mix: Indices) -> bool:
    """Whether the budget pays for a plan."""
    return spent(model, mix) <= model.budget
