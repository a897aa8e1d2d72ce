"""The hour of peak of the largest network, 2,917 transitions a second, or how much of it one machine sustains.

Hub, worker and mail sink are the real programs over a database with ``fsync``; beside them run banks on lines over TLS,
carriers who announce in bulk and one by one, readers of the feed by long poll and by stream, and people who look at
parcels and points. A life is five transitions: announced, promised room, deposited, told of, collected. Lives come at a
fixed rate, whoever keeps up, and every wait counts from the instant it was due at. Shares of the peak are offered one
after the other until one is not sustained: something piles up, or less is accepted than was offered. The run fails when
a request was refused, when fewer events were committed than answers tell of, and when not even the first share was
sustained. ``--share 0.1 --minutes 60`` offers one share for an hour.
"""

import asyncio
import itertools
import os
import re
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Final

import msgspec
import psycopg
import uvloop
from rich.console import Console
from rich.table import Table

from benchmarks.calls import Calls, Reader
from benchmarks.ending import options, own_server, tell
from benchmarks.offered import Sample, Verdict, due_by, highest, judge
from benchmarks.peak_banks import Bank, put_up
from benchmarks.peak_lives import LIFE_SECONDS, Lives
from benchmarks.peak_network import Running, running
from benchmarks.waits import Waits, waits

PEAK_PER_S: Final = 2_917.0
TRANSITIONS: Final = 5
SHARES: Final = (0.02, 0.05, 0.1, 0.2, 0.3, 0.4, 0.6, 0.8, 1.0)
TICK_S: Final = 0.1
LOOK_S: Final = 1.0
POLLERS: Final = 3
STREAMS: Final = 2
DOORS_IN_USE: Final = 0.5
FEWEST_BANKS: Final = 8
SETTLE_S: Final = 60.0
WARM_S: Final = LIFE_SECONDS + 3.0
KDF_N: Final = 16_384
HANDED_OVER: Final = re.compile(r'restante_notices_total\{.*outcome="handed-over".*\}')


class Step(msgspec.Struct, frozen=True):
    """One share that was offered: the verdict, waits, cores in use by program, memory, events that readers got."""

    share: float
    seconds: float
    verdict: Verdict
    waits: dict[str, Waits]
    cores: dict[str, float]
    memory_mb: dict[str, float]
    piles: dict[str, float]
    read_per_s: float


class Report(msgspec.Struct, frozen=True):
    """All shares; ``limit`` is what gave way first."""

    kdf_n: int
    banks: int
    steps: tuple[Step, ...]
    sustained: float
    limit: str
    transitions: int
    committed: int
    wrong: tuple[str, ...]
    missed: tuple[str, ...]


class Scene(msgspec.Struct):
    """Everything that runs beside the hub for the whole of a run."""

    network: Running
    banks: Sequence[Bank]
    lives: Lives
    readers: list[Reader]
    began_events: int


def run(shares: Sequence[float], *, seconds: float, kdf_n: int, console: Console) -> Report:
    """Offer the shares one after the other, each for so many seconds, until one is not sustained."""
    with own_server() as (server, folder):

        async def whole() -> Report:
            async with running(server, folder, kdf_n=kdf_n, console=console) as network:
                return await _run(network, shares, seconds=seconds, kdf_n=kdf_n, console=console)

        return uvloop.run(whole())


