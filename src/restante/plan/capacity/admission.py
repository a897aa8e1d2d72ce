"""Which parcels a scarce bank takes: bid prices of compartments, against first-come and against the exact best.

Theory of operation. Requests of each size arrive by a Poisson process and are worth something each; a parcel taken is
put into a free compartment of its size or larger and stays for an exponential time of one mean. A policy says for each
state (how many compartments of each size are taken) and each size where such a parcel goes, or that it is turned away.

The bid price of a compartment is what taking it is expected to lose of later parcels. For compartments of one size by
themselves it has a closed form: with ``a`` erlangs offered to ``c`` compartments of which ``n`` are taken, one parcel
more turns away B(c, a) / B(n, a) later ones on average (Krishnan, IEEE Transactions on Communications 38, 1990).
Compartments of a size are offered their own parcels and what overflows from smaller ones. A parcel goes where the price
is lowest, if it is worth that.
"""

from collections.abc import Callable, Sequence
from functools import reduce
from itertools import product
from typing import Final

import msgspec
import numpy as np
from numpy.typing import NDArray

from restante.plan.capacity.erlang import erlang_b

TURNED_AWAY: Final = -1
MOST_STATES: Final = 100_000
_MOST_ROUNDS: Final = 100_000
AS_GOOD: Final = 1e-7
"""What is better by less is rounding."""

Values = NDArray[np.float64]
Places = NDArray[np.int64]
"""A policy: entry (state, size) is the size of compartment such a parcel is put into, or ``TURNED_AWAY``."""


class Scarce(msgspec.Struct, frozen=True):
    """A bank that people want more of than there is, by size from the smallest up.

    ``per_hour`` and ``worth`` are of the requests for a size; ``stay_hours`` is the mean stay of all.
    """

    compartments: tuple[int, ...]
    per_hour: tuple[float, ...]
    worth: tuple[float, ...]
    stay_hours: float

    def __post_init__(self) -> None:
        assert len(self.compartments) == len(self.per_hour) == len(self.worth), "one entry for each size"
        assert min(self.per_hour) >= 0, "no fewer than none ask"
        assert self.stay_hours > 0, "a stay takes time"
        assert min(self.worth) >= 0, "what is worth less than nothing is not asked for"


class Solved(msgspec.Struct, frozen=True):
    """A policy and what it earns an hour in the long run, between two bounds that are as near as was asked."""

    policy: Places
    at_least: float
    at_most: float


def states_of(scarce: Scarce) -> Places:
    """Every state, a row each: how many compartments of each size are taken. The last size counts quickest."""
    number = reduce(int.__mul__, (count + 1 for count in scarce.compartments))
    assert number <= MOST_STATES, f"{number} states are more than are looked at one by one"
    return np.array(list(product(*(range(count + 1) for count in scarce.compartments))), dtype=np.int64)


def first_come(scarce: Scarce) -> Places:
    """Everybody is taken for whom something is free, into the smallest that serves."""
    sizes = range(len(scarce.compartments))
    free = states_of(scarce) < np.array(scarce.compartments)
    smallest = [
        np.where(free[:, size:].any(axis=1), size + free[:, size:].argmax(axis=1), TURNED_AWAY) for size in sizes
    ]
    return np.stack(smallest, axis=1)


def bid_prices(scarce: Scarce) -> tuple[Values, ...]:
    """What a compartment of each size costs: entry ``n`` when ``n`` of its size are taken, and no end when all are."""
    prices = []
    over_load, over_worth = 0.0, 0.0
    for count, rate, worth in zip(scarce.compartments, scarce.per_hour, scarce.worth, strict=True):
        own = rate * scarce.stay_hours
        load = own + over_load
        mean_worth = (own * worth + over_load * over_worth) / load if load else 0.0
        blocked = erlang_b(count, load)
        each = [mean_worth * blocked / erlang_b(taken, load) if load else 0.0 for taken in range(count)]
        prices.append(np.array([*each, np.inf]))
        over_load, over_worth = load * blocked, mean_worth
    return tuple(prices)


def by_bid_prices(scarce: Scarce) -> Places:
    """Each parcel goes where the bid price is lowest, the smallest compartment among equals, if it is worth that."""
    states = states_of(scarce)
    asked = np.stack([price[states[:, size]] for size, price in enumerate(bid_prices(scarce))], axis=1)
    placed = []
    for size, worth in enumerate(scarce.worth):
        cheapest = asked[:, size:].argmin(axis=1) + size
        price = asked[np.arange(len(states)), cheapest]
        placed.append(np.where(price <= worth, cheapest, TURNED_AWAY))
    return np.stack(placed, axis=1)


