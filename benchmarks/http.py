"""Accepted transitions per second over HTTP with 64 callers, in batches and one by one, in one run.

A third of the requests announce, a third extend a hold, a third release a parcel; all of them must be accepted. The
hub and its PostgreSQL run as they do in production, with fsync; the callers are another process. The run fails when
a request is refused or fails, when not exactly the events that the answers tell of were committed, and below the
floors: 2,000 a second, 99 % within 100 ms, and twice what the same hub does with batches of one.
"""

import argparse
import asyncio
import multiprocessing
import platform
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import median

import httpx
import msgspec
import psycopg
import uvloop
from rich.console import Console
from rich.table import Table

from benchmarks.lifecycle import Load
from restante.core import commands as cmd
from restante.core.facts import ParcelTakenOut
from restante.core.ids import Lane
from restante.core.time import Instant
from restante.hub.app import Parts, operator_key, serve
from restante.hub.engine import Accepted, Engine, settle_memory
from restante.hub.fleet.keyfiles import open_authority
from restante.hub.fleet.keys import open_keys
from restante.hub.fleet.records import open_records
from restante.hub.fleet.service import Fleet
from restante.hub.programs import real_now
from restante.hub.settings import Settings
from restante.store import embedded, migrate
from restante.store.postgres import open_ledger
from restante.store.sealed_vault import open_vault

CALLERS = 64
FLOOR_PER_S = 2000.0
FLOOR_RATIO = 2.0
LONGEST_P99_MS = 100.0
SECONDS = 4.0
HELD = 960
DOORS = 60
ORG = "nordpost"


class Job(msgspec.Struct, frozen=True):
    """What the callers do: where, with which key, for how long, and the parcels they act on."""

    port: int
    key: str
    seconds: float
    name: str
    held: list[str]
    waiting: list[str]


class Measured(msgspec.Struct, frozen=True):
    """One run as the callers saw it: requests accepted, events they were told of, waits, and what went wrong."""

    accepted: int
    events: int
    seconds: float
    waits_ms: list[float]
    failures: list[str]
    hub_cpu_us: float = 0.0

    @property
    def per_s(self) -> float:
        """Accepted requests per second."""
        return self.accepted / self.seconds

    def percentile_ms(self, share: float) -> float:
        """The wait that this share of the requests did not exceed."""
        ordered = sorted(self.waits_ms)
        return ordered[min(len(ordered) - 1, int(len(ordered) * share))]


class Way(msgspec.Struct, frozen=True):
    """The runs of one way of taking commands: rates per second, waits, and the hub's processor time for a request."""

    rates: list[float]
    p50_ms: float
    p99_ms: float
    hub_cpu_us: float

    @property
    def rate(self) -> float:
        """The median rate."""
        return median(self.rates)


class Report(msgspec.Struct, frozen=True):
    """What was measured, and every reason why it does not count or does not suffice."""

    python: str
    batched: Way
    single: Way
    ratio: float
    accepted: int
    wrong: list[str]
    missed: list[str]


class _Answer(msgspec.Struct):
    events: list[msgspec.Raw] = []


# --- the callers, in a process of their own


def call(job: Job) -> Measured:
    """Be 64 callers until the time is over or the parcels are used up."""
    return uvloop.run(_call(job))


async def _call(job: Job) -> Measured:
    told = Measured(0, 0, 0.0, [], [])
    waiting = iter(job.waiting)
    begun_s = time.perf_counter()
    parts = await asyncio.gather(
        *(_caller(job, number, waiting=waiting, end_s=begun_s + job.seconds) for number in range(CALLERS))
    )
    seconds = time.perf_counter() - begun_s
    for part in parts:
        told = Measured(
            told.accepted + part.accepted,
            told.events + part.events,
            seconds,
            told.waits_ms + part.waits_ms,
            told.failures + part.failures,
        )
    return told


async def _caller(job: Job, number: int, *, waiting: Iterator[str], end_s: float) -> Measured:
    reader, writer = await asyncio.open_connection("127.0.0.1", job.port)
    waits_ms: list[float] = []
    failures: list[str] = []
    events, turn = 0, number
    while (sent_s := time.perf_counter()) < end_s:
        turn += 1
        asked = _next(job, waiting, number=number, turn=turn)
        if asked is None:
            break
        status, body = await _request(reader, writer, asked, key=job.key)
        waits_ms.append((time.perf_counter() - sent_s) * 1000)
        if status >= 300:
            failures.append(f"{asked[0]}: {status} {body[:200].decode(errors='replace')}")
        else:
            events += 1 if asked[0] == "/v1/parcels" else len(msgspec.json.decode(body, type=_Answer).events)
    writer.close()
    return Measured(len(waits_ms) - len(failures), events, 0.0, waits_ms, failures)


