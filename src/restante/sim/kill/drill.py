"""The drill of a restore: a hub is put back as it was some time ago, and asks its banks again for what it lost.

Played on the real programs: a base backup of the running server (`pg_basebackup`), an hour's work after it in short,
then another server on the backup alone, `restante db restored`, and the hub. Facts come again by themselves; commands
after the backup are gone, and what banks tell of them opens cases. In that hour the hub may have become one of a later
version, and the restore is then the way back to the one before.
"""

import asyncio
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Final

import msgspec

from restante.core import events as ev
from restante.core.facts import ManifestApplied
from restante.core.ids import PointId
from restante.sim.kill.banks import PARCELS, put_up
from restante.sim.kill.judge import Verdict, fact_in, journal_of, judge
from restante.sim.kill.machine import Stuck
from restante.sim.kill.network import Network
from restante.sim.kill.story import Story
from restante.store import embedded, migrate, programs
from restante.store.check import check
from restante.store.postgres import open_ledger

STORIES: Final = 2

Change = Callable[[], Awaitable[None]]


class Drill(msgspec.Struct, frozen=True):
    """What came of a restore: entries the hub had lost at first, forks it saw, its epochs, seconds until all was whole.

    ``restore_seconds`` goes from the hub's stop to the restored database, ``whole_seconds`` to the last entry again.
    """

    seed: int
    lost_at_first: int
    forks: int
    cases: int
    epochs: tuple[int, ...]
    restore_seconds: float
    whole_seconds: float
    verdict: Verdict
    fault: str = ""

    @property
    def is_clean(self) -> bool:
        """Whether nothing was lost or forked, and the backup was really behind."""
        wrong = self.verdict.lost or self.verdict.doubled or self.verdict.wrong or self.fault or self.forks
        return not wrong and self.lost_at_first > 0 and len(self.epochs) == 2


async def play_drill(
    network: Network,
    folder: Path,
    *,
    seed: int,
    parcels: int = PARCELS,
    upgraded: Change | None = None,
    put_back: Change | None = None,
) -> Drill:
    """Back up, go on, restore, and hold what the hub then knows to the books.

    ``upgraded`` is done once the backup is made, ``put_back`` once the data are those of the backup again.
    """
    places = [folder / f"drill-{seed}-{number}" for number in range(STORIES)]
    stories = [await put_up(network, place, "nowhere", parcels=parcels) for place in places]
    fault, lost, restore_s, whole_s = "", 0, 0.0, 0.0
    try:
        for story in stories:
            await _before(story)
        await asyncio.to_thread(back_up, network, folder / "backup")
        await _changed(upgraded)
        for story in stories:
            await _after(story)
        held = [await network.held_of(story.machine.source) for story in stories]
        begun_s = time.monotonic()
        await _restore(network, folder / "backup", put_back)
        restore_s = time.monotonic() - begun_s
        lost = sum(held) - sum([await network.held_of(story.machine.source) for story in stories])
        await network.start_hub()
        await network.start_worker()
        for story in stories:
            await _heard_again(story)
        whole_s = time.monotonic() - begun_s
        for story in stories:
            await story.stop()
    except (Stuck, TimeoutError) as stuck:
        fault = f"{type(stuck).__name__}: {stuck}"
    for story in stories:
        await story.machine.close()
    found = await _account(network, stories)
    return Drill(
        seed=seed,
        lost_at_first=lost,
        forks=found.forks,
        cases=found.cases,
        epochs=found.epochs,
        restore_seconds=round(restore_s, 3),
        whole_seconds=round(whole_s, 3),
        verdict=found.verdict,
        fault=fault,
    )


class Found(msgspec.Struct, frozen=True):
    """What the hub knows after a restore: the verdict, forks and cases at the points, and epochs that banks applied."""

    verdict: Verdict
    forks: int
    cases: int
    epochs: tuple[int, ...]


async def _before(story: Story) -> None:
    """What the backup will hold: a parcel that lies behind a door."""
    await story.start()
    await story.installed()
    await story.deposit(0)()
    await story.leave()
    await story.whole()


async def _after(story: Story) -> None:
    """What the backup will not hold: one parcel after the other is collected and the next one put in."""
    for number in range(1, len(story.parcels)):
        await story.collect(number - 1)()
        await story.deposit(number)()
        await story.leave()
    await story.whole()


async def _heard_again(story: Story) -> None:
    """The bank has sent again what the restored hub does not hold, and is not taken for forked."""
    await story.heard_again()
    await story.whole()
    await story.machine.until(lambda seen: not seen.forked)


def back_up(network: Network, place: Path) -> None:
    """A base backup of the network's own server, while it runs."""
    server = network.server
    assert server is not None, "only a database of one's own is backed up here"
    shutil.rmtree(place, ignore_errors=True)
    tool = programs.binaries().path("pg_basebackup")
    subprocess.run(  # noqa: S603 -- our own program
        [tool, "--pgdata", str(place), "--dbname", server.dsn, "--checkpoint", "fast", "--wal-method", "stream"],
        check=True,
        capture_output=True,
    )


async def _changed(change: Change | None) -> None:
    if change is not None:
        await change()


async def _restore(network: Network, backup: Path, put_back: Change | None) -> None:
    """Stop the hub, put the server's data back as they were, and say so."""
    await network.hub.stop()
    await network.worker.stop()
    server = network.server
    assert server is not None
    await asyncio.to_thread(_put_back, server, backup)
    await _changed(put_back)
    told = {**network.environ, **network.told}
    said = await asyncio.create_subprocess_exec(sys.executable, "-m", "restante", "db", "restored", env=told)
    if await said.wait():
        raise Stuck("restante db restored has failed")


def _put_back(server: embedded.Server, backup: Path) -> None:
    """Run the server on the backup in place of its data, as the account that its data belong to."""
    server.stop()
    data, owner = server.home / "data", server.home.stat()
    shutil.rmtree(data)
    shutil.copytree(backup, data)
    for place in (data, *data.rglob("*")):
        os.chown(place, owner.st_uid, owner.st_gid)
    data.chmod(0o700)
    server.start()


async def _account(network: Network, stories: list[Story]) -> Found:
    await asyncio.to_thread(migrate.migrate_at, network.dsn)
    verdicts = [await judge(story) for story in stories]
    async with open_ledger(network.dsn, writers=1, readers=2) as ledger:
        findings = [f"{one.what} {one.key} {one.detail}" for one in await check(ledger)]
        told = [row.event for story in stories for row in await ledger.history(PointId(story.machine.point))]
        rows = [row for story in stories for row in await journal_of(ledger, story)]
    applied = {fact.hub_epoch for row in rows if isinstance(fact := fact_in(row), ManifestApplied)}
    verdict = Verdict(
        lost=tuple(one for found in verdicts for one in found.lost),
        doubled=tuple(one for found in verdicts for one in found.doubled),
        wrong=(*findings, *(one for found in verdicts for one in found.wrong)),
        entries=sum(found.entries for found in verdicts),
        pulses=sum(found.pulses for found in verdicts),
    )
    forks = sum(isinstance(event, ev.ForkFound) for event in told)
    cases = sum(isinstance(event, ev.PointCaseOpened) for event in told)
    return Found(verdict, forks, cases, tuple(sorted(applied)))
