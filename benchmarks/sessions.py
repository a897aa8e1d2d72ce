"""Thousands of bank sessions on one hub process: memory and processor time a session, and the storm after a restart.

Every bank is a real agent with the real end of a session on a real websocket; only its book is in memory and its doors
stay shut. The banks share a process, the hub has one of its own, and its PostgreSQL runs as in production. Told are how
long it takes until every bank has a session and its manifest in force, what the hub needs at rest, how long a promise
takes from its commit until the bank has it, and how all come back when the hub is killed and started again. The run
fails when a bank does not get its session, or a manifest never comes.
"""

import argparse
import asyncio
import multiprocessing
import os
import random
import secrets
import signal
import sys
import tempfile
import time
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from multiprocessing.connection import Connection
from pathlib import Path
from statistics import quantiles
from typing import Any, Final, cast

import msgspec
import psycopg
import uvloop
from rich.console import Console
from rich.table import Table

from benchmarks.cpu import process_seconds, resident_mb, server_seconds
from benchmarks.lifecycle import Load
from restante.core import commands as cmd
from restante.core.ids import Lane, PointId, SourceId
from restante.core.time import Instant
from restante.edge.book import Book
from restante.edge.inputs import Woke
from restante.edge.keeping import KeptAgent, next_boot
from restante.edge.memory import MemoryBook
from restante.edge.running import Running
from restante.hub.engine import Accepted, Engine, settle_memory
from restante.hub.fleet.keys import open_keys
from restante.hub.fleet.listener import Clock, Site, listening
from restante.hub.fleet.records import open_records
from restante.hub.programs import real_now
from restante.hub.settings import Settings
from restante.store import embedded, migrate
from restante.store.ledger import Ledger
from restante.store.postgres import open_ledger

LANES: Final = 8
BANKS_A_POINT_OF_LOAD: Final = 500
TICK_SECONDS: Final = 5.0
LONGEST_STORM_S: Final = 900.0
PROMISES: Final = 400
AT_REST_S: Final = 60.0


class Stage(msgspec.Struct, frozen=True):
    """One stretch of the run: how long it took, and what hub and server needed meanwhile."""

    name: str
    seconds: float
    hub_cpu_s: float
    server_cpu_s: float
    hub_mb: float


class Report(msgspec.Struct, frozen=True):
    """What was measured; ``waits_ms`` from a promise's commit until its bank has it; and what went wrong."""

    banks: int
    stages: list[Stage]
    waits_ms: list[float]
    wrong: list[str]


class Town(msgspec.Struct, frozen=True):
    """The banks of a run, by source and point."""

    sources: list[SourceId]
    points: list[PointId]


# --- the hub, in a process of its own


def be_hub(dsn: str, folder: Path, *, port: int, told: Connection) -> None:
    """Serve sessions on this port of loopback until killed; tells the port once it is open."""
    uvloop.run(_be_hub(dsn, folder, port=port, told=told))


async def _be_hub(dsn: str, folder: Path, *, port: int, told: Connection) -> None:
    settings = Settings(state=str(folder), bank_port=port)
    async with open_ledger(dsn) as ledger, open_records(dsn, settings.network) as records:
        engine = Engine(ledger, real_now, max_batch=256, queue_limit=10_000)
        site = Site(
            ledger=ledger,
            engine=engine,
            records=records,
            keys=open_keys(folder / "keys"),
            settings=settings,
            clock=Clock(real_now, time.monotonic),
            chance=secrets.token_bytes,
        )
        async with listening(site) as listener:
            settle_memory()
            told.send(listener.port)
            await asyncio.Event().wait()


class Hub:
    """The hub's process, which can be killed and started again on the same port."""

    def __init__(self, dsn: str, folder: Path) -> None:
        self._dsn = dsn
        self._folder = folder
        self.port = 0
        self._process: Any = None

    def start(self) -> None:
        """Start it, and wait until it listens."""
        here, there = multiprocessing.Pipe()
        context = multiprocessing.get_context("spawn")
        place = {"port": self.port, "told": there}
        self._process = context.Process(target=be_hub, args=(self._dsn, self._folder), kwargs=place, daemon=True)
        self._process.start()
        self.port = here.recv()

    def kill(self) -> None:
        """SIGKILL."""
        os.kill(self.pid, signal.SIGKILL)
        self._process.join()

    @property
    def pid(self) -> int:
        """Its process."""
        return int(self._process.pid)


