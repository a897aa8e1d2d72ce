"""Migrations: applied once, in order, whole or not at all, and never against a database they do not fit."""

import threading
from pathlib import Path

import psycopg
import pytest
from hypothesis import given
from hypothesis import strategies as st

from restante.store.migrate import (
    _LOCK,
    MigrationChanged,
    MigrationFailed,
    MigrationsMalformed,
    SchemaNewer,
    TableInUse,
    Waits,
    load,
    migrate,
    status,
)

FIRST = ("0001_parcel.sql", "CREATE TABLE parcel (id int PRIMARY KEY);\nINSERT INTO parcel VALUES (1), (2);\n")
SECOND = ("0002_weight.sql", "ALTER TABLE parcel ADD weight_grams int;\n-- 100 % of them\n")


def plant(directory: Path, *files: tuple[str, str]) -> Path:
    """Write migration files."""
    for name, text in files:
        (directory / name).write_text(text)
    return directory


def test_missing_migrations_are_applied_once(db: psycopg.Connection, tmp_path: Path) -> None:
    """Given one applied migration, when a second is added and migrated twice, then it is applied exactly once."""
    plant(tmp_path, FIRST)
    assert [m.file for m in migrate(db, tmp_path)] == ["0001_parcel.sql"]
    plant(tmp_path, SECOND)
    (tmp_path / "README.md").write_text("not a migration")
    assert [m.name for m in status(db, tmp_path).pending] == ["weight"]
    assert [m.number for m in migrate(db, tmp_path)] == [2]
    assert migrate(db, tmp_path) == ()
    done = status(db, tmp_path)
    assert ([row.number for row in done.applied], done.pending) == ([1, 2], ())
    assert done.applied[0].applied_at <= done.applied[1].applied_at
    assert db.execute("SELECT count(*), count(weight_grams) FROM parcel").fetchone() == (2, 0)


def test_status_changes_nothing(db: psycopg.Connection, tmp_path: Path) -> None:
    """Given an empty database, when asked for its status, then everything is pending and nothing was made."""
    assert len(status(db, plant(tmp_path, FIRST, SECOND)).pending) == 2
    assert db.execute("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'").fetchone() == (0,)


def test_two_programs_migrate_at_once(empty_database: str, tmp_path: Path) -> None:
    """Given two programs that start together, when both migrate, then one waits and each migration runs once."""
    slow = ("0003_slow.sql", "SELECT pg_sleep(0.3); CREATE TABLE slow (id int);")
    plant(tmp_path, FIRST, SECOND, slow)
    applied: list[int] = []

    def program() -> None:
        with psycopg.connect(empty_database, autocommit=True, options="-c lock_timeout=50") as db:
            applied.extend(m.number for m in migrate(db, tmp_path))

    programs = [threading.Thread(target=program) for _ in range(2)]
    for one in programs:
        one.start()
    for one in programs:
        one.join()
    assert applied == [1, 2, 3]


def test_a_failing_migration_leaves_nothing(db: psycopg.Connection, tmp_path: Path) -> None:
    """Given a migration whose second statement fails, when migrated, then its first left nothing and a repair runs."""
    plant(tmp_path, FIRST, ("0002_bad.sql", "CREATE TABLE half (id int); SELECT * FROM no_such_table;"))
    with pytest.raises(MigrationFailed, match=r'0002_bad\.sql: relation "no_such_table" does not exist'):
        migrate(db, tmp_path)
    assert db.execute("SELECT to_regclass('half')").fetchone() == (None,)
    plant(tmp_path, ("0002_bad.sql", "CREATE TABLE half (id int);"))
    assert [m.number for m in migrate(db, tmp_path)] == [2]


def test_a_migration_may_not_end_its_transaction(db: psycopg.Connection, tmp_path: Path) -> None:
    """Given a migration with its own COMMIT, when migrated, then it is refused and not recorded."""
    plant(tmp_path, ("0001_own.sql", "CREATE TABLE own (id int); COMMIT;"))
    with pytest.raises(MigrationFailed, match="leave out BEGIN and COMMIT"):
        migrate(db, tmp_path)
    assert status(db, tmp_path).applied == ()


def test_a_changed_migration_is_refused(db: psycopg.Connection, tmp_path: Path) -> None:
    """Given an applied migration, when its file is changed, then migrating and asking both name it."""
    migrate(db, plant(tmp_path, FIRST))
    plant(tmp_path, (FIRST[0], FIRST[1] + "-- touched"))
    for ask in (migrate, status):
        with pytest.raises(MigrationChanged, match=r"0001_parcel\.sql: changed since it was applied"):
            ask(db, tmp_path)


