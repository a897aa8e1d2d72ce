"""Connections: the settings the engine's batches and the readers rely on, seen from the server."""

from collections.abc import Mapping

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from psycopg_pool import PoolTimeout

from restante.store import connect
from restante.store.connect import (
    ENGINE,
    READS,
    DatabaseTooOld,
    DatabaseUnreachable,
    conninfo,
    engine_connection,
    probe,
    reads_pool,
)
from restante.store.ledger import StoreDown
from restante.store.tables import open_tables
from restante.store.writers import faults_named


async def shown(db: psycopg.AsyncConnection, *names: str) -> list[str]:
    """What the server says of these settings."""
    rows = [await (await db.execute("SELECT current_setting(%s)", [name])).fetchone() for name in names]
    return [row[0] for row in rows if row is not None]


async def test_the_engine_has_its_limits_and_plans(empty_database: str) -> None:
    """Given an engine connection, when the server is asked, then every limit and planner setting is in force."""
    async with await engine_connection(empty_database) as db:
        assert await shown(db, *connect.ENGINE) == ["5s", "2s", "5s", "UTC", "force_generic_plan", "off", "off", "off"]
        assert await shown(db, "application_name") == ["restante engine"]


async def test_the_engine_writes_its_own_transaction_in_a_pipeline(empty_database: str) -> None:
    """Given an engine connection, when a batch runs in a pipeline, then it is kept and prepared once."""
    async with await engine_connection(empty_database) as db:
        await db.execute("CREATE TABLE kept (id int)")
        async with db.pipeline():
            await db.execute("BEGIN")
            for number in range(3):
                await db.execute("INSERT INTO kept VALUES (%s)", [number])
            await db.execute("COMMIT")
        names = await db.execute("SELECT count(*) FROM pg_prepared_statements WHERE statement LIKE 'INSERT%%'")
        assert await names.fetchone() == (1,)
    async with await engine_connection(empty_database) as other:
        assert await (await other.execute("SELECT count(*) FROM kept")).fetchone() == (3,)


async def test_a_lock_held_by_another_is_not_awaited_for_ever(empty_database: str) -> None:
    """Given a row another connection has locked, when the engine wants it, then the server gives up by itself."""
    dsn = make_conninfo(empty_database, options="-c lock_timeout=20ms")
    async with await engine_connection(empty_database) as holder, await engine_connection(dsn) as waiter:
        await holder.execute("CREATE TABLE lane (lane int)")
        await holder.execute("INSERT INTO lane VALUES (1)")
        await holder.execute("BEGIN")
        await holder.execute("SELECT * FROM lane FOR NO KEY UPDATE")
        with pytest.raises(psycopg.errors.LockNotAvailable):
            await waiter.execute("SELECT * FROM lane FOR NO KEY UPDATE")


async def test_readers_cannot_write(empty_database: str) -> None:
    """Given a pool for reads, when it writes, then the server refuses, and reads go on."""
    async with reads_pool(empty_database, size=2) as pool, pool.connection() as db:
        with pytest.raises(psycopg.errors.ReadOnlySqlTransaction):
            await db.execute("CREATE TABLE never (id int)")
        assert await shown(db, "statement_timeout", "application_name") == ["5s", "restante reads"]


async def test_a_pool_survives_the_loss_of_its_connections(empty_database: str) -> None:
    """Given a pool whose connection the server has cut, when used again, then a new one serves."""
    async with reads_pool(empty_database, size=1) as pool:
        async with pool.connection() as db:
            pid = db.info.backend_pid
        async with await engine_connection(empty_database) as other:
            await other.execute("SELECT pg_terminate_backend(%s, 5000)", [pid])
        async with pool.connection() as db:
            assert db.info.backend_pid != pid