async def _run(network: Running, shares: Sequence[float], *, seconds: float, kdf_n: int, console: Console) -> Report:
    lives_per_s = max(shares) * PEAK_PER_S / TRANSITIONS
    count = max(FEWEST_BANKS, round(lives_per_s * LIFE_SECONDS / (DOORS_IN_USE * 120)))
    banks = await put_up(network.operator, network.folder, count)
    console.print(f"[dim]{count} banks are enrolled[/dim]")
    lives = Lives(Calls(network.api_url, network.carrier_key), banks)
    reading = Calls(network.api_url, network.operator_key, connections=POLLERS)
    readers = [Reader(reading) for _ in range(POLLERS + STREAMS)]
    scene = Scene(network, banks, lives, readers, _events(network))
    async with asyncio.TaskGroup() as group:
        beside = [group.create_task(bank.run()) for bank in banks]
        beside += [
            group.create_task(one.poll() if number < POLLERS else one.stream()) for number, one in enumerate(readers)
        ]
        await asyncio.gather(*(bank.is_open.wait() for bank in banks))
        steps = list[Step]()
        for share in shares:
            step = await _offer(scene, share, seconds=seconds, console=console)
            steps.append(step)
            if not step.verdict.is_sustained:
                break
        await _settle(scene)
        for one in beside:
            one.cancel()
    return _report(scene, steps, kdf_n=kdf_n)


async def _offer(scene: Scene, share: float, *, seconds: float, console: Console) -> Step:
    """Offer one share: lives that are due begin ten times a second, and are looked at once a second.

    It is judged by what comes after ``WARM_S``, when lives of the share have come to their end.
    """
    lives, rate = scene.lives, share * PEAK_PER_S / TRANSITIONS
    lives.begin_stretch()
    busy, read = scene.network.cpu_seconds(), sum(one.events for one in scene.readers)
    own_s, begun_s = time.process_time(), time.monotonic()
    looking = asyncio.create_task(_look(scene, begun_s))
    begun = 0
    for tick in itertools.count(1):
        now_s = time.monotonic()
        if now_s - begun_s > WARM_S + seconds:
            break
        wanted = due_by(begun_s, rate, now_s)
        lives.begin(range(begun, wanted), begun_s=begun_s, rate=rate)
        begun = wanted
        await asyncio.sleep(max(0.0, begun_s + tick * TICK_S - time.monotonic()))
    looking.cancel()
    with suppress(asyncio.CancelledError):
        await looking
    took_s = time.monotonic() - begun_s
    cores = {name: round((after - busy[name]) / took_s, 2) for name, after in scene.network.cpu_seconds().items()}
    verdict = judge(lives.samples, share * PEAK_PER_S, warm_s=WARM_S)
    console.print(f"[dim]{share:.0%} of the peak: {'sustained' if verdict.is_sustained else verdict.reasons[0]}[/dim]")
    return Step(
        share=share,
        seconds=round(took_s, 1),
        verdict=verdict,
        waits={name: waits(one) for name, one in lives.waits.items()},
        cores=cores | {"load": round((time.process_time() - own_s) / took_s, 2)},
        memory_mb=scene.network.memory_mb(),
        piles=lives.samples[-1].piles if lives.samples else {},
        read_per_s=round((sum(one.events for one in scene.readers) - read) / took_s, 1),
    )


async def _look(scene: Scene, begun_s: float) -> None:
    """Note transitions and piles once a second, until cancelled."""
    while True:
        hub, worker = await scene.network.figures()
        lives = scene.lives
        lives.notices = round(sum(value for name, value in worker.items() if HANDED_OVER.fullmatch(name)))
        piles = {
            "oldest task, s": hub.get("restante_outbox_oldest_seconds", 0.0),
            "latest timer, s": hub.get("restante_timer_lateness_seconds", 0.0),
            "commands queued": hub.get("restante_queue_commands", 0.0),
            "feed reader behind, events": hub.get("restante_feed_behind_events", 0.0),
            "journal entries not acknowledged": float(sum(bank.unacknowledged for bank in scene.banks)),
            "lives begun late, s": lives.lateness_s,
        }
        lives.samples.append(Sample(time.monotonic() - begun_s, lives.transitions, piles))
        await asyncio.sleep(LOOK_S)


async def _settle(scene: Scene) -> None:
    """Let the lives under way come to their end, as far as they do within a minute."""
    with suppress(TimeoutError):
        async with asyncio.timeout(SETTLE_S):
            await scene.lives.ended()