def test_line_ends_are_no_change(db: psycopg.Connection, tmp_path: Path) -> None:
    """Given an applied migration, when its line ends become those of another system, then it counts as the same."""
    migrate(db, plant(tmp_path, FIRST))
    (tmp_path / FIRST[0]).write_bytes(FIRST[1].replace("\n", "\r\n").encode())
    assert migrate(db, tmp_path) == ()


def test_a_newer_database_is_refused(db: psycopg.Connection, tmp_path: Path) -> None:
    """Given a database with two migrations, when a program that knows one meets it, then it says which it lacks."""
    migrate(db, plant(tmp_path, FIRST, SECOND))
    (tmp_path / SECOND[0]).unlink()
    with pytest.raises(SchemaNewer, match="0002_weight"):
        migrate(db, tmp_path)


def test_a_program_runs_on_what_later_migrations_promise(db: psycopg.Connection, tmp_path: Path) -> None:
    """Given later migrations that promise to run with a program, when it starts, then it changes nothing and runs."""
    third = ("0003_later.sql", "-- Runs with programs from migration 0001 on.\nALTER TABLE parcel ADD later int;\n")
    migrate(
        db, plant(tmp_path, FIRST, (SECOND[0], f"-- Runs with programs from migration 0001 on.\n{SECOND[1]}"), third)
    )
    for name in (SECOND[0], third[0]):
        (tmp_path / name).unlink()
    assert migrate(db, tmp_path) == ()
    assert [row.name for row in status(db, tmp_path).ahead] == ["weight", "later"]


@pytest.mark.parametrize("promise", ["", "-- Runs with programs from migration 0002 on.\n", "--Runs with programs"])
def test_a_program_that_is_promised_nothing_does_not_run(db: psycopg.Connection, tmp_path: Path, promise: str) -> None:
    """Given a later migration that promises nothing to a program of the first, when it starts, then it is refused."""
    later = ("0003_later.sql", "-- Runs with programs from migration 0001 on.\nSELECT 1;\n")
    migrate(db, plant(tmp_path, FIRST, (SECOND[0], promise + SECOND[1]), later))
    for name in (SECOND[0], later[0]):
        (tmp_path / name).unlink()
    with pytest.raises(SchemaNewer, match="0002_weight"):
        migrate(db, tmp_path)


def test_promises_are_read_where_none_were_recorded(db: psycopg.Connection, tmp_path: Path) -> None:
    """Given a record made by a program that knew no promises, when migrated, then nothing was promised, and then is."""
    migrate(db, plant(tmp_path, FIRST))
    db.execute("ALTER TABLE schema_migration DROP COLUMN runs_from")
    assert [row.runs_from for row in status(db, tmp_path).applied] == [1]
    plant(tmp_path, ("0002_weight.sql", "-- Runs with programs from migration 0001 on.\nSELECT 1;"))
    migrate(db, tmp_path)
    assert [row.runs_from for row in status(db, tmp_path).applied] == [1, 1]


def test_nobody_waits_long_behind_a_migration_that_waits(
    db: psycopg.Connection, empty_database: str, tmp_path: Path
) -> None:
    """Given somebody who holds a table, when a migration wants it, then readers pass, and it comes through."""
    migrate(db, plant(tmp_path, FIRST))
    plant(tmp_path, SECOND)
    with psycopg.connect(empty_database) as holds, psycopg.connect(empty_database, autocommit=True) as other:
        holds.execute("SELECT FROM parcel")
        migrating = threading.Thread(target=migrate, args=(other, tmp_path))
        migrating.start()
        while not waiting(db):
            assert migrating.is_alive()
        db.execute("SET statement_timeout = '20s'")
        assert db.execute("SELECT count(*) FROM parcel").fetchone() == (2,)
        assert migrating.is_alive()
        holds.rollback()
        migrating.join()
    assert status(db, tmp_path).pending == ()


def waiting(db: psycopg.Connection) -> bool:
    """Whether somebody waits for a table here."""
    found = db.execute("SELECT EXISTS (SELECT FROM pg_locks WHERE NOT granted AND locktype = 'relation')").fetchone()
    return found == (True,)


