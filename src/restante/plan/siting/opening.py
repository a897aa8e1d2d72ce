"""Search over which points are open, each as large as pays best when money has a price.

Who chooses which point depends on what is open and not on how large it is. So the best mix of each open point is known
at a price on money, the budget is a matter of that price (Everett, Operations Research 11, 1963), and what is left to
search are sets of sites; what a price leaves of the budget is spent afterwards, one mix at a time. Sites open, close
and move, and a small loss is let pass at first (threshold accepting, Dueck and Scheuer, Journal of Computational
Physics 90, 1990). After each chunk of trials the price follows what is spent.
"""

import numpy as np

from restante.plan.compiled import compiled
from restante.plan.siting.city import Indices, Numbers
from restante.plan.siting.improving import is_affordable, value_of
from restante.plan.siting.model import Model
from restante.plan.siting.outcome import Outcome, outcome_of, shift
from restante.plan.siting.search import Progress, Search

CHUNK = 1_000
A_SITE = 20
"""Trials in a chunk, and how many for each site where that is less, so that a town is not searched like a city."""
LOSS = 0.03
"""What a change may lose at first, as a share of the mean value of a point."""
HASTE = 0.5
"""How fast the price of money follows what is spent: the power of spending over budget by which it is multiplied."""
LEAST_PRICE = 0.5
"""What a unit of money costs at least while too much is spent, as a share of what it yields on average."""
DEAREST = 1e9
HALVINGS = 45
WORTHLESS = 1e-9


def reopened(model: Model, begun: tuple[Indices, float], *, search: Search, chunks: int) -> Indices:
    """The best plan within the budget after so many chunks of trials, begun at a plan and a price on money.

    The plan begun at need not be one that the budget pays for; it comes back where nothing better was found that is.
    """
    best, money = begun
    reached = value_of(model, best) if is_affordable(model, best) else -np.inf
    chance, now, net = np.random.default_rng(search.seed), outcome_of(model, best), np.zeros(len(best))
    money, trials = money or balanced(model, now, net), min(CHUNK, A_SITE * len(best))
    for chunk in range(chunks):
        if search.stop():
            break
        paid = resized(model, now, (net, money))
        mean = (net.sum() + money * paid) / max(1, int((now.mix >= 0).sum()))
        allowed = LOSS * max(0.0, mean) * (1 - (chunk + 1) / chunks) ** 2
        wander(model, now, (net, money, chance.random((trials, 6)), allowed))
        # Sums that were changed a thousand times are made anew, so that rounding does not add up.
        now = outcome_of(model, now.mix)
        paid = resized(model, now, (net, money))
        money = followed(money, paid / max(model.budget, 1.0), (net.sum() + money * paid) / max(paid, 1.0))
        balanced(model, now, net)
        spend(model, now)
        value = value_of(model, now.mix) if is_affordable(model, now.mix) else -np.inf
        if value > reached:
            best, reached = now.mix.copy(), value
            search.tell(Progress("opening", reached, np.inf))
    return best


def followed(money: float, spending: float, earned: float) -> float:
    """The price of money after some spending, as a share of the budget, that earned so much for each unit."""
    least = LEAST_PRICE * earned if spending > 1.0 else 0.0
    factor: float = min(1.1, max(0.9, spending**HASTE))
    return max(least, money * factor)


@compiled
def fitted(model: Model, now: Outcome, at: tuple[int, float]) -> float:
    """Give an open site the mix that is worth most less its price, and tell what that is."""
    site, money = at
    best = -np.inf
    for mix in range(model.mixes[site]):
        net = yielded(model, now, (site, mix)) - money * model.cost[site, mix]
        if net > best:
            best, now.mix[site] = net, mix
    return best


@compiled
def yielded(model: Model, now: Outcome, at: tuple[int, int]) -> float:
    """What the parcels would count that find room at a site, had it this mix."""
    site, mix = at
    found = 0.0
    for k in range(now.load.shape[0]):
        total = 0.0
        for size in range(now.load.shape[2] - 1, -1, -1):
            load = now.load[k, site, size]
            taken = min(load, max(0.0, model.room[k, mix, size] - total))
            total += taken
            if load > 0.0:
                found += now.worth[k, site, size] * taken / load
    return found


