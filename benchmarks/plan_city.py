"""A drawn city with capacity, module mix and choice: the gap that is proven, and time and memory as cities grow.

Run as ``python -m benchmarks.plan_city``; with ``--table`` at four sizes up to that one, with ``--growth`` at 100 to
100,000 cells. Cells and sites are drawn around twelve centres from a seed: no real city, but as dense as one.

A gap has several parts, and ``--steered`` tells one of them: what the same points would be worth if the operator chose
whom to turn away (a linear program over the model that is bounded). From the value to there the bound's model is
generous; from there to the bound it is that still, or parts of points, or a plan that was not found.
"""

import math
import resource
import sys
import time
from typing import Final

import msgspec
import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table
from scipy.sparse import csr_matrix, vstack

from benchmarks.ending import options, tell
from restante.plan.program import Effort, Program, solve
from restante.plan.siting.brief import Brief
from restante.plan.siting.cells import Cell, Site
from restante.plan.siting.city import City, ModuleKind, walks_by_great_circle
from restante.plan.siting.model import model_of
from restante.plan.siting.outcome import outcome_of
from restante.plan.siting.proposal import Proposal
from restante.plan.siting.proposing import propose
from restante.plan.siting.search import Search

CENTRES: Final = 12
CELL_KM: Final = 0.25
REACH_M: Final = 1000.0
BUDGET_SHARE: Final = 0.2
FLOOR_GAP: Final = 0.01
ROUNDS: Final = 100_000
TABLE: Final = ((100, 50), (500, 100), (1_000, 200), (5_000, 1_000))
GROWTH: Final = ((100, 20), (1_000, 200), (10_000, 1_000), (100_000, 1_000))
MODULES: Final = (
    ModuleKind("small", 300_00, (12, 4, 0)),
    ModuleKind("mixed", 320_00, (6, 6, 2)),
    ModuleKind("large", 340_00, (0, 6, 5)),
)


class Run(msgspec.Struct, frozen=True):
    """One city: its size, value, bound, gap, points, seconds, and the most memory of the process so far."""

    cells: int
    sites: int
    value: float
    bound: float
    gap: float
    points: int
    took_s: float
    memory_mb: float
    steered: float | None = None


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


def one(cells: int, sites: int, *, seed: int, limit_s: float, rounds: int = ROUNDS, is_steered: bool = False) -> Run:
    """One city, proposed for within so many seconds."""
    city = drawn_city(cells, sites, seed)
    whole = sum(site.cost_minor_per_year + 4 * 320_00 for site in city.sites)
    begun_s = time.perf_counter()
    search = Search(seed=seed, rounds=rounds, stop=lambda: time.perf_counter() - begun_s > limit_s)
    brief = Brief(int(BUDGET_SHARE * whole))
    made = propose(city, walks_by_great_circle(city, reach_m=REACH_M), brief, search=search)
    assert isinstance(made, Proposal), made
    memory_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    took_s = time.perf_counter() - begun_s
    best = steered(city, brief, made) if is_steered else None
    return Run(cells, sites, made.value, made.bound, made.gap, len(made.placed), took_s, memory_mb, best)


def steered(city: City, brief: Brief, made: Proposal) -> float:
    """What the points of a proposal would be worth if the operator chose whom to turn away, on an ordinary day."""
    asked = model_of(city, walks_by_great_circle(city, reach_m=REACH_M), brief)
    model, numbers = asked.model, {site.id: number for number, site in enumerate(city.sites)}
    columns = {each.columns: number for number, each in enumerate(asked.mixes)}
    mix = np.full(len(city.sites), -1, np.int64)
    for placed in made.placed:
        mix[numbers[placed.site]] = columns[tuple(placed.columns.get(module.name, 0) for module in city.modules)]
    pairs = np.flatnonzero(mix[model.site] >= 0)
    cell, site, pull = model.cell[pairs], model.site[pairs], model.pull[0, pairs]
    sizes = model.parcels.shape[2]
    unit = np.arange(len(pairs) * sizes).reshape(-1, sizes)
    shared = outcome_of(model, mix).pulled[0]
    blocks = [(cell, unit[:, [size]], model.parcels[0, :, size] * shared / (1 + shared)) for size in range(sizes)]
    room = np.where(mix[:, None] >= 0, model.room[0, mix], 0.0)
    blocks += [(site, unit[:, size:], room[:, size]) for size in range(sizes)]
    rows = [_counted(row, units, (len(upper), unit.size)) for row, units, upper in blocks]
    alone = model.parcels[0, cell] * (pull / (1 + pull))[:, None]
    tops = np.concatenate([upper for *_, upper in blocks])
    whole, least = np.zeros(unit.size, np.bool_), np.full(len(tops), -np.inf)
    program = Program(
        -np.repeat(model.worth[pairs], sizes), alone.ravel(), whole, csr_matrix(vstack(rows)), least, tops
    )
    return -solve(program, Effort()).cost


def _counted(row: NDArray[np.int64], units: NDArray[np.int64], shape: tuple[int, int]) -> csr_matrix:
    return csr_matrix((np.ones(units.size), (np.repeat(row, units.shape[1]), units.ravel())), shape)


def show(found: Report, console: Console) -> None:
    """The table."""
    table = Table(title="a drawn city: logit choice, module mix, limit on full")
    for name in ("cells", "sites", "value", "steered", "bound", "gap", "points", "seconds", "MB"):
        table.add_column(name, justify="right")
    for run in found.runs:
        best = "" if run.steered is None else f"{run.steered:.1f}"
        values = (f"{run.value:.1f}", best, f"{run.bound:.1f}", f"{100 * run.gap:.2f} %")
        rest = (str(run.points), f"{run.took_s:.1f}", f"{run.memory_mb:.0f}")
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
    parser.add_argument("--steered", action="store_true", help="also what the same points would be worth, steered")
    parser.add_argument("--growth", action="store_true", help="several sizes, each with the same seconds")
    given = parser.parse_args()
    one(60, 8, seed=1, limit_s=math.inf, rounds=20)  # compiles all of it, however long that takes
    sizes = TABLE if given.table else GROWTH if given.growth else ((given.cells, given.sites),)
    runs = [
        one(*size, seed=seed, limit_s=given.seconds * given.scale, is_steered=given.steered)
        for size in sizes
        for seed in range(1, given.seeds + 1)
    ]
    missed = [
        f"{run.cells:,} cells: gap {100 * run.gap:.2f} %, the floor is 1 %" for run in runs if run.gap > FLOOR_GAP
    ]
    return tell(Report(tuple(runs), (), tuple(missed)), given, show)


if __name__ == "__main__":
    sys.exit(main())
