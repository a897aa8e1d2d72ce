"""Bring a database's schema forward: numbered SQL files, applied in order, each in a transaction of its own.

What has been applied is recorded with a checksum in ``schema_migration``. An advisory lock lets one program at a time
migrate; a second one waits and then finds nothing left to do.

Whoever waits says for what, at once and every quarter of a minute.

Programs of the version before go on meanwhile, and may be started again. A migration whose text begins with
``-- Runs with programs from migration 0005 on.`` promises that programs run on it that know no more than that; the
promise is recorded, so that they find it. Without it only programs run that know the migration itself. Nobody waits for
long behind a migration that waits for a table: it gives up after ``LOCK_WAIT`` and tries again.
"""

import contextlib
import hashlib
import importlib.resources
import logging
import re
import time
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from importlib.resources.abc import Traversable
from typing import Final

import msgspec
import psycopg
from psycopg.pq import TransactionStatus

from restante.core.refusals import Fault
from restante.store import connect

PACKAGED: Traversable = importlib.resources.files("restante.store") / "migrations"
"""The migrations this program came with."""

LOCK_WAIT: Final = "500ms"
"""For how long a migration waits for a table, and whoever comes after it as well."""
PATIENCE_S: Final = 600.0
"""For how long a migration is tried again where others have the tables it needs."""

TOLD_EACH_S: Final = 15.0
"""How often it is said what is waited for."""

_LOG: Final = logging.getLogger("restante.store.migrate")
_LOCK = int.from_bytes(b"restante")
_PAUSE_S: Final = 0.5
_PROMISE = re.compile(r"-- Runs with programs from migration (\d{4}) on\.$", re.MULTILINE)
_FILE = re.compile(r"(\d{4})_([a-z][a-z0-9_]*)\.sql")
_TABLE = """
    CREATE TABLE IF NOT EXISTS schema_migration (
        number integer PRIMARY KEY,
        name text NOT NULL,
        checksum text NOT NULL,
        applied_at timestamptz NOT NULL DEFAULT now()
    )"""
# Apart, because the table may have been made by a program that recorded no promises.
_PROMISES = "ALTER TABLE schema_migration ADD COLUMN IF NOT EXISTS runs_from integer"


class MigrationFault(Fault):
    """The migrations and the database do not go together."""


class MigrationsMalformed(MigrationFault):
    """The migration files are missing, misnamed, doubled or have a gap in their numbers."""


class MigrationChanged(MigrationFault):
    """A migration was changed after it had been applied."""


class SchemaNewer(MigrationFault):
    """The database has migrations this program does not know."""


class MigrationFailed(MigrationFault):
    """A migration's SQL failed; nothing of it was kept."""


class TableInUse(MigrationFault):
    """Somebody has a table that a migration needs, and does not let go of it."""

    retryable = True


class Migration(msgspec.Struct, frozen=True):
    """One numbered step of the schema and the SHA-256 (hex) of its text."""

    number: int
    name: str
    checksum: str
    text: str

    @property
    def file(self) -> str:
        """The file it came from."""
        return f"{self.number:04}_{self.name}.sql"

    @property
    def runs_from(self) -> int:
        """The migration that a program must know at least to run on this one: what it promises, or itself."""
        promise = _PROMISE.match(self.text)
        return self.number if promise is None else int(promise[1])


class Applied(msgspec.Struct, frozen=True):
    """One row of ``schema_migration``."""

    number: int
    name: str
    checksum: str
    applied_at: datetime
    runs_from: int


class Status(msgspec.Struct, frozen=True):
    """What a database has, what it lacks, and what it has of a later version that this program runs on."""

    applied: tuple[Applied, ...]
    pending: tuple[Migration, ...]
    ahead: tuple[Applied, ...] = ()


Tell = Callable[[str, int], None]
"""Is told what is waited for, and for how many seconds so far."""


def log_wait(awaited: str, waited_s: int) -> None:
    """Tell of a wait in the log."""
    _LOG.warning("migration-waits", extra={"awaited": awaited, "waited_s": waited_s})


class Waits:
    """A wait that is told of, at once and then every ``TOLD_EACH_S``; times are of the steady clock."""

    def __init__(self, awaited: str, *, since_s: float, tell: Tell) -> None:
        self._awaited = awaited
        self._since_s = since_s
        self._next_s = since_s
        self._tell = tell

    def tell(self, now_s: float) -> None:
        """It is still waited for."""
        if now_s >= self._next_s:
            self._next_s = now_s + TOLD_EACH_S
            self._tell(self._awaited, int(now_s - self._since_s))


def load(directory: Traversable = PACKAGED) -> tuple[Migration, ...]:
    """The migrations in ``directory``, numbered 1, 2, 3 … without gaps; fault ``MigrationsMalformed``.

    Files that do not end in ``.sql`` are passed over.
    """
    if not directory.is_dir():
        raise MigrationsMalformed(f"There is no directory of migrations at {directory}: install the program again")
    files = sorted((entry for entry in directory.iterdir() if entry.name.endswith(".sql")), key=lambda f: f.name)
    found = tuple(_read(file) for file in files)
    for expected, migration in enumerate(found, start=1):
        if migration.number < expected:
            raise MigrationsMalformed(f"{migration.file}: two migrations have the number {migration.number:04}")
        if migration.number > expected:
            raise MigrationsMalformed(f"{migration.file}: there is no migration {expected:04} before it")
    return found


