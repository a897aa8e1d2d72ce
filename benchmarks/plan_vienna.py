"""Vienna end to end: today's banks against a plan of the same money, written as a page and as GeoJSON.

Run as ``python -m benchmarks.plan_vienna FOLDER``. Places are those of a public list of points, people those of the
census by district, read from a folder beside the project; without it there is nothing to plan. What no list says is
assumed, and the page names all of it: people live where the list has points, in equal parts in each district; ways are
1.3 times the great circle; what a bank costs, how many columns it may have, how many parcels a person is sent.

Today's banks stand where they stand and are built anew of the columns that do most for the money, for the list does not
say how large they are; so only where banks stand is compared.
"""

import csv
import io
import sys
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final, NamedTuple

import msgspec
from rich.console import Console
from rich.table import Table

from benchmarks.ending import options, tell
from benchmarks.plan_cases import DATA
from restante.carriers.lists.cities import Brought, bring_standing
from restante.carriers.lists.survey import Wish
from restante.core.bank import SourceKind
from restante.core.refusals import Refusal
from restante.plan.importing.grouping import spread_over
from restante.plan.importing.rates import Rates
from restante.plan.reporting.siting_geojson import siting_geojson
from restante.plan.reporting.siting_page import siting_page
from restante.plan.reporting.snapshot import Sited
from restante.plan.siting.brief import Brief
from restante.plan.siting.cells import Site
from restante.plan.siting.city import City, ModuleKind, Walks, walks_by_great_circle
from restante.plan.siting.comparing import Line, compare
from restante.plan.siting.proposal import Proposal
from restante.plan.siting.proposing import propose
from restante.plan.siting.search import Search

POINTS: Final = DATA / "real" / "inpost_wien_points.csv"
PEOPLE: Final = DATA / "real" / "wien_population_by_district_vie_101.csv"
REACH_M: Final = 1200.0
GROUND_MINOR: Final = 1200_00
MOST_COLUMNS: Final = 4
COLUMNS_EACH: Final = 3
MODULES: Final = (
    ModuleKind("small column", 300_00, (12, 4, 0)),
    ModuleKind("mixed column", 320_00, (6, 6, 2)),
    ModuleKind("large column", 340_00, (0, 6, 5)),
)
RATES: Final = Rates(parcels_per_person=0.006, label="assumed: one network's parcels, 0.006 a person and day")
ROUNDS: Final = 100_000


class Snapshot(NamedTuple):
    """The city, the ways in it, the ids of banks that operate today, and what was read and what was kept out."""

    city: City
    walks: Walks
    today: tuple[str, ...]
    notes: tuple[str, ...]


class Report(msgspec.Struct, frozen=True):
    """What was found, where it was written, and in how many seconds of the processor."""

    figures: tuple[Line, ...]
    gap: float
    gap_today: float
    points_today: int
    points: int
    files: tuple[str, ...]
    processor_s: float
    wrong: tuple[str, ...] = ()
    missed: tuple[str, ...] = ()


def people_by_postcode(text: str) -> dict[str, float]:
    """People of each district in the latest year there is, by post code: district 90100 is 1010."""
    rows = list(csv.DictReader(text.splitlines()[1:], delimiter=";"))
    latest = max(row["REF_DATE"] for row in rows)
    return {f"1{row['DISTRICT_CODE'][1:3]}0": float(row["POP_TOTAL"]) for row in rows if row["REF_DATE"] == latest}


def read(points: Path, people: Path, *, reach_m: float = REACH_M) -> Snapshot | Refusal:
    """The city from both files. Refused as lists are, and where a district has people and no place."""
    text = points.read_bytes()
    operating = bring_standing(lambda: io.BytesIO(text), Wish())
    everything = bring_standing(lambda: io.BytesIO(text), Wish(columns={"status": ""}))
    if isinstance(operating, Refusal):
        return operating
    if isinstance(everything, Refusal):
        return everything
    rows = list(csv.DictReader(io.StringIO(text.decode())))
    today = {site.id for site in operating.sites if site.kind is SourceKind.BANK}
    sites = list(_one_a_spot(everything.sites, today))
    places = [(site.id, site.latitude, site.longitude, _postcode(site, rows)) for site in sites]
    cells = spread_over(people_by_postcode(people.read_text(encoding="utf-8")), places, RATES)
    if isinstance(cells, Refusal):
        return cells
    city = City(("S", "M", "L"), cells, tuple(sites), MODULES)
    notes = tuple(_notes(operating, everything, len(sites)))
    stand = tuple(site.id for site in sites if site.standing)
    return Snapshot(city, walks_by_great_circle(city, reach_m=reach_m), stand, notes)


def _postcode(site: Site, rows: list[dict[str, str]]) -> str:
    """Sites of this importer are named by their row."""
    return rows[int(site.id.split(":")[0].removeprefix("row ")) - 1]["post_code"]


