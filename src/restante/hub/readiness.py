"""Whether a program can work: its database answers and has every migration that the program knows.

Load balancers ask often and anybody may ask, so the database is asked once a second at most, whoever asks.
"""

import asyncio
from collections.abc import Callable
from time import monotonic
from typing import Final

from restante.core.refusals import Fault
from restante.store import migrate, statements
from restante.store.tables import Tables

KEPT_SECONDS: Final = 1.0

_SQL: Final = {name: one.text.encode() for name, one in statements.load("restante.hub", "readiness.sql").items()}


class Readiness:
    """Says whether the program is ready, as of the last second."""

    def __init__(self, tables: Tables, clock: Callable[[], float] = monotonic) -> None:
        self._tables = tables
        self._clock = clock
        self._needed = {(one.number, one.checksum) for one in migrate.load()}
        self._asked_s = -KEPT_SECONDS
        self._is_ready = False
        self._turn = asyncio.Lock()

    async def check(self) -> bool:
        """Whether it is ready. A later migration than the program knows does no harm; an altered one does."""
        async with self._turn:
            if self._clock() - self._asked_s >= KEPT_SECONDS:
                self._is_ready = await self._ask()
                self._asked_s = self._clock()
            return self._is_ready

    async def _ask(self) -> bool:
        try:
            [(exists,)] = await self._tables.rows(_SQL["has_migrations"], {})
            return exists and self._needed <= set(await self._tables.rows(_SQL["migrations"], {}))
        except Fault:
            return False
