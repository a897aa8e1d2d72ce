"""What a database says of itself to whoever looks whether an installation is sound; nothing is changed."""

from collections.abc import Callable, Mapping
from typing import Any, Final

import msgspec
import psycopg

from restante.core.time import Instant
from restante.store import connect, migrate, statements

_SQL: Final = {name: one.text.encode() for name, one in statements.load("restante.store", "sql/examine.sql").items()}


class Examined(msgspec.Struct, frozen=True):
    """A database that answers: the server's settings, how far its clock is ahead of ours, its migrations, its users.

    ``pending`` names migrations that are missing and ``fault`` says what is wrong with those that are there; ``lanes``
    is 0 unless all of them are. ``programs`` counts connections by the name of who made them.
    """

    server: Mapping[str, str]
    ahead_seconds: float
    pending: tuple[str, ...]
    fault: str
    programs: Mapping[str, int]
    lanes: int

    @property
    def is_current(self) -> bool:
        """Whether the schema is the one that this program came with."""
        return not self.pending and not self.fault


def examine(dsn: str, now: Callable[[], Instant]) -> Examined:
    """Look at the database at ``dsn``. Faults: ``AddressMalformed``, ``DatabaseUnreachable``."""
    try:
        with psycopg.connect(connect.conninfo(dsn, name="doctor", settings=connect.READS), autocommit=True) as db:
            pending, fault = _migrations(db)
            is_current = not pending and not fault
            return Examined(
                server=dict(_rows(db, "server")),
                ahead_seconds=_ahead_seconds(db, now),
                pending=pending,
                fault=fault,
                programs=dict(_rows(db, "programs")),
                lanes=_rows(db, "count_lanes")[0][0] if is_current else 0,
            )
    except psycopg.Error as error:
        raise connect.DatabaseUnreachable(connect.unreachable(dsn)) from error


def _migrations(db: psycopg.Connection) -> tuple[tuple[str, ...], str]:
    try:
        return tuple(one.file for one in migrate.status(db).pending), ""
    except migrate.MigrationFault as wrong:
        return (), str(wrong)


def _ahead_seconds(db: psycopg.Connection, now: Callable[[], Instant]) -> float:
    """How far the server's clock is ahead of ours, if it answered half-way between our asking and our hearing."""
    asked_at = now()
    [(said,)] = _rows(db, "clock")
    heard_at = now()
    return float((said - (asked_at + (heard_at - asked_at) / 2)).total_seconds())


def _rows(db: psycopg.Connection, name: str) -> list[tuple[Any, ...]]:
    return db.execute(_SQL[name]).fetchall()
