"""The p-median files of OR-Library: proven optimal, in how long each, and how near the local search alone comes.

Run as ``python -m benchmarks.plan_pmed``. With ``--peer`` HiGHS solves the textbook program of the same case beside it.
"""

import sys
import time
from pathlib import Path
from typing import Final

import numpy as np
from scipy.sparse import csr_matrix, vstack

from benchmarks.plan_cases import Median, best_values, read_median
from benchmarks.plan_siting import Case, Report, measured, report, taken
from restante.plan.program import Effort, Program, solve
from restante.plan.siting.interchange import improved, nearest_of, settle
from restante.plan.siting.medians import Medians, first, p_median
from restante.plan.siting.search import Search
from restante.plan.siting.table import table_of

FLOOR_S: Final = 60.0
HEURISTIC_S: Final = 2.0
PEER_S: Final = 60.0
STARTS: Final = 10_000


def solved(case: Median, seed: int) -> Medians:
    """The product's answer."""
    found = p_median(case.distance, case.points, search=Search(seed=seed))
    assert isinstance(found, Medians)
    return found


def heuristic(case: Median, seed: int) -> tuple[float, float]:
    """Cost and seconds of swapping alone, which may go on for two seconds."""
    begun_s = time.perf_counter()
    table = table_of(case.distance, np.zeros(len(case.distance), np.bool_))
    search = Search(seed=seed, starts=STARTS, stop=lambda: time.perf_counter() - begun_s > 0.9 * HEURISTIC_S)
    opened = improved(table, first(table, case.points), search)
    return float(settle(table, opened, nearest_of(table))), time.perf_counter() - begun_s


def plain(case: Median) -> float:
    """Seconds that HiGHS takes for the textbook program, at most a minute (and what it needs to notice)."""
    n = len(case.distance)
    pair = np.arange(n * n)
    once = csr_matrix((np.ones(n * n), (pair // n, n + pair)), (n, n + n * n))
    linked = csr_matrix((np.ones(n * n), (pair, n + pair)), (n * n, n + n * n))
    linked = linked - csr_matrix((np.ones(n * n), (pair, pair % n)), linked.shape)
    count = csr_matrix((np.ones(n), (np.zeros(n, np.int64), np.arange(n))), (1, n + n * n))
    lower = np.concatenate((np.ones(n), np.full(n * n, -np.inf), [case.points]))
    upper = np.concatenate((np.ones(n), np.zeros(n * n), [case.points]))
    costs = np.concatenate((np.zeros(n), case.distance.ravel()))
    whole = np.arange(n + n * n) < n
    program = Program(costs, np.ones(n + n * n), whole, csr_matrix(vstack([once, linked, count])), lower, upper)
    begun_s = time.perf_counter()
    solve(program, Effort(stop=lambda: time.perf_counter() - begun_s > PEER_S, absolute_gap=0.999))
    return time.perf_counter() - begun_s


def run(data: Path, *, seeds: int, only: str, peer: bool) -> Report:
    """Every file present, smallest first."""
    best = best_values(data / "optimal.json")
    solved(read_median("3 2 1\n1 2 1\n2 3 1\n"), 1)
    cases = []
    for name in (each for each in best if only in each):
        case = read_median((data / f"{name}.txt").read_text(encoding="ascii"))
        found = solved(case, 1)
        alone = [heuristic(case, seed + 1) for seed in range(seeds)]
        worst = 100 * (float(np.mean([cost for cost, _ in alone])) / best[name] - 1)
        took_s = taken(lambda seed, case=case: solved(case, seed), seeds)
        peer_s = plain(case) if peer else None
        alone_s = float(np.median([each for _, each in alone]))
        cases.append(Case(name, best[name], found.cost, found.bound, took_s, worst, alone_s, peer_s))
    return report(cases, seeds=seeds, floor_s=FLOOR_S, each=True)


def main() -> int:
    """Measure and tell."""
    return measured(
        __doc__, "pmed", lambda folder, given: run(folder, seeds=given.seeds, only=given.only, peer=given.peer)
    )


if __name__ == "__main__":
    sys.exit(main())
