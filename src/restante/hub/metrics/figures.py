"""Figures that only the database knows, collected every so often and kept for whoever asks meanwhile."""

import asyncio
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

import msgspec
import structlog

from restante.core.ids import Lane
from restante.core.refusals import Fault
from restante.core.time import Instant
from restante.store import statements
from restante.store.ledger import Ledger
from restante.store.tables import Tables

EVERY_SECONDS: Final = 30.0
MOST: Final = 1_000
"""So many rows of a queue are looked at in each lane: a figure that has reached it means at least that many."""

AGES: Final[Mapping[str, float]] = {"0s": 0, "1m": 60, "10m": 600, "1h": 3_600, "1d": 86_400, "7d": 604_800}
"""Ages that are counted together: from this many seconds up to the next."""

_log = structlog.get_logger(__name__)
_SQL: Final = {name: one.text.encode() for name, one in statements.load("restante.hub.metrics").items()}


class Waiting(msgspec.Struct, frozen=True):
    """What waits of one kind: how much, and for how many seconds the oldest has."""

    count: int
    oldest_seconds: float


class Figures(msgspec.Struct, frozen=True):
    """What one round found; ``at`` is real time in seconds since 1970."""

    at: float
    heads: Mapping[Lane, int]
    outbox: Mapping[str, Waiting]
    timers: Mapping[str, Waiting]
    sources: Mapping[str, int]
    cases: Mapping[tuple[str, str], int]


def by_age(seconds: Iterable[float]) -> dict[str, int]:
    """How many of these are of each age."""
    found = dict.fromkeys(AGES, 0)
    for one in seconds:
        found[max((name for name, least in AGES.items() if least <= one), key=AGES.__getitem__, default="0s")] += 1
    return found


class Collector:
    """Collects figures by single statements over one connection; ``figures`` is None when they could not be had.

    Ages are told in real seconds: the clock ``now`` runs ``pace`` times faster.
    """

    def __init__(
        self,
        ledger: Ledger,
        tables: Tables,
        *,
        now: Callable[[], Instant],
        real: Callable[[], float],
        pace: float = 1.0,
    ) -> None:
        self._ledger = ledger
        self._tables = tables
        self._now = now
        self._real = real
        self._pace = pace
        self.figures: Figures | None = None

    async def keep_collecting(self) -> None:
        """``gather`` every so often, for ever."""
        while True:
            await self.collect()
            await asyncio.sleep(EVERY_SECONDS)

    async def collect(self) -> None:
        """Collect once; old figures are not shown for new ones when that fails."""
        try:
            self.figures = await self._figures(self._now())
        except Fault as fault:
            self.figures = None
            _log.warning("figures-missing", fault=type(fault).__name__)

    async def _figures(self, now: Instant) -> Figures:
        asked: dict[str, Any] = {
            "now": now,
            "most": MOST,
            "bounds": [least * self._pace for least in AGES.values()][1:],
        }
        ages = tuple(AGES)
        return Figures(
            at=self._real(),
            heads=await self._ledger.lane_heads(),
            outbox=self._waiting(await self._tables.rows(_SQL["outbox"], asked), now),
            timers=self._waiting(await self._tables.rows(_SQL["timers"], asked), now),
            sources=dict.fromkeys(ages, 0)
            | {ages[step]: count for step, count in await self._tables.rows(_SQL["sources"], asked)},
            cases={(kind, ages[step]): count for kind, step, count in await self._tables.rows(_SQL["cases"], asked)},
        )

    def _waiting(self, rows: Iterable[tuple[str | None, int, Instant | None]], now: Instant) -> dict[str, Waiting]:
        return {
            kind or "other": Waiting(int(count), max(0.0, (now - (oldest or now)).total_seconds()) / self._pace)
            for kind, count, oldest in rows
        }
