"""What the three benchmarks of siting with published values do alike: cases in turn, seeds, a table, floors."""

import argparse
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import median

import msgspec
from rich.console import Console
from rich.table import Table

from benchmarks.ending import options, tell
from benchmarks.plan_cases import DATA

NEAR = 1e-6


class Case(msgspec.Struct, frozen=True):
    """One case: the best value known, value and bound found, median seconds, and what was measured beside it."""

    name: str
    best: float
    value: float
    bound: float
    took_s: float
    heuristic_percent: float | None = None
    heuristic_s: float | None = None
    peer_s: float | None = None

    @property
    def is_proven(self) -> bool:
        """Whether value and bound meet, within rounding."""
        return abs(self.value - self.bound) <= NEAR * max(1.0, abs(self.value))

    @property
    def is_best(self) -> bool:
        """Whether the value is the best known."""
        return abs(self.value - self.best) <= NEAR * max(1.0, abs(self.best))


class Report(msgspec.Struct, frozen=True):
    """Everything that was found."""

    cases: tuple[Case, ...]
    seeds: int
    wrong: tuple[str, ...]
    missed: tuple[str, ...]


def taken(work: Callable[[int], object], seeds: int) -> float:
    """The median of the seconds that some work takes with seeds 1, 2, ….

    Before the first that counts it is done once, so that compiling is not measured.
    """
    times = []
    for seed in range(seeds):
        begun_s = time.perf_counter()
        work(seed + 1)
        times.append(time.perf_counter() - begun_s)
    return median(times)


def report(cases: Sequence[Case], *, seeds: int, floor_s: float, each: bool) -> Report:
    """What is wrong (not the best, or a bound beyond it) and which floor was missed: of each case, or of the median."""
    wrong = [f"{case.name}: {case.value:g} is not {case.best:g}" for case in cases if not case.is_best]
    missed = [f"{case.name} is not proven" for case in cases if not case.is_proven]
    slow = max(case.took_s for case in cases) if each else median(case.took_s for case in cases)
    if slow > floor_s:
        missed.append(f"{slow:.1f} s, the floor is {floor_s:g} s")
    return Report(tuple(cases), seeds, tuple(wrong), tuple(missed))


def arguments(about: str | None) -> argparse.Namespace:
    """The options of these benchmarks."""
    parser = options(about)
    parser.add_argument("--seeds", type=int, default=3, help="how often each case is solved")
    parser.add_argument("--only", default="", help="cases whose name contains this")
    parser.add_argument("--data", type=Path, default=DATA, help="the folder of published cases")
    parser.add_argument("--peer", action="store_true", help="run plain HiGHS beside it, up to a minute a case")
    return parser.parse_args()


def measured(about: str | None, files: str, run: Callable[[Path, argparse.Namespace], Report]) -> int:
    """Measure on the published files of this folder and tell; 1 where they are absent."""
    given = arguments(about)
    folder = given.data / files
    if not folder.is_dir():
        Console().print(f"The files are absent: {folder} is no folder; name theirs with --data.")
        return 1
    return tell(run(folder, given), given, show)


def show(found: Report, console: Console) -> None:
    """The table."""
    table = Table(title=f"{len(found.cases)} cases, {found.seeds} seeds, medians")
    for name in ("case", "best known", "found", "bound", "seconds", "heuristic alone", "its seconds", "plain HiGHS"):
        table.add_column(name, justify="left" if name == "case" else "right")
    for case in found.cases:
        heuristic = "" if case.heuristic_percent is None else f"+{case.heuristic_percent:.3f} %"
        alone = "" if case.heuristic_s is None else f"{case.heuristic_s:.2f}"
        peer = "" if case.peer_s is None else f"{case.peer_s:.1f}"
        mark = "" if case.is_proven else " ?"
        bound, took = f"{case.bound:g}{mark}", f"{case.took_s:.2f}"
        table.add_row(case.name, f"{case.best:g}", f"{case.value:g}", bound, took, heuristic, alone, peer)
    console.print(table)
