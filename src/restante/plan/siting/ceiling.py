"""A bound for a city: no plan within the budget counts for more, however people were steered.

**The model that is bounded.** In every scenario, for every cell and size: a site serves at most the share that would
choose it if it stood alone, all sites together at most the logit's share of all that are open, E / (1 + E) with E the
sum of their attractions, and no site more than its mix has room for. Every outcome of the logit with parcels turned
away keeps to this, and so does every outcome in which those who were turned away choose again among points that have
room (the sales-based program of Gallego, Ratliff and Shebalov, Operations Research 63, 2015). So its bound is a bound
of both.

**How.** A price on each cell's and size's parcels relaxes the shared part (Lagrangian relaxation). The share
E / (1 + E) is concave; a tangent at any point lies above it, so each tangent gives a bound, and the tangents follow the
average of E over the rounds. What is left falls into sites: what a mix is worth there is found by letting in the
parcels with the highest margins first, which is exact because limits on up-sets of sizes are nested. The best of sites
and mixes under the budget is bounded by a price on money, which is found exactly. Prices follow a smoothed subgradient.
"""

from typing import NamedTuple

import numpy as np

from restante.plan.compiled import compiled
from restante.plan.siting.city import Indices, Numbers
from restante.plan.siting.model import Model

SMOOTHING = 0.8
AIM = 0.03
AVERAGING = 0.05
PATIENCE = 20
SMALLEST_STEP = 2e-3


class Prices(NamedTuple):
    """Per scenario, cell and size what a parcel is charged; per scenario and cell the point of the tangent, as the
    share that no point gets; per district what a parcel is rewarded."""

    parcel: Numbers
    none: Numbers
    reward: Numbers


class Round(NamedTuple):
    """One evaluation: the bound, the mixes chosen when money is dear (affordable) and cheap, how they blend, and what a
    unit of money is worth there."""

    bound: float
    dear: Indices
    cheap: Indices
    blend: float
    money: float


class Ceiling(NamedTuple):
    """The search for the lowest bound: the prices of the best and of the next round, and what steers the step."""

    bound: float
    best: Prices
    prices: Prices
    heading: Numbers
    average: Numbers
    step: float
    since: int


def first_ceiling(model: Model, pulled: Numbers) -> Ceiling:
    """Where the search begins: tangents at a known plan's attractions, a parcel charged half of what it counts."""
    prices = Prices(np.full(model.parcels.shape, 0.5), 1 / (1 + pulled), np.zeros(len(model.needed)))
    return Ceiling(np.inf, prices, prices, np.zeros(model.parcels.shape), pulled.copy(), 1.0, 0)


def lowered(model: Model, at: Ceiling, value: float) -> tuple[Ceiling, Round]:
    """One more round towards a lower bound, given the value of a plan that is known; and what the round chose."""
    now = evaluated(model, at.prices)
    better = now.bound < at.bound
    since = 0 if now.bound < at.bound - 1e-5 * abs(at.bound) or np.isinf(at.bound) else at.since + 1
    best = at.prices if better else at.best
    bound = min(now.bound, at.bound)
    used, pulled = blended(model, at.prices, now)
    average = (1 - AVERAGING) * at.average + AVERAGING * pulled
    none = at.prices.none
    capped = model.parcels * ((1 - none) ** 2 + none**2 * pulled)[:, :, None]
    weight = np.where(model.parcels > 0, model.parcels, 1.0)
    slope = (capped - used) / weight
    heading = SMOOTHING * at.heading + (1 - SMOOTHING) * slope
    seen = np.bincount(model.district, weights=used.sum(axis=(0, 2)), minlength=len(model.needed))
    lack = model.needed - seen
    length = float((model.parcels * heading**2).sum()) + 1e-12
    stride = at.step * min(max(now.bound - value, 1e-4 * abs(value)), AIM * abs(now.bound)) / length
    reward = np.maximum(0.0, at.prices.reward + stride * lack / np.maximum(model.needed, 1.0)) * (model.needed > 0)
    parcel = np.clip(at.prices.parcel - stride * heading, 0.0, 1.0 + reward[model.district][None, :, None])
    step = at.step
    if since >= PATIENCE:
        step, since = step * 0.8, 0
    following = Prices(parcel, 1 / (1 + average), reward)
    return Ceiling(bound, best, following, heading, average, step, since), now


def evaluated(model: Model, prices: Prices) -> Round:
    """The bound at some prices, and what is chosen there."""
    charged = (model.parcels * prices.parcel).sum(axis=2)
    constant = float((charged * (1 - prices.none) ** 2).sum() - (prices.reward * model.needed).sum())
    profit = profits(model, prices)
    rest, dear, cheap, blend, money = afforded(model, profit)
    return Round(constant + rest, dear, cheap, blend, money)


@compiled
def profits(model: Model, prices: Prices) -> Numbers:
    """What each mix is worth at each site (sites × mixes), minus infinity where it may not be."""
    sites, mixes = model.cost.shape
    profit = np.full((sites, mixes), -np.inf)
    for site in range(sites):
        if model.mixes[site] == 0:
            continue
        profit[site, : model.mixes[site]] = 0.0
        for k in range(model.parcels.shape[0]):
            margin, amount, size, base = units(model, prices, (k, site))
            order = np.argsort(-margin)
            for mix in range(model.mixes[site]):
                profit[site, mix] += base + fill(model.room[k, mix], (margin, amount, size), order)
    return profit


