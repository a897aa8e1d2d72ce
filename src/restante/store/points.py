"""Which points there are, and the word to every hub on the database that one's manifest is due."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Final

from restante.core.ids import PointId
from restante.store import statements
from restante.store.writers import Writers, faults_named

_SQL: Final = {name: one.text.encode() for name, one in statements.load("restante.store", "sql/points.sql").items()}


class StoredPoints:
    """The points in a PostgreSQL database; made by ``open_points``. Fault everywhere: ``StoreDown``."""

    def __init__(self, writers: Writers) -> None:
        self._writers = writers

    async def every(self) -> Sequence[PointId]:
        """The ids of all points at which something stands."""
        async with self._writers.one() as db:
            with faults_named(db):
                cursor = await db.execute(_SQL["every"], {}, binary=True)
                return [PointId(point) for (point,) in await cursor.fetchall()]

    async def signal(self, point: PointId) -> None:
        """Tell whoever listens to the ledger's signals that the manifest of this point's source is due."""
        async with self._writers.one() as db:
            with faults_named(db):
                await db.execute(_SQL["signal"], {"point": point})


@asynccontextmanager
async def open_points(dsn: str) -> AsyncIterator[StoredPoints]:
    """The points in the migrated database at ``dsn``."""
    writers = Writers(dsn, limit=1)
    try:
        yield StoredPoints(writers)
    finally:
        await writers.close()
