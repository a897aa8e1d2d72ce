"""Finding points among 100,000: how long people wait for a page, by kind of question, and whether indexes answer them.

The hub's own service asks a real database, over the network of ``towns``; people ask from where the points are. Every
kind is asked in turn, so that none has the machine to itself. The run fails when an answer is not that of brute force,
when a plan reads a whole table, and when a kind of question misses its floor.
"""

import asyncio
import math
import random
import sys
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import msgspec
import psycopg
from rich.console import Console
from rich.table import Table

from benchmarks.ending import options, own_server, tell
from benchmarks.towns import Here, fill, places
from benchmarks.waits import Waits, waits
from restante.core.bank import Ability, RoomClass
from restante.core.ids import OrgId, PointId
from restante.core.reservation import Window
from restante.hub.callers import Principal, Role
from restante.hub.engine import Engine
from restante.hub.network.schemas import PointPage
from restante.hub.network.service import NOWHERE, Filters, Network, globe
from restante.hub.paging import write_cursor
from restante.hub.settings import Settings
from restante.store import statements
from restante.store.connect import READS
from restante.store.postgres import open_ledger
from restante.store.tables import open_tables

POINTS: Final = 100_000
QUESTIONS: Final = 300
CHECKED: Final = 10
SEED: Final = 7
NOW: Final = datetime(2026, 3, 4, 11, tzinfo=UTC)
CALLER: Final = Principal(OrgId("swift"), Role.CARRIER, "bench")
FLOORS_MS: Final[Mapping[str, float]] = {
    "the 10 nearest": 50.0,
    "the 50 nearest, a map": 100.0,
    "with room for size L": 50.0,
    "with room, cold": 100.0,
    "open now": 50.0,
    "of a rare kind": 250.0,
    "page 20 of the nearest": 150.0,
    "nobody has it: an empty page": 500.0,
    "in order, a page of 200": 250.0,
    "in order, from the middle": 100.0,
    "one point": 25.0,
    "room elsewhere, full here": 100.0,
}
"""The longest wait of 99 in 100, by kind of question: floors of this benchmark, for a machine of two cores."""


class Kind(msgspec.Struct, frozen=True):
    """One kind of question: how long answers took, the hub's processor time for one, and what was found on average."""

    name: str
    waits: Waits
    cpu_ms: float
    found: float
    floor_ms: float


class Plan(msgspec.Struct, frozen=True):
    """How the server answers a statement: the tables it reads whole, and the indexes it uses."""

    statement: str
    scans: tuple[str, ...]
    indexes: tuple[str, ...]


class Report(msgspec.Struct, frozen=True):
    """Everything that was found."""

    points: int
    kinds: tuple[Kind, ...]
    plans: tuple[Plan, ...]
    checked: int
    wrong: tuple[str, ...]
    missed: tuple[str, ...]


class Told:
    """What came of one kind of question so far: seconds by the clock and of the hub's processor, and what was found.

    Whatever is asked while it is entered is measured, and nothing else.
    """

    def __init__(self) -> None:
        self.took_s: list[float] = []
        self.cpu_s: list[float] = []
        self.found: list[int] = []
        self._begun_s = (0.0, 0.0)

    def __enter__(self) -> None:
        self._begun_s = time.perf_counter(), time.process_time()

    def __exit__(self, *_: object) -> None:
        begun_s, cpu_s = self._begun_s
        self.took_s.append(time.perf_counter() - begun_s)
        self.cpu_s.append(time.process_time() - cpu_s)


class Asker(msgspec.Struct, frozen=True):
    """Somebody somewhere, who thinks of a point."""

    here: Here
    point: PointId


Ask = Callable[[Network, Asker, Told], Awaitable[int]]
"""Ask a question and have it measured; how much was found."""


def _page(filters: Callable[[Here], Filters], *, limit: int, page: int = 1) -> Ask:
    """The n-th page of a list; those before it are not measured."""

    async def ask(network: Network, asker: Asker, told: Told) -> int:
        about, cursor = filters(asker.here), ""
        for _ in range(page - 1):
            cursor = (await network.page(CALLER, about, cursor=cursor, limit=limit)).cursor or ""
        with told:
            found = await network.page(CALLER, about, cursor=cursor, limit=limit)
        return len(found.items)

    return ask


