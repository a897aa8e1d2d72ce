"""Failed attempts to give a notice, kept for as long as the task they belong to lasts, so that every worker knows them.

``Attempts`` is the port; PostgreSQL keeps them for the hub, memory for the simulator.
"""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any, Final, Protocol

import msgspec

from restante.core.ids import Lane
from restante.core.time import Instant
from restante.store import statements
from restante.store.writers import Writers, faults_named

_SQL: Final = {name: one.text.encode() for name, one in statements.load("restante.store", "sql/attempts.sql").items()}


class Errand(msgspec.Struct, frozen=True):
    """What attempts are made for: a task or timer, by a name that is the same each time it is taken up."""

    lane: Lane
    name: str


class Attempt(msgspec.Struct, frozen=True):
    """One failed attempt: on which channel and when; ``code`` is the mail server's reply, 0 when it was out of reach.

    ``for_good``: the recipient was refused for good, or (without a ``code``) the hub itself was. No personal data.
    """

    channel: str
    at: Instant
    code: int = 0
    for_good: bool = False


class Attempts(Protocol):
    """Attempts by errand. Fault everywhere: ``StoreDown``."""

    async def made(self, errand: Errand) -> Sequence[Attempt]:
        """What was tried so far, oldest first."""

    async def add(self, errand: Errand, number: int, attempt: Attempt) -> None:
        """Keep the n-th attempt, counted from 0; one that is kept already stays as it is."""

    async def clear(self, errand: Errand) -> None:
        """Forget what was tried: the errand is done."""


_ATTEMPT: Final = msgspec.json.Decoder(Attempt)
_encode: Final = msgspec.json.Encoder().encode


class StoredAttempts:
    """Attempts in a PostgreSQL database; made by ``open_attempts``."""

    def __init__(self, writers: Writers) -> None:
        self._writers = writers

    async def made(self, errand: Errand) -> Sequence[Attempt]:
        """What was tried so far, oldest first."""
        rows = await self._run("attempts", {"lane": errand.lane, "name": errand.name}, rows=True)
        return [_ATTEMPT.decode(body) for (body,) in rows]

    async def add(self, errand: Errand, number: int, attempt: Attempt) -> None:
        """Keep the n-th attempt; one that is kept already stays as it is."""
        given = {"lane": errand.lane, "name": errand.name, "number": number, "body": _encode(attempt)}
        await self._run("add_attempt", given)

    async def clear(self, errand: Errand) -> None:
        """Forget what was tried."""
        await self._run("clear_attempts", {"lane": errand.lane, "name": errand.name})

    async def _run(self, name: str, given: dict[str, object], *, rows: bool = False) -> list[tuple[Any, ...]]:
        async with self._writers.one() as db:
            with faults_named(db):
                cursor = await db.execute(_SQL[name], given, binary=True)
                return await cursor.fetchall() if rows else []


@asynccontextmanager
async def open_attempts(dsn: str) -> AsyncIterator[StoredAttempts]:
    """Attempts in the migrated database at ``dsn``."""
    writers = Writers(dsn, limit=1)
    try:
        yield StoredAttempts(writers)
    finally:
        await writers.close()
