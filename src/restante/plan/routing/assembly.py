"""Set partitioning: the best day that can be put together from all tours that search has met, by HiGHS.

Only tours whose reduced cost lets them into a better day than the best one are given to the integer program. Parcels
fetched are not counted as freeing compartments here, so what is put together keeps to the rules, if sometimes too well.
"""

import math

import numpy as np
from scipy.sparse import csr_matrix, vstack

from restante.plan.program import Effort, Program, solve
from restante.plan.routing.figures import UNBOUND, Figures, Floats, Ints
from restante.plan.routing.pool import Pool

MOST_COLUMNS = 2500
MOST_NODES = 300


def assemble(f: Figures, pool: Pool, limits: tuple[int, float, Effort]) -> list[int] | None:
    """Numbers of tours in the pool that serve everybody on fewer metres than the best known; None if none were found.

    ``limits`` are the most vans, the metres of the best day known, and how long HiGHS may take for all. Without a clock
    as many nodes as are ever looked at are the limit, so that the answer does not depend on the machine.
    """
    most_vans, best_m, effort = limits
    rows, lower, upper = _rows(f, pool, most_vans)
    metres = pool.metres[: pool.filled[0]]
    relaxed = solve(_program(metres, rows, (lower, upper), is_whole=False), effort)
    spare_m = best_m - 1e-6 - relaxed.cost
    if not len(relaxed.reduced) or spare_m <= 0:
        return None
    wanted = np.argsort(relaxed.reduced, kind="stable")[:MOST_COLUMNS]
    wanted = np.sort(wanted[relaxed.reduced[wanted] <= spare_m])
    program = _program(metres[wanted], rows[:, wanted], (lower, upper), is_whole=True)
    chosen = solve(program, effort._replace(nodes=MOST_NODES))
    if chosen.cost > best_m - 1e-6:
        return None
    return [int(number) for number in wanted[chosen.values > 0.5]]


def _program(metres: Floats, rows: csr_matrix, ends: tuple[Floats, Floats], *, is_whole: bool) -> Program:
    one = np.ones(len(metres))
    return Program(metres, one, np.full(len(metres), is_whole), rows, *ends)


def _rows(f: Figures, pool: Pool, most_vans: int) -> tuple[csr_matrix, Floats, Floats]:
    """Each request once, vans of each kind and in all, compartments by room and size, requests beyond each level."""
    count = int(pool.filled[0])
    columns = np.arange(pool.entries.shape[1])
    is_option = (columns < pool.length[:count, None]) & (pool.entries[:count] >= 0)
    tour, options = np.nonzero(is_option)[0], pool.entries[:count][is_option]
    owner = np.repeat(np.arange(len(f.requests)), f.requests.last - f.requests.first)[options]
    kinds, sizes = int(f.vans.kind.max()) + 1, f.room_free.shape[1]
    room, level = f.options.room[options], f.options.level[options]
    is_shared = (room != UNBOUND) & (f.requests.is_delivery[owner] == 1)
    blocks = [
        _counts(owner, tour, (len(f.requests), count)),
        _counts(pool.kind[:count], np.arange(count), (kinds, count)),
        _counts(np.zeros(count, dtype=np.int64), np.arange(count), (1, count)),
    ]
    for size in range(sizes):
        is_that_large = is_shared & (f.requests.rank[owner] >= size)
        blocks.append(_counts(room[is_that_large], tour[is_that_large], (len(f.room_free), count)))
    for limit in range(len(f.most_worse)):
        is_worse = level > limit
        blocks.append(_counts(np.zeros(is_worse.sum(), dtype=np.int64), tour[is_worse], (1, count)))
    upper: list[Floats | Ints] = [
        np.ones(len(f.requests)),
        np.bincount(f.vans.kind, minlength=kinds),
        np.array([most_vans]),
    ]
    upper += [f.room_free[:, size] for size in range(sizes)] + [f.most_worse]
    tops = np.concatenate(upper).astype(np.float64)
    lower = np.full(len(tops), -math.inf)
    lower[: len(f.requests)] = 1.0
    return csr_matrix(vstack(blocks)), lower, tops


def _counts(rows: Ints, columns: Ints, shape: tuple[int, int]) -> csr_matrix:
    return csr_matrix((np.ones(len(rows)), (rows, columns)), shape=shape)