# --- the banks


class Street:
    """All banks on one event loop, each at work."""

    def __init__(self, town: Town, url: str) -> None:
        self._where = lambda: (url, None)
        self.banks = {source: self._bank(source) for source in town.sources}

    def _bank(self, source: SourceId) -> Running:
        book = MemoryBook(source)
        running = Running(KeptAgent(book), cast("Book", book), board=None, where=self._where)
        running.boot = next_boot(book)
        running.take(Woke("bench"))
        return running

    async def live(self) -> None:
        """Let every bank know of time, one after the other, for ever."""
        banks = list(self.banks.values())
        while True:
            begun_s = time.monotonic()
            for number, bank in enumerate(banks):
                bank.tick()
                if number % 20 == 19:
                    ahead_s = TICK_SECONDS * number / len(banks) - (time.monotonic() - begun_s)
                    await asyncio.sleep(max(0.0, ahead_s))
            await asyncio.sleep(max(0.0, TICK_SECONDS - (time.monotonic() - begun_s)))

    def in_session(self) -> int:
        """How many banks have a session and a manifest."""
        return sum(bank.agent.state.online and bank.agent.state.manifest is not None for bank in self.banks.values())


# --- the run


async def _provision(engine: Engine, banks: int) -> Town:
    """That many points with a bank each, over all lanes."""
    town = Town([], [])
    for number, start in enumerate(range(0, banks, BANKS_A_POINT_OF_LOAD)):
        load = Load(Lane(number % LANES), points=min(BANKS_A_POINT_OF_LOAD, banks - start), seed=number)
        await _do(engine, load.provision())
        town.sources.extend(bank.source for bank in load.banks)
        town.points.extend(bank.point for bank in load.banks)
    return town


async def _do(engine: Engine, commands: Sequence[cmd.AnyCommand]) -> None:
    for start in range(0, len(commands), 2_000):
        for outcome in await engine.submit_all(commands[start : start + 2_000]):
            assert isinstance(outcome, Accepted), outcome


async def _all_in_session(street: Street) -> bool:
    """Wait until every bank has a session and its manifest, or too long."""
    until_s = time.monotonic() + LONGEST_STORM_S
    while street.in_session() < len(street.banks):
        if time.monotonic() > until_s:
            return False
        await asyncio.sleep(0.25)
    return True


class Meter:
    """Reads clocks and counters between one stage and the next."""

    def __init__(self, hub: Hub, postmaster: int, console: Console) -> None:
        self.stages: list[Stage] = []
        self._hub = hub
        self._postmaster = postmaster
        self._console = console
        self.begin()

    def begin(self) -> None:
        """Begin a stage."""
        self._at = self._read()

    def end(self, name: str) -> None:
        """End the stage, and begin the next."""
        before, self._at = self._at, self._read()
        wall_s, hub_s, server_s = (after - was for after, was in zip(self._at, before, strict=True))
        self.stages.append(Stage(name, wall_s, hub_s, server_s, resident_mb(self._hub.pid)))
        self._console.print(f"{name}: {wall_s:.1f} s")

    def _read(self) -> tuple[float, float, float]:
        return time.monotonic(), process_seconds(self._hub.pid), server_seconds(self._postmaster)


async def _promises(ledger: Ledger, engine: Engine, *, street: Street, town: Town) -> list[float]:
    """Promise room at banks here and there; milliseconds from each commit until the bank has the permission.

    There is no worker; what it says once a code is made is said here.
    """
    chance = random.Random(1)
    waits_ms: list[float] = []
    for number in range(PROMISES):
        at = chance.randrange(len(town.sources))
        source, point = town.sources[at], town.points[at]
        announce, reserve = _promise(Lane(int(point[-4:], 16)), point, number)
        await _do(engine, [announce])
        await _do(engine, [reserve])
        begun_s = time.perf_counter()
        await ledger.tell(point)
        while not _has_permission(street.banks[source], announce.parcel):
            if time.perf_counter() - begun_s > 30:
                return waits_ms
            await asyncio.sleep(0.001)
        waits_ms.append((time.perf_counter() - begun_s) * 1_000)
    return waits_ms


