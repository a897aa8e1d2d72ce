"""How long it takes to export and drop a day of the log, and for how long batches wait meanwhile.

A network of ``stored`` parcels is filled with its log of 20 days; then the clock is put forward and days are retired
into files, one after the other. The run fails when a day that should go stays, when a file does not hold the day's
events, or when a check of positions finds less than what was left.
"""

import asyncio
import hashlib
import sys
from datetime import timedelta
from pathlib import Path
from typing import Final

import msgspec
import psycopg
from rich.console import Console
from rich.table import Table

from benchmarks import stored
from benchmarks.ending import options, own_server, tell
from benchmarks.waits import percentile
from restante.hub.programs import real_now
from restante.store.retention import LEAST_DAYS, Retired, read_lines, retire

PARCELS: Final = 1_000_000
DAYS: Final = 5
LONGEST_LOCK_S: Final = 2.0


class Report(msgspec.Struct, frozen=True):
    """The days that went, events exported a second, bytes of file an event, and the longest that batches waited."""

    parcels: int
    days: tuple[Retired, ...]
    events_per_s: float
    bytes_an_event: float
    locked_p50_s: float
    locked_most_s: float
    wrong: tuple[str, ...]
    missed: tuple[str, ...]


def run(*, scale: float, console: Console) -> Report:
    """Fill, put the clock forward and retire."""
    parcels = max(2_000, round(PARCELS * scale))
    with own_server() as (server, folder):
        stored.check_space(parcels, folder)
        asyncio.run(stored.fill(server.dsn, folder, parcels, said=lambda word: console.print(f"[dim]{word}[/dim]")))
        with psycopg.connect(server.dsn, autocommit=True) as db:
            db.execute("DELETE FROM task")
        old, found = folder.parent / "old", list[Retired]()
        wrong = list[str]()
        now = real_now() + timedelta(days=LEAST_DAYS - stored.LOG_DAYS + DAYS)
        for one in retire(server.dsn, old, keep_days=LEAST_DAYS, now=now):
            if not isinstance(one, Retired):
                wrong.append(f"{one.day} stayed: {one.why}")
                break
            console.print(f"[dim]{one.day}: {one.events:,} events in {one.seconds:.1f} s[/dim]")
            found.append(one)
            wrong += look_at(one, _digest(server.dsn, one))
        return report_of(parcels, found, wrong)


def _digest(dsn: str, one: Retired) -> str:
    with psycopg.connect(dsn) as db:
        row = db.execute("SELECT min(file_sha256) FROM retired_day WHERE day = %s", [one.day]).fetchone()
    return str(row[0]) if row and row[0] else ""


def look_at(one: Retired, digest: str) -> list[str]:
    """Where the file of a day is not what was told of it. An empty day is noted nowhere."""
    path = Path(one.file)
    with path.open("rb") as file:
        count = sum(1 for _ in read_lines(file))
    wrong = [] if count == one.events else [f"{path.name} holds {count} events, {one.events} were told"]
    if one.events and hashlib.sha256(path.read_bytes()).hexdigest() != digest:
        wrong.append(f"{path.name} has another digest than was noted")
    return wrong


def report_of(parcels: int, found: list[Retired], wrong: list[str]) -> Report:
    """The figures of the days that had events."""
    days = [one for one in found if one.events]
    if not days:
        return Report(parcels, (), 0.0, 0.0, 0.0, 0.0, (*wrong, "no day was retired"), ())
    events, locked = sum(one.events for one in days), sorted(one.locked_s for one in days)
    size = sum(Path(one.file).stat().st_size for one in days)
    missed = [f"batches waited {locked[-1]:.1f} s, floor {LONGEST_LOCK_S:g}"] if locked[-1] > LONGEST_LOCK_S else []
    return Report(
        parcels=parcels,
        days=tuple(days),
        events_per_s=round(events / sum(one.seconds for one in days), 1),
        bytes_an_event=round(size / events, 1),
        locked_p50_s=percentile(locked, 0.5),
        locked_most_s=locked[-1],
        wrong=tuple(wrong),
        missed=tuple(missed),
    )


def show(report: Report, console: Console) -> None:
    """Print the report for people."""
    table = Table(title=f"Days of the log of {report.parcels:,} stored parcels, exported and dropped")
    for name in ("day", "events", "of them kept", "seconds", "batches waited s"):
        table.add_column(name, justify="right")
    for one in report.days:
        table.add_row(str(one.day), f"{one.events:,}", f"{one.kept:,}", f"{one.seconds:.1f}", f"{one.locked_s:.2f}")
    console.print(table)
    console.print(f"{report.events_per_s:,.0f} events a second, {report.bytes_an_event:.0f} bytes of file each")


def main() -> int:
    """Run from a command line; 0 when every day went, its file is whole, and batches waited less than the floor."""
    given = options(__doc__).parse_args()
    return tell(run(scale=given.scale, console=Console(stderr=True)), given, show)


if __name__ == "__main__":
    sys.exit(main())