def _next(job: Job, waiting: Iterator[str], *, number: int, turn: int) -> tuple[str, bytes] | None:
    match turn % 3:
        case 0:
            reference = f"{job.name}-{number}-{turn}"
            told = {
                "reference": reference,
                "dimensions": {"width_mm": 200, "height_mm": 100, "depth_mm": 300},
                "weight_grams": 900,
                "recipient": {"name": reference, "emails": [f"{reference}@example.org"]},
            }
            return "/v1/parcels", msgspec.json.encode(told)
        case 1:
            # Each caller has parcels of its own, so that every extension is later than the last.
            mine = job.held[number::CALLERS]
            ends_at = real_now() + timedelta(hours=100)
            return f"/v1/parcels/{mine[turn % len(mine)]}/extension", msgspec.json.encode({"ends_at": ends_at})
        case _:
            parcel = next(waiting, None)
            return None if parcel is None else (f"/v1/parcels/{parcel}/cancellation", b"")


async def _request(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, asked: tuple[str, bytes], *, key: str
) -> tuple[int, bytes]:
    """Send one request over a connection that is kept, and read its answer."""
    path, body = asked
    head = (
        f"POST {path} HTTP/1.1\r\nHost: hub\r\nAuthorization: Bearer {key}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    writer.write(head.encode() + body)
    answer = await reader.readuntil(b"\r\n\r\n")
    length = next(int(line[15:]) for line in answer.lower().split(b"\r\n") if line.startswith(b"content-length:"))
    return int(answer[9:12]), await reader.readexactly(length)


# --- the hub


@asynccontextmanager
async def hub(dsn: str, folder: Path, *, max_batch: int) -> AsyncIterator[tuple[int, Engine]]:
    """A hub over the database; its port, and its engine for what is prepared beforehand."""
    settings = Settings(state=str(folder), http_port=0, max_batch=max_batch)
    async with (
        open_ledger(dsn) as ledger,
        open_vault(dsn, folder) as vault,
        open_records(dsn, settings.network) as records,
    ):
        await ledger.ensure_lanes(settings.lanes)
        await ledger.upkeep(real_now())
        engine = Engine(ledger, real_now, max_batch=max_batch, queue_limit=settings.queue_limit)
        authority = open_authority(folder / "keys", settings.network, now=real_now(), serial=1)
        keys = open_keys(folder / "keys")
        fleet = Fleet(ledger, engine.submit, records, authority, keys, settings, "wss://127.0.0.1:1")
        async with serve(Parts(dsn, settings, engine, ledger, vault, fleet, real_now)) as port:
            yield port, engine
        await engine.close()


async def prepare(engine: Engine, waiting: int, *, seed: int, now: Instant) -> tuple[list[str], list[str]]:
    """Parcels with a running hold, and parcels that wait to be called off, in two lanes."""
    held: list[str] = []
    loose: list[list[str]] = []
    for lane in (Lane(0), Lane(1)):
        load = Load(lane, points=HELD // 2 // DOORS, seed=seed, start=now - timedelta(hours=1))
        await _do(engine, load.provision())
        lives = [one for one in load.commands(HELD // 2, HELD // 2) if not _ends(one)]
        await _do(engine, lives)
        held += [one.parcel for one in lives if isinstance(one, cmd.AnnounceParcel)]
        spare = Load(lane, points=1, seed=seed + 1000, start=now - timedelta(hours=1))
        announced = [one for one in spare.commands(waiting // 2, 1) if isinstance(one, cmd.AnnounceParcel)]
        await _do(engine, announced)
        loose.append([one.parcel for one in announced])
    # In turn, so that both lanes have as much to do.
    return held, [parcel for pair in zip(*loose, strict=True) for parcel in pair]


def _ends(command: cmd.AnyCommand) -> bool:
    is_taken_out = isinstance(command, cmd.AdoptFact) and isinstance(command.fact, ParcelTakenOut)
    return is_taken_out or isinstance(command, cmd.ExtendHold)


async def _do(engine: Engine, commands: Sequence[cmd.AnyCommand]) -> None:
    for start in range(0, len(commands), 2000):
        for outcome in await engine.submit_all(commands[start : start + 2000]):
            assert isinstance(outcome, Accepted), outcome


# --- the run


def _events(dsn: str) -> int:
    with psycopg.connect(dsn) as db:
        row = db.execute("SELECT sum(head) FROM lane").fetchone()
        assert row is not None
        return int(row[0])


async def _run(dsn: str, folder: Path, *, max_batch: int, seconds: float, seed: int) -> tuple[Measured, int]:
    """One run, and how many events were committed during it."""
    async with hub(dsn, folder, max_batch=512) as (_, engine):
        most = int(seconds * (2000 if max_batch > 1 else 800))
        held, waiting = await prepare(engine, most, seed=seed, now=datetime.now(UTC))
    async with hub(dsn, folder, max_batch=max_batch) as (port, _):
        key = await _partner(port, folder)
        before = _events(dsn)
        settle_memory()
        job = Job(port, key, seconds, f"{max_batch}-{seed}", held, waiting)
        context = multiprocessing.get_context("spawn")
        with context.Pool(1) as pool:
            busy_s = time.process_time()
            told: Measured = await asyncio.to_thread(pool.apply, call, (job,))
            busy_s = time.process_time() - busy_s
    told = msgspec.structs.replace(told, hub_cpu_us=1e6 * busy_s / max(1, told.accepted))
    return told, _events(dsn) - before


async def _partner(port: int, folder: Path) -> str:
    """A key of the carrier whose parcels the load has, taken in if it is new."""
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}/v1") as client:
        client.headers["Authorization"] = f"Bearer {operator_key(folder)}"
        await client.post("/orgs", json={"id": ORG, "role": "carrier", "name": "Nord Post"})
        made = await client.post(f"/orgs/{ORG}/keys", json={"label": "bench"})
        made.raise_for_status()
        return str(made.json()["key"])


def measure(*, seconds: float, repeats: int) -> Report:
    """Runs in batches and runs one by one, in turn."""
    batched: list[Measured] = []
    single: list[Measured] = []
    wrong: list[str] = []
    with tempfile.TemporaryDirectory(prefix="restante-bench-", ignore_cleanup_errors=True) as closed:
        Path(closed).chmod(0o711)
        folder = Path(closed) / "state"
        with embedded.server(folder) as server:
            with psycopg.connect(server.dsn, autocommit=True) as db:
                migrate.migrate(db)
            for seed in range(0, 2 * repeats, 2):
                for max_batch, kept in ((128, batched), (1, single)):
                    told, committed = uvloop.run(
                        _run(server.dsn, folder, max_batch=max_batch, seconds=seconds, seed=seed + (max_batch == 1))
                    )
                    kept.append(told)
                    wrong += told.failures[:3]
                    if committed != told.events:
                        wrong.append(f"{told.events} events answered, {committed} committed")
    return _report(batched, single, wrong)


def _report(batched: Sequence[Measured], single: Sequence[Measured], wrong: list[str]) -> Report:
    batches, lone = _way(batched), _way(single)
    ratio = round(batches.rate / max(1.0, lone.rate), 2)
    missed = {
        f"{batches.rate:.0f} a second, floor {FLOOR_PER_S:.0f}": batches.rate < FLOOR_PER_S,
        f"99 % within {batches.p99_ms} ms, at most {LONGEST_P99_MS:.0f}": batches.p99_ms > LONGEST_P99_MS,
        f"{ratio} times one by one, floor {FLOOR_RATIO}": ratio < FLOOR_RATIO,
    }
    accepted = sum(one.accepted for one in (*batched, *single))
    fallen = [words for words, is_missed in missed.items() if is_missed]
    return Report(platform.python_version(), batches, lone, ratio, accepted, wrong, fallen)


def _way(runs: Sequence[Measured]) -> Way:
    p50_ms, p99_ms = (round(median(one.percentile_ms(share) for one in runs), 1) for share in (0.5, 0.99))
    return Way([round(one.per_s) for one in runs], p50_ms, p99_ms, round(median(one.hub_cpu_us for one in runs)))


def show(report: Report, console: Console) -> None:
    """Print the report for people."""
    table = Table(title=f"Accepted transitions per second over HTTP, {CALLERS} callers (Python {report.python})")
    for name in ("way", "median", "lowest – highest", "p50 / p99 ms", "hub CPU µs each"):
        table.add_column(name, justify="left" if name == "way" else "right")
    for name, way in (("in batches", report.batched), ("one by one", report.single)):
        table.add_row(
            name,
            f"{way.rate:,.0f}",
            f"{min(way.rates):,.0f} – {max(way.rates):,.0f}",
            f"{way.p50_ms} / {way.p99_ms}",
            f"{way.hub_cpu_us:.0f}",
        )
    console.print(table)
    console.print(f"in batches {report.ratio} times one by one; {report.accepted:,} accepted")
    for word in (*report.wrong, *report.missed):
        console.print(f"[red]✗ {word}[/red]")


def main() -> int:
    """Run from a command line; 0 when sound and above every floor."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--repeats", type=int, default=3, help="how often each way is measured")
    options.add_argument("--scale", type=float, default=1.0, help="how long, relative to 4 seconds a run")
    options.add_argument("--json", action="store_true", help="print the report as JSON")
    options.add_argument("--no-floors", action="store_true", help="do not fail when a floor is missed")
    given = options.parse_args()
    report = measure(seconds=SECONDS * given.scale, repeats=given.repeats)
    if given.json:
        sys.stdout.write(msgspec.json.encode(report).decode() + "\n")
    else:
        show(report, Console())
    return 0 if not report.wrong and report.accepted and (given.no_floors or not report.missed) else 1


if __name__ == "__main__":
    sys.exit(main())
