"""Figures of the database: right, and had without reading large tables."""

import re
from datetime import timedelta
from pathlib import Path

import psycopg
import pytest

from restante.hub.metrics.figures import AGES, Collector, Figures, Waiting
from restante.hub.readiness import Readiness
from restante.store.connect import ENGINE
from restante.store.statements import load
from restante.store.tables import open_tables
from tests.fixtures.statements import numbered, prepare_all
from tests.hub.api import START, Api, an_api

pytestmark = pytest.mark.postgres

SMALL = {"lane", "source_session", "schema_migration"}
"""Tables that are read whole: a row per lane, per bank, per migration."""


@pytest.mark.parametrize(
    ("package", "file"), [("restante.hub.metrics", "queries.sql"), ("restante.hub", "readiness.sql")]
)
def test_every_statement_fits_the_schema(database: str, package: str, file: str) -> None:
    """Given the packaged schema, when each statement is prepared, then the server knows every name and type."""
    with psycopg.connect(database, autocommit=True) as db:
        prepare_all(db, load(package, file))


def test_no_large_table_is_read_whole(database: str) -> None:
    """Given statements over queues, when planned, then each is read from the start of an index and no further."""
    with psycopg.connect(database, autocommit=True) as db:
        for name, value in ENGINE.items():
            db.execute(f"SET {name} = '{value}'".encode())
        for statement in load("restante.hub.metrics").values():
            db.execute(f"PREPARE one AS {numbered(statement.text)}".encode())
            count = max(int(number) for number in re.findall(r"\$(\d)", numbered(statement.text)))
            plan = [line for (line,) in db.execute(f"EXPLAIN EXECUTE one({', '.join(['NULL'] * count)})".encode())]
            db.execute(b"DEALLOCATE one")
            scanned = set(re.findall(r"Seq Scan on (\w+)", "\n".join(plan)))
            assert scanned <= SMALL, (statement.name, plan)
            assert statement.name == "sources" or any("Limit" in line for line in plan), statement.name


async def figures_of(api: Api, *, later: timedelta = timedelta(0), pace: float = 1.0) -> Figures:
    """What a round collects from the database of an API."""
    async with open_tables(api.parts.dsn, name="restante metrics", size=1, read_only=True) as tables:
        collector = Collector(api.ledger, tables, now=lambda: api.time.at + later, real=lambda: 5.0, pace=pace)
        await collector.collect()
        assert collector.figures is not None
        return collector.figures


async def test_what_waits_is_counted_and_its_age_told(api: Api) -> None:
    """Given a parcel promised and nobody working, when an hour has passed, then its tasks and timers are told of."""
    point = await api.point()
    await api.post(
        "/parcels", {"reference": "A", "size": "S", "point": point, "recipient": {"name": "Aino"}}, by="swift"
    )
    fresh = await figures_of(api)
    assert fresh.at == 5.0
    assert sum(fresh.heads.values()) > 0
    assert fresh.outbox["refresh-manifest"].count >= 1
    assert 0 <= fresh.outbox["refresh-manifest"].oldest_seconds < 60
    assert fresh.timers == {}
    late = await figures_of(api, later=timedelta(hours=200))
    assert late.outbox["refresh-manifest"].oldest_seconds >= 200 * 3_600
    assert set(late.timers) == {"expire-promise"}
    assert late.timers["expire-promise"].oldest_seconds >= 100 * 3_600
    paced = await figures_of(api, later=timedelta(hours=200), pace=1_440.0)
    assert 500 <= paced.outbox["refresh-manifest"].oldest_seconds < 600, "200 hours of a demo are 500 seconds"


async def test_silence_is_counted_by_age(api: Api) -> None:
    """Given sources last heard from at different times, then they count by how long ago that was."""
    ages = {"a": 5, "b": 70, "c": 60 * 10, "d": 10**7, "e": -5}
    with psycopg.connect(api.parts.dsn, autocommit=True) as db:
        for number, seconds in enumerate(ages.values()):
            key = f"00000000-0000-0000-0000-00000000000{number}"
            heard = api.time.at - timedelta(seconds=seconds)
            db.execute("INSERT INTO source_session VALUES (0, %s, %s, 's', %s)", [key, key, heard])
    assert (await figures_of(api)).sources == dict(zip(AGES, (2, 1, 1, 0, 0, 1), strict=True))
    assert (await figures_of(api, pace=10.0)).sources == dict(zip(AGES, (3, 1, 0, 0, 0, 1), strict=True))


async def test_a_queue_of_millions_is_looked_at_in_part(api: Api) -> None:
    """Given more tasks than are looked at, then the figure stops there."""
    with psycopg.connect(api.parts.dsn, autocommit=True) as db:
        db.execute(
            'INSERT INTO task (lane, seq, ordinal, body) SELECT 0, n, 0, \'{"task":"send-notice"\' FROM'
            " generate_series(1, 1050) n"
        )
    assert (await figures_of(api)).outbox == {"send-notice": Waiting(1_000, 0.0)}


async def test_figures_are_missing_and_not_old_when_the_database_is_down(database: str, tmp_path: Path) -> None:
    """Given figures, when the database no longer answers, then there are none."""
    async with an_api(database, tmp_path) as api:
        async with open_tables(database, name="restante metrics", size=1, read_only=True) as tables:
            collector = Collector(api.ledger, tables, now=lambda: START, real=lambda: 5.0)
            await collector.collect()
            assert collector.figures is not None
        await collector.collect()
        assert collector.figures is None


async def test_readiness_needs_every_migration(database: str) -> None:
    """Given a database that lacks a migration, has an altered one or a later one, then only the last is ready."""
    clock = [0.0]
    async with open_tables(database, name="test", size=1) as tables:
        readiness = Readiness(tables, clock=lambda: clock[0])

        async def after(text: bytes) -> bool:
            clock[0] += 10
            await tables.rows(text, {})
            return await readiness.check()

        assert await after(b"SELECT 1")
        assert await after(b"INSERT INTO schema_migration (number, name, checksum) VALUES (9999, 'later', 'x')")
        assert not await after(b"UPDATE schema_migration SET checksum = 'x' WHERE number = 2")
        assert not await after(b"DELETE FROM schema_migration WHERE number = 2")
        assert not await after(b"DROP TABLE schema_migration")


async def test_readiness_asks_the_database_once_a_second(database: str) -> None:
    """Given an answer of this second, when the database goes down, then the next second's answer tells."""
    clock = [0.0]
    async with open_tables(database, name="test", size=1) as tables:
        readiness = Readiness(tables, clock=lambda: clock[0])
        assert await readiness.check()
    assert await readiness.check()
    clock[0] = 1.0
    assert not await readiness.check()


async def test_health_is_told_to_everybody_in_no_words(api: Api) -> None:
    """Given no key, when a load balancer asks, then it hears that the program runs and can be given work."""
    for path in ("/v1/alive", "/v1/ready"):
        answer = await api.client.get(path)
        assert (answer.status_code, answer.content) == (204, b"")
    with psycopg.connect(api.parts.dsn, autocommit=True) as db:
        db.execute("DELETE FROM schema_migration WHERE number = 2")
    assert (await api.client.get("/v1/alive")).status_code == 204
