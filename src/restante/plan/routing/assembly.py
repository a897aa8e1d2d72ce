"""Set partitioning: the best day that can be put together from all tours that search has met, by HiGHS.

Only tours whose reduced cost lets them into a better day than the best one are given to the integer program. Parcels
fetched are not counted as freeing compartments here, so what is put together keeps to the rules, if sometimes too well.
"""

from typing import Any, cast

import highspy
import numpy as np
from scipy.sparse import csc_matrix, vstack

from restante.plan.routing.figures import UNBOUND, Figures, Floats, Ints
from restante.plan.routing.pool import Pool

MOST_COLUMNS = 2500
MOST_NODES = 300


def assemble(f: Figures, pool: Pool, limits: tuple[int, float, float]) -> list[int] | None:
    """Numbers of tours in the pool that serve everybody on fewer metres than the best known; None if there are none.

    ``limits`` are the most vans, the metres of the best day known, and the seconds that HiGHS may take (infinite: as
    many nodes as are ever looked at, so that the answer does not depend on the machine).
    """
    most_vans, best_m, seconds = limits
    rows, lower, upper = _rows(f, pool, most_vans)
    metres = pool.metres[: pool.filled[0]]
    relaxed = _solved(rows, (metres, lower, upper), (False, seconds))
    if relaxed is None:
        return None
    spare_m = best_m - 1e-6 - float(relaxed.getInfo().objective_function_value)
    reduced = np.array(relaxed.getSolution().col_dual)
    if spare_m <= 0:
        return None
    wanted = np.argsort(reduced, kind="stable")[:MOST_COLUMNS]
    wanted = np.sort(wanted[reduced[wanted] <= spare_m])
    chosen = _solved(rows[:, wanted], (metres[wanted], lower, upper), (True, seconds))
    if chosen is None or chosen.getInfo().objective_function_value > best_m - 1e-6:
        return None
    values = np.array(chosen.getSolution().col_value)
    return [int(number) for number in wanted[values > 0.5]]


def _rows(f: Figures, pool: Pool, most_vans: int) -> tuple[csc_matrix, Floats, Floats]:
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
    lower = np.full(len(tops), -highspy.kHighsInf)
    lower[: len(f.requests)] = 1.0
    return csc_matrix(vstack(blocks)), lower, tops


def _counts(rows: Ints, columns: Ints, shape: tuple[int, int]) -> csc_matrix:
    return csc_matrix((np.ones(len(rows)), (rows, columns)), shape=shape)


def _solved(rows: csc_matrix, ends: tuple[Floats, Floats, Floats], how: tuple[bool, float]) -> highspy.Highs | None:
    """HiGHS after it solved a program (whether in whole numbers, in how many seconds), if it found something."""
    metres, lower, upper = ends
    program = highspy.HighsLp()
    program.num_row_, program.num_col_ = rows.shape
    program.col_cost_, program.row_lower_, program.row_upper_ = metres, lower, upper
    program.col_lower_, program.col_upper_ = np.zeros(len(metres)), np.ones(len(metres))
    program.a_matrix_.format_ = highspy.MatrixFormat.kColwise
    program.a_matrix_.start_, program.a_matrix_.index_, program.a_matrix_.value_ = rows.indptr, rows.indices, rows.data
    if how[0]:
        program.integrality_ = [highspy.HighsVarType.kInteger] * len(metres)
    solver: highspy.Highs = cast(Any, highspy.Highs)()  # its constructor carries no types
    for name, value in (("output_flag", False), ("threads", 1), ("mip_max_nodes", MOST_NODES), ("random_seed", 1)):
        solver.setOptionValue(name, value)
    if np.isfinite(how[1]):
        solver.setOptionValue("time_limit", how[1])
    solver.passModel(program)
    solver.run()
    is_found = solver.getInfo().primal_solution_status == highspy.SolutionStatus.kSolutionStatusFeasible
    return solver if is_found else None
