"""Every benchmark in turn, and one table of what they found beside the goals they were built for.

Each part is a program of its own and gets the machine to itself. A part that fails does not keep the others from being
run; its rows say so, and so does the exit code. Ten million stored parcels and an hour of the peak are not part of it:
``benchmarks.growth --sizes 1000 100000 10000000 --keep FOLDER``, ``benchmarks.peak --share SHARE --minutes 60``.
"""

import argparse
import json
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import msgspec
from rich.console import Console
from rich.table import Table

Told = Mapping[str, Any]
"""What a part printed as JSON."""

ROOT: Final = Path(__file__).parents[1]


class Part(msgspec.Struct, frozen=True):
    """One benchmark: its options at a scale, and about how many minutes it takes at scale 1 on two cores."""

    options: Callable[[float], Sequence[str]]
    minutes: float


def _scaled(*more: str) -> Callable[[float], Sequence[str]]:
    return lambda scale: ("--scale", f"{scale:g}", *more)


PARTS: Final[Mapping[str, Part]] = {
    "custody": Part(_scaled(), 3),
    "http": Part(_scaled(), 2),
    "search": Part(_scaled(), 3),
    "growth": Part(_scaled("--sizes", "1000", "100000"), 5),
    "retention": Part(_scaled(), 6),
    "sessions": Part(lambda scale: ("--banks", str(max(100, round(10_000 * scale)))), 10),
    "peak": Part(_scaled(), 20),
}
"""In this order. The minutes are an estimate, and no measurement."""


class Row(msgspec.Struct, frozen=True):
    """One line of the table: what was aimed at, and where to find what was measured."""

    part: str
    metric: str
    floor: str
    aim: str
    read: Callable[[Told], str]


def _line(told: Told, batch: int) -> Told:
    found: Told = next(one for one in told["lines"] if (one["batch"], one["writers"]) == (batch, 2))
    return found


def _rate(told: Told, batch: int) -> str:
    rate = _line(told, batch)["rate"]
    return f"{rate['median']:,.0f} ({rate['low']:,.0f} – {rate['high']:,.0f})"


def _http(told: Told) -> str:
    rates = sorted(told["batched"]["rates"])
    return f"{rates[len(rates) // 2]:,.0f} ({rates[0]:,.0f} – {rates[-1]:,.0f}); {told['batched']['p99_ms']:.0f} ms"


def _kind(told: Told, name: str) -> str:
    waits = next(one["waits"] for one in told["kinds"] if one["name"] == name)
    return f"{waits['p50_ms']:.1f} / {waits['p99_ms']:.1f} ms"


def _growth(told: Told) -> str:
    small, large = (
        one["rates"]["new lives, batches of 256"]["median"] for one in (told["sizes"][0], told["sizes"][-1])
    )
    return f"{large / small:.2f} of it at {told['sizes'][-1]['stored']:,}"


def _disk(told: Told) -> str:
    largest = told["sizes"][-1]
    size = sum(disk["heap"] + disk["index"] + disk["toast"] for disk in largest["disk"].values())
    return f"{size:,.0f} B; {largest['wal_bytes_a_transition']:,.0f} B"


def _storm(told: Told) -> str:
    by_name = {one["name"]: one for one in told["stages"]}
    return f"{by_name['at rest']['hub_mb']:,.0f} MB; {by_name['all come back after SIGKILL']['seconds']:.0f} s"


def _peak(told: Told) -> str:
    return f"{told['sustained']:,.0f}; {told['limit'] or 'no limit met'}"


def _zeros(told: Told) -> str:
    return f"{len(told['findings'])}; {told['committed'] - told['accepted']} events more than accepted"


