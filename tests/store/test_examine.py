"""What a database says of itself: its settings, clock, migrations and who uses it, and nothing is changed."""

from datetime import UTC, datetime, timedelta

import psycopg
import pytest

from restante.store.connect import AddressMalformed, DatabaseUnreachable
from restante.store.examine import examine
from restante.store.statements import load
from tests.fixtures.statements import prepare_all

pytestmark = pytest.mark.postgres


def now() -> datetime:
    """What time it is here."""
    return datetime.now(UTC)


def test_every_statement_fits_the_schema(database: str) -> None:
    """Given the packaged schema, when each statement is prepared, then the server knows every name and type."""
    with psycopg.connect(database, autocommit=True) as db:
        prepare_all(db, load("restante.store", "sql/examine.sql"))


def test_a_database_tells_of_itself(database: str) -> None:
    """Given a database in use, then its settings, its users by name, and its clock against ours are told."""
    with psycopg.connect(database, autocommit=True, application_name="restante worker") as db:
        db.execute("INSERT INTO lane (lane) VALUES (0), (1), (2)")
        found = examine(database, lambda: now() - timedelta(seconds=100))
    assert found.server["fsync"] == "off"
    assert int(found.server["server_version_num"]) >= 150_000
    assert 99 < found.ahead_seconds < 130
    assert found.programs["restante worker"] == 1
    assert (found.lanes, found.is_current) == (3, True)


def test_an_empty_database_lacks_every_migration(empty_database: str) -> None:
    """Given a database that was never migrated, then all migrations are pending, and none was applied by looking."""
    for _ in range(2):
        found = examine(empty_database, now)
        assert found.pending[0] == "0001_ledger.sql"
        assert not found.is_current


def test_an_altered_migration_is_told(database: str) -> None:
    """Given a migration whose text is another than the one applied, then that is said in words."""
    with psycopg.connect(database, autocommit=True) as db:
        db.execute("UPDATE schema_migration SET checksum = 'x' WHERE number = 1")
    found = examine(database, now)
    assert "0001_ledger.sql" in found.fault
    assert not found.is_current


def test_a_database_that_is_away_is_told_without_its_password() -> None:
    """Given nobody at the address, or no address, then a fault says so, without the password."""
    with pytest.raises(DatabaseUnreachable) as away:
        examine("postgresql://me:zqxsecret@127.0.0.1:1/none", now)
    with pytest.raises(AddressMalformed) as none:
        examine("zqxsecret=", now)
    assert "zqxsecret" not in f"{away.value} {none.value}"
