"""A bank tried on a sequence of requests, one by one: what first-come, bid prices and rollout earn on the same people.

The requests are drawn beforehand, each with the time that it would stay, so that policies are compared on equal terms
and no chance is taken here. Stays may have any distribution.
"""

from collections.abc import Sequence
from typing import Final, NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray

from restante.plan.capacity.admission import TURNED_AWAY, Scarce, bid_prices
from restante.plan.compiled import compiled

Real = NDArray[np.float64]
Whole = NDArray[np.int64]

FUTURES: Final = 100
"""How many futures a rollout looks into for each choice unless told otherwise."""

SURELY: Final = 2.0
"""By how many standard errors a choice has to be better before a rollout leaves the prices for it."""


class Requests(msgspec.Struct, frozen=True):
    """People in the order in which they ask: in how many hours from the beginning, for which size, for how long."""

    at_hours: Real
    size: Whole
    stay_hours: Real


class Tried(msgspec.Struct, frozen=True):
    """What came of a trial: the worth of all parcels taken, and how many of each size were taken and turned away."""

    worth: float
    taken: tuple[int, ...]
    turned_away: tuple[int, ...]


class Futures(NamedTuple):
    """What may follow any moment, drawn once: a row for each future, of requests and of what is left of stays."""

    gap_hours: Real
    size: Whole
    stay_hours: Real
    left_hours: Real


class _Terms(NamedTuple):
    """What a policy goes by: prices by size of compartment and how many of it are taken, worths by size."""

    prices: Real
    worth: Real


class _Bank(NamedTuple):
    """What lies where: ends of stays and sizes of compartments, as far as counted; and how many of each size are."""

    ends: Real
    where: Whole
    taken: Whole


def drawn_requests(scarce: Scarce, chance: np.random.Generator, *, count: int) -> Requests:
    """So many requests, with exponential stays."""
    gaps = chance.exponential(1 / sum(scarce.per_hour), count)
    size = chance.choice(len(scarce.per_hour), count, p=_shares(scarce))
    return Requests(gaps.cumsum(), size, chance.exponential(scarce.stay_hours, count))


def drawn_futures(scarce: Scarce, chance: np.random.Generator, *, futures: int = FUTURES) -> Futures:
    """Futures of two mean stays or so each: what is decided now hardly matters later."""
    count = max(1, round(2 * scarce.stay_hours * sum(scarce.per_hour)))
    shape = (futures, count)
    gaps = chance.exponential(1 / sum(scarce.per_hour), shape)
    size = chance.choice(len(scarce.per_hour), shape, p=_shares(scarce))
    left = chance.exponential(scarce.stay_hours, (futures, sum(scarce.compartments) + 1))
    return Futures(gaps, size, chance.exponential(scarce.stay_hours, shape), left)


def price_table(scarce: Scarce) -> Real:
    """Bid prices as a table: row of a size of compartment, column of how many of it are taken."""
    return _padded(scarce, bid_prices(scarce))


def free_table(scarce: Scarce) -> Real:
    """Prices that make first-come of it: nothing for whatever is free."""
    return _padded(scarce, [np.array([*[0.0] * count, np.inf]) for count in scarce.compartments])


def tried(scarce: Scarce, prices: Real, requests: Requests, *, futures: Futures | None = None) -> Tried:
    """Play requests through a bank that asks these prices; with futures, each choice is the best of a rollout.

    A rollout tries each place that serves, and turning away, on the same futures under the prices, and leaves what the
    prices say only for what is surely better.
    """
    none = np.zeros((0, 1))
    ahead = futures or Futures(none, none.astype(np.int64), none, none)
    worth = np.array(scarce.worth, dtype=np.float64)
    asked = requests.at_hours, requests.size, requests.stay_hours
    taken, turned_away = _played(_Terms(prices, worth), asked, ahead)
    return Tried(float(taken @ worth), tuple(map(int, taken)), tuple(map(int, turned_away)))


def _shares(scarce: Scarce) -> Real:
    return np.array(scarce.per_hour) / sum(scarce.per_hour)


def _padded(scarce: Scarce, prices: Sequence[Real]) -> Real:
    table = np.full((len(prices), max(scarce.compartments) + 2), np.inf)
    for size, each in enumerate(prices):
        table[size, : len(each)] = each
    return table