ROWS: Final = (
    Row("custody", "bulk, batch 256, 2 lanes, a second", "10,000", "20,000", lambda told: _rate(told, 256)),
    Row("custody", "batch 64, 2 lanes, a second", "8,000", "15,000", lambda told: _rate(told, 64)),
    Row("custody", "a batch of 64, p99", "–", "25 ms", lambda told: f"{_line(told, 64)['batch_p99_ms']:.0f} ms"),
    Row("custody", "to plain SQL in pgbench, same run", "2", "4",
        lambda told: f"{_line(told, 256)['rate']['median'] / told['plain_sql']['median']:.2f}"),
    Row("custody", "to its own trips sent again, batch 256", "0.4", "0.65",
        lambda told: f"{_line(told, 256)['rate']['median'] / told['replayed']['rate']['median']:.2f}"),
    Row("custody", "disagreements in the ledger", "0", "0", _zeros),
    Row("http", "HTTP, 64 callers, a second; p99", "2,000; 100 ms", "4,000; 50 ms", _http),
    Row("http", "HTTP, in batches to one by one", "2", "3", lambda told: f"{told['ratio']:.2f}"),
    Row("search", "the 10 nearest of 100,000 points, p50 / p99", "50 ms", "–",
        lambda told: _kind(told, "the 10 nearest")),
    Row("search", "the nearest with room, p50 / p99", "50 ms", "–", lambda told: _kind(told, "with room for size L")),
    Row("growth", "bulk, beside 1,000 stored parcels", "0.5", "–", _growth),
    Row("growth", "disk a stored parcel; WAL a transition", "–", "–", _disk),
    Row("retention", "a day exported and dropped, events a second; batches waited", "2 s", "–",
        lambda told: f"{told['events_per_s']:,.0f}; {told['locked_most_s']:.2f} s"),
    Row("sessions", "10,000 banks on one hub: memory; all back after SIGKILL", "–", "–", _storm),
    Row("peak", "of the peak of 2,917 a second; limit", "–", "2,917", _peak),
)  # fmt: skip


def run(parts: Sequence[str], *, scale: float, console: Console) -> dict[str, Told]:
    """Run parts one after the other; what each told, with ``failed`` in it where it did."""
    found: dict[str, Told] = {}
    console.print(f"[dim]about {sum(PARTS[name].minutes for name in parts) * scale:.0f} minutes[/dim]")
    for name in parts:
        began_s = time.monotonic()
        console.print(f"[bold]{name}[/bold]")
        command = [sys.executable, "-m", f"benchmarks.{name}", *PARTS[name].options(scale), "--json"]
        done = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, check=False)
        found[name] = read(done.stdout, failed=done.returncode != 0)
        console.print(f"[dim]{name}: {time.monotonic() - began_s:.0f} s[/dim]")
    return found


def read(printed: bytes, *, failed: bool) -> Told:
    """What a part told; nothing but its failure if it ended without a report."""
    try:
        told: Told = json.loads(printed)
    except ValueError:
        return {"failed": True}
    return {**told, "failed": failed}


def table(found: Mapping[str, Told]) -> Table:
    """The goals, and what was measured beside them."""
    made = Table(title="Goals, and what was measured")
    for name in ("what", "floor", "aim", "measured"):
        made.add_column(name, justify="left" if name in {"what", "measured"} else "right")
    for row in ROWS:
        if row.part in found:
            made.add_row(row.metric, row.floor, row.aim, measured(row, found[row.part]))
    return made


def measured(row: Row, told: Told) -> str:
    """One figure; where a part has none, that it ended without a report."""
    if len(told) == 1:
        return "no report"
    return row.read(told) + (" [red](failed)[/red]" if told["failed"] else "")


def complaints(found: Mapping[str, Told]) -> list[str]:
    """What parts that failed say of it, each under its part's name."""
    named = ("wrong", "missed", "findings")
    return [
        f"{part}: {word}"
        for part, told in found.items()
        if told["failed"]
        for word in ([word for name in named for word in told.get(name, ())] or ["ended without a report"])
    ]


def main() -> int:
    """Run from a command line; 0 when every part was."""
    asked = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    asked.add_argument("--scale", type=float, default=1.0, help="how much work, relative to the standard amount")
    asked.add_argument("--parts", nargs="+", choices=PARTS, default=list(PARTS), help="only these")
    asked.add_argument("--json", action="store_true", help="print every part's report as one JSON document")
    given = asked.parse_args()
    found = run(given.parts, scale=given.scale, console=Console(stderr=True))
    if given.json:
        sys.stdout.write(json.dumps(found) + "\n")
    else:
        console = Console()
        console.print(table(found))
        for word in complaints(found):
            console.print(f"[red]✗ {word}[/red]")
    return 1 if any(told["failed"] for told in found.values()) else 0


if __name__ == "__main__":
    sys.exit(main())
