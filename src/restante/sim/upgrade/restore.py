"""The way back by a backup: a hub that was upgraded an hour ago becomes again what it was before, and its banks stay.

The drill is that of the kill proof. The banks are of the later version and go on; the hub of the version before, over a
database of its own schema, hears again from them what happened since.
"""

from pathlib import Path
from typing import Final

from restante.sim.kill.drill import play_drill
from restante.sim.kill.network import Network, network
from restante.sim.upgrade.outcome import Played
from restante.sim.upgrade.versions import Version

PARCELS: Final = 5


async def play_restore(folder: Path, *, before: Version, after: Version) -> Played:
    """Back up, upgrade, work, and restore the version before with its schema."""
    async with network(folder / "network", told=before.told) as running:

        async def upgraded() -> None:
            await _become(running, after)

        async def put_back() -> None:
            running.told = dict(before.told)

        drill = await play_drill(
            running, folder, seed=1, parcels=PARCELS, upgraded=upgraded, put_back=put_back
        )  # fmt: skip
    figures = {
        "entries": drill.verdict.entries,
        "entries asked for again": drill.lost_at_first,
        "forks": drill.forks,
        "cases": drill.cases,
        "seconds to the restored database": drill.restore_seconds,
        "seconds until all was whole": drill.whole_seconds,
    }
    why = drill.fault or ("" if drill.is_clean else "the backup was not behind, or a bank forked")
    notes = (f"epochs of the hub that banks applied: {', '.join(map(str, drill.epochs))}",)
    return Played(f"restore {before.name} after an upgrade to {after.name}", figures, notes, drill.verdict, why)


async def _become(running: Network, version: Version) -> None:
    """Hub and worker of another version in place of those there are."""
    await running.worker.stop()
    await running.hub.stop()
    running.told = dict(version.told)
    await running.start_hub()
    await running.start_worker()