def _events(network: Running) -> int:
    with psycopg.connect(network.server.dsn) as db:
        row = db.execute("SELECT sum(head) FROM lane").fetchone()
        assert row is not None
        return int(row[0])


def _report(scene: Scene, steps: Sequence[Step], *, kdf_n: int) -> Report:
    transitions, committed = scene.lives.answered, _events(scene.network) - scene.began_events
    beside: list[Lives | Bank | Reader] = [scene.lives, *scene.banks, *scene.readers]
    wrong = [word for one in beside for word in one.wrong][:10]
    if committed < transitions:
        wrong.append(f"{transitions:,} transitions were answered, {committed:,} events committed")
    if not scene.lives.answered:
        wrong.append("nothing was answered")
    sustained = highest([step.verdict for step in steps])
    missed = [] if sustained else ["not even the first share was sustained"]
    limit = limit_of(steps[-1])
    return Report(
        kdf_n, len(scene.banks), tuple(steps), sustained, limit, transitions, committed, tuple(wrong), tuple(missed)
    )


def limit_of(step: Step) -> str:
    """What gave way in a share, and who had the processor meanwhile; nothing if it was sustained."""
    if step.verdict.is_sustained:
        return ""
    cores = ", ".join(f"{name} {used:.2f}" for name, used in sorted(step.cores.items(), key=lambda one: -one[1]))
    return f"{step.verdict.reasons[0]}; cores in use: {cores} of {os.cpu_count()}"


def show(report: Report, console: Console) -> None:
    """Print the report for people."""
    table = Table(title=f"Shares of the peak of {PEAK_PER_S:,.0f} transitions a second ({report.banks} banks)")
    for name in ("share", "offered", "accepted", "events read", "cores hub / worker / PostgreSQL / load", "sustained"):
        table.add_column(name, justify="right")
    for step in report.steps:
        one = step.verdict
        cores = " / ".join(f"{step.cores[name]:.2f}" for name in ("hub", "worker", "PostgreSQL", "load"))
        rates = (f"{one.offered:,.0f}", f"{one.accepted:,.0f}", f"{step.read_per_s:,.0f}")
        table.add_row(f"{step.share:.0%}", *rates, cores, "yes" if one.is_sustained else "no")
    console.print(table)
    console.print(_waits_table(report.steps))
    console.print(f"sustained: {report.sustained:,.0f} a second, {report.sustained / PEAK_PER_S:.0%} of the peak")
    console.print(f"limit: {report.limit or 'none met'} (codes cost N = {report.kdf_n:,})")
    console.print(f"transitions answered {report.transitions:,}, events committed {report.committed:,}")


def _waits_table(steps: Sequence[Step]) -> Table:
    table = Table(title="Waits from the instant something was due, p50 / p99 ms")
    table.add_column("what")
    for step in steps:
        table.add_column(f"{step.share:.0%}", justify="right")
    names: Mapping[str, None] = dict.fromkeys(name for step in steps for name in step.waits)
    for name in names:
        table.add_row(name, *(str(step.waits.get(name, "–")) for step in steps))
    return table


def main() -> int:
    """Run from a command line; 0 when sound and at least the first share was sustained."""
    asked = options(__doc__)
    asked.add_argument("--share", type=float, nargs="+", default=list(SHARES), help="shares of the peak, ascending")
    asked.add_argument("--minutes", type=float, default=2.0, help="for how long each share is offered")
    asked.add_argument("--kdf-n", type=int, default=KDF_N, help="cost of one code attempt; 16,384 in production")
    given = asked.parse_args()
    seconds = 60 * given.minutes * given.scale
    report = run(sorted(given.share), seconds=seconds, kdf_n=given.kdf_n, console=Console(stderr=True))
    return tell(report, given, show)


if __name__ == "__main__":
    sys.exit(main())
