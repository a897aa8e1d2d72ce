"""What stored parcels take on disk by table, what transitions write to the log, how many updates stay in their page.

Partitions count as their table. From ``pg_relation_size`` and its kin, ``pg_stat_user_tables``, ``pg_current_wal_lsn``.
"""

from collections.abc import Mapping
from typing import Final

import msgspec
import psycopg

UPDATED: Final = ("parcel", "room", "source", "lane")
LEAST_BYTES: Final = 5.0
_DISK: Final = r"""
SELECT regexp_replace(c.relname, '^(event)_.*$', '\1'), sum(pg_relation_size(c.oid)), sum(pg_indexes_size(c.oid)),
    sum(coalesce(pg_total_relation_size(nullif(c.reltoastrelid, 0)), 0))
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind = 'r' AND n.nspname IN ('public', 'person_key') AND c.relname NOT LIKE 'growth%'
GROUP BY 1
"""
_UPDATES: Final = "SELECT relname, n_tup_upd, n_tup_hot_upd FROM pg_stat_user_tables WHERE relname = ANY (%s)"
Updates = Mapping[str, tuple[int, int]]
"""Updates so far, and those of them that stayed in their page, by table."""


class Disk(msgspec.Struct, frozen=True):
    """Bytes a parcel takes in one table."""

    heap: float
    index: float
    toast: float

    @property
    def total(self) -> float:
        """All three."""
        return self.heap + self.index + self.toast

    def __str__(self) -> str:
        return f"{self.heap:,.0f} + {self.index:,.0f} + {self.toast:,.0f}"


def disk_of(db: psycopg.Connection, parcels: int) -> dict[str, Disk]:
    """What each table takes, divided by the parcels stored; tables that take less than five bytes are left out."""
    rows = db.execute(_DISK.encode()).fetchall()
    found = {name: Disk(*(round(float(size) / parcels, 1) for size in sizes)) for name, *sizes in rows}
    return {name: disk for name, disk in sorted(found.items()) if disk.total >= LEAST_BYTES}


def wal_position(db: psycopg.Connection) -> int:
    """How many bytes the server has written to its log since it was made."""
    row = db.execute("SELECT (pg_current_wal_lsn() - '0/0'::pg_lsn)::bigint").fetchone()
    assert row is not None
    return int(row[0])


def updates(db: psycopg.Connection) -> Updates:
    """Updates so far, as the server has counted them."""
    return {name: (every, hot) for name, every, hot in db.execute(_UPDATES, [list(UPDATED)]).fetchall()}


def hot_shares(before: Updates, after: Updates) -> dict[str, float]:
    """The share of updates between two looks that stayed in their page; tables without any are left out."""
    done = {
        name: (every - before.get(name, (0, 0))[0], hot - before.get(name, (0, 0))[1])
        for name, (every, hot) in after.items()
    }
    return {name: hot / every for name, (every, hot) in sorted(done.items()) if every > 0}