async def _from_the_middle(network: Network, asker: Asker, told: Told) -> int:
    about = Filters()
    cursor = write_cursor(f"points:{msgspec.json.encode(about).decode()}", (0.0, asker.point))
    with told:
        return len((await network.page(CALLER, about, cursor=cursor, limit=50)).items)


async def _elsewhere(network: Network, asker: Asker, told: Told) -> int:
    window = Window(NOW, NOW + timedelta(hours=72))
    with told:
        return len(await network.nearest_with_room(asker.point, RoomClass("2"), window=window))


async def _one(network: Network, asker: Asker, told: Told) -> int:
    with told:
        return int((await network.one(asker.point)).point.id == asker.point)


ASKED: Final[Mapping[str, Ask]] = {
    "the 10 nearest": _page(Filters, limit=10),
    "the 50 nearest, a map": _page(Filters, limit=50),
    "with room for size L": _page(lambda here: Filters(here, rank=2), limit=10),
    "with room, cold": _page(lambda here: Filters(here, ability=Ability.COLD, rank=1), limit=10),
    "open now": _page(lambda here: Filters(here, open_now=True), limit=10),
    "of a rare kind": _page(lambda here: Filters(here, kind="depot"), limit=10),
    "page 20 of the nearest": _page(Filters, limit=50, page=20),
    "nobody has it: an empty page": _page(lambda here: Filters(here, rank=9), limit=10),
    "in order, a page of 200": _page(lambda _: Filters(), limit=200),
    "in order, from the middle": _from_the_middle,
    "one point": _one,
    "room elsewhere, full here": _elsewhere,
}


