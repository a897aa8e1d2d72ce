"""Maximal covering on the nodes of São José dos Campos: proven optimal, and in how long.

Run as ``python -m benchmarks.plan_covering``. A case is named by its file, its reach and its number of points.
"""

import sys
from pathlib import Path
from typing import Final

import msgspec
import numpy as np

from benchmarks.plan_cases import read_reach
from benchmarks.plan_siting import Case, Report, measured, report, taken
from restante.plan.siting.covering import Covering, Reach, maximal_covering
from restante.plan.siting.search import Search

FLOOR_S: Final = 10.0


def covered_best(file: Path) -> dict[str, float]:
    """The demand covered at best, by name of the case."""
    document = msgspec.json.decode(file.read_bytes())
    return {name: float(row["covered"]) for name, row in document["values"].items()}


def solved(reach: Reach, points: int, seed: int) -> Covering:
    """The product's answer."""
    found = maximal_covering(reach, points, search=Search(seed=seed))
    assert isinstance(found, Covering)
    return found


def run(data: Path, *, seeds: int, only: str) -> Report:
    """Every case whose best value is proven."""
    cases = []
    solved(Reach(np.eye(2), 0.5, np.ones(2)), 1, 1)
    for name, best in covered_best(data / "optimal_proven_here.json").items():
        if only in name:
            file, reach_m, points = name.split("_")
            reach = read_reach((data / f"{file}.txt").read_text(encoding="ascii"), float(reach_m[1:]))
            found = solved(reach, int(points[1:]), 1)
            took_s = taken(lambda seed, at=(reach, int(points[1:])): solved(*at, seed), seeds)
            cases.append(Case(name, best, found.covered, found.bound, took_s))
    return report(cases, seeds=seeds, floor_s=FLOOR_S, each=False)


def main() -> int:
    """Measure and tell."""
    return measured(__doc__, "mclp", lambda folder, given: run(folder, seeds=given.seeds, only=given.only))


if __name__ == "__main__":
    sys.exit(main())
