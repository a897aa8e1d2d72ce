"""A drawn city with capacity, module mix and choice: the gap that is proven, and how time and memory grow with cities.

Run as ``python -m benchmarks.plan_city``; with ``--table`` at four sizes up to that one. Cells and sites are drawn
around twelve centres from a seed: no real city, but as dense as one.

``--growth`` does the same number of rounds at 100 to 100,000 cells, however long they take (``--most`` ends it
earlier), for the time of a search that ends when its time is up says nothing. ``--svg`` draws what grew.
"""

import math
import resource
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import msgspec
import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from benchmarks import curve
from benchmarks.ending import options, tell
from restante.plan.siting.brief import Brief
from restante.plan.siting.cells import Cell, Site
from restante.plan.siting.city import City, ModuleKind, walks_by_great_circle
from restante.plan.siting.proposal import Proposal
from restante.plan.siting.proposing import propose
from restante.plan.siting.search import Search

CENTRES: Final = 12
CELL_KM: Final = 0.25
REACH_M: Final = 1000.0
BUDGET_SHARE: Final = 0.2
FLOOR_GAP: Final = 0.01
ROUNDS: Final = 100_000
GROWTH_ROUNDS: Final = 100
TABLE: Final = ((100, 50), (500, 100), (1_000, 200), (5_000, 1_000))
GROWTH: Final = ((100, 20), (1_000, 200), (10_000, 1_000), (100_000, 1_000))
MODULES: Final = (
    ModuleKind("small", 300_00, (12, 4, 0)),
    ModuleKind("mixed", 320_00, (6, 6, 2)),
    ModuleKind("large", 340_00, (0, 6, 5)),
)


class Run(msgspec.Struct, frozen=True):
    """One city: its size, value, bound, gap, points, seconds by the clock and of the processor, most memory so far."""

    cells: int
    sites: int
    value: float
    bound: float
    gap: float
    points: int
    took_s: float
    processor_s: float
    memory_mb: float


class Report(msgspec.Struct, frozen=True):
    """Everything that was found."""

    runs: tuple[Run, ...]
    wrong: tuple[str, ...]
    missed: tuple[str, ...]


def drawn_city(cells: int, sites: int, seed: int) -> City:
    """A city of so many cells and sites; demand is log-normal, some eight parcels a day and cell."""
    chance = np.random.default_rng(seed)
    side_km = CELL_KM * math.sqrt(cells)
    centres = chance.uniform(0, side_km, (CENTRES, 2))
    at, stands = (_places(chance, centres, count) for count in (cells, sites))
    demand = chance.lognormal(0, 0.7, cells) * 6
    return City(
        sizes=("S", "M", "L"),
        cells=tuple(
            Cell(f"c{n}", *_degrees(where), f"d{int(4 * where[0] / side_km)}", (w * 0.5, w * 0.35, w * 0.15))
            for n, (where, w) in enumerate(zip(at, demand.tolist(), strict=True))
        ),
        sites=tuple(
            Site(f"s{n}", *_degrees(where), "host", int(chance.uniform(1000_00, 4000_00)), int(chance.integers(2, 7)))
            for n, where in enumerate(stands)
        ),
        modules=MODULES,
    )


def _places(chance: np.random.Generator, centres: NDArray[np.float64], count: int) -> NDArray[np.float64]:
    """Two thirds about the centres, one third anywhere."""
    side_km = float(centres.max())
    near = centres[chance.integers(CENTRES, size=2 * count // 3)]
    near = near + chance.normal(0, side_km / CENTRES, near.shape)
    return np.clip(np.vstack((near, chance.uniform(0, side_km, (count - len(near), 2)))), 0, side_km)


def _degrees(where: NDArray[np.float64]) -> tuple[float, float]:
    return 48.1 + float(where[1]) / 111.2, 16.2 + float(where[0]) / 74.2


def one(cells: int, sites: int, *, seed: int, limit_s: float, rounds: int = ROUNDS) -> Run:
    """One city, proposed for within so many seconds and rounds."""
    city = drawn_city(cells, sites, seed)
    whole = sum(site.cost_minor_per_year + 4 * 320_00 for site in city.sites)
    begun_s, begun_processor_s = time.perf_counter(), time.process_time()
    search = Search(seed=seed, rounds=rounds, stop=lambda: time.perf_counter() - begun_s > limit_s)
    brief = Brief(int(BUDGET_SHARE * whole))
    made = propose(city, walks_by_great_circle(city, reach_m=REACH_M), brief, search=search)
    assert isinstance(made, Proposal), made
    took_s, processor_s = time.perf_counter() - begun_s, time.process_time() - begun_processor_s
    memory_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return Run(cells, sites, made.value, made.bound, made.gap, len(made.placed), took_s, processor_s, memory_mb)


def lines(runs: Sequence[Run]) -> dict[str, list[curve.Point]]:
    """Time, memory, value and bound, as times what they are in the smallest city."""
    grown = {"processor s": "processor_s", "MB": "memory_mb", "value": "value", "bound": "bound"}
    return curve.relative(
        {name: [curve.Point(run.cells, getattr(run, field)) for run in runs] for name, field in grown.items()}
    )


def show(found: Report, console: Console) -> None:
    """The table."""
    table = Table(title="a drawn city: logit choice, module mix, limit on full")
    for name in ("cells", "sites", "value", "bound", "gap", "points", "seconds", "processor s", "MB"):
        table.add_column(name, justify="right")
    for run in found.runs:
        values = (f"{run.value:.1f}", f"{run.bound:.1f}", f"{100 * run.gap:.2f} %", str(run.points))
        rest = (f"{run.took_s:.1f}", f"{run.processor_s:.1f}", f"{run.memory_mb:.0f}")
        table.add_row(f"{run.cells:,}", f"{run.sites:,}", *values, *rest)
    console.print(table)


def main() -> int:
    """Measure and tell."""
    parser = options(__doc__)
    parser.add_argument("--cells", type=int, default=5_000)
    parser.add_argument("--sites", type=int, default=1_000)
    parser.add_argument("--seconds", type=float, default=300.0)
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--table", action="store_true", help="four sizes up to 5,000 cells and 1,000 sites")
    parser.add_argument("--growth", action="store_true", help="several sizes, each with the same rounds")
    parser.add_argument("--rounds", type=int, default=GROWTH_ROUNDS, help="how many rounds with --growth")
    parser.add_argument("--most", type=int, default=GROWTH[-1][0], help="the most cells with --growth")
    parser.add_argument("--svg", type=Path, help="draw what grew into this file")
    given = parser.parse_args()
    one(60, 8, seed=1, limit_s=math.inf, rounds=20)  # compiles all of it, however long that takes
    growth = [size for size in GROWTH if size[0] <= given.most]
    sizes = TABLE if given.table else growth if given.growth else ((given.cells, given.sites),)
    limit_s, rounds = (math.inf, given.rounds) if given.growth else (given.seconds * given.scale, ROUNDS)
    runs = [
        one(*size, seed=seed, limit_s=limit_s, rounds=rounds) for size in sizes for seed in range(1, given.seeds + 1)
    ]
    if given.svg:
        picture = curve.draw("Times the figure in the smallest city", lines(runs))
        given.svg.write_text(picture, encoding="utf-8")
    missed = [
        f"{run.cells:,} cells: gap {100 * run.gap:.2f} %, the floor is 1 %"
        for run in runs
        if run.gap > FLOOR_GAP and not given.growth
    ]
    return tell(Report(tuple(runs), (), tuple(missed)), given, show)


if __name__ == "__main__":
    sys.exit(main())
