"""Trips to the server: prepared statements queued, written at once, and all their answers awaited together.

The driver's own pipeline writes after each statement, so that the server wakes and answers for each one alone; for a
batch of a few commands that would be most of the work. Statements are prepared when a connection opens, by name.
"""

import asyncio
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

import msgspec
import psycopg
from psycopg import AsyncConnection
from psycopg.adapt import Transformer
from psycopg.errors import error_from_result
from psycopg.pq import ConnStatus, ExecStatus, Format
from psycopg.pq.abc import PGconn, PGresult

from restante.core.time import Instant
from restante.store.statements import Statement

Rows = list[tuple[Any, ...]]
Given = Mapping[str, str | int | bytes | Instant | None]
Call = tuple[bytes, list[bytes | None], list[Format]]
"""A prepared statement's name, the values for it as the server takes them, and the form each is in."""

_PARAMETER: Final = re.compile(r"%\(([a-z][a-z0-9_]*)\)s|%%")
_FAILED: Final = frozenset({ExecStatus.FATAL_ERROR, ExecStatus.PIPELINE_ABORTED})


class Prepared(msgspec.Struct, frozen=True):
    """A statement as a connection keeps it: its name there, its text, and its parameters in their order."""

    name: bytes
    text: bytes
    parameters: tuple[str, ...] = ()


BEGIN: Final = Prepared(b"begin", b"BEGIN")
COMMIT: Final = Prepared(b"commit", b"COMMIT")


def prepared(statements: Mapping[str, Statement]) -> dict[str, Prepared]:
    """Statements with the server's own marks in place of named parameters."""
    return {name: _numbered(statement) for name, statement in statements.items()}


def _numbered(statement: Statement) -> Prepared:
    numbers: dict[str, int] = {}

    def mark(found: re.Match[str]) -> str:
        return f"${numbers.setdefault(found[1], len(numbers) + 1)}" if found[1] else "%"

    text = _PARAMETER.sub(mark, statement.text)
    return Prepared(statement.name.encode(), text.encode(), tuple(numbers))


async def prepare(db: AsyncConnection, statements: Iterable[Prepared]) -> None:
    """Have the server parse statements and keep them for as long as the connection lives."""
    pgconn = db.pgconn
    pgconn.enter_pipeline_mode()
    for statement in (BEGIN, COMMIT, *statements):
        pgconn.send_prepare(statement.name, statement.text)
    await _ended(pgconn)
    # What the driver prepares by itself it also forgets by itself, and then the server is told to forget everything.
    db.prepare_threshold = None


async def trip(db: AsyncConnection, asked: Iterable[tuple[Prepared, Given]]) -> list[Rows]:
    """The rows that each of some prepared statements returns.

    Raises the first one's error, like the driver; none of those after it was run. A connection that is left while the
    answers are on their way is not idle, and must be closed.
    """
    return [_rows(db, result) for result in await send(db, calls(asked))]


def calls(asked: Iterable[tuple[Prepared, Given]]) -> list[Call]:
    """Statements and what they are given, as they go to the server."""
    return [(statement.name, *_values(statement, given)) for statement, given in asked]


async def send(db: AsyncConnection, queue: Iterable[Call]) -> Sequence[PGresult]:
    """Make a trip of calls that stand ready; see ``trip``."""
    pgconn = db.pgconn
    pgconn.enter_pipeline_mode()
    for name, values, formats in queue:
        pgconn.send_query_prepared(name, values, formats, Format.BINARY)
    return await _ended(pgconn)


def _values(statement: Prepared, given: Given) -> tuple[list[bytes | None], list[Format]]:
    values, formats = list[bytes | None](), list[Format]()
    for value in map(given.__getitem__, statement.parameters):
        if value is None or isinstance(value, bytes):
            values.append(value)
            formats.append(Format.BINARY)
        else:
            values.append(_text(str(value)))
            formats.append(Format.TEXT)
    return values, formats


def _text(value: str) -> bytes:
    if "\0" in value:
        raise psycopg.DataError("PostgreSQL has no text with a zero in it")
    return value.encode()


def _rows(db: AsyncConnection, result: PGresult) -> Rows:
    if not result.ntuples:
        return []
    reader = Transformer(db)
    reader.set_pgresult(result)
    return reader.load_rows(0, result.ntuples, tuple)


async def _ended(pgconn: PGconn) -> Sequence[PGresult]:
    """Write what is queued, wait for all answers, and leave the pipeline; raises the first error."""
    pgconn.pipeline_sync()
    results = await _answers(pgconn)
    pgconn.exit_pipeline_mode()
    for result in results:
        if result.status in _FAILED:
            raise error_from_result(result)
    return results


async def _answers(pgconn: PGconn) -> list[PGresult]:
    results = list[PGresult]()
    # Reading goes on while writing does, so that neither end waits for the other to read first.
    writing = bool(pgconn.flush())
    while True:
        await _ready(pgconn.socket, writing=writing)
        pgconn.consume_input()
        writing = writing and bool(pgconn.flush())
        if _is_end(pgconn, results):
            return results


def _is_end(pgconn: PGconn, results: list[PGresult]) -> bool:
    """Take what has come; True when it was the last. None stands behind each statement's result, and for no result."""
    taken: PGresult | None = None
    while not pgconn.is_busy():
        before, taken = taken, pgconn.get_result()
        if taken is not None:
            if taken.status == ExecStatus.PIPELINE_SYNC:
                return True
            results.append(taken)
        elif pgconn.status != ConnStatus.OK:
            raise psycopg.OperationalError("The connection was lost")
        elif before is None:
            break
    return False


async def _ready(socket: int, *, writing: bool) -> None:
    loop = asyncio.get_running_loop()
    ready = loop.create_future()
    loop.add_reader(socket, _tell, ready)
    if writing:
        loop.add_writer(socket, _tell, ready)
    try:
        await ready
    finally:
        loop.remove_reader(socket)
        if writing:
            loop.remove_writer(socket)


def _tell(ready: asyncio.Future[None]) -> None:
    if not ready.done():
        ready.set_result(None)