def run(*, scale: float, console: Console) -> Report:
    """Measure on a server of the benchmark's own, thrown away afterwards."""
    count, asked = round(POINTS * min(1.0, scale)), max(CHECKED, round(QUESTIONS * scale))
    with own_server() as (server, _), psycopg.connect(server.dsn, autocommit=True) as db:
        console.print(f"[dim]{count:,} points[/dim]")
        where = places(count, seed=SEED)
        fill(db, where, seed=SEED)
        ids = [PointId(str(row[0])) for row in db.execute("SELECT id::text FROM place ORDER BY id").fetchall()]
        told, wrong = asyncio.run(_ask_all(server.dsn, where, ids, asked=asked, console=console))
        plans = tuple(look_at_plans(db, where[0], ids[len(ids) // 2]))
    wrong += [f"{plan.statement} reads the whole of {', '.join(plan.scans)}" for plan in plans if plan.scans]
    kinds = tuple(kind_of(name, one) for name, one in told.items())
    return Report(count, kinds, plans, CHECKED, tuple(wrong), tuple(missed(kinds)))


async def _ask_all(
    dsn: str, where: list[Here], ids: list[PointId], *, asked: int, console: Console
) -> tuple[dict[str, Told], list[str]]:
    told = {name: Told() for name in ASKED}
    chance = random.Random(SEED)
    async with open_ledger(dsn) as ledger, open_tables(dsn, name="benchmark", read_only=True) as tables:
        engine = Engine(ledger, lambda: NOW, max_batch=1, queue_limit=1)
        network = Network(engine, tables, tables, settings=Settings(), now=lambda: NOW)
        for number in range(asked):
            if number % 50 == 0:
                console.print(f"[dim]question {number}/{asked} of each kind[/dim]")
            asker = Asker(near(chance.choice(where), chance), chance.choice(ids))
            for name, ask in ASKED.items():
                told[name].found.append(await ask(network, asker, told[name]))
        wrong = [
            word for _ in range(CHECKED) for word in await check(network, near(chance.choice(where), chance), where)
        ]
        await engine.close()
    return told, wrong


def near(here: Here, chance: random.Random) -> Here:
    """Somewhere within some kilometres of a place: where somebody stands who looks for it."""
    return max(-90.0, min(90.0, here[0] + chance.gauss(0, 0.02))), here[1] + chance.gauss(0, 0.02)


async def check(network: Network, here: Here, where: Sequence[Here]) -> list[str]:
    """Where the first page is not what brute force finds."""
    told: PointPage = await network.page(CALLER, Filters(here), cursor="", limit=20)
    expected = nearest(here, where, most=20)
    found = [float(one.distance_m or 0) for one in told.items]
    if len(found) != len(expected) or any(abs(a - b) > 1 for a, b in zip(found, expected, strict=True)):
        return [f"from {here}: told {found[:3]} … m, brute force says {[round(one) for one in expected[:3]]} …"]
    return []


def nearest(here: Here, where: Sequence[Here], *, most: int) -> list[float]:
    """The distances in metres of the nearest places, by the haversine formula over all of them."""
    north, east = map(math.radians, here)
    halves = []
    for latitude, longitude in where:
        to_north, to_east = math.radians(latitude), math.radians(longitude)
        halves.append(
            math.sin((to_north - north) / 2) ** 2
            + math.cos(north) * math.cos(to_north) * math.sin((to_east - east) / 2) ** 2
        )
    return [2 * 6_371_008.8 * math.asin(math.sqrt(min(1.0, half))) for half in sorted(halves)[:most]]


def look_at_plans(db: psycopg.Connection, here: Here, point: PointId) -> list[Plan]:
    """The plans of the searches under the settings that reads have, first pages and later ones."""
    for name, value in READS.items():
        db.execute(f"SET {name} = '{value}'".encode())
    first: dict[str, Any] = {"kind": None, "after": NOWHERE, "limit": 64, "here": globe(*here), "distance": -1.0}
    given = {
        "nearest": first,
        "nearest, further on": first | {"distance": 0.001, "after": point},
        "nearest, of a kind": first | {"kind": "shop"},
        "in_order": first,
        "in_order, further on": first | {"after": point},
        "one": {"lane": int(point[-4:], 16), "id": point},
        "place": {"id": point},
    }
    texts = {name: one.text for name, one in statements.load("restante.hub.network").items()}
    return [_plan(db, name, text=texts[name.split(",")[0]], values=values) for name, values in given.items()]


def _plan(db: psycopg.Connection, name: str, *, text: str, values: Mapping[str, Any]) -> Plan:
    row = db.execute(f"EXPLAIN (FORMAT JSON) {text}".encode(), values).fetchone()
    assert row is not None
    nodes = list(_nodes(row[0][0]["Plan"]))
    scans = {node["Relation Name"] for node in nodes if node["Node Type"] == "Seq Scan"}
    used = {node["Index Name"] for node in nodes if "Index Name" in node}
    return Plan(name, tuple(sorted(scans)), tuple(sorted(used)))


def _nodes(node: Mapping[str, Any]) -> Sequence[Mapping[str, Any]]:
    return [node, *(below for child in node.get("Plans", ()) for below in _nodes(child))]


def kind_of(name: str, told: Told) -> Kind:
    """The figures of one kind of question."""
    cpu_ms = round(1000 * sum(told.cpu_s) / max(1, len(told.cpu_s)), 2)
    return Kind(name, waits(told.took_s), cpu_ms, round(sum(told.found) / max(1, len(told.found)), 1), FLOORS_MS[name])


def missed(kinds: Sequence[Kind]) -> list[str]:
    """The floors that were missed; a kind that was never asked has missed its own."""
    slow = [one for one in kinds if one.waits.count == 0 or one.waits.p99_ms > one.floor_ms]
    return [f"{one.name}: 99 % within {one.waits.p99_ms:.0f} ms, floor {one.floor_ms:.0f}" for one in slow]


def show(report: Report, console: Console) -> None:
    """Print the report for people."""
    table = Table(title=f"Questions about {report.points:,} points")
    for name in ("question", "asked", "found", "p50 / p99 ms", "longest", "hub CPU ms", "floor of p99"):
        table.add_column(name, justify="left" if name == "question" else "right")
    for one in report.kinds:
        figures = (
            str(one.waits.count),
            f"{one.found:g}",
            str(one.waits),
            f"{one.waits.most_ms:,.0f}",
            f"{one.cpu_ms:g}",
        )
        table.add_row(one.name, *figures, f"{one.floor_ms:,.0f}")
    console.print(table)
    console.print(f"{report.checked} answers compared with brute force")
    for plan in report.plans:
        console.print(f"[dim]{plan.statement}: {', '.join(plan.indexes)}[/dim]")


def main() -> int:
    """Run from a command line; 0 when every answer was right, by an index, and within its floor."""
    given = options(__doc__).parse_args()
    return tell(run(scale=given.scale, console=Console(stderr=True)), given, show)


if __name__ == "__main__":
    sys.exit(main())
