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
from collections import Counter
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
from restante.carriers.lists.cities import Brought, bring_standing
from restante.carriers.lists.survey import Wish
from restante.core.bank import SourceKind
from restante.core.refusals import Refusal
from restante.plan.importing.grouping import spread_over
from restante.plan.importing.rates import Rates
from restante.plan.reporting.snapshot import Sited
from restante.plan.siting.brief import Brief
from restante.plan.siting.cells import Site
from restante.plan.siting.city import City, Walks, walks_by_great_circle
from restante.plan.siting.comparing import compare
from restante.plan.siting.proposal import Proposal
from restante.plan.siting.proposing import propose

POINTS: Final = DATA / "real" / "inpost_wien_points.csv"
PEOPLE: Final = DATA / "real" / "wien_population_by_district_vie_101.csv"
REACH_M: Final = 1200.0
MOST_COLUMNS: Final = 4
COLUMNS_EACH: Final = 3
RATES: Final = Rates(parcels_per_person=0.006, label="assumed: one network's parcels, 0.006 a person and day")


class Snapshot(NamedTuple):
    """The city, the ways in it, the ids of banks that operate today, and what was read and what was kept out."""

    city: City
    walks: Walks
    today: tuple[str, ...]
    notes: tuple[str, ...]


class Report(plan_real.Report, frozen=True, kw_only=True):
    """A report that also tells how many points there are, and were."""

    points_today: int
    points: int


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
    city = City(SIZES, cells, tuple(sites), MODULES)
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
    yield columns_said()
    yield "How large today's banks are is not known: they are built of what does most there for the same money."


def planned(its: Snapshot, *, seed: int, limit_s: float, rounds: int = ROUNDS) -> Plans:
    """Both plans, the second begun from the first."""
    money = money_for(len(its.today), columns_each=COLUMNS_EACH)
    others = tuple(site.id for site in its.city.sites if site.id not in set(its.today))
    brief = Brief(money, keep_standing=False)
    stays = msgspec.structs.replace(brief, must=its.today, forbidden=others)
    today = propose(its.city, its.walks, stays, search=limited(seed, limit_s, rounds))
    assert isinstance(today, Proposal), today
    plan = propose(its.city, its.walks, brief, search=limited(seed, limit_s, rounds), earlier=today)
    assert isinstance(plan, Proposal), plan
    return brief, today, plan


def told(its: Snapshot, found: Plans) -> Sited:
    """What the page is made of."""
    brief, today, plan = found
    return Sited("Vienna", its.city, its.walks, brief, plan, today, notes=(*its.notes, today_said(today)))


def show(found: Report, console: Console) -> None:
    """Today beside the plan."""
    plan_real.show(f"Vienna: {found.points_today} points today, {found.points} planned", found, console)


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
    plans, took_s = timed(lambda: planned(its, seed=given.seed, limit_s=given.seconds * given.scale))
    _, today, plan = plans
    report = Report(
        figures=compare(today, plan),
        gap=plan.gap,
        gap_today=today.gap,
        points_today=len(today.placed),
        points=len(plan.placed),
        files=written(given.folder, "vienna", told(its, plans)),
        processor_s=took_s,
    )
    return tell(report, given, show)


if __name__ == "__main__":
    sys.exit(main())
