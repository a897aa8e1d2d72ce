"""What the store needs done daily: partitions of the log for the days ahead."""

from collections.abc import Iterable
from datetime import date, timedelta
from typing import Final, LiteralString

from psycopg import AsyncConnection, sql

DAYS_AHEAD: Final = 7
"""How many days' partitions stand ready, beside today's."""

_PARTITIONS: Final = b"SELECT inhrelid::regclass::text FROM pg_inherits WHERE inhparent = 'event'::regclass"
_STEPS: Final[tuple[LiteralString, ...]] = (
    "CREATE TABLE {day} (LIKE event INCLUDING ALL)",
    """WITH moved AS (DELETE FROM event_other_days WHERE recorded_at >= {first} AND recorded_at < {end} RETURNING *)
    INSERT INTO {day} SELECT * FROM moved""",
    "ALTER TABLE event ATTACH PARTITION {day} FOR VALUES FROM ({first}) TO ({end})",
)


async def make_days(db: AsyncConnection, today: date) -> list[str]:
    """Make the partitions of the log for ``today`` and the days ahead that are missing; their names.

    Events of such a day that were recorded before its partition stood move over in the same commit.
    """
    days = [today + timedelta(days=ahead) for ahead in range(DAYS_AHEAD + 1)]
    if not await _missing(db, days):
        return []
    async with db.transaction():
        # Batches wait here and not between the steps, so that none meets the log without some of its events; and a
        # second program finds the days made. The whole log is locked, not only its last resort: a batch that had found
        # its partition before the new one stood would write where its rows no longer belong.
        await db.execute(b"LOCK TABLE event IN ACCESS EXCLUSIVE MODE")
        missing = await _missing(db, days)
        for day in missing:
            await _make_day(db, day)
    return [_name(day) for day in missing]


async def _missing(db: AsyncConnection, days: Iterable[date]) -> list[date]:
    known = {name for (name,) in await (await db.execute(_PARTITIONS)).fetchall()}
    return [day for day in days if _name(day) not in known]


def _name(day: date) -> str:
    return f"event_{day:%Y_%m_%d}"


async def _make_day(db: AsyncConnection, day: date) -> None:
    names = {
        "day": sql.Identifier(_name(day)),
        "first": sql.Literal(f"{day.isoformat()}T00:00:00Z"),
        "end": sql.Literal(f"{(day + timedelta(days=1)).isoformat()}T00:00:00Z"),
    }
    for step in _STEPS:
        await db.execute(sql.SQL(step).format(**names))
