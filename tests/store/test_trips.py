"""Trips: statements queued and written at once, against a real server."""

from collections.abc import AsyncIterator

import psycopg
import pytest
from psycopg import AsyncConnection
from psycopg.pq import TransactionStatus

from restante.store import trips
from restante.store.connect import engine_connection
from restante.store.statements import parse

pytestmark = pytest.mark.postgres

_SQL = trips.prepared(
    parse(
        """
        -- name: twice
        -- A text, its length, and the text again: the same parameter in two places.
        SELECT %(text)s::text, length(%(text)s::text) %% 1000000, %(number)s::bigint, %(bytes)s::bytea;

        -- name: divided
        -- One divided by a number.
        SELECT 1 / %(number)s::int;
        """,
        source="the test",
    )
)


@pytest.fixture
async def db(empty_database: str) -> AsyncIterator[AsyncConnection]:
    """A connection that keeps the statements."""
    async with await engine_connection(empty_database) as db:
        await trips.prepare(db, _SQL.values())
        yield db


def _twice(text: str, number: int | None = 7, heap: bytes = b"\0\xff") -> tuple[trips.Prepared, trips.Given]:
    return _SQL["twice"], {"bytes": heap, "text": text, "number": number}


async def test_a_trip_answers_each_statement_in_order(db: AsyncConnection) -> None:
    """Given several statements, when they go in one trip, then each has its rows, and nothing is left open."""
    begun, one, two, done = await trips.trip(
        db, [(trips.BEGIN, {}), _twice("żółć"), _twice("", None), (trips.COMMIT, {})]
    )
    assert (begun, done) == ([], [])
    assert one == [("żółć", 4, 7, b"\0\xff")]
    assert two == [("", 0, None, b"\0\xff")]
    assert db.info.transaction_status is TransactionStatus.IDLE


async def test_more_than_any_buffer_holds_goes_both_ways(db: AsyncConnection) -> None:
    """Given megabytes to send and as many to read, when they go in one trip, then neither end waits for the other."""
    text = "p" * 3_000_000
    assert await trips.trip(db, [_twice(text)] * 4) == [[(text, 3_000_000 % 1_000_000, 7, b"\0\xff")]] * 4


async def test_the_first_error_is_raised_and_nothing_after_it_runs(db: AsyncConnection) -> None:
    """Given an error in the middle of a transaction, when it is rolled back, then the connection works as before."""
    asked = [(trips.BEGIN, {}), (_SQL["divided"], {"number": 0}), _twice("never"), (trips.COMMIT, {})]
    with pytest.raises(psycopg.errors.DivisionByZero):
        await trips.trip(db, asked)
    assert db.info.transaction_status is TransactionStatus.INERROR
    await db.rollback()
    assert await trips.trip(db, [(_SQL["divided"], {"number": 1})]) == [[(1,)]]


@pytest.mark.parametrize("text", ["a\0b", "\ud800"])
async def test_what_no_text_may_hold_is_refused_before_anything_is_sent(db: AsyncConnection, text: str) -> None:
    """Given a text with a zero or half a character, when it is to be sent, then it fails and nothing was queued."""
    with pytest.raises((psycopg.DataError, UnicodeError)):
        await trips.trip(db, [_twice("fine"), _twice(text)])
    assert len(await trips.trip(db, [_twice("fine")])) == 1


async def test_a_server_that_ends_the_connection_is_an_operational_error(
    db: AsyncConnection, empty_database: str
) -> None:
    """Given a connection that the server has ended, when a trip is made, then it fails and does not wait for ever."""
    with psycopg.connect(empty_database, autocommit=True) as other:
        other.execute("SELECT pg_terminate_backend(%s, 5000)", [db.info.backend_pid])
    with pytest.raises(psycopg.OperationalError):
        await trips.trip(db, [_twice("fine")])
