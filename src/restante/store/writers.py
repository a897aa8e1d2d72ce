"""The engine's connections: a small set, each lent to one batch at a time and given back clean or not at all."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from contextlib import asynccontextmanager, contextmanager

import psycopg
from psycopg import AsyncConnection
from psycopg.pq import TransactionStatus

from restante.store import connect, trips
from restante.store.ledger import LaneStalled, RowsMoved, RowsRefused, StoreDown

_STALLED = (
    psycopg.errors.LockNotAvailable,
    psycopg.errors.QueryCanceled,
    psycopg.errors.DeadlockDetected,
    psycopg.errors.SerializationFailure,
)
_MOVED = (psycopg.errors.DivisionByZero, psycopg.errors.UniqueViolation)


class Writers:
    """At most ``limit`` connections to the database at ``dsn``, opened when first needed; each keeps ``statements``.

    ``opened`` is called whenever one has been opened.
    """

    def __init__(
        self,
        dsn: str,
        *,
        limit: int,
        statements: Iterable[trips.Prepared] = (),
        opened: Callable[[], None] = lambda: None,
    ) -> None:
        self._dsn = dsn
        self._statements = tuple(statements)
        self._opened = opened
        self._idle: list[AsyncConnection] = []
        self._free = asyncio.Semaphore(limit)

    @asynccontextmanager
    async def one(self) -> AsyncIterator[AsyncConnection]:
        """A connection in autocommit, outside any transaction. Fault: ``StoreDown``.

        One that is not idle when it comes back (its batch was broken off) is closed, which rolls back at the server.
        """
        async with self._free:
            db = await self._take()
            try:
                yield db
            finally:
                if not db.closed and db.info.transaction_status is TransactionStatus.IDLE:
                    self._idle.append(db)
                else:
                    await db.close()

    async def close(self) -> None:
        """Close those that are not lent."""
        while self._idle:
            await self._idle.pop().close()

    async def _take(self) -> AsyncConnection:
        while self._idle:
            db = self._idle.pop()
            if not db.closed and not connect.has_word(db):
                return db
            await db.close()
        try:
            db = await connect.engine_connection(self._dsn)
        except connect.DatabaseUnreachable as error:
            # The others have most likely met the same end, and would each fail a batch to find out.
            await self.close()
            raise StoreDown from error
        try:
            if self._statements:
                with faults_named(db):
                    await trips.prepare(db, self._statements)
        except BaseException:
            # Nobody holds it yet who could give it back, and whoever waits for it may go away while it prepares.
            await db.close()
            raise
        self._opened()
        return db


@contextmanager
def faults_named(db: AsyncConnection | None = None) -> Iterator[None]:
    """Turn the driver's errors into the ledger's faults; the connection tells a lost server from a refused row."""
    try:
        yield
    except _STALLED as error:
        raise LaneStalled from error
    except _MOVED as error:
        raise RowsMoved from error
    except (psycopg.OperationalError, psycopg.errors.ReadOnlySqlTransaction) as error:
        # A server that only reads is a replica, or has just been promoted.
        raise StoreDown from error
    except psycopg.Error as error:
        if db is not None and db.closed:
            raise StoreDown from error
        # The server's own words may quote the row, and rows are nobody's business: the chain keeps them for debugging.
        raise RowsRefused(f"The database refused what was to be written ({error.sqlstate or 'driver'})") from error
    except UnicodeError as error:
        raise RowsRefused("A text is not Unicode") from error
