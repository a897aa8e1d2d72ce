"""Tables beside the ledger, read and written by single statements: partners, names, places.

Each statement here may be run twice, which is how a connection that broke as it was lent is got over.
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any

import psycopg
from psycopg import AsyncConnection
from psycopg_pool import AsyncConnectionPool, PoolTimeout

from restante.store import arrays, connect
from restante.store.ledger import StoreDown

Rows = list[tuple[Any, ...]]
Asked = tuple[bytes, Mapping[str, Any]]
"""A statement and its parameters."""

Run = Callable[[bytes, Mapping[str, Any]], Awaitable[Rows]]


class Tables:
    """Connections to tables beside the ledger. Fault of every method: ``StoreDown``."""

    def __init__(self, pool: AsyncConnectionPool[AsyncConnection]) -> None:
        self._pool = pool

    async def rows(self, text: bytes, given: Mapping[str, Any]) -> Rows:
        """What a statement returns; none for one that returns nothing."""
        return await self.trip([(text, given)])

    async def trip(self, asked: Sequence[Asked]) -> Rows:
        """What the last of some statements returns, run in one trip and one transaction."""
        try:
            return await self._run(asked)
        except psycopg.OperationalError:
            pass
        except PoolTimeout as error:
            raise StoreDown from error
        try:
            return await self._run(asked)
        except (psycopg.OperationalError, PoolTimeout) as error:
            raise StoreDown from error

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Run]:
        """Run several statements in one transaction, which an exception rolls back."""
        try:
            async with self._pool.connection() as db, db.transaction():

                async def run(text: bytes, given: Mapping[str, Any]) -> Rows:
                    return await _fetched(await db.execute(text, given))

                yield run
        except (psycopg.OperationalError, PoolTimeout) as error:
            raise StoreDown from error

    async def _run(self, asked: Sequence[Asked]) -> Rows:
        async with self._pool.connection() as db:
            if len(asked) == 1:
                return await _fetched(await db.execute(*asked[0]))
            async with db.pipeline():
                cursors = [await db.execute(text, given) for text, given in asked]
            return await _fetched(cursors[-1])


async def _fetched(cursor: psycopg.AsyncCursor[tuple[Any, ...]]) -> Rows:
    return await cursor.fetchall() if cursor.description else []


async def _taught(db: AsyncConnection) -> None:
    arrays.register(db)


@asynccontextmanager
async def open_tables(dsn: str, *, name: str, size: int = 4, read_only: bool = False) -> AsyncIterator[Tables]:
    """Tables of the migrated database at ``dsn``. Fault: ``StoreDown`` when the first connection cannot be made."""
    settings = dict(connect.READS)
    if not read_only:
        del settings["default_transaction_read_only"]
    pool = connect.pool(
        dsn,
        name=name,
        settings=settings,
        size=size,
        kwargs={"autocommit": True, "prepare_threshold": 0},
        configure=_taught,
    )
    try:
        await pool.open(wait=True, timeout=connect.CONNECT_S)
    except (psycopg.OperationalError, PoolTimeout) as error:
        await pool.close()
        raise StoreDown from error
    async with pool:
        yield Tables(pool)
