"""Hub of one version, a bank and a counter of another: a day of both while callers and readers are at work."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

import msgspec

from restante.core import events as ev
from restante.core.bank import SourceKind
from restante.core.ids import PointId
from restante.edge.moments import NOWHERE
from restante.sim.kill.banks import put_up, roomy_point
from restante.sim.kill.load import Load
from restante.sim.kill.machine import BROKEN_OFF
from restante.sim.kill.network import Network, network
from restante.sim.kill.reckoning import Reckoned, reckon
from restante.sim.kill.story import ACTS, Story
from restante.sim.upgrade.outcome import Played
from restante.sim.upgrade.versions import Version
from restante.store import migrate
from restante.store.postgres import open_ledger

BANKS: Final = 2


class Work(msgspec.Struct):
    """A load, and how far the lanes had come when it was told to end."""

    load: Load
    heads: dict[int, int] = {}


async def play_pair(folder: Path, *, hub: Version, bank: Version, dsn: str = "") -> Played:
    """Enrol, take a manifest, deposit with and without a line, give out, and be adopted, across two versions.

    ``bank`` is the version of the counter as well. At each a sender drops a parcel off, and a courier takes it along.
    """
    fault = ""
    async with network(folder / "network", dsn=dsn, told=hub.told) as running:
        stories = [await put_up(running, folder / kind.value, NOWHERE, kind=kind, drop_offs=1) for kind in SourceKind]
        for story in stories:
            story.machine.told = bank.told
        async with loaded(running, name="pair") as work:
            try:
                await asyncio.gather(*map(_visit, stories))
            except BROKEN_OFF as stuck:
                fault = f"{type(stuck).__name__}: {stuck}"
        found = await accounted(running, work, stories)
        forks = await forks_at(running, stories)
    return told_of(f"hub {hub.name}, bank {bank.name}", found, forks=forks, fault=fault)


async def _visit(story: Story) -> None:
    """Everything that people do at a bank or counter, with the line cut on the way."""
    dropped_off = len(story.parcels) - 1
    by_sender = (story.drop_off(dropped_off), story.whole, story.take_along(dropped_off), story.leave)
    for deed in (*ACTS["visit"](story), *by_sender, story.whole, story.stop):
        await deed()


@asynccontextmanager
async def loaded(running: Network, *, name: str, urls: Sequence[str] = ()) -> AsyncIterator[Work]:
    """Callers and readers at work until left, through whatever becomes of the hubs; then all is answered and read."""
    points = [await roomy_point(running, f"{name}-{side}") for side in ("a", "b")]
    load, over = Load(running, points, name=name, urls=urls), asyncio.Event()
    working = asyncio.create_task(load.run(over))
    work = Work(load)
    try:
        yield work
    finally:
        work.heads = await running.heads()
        over.set()
        await working


async def accounted(running: Network, work: Work, stories: list[Story]) -> Reckoned:
    """The account of a load that is over; banks and hub are stopped for it, the schema is brought to this version."""
    for story in stories:
        await story.machine.close()
    changed = await work.load.ask_again()
    for program in (running.hub, running.worker):
        await program.stop()
    await asyncio.to_thread(migrate.migrate_at, running.dsn)
    return await reckon(running, work.load, stories, heads=work.heads, changed=changed)


async def forks_at(running: Network, stories: Sequence[Story]) -> int:
    """How often the hub took one of the banks for forked."""
    async with open_ledger(running.dsn, writers=1, readers=1) as ledger:
        told = [row.event for story in stories for row in await ledger.history(PointId(story.machine.point))]
    return sum(isinstance(event, ev.ForkFound) for event in told)


def told_of(
    story: str,
    found: Reckoned,
    *,
    forks: int,
    fault: str = "",
    notes: Sequence[str] = (),
    figures: dict[str, float] | None = None,
) -> Played:
    """What a story came to; a fork is none that anybody made here, and so a fault."""
    counted = {
        "commands": found.acknowledged,
        "unanswered": found.sent_again,
        "events": found.events,
        "entries": found.verdict.entries,
        "pulses": found.verdict.pulses,
        "mails": found.mails,
        "forks": forks,
    }
    why = fault or (f"{forks} forks where nobody made one" if forks else "")
    return Played(story, {**counted, **(figures or {})}, tuple(notes), found.verdict, why)