def _one_a_spot(sites: tuple[Site, ...], today: set[str]) -> Iterator[Site]:
    """Of what stands at one spot, the bank that operates if there is one: banks and shops there are one place."""
    spots: dict[tuple[float, float], Site] = {}
    for site in sorted(sites, key=lambda one: one.id not in today):
        spots.setdefault((site.latitude, site.longitude), site)
    for site in spots.values():
        yield msgspec.structs.replace(
            site,
            host="",
            kind=SourceKind.BANK,
            cost_minor_per_year=GROUND_MINOR,
            room_modules=MOST_COLUMNS,
            standing=site.id in today,
        )


def _notes(operating: Brought, everything: Brought, spots: int) -> Iterator[str]:
    kept_out = Counter(dict(operating.account.rules(rejects=True)))
    told = ", ".join(f"{rule} {count}" for rule, count in kept_out.most_common())
    yield f"Points: {operating.account.rows} rows of a public list; kept out of today's: {told or 'none'}."
    yield f"Sites: the {spots} spots of {everything.account.accepted} rows, also of what is out of use and of shops."
    yield "People: census of Vienna by district, 2015 (Stadt Wien, CC BY 4.0), in equal parts at a district's spots."
    yield "So people live where there are points, and walks are told shorter than they are (assumed)."
    yield f"{RATES.label}; their sizes {', '.join(f'{share:.0%}' for share in RATES.size_shares)} from the smallest."
    yield f"Ground costs {GROUND_MINOR / 100:,.0f} EUR a year and has room for {MOST_COLUMNS} columns (assumed)."
    columns = ", ".join(f"{one.name} {one.cost_minor_per_year / 100:.0f} EUR {one.compartments}" for one in MODULES)
    yield f"Columns, their cost a year and doors by size (assumed): {columns}."
    yield "How large today's banks are is not known: they are built of what does most there for the same money."


def planned(its: Snapshot, *, seed: int, limit_s: float, rounds: int = ROUNDS) -> tuple[Brief, Proposal, Proposal]:
    """The brief, what today's places come to for the money, and the plan of the same money."""
    money = len(its.today) * (GROUND_MINOR + COLUMNS_EACH * 320_00)
    others = tuple(site.id for site in its.city.sites if site.id not in set(its.today))
    brief = Brief(money, keep_standing=False)
    stays = msgspec.structs.replace(brief, must=its.today, forbidden=others)
    today = propose(its.city, its.walks, stays, search=_search(seed, limit_s, rounds))
    assert isinstance(today, Proposal), today
    plan = propose(its.city, its.walks, brief, search=_search(seed, limit_s, rounds), earlier=today)
    assert isinstance(plan, Proposal), plan
    return brief, today, plan


def _search(seed: int, limit_s: float, rounds: int) -> Search:
    begun_s = time.process_time()
    return Search(seed=seed, rounds=rounds, stop=lambda: time.process_time() - begun_s > limit_s)


def written(folder: Path, its: Snapshot, found: tuple[Brief, Proposal, Proposal]) -> tuple[str, ...]:
    """The page and the GeoJSON, in a folder."""
    brief, today, plan = found
    notes = (*its.notes, f"Columns of today's points: at most {today.gap:.1%} below the best for these places, proven.")
    told = Sited("Vienna", its.city, its.walks, brief, plan, today, notes=notes)
    folder.mkdir(parents=True, exist_ok=True)
    texts: Mapping[str, str] = {"vienna.html": siting_page(told), "vienna.geojson": siting_geojson(told)}
    for name, text in texts.items():
        (folder / name).write_text(text, encoding="utf-8")
    return tuple(str(folder / name) for name in texts)


def show(found: Report, console: Console) -> None:
    """Today beside the plan."""
    sizes = f"{found.points_today} points today, {found.points} planned"
    table = Table(title=f"Vienna: {sizes}, gap {100 * found.gap:.2f} %, of today {100 * found.gap_today:.2f} %")
    for name in ("figure", "unit", "today", "plan", "boundary"):
        table.add_column(name, justify="right" if name in {"today", "plan"} else "left")
    for line in found.figures:
        table.add_row(line.name, line.unit, f"{line.one:,.3f}", f"{line.other:,.3f}", line.boundary)
    console.print(table)
    console.print(f"{found.processor_s:.0f} s of the processor; {', '.join(found.files)}")


def main() -> int:
    """Plan, write and tell."""
    parser = options(__doc__)
    parser.add_argument("folder", type=Path, help="where the page and the GeoJSON are written")
    parser.add_argument("--seconds", type=float, default=120.0, help="of the processor, for each of both plans")
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    if lacking := [path.name for path in (POINTS, PEOPLE) if not path.exists()]:
        sys.stderr.write(f"There is no {' and no '.join(lacking)} in {POINTS.parent}: nothing to plan.\n")
        return 2
    its = read(POINTS, PEOPLE)
    if isinstance(its, Refusal):
        sys.stderr.write(f"{its.code}, {its.field}: {its.rule} {its.detail}\n")
        return 1
    begun_s = time.process_time()
    brief, today, plan = planned(its, seed=given.seed, limit_s=given.seconds * given.scale)
    took_s = time.process_time() - begun_s
    files = written(given.folder, its, (brief, today, plan))
    points = len(today.placed), len(plan.placed)
    return tell(Report(compare(today, plan), plan.gap, today.gap, *points, files, took_s), given, show)


if __name__ == "__main__":
    sys.exit(main())
