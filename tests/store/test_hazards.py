"""No migration holds up a large table that is at work, and each says which programs run on it."""

import pytest

from restante.store import migrate
from tests.store.hazards import hazards, statements_in

FOUNDED = 5
"""Migrations up to this one made an empty database; later ones meet tables with rows, and programs at work on them."""
WITHOUT_PROMISE = {6, 7, 8}
"""Applied before promises were recorded; programs of the version before run on them, and cannot be started anew."""

LATER = [one for one in migrate.load() if one.number > FOUNDED]


@pytest.mark.parametrize("migration", LATER, ids=lambda one: one.file)
def test_no_migration_holds_up_a_table_at_work(migration: migrate.Migration) -> None:
    """Given a migration, when its statements are read, then none would rewrite or long lock a table that has rows."""
    assert list(hazards(migration.text)) == []


@pytest.mark.parametrize("migration", LATER, ids=lambda one: one.file)
def test_every_migration_promises_that_the_version_before_runs_on_it(migration: migrate.Migration) -> None:
    """Given a migration, when its promise is read, then programs of the version before run on it."""
    if migration.number not in WITHOUT_PROMISE:
        assert migration.runs_from <= FOUNDED, "a contraction waits for the next version"


@pytest.mark.parametrize(
    "planted",
    [
        "ALTER TABLE parcel ALTER COLUMN code TYPE varchar(12)",
        "ALTER TABLE parcel ALTER COLUMN code SET NOT NULL",
        "ALTER TABLE parcel ADD COLUMN weight integer NOT NULL",
        "ALTER TABLE parcel ADD COLUMN at timestamptz DEFAULT clock_timestamp()",
        "ALTER TABLE parcel ADD COLUMN number bigserial PRIMARY KEY",
        "ALTER TABLE parcel ADD COLUMN weight integer, ALTER COLUMN code TYPE text",
        "ALTER TABLE parcel ADD COLUMN weight integer CHECK (weight > 0)",
        "ALTER TABLE parcel ADD CONSTRAINT positive CHECK (version > 0)",
        "ALTER TABLE parcel DROP COLUMN code",
        "ALTER TABLE parcel RENAME TO item",
        "ALTER TABLE parcel SET UNLOGGED",
        "CREATE INDEX parcel_body ON parcel (body)",
        "CREATE TABLE event_of_a_day PARTITION OF event FOR VALUES FROM ('2026-01-01') TO ('2026-01-02')",
        "CREATE TABLE weight (parcel uuid REFERENCES parcel (id))",
        "DROP TABLE receipt",
        "DROP INDEX parcel_code",
        "UPDATE parcel SET version = version + 1",
        "DELETE FROM receipt",
        "INSERT INTO lane (lane) SELECT 7",
        "LOCK TABLE lane",
        "TRUNCATE receipt",
        "VACUUM FULL parcel",
        "ALTER TABLE parcel ADD COLUMN a text; CREATE TABLE b (id int); INSERT INTO b SELECT version FROM parcel",
    ],
)
def test_a_planted_hazard_is_found(planted: str) -> None:
    """Given a statement that would hold up a table at work, when read, then it is named."""
    assert len(list(hazards(f"-- A comment; with a semicolon.\n{planted};\n"))) == 1


@pytest.mark.parametrize(
    "quick",
    [
        "ALTER TABLE parcel ADD COLUMN weight integer",
        "ALTER TABLE parcel ADD COLUMN weight integer NOT NULL DEFAULT 0",
        "ALTER TABLE parcel ADD CONSTRAINT positive CHECK (version > 0) NOT VALID",
        "ALTER TABLE parcel SET (fillfactor = 60)",
        "CREATE TABLE b (id int); CREATE INDEX b_id ON b (id); INSERT INTO b SELECT version FROM parcel",
    ],
)
def test_what_is_quick_is_let_through(quick: str) -> None:
    """Given a statement that takes no time whatever a table holds, when read, then nothing is named."""
    assert list(hazards(quick)) == []
    assert len(statements_in(quick)) == quick.count(";") + 1
