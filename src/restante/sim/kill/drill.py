"""The drill of a restore: a hub is put back as it was some time ago, and asks its banks again for what it lost.

Played on the real programs, in the commands that an operator types (`docs/how-to/back-up-and-restore.md`): `restante db
backup` while the hub runs, an hour's work after it in short, `db stop`, the data moved away, `db restore`, `db check`,
and the hub. Facts come again by themselves; commands after that instant are gone, and what banks tell of them opens
cases. With an archive of the log the instant lies in the middle of that hour, else it is the backup's own. In that hour
the hub may have become one of a later version, and the restore is then the way back to the one before.
"""

import asyncio
import sys
import time
from asyncio.subprocess import DEVNULL, PIPE
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import msgspec

from restante.core import events as ev
from restante.core.facts import ManifestApplied
from restante.core.ids import PointId
from restante.sim.kill.banks import PARCELS, put_up
from restante.sim.kill.judge import Verdict, fact_in, journal_of, judge
from restante.sim.kill.machine import BROKEN_OFF, Stuck
from restante.sim.kill.network import Network
from restante.sim.kill.patience import patiently
from restante.sim.kill.story import Story
from restante.store import migrate
from restante.store.check import check
from restante.store.postgres import open_ledger

STORIES: Final = 2

Change = Callable[[], Awaitable[None]]


class Copies(msgspec.Struct, frozen=True):
    """Where an operator keeps a backup, and the archive of the log if there is one."""

    backup: Path
    archive: Path | None = None

    @property
    def told(self) -> Mapping[str, str]:
        """What the commands find in their environment."""
        return {"RESTANTE_DATABASE_ARCHIVE": str(self.archive)} if self.archive else {}


class Drill(msgspec.Struct, frozen=True):
    """What came of a restore: entries the hub had lost at first, forks it saw, its epochs, seconds until all was whole.

    ``restore_seconds`` goes from the hub's stop to the restored and checked database, ``whole_seconds`` to the last
    entry again. ``until`` is the instant asked for, empty for the backup's own.
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
    until: str = ""

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
    archived: bool = False,
    upgraded: Change | None = None,
    put_back: Change | None = None,
) -> Drill:
    """Back up, go on, restore, and hold what the hub then knows to the books.

    ``archived`` is to an instant in between, from the archive of the log; ``upgraded`` is done once the backup is made,
    ``put_back`` once the data are those of the backup again.
    """
    copies = _copies(folder, seed, archived=archived)
    places = [folder / f"drill-{seed}-{number}" for number in range(STORIES)]
    stories = [await put_up(network, place, "nowhere", parcels=parcels) for place in places]
    fault, until, lost, restore_s, whole_s = "", "", 0, 0.0, 0.0
    try:
        for story in stories:
            await _before(story)
        await _archive(network, copies)
        await _typed(network, "backup", str(copies.backup), told=copies.told)
        await _changed(upgraded)
        for story in stories:
            until = datetime.now(UTC).isoformat() if archived else ""
            await _after(story)
        held = [await network.held_of(story.machine.source) for story in stories]
        begun_s = time.monotonic()
        await _restore(network, copies, until=until, put_back=put_back)
        restore_s = time.monotonic() - begun_s
        lost = sum(held) - sum([await network.held_of(story.machine.source) for story in stories])
        await network.start_hub()
        await network.start_worker()
        for story in stories:
            await _heard_again(story)
        whole_s = time.monotonic() - begun_s
        for story in stories:
            await story.stop()
    except BROKEN_OFF as stuck:
        fault = f"{type(stuck).__name__}: {stuck}"
    for story in stories:
        await story.machine.close()
    found = await patiently(lambda: _account(network, stories))
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
        until=until,
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


def _copies(folder: Path, seed: int, *, archived: bool) -> Copies:
    """Where this drill's copies go; the database's account may pass through the folder."""
    folder.mkdir(mode=0o711, parents=True, exist_ok=True)
    return Copies(folder / f"backup-{seed}", folder / f"archive-{seed}" if archived else None)


async def _archive(network: Network, copies: Copies) -> None:
    """Have the log archived from now on, if it is to be: that takes a start of the server, and so of hub and worker."""
    if copies.archive is None:
        return
    await _switched_off(network)
    await _typed(network, "start", told=copies.told)
    await network.start_hub()
    await network.start_worker()


async def _restore(network: Network, copies: Copies, *, until: str, put_back: Change | None) -> None:
    """Stop the hub and its database, put the data of an instant in their place, and check them."""
    await _switched_off(network)
    state = Path(network.environ["RESTANTE_STATE"]) / "database"
    state.rename(state.with_name(f"{state.name}.before-{copies.backup.name}"))
    instant = ["--until", until] if until else []
    await _typed(network, "restore", str(copies.backup), *instant, told=copies.told)
    await _changed(put_back)
    await _typed(network, "check", told={**copies.told, **network.told})
    # Whoever was last to use the server has stopped it; this hub is told an address, and starts none.
    await _typed(network, "start", told=copies.told)


async def _switched_off(network: Network) -> None:
    await network.hub.stop()
    await network.worker.stop()
    await _typed(network, "stop")


async def _changed(change: Change | None) -> None:
    if change is not None:
        await change()


async def _typed(network: Network, *words: str, told: Mapping[str, str] | None = None) -> None:
    """Type a command of `restante db` where the network keeps its state. Fault: `Stuck`, with what the command says."""
    environ = {name: value for name, value in network.environ.items() if name != "DATABASE_URL"}
    command = [sys.executable, "-m", "restante", "db", *words]
    typed = await asyncio.create_subprocess_exec(
        *command, env={**environ, **(told or {})}, stdout=PIPE, stderr=PIPE, stdin=DEVNULL
    )
    _, why = await typed.communicate()
    if typed.returncode:
        raise Stuck(f"restante db {' '.join(words)}: {why.decode(errors='replace').strip()[-400:]}")


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