async def test_lending_a_connection_costs_no_trip(empty_database: str) -> None:
    """Given a pool, when its one connection is lent again, then the last the server heard is what the reader said."""
    async with reads_pool(empty_database, size=1) as pool:
        async with pool.connection() as db:
            pid = db.info.backend_pid
            await db.execute("SELECT 'said by the reader'")
        async with pool.connection(), await engine_connection(empty_database) as other:
            heard = await other.execute("SELECT query FROM pg_stat_activity WHERE pid = %s", [pid])
            assert await heard.fetchone() == ("SELECT 'said by the reader'",)


async def test_a_full_pool_lets_a_caller_go(empty_database: str) -> None:
    """Given a pool with every connection taken, when one more is asked for, then the caller is let go in time."""
    async with reads_pool(empty_database, size=1) as pool, pool.connection():
        with pytest.raises(PoolTimeout):
            await pool.getconn(timeout=0.05)


async def test_a_database_that_is_down_is_named_without_its_password() -> None:
    """Given an address nobody listens on, when connected, then the fault names the place and not the password."""
    with pytest.raises(DatabaseUnreachable, match=r"127\.0\.0\.1, database hub") as caught:
        await engine_connection("postgresql://u:secret@127.0.0.1:1/hub")
    assert "secret" not in str(caught.value)
    assert caught.value.retryable


def test_what_the_address_says_wins() -> None:
    """Given an address with its own options and name, when settings are added, then the address has the last word."""
    given = "postgresql://h/d?application_name=mine&options=-c%20lock_timeout%3D9s"
    merged = conninfo_to_dict(conninfo(given, name="ours", settings={"lock_timeout": "2s"}))
    assert (merged["application_name"], merged["options"]) == ("mine", "-c lock_timeout=2s -c lock_timeout=9s")


SEVERAL = "postgresql://a,b/d"


@pytest.mark.parametrize(
    ("address", "settings", "expected"),
    [
        (SEVERAL, ENGINE, "read-write"),
        (SEVERAL, READS, "primary"),
        (f"{SEVERAL}?target_session_attrs=read-write", READS, "primary"),
        (f"{SEVERAL}?target_session_attrs=any", READS, "any"),
        ("postgresql://a/d", ENGINE, None),
    ],
)
def test_of_several_hosts_the_one_that_leads_is_taken(
    address: str, settings: Mapping[str, str], expected: str | None
) -> None:
    """Given several hosts, when connected, then to the one that takes writes; also by those who only read."""
    merged = conninfo_to_dict(conninfo(address, name="ours", settings=settings))
    assert merged.get("target_session_attrs") == expected


async def test_a_server_that_only_reads_is_no_mistake_of_the_rows(empty_database: str) -> None:
    """Given a server that takes no writes just now, when the engine writes, then it is down, to be tried again."""
    async with await engine_connection(empty_database) as db:
        await db.execute("SET default_transaction_read_only = on")
        with pytest.raises(StoreDown), faults_named(db):
            await db.execute("CREATE TABLE kept (id int)")


def test_an_old_server_is_refused(empty_database: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Given a server older than the floor, when probed, then the fault names both versions; a new one passes."""
    probe(empty_database)
    monkeypatch.setattr(connect, "FLOOR", 99)
    with pytest.raises(DatabaseTooOld, match=r"PostgreSQL 1\d; the hub needs 99"):
        probe(empty_database)


async def test_tables_are_not_read_over_connections_that_the_server_ended(empty_database: str) -> None:
    """Given several idle connections that broke with the server's restart, when one is wanted, then a fresh one is."""
    async with open_tables(empty_database, name="several", size=4) as tables:
        async with tables.transaction() as one, tables.transaction() as two, tables.transaction() as three:
            old = {pid for run in (one, two, three) for (pid,) in await run(b"SELECT pg_backend_pid()", {})}
        assert len(old) == 3
        with psycopg.connect(empty_database, autocommit=True) as db:
            for pid in old:
                db.execute("SELECT pg_terminate_backend(%s, 5000)", [pid])
        async with tables.transaction() as run:
            ((pid,),) = await run(b"SELECT pg_backend_pid()", {})
        assert pid not in old
