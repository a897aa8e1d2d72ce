"""Durable custody transitions per second, by batch and by lane, beside pgbench with the best plain SQL in the same run.

Whole parcel lives of six steps go through the engine into PostgreSQL with ``fsync`` and ``synchronous_commit`` on; each
writer is a process with a lane of its own. Runs are interleaved and repeated, medians stand with their extremes. The
largest batches are also sent again as they went to the server, which is all that driver and server could do. The
benchmark fails when a command was not accepted, when not exactly the events of the accepted answers were committed,
when the ledger does not agree with itself afterwards, and when a floor is missed.
"""

import argparse
import asyncio
import os
import platform
import statistics
import sys
import tempfile
import time
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import msgspec
import psycopg
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from psycopg.sql import SQL, Identifier
from rich.console import Console
from rich.table import Table

from benchmarks.plain_sql import PlainSql
from benchmarks.replay import replay, twin
from benchmarks.writer import Order, Stint, together
from restante.store import embedded, migrate
from restante.store.check import check
from restante.store.postgres import open_ledger
from restante.store.programs import binaries

COMMANDS: Final = {1: 900, 64: 12_000, 256: 21_000}
"""Commands per writer and run, by size of batch: about two seconds each."""

WRITERS: Final = (1, 2)
_LARGEST: Final = max(COMMANDS)
PLAIN_SECONDS: Final = 3
FLOORS: Final = {
    "batch 256, 2 lanes": 10_000.0,
    "batch 64, 2 lanes": 8_000.0,
    "batch 256 to plain SQL": 2.0,
    "batch 256 to its own replay": 0.4,
}
_SETTINGS: Final = {"max_wal_size": "2GB", "shared_buffers": "512MB"}


class Spread(msgspec.Struct, frozen=True):
    """The median of some runs, and their extremes."""

    median: float
    low: float
    high: float


class Line(msgspec.Struct, frozen=True):
    """One way of writing: transitions per second, how long a batch takes, and processor time per transition."""

    batch: int
    writers: int
    rate: Spread
    batch_p50_ms: float
    batch_p99_ms: float
    writers_cpu_us: float
    server_cpu_us: float


class Report(msgspec.Struct, frozen=True):
    """Everything the benchmark found."""

    server: str
    python: str
    fdatasync_ms: float
    lines: tuple[Line, ...]
    replayed: Line
    plain_sql: Spread
    plain_sql_cpu_us: float
    accepted: int
    committed: int
    findings: tuple[str, ...]
    missed: tuple[str, ...]


def run(*, repeats: int, scale: float, console: Console) -> Report:
    """Measure on a server of the benchmark's own, thrown away afterwards."""
    with tempfile.TemporaryDirectory(prefix="restante-bench-", ignore_cleanup_errors=True) as closed:
        Path(closed).chmod(0o711)
        state = Path(closed) / "state"
        try:
            with embedded.server(state, settings=_SETTINGS) as server:
                return _measure(server, Path(closed), repeats=repeats, scale=scale, console=console)
        finally:
            embedded.discard(state)


def _measure(server: embedded.Server, place: Path, *, repeats: int, scale: float, console: Console) -> Report:
    dsn, postmaster = server.dsn, server.pid
    assert postmaster is not None
    with psycopg.connect(dsn, autocommit=True) as db:
        migrate.migrate(db)
        version = str(db.info.parameter_status("server_version"))
    asyncio.run(_prepare(dsn))
    plain = PlainSql(dsn, binaries(), postmaster=postmaster)
    plain_runs, replays = list[tuple[float, float]](), list[list[Stint]]()
    stints = dict[tuple[int, int], list[list[Stint]]]()
    for repeat in range(repeats):
        for batch, commands in COMMANDS.items():
            for writers in WRITERS:
                console.print(f"[dim]run {repeat + 1}/{repeats}: batches of {batch}, {writers} lane(s)[/dim]")
                seed = repeat * 100 + batch * 10 + writers
                orders = [Order(dsn, postmaster, lane, seed, batch, int(commands * scale)) for lane in range(writers)]
                stints.setdefault((batch, writers), []).append(together(orders))
        console.print(f"[dim]run {repeat + 1}/{repeats}: batches of {_LARGEST} sent again[/dim]")
        replays.append(_sent_again(server, seed=repeat, scale=scale))
        console.print(f"[dim]run {repeat + 1}/{repeats}: plain SQL, pgbench[/dim]")
        plain_runs.append(plain.run(max(1, round(PLAIN_SECONDS * scale))))
    findings = asyncio.run(_look(dsn))
    done = [stint for runs in (*stints.values(), replays) for run in runs for stint in run]
    lines = tuple(_line(batch, writers, runs) for (batch, writers), runs in stints.items())
    report = Report(
        server=version,
        python=platform.python_version(),
        fdatasync_ms=_fdatasync_ms(place),
        lines=lines,
        replayed=_line(_LARGEST, max(WRITERS), replays),
        plain_sql=_spread([rate for rate, _ in plain_runs]),
        plain_sql_cpu_us=_median_us([cpu for _, cpu in plain_runs]),
        accepted=sum(stint.events for stint in done),
        committed=sum(stint.committed for stint in done),
        findings=(*findings, *(word for stint in done for word in stint.refused)),
        missed=(),
    )
    return msgspec.structs.replace(report, missed=tuple(_missed(report)))


