"""A bound for a city: at any prices, what no plan within the budget exceeds.

**The model that is bounded.** Let z be the share of a cell that chooses no point. In every scenario, z and the shares
of the open points, pull × z each, make up the whole of the cell, whether or not there is room for those who come; and
z = 1 / (1 + E), E the sum of what is open, is no less than any tangent of that convex function. Of those who come with
a size, a point serves the same part f from every cell, all together no more than its mix has room for.

**How.** Each site is given its own copy of every z around it, and prices have the copies agree with what the points
leave over (Lagrangian decomposition, Guignard and Kim, Mathematical Programming 39, 1987). Further prices are on the
tangents, on the room of each site and on what districts see. What remains falls into sites. An open site's copy lies
between what is left where all are open that may be, and where no other is; a closed site's, where it is missing. Both
choose the end that is worth more, for the sum is linear in each copy; it is linear in f as well, so that the best f is
0 or 1 for each size, and all of these are tried. What the budget pays for is bounded by a price on money.

A plan, with z in every copy, is among what is chosen from, and breaks nothing that has a price: so the bound holds
at any prices, right or wrong. Copies are what counts those who come. Without them a site would be charged only for
those it has room for, and whoever is turned away would be served elsewhere.
"""

from typing import NamedTuple

import numpy as np

from restante.plan.compiled import compiled
from restante.plan.siting.city import Indices, Numbers
from restante.plan.siting.model import Model
from restante.plan.siting.spending import afforded


class Prices(NamedTuple):
    """What is charged: ``copy[k, pair]`` for a site's copy of the share that no point gets, ``tangent[k, cell]`` for
    that share itself, ``room[k, site, s]`` for the room that parcels of a size rank and larger take; ``reward[d]`` is
    paid for each parcel a district sees. ``none[k, cell]`` is no price but the share at which the tangent touches."""

    copy: Numbers
    tangent: Numbers
    room: Numbers
    reward: Numbers
    none: Numbers


class Crowd(NamedTuple):
    """By scenario and cell: the price of a share, the attraction of all that may be open and of all that must be."""

    charge: Numbers
    most: Numbers
    least: Numbers


class Sites(NamedTuple):
    """What sites chose: ``profit`` of each mix over being closed, what they are worth ``closed``, the sizes served as
    bits (scenario × site), and their copies when open and when shut (scenario × pair)."""

    profit: Numbers
    closed: Numbers
    served: Indices
    opened: Numbers
    shut: Numbers


class Round(NamedTuple):
    """One evaluation: the bound, what the sites chose, the mixes chosen when money is dear (affordable) and cheap, how
    they blend, and what a unit of money is worth there."""

    bound: float
    sites: Sites
    dear: Indices
    cheap: Indices
    blend: float
    money: float


def evaluated(model: Model, prices: Prices) -> Round:
    """The bound at some prices, and what is chosen there."""
    crowd = crowded(model, prices)
    tangents = (prices.tangent * (2 * prices.none - prices.none**2)).sum()
    constant = crowd.charge.sum() - tangents - (prices.reward * model.needed).sum()
    sites = valued(model, prices, crowd)
    rest, dear, cheap, blend, money = afforded(model, sites.profit)
    return Round(float(constant + sites.closed.sum()) + rest, sites, dear, cheap, blend, money)


@compiled
def crowded(model: Model, prices: Prices) -> Crowd:
    """What all sites about a cell come to. The share itself is free where its price is that of tangent and copies."""
    charge = prices.tangent.copy()
    most, least = np.zeros(charge.shape), np.zeros(charge.shape)
    for pair in range(len(model.cell)):
        cell, site = model.cell[pair], model.site[pair]
        for k in range(len(charge)):
            charge[k, cell] += prices.copy[k, pair]
            if model.mixes[site] > 0:
                most[k, cell] += model.pull[k, pair]
                least[k, cell] += model.pull[k, pair] if model.must[site] else 0.0
    return Crowd(charge, most, least)


@compiled
def valued(model: Model, prices: Prices, crowd: Crowd) -> Sites:
    """What each mix is worth at each site over leaving it closed, minus infinity where it may not be."""
    sites, mixes = model.cost.shape
    scenarios, pairs = model.pull.shape
    profit, closed = np.full((sites, mixes), -np.inf), np.zeros(sites)
    served = np.zeros((scenarios, sites), np.int64)
    made = Sites(profit, closed, served, np.zeros((scenarios, pairs)), np.zeros((scenarios, pairs)))
    for site in range(sites):
        gain = 0.0
        for k in range(scenarios):
            gain += serving(model, prices, (crowd, k, site, made))
            leave(model, prices, (crowd, k, site, made))
        for mix in range(model.mixes[site]):
            profit[site, mix] = gain - closed[site] + (prices.room[:, site] * model.room[:, mix]).sum()
    return made