@compiled
def units(model: Model, prices: Prices, at: tuple[int, int]) -> tuple[Numbers, Numbers, Indices, float]:
    """Parcels a site might serve in a scenario, by cell and size: margin, amount, size; and what its pull earns."""
    k, site = at
    sizes = model.parcels.shape[2]
    count = (model.start[site + 1] - model.start[site]) * sizes
    margin, amount, kind = np.empty(count), np.empty(count), np.empty(count, np.int64)
    base, n = 0.0, 0
    for pair in range(model.start[site], model.start[site + 1]):
        cell, pull = model.cell[pair], model.pull[k, pair]
        alone = pull / (1.0 + pull)
        tangent = prices.none[k, cell] ** 2 * pull
        worth = model.worth[pair] + prices.reward[model.district[cell]]
        for size in range(sizes):
            parcels = model.parcels[k, cell, size]
            base += parcels * prices.parcel[k, cell, size] * tangent
            gain = worth - prices.parcel[k, cell, size]
            if gain > 0.0 and parcels > 0.0:
                margin[n], amount[n], kind[n] = gain, parcels * alone, size
                n += 1
    return margin[:n], amount[:n], kind[:n], base


@compiled
def fill(room: Numbers, given: tuple[Numbers, Numbers, Indices], order: Indices) -> float:
    """The most that parcels are worth under nested limits: those with the highest margin first, as far as they fit."""
    margin, amount, kind = given
    left, total = room.copy(), 0.0
    for unit in order:
        taken = amount[unit]
        for size in range(kind[unit] + 1):
            taken = min(taken, left[size])
        if taken <= 0.0:
            if left[0] <= 0.0:
                break
            continue
        for size in range(kind[unit] + 1):
            left[size] -= taken
        total += taken * margin[unit]
    return total


@compiled
def afforded(model: Model, profit: Numbers) -> tuple[float, Indices, Indices, float, float]:
    """The least bound over prices of money: it, what fits the budget, what is just above, their blend, that price."""
    low, high = 0.0, 1e-12
    cheap, total, over = picked(model, profit, 0.0)
    if over <= model.budget:
        return total, cheap, cheap, 0.0, 0.0
    dear, total, under = picked(model, profit, high)
    while under > model.budget and high < 1e12:
        high *= 4.0
        dear, total, under = picked(model, profit, high)
    for _ in range(45):
        middle = (low + high) / 2
        choice, worth, paid = picked(model, profit, middle)
        if paid <= model.budget:
            high, dear, total, under = middle, choice, worth, paid
        else:
            low, cheap, over = middle, choice, paid
    return total + high * model.budget, dear, cheap, (model.budget - under) / (over - under), high


@compiled
def picked(model: Model, profit: Numbers, money: float) -> tuple[Indices, float, float]:
    """Each site's best mix when money has this price: the choice, its worth less its price, and what it costs."""
    sites = len(profit)
    choice, total, paid = np.full(sites, -1, np.int64), 0.0, 0.0
    for site in range(sites):
        best = -np.inf if model.must[site] else 0.0
        for mix in range(model.mixes[site]):
            worth = profit[site, mix] - money * model.cost[site, mix]
            if worth > best:
                best, choice[site] = worth, mix
        if choice[site] >= 0:
            total += best
            paid += model.cost[site, choice[site]]
    return choice, total, paid


@compiled
def blended(model: Model, prices: Prices, now: Round) -> tuple[Numbers, Numbers]:
    """What the blend of both choices serves (scenario, cell, size) and how it pulls (scenario, cell)."""
    used, pulled = np.zeros(model.parcels.shape), np.zeros(prices.none.shape)
    for part in range(2):
        share = now.blend if part else 1.0 - now.blend
        choice = now.cheap if part else now.dear
        for site in np.flatnonzero(choice >= 0):
            for k in range(model.parcels.shape[0]):
                serve(model, prices, (k, int(site), choice[site], share, used, pulled))
    return used, pulled


@compiled
def serve(model: Model, prices: Prices, at: tuple[int, int, int, float, Numbers, Numbers]) -> None:
    """Add what one site serves and pulls in one scenario, the parcels with the highest margins first."""
    k, site, mix, share, used, pulled = at
    first, sizes = model.start[site], model.parcels.shape[2]
    count = model.start[site + 1] - first
    margin = np.empty(count * sizes)
    for pair in range(count):
        cell = model.cell[first + pair]
        pulled[k, cell] += share * model.pull[k, first + pair]
        for size in range(sizes):
            worth = model.worth[first + pair] + prices.reward[model.district[cell]]
            margin[pair * sizes + size] = worth - prices.parcel[k, cell, size]
    left = model.room[k, mix].copy()
    for unit in np.argsort(-margin):
        if margin[unit] <= 0.0:
            break
        pair, size = first + unit // sizes, unit % sizes
        cell, pull = model.cell[pair], model.pull[k, pair]
        taken = model.parcels[k, cell, size] * pull / (1.0 + pull)
        for rank in range(size + 1):
            taken = max(0.0, min(taken, left[rank]))
        for rank in range(size + 1):
            left[rank] -= taken
        used[k, cell, size] += share * taken
