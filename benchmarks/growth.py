"""The same load at a thousand, a hundred thousand and ten million stored parcels: what grows with the network's past.

Each size is a database of its own on one server, filled by ``stored`` and measured in turn: new lives in batches of
256, holds extended of stored parcels anywhere, claims of timers and tasks, pages of the feed and of parcels over HTTP.
Told are rates, waits, the disk that a stored parcel takes by table, and the log (WAL) that a transition writes. With
``--keep`` the filled databases stay for the next time. The run fails when something was refused, when not exactly the
events of the accepted answers were committed, when a page is not the parcel that was asked for, and when the largest
network misses a floor beside the smallest. Ten million need some 32 GB of disk, which is said and checked beforehand.
"""

import asyncio
import sys
import time
from collections.abc import Sequence
from contextlib import AsyncExitStack, ExitStack
from pathlib import Path
from statistics import median
from typing import Final

import msgspec
import psycopg
from psycopg import sql
from psycopg.conninfo import make_conninfo
from rich.console import Console
from rich.table import Table

from benchmarks import curve, stored
from benchmarks.ending import SETTINGS, options, own_server, tell
from benchmarks.growth_asks import Asked, Round, ask, events_of
from benchmarks.growth_disk import Disk, disk_of, hot_shares, updates, wal_position
from benchmarks.stored import Probe
from benchmarks.waits import Waits
from benchmarks.writer import Order, Stint, together
from restante.store import embedded, migrate

SIZES: Final = (1_000, 100_000, 10_000_000)
COMMANDS: Final = 21_000
BATCH: Final = 256
RATE_KEPT: Final = 0.5
WAIT_GROWN: Final = 4.0
RATES: Final = ("new lives, batches of 256", "holds extended, batches of 256")
DRAWN: Final = (
    "timers claimed",
    "tasks claimed and done",
    "newest page of the feed",
    "any page of the feed",
    "a parcel by reference, HTTP",
    "50 parcels from the middle, HTTP",
)


class Spread(msgspec.Struct, frozen=True):
    """The median of some rounds, and their extremes."""

    median: float
    low: float
    high: float


class Size(msgspec.Struct, frozen=True):
    """What was measured at one size; rates a second, waits in milliseconds as medians of the rounds."""

    stored: int
    filled_s: float
    rates: dict[str, Spread]
    waits: dict[str, Waits]
    disk: dict[str, Disk]
    wal_bytes_a_transition: float
    hot: dict[str, float]


class Report(msgspec.Struct, frozen=True):
    """All sizes, and what went wrong."""

    sizes: tuple[Size, ...]
    wrong: tuple[str, ...]
    missed: tuple[str, ...]


class Network(msgspec.Struct):
    """A filled database, and the rounds measured on it so far."""

    dsn: str
    folder: Path
    stored: int
    probes: list[Probe]
    filled_s: float
    disk: dict[str, Disk]
    rounds: list[Round] = []
    wal: list[float] = []
    hot: list[dict[str, float]] = []


def run(sizes: Sequence[int], *, keep: Path | None, repeats: int, scale: float, console: Console) -> Report:
    """Fill what is missing, then measure every size in each of the rounds."""
    with ExitStack() as stack:
        server, folder = _server(stack, keep, max(sizes))

        def said(word: str) -> None:
            console.print(f"[dim]{word}[/dim]")

        said(f"{sum(map(stored.need_gb, sizes)):.1f} GB of disk are needed")
        networks = [_network(server, folder, size, said=said) for size in sizes]
        assert server.pid is not None
        for number in range(repeats):
            for network in networks:
                said(f"round {number + 1}/{repeats} at {network.stored:,} stored parcels")
                _measure(network, server.pid, commands=round(COMMANDS * scale), scale=scale)
        told = tuple(_size(network) for network in networks)
    wrong = [word for network in networks for one in network.rounds for word in one.wrong]
    return Report(told, tuple(wrong), tuple(missed(told)))


def _server(stack: ExitStack, keep: Path | None, largest: int) -> tuple[embedded.Server, Path]:
    if keep is None:
        server, folder = stack.enter_context(own_server())
    else:
        keep.mkdir(mode=0o711, parents=True, exist_ok=True)
        folder = keep.absolute() / "state"
        server = stack.enter_context(embedded.server(folder, settings=SETTINGS))
    stored.check_space(largest, folder)
    return server, folder


def _network(server: embedded.Server, folder: Path, size: int, *, said: stored.Said) -> Network:
    name = f"growth_{size}"
    with psycopg.connect(server.dsn, autocommit=True) as db:
        if db.execute("SELECT 1 FROM pg_database WHERE datname = %s", [name]).fetchone() is None:
            db.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
    dsn, place = make_conninfo(server.dsn, dbname=name), folder / name
    place.mkdir(mode=0o700, exist_ok=True)
    with psycopg.connect(dsn, autocommit=True) as db:
        migrate.migrate(db)
    begun_s = time.monotonic()
    probes = asyncio.run(stored.fill(dsn, place, size, said=said))
    with psycopg.connect(dsn) as db:
        return Network(dsn, place, size, probes, round(time.monotonic() - begun_s, 1), disk_of(db, size))


def _measure(network: Network, postmaster: int, *, commands: int, scale: float) -> None:
    """One round: new lives first, then everything that is asked of what is stored."""
    with psycopg.connect(network.dsn, autocommit=True) as db:
        before, updated = wal_position(db), updates(db)
        stints = _put_through(network.dsn, postmaster, commands)
        committed = sum(stint.committed for stint in stints)
        network.wal.append((wal_position(db) - before) / max(1, committed))
        network.hot.append(hot_shares(updated, updates(db)))
    asked = asyncio.run(_ask(network, scale))
    network.rounds.append(events_of(RATES[0], stints) + asked)