@compiled
def _placed(size: int, taken: Whole, terms: _Terms) -> int:
    """Where a parcel goes: where the price is lowest, the smallest among equals, if it is worth that."""
    cheapest, place = terms.worth[size], TURNED_AWAY
    for at in range(size, len(taken)):
        price = terms.prices[at, taken[at]]
        if price < cheapest or (price == cheapest and place == TURNED_AWAY):
            cheapest, place = price, at
    return place


@compiled
def _left(now: float, count: int, bank: _Bank) -> int:
    """How many lie there once those have gone whose stay has ended; those who stay are at the beginning."""
    at = 0
    while at < count:
        if bank.ends[at] <= now:
            bank.taken[bank.where[at]] -= 1
            count -= 1
            bank.ends[at], bank.where[at] = bank.ends[count], bank.where[count]
        else:
            at += 1
    return count


@compiled
def _put(place: int, count: int, bank: _Bank) -> int:
    """How many lie there with one more, whose end is noted already."""
    bank.where[count] = place
    bank.taken[place] += 1
    return count + 1


@compiled
def _earned_in(future: tuple[Real, Whole, Real], start: tuple[int, _Bank], terms: _Terms) -> float:
    """What a bank earns in a future under the prices."""
    gaps, sizes, stays = future
    count, bank = start
    now, total = 0.0, 0.0
    for nth in range(len(gaps)):
        now += gaps[nth]
        count = _left(now, count, bank)
        place = _placed(sizes[nth], bank.taken, terms)
        if place != TURNED_AWAY:
            bank.ends[count] = now + stays[nth]
            count = _put(place, count, bank)
            total += terms.worth[sizes[nth]]
    return total


@compiled
def _choice_worths(choice: tuple[int, int], start: tuple[int, _Bank], on: tuple[_Terms, Futures]) -> Real:
    """What it earns in each future to put a parcel of a size into a place, or to turn it away."""
    size, place = choice
    count, bank = start
    terms, futures = on
    worths = np.zeros(len(futures.gap_hours))
    for nth in range(len(worths)):
        # Exponential stays are as long from now on as from their beginning, so every one is drawn anew.
        then = _Bank(bank.ends.copy(), bank.where.copy(), bank.taken.copy())
        then.ends[: count + 1] = futures.left_hours[nth, : count + 1]
        lying = count
        if place != TURNED_AWAY:
            lying = _put(place, lying, then)
            worths[nth] = terms.worth[size]
        future = futures.gap_hours[nth], futures.size[nth], futures.stay_hours[nth]
        worths[nth] += _earned_in(future, (lying, then), terms)
    return worths


@compiled
def _rolled_out(size: int, start: tuple[int, _Bank], on: tuple[_Terms, Futures]) -> int:
    """The place, or turning away, that earns most over the futures; what the prices say unless that is surely better.

    Surely is by ``SURELY`` standard errors of the difference, future by future.
    """
    taken, terms = start[1].taken, on[0]
    best = _placed(size, taken, terms)
    base = _choice_worths((size, best), start, on)
    most = 0.0
    for place in range(size - 1, len(taken)):
        choice = TURNED_AWAY if place == size - 1 else place
        if choice != TURNED_AWAY and terms.prices[choice, taken[choice]] == np.inf:
            continue
        gain = _choice_worths((size, choice), start, on) - base
        if gain.mean() > most and gain.mean() > SURELY * gain.std() / np.sqrt(len(gain)):
            best, most = choice, gain.mean()
    return best


@compiled
def _played(terms: _Terms, asked: tuple[Real, Whole, Real], futures: Futures) -> tuple[Whole, Whole]:
    """How many of each size are taken, and how many turned away."""
    at_hours, sizes, stays = asked
    most = terms.prices.size
    bank = _Bank(np.empty(most), np.empty(most, dtype=np.int64), np.zeros(len(terms.worth), dtype=np.int64))
    came, went = bank.taken.copy(), bank.taken.copy()
    count = 0
    for nth in range(len(at_hours)):
        count = _left(at_hours[nth], count, bank)
        if len(futures.gap_hours):
            place = _rolled_out(sizes[nth], (count, bank), (terms, futures))
        else:
            place = _placed(sizes[nth], bank.taken, terms)
        if place == TURNED_AWAY:
            went[sizes[nth]] += 1
            continue
        bank.ends[count] = at_hours[nth] + stays[nth]
        count = _put(place, count, bank)
        came[sizes[nth]] += 1
    return came, went
