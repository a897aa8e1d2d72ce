"""What plans of real cities share: what a bank costs, a search that ends in time, the files and the table.

All sums of money are assumed.
"""

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

import msgspec
from rich.console import Console
from rich.table import Table

from restante.plan.reporting.siting_geojson import siting_geojson
from restante.plan.reporting.siting_page import siting_page
from restante.plan.reporting.snapshot import Sited
from restante.plan.siting.brief import Brief
from restante.plan.siting.city import ModuleKind
from restante.plan.siting.comparing import Line
from restante.plan.siting.proposal import Proposal
from restante.plan.siting.search import Search

Plans = tuple[Brief, Proposal, Proposal]
"""What was asked, what today's places come to for the money, and the plan of the same money."""

SIZES: Final = ("S", "M", "L")
GROUND_MINOR: Final = 1200_00
MODULES: Final = (
    ModuleKind("small column", 300_00, (12, 4, 0)),
    ModuleKind("mixed column", 320_00, (6, 6, 2)),
    ModuleKind("large column", 340_00, (0, 6, 5)),
)
ROUNDS: Final = 100_000


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """What was found, where it was written, and in how many seconds of the processor."""

    figures: tuple[Line, ...]
    gap: float
    gap_today: float
    files: tuple[str, ...]
    processor_s: float
    wrong: tuple[str, ...] = ()
    missed: tuple[str, ...] = ()


def money_for(banks: int, *, columns_each: int) -> int:
    """What so many banks cost a year, of so many mixed columns each."""
    return banks * (GROUND_MINOR + columns_each * MODULES[1].cost_minor_per_year)


def limited(seed: int, limit_s: float, rounds: int) -> Search:
    """A search of so many seconds of the processor at most, from now on."""
    begun_s = time.process_time()
    return Search(seed=seed, rounds=rounds, stop=lambda: time.process_time() - begun_s > limit_s)


def columns_said() -> str:
    """The assumption about columns, for people."""
    columns = ", ".join(f"{one.name} {one.cost_minor_per_year / 100:.0f} EUR {one.compartments}" for one in MODULES)
    return f"Columns, their cost a year and doors by size (assumed): {columns}."


def today_said(today: Proposal) -> str:
    """How far today's points may be from their best, which flatters a plan."""
    return f"Columns of today's points: at most {today.gap:.1%} below the best for these places, proven."


def written(folder: Path, name: str, told: Sited) -> tuple[str, ...]:
    """The page and the GeoJSON of a city, in a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    texts = {f"{name}.html": siting_page(told), f"{name}.geojson": siting_geojson(told)}
    for file, text in texts.items():
        (folder / file).write_text(text, encoding="utf-8")
    return tuple(str(folder / file) for file in texts)


def timed(plan: Callable[[], Plans]) -> tuple[Plans, float]:
    """What a planning comes to, and in how many seconds of the processor."""
    begun_s = time.process_time()
    return plan(), time.process_time() - begun_s


def show(title: str, found: Report, console: Console) -> None:
    """Today beside the plan, on average over the scenarios."""
    gaps = f"gap {100 * found.gap:.2f} %, of today {100 * found.gap_today:.2f} %"
    table = Table(title=f"{title}, {gaps}")
    for name in ("figure", "unit", "today", "plan", "boundary"):
        table.add_column(name, justify="right" if name in {"today", "plan"} else "left")
    for line in _averages(found.figures):
        table.add_row(line.name, line.unit, f"{line.one:,.3f}", f"{line.other:,.3f}", line.boundary)
    console.print(table)
    console.print(f"{found.processor_s:.0f} s of the processor; {', '.join(found.files)}")


def _averages(figures: Sequence[Line]) -> list[Line]:
    return [line for line in figures if not line.scenario]
