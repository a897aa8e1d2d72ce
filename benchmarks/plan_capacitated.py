"""Single-source capacitated siting (Holmberg, OR-Library): proven optimal, and in how long.

Run as ``python -m benchmarks.plan_capacitated``.
"""

import sys
from pathlib import Path
from typing import Final

import numpy as np

from benchmarks.plan_cases import best_values, read_depots
from benchmarks.plan_siting import Case, Report, measured, report, taken
from restante.plan.siting.search import Search
from restante.plan.siting.single_source import Assignment, Depots, single_source

FLOOR_S: Final = 10.0


def solved(depots: Depots, seed: int) -> Assignment:
    """The product's answer."""
    found = single_source(depots, search=Search(seed=seed))
    assert isinstance(found, Assignment)
    return found


def run(data: Path, *, seeds: int, only: str) -> Report:
    """Every file present."""
    cases = []
    solved(Depots(np.ones(1), np.ones(1), np.ones(1), np.ones((1, 1))), 1)
    for name, best in best_values(data / "optimal.json").items():
        if only in name:
            depots = read_depots((data / f"{name}.txt").read_text(encoding="ascii"))
            found = solved(depots, 1)
            took_s = taken(lambda seed, depots=depots: solved(depots, seed), seeds)
            cases.append(Case(name, best, found.cost, found.bound, took_s))
    return report(cases, seeds=seeds, floor_s=FLOOR_S, each=False)


def main() -> int:
    """Measure and tell."""
    return measured(__doc__, "sscflp", lambda folder, given: run(folder, seeds=given.seeds, only=given.only))


if __name__ == "__main__":
    sys.exit(main())
