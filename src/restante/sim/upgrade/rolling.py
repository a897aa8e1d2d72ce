"""An upgrade as operators make it: one program after the other, under load, with both versions on one database.

Theory of operation. Two hubs, a worker and two banks of the version before are at work. In each step something is
exchanged, and after it every bank takes a parcel in and gives out the one of the step before: so each parcel is taken
in under one state of the installation and given out under the next. Callers and readers go on the whole time, through
the restarts. At last the way back is tried with a hub: it serves on the later schema, or says that it does not.
"""

import asyncio
import re
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from itertools import pairwise
from pathlib import Path
from typing import Final

import msgspec

from restante.edge.moments import NOWHERE
from restante.sim.kill.banks import put_up
from restante.sim.kill.machine import BROKEN_OFF, Stuck
from restante.sim.kill.network import Network, Program, ProgramFailed, network, second_hub
from restante.sim.kill.story import Story
from restante.sim.upgrade.outcome import Played
from restante.sim.upgrade.pairs import BANKS, Work, accounted, forks_at, loaded, told_of
from restante.sim.upgrade.versions import Version

REFUSED: Final = re.compile(r"The database has migration \d{4}_\w+, which this program does not know: [^\n\"(]+\w")
"""How a program says that it does not run on the schema of a later version."""


class Town(msgspec.Struct):
    """What is upgraded, to which version, and the worker of that version, which starts on the way.

    ``away_s`` is the longest time without an answer around each step.
    """

    running: Network
    stories: list[Story]
    before: Version
    after: Version
    fresh_worker: Program
    parcel: int = 0
    away_s: dict[str, float] = {}
    notes: list[str] = []


Step = Callable[[Town], Awaitable[None]]


async def play_rolling(folder: Path, *, before: Version, after: Version, last: Step, dsn: str = "") -> Played:
    """Upgrade from ``before`` to ``after`` in steps; ``last`` is the way back, `go_back` or `be_refused`."""
    fault = ""
    async with _town(folder, before=before, after=after, dsn=dsn) as (town, urls):
        async with loaded(town.running, name="rolling", urls=urls) as work:
            try:
                for name, step in {**STEPS, "the way back": last}.items():
                    await _made(town, work, name=name, step=step)
            except BROKEN_OFF as stuck:
                fault = f"{type(stuck).__name__}: {stuck}"
        found = await accounted(town.running, work, town.stories)
        forks = await forks_at(town.running, town.stories)
    away = {f"seconds without an answer, {name}": seconds for name, seconds in town.away_s.items()}
    title = f"upgrade from {before.name} to {after.name}"
    return told_of(title, found, forks=forks, fault=fault, notes=town.notes, figures=away)


@asynccontextmanager
async def _town(
    folder: Path, *, before: Version, after: Version, dsn: str
) -> AsyncIterator[tuple[Town, tuple[str, str]]]:
    """Everything of the version before, and where its two hubs are."""
    async with network(folder / "network", dsn=dsn, told=before.told) as running, second_hub(running) as url:
        worker = Program("worker", ["worker", "--json"], environ=running.environ, log=folder / "network/worker-2.log")
        parcels = len(STEPS) + 1
        stories = [
            await put_up(running, folder / f"bank-{number}", NOWHERE, parcels=parcels) for number in range(BANKS)
        ]
        for story in stories:
            story.machine.told = before.told
        town = Town(running, stories, before, after, worker)
        try:
            yield town, (running.api_url, url)
        finally:
            await town.fresh_worker.stop()


async def _made(town: Town, work: Work, *, name: str, step: Step) -> None:
    """Take one step, and work with what there is then."""
    began_s = time.monotonic()
    await step(town)
    await work.load.answer_after(time.monotonic())
    moments = [began_s, *(at_s for at_s in work.load.answered_s if at_s > began_s)]
    town.away_s[name] = round(max(later - one for one, later in pairwise(moments)), 3)
    await asyncio.gather(*(_day(story, town.parcel) for story in town.stories))
    town.parcel += 1


async def _day(story: Story, number: int) -> None:
    """A parcel goes in without a line, the one from before comes out with one."""
    await story.cut()
    await story.deposit(number)()
    await story.leave()
    await story.heal()
    await story.whole()
    if number:
        await story.collect(number - 1)()
    await story.whole()


# --- steps


async def _begin(town: Town) -> None:
    """Everything of the version before."""
    for story in town.stories:
        await story.start()
        await story.installed()


async def _migrate(town: Town) -> None:
    """The schema goes forward while hubs and worker of the version before serve."""
    told = {**town.running.environ, **town.after.told}
    migrating = await asyncio.create_subprocess_exec(sys.executable, "-m", "restante", "db", "migrate", env=told)
    if await migrating.wait():
        raise Stuck("restante db migrate has failed")


async def _beside(town: Town) -> None:
    """One of the hubs is exchanged, and a new worker comes to the old one."""
    second = town.running.second
    assert second is not None, "there are two hubs here"
    await second.stop()
    await second.start(town.after.told)
    await second.ready()
    await town.fresh_worker.start(town.after.told)
    await town.fresh_worker.ready()


async def _exchange(town: Town) -> None:
    """The other hub and the old worker go."""
    running = town.running
    await running.worker.stop()
    await running.hub.stop()
    running.told = dict(town.after.told)
    await running.start_hub()


async def _exchange_banks(town: Town) -> None:
    """The banks, one after the other."""
    for story in town.stories:
        await story.stop()
        story.machine.told = town.after.told
        await story.start()
        await story.installed()


STEPS: Final[Mapping[str, Step]] = {
    "all of the version before": _begin,
    "the schema": _migrate,
    "one hub, a worker beside": _beside,
    "the other hub, the other worker": _exchange,
    "the banks": _exchange_banks,
}
"""What is exchanged, in this order; after each step the whole works."""


async def go_back(town: Town) -> None:
    """A hub of the version before serves again, on the schema of the later one."""
    await town.running.hub.stop()
    town.running.told = dict(town.before.told)
    await town.running.start_hub()
    town.notes.append(f"a hub of {town.before.name} serves on the schema of {town.after.name}")


async def be_refused(town: Town) -> None:
    """A hub of the version before says why it does not start; then the later one goes on. Faults: `Stuck`."""
    hub = town.running.hub
    await hub.stop()
    already = hub.log.stat().st_size
    await hub.start(town.before.told)
    try:
        await hub.ready()
    except ProgramFailed:
        await hub.ended()
    else:
        raise Stuck(f"a hub of {town.before.name} started on a schema that it does not know")
    said = REFUSED.search(hub.log.read_bytes()[already:].decode(errors="replace"))
    if said is None:
        raise Stuck(f"a hub of {town.before.name} did not say why it does not start: {hub.log}")
    town.notes.append(f"a hub of {town.before.name} is refused: {said[0]}")
    await town.running.start_hub()