@compiled
def spend(model: Model, now: Outcome) -> None:
    """Use what a price on money leaves of the budget: again and again the one other mix that gains most."""
    left = model.budget
    for site in range(len(now.mix)):
        if now.mix[site] >= 0:
            left -= model.cost[site, now.mix[site]]
    site, mix = gaining(model, now, left)
    while site >= 0:
        left -= model.cost[site, mix] - model.cost[site, now.mix[site]]
        now.mix[site] = mix
        site, mix = gaining(model, now, left)


@compiled
def gaining(model: Model, now: Outcome, left: float) -> tuple[int, int]:
    """The open point, and its other mix, that gain most for no more money than is left; -1 where none does."""
    most, where, which = WORTHLESS, -1, -1
    for site in range(len(now.mix)):
        if now.mix[site] < 0:
            continue
        has, paid = yielded(model, now, (site, int(now.mix[site]))), model.cost[site, now.mix[site]]
        for mix in range(model.mixes[site]):
            if model.cost[site, mix] - paid > left:
                continue
            gain = yielded(model, now, (site, mix)) - has
            if gain > most:
                most, where, which = gain, site, mix
    return where, which


@compiled
def resized(model: Model, now: Outcome, priced: tuple[Numbers, float]) -> float:
    """Fit every open site at a price on money, write down what each is worth, and tell what all of them cost."""
    net, money = priced
    paid = 0.0
    for site in range(len(now.mix)):
        net[site] = 0.0
        if now.mix[site] >= 0:
            net[site] = fitted(model, now, (site, money))
            paid += model.cost[site, now.mix[site]]
    return paid


@compiled
def balanced(model: Model, now: Outcome, net: Numbers) -> float:
    """The least price of money at which what is open is not dearer than the budget; all is fitted at that price."""
    low, high = 0.0, 1e-9
    if resized(model, now, (net, low)) <= model.budget:
        return low
    while resized(model, now, (net, high)) > model.budget and high < DEAREST:
        low, high = high, high * 4.0
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        if resized(model, now, (net, middle)) <= model.budget:
            high = middle
        else:
            low = middle
    resized(model, now, (net, high))
    return high


@compiled
def flip(model: Model, now: Outcome, at: tuple[int, Numbers, float]) -> None:
    """Open a closed site or close an open one, and fit all whose people changed."""
    site, net, money = at
    for touched in shift(model, now, (site, -1 if now.mix[site] >= 0 else 0)):
        net[touched] = fitted(model, now, (touched, money)) if now.mix[touched] >= 0 else 0.0


@compiled
def wander(model: Model, now: Outcome, given: tuple[Numbers, float, Numbers, float]) -> None:
    """Flip sites as drawn, one or two at a time, and take back what loses more than is allowed."""
    net, money, draws, allowed = given
    reached, sites = net.sum(), np.empty(2, np.int64)
    for draw in draws:
        count = drawn(model, now, (draw, sites))
        for at in range(count):
            flip(model, now, (sites[at], net, money))
        found = net.sum()
        if found >= reached - allowed:
            reached = found
            continue
        for at in range(count - 1, -1, -1):
            flip(model, now, (sites[at], net, money))


@compiled
def drawn(model: Model, now: Outcome, given: tuple[Numbers, Indices]) -> int:
    """Draw one site, or an open and a closed one, mostly neighbours; how many, 0 when the draw makes no sense."""
    draw, sites = given
    one, count = int(draw[1] * len(now.mix)), len(now.mix)
    opened = np.flatnonzero(now.mix >= 0)
    if draw[0] < 0.6 and len(opened):
        one = opened[int(draw[1] * len(opened))]
    sites[0] = one
    other, ways = int(draw[5] * count), model.start[one + 1] - model.start[one]
    if draw[3] < 0.7 and ways > 0:  # a site that shares a cell with the first
        cell = model.cell[model.start[one] + int(draw[4] * ways)]
        shared = model.cell_start[cell + 1] - model.cell_start[cell]
        other = model.site[model.by_cell[model.cell_start[cell] + int(draw[5] * shared)]]
    sites[1] = other
    if model.must[one] or model.mixes[one] == 0:
        return 0
    if draw[3] >= 0.8:
        return 1
    movable = not model.must[other] and model.mixes[other] > 0 and (now.mix[one] >= 0) != (now.mix[other] >= 0)
    return 2 if movable else 0
