"""Every statement of the ledger is parsed and typed by a real server, and found in a plan without a scan."""

import psycopg
import pytest

from restante.store.connect import ENGINE
from restante.store.statements import load
from tests.fixtures.statements import numbered, prepare_all

pytestmark = pytest.mark.postgres

WHOLE_TABLES = {"lane_heads", "cuts", "ensure_lanes", "forget_receipts", "forget_requests", "forget_cases"}


@pytest.mark.parametrize("file", ["sql/batch.sql", "sql/ledger.sql"])
def test_every_statement_fits_the_schema(database: str, file: str) -> None:
    """Given the packaged schema, when each statement is prepared, then the server knows every name and type."""
    with psycopg.connect(database, autocommit=True) as db:
        prepare_all(db, load("restante.store", file))


@pytest.mark.parametrize("file", ["sql/batch.sql", "sql/ledger.sql"])
def test_every_statement_looks_rows_up_by_key(database: str, file: str) -> None:
    """Given the engine's settings, when each statement is planned for any parameters, then no table is scanned."""
    with psycopg.connect(database, autocommit=True) as db:
        for name, value in ENGINE.items():
            db.execute(f"SET {name} = '{value}'".encode())
        for name, statement in load("restante.store", file).items():
            text = numbered(statement.text)
            db.execute(f"PREPARE one AS {text}".encode())
            parameters = ", ".join(["NULL"] * max((n for n in range(1, 20) if f"${n}" in text), default=0))
            plan = db.execute(f"EXPLAIN EXECUTE one{f'({parameters})' if parameters else ''}".encode()).fetchall()
            db.execute("DEALLOCATE one")
            scans = [line for (line,) in plan if "Seq Scan" in line]
            assert scans == [] or name in WHOLE_TABLES, (name, scans)
