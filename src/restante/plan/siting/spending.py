"""The best of sites and mixes under the budget, from above: a price on money that is found exactly."""

import numpy as np

from restante.plan.compiled import compiled
from restante.plan.siting.city import Indices, Numbers
from restante.plan.siting.model import Model


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