def rolled_out(scarce: Scarce, policy: Places, *, sizes: Sequence[int], near: float = 1e-9) -> Places:
    """The policy, bettered once for some sizes: each choice that earns most if the policy is followed ever after.

    The rollout of Bertsekas (Rollout, Policy Iteration, 2020), with expectations instead of samples, since the states
    can be counted. It never earns less than the policy.
    """
    after = _Chain(scarce)
    values = after.settled(lambda values: after.followed(policy, values), near=near)[0]
    better = policy.copy()
    better[:, list(sizes)] = after.best(values, policy)[:, list(sizes)]
    return better


def earned(scarce: Scarce, policy: Places, *, near: float = 1e-9) -> Solved:
    """What a policy earns an hour in the long run, exact up to ``near``."""
    chain = _Chain(scarce)
    _, low, high = chain.settled(lambda values: chain.followed(policy, values), near=near)
    return Solved(policy, low, high)


def best_policy(scarce: Scarce, *, near: float = 1e-9) -> Solved:
    """The best policy there is, by value iteration; exact up to ``near`` an hour.

    The differences of two rounds bound what can be earned from both sides (Odoni, Operations Research 17, 1969).
    """
    chain = _Chain(scarce)
    values, low, high = chain.settled(chain.improved, near=near)
    return Solved(chain.best(values, first_come(scarce)), low, high)


class _Chain:
    """The bank as a Markov chain in steps of equal mean length, and what is earned in one step from each state."""

    def __init__(self, scarce: Scarce) -> None:
        states = states_of(scarce)
        # In C order one parcel more of the last size is the next state.
        strides = np.cumprod((1, *(count + 1 for count in scarce.compartments[:0:-1])))[::-1]
        at = np.arange(len(states))[:, None]
        leaving = states / scarce.stay_hours
        self._scarce = scarce
        self._more = at + np.where(states < np.array(scarce.compartments), strides, 0)
        self._fewer = at - np.where(states > 0, strides, 0)
        self._full = states == np.array(scarce.compartments)
        # A little longer than need be, so that no state is left in every step and rounds settle.
        self._rate = 1.05 * (sum(scarce.per_hour) + sum(scarce.compartments) / scarce.stay_hours)
        self._asks = np.array(scarce.per_hour) / self._rate
        self._leaves = leaving / self._rate
        self._nothing = 1 - self._asks.sum() - self._leaves.sum(axis=1)

    def followed(self, policy: Places, values: Values) -> Values:
        """What is earned from each state in a step under a policy, with ``values`` after it."""
        each = [self._put(size, policy[:, size], values) for size in range(len(self._asks))]
        return self._stepped(np.stack(each, axis=1), values)

    def improved(self, values: Values) -> Values:
        """What is earned from each state in a step by the best choices, with ``values`` after it."""
        each = [self._options(size, values).max(axis=1) for size in range(len(self._asks))]
        return self._stepped(np.stack(each, axis=1), values)

    def best(self, values: Values, policy: Places) -> Places:
        """The choices that earn most, with ``values`` after them; those of ``policy`` where they are as good."""
        better = policy.copy()
        for size in range(len(self._asks)):
            options = self._options(size, values)
            gain = options.max(axis=1) - self._put(size, policy[:, size], values)
            choice = options.argmax(axis=1)
            places = np.where(choice == options.shape[1] - 1, TURNED_AWAY, choice + size)
            better[:, size] = np.where(gain > AS_GOOD, places, policy[:, size])
        return better

    def settled(self, step: Callable[[Values], Values], *, near: float) -> tuple[Values, float, float]:
        """Values after so many steps that each state gains alike, and the bounds of that gain an hour."""
        values = np.zeros(len(self._more))
        for _ in range(_MOST_ROUNDS):
            after = step(values)
            low, high = float((after - values).min()), float((after - values).max())
            values = after - after[0]
            if (high - low) * self._rate <= near:
                return values, low * self._rate, high * self._rate
        raise AssertionError("every state of a bank that empties is reached, so rounds settle")

    def _put(self, size: int, places: Places, values: Values) -> Values:
        into = values[self._more[np.arange(len(values)), np.maximum(places, 0)]] + self._scarce.worth[size]
        return np.where(places == TURNED_AWAY, values, into)

    def _options(self, size: int, values: Values) -> Values:
        """A column for each size that serves, and a last one for turning away."""
        into = np.where(self._full, -np.inf, values[self._more] + self._scarce.worth[size])
        return np.concatenate((into[:, size:], values[:, None]), axis=1)

    def _stepped(self, asked: Values, values: Values) -> Values:
        gone = (self._leaves * values[self._fewer]).sum(axis=1)
        after: Values = asked @ self._asks + gone + self._nothing * values
        return after
