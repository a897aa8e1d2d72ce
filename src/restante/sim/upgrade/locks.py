"""Migrations on a large database at work: how long each table is locked, and for how long callers had no answer.

Theory of operation. A hub of the version before has callers; its tables are made large with copies that nobody comes
upon; then they are migrated by the later program. Another connection looks at the server's locks all the while. A lock
is taken to be held from the last look that did not see it until the first that does not any more: so what is told is
rather too long than too short.
"""

import asyncio
import sys
import time
from collections.abc import Mapping
from itertools import pairwise
from pathlib import Path
from typing import Final

import msgspec

from restante.sim.kill.load import Load
from restante.sim.kill.machine import BROKEN_OFF, Stuck
from restante.sim.kill.network import Network, network
from restante.sim.kill.patience import PATIENCE_SECONDS
from restante.sim.upgrade.outcome import Played
from restante.sim.upgrade.pairs import accounted, loaded, told_of
from restante.sim.upgrade.versions import Version
from restante.store import statements
from restante.store.tables import Tables, open_tables

ROWS: Final = 200_000
LONGEST_MS: Final = 1_000.0
"""The longest that a table may be locked, however large it is."""
_COPIED: Final = 100
_LARGE: Final = ("parcel", "contact", "request_key")

_UNHURRIED: Final = b"SET statement_timeout = 0"
_SQL: Final = {name: one.text.encode() for name, one in statements.load("restante.sim.upgrade").items()}


class Locked(msgspec.Struct):
    """When which tables were seen locked: from the look before until the look after, on the steady clock."""

    before: frozenset[str]
    since_s: dict[str, float] = {}
    longest_ms: dict[str, float] = {}
    looks: int = 0

    def look(self, locked: frozenset[str], *, last_s: float, now_s: float) -> None:
        """Take in one look; ``last_s`` is when the look before was."""
        self.looks += 1
        for table in self.since_s.keys() - locked:
            held_ms = 1_000 * (now_s - self.since_s.pop(table))
            self.longest_ms[table] = max(held_ms, self.longest_ms.get(table, 0.0))
        for table in locked & self.before:
            self.since_s.setdefault(table, last_s)


async def play_locks(folder: Path, *, before: Version, after: Version, rows: int = ROWS, dsn: str = "") -> Played:
    """Migrate a large database under load, with its locks watched."""
    fault, locked = "", Locked(frozenset())
    figures: dict[str, float] = {}
    async with network(folder / "network", dsn=dsn, told=before.told) as running:
        async with loaded(running, name="locks") as work:
            try:
                await _busy(work.load)
                figures |= await _swell(running, rows)
                seconds, locked = await _migrated(running, after)
                figures["seconds to migrate"] = round(seconds, 3)
                figures["seconds without an answer"] = await _away(work.load, seconds)
            except BROKEN_OFF as stuck:
                fault = f"{type(stuck).__name__}: {stuck}"
            finally:
                await _shrink(running)
        found = await accounted(running, work, [])
    held = {f"ms that {table} was locked": round(ms, 1) for table, ms in sorted(locked.longest_ms.items())}
    long = [name for name, ms in held.items() if ms > LONGEST_MS]
    why = fault or small(figures, rows) or "; ".join(f"{name}: {held[name]}, at most {LONGEST_MS}" for name in long)
    return told_of("migrations on a large database", found, forks=0, fault=why, figures={**figures, **held})


def small(figures: Mapping[str, float], rows: int) -> str:
    """Which tables are not as large as they were to be made, in words; the server's counts are estimates."""
    sizes = {table: figures.get(f"rows of {table}", 0) for table in _LARGE}
    return "; ".join(f"{table} has {size:,.0f} rows of {rows:,}" for table, size in sizes.items() if size < rows / 2)


async def _busy(load: Load) -> None:
    """Wait until there is enough to copy. Fault: ``TimeoutError``."""
    async with asyncio.timeout(PATIENCE_SECONDS):
        while len(load.told) < 2 * _COPIED:
            await load.answer_after(time.monotonic())


async def _swell(running: Network, rows: int) -> dict[str, float]:
    """Make the tables large; how large they are then."""
    async with open_tables(running.dsn, name="proof", size=1) as tables:
        for name in ("swell_parcels", "swell_contacts", "swell_requests"):
            await tables.rows(_UNHURRIED, {})
            await tables.rows(_SQL[name], {"times": rows // _COPIED})
        await tables.rows(_SQL["count"], {})
        found = await tables.rows(_SQL["sizes"], {})
    return {
        name: float(size)
        for table, count, size in found
        for name, size in ((f"rows of {table}", count), (f"bytes of {table}", size))
    }


async def _shrink(running: Network) -> None:
    """Take the copies of parcels out, which the check of the ledger would ask about."""
    async with open_tables(running.dsn, name="proof", size=1) as tables:
        await tables.rows(_UNHURRIED, {})
        await tables.rows(_SQL["shrink_parcels"], {})


async def _migrated(running: Network, after: Version) -> tuple[float, Locked]:
    """Migrate by the later program; for how long it ran, and what it had locked. Faults: `Stuck`."""
    told = {**running.environ, **after.told}
    async with open_tables(running.dsn, name="proof", size=1, read_only=True) as tables:
        locked = Locked(frozenset(str(name) for (name,) in await tables.rows(_SQL["tables"], {})))
        began_s = time.monotonic()
        migrating = await asyncio.create_subprocess_exec(sys.executable, "-m", "restante", "db", "migrate", env=told)
        ended = asyncio.create_task(migrating.wait())
        await _watch(tables, locked, ended)
        if await ended:
            raise Stuck("restante db migrate has failed")
        return time.monotonic() - began_s, locked


async def _watch(tables: Tables, locked: Locked, ended: "asyncio.Task[int]") -> None:
    """Look at the locks again and again until the program has ended, and once more."""
    last_s, is_over = time.monotonic(), False
    while not is_over:
        is_over = ended.done()
        rows = await tables.rows(_SQL["locks"], {})
        now_s = time.monotonic()
        locked.look(frozenset(str(table) for table, granted in rows if granted), last_s=last_s, now_s=now_s)
        last_s = now_s


async def _away(load: Load, seconds: float) -> float:
    """The longest time without an answer in the last so many seconds, once one has come again."""
    now_s = time.monotonic()
    await load.answer_after(now_s)
    moments = [now_s - seconds, *(at_s for at_s in load.answered_s if at_s > now_s - seconds)]
    return round(max(later - one for one, later in pairwise(moments)), 3)
