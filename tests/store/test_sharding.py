"""The schema's rules, read from the catalogue: what lets the tables be spread over several servers by lane."""

import re
from importlib.resources import files

import psycopg
import pytest

from restante.store.statements import load

pytestmark = pytest.mark.postgres

LEDGER = (
    "lane", "parcel", "room", "point", "source", "event", "promise", "stay", "timer", "task", "receipt", "journal",
    "credential", "open_case",
)  # fmt: skip
OWNED = ("parcel", "event", "promise", "stay", "timer", "task")


@pytest.fixture
def db(database: str) -> psycopg.Connection:
    """A connection to a database with the packaged schema."""
    return psycopg.connect(database, autocommit=True)


def test_lane_leads_every_key(db: psycopg.Connection) -> None:
    """Given the ledger's tables, when their primary keys and unique indexes are read, then each begins with lane."""
    rows = db.execute(
        "SELECT c.relname, i.indexrelid::regclass::text, a.attname FROM pg_index i"
        " JOIN pg_class c ON c.oid = i.indrelid JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = i.indkey[0]"
        " WHERE c.relname = ANY (%s) AND (i.indisunique OR i.indisprimary)",
        [list(LEDGER)],
    ).fetchall()
    db.close()
    assert {table for table, _, _ in rows} == set(LEDGER), "every table has a key"
    assert [row for row in rows if row[2] != "lane"] == []


def test_foreign_keys_lead_with_lane_and_triggers_do_not_exist(db: psycopg.Connection) -> None:
    """Given the ledger's tables, when constraints and triggers are read, then no foreign key leaves its lane."""
    strays = db.execute(
        "SELECT conname FROM pg_constraint k JOIN pg_attribute a ON a.attrelid = k.conrelid AND a.attnum = k.conkey[1]"
        " WHERE contype = 'f' AND conrelid::regclass::text = ANY (%s) AND a.attname <> 'lane'",
        [list(LEDGER)],
    ).fetchall()
    triggers = db.execute("SELECT tgname FROM pg_trigger WHERE NOT tgisinternal").fetchall()
    db.close()
    assert strays == []
    assert triggers == []


def test_what_belongs_to_an_organisation_says_so(db: psycopg.Connection) -> None:
    """Given tables of rows about an organisation's parcels, when columns are read, then each has its ``org``."""
    rows = db.execute("SELECT table_name FROM information_schema.columns WHERE column_name = 'org'").fetchall()
    db.close()
    assert set(OWNED) <= {table for (table,) in rows}


def test_nothing_that_changes_at_each_transition_is_indexed(db: psycopg.Connection) -> None:
    """Given the rows a transition updates, when indexes are read, then none covers a version, a head or a body."""
    rows = db.execute(
        "SELECT c.relname, a.attname FROM pg_index i JOIN pg_class c ON c.oid = i.indrelid"
        " JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = ANY (i.indkey)"
        " WHERE c.relname IN ('lane', 'parcel', 'room', 'source', 'stay', 'task')",
    ).fetchall()
    db.close()
    changing = {"version", "body", "head", "ready_at", "attempts", "leased_until"}
    assert [row for row in rows if row[1] in changing] == []


@pytest.mark.parametrize("file", ["sql/batch.sql", "sql/ledger.sql"])
def test_rows_are_skipped_within_one_lane_only(file: str) -> None:
    """Given statements that skip locked rows, when read, then each is bound to one lane by equality."""
    for name, statement in load("restante.store", file).items():
        if "SKIP LOCKED" in statement.text:
            assert "WHERE lane = %(lane)s" in statement.text, name


def test_settings_are_local_to_a_transaction() -> None:
    """Given every statement and module of the store, when read, then no tenant's context outlives its transaction."""
    for file in files("restante.store").iterdir():
        if file.name.endswith(".py"):
            text = file.read_text()
            assert "set_config(" not in text, file.name
            assert not re.search(r"\bSET (?!LOCAL|statement_timeout|lock_timeout)[a-z_.]+ (=|TO)", text), file.name