@compiled
def serving(model: Model, prices: Prices, at: tuple[Crowd, int, int, Sites]) -> float:
    """What an open site is worth in a scenario before its room: the best set of sizes to serve, and its copies then."""
    crowd, k, site, made = at
    sizes = model.parcels.shape[2]
    best, kept = -np.inf, 0.0 if model.must[site] else 1.0
    pulls = 0.0
    for bits in range(1 << sizes):
        total = 0.0
        for pair in range(model.start[site], model.start[site + 1]):
            worth, cell = coming(model, prices, (crowd, k, pair, bits)), model.cell[pair]
            beside = crowd.least[k, cell] + kept * model.pull[k, pair]
            total += worth / (1.0 + (beside if worth > 0.0 else crowd.most[k, cell]))
        if total > best:
            best, made.served[k, site] = total, bits
    for pair in range(model.start[site], model.start[site + 1]):
        cell, pull = model.cell[pair], model.pull[k, pair]
        worth = coming(model, prices, (crowd, k, pair, made.served[k, site]))
        beside = crowd.least[k, cell] + kept * pull
        made.opened[k, pair] = 1.0 / (1.0 + (beside if worth > 0.0 else crowd.most[k, cell]))
        pulls += prices.tangent[k, cell] * prices.none[k, cell] ** 2 * pull
    return best + pulls


@compiled
def coming(model: Model, prices: Prices, at: tuple[Crowd, int, int, int]) -> float:
    """What it is worth to an open site that people of a cell come, for each unit of the share that no point gets."""
    crowd, k, pair, bits = at
    cell, site, pull = model.cell[pair], model.site[pair], model.pull[k, pair]
    worth, room = model.worth[pair] + prices.reward[model.district[cell]], 0.0
    total: float = -crowd.charge[k, cell] * pull - prices.copy[k, pair]
    for size in range(model.parcels.shape[2]):
        room += prices.room[k, site, size]
        if bits >> size & 1:
            total += pull * model.parcels[k, cell, size] * (worth - room)
    return total


@compiled
def leave(model: Model, prices: Prices, at: tuple[Crowd, int, int, Sites]) -> None:
    """Write down a closed site's copies in a scenario, and what they are worth."""
    crowd, k, site, made = at
    for pair in range(model.start[site], model.start[site + 1]):
        cell, price = model.cell[pair], prices.copy[k, pair]
        others = crowd.most[k, cell] - (model.pull[k, pair] if model.mixes[site] > 0 else 0.0)
        made.shut[k, pair] = 1.0 / (1.0 + (crowd.least[k, cell] if price < 0.0 else max(0.0, others)))
        made.closed[site] -= price * made.shut[k, pair]


@compiled
def sloped(model: Model, prices: Prices, now: Round) -> tuple[Prices, Numbers]:
    """How the bound rises with each price, and what the choice pulls (scenario × cell)."""
    share, room = opened_share(model, now)
    left, pulled = np.ones(prices.none.shape), np.zeros(prices.none.shape)
    copy, seen = np.zeros(prices.copy.shape), -model.needed
    for pair in range(len(model.cell)):
        cell, site = model.cell[pair], model.site[pair]
        for k in range(len(left)):
            came = model.pull[k, pair] * share[site] * now.sites.opened[k, pair]
            left[k, cell] -= came
            pulled[k, cell] += model.pull[k, pair] * share[site]
            for size in range(room.shape[2]):
                if now.sites.served[k, site] >> size & 1:
                    seen[model.district[cell]] += came * model.parcels[k, cell, size]
                    room[k, site, : size + 1] -= came * model.parcels[k, cell, size]
    for pair in range(len(model.cell)):
        part = share[model.site[pair]]
        for k in range(len(left)):
            own = part * now.sites.opened[k, pair] + (1.0 - part) * now.sites.shut[k, pair]
            copy[k, pair] = left[k, model.cell[pair]] - own
    tangent = left - 2 * prices.none + prices.none**2 * (1.0 + pulled)
    return Prices(copy, tangent, room, seen, prices.none), pulled


@compiled
def opened_share(model: Model, now: Round) -> tuple[Numbers, Numbers]:
    """How far each site is open in the blend of both choices, and the room that is bought (scenario, site, size)."""
    share, room = np.zeros(len(now.dear)), np.zeros((len(model.room), len(now.dear), model.room.shape[2]))
    for site in range(len(share)):
        for part in range(2):
            mix = now.cheap[site] if part else now.dear[site]
            weight = now.blend if part else 1.0 - now.blend
            if mix >= 0:
                share[site] += weight
                room[:, site] += weight * model.room[:, mix]
    return share, room
