"""The search for the lowest bound: prices follow what the copies and the points of each round disagree about.

Each price moves by its slope, averaged, as a multiple of how large that was before (Kingma and Ba, arXiv:1412.6980) and
in proportion to the parcels it is for. Where no round was better for some time, the search goes back to the best prices
and takes shorter steps.
"""

from typing import NamedTuple

import numpy as np

from restante.plan.siting.city import Numbers
from restante.plan.siting.copies import Prices, Round, evaluated, sloped
from restante.plan.siting.model import Model

FIRST_STEP = 0.02
SMALLEST_STEP = 1e-5
SHORTER = 0.7
PATIENCE = 20
FIRST_TANGENT = 0.5
MEAN_KEPT, SQUARE_KEPT, AVERAGE_KEPT = 0.9, 0.999, 0.98
TINY = 1e-9


class Ceiling(NamedTuple):
    """The search for the lowest bound: the prices of the best and of the next round, and what steers the step.

    ``mean`` and ``square`` are moments of the slopes, laid end to end as the prices are; ``average`` is of the
    attraction by scenario and cell.
    """

    bound: float
    best: Prices
    prices: Prices
    mean: Numbers
    square: Numbers
    average: Numbers
    step: float
    since: int
    rounds: int


def first_ceiling(model: Model, pulled: Numbers) -> Ceiling:
    """Where the search begins: tangents at a known plan's attractions, copies and room for nothing."""
    scenarios, _, sizes = model.parcels.shape
    prices = Prices(
        copy=np.zeros((scenarios, len(model.cell))),
        tangent=FIRST_TANGENT * model.parcels.sum(axis=2),
        room=np.zeros((scenarios, len(model.mixes), sizes)),
        reward=np.zeros(len(model.needed)),
        none=1 / (1 + pulled),
    )
    flat = np.zeros(len(_flat(prices)))
    return Ceiling(np.inf, prices, prices, flat, flat, pulled, FIRST_STEP, 0, 0)


def lowered(model: Model, at: Ceiling) -> tuple[Ceiling, Round]:
    """One more round towards a lower bound, and what the round chose."""
    now = evaluated(model, at.prices)
    since = 0 if now.bound < at.bound - 1e-5 * abs(at.bound) or np.isinf(at.bound) else at.since + 1
    best, bound = (at.prices, now.bound) if now.bound < at.bound else (at.best, at.bound)
    slope, pulled = sloped(model, at.prices, now)
    rounds, average = at.rounds + 1, AVERAGE_KEPT * at.average + (1 - AVERAGE_KEPT) * pulled
    downhill = _flat(slope)
    mean = MEAN_KEPT * at.mean + (1 - MEAN_KEPT) * downhill
    square = SQUARE_KEPT * at.square + (1 - SQUARE_KEPT) * downhill**2
    usual = np.sqrt(square / (1 - SQUARE_KEPT**rounds)) + TINY
    change = _unflat(mean / (1 - MEAN_KEPT**rounds) / usual, at.prices)
    begun, step = at.prices, at.step
    if since >= PATIENCE:
        begun, step, since = best, step * SHORTER, 0
    following = _stepped(model, begun, (change, step))._replace(none=1 / (1 + average))
    return Ceiling(bound, best, following, mean, square, average, step, since, rounds), now


def _stepped(model: Model, prices: Prices, given: tuple[Prices, float]) -> Prices:
    """Prices a step on, in proportion to the parcels they are for; all but those of copies stay above nothing."""
    change, step = given
    parcels = model.parcels.sum(axis=2)
    return prices._replace(
        copy=prices.copy - step * parcels[:, model.cell] * change.copy,
        tangent=np.maximum(0.0, prices.tangent - step * parcels * change.tangent),
        room=np.maximum(0.0, prices.room - step * change.room),
        reward=np.maximum(0.0, prices.reward - step * change.reward) * (model.needed > 0),
    )


def _flat(prices: Prices) -> Numbers:
    return np.concatenate([each.ravel() for each in prices[:-1]])


def _unflat(flat: Numbers, like: Prices) -> Prices:
    ends = np.cumsum([each.size for each in like[:-1]])
    parts = zip(np.split(flat, ends[:-1]), like[:-1], strict=True)
    copy, tangent, room, reward = (part.reshape(each.shape) for part, each in parts)
    return Prices(copy, tangent, room, reward, like.none)