def _sent_again(server: embedded.Server, *, seed: int, scale: float) -> list[Stint]:
    """A load recorded and sent again, in two new databases."""
    recorded, commands = make_conninfo(server.dsn, dbname="recorded"), int(COMMANDS[_LARGEST] * scale)
    for dsn in (recorded, twin(recorded)):
        name = Identifier(str(conninfo_to_dict(dsn)["dbname"]))
        with psycopg.connect(server.dsn, autocommit=True) as db:
            db.execute(SQL("DROP DATABASE IF EXISTS {}").format(name))
            db.execute(SQL("CREATE DATABASE {}").format(name))
        with psycopg.connect(dsn, autocommit=True) as db:
            migrate.migrate(db)
        asyncio.run(_prepare(dsn))
    assert server.pid is not None
    return together(
        [Order(recorded, server.pid, lane, seed, _LARGEST, commands) for lane in range(max(WRITERS))], replay
    )


async def _prepare(dsn: str) -> None:
    async with open_ledger(dsn) as ledger:
        await ledger.ensure_lanes(max(WRITERS))
        await ledger.upkeep(datetime.now(UTC))


async def _look(dsn: str) -> list[str]:
    """What does not agree in the ledger: counters, timers, versions, positions."""
    async with open_ledger(dsn) as ledger:
        return [f"{one.what} {one.key}: {one.detail}"[:300] for one in await check(ledger)][:10]


def _rate(stints: Iterable[Stint]) -> float:
    """Commands accepted per second, from the first writer's start to the last one's end."""
    every = list(stints)
    return sum(one.accepted for one in every) / (max(one.ended for one in every) - min(one.started for one in every))


def _line(batch: int, writers: int, runs: list[list[Stint]]) -> Line:
    times = sorted(1000 * seconds for run in runs for stint in run for seconds in stint.batch_seconds)
    return Line(
        batch,
        writers,
        _spread([_rate(run) for run in runs]),
        round(times[len(times) // 2], 2),
        round(times[int(len(times) * 0.99)], 2),
        _median_us([sum(one.own_cpu_seconds for one in run) / _accepted(run) for run in runs]),
        # Writers that work at the same time all see the one server.
        _median_us([max(one.server_cpu_seconds for one in run) / _accepted(run) for run in runs]),
    )


def _accepted(run: list[Stint]) -> int:
    return max(1, sum(one.accepted for one in run))


def _median_us(seconds: list[float]) -> float:
    return round(1_000_000 * statistics.median(seconds), 1)


def _spread(values: list[float]) -> Spread:
    return Spread(*(round(value, 1) for value in (statistics.median(values), min(values), max(values))))


def _missed(report: Report) -> Iterable[str]:
    rates = {f"batch {line.batch}, {line.writers} lanes": line.rate.median for line in report.lines}
    rates["batch 256 to plain SQL"] = rates["batch 256, 2 lanes"] / report.plain_sql.median
    rates["batch 256 to its own replay"] = rates["batch 256, 2 lanes"] / report.replayed.rate.median
    return (f"{name}: {rates[name]:,.4g}, floor {floor:,g}" for name, floor in FLOORS.items() if rates[name] < floor)


def _fdatasync_ms(place: Path) -> float:
    """The median time to make 8 kB durable where the database lies."""
    times = list[float]()
    with (place / "sync").open("wb", buffering=0) as file:
        for _ in range(100):
            file.write(bytes(8192))
            began = time.perf_counter()
            os.fdatasync(file.fileno())
            times.append(1000 * (time.perf_counter() - began))
    return round(statistics.median(times), 3)


def show(report: Report, console: Console) -> None:
    """Print the report for people."""
    table = Table(title=f"Durable custody transitions per second (PostgreSQL {report.server}, Python {report.python})")
    for name in ("way", "lanes", "median", "lowest – highest", "to plain SQL", "batch p50 / p99 ms", "CPU µs each"):
        table.add_column(name, justify="left" if name == "way" else "right")
    for way, line in (*((f"batches of {line.batch}", line) for line in report.lines), ("sent again", report.replayed)):
        table.add_row(
            way,
            str(line.writers),
            f"{line.rate.median:,.0f}",
            f"{line.rate.low:,.0f} – {line.rate.high:,.0f}",
            f"{line.rate.median / report.plain_sql.median:.2f}",
            f"{line.batch_p50_ms:.1f} / {line.batch_p99_ms:.1f}",
            f"{line.writers_cpu_us:.0f} + {line.server_cpu_us:.0f}",
        )
    plain = report.plain_sql
    spread = f"{plain.low:,.0f} – {plain.high:,.0f}"
    table.add_row("pgbench", "–", f"{plain.median:,.0f}", spread, "1", "–", f"{report.plain_sql_cpu_us:.0f}")
    console.print(table)
    console.print(
        f"fdatasync of 8 kB: {report.fdatasync_ms} ms · {os.cpu_count()} cores for server and writers together"
    )
    console.print(f"events in accepted answers {report.accepted:,}, committed {report.committed:,}")
    for word in (*report.findings, *report.missed):
        console.print(f"[red]✗ {word}[/red]")


def is_sound(report: Report) -> bool:
    """Whether nothing was refused, lost or left disagreeing."""
    return not report.findings and report.committed == report.accepted > 0


def main() -> int:
    """Run from a command line; 0 when sound and above every floor."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--repeats", type=int, default=3, help="how often each way is measured")
    options.add_argument("--scale", type=float, default=1.0, help="how much work, relative to the standard amount")
    options.add_argument("--json", action="store_true", help="print the report as JSON")
    options.add_argument("--no-floors", action="store_true", help="do not fail when a floor is missed")
    given = options.parse_args()
    report = run(repeats=given.repeats, scale=given.scale, console=Console(stderr=True))
    if given.json:
        sys.stdout.write(msgspec.json.encode(report).decode() + "\n")
    else:
        show(report, Console())
    return 0 if is_sound(report) and (given.no_floors or not report.missed) else 1


if __name__ == "__main__":
    sys.exit(main())
