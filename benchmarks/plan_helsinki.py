"""The centre of Helsinki end to end, on its streets: demand from buildings, sites from what may host a bank.

Run as ``python -m benchmarks.plan_helsinki FOLDER``. The map is an extract of OpenStreetMap beside the project, without
which there is nothing to plan. Ways are those on foot along the extract's streets. The extract has no parcel locker, so
what there is "today" is assumed too: a bank at each post office and railway station. The plan has the same money.

© OpenStreetMap contributors, ODbL.
"""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final, NamedTuple

import msgspec
from rich.console import Console

from benchmarks import plan_real
from benchmarks.ending import options, tell
from benchmarks.plan_cases import DATA
from benchmarks.plan_real import (
    GROUND_MINOR,
    MODULES,
    ROUNDS,
    SIZES,
    Plans,
    columns_said,
    limited,
    money_for,
    timed,
    today_said,
    written,
)
from restante.carriers.maps.extract import CREDIT, Extract, read_extract
from restante.core.refusals import Refusal
from restante.plan.importing.grouping import grouped
from restante.plan.importing.rates import Rates
from restante.plan.importing.things import Gathered, gathered
from restante.plan.reporting.ground import Ground
from restante.plan.reporting.snapshot import Sited
from restante.plan.siting.brief import ORDINARY, PEAK, Brief
from restante.plan.siting.city import City
from restante.plan.siting.comparing import compare
from restante.plan.siting.proposal import Proposal
from restante.plan.siting.proposing import propose
from restante.plan.streets.graph import Loose, StreetGraph, hanging_together, street_graph
from restante.plan.streets.walks import OnStreets, walks_on_streets
from restante.plan.streets.ways import Way

EXTRACT: Final = DATA / "real" / "helsinki_centre.osm.pbf"
REACH_M: Final = 900.0
CELL_M: Final = 60.0
COLUMNS_EACH: Final = 4
RATES: Final = Rates(parcels_per_person=0.006)
TODAY: Final = frozenset({"post office", "railway station"})


class Snapshot(NamedTuple):
    """The city, the ways in it, the streets under it, and what was read, left out and assumed."""

    city: City
    on_streets: OnStreets
    ground: Ground
    notes: tuple[str, ...]


class Report(plan_real.Report, frozen=True, kw_only=True):
    """A report that also tells how large the city is, and what of the extract was left out."""

    cells: int
    sites: int
    left_out: dict[str, int]


def read(file: Path) -> tuple[Snapshot, Gathered] | Refusal:
    """The snapshot from an extract. Refused as its parts are."""
    extract = read_extract(file)
    if isinstance(extract, Refusal):
        return extract
    things = gathered(extract.things, RATES)
    if isinstance(things, Refusal):
        return things
    streets = street_graph(extract.ways, "walk")
    if isinstance(streets, Refusal):
        return streets
    graph, loose = hanging_together(streets)
    sites = tuple(
        msgspec.structs.replace(site, cost_minor_per_year=GROUND_MINOR, standing=site.host in TODAY)
        for site in things.sites
    )
    city = City(SIZES, grouped(things.cells, side_m=CELL_M), sites, MODULES)
    on_streets = walks_on_streets(city, graph, reach_m=REACH_M)
    if isinstance(on_streets, Refusal):
        return on_streets
    ground = Ground(_drawn(extract, graph), graph, CREDIT)
    return Snapshot(city, on_streets, ground, tuple(_notes(things, on_streets, loose))), things


def _drawn(extract: Extract, graph: StreetGraph) -> tuple[Way, ...]:
    """The ways of an extract that people may go, as lines."""
    known = set(graph.osm_ids.tolist())
    return tuple(way for way in extract.ways if known.intersection(way.nodes))


def _notes(things: Gathered, on_streets: OnStreets, loose: Loose) -> Iterator[str]:
    left_out = ", ".join(f"{reason} {number}" for reason, number in sorted(things.left_out.items()))
    yield f"Demand: {len(things.cells)} homes of the extract, in squares of {CELL_M:g} m; left out: {left_out}."
    rates = f"{RATES.floor_m2_per_person:g} m² and {RATES.parcels_per_person:g} parcels a day"
    yield f"A person has {rates} ({things.assumed}): one network's share of all parcels."
    hanging = f"{loose.kept_metres / 1000:,.0f} km hang together"
    yield f"Streets: {hanging}; {loose.metres / 1000:,.1f} km in {loose.pieces} pieces do not, and are left out."
    off = (*on_streets.cells_off, *on_streets.sites_off)
    yield f"Too far from a street, and left out: {'; '.join(one.detail for one in off) or 'nothing'}."
    yield f"Today is assumed, for the extract has no parcel locker: a bank at each {' and '.join(sorted(TODAY))}."
    yield f"Ground costs {GROUND_MINOR / 100:,.0f} EUR a year; room for columns is by the kind of host (both assumed)."
    yield columns_said()


def planned(its: Snapshot, *, seed: int, limit_s: float, rounds: int = ROUNDS) -> Plans:
    """Both plans, on ordinary days and in a peak."""
    today = tuple(site.id for site in its.city.sites if site.standing)
    others = tuple(site.id for site in its.city.sites if not site.standing)
    money = money_for(len(today), columns_each=COLUMNS_EACH)
    peak = msgspec.structs.replace(PEAK, weight=0.2)
    brief = Brief(money, keep_standing=False, scenarios=(ORDINARY, peak))
    stays = msgspec.structs.replace(brief, must=today, forbidden=others)
    then, now = (
        propose(its.city, its.on_streets.walks, asked, search=limited(seed, limit_s, rounds))
        for asked in (stays, brief)
    )
    assert isinstance(then, Proposal), then
    assert isinstance(now, Proposal), now
    return brief, then, now


def told(its: Snapshot, found: Plans) -> Sited:
    """What the page is made of."""
    brief, today, plan = found
    walks, notes = its.on_streets.walks, (*its.notes, today_said(today))
    return Sited("The centre of Helsinki", its.city, walks, brief, plan, today, its.ground, notes)


def show(found: Report, console: Console) -> None:
    """Today beside the plan."""
    plan_real.show(f"Helsinki: {found.cells} cells, {found.sites} sites", found, console)


def main() -> int:
    """Plan, write and tell."""
    parser = options(__doc__)
    parser.add_argument("folder", type=Path, help="where the page and the GeoJSON are written")
    parser.add_argument("--seconds", type=float, default=60.0, help="of the processor, for each of both plans")
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    if not EXTRACT.exists():
        sys.stderr.write(f"There is no {EXTRACT.name} in {EXTRACT.parent}: nothing to plan.\n")
        return 2
    found = read(EXTRACT)
    if isinstance(found, Refusal):
        sys.stderr.write(f"{found.code}, {found.field}: {found.rule} {found.detail}\n")
        return 1
    its, things = found
    plans, took_s = timed(lambda: planned(its, seed=given.seed, limit_s=given.seconds * given.scale))
    _, today, plan = plans
    report = Report(
        figures=compare(today, plan),
        gap=plan.gap,
        gap_today=today.gap,
        cells=len(its.city.cells),
        sites=len(its.city.sites),
        left_out=dict(things.left_out),
        files=written(given.folder, "helsinki", told(its, plans)),
        processor_s=took_s,
    )
    return tell(report, given, show)


if __name__ == "__main__":
    sys.exit(main())