def _read(file: Traversable) -> Migration:
    named = _FILE.fullmatch(file.name)
    if named is None:
        raise MigrationsMalformed(f"{file.name}: a migration is named like 0001_what_it_does.sql")
    try:
        # Line ends may change on the way through a checkout; the statement does not.
        text = file.read_text(encoding="utf-8").replace("\r\n", "\n")
    except UnicodeDecodeError as error:
        raise MigrationsMalformed(f"{file.name}: not UTF-8 text") from error
    checksum = hashlib.sha256(text.encode()).hexdigest()
    return Migration(int(named[1]), named[2], checksum, text)


def migrate(
    db: psycopg.Connection,
    directory: Traversable = PACKAGED,
    *,
    patience_s: float = PATIENCE_S,
    tell: Tell = log_wait,
) -> tuple[Migration, ...]:
    """Apply what is missing and return it; ``db`` must be in autocommit. Faults: every ``MigrationFault``.

    Nothing is missing where the database is of a later version whose migrations promise that this program runs on them.
    """
    assert db.autocommit, "each migration needs a transaction of its own"
    known = load(directory)
    with _alone(db, tell):
        db.execute(_TABLE)
        pending = _compare(known, _applied(db)).pending
        if pending:
            db.execute(_PROMISES)
        ends_s = time.monotonic() + patience_s
        for migration in pending:
            _insist(db, migration, ends_s=ends_s, tell=tell)
    return pending


def status(db: psycopg.Connection, directory: Traversable = PACKAGED) -> Status:
    """What has been applied and what is pending, changing nothing; faults as for ``migrate``."""
    return _compare(load(directory), _applied(db))


def migrate_at(dsn: str, *, tell: Tell = log_wait) -> tuple[Migration, ...]:
    """Apply what is missing to the database at ``dsn``. Faults: as ``connect.probe`` and ``migrate``."""
    with _connected(dsn) as db:
        return migrate(db, tell=tell)


def status_at(dsn: str) -> Status:
    """What the database at ``dsn`` has and lacks, changing nothing. Faults: as ``connect.probe`` and ``status``."""
    with _connected(dsn) as db:
        return status(db)


@contextlib.contextmanager
def _connected(dsn: str) -> Iterator[psycopg.Connection]:
    connect.probe(dsn)
    with psycopg.connect(connect.conninfo(dsn, name="restante migrate", settings={}), autocommit=True) as db:
        yield db


@contextlib.contextmanager
def _alone(db: psycopg.Connection, tell: Tell) -> Iterator[None]:
    # Waiting for the other program, and reading a large table, may take as long as they take.
    db.execute("SET statement_timeout = 0")
    db.execute("SET lock_timeout = 0")
    waits = Waits("another program that migrates", since_s=time.monotonic(), tell=tell)
    while db.execute("SELECT pg_try_advisory_lock(%s)", [_LOCK]).fetchone() != (True,):
        waits.tell(time.monotonic())
        time.sleep(_PAUSE_S)
    try:
        yield
    finally:
        # A broken connection has lost the lock already.
        if not db.closed:
            db.execute("SELECT pg_advisory_unlock(%s)", [_LOCK])


def _applied(db: psycopg.Connection) -> tuple[Applied, ...]:
    exists = db.execute("SELECT to_regclass('schema_migration') IS NOT NULL").fetchone()
    if exists != (True,):
        return ()
    rows = db.execute(
        "SELECT number, name, checksum, applied_at, coalesce((to_jsonb(m) ->> 'runs_from')::integer, number)"
        " FROM schema_migration m ORDER BY number"
    )
    return tuple(Applied(*row) for row in rows)


def _compare(known: Sequence[Migration], applied: Sequence[Applied]) -> Status:
    ahead = tuple(applied[len(known) :])
    needs = [row for row in ahead if row.runs_from > len(known)]
    if needs:
        first = needs[0]
        raise SchemaNewer(
            f"The database has migration {first.number:04}_{first.name}, which this program does not know: "
            "start the newer program, or restore a backup from before its upgrade"
        )
    for migration, row in zip(known, applied, strict=False):
        if row.number != migration.number:
            raise MigrationChanged(f"{migration.file}: migration {row.number:04} was applied, but this one was not")
        if row.checksum != migration.checksum:
            raise MigrationChanged(f"{migration.file}: changed since it was applied; undo that and add a new migration")
    return Status(applied=tuple(applied), pending=tuple(known[len(applied) :]), ahead=ahead)


def _insist(db: psycopg.Connection, migration: Migration, *, ends_s: float, tell: Tell) -> None:
    """Apply a migration as soon as nobody has a table that it needs. Faults: ``TableInUse``, ``MigrationFailed``."""
    waits = Waits(f"a table that {migration.file} changes", since_s=time.monotonic(), tell=tell)
    while True:
        try:
            return _apply(db, migration)
        except psycopg.errors.LockNotAvailable as busy:
            waits.tell(time.monotonic())
            if time.monotonic() > ends_s:
                raise TableInUse(
                    f"{migration.file}: a table that it changes is in use all the time; end the transaction that "
                    "has it (pg_stat_activity tells which), and migrate again"
                ) from busy
        time.sleep(_PAUSE_S)


def _apply(db: psycopg.Connection, migration: Migration) -> None:
    try:
        with db.transaction():
            db.execute(f"SET LOCAL lock_timeout = '{LOCK_WAIT}'".encode())
            db.execute(migration.text)
            if db.info.transaction_status != TransactionStatus.INTRANS:
                raise MigrationFailed(f"{migration.file}: ends its own transaction; leave out BEGIN and COMMIT")
            db.execute(
                "INSERT INTO schema_migration (number, name, checksum, runs_from) VALUES (%s, %s, %s, %s)",
                [migration.number, migration.name, migration.checksum, migration.runs_from],
            )
    except psycopg.errors.LockNotAvailable:
        raise
    except psycopg.Error as error:
        raise MigrationFailed(f"{migration.file}: {error.diag.message_primary or error}") from error