def _promise(lane: Lane, point: PointId, number: int) -> tuple[cmd.AnnounceParcel, cmd.ReserveRoom]:
    load = Load(lane, points=1, seed=10_000 + number, start=_now())
    announce, reserve, *_ = load.commands(1, 1)
    assert isinstance(announce, cmd.AnnounceParcel)
    assert isinstance(reserve, cmd.ReserveRoom)
    return announce, msgspec.structs.replace(reserve, point=point)


def _has_permission(bank: Running, parcel: str) -> bool:
    applied = bank.agent.state.manifest
    return applied is not None and any(grant.parcel == parcel for grant in applied.manifest.grants.values())


def _now() -> Instant:
    return datetime.now(UTC) - timedelta(minutes=1)


async def _run(dsn: str, folder: Path, postmaster: int, *, banks: int, console: Console) -> Report:
    async with open_ledger(dsn) as ledger:
        await ledger.ensure_lanes(LANES)
        await ledger.upkeep(real_now())
        engine = Engine(ledger, real_now, max_batch=256, queue_limit=100_000)
        town = await _provision(engine, banks)
        hub = Hub(dsn, folder)
        await asyncio.to_thread(hub.start)
        meter, wrong = Meter(hub, postmaster, console), list[str]()
        street = Street(town, f"ws://127.0.0.1:{hub.port}")
        settle_memory()
        living = asyncio.create_task(street.live())
        meter.begin()
        if not await _all_in_session(street):
            wrong.append(f"{street.in_session()} of {banks} banks got a session")
        meter.end("all banks dial")
        await asyncio.sleep(AT_REST_S)
        meter.end("at rest")
        waits_ms = await _promises(ledger, engine, street=street, town=town)
        meter.end("promises")
        if len(waits_ms) < PROMISES:
            wrong.append(f"the permission of promise {len(waits_ms) + 1} never came")
        hub.kill()
        await asyncio.to_thread(hub.start)
        meter.begin()
        if not await _all_in_session(street):
            wrong.append(f"{street.in_session()} of {banks} banks came back")
        meter.end("all come back after SIGKILL")
        living.cancel()
        hub.kill()
        await engine.close()
    return Report(banks, meter.stages, waits_ms, wrong)


def measure(banks: int, console: Console) -> Report:
    """The whole run."""
    with tempfile.TemporaryDirectory(prefix="restante-bench-", ignore_cleanup_errors=True) as closed:
        Path(closed).chmod(0o711)
        folder = Path(closed) / "state"
        with embedded.server(folder, settings={"shared_buffers": "512MB"}) as server:
            with psycopg.connect(server.dsn, autocommit=True) as db:
                migrate.migrate(db)
            assert server.pid is not None
            return uvloop.run(_run(server.dsn, folder, server.pid, banks=banks, console=console))


def show(report: Report, console: Console) -> None:
    """Print the report for people."""
    table = Table(title=f"{report.banks:,} bank sessions on one hub process")
    for name in ("stage", "seconds", "hub CPU s", "PostgreSQL CPU s", "hub MB", "hub KB a session"):
        table.add_column(name, justify="left" if name == "stage" else "right")
    for one in report.stages:
        figures = (f"{one.seconds:.1f}", f"{one.hub_cpu_s:.1f}", f"{one.server_cpu_s:.1f}", f"{one.hub_mb:.0f}")
        table.add_row(one.name, *figures, f"{1024 * one.hub_mb / report.banks:.0f}")
    console.print(table)
    if len(report.waits_ms) > 1:
        cuts = quantiles(report.waits_ms, n=100)
        console.print(f"from a promise's commit until its bank has it: p50 {cuts[49]:.0f} ms, p99 {cuts[98]:.0f} ms")
    for word in report.wrong:
        console.print(f"[red]✗ {word}[/red]")


def main() -> int:
    """Run from a command line; 0 when every bank got what it should."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--banks", type=int, default=10_000, help="how many sessions")
    options.add_argument("--json", action="store_true", help="print the report as JSON")
    given = options.parse_args()
    console = Console(stderr=True)
    report = measure(given.banks, console)
    if given.json:
        sys.stdout.write(msgspec.json.encode(report).decode() + "\n")
    else:
        show(report, Console())
    return 1 if report.wrong else 0


if __name__ == "__main__":
    sys.exit(main())
