"""Every tour that search has kept, once for each set of options: what set partitioning chooses from."""

from typing import NamedTuple

import numpy as np

from restante.plan.compiled import inner
from restante.plan.routing.chance import Stream
from restante.plan.routing.figures import Figures, Floats, Ints
from restante.plan.routing.routes import Work

MOST_TOURS = 1 << 15
LONGEST_TOUR = 128
"""A tour with more entries is not pooled."""


class Pool(NamedTuple):
    """Tours as options (negative entries are breaks and reloads as in a sequence), by the order in which they came.

    ``slots`` is a table with open addressing from a tour's key (its options, the kind of its van) to its number.
    ``filled`` holds how many there are; when it is full, nothing is added.
    """

    entries: Ints
    length: Ints
    kind: Ints
    metres: Floats
    keys: Stream
    slots: Ints
    filled: Ints


def no_tours(f: Figures) -> Pool:
    """An empty pool, as wide as the day can need."""
    columns = min(LONGEST_TOUR, len(f.requests) + 2 * int(f.vans.reloads.max(initial=0)) + len(f.breaks) + 2)
    return Pool(
        entries=np.zeros((MOST_TOURS, columns), dtype=np.int64),
        length=np.zeros(MOST_TOURS, dtype=np.int64),
        kind=np.zeros(MOST_TOURS, dtype=np.int64),
        metres=np.zeros(MOST_TOURS, dtype=np.float64),
        keys=np.zeros(MOST_TOURS, dtype=np.uint64),
        slots=np.full(4 * MOST_TOURS, -1, dtype=np.int64),
        filled=np.zeros(1, dtype=np.int64),
    )


@inner
def _mixed(number: int) -> np.uint64:
    bits = np.uint64(number + 1) * np.uint64(0x9E3779B97F4A7C15)
    bits = (bits ^ (bits >> np.uint64(29))) * np.uint64(0xBF58476D1CE4E5B9)
    return np.uint64(bits ^ (bits >> np.uint64(32)))


@inner
def remember(w: Work, pool: Pool, van: int) -> None:
    """Add a van's tour to the pool, or keep the shorter of two over the same options."""
    length = w.tours[van].length
    if w.tours[van].last == 0 or length > pool.entries.shape[1] or pool.filled[0] == len(pool.length):
        return
    key = _mixed(w.vans[van].kind + 1_000_000)
    for column in range(length):
        entry = w.entries[van, column]
        if entry >= 0:
            key += _mixed(w.served[entry].option)
    slot = np.int64(key & np.uint64(len(pool.slots) - 1))
    while pool.slots[slot] >= 0 and pool.keys[pool.slots[slot]] != key:
        slot = (slot + 1) % len(pool.slots)
    number = pool.slots[slot]
    if number >= 0 and pool.metres[number] <= w.tours[van].metres:
        return
    if number < 0:
        number = pool.filled[0]
        pool.slots[slot] = number
        pool.filled[0] += 1
    pool.keys[number], pool.length[number], pool.kind[number] = key, length, w.vans[van].kind
    pool.metres[number] = w.tours[van].metres
    for column in range(length):
        entry = w.entries[van, column]
        pool.entries[number, column] = w.served[entry].option if entry >= 0 else entry