def _put_through(dsn: str, postmaster: int, commands: int) -> list[Stint]:
    """Two writers at the same time, each with a lane and a process of its own."""
    seed = time.time_ns() // 1_000_000 % 2**31  # a kept database must not meet the same load again
    return together([Order(dsn, postmaster, lane, seed, BATCH, commands) for lane in range(stored.LANES)])


async def _ask(network: Network, scale: float) -> Round:
    async with AsyncExitStack() as stack:
        return await ask(Asked(network.dsn, network.folder, network.probes, scale, RATES[1]), stack)


def _size(network: Network) -> Size:
    rounds = network.rounds
    rates = {name: _spread([one.rates[name] for one in rounds]) for name in RATES}
    waits = {name: _median_waits([one.waits[name] for one in rounds]) for name in rounds[0].waits}
    hot = {table: round(median(one.get(table, 0.0) for one in network.hot), 2) for table in network.hot[0]}
    return Size(network.stored, network.filled_s, rates, waits, network.disk, round(median(network.wal)), hot)


def _spread(values: Sequence[float]) -> Spread:
    return Spread(*(round(value, 1) for value in (median(values), min(values), max(values))))


def _median_waits(rounds: Sequence[Waits]) -> Waits:
    p50_ms, p99_ms = (round(median(getattr(one, name) for one in rounds), 2) for name in ("p50_ms", "p99_ms"))
    return Waits(sum(one.count for one in rounds), p50_ms, p99_ms, max(one.most_ms for one in rounds))


def missed(sizes: Sequence[Size]) -> list[str]:
    """Where the largest network is slower than the floors allow beside the smallest."""
    small, large = sizes[0], sizes[-1]
    slower = [
        f"{name}: {large.rates[name].median:,.0f} a second at {large.stored:,}, {small.rates[name].median:,.0f} at "
        f"{small.stored:,}; floor {RATE_KEPT:g} of that"
        for name in small.rates
        if large.rates[name].median < RATE_KEPT * small.rates[name].median
    ]
    return slower + [
        f"{name}: half within {large.waits[name].p50_ms} ms at {large.stored:,}, {small.waits[name].p50_ms} at "
        f"{small.stored:,}; floor {WAIT_GROWN:g} times that"
        for name in small.waits
        if large.waits[name].p50_ms > WAIT_GROWN * small.waits[name].p50_ms
    ]


def lines(sizes: Sequence[Size]) -> dict[str, list[curve.Point]]:
    """Rates, and the waits of ``DRAWN``, as times their value at the smallest size."""
    drawn = {
        f"a second: {name.split(',')[0]}": [curve.Point(one.stored, one.rates[name].median) for one in sizes]
        for name in sizes[0].rates
    } | {f"wait: {name}": [curve.Point(one.stored, one.waits[name].p50_ms) for one in sizes] for name in DRAWN}
    return curve.relative(drawn)


def show(report: Report, console: Console) -> None:
    """Print the report for people."""
    console.print(_table(report.sizes))
    console.print(_disk_table(report.sizes))


def _table(sizes: Sequence[Size]) -> Table:
    table = Table(title="The same load at every size (a second: median, lowest – highest; else p50 / p99 ms)")
    table.add_column("what")
    for one in sizes:
        table.add_column(f"{one.stored:,} stored", justify="right")
    for name in sizes[0].rates:
        spreads = [one.rates[name] for one in sizes]
        table.add_row(name, *(f"{one.median:,.0f} ({one.low:,.0f} – {one.high:,.0f})" for one in spreads))
    for name in sizes[0].waits:
        table.add_row(name, *(str(one.waits[name]) for one in sizes))
    table.add_row("WAL bytes a transition", *(f"{one.wal_bytes_a_transition:,.0f}" for one in sizes))
    for relation in sizes[0].hot:
        table.add_row(f"HOT share, {relation}", *(f"{one.hot.get(relation, 0.0):.2f}" for one in sizes))
    table.add_row("seconds to fill", *(f"{one.filled_s:,.0f}" for one in sizes))
    return table


def _disk_table(sizes: Sequence[Size]) -> Table:
    table = Table(title="Bytes a stored parcel takes (heap + index + TOAST)")
    table.add_column("table")
    for one in sizes:
        table.add_column(f"{one.stored:,} stored", justify="right")
    for name in sorted(sizes[-1].disk, key=lambda name: -sizes[-1].disk[name].total):
        table.add_row(name, *(str(one.disk.get(name, "–")) for one in sizes))
    table.add_row("all", *(f"{sum(disk.total for disk in one.disk.values()):,.0f}" for one in sizes))
    return table


def main() -> int:
    """Run from a command line; 0 when sound and above every floor, 2 when the disk is too small."""
    asked = options(__doc__)
    asked.add_argument("--sizes", type=int, nargs="+", default=list(SIZES), help="how many parcels are stored")
    asked.add_argument("--repeats", type=int, default=3, help="how often each size is measured")
    asked.add_argument("--keep", type=Path, help="folder in which the filled databases stay for the next time")
    asked.add_argument("--svg", type=Path, help="draw the curves into this file")
    given = asked.parse_args()
    console = Console(stderr=True)
    try:
        report = run(sorted(given.sizes), keep=given.keep, repeats=given.repeats, scale=given.scale, console=console)
    except stored.NoSpace as full:
        console.print(f"[red]{full}[/red]")
        return 2
    if given.svg:
        given.svg.write_text(curve.draw("Times the figure at the smallest size", lines(report.sizes)), encoding="utf-8")
    return tell(report, given, show)


if __name__ == "__main__":
    sys.exit(main())