def test_a_table_that_is_never_let_go_is_told(
    db: psycopg.Connection, empty_database: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Given somebody who never lets a table go, when patience ends, then the migration is named, nothing done."""
    migrate(db, plant(tmp_path, FIRST))
    plant(tmp_path, SECOND)
    with psycopg.connect(empty_database) as holds:
        holds.execute("SELECT FROM parcel")
        with pytest.raises(TableInUse, match=r"0002_weight\.sql: a table that it changes is in use"):
            migrate(db, tmp_path, patience_s=0)
    assert [one.name for one in status(db, tmp_path).pending] == ["weight"]
    assert [(one.msg, vars(one)["awaited"]) for one in caplog.records] == [
        ("migration-waits", "a table that 0002_weight.sql changes")
    ]


def test_another_program_that_migrates_is_waited_for_and_told(
    db: psycopg.Connection, empty_database: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Given another program in the middle of migrating, when started, then it is said what is waited for, and done."""
    plant(tmp_path, FIRST)
    with psycopg.connect(empty_database, autocommit=True) as other:
        other.execute("SELECT pg_advisory_lock(%s)", [_LOCK])
        migrating = threading.Thread(target=migrate, args=(db, tmp_path))
        migrating.start()
        while not caplog.records:
            assert migrating.is_alive()
        other.execute("SELECT pg_advisory_unlock(%s)", [_LOCK])
        migrating.join()
    assert [vars(one)["awaited"] for one in caplog.records][:1] == ["another program that migrates"]
    assert status(db, tmp_path).pending == ()


def test_what_is_waited_for_is_said_at_once_and_then_every_quarter_of_a_minute() -> None:
    """Given a wait looked at twice a second for a minute, when told, then it is said five times, with its length."""
    told: list[tuple[str, int]] = []
    waits = Waits("a table", since_s=100.0, tell=lambda awaited, waited_s: told.append((awaited, waited_s)))
    for half_seconds in range(121):
        waits.tell(100.0 + half_seconds / 2)
    assert told == [("a table", waited_s) for waited_s in (0, 15, 30, 45, 60)]


def test_a_row_out_of_order_is_refused(db: psycopg.Connection, tmp_path: Path) -> None:
    """Given a database where the first migration's row is gone, when migrated, then the first is named."""
    migrate(db, plant(tmp_path, FIRST, SECOND))
    db.execute("DELETE FROM schema_migration WHERE number = 1")
    with pytest.raises(MigrationChanged, match="0002 was applied, but this one was not"):
        migrate(db, tmp_path)


@pytest.mark.parametrize(
    ("names", "words"),
    [
        (["0001_a.sql", "0003_b.sql"], "0003_b.sql: there is no migration 0002 before it"),
        (["0002_a.sql"], "0002_a.sql: there is no migration 0001 before it"),
        (["0001_a.sql", "0001_b.sql"], "0001_b.sql: two migrations have the number 0001"),
        (["0000_a.sql"], "two migrations have the number 0000"),
        (["1_a.sql"], "1_a.sql: a migration is named like"),
        (["0001-a.sql"], "a migration is named like"),
        (["0001_A.sql"], "a migration is named like"),
    ],
)
def test_malformed_files_are_refused(tmp_path: Path, names: list[str], words: str) -> None:
    """Given files with a gap, a doubled number or a wrong name, when loaded, then the file is named."""
    with pytest.raises(MigrationsMalformed, match=words):
        load(plant(tmp_path, *((name, "SELECT 1") for name in names)))


def test_a_missing_directory_is_refused(tmp_path: Path) -> None:
    """Given an installation without its migrations, when loaded, then it says so."""
    with pytest.raises(MigrationsMalformed, match="no directory of migrations"):
        load(tmp_path / "none")


def test_text_that_is_not_utf8_is_refused(tmp_path: Path) -> None:
    """Given a file that is not UTF-8, when loaded, then it is named."""
    (tmp_path / "0001_a.sql").write_bytes(b"\xff")
    with pytest.raises(MigrationsMalformed, match=r"0001_a\.sql: not UTF-8"):
        load(tmp_path)


@given(st.sets(st.integers(0, 6), min_size=1))
def test_numbers_are_whole_or_refused(tmp_path_factory: pytest.TempPathFactory, numbers: set[int]) -> None:
    """Given any set of numbers, when loaded, then exactly the sets 1..n are taken."""
    directory = plant(tmp_path_factory.mktemp("m"), *((f"{n:04}_a.sql", "SELECT 1") for n in numbers))
    if numbers == set(range(1, len(numbers) + 1)):
        assert [m.number for m in load(directory)] == sorted(numbers)
    else:
        with pytest.raises(MigrationsMalformed):
            load(directory)
