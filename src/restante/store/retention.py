"""Days of the log that are older than the audit period: each is exported to a file, checked, and dropped as a whole.

Theory of operation. Nothing goes that somebody still needs. A day stays when a task or a reader of the feed has not
come past it, when it is younger than the period, or when the hub's epoch is young: sources may still be sending again
what a restored backup had not. Of a day that goes, events stay whose parcel was not over before the period, has a case
open or was changed meanwhile, and events about points; they move to the partition of other days. Oldest days go first,
so that of each parcel the beginning goes before the end. The file is whole and durable before anything is dropped; a
run that was cut off is run again and finds the file, which it writes anew.
"""

import gzip
import hashlib
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import IO, Any, Final

import msgspec
import psycopg
from psycopg import sql

from restante.core.ids import Lane
from restante.core.parcel import idle_since
from restante.core.time import Instant
from restante.store import bodies, connect, statements

LEAST_DAYS: Final = 30
"""The shortest audit period: readers of the feed may be away for so long without telling anybody."""

SETTLED_DAYS: Final = 7
"""How old the hub's epoch must be."""

_SQL: Final = {name: one.text.encode() for name, one in statements.load("restante.store", "sql/retention.sql").items()}
_PAGE: Final = 5_000
_COLUMNS: Final = ("lane", "seq", "recorded_at", "at", "subject", "version", "org", "schema", "actor", "command")
_encode: Final = msgspec.json.Encoder().encode


class Retired(msgspec.Struct, frozen=True):
    """A day that is gone: its events, those of them that stayed, the file they are all in, and how long it took.

    ``locked_s`` is for how long batches had to wait.
    """

    day: date
    events: int
    kept: int
    file: str
    seconds: float
    locked_s: float


class Kept(msgspec.Struct, frozen=True):
    """A day that stays although it is old enough, and why: ``task-owed``, ``reader-behind`` or ``epoch-young``."""

    day: date
    why: str


class Limits(msgspec.Struct, frozen=True):
    """What decides: the first instant of the period, and of each lane the last position that everybody has passed."""

    before: Instant
    passed: Mapping[Lane, int]
    why: Mapping[Lane, str]


def retire(
    dsn: str, folder: Path, *, keep_days: int, now: Instant, readers: Iterable[Mapping[Lane, int]] = ()
) -> Iterator[Retired | Kept]:
    """Export and drop the days that ended ``keep_days`` before ``now``, oldest first; ends at the first that stays.

    ``readers`` are positions that readers of the feed are known to have reached; ``keep_days`` is at least
    ``LEAST_DAYS``. Raises psycopg's errors: a day is dropped whole or not at all.
    """
    assert keep_days >= LEAST_DAYS
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    target = connect.conninfo(dsn, name="restante db retire", settings={"timezone": "UTC"})
    with psycopg.connect(target, autocommit=True) as db:
        before = datetime.combine(now.date() - timedelta(days=keep_days), datetime.min.time(), UTC)
        old = [day for day in _days(db) if day < before.date()]
        ((began_at,),) = db.execute(_SQL["epoch_began"]).fetchall()
        if old and began_at > now - timedelta(days=SETTLED_DAYS):
            yield Kept(old[0], "epoch-young")
            return
        limits = _limits(db, before, readers)
        for day in old:
            heads = _heads(db, day)
            if (why := _needed(heads, limits)) is not None:
                yield Kept(day, why)
                return
            yield _retire(db, day, folder, heads=heads, limits=limits, now=now)


def _days(db: psycopg.Connection) -> list[date]:
    names = [name for (name,) in db.execute(_SQL["days"]).fetchall()]
    return sorted(date(*map(int, name.removeprefix("event_").split("_"))) for name in names)


def _table(day: date) -> sql.Identifier:
    return sql.Identifier(f"event_{day:%Y_%m_%d}")


def _limits(db: psycopg.Connection, before: Instant, readers: Iterable[Mapping[Lane, int]]) -> Limits:
    """The least that tasks and readers have passed, lane by lane. A reader that names no lane has read none of it."""
    passed: dict[Lane, int] = {Lane(lane): seq - 1 for lane, seq in db.execute(_SQL["owed"]).fetchall()}
    why = dict.fromkeys(passed, "task-owed")
    lanes = [Lane(lane) for (lane,) in db.execute("SELECT lane FROM lane").fetchall()]
    for reader in readers:
        for lane in lanes:
            if (at := reader.get(lane, 0)) < passed.get(lane, at + 1):
                passed[lane], why[lane] = at, "reader-behind"
    return Limits(before, passed, why)


def _heads(db: psycopg.Connection, day: date) -> dict[Lane, tuple[int, int]]:
    """Of each lane how many events a day has, and the position of the last one."""
    query = sql.SQL("SELECT lane, count(*), max(seq) FROM {} GROUP BY lane").format(_table(day))
    return {Lane(lane): (count, last) for lane, count, last in db.execute(query).fetchall()}


def _needed(heads: Mapping[Lane, tuple[int, int]], limits: Limits) -> str | None:
    """Why a day must stay; None when everybody has passed it."""
    behind = [lane for lane, (_, last) in heads.items() if last > limits.passed.get(lane, last)]
    return limits.why[min(behind)] if behind else None


def _retire(
    db: psycopg.Connection,
    day: date,
    folder: Path,
    *,
    heads: Mapping[Lane, tuple[int, int]],
    limits: Limits,
    now: Instant,
) -> Retired:
    began_at = datetime.now(UTC)
    path = folder / f"events-{day.isoformat()}.jsonl.gz"
    written, digest = _export(db, day, path)
    seen = db.execute("SELECT lane, head FROM lane").fetchall()
    _choose(db, day, limits.before)
    with db.transaction():
        _set_aside(db, day, expected=written)
        locked_at = datetime.now(UTC)
        kept = _drop(db, day, seen=seen)
        for lane, (events, last) in heads.items():
            counts = {"last_seq": last, "events": events, "kept": kept.get(lane, 0)}
            given = {"lane": lane, "day": day, **counts, "file_sha256": digest, "retired_at": now}
            db.execute(_SQL["note_day"], given)
    ended_at = datetime.now(UTC)
    return Retired(
        day=day,
        events=written,
        kept=sum(kept.values()),
        file=str(path),
        seconds=round((ended_at - began_at).total_seconds(), 3),
        locked_s=round((ended_at - locked_at).total_seconds(), 3),
    )


def _export(db: psycopg.Connection, day: date, path: Path) -> tuple[int, str]:
    """Write a day into a file, durable under its name; how many events, and the file's SHA-256."""
    fresh = path.with_name(f"{path.name}.part")
    count = 0
    with fresh.open("wb") as raw, gzip.GzipFile(fileobj=raw, mode="wb", compresslevel=3, mtime=0, filename="") as file:
        for row in _rows(db, day):
            file.write(_line(row))
            count += 1
    with fresh.open("rb") as written:
        digest = hashlib.file_digest(written, "sha256").hexdigest()
        os.fsync(written.fileno())
    fresh.replace(path)
    _sync(path.parent)
    return count, digest


def _rows(db: psycopg.Connection, day: date) -> Iterator[tuple[Any, ...]]:
    """A day's events in the order of each lane, fetched some thousand at a time."""
    query = sql.SQL("SELECT {}, body FROM {} ORDER BY lane, seq").format(
        sql.SQL(", ").join(map(sql.Identifier, _COLUMNS)), _table(day)
    )
    with db.transaction(), db.cursor("day") as cursor:
        cursor.itersize = _PAGE
        cursor.execute(query)
        yield from cursor


def _line(row: tuple[Any, ...]) -> bytes:
    *columns, body = row
    told = dict(zip(_COLUMNS, columns, strict=True)) | {"event": msgspec.Raw(body)}
    return _encode(told) + b"\n"


def read_lines(file: IO[bytes]) -> Iterator[dict[str, Any]]:
    """The events of an exported day as they stand in its file."""
    with gzip.open(file) as lines:
        yield from map(msgspec.json.decode, lines)


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _choose(db: psycopg.Connection, day: date, before: Instant) -> None:
    """Note the parcels whose events of a day may go."""
    query = sql.SQL(
        "SELECT p.lane, p.id, p.body FROM (SELECT DISTINCT lane, subject FROM {}) s"
        " JOIN parcel p ON p.lane = s.lane AND p.id = s.subject"
    ).format(_table(day))
    db.execute("CREATE TEMP TABLE IF NOT EXISTS retiring (lane integer, id uuid, PRIMARY KEY (lane, id))")
    db.execute("TRUNCATE retiring")
    with db.transaction(), db.cursor("subjects") as cursor:
        cursor.execute(query)
        while rows := cursor.fetchmany(_PAGE):
            with db.cursor() as writing, writing.copy("COPY retiring FROM STDIN") as copy:
                for lane, key, body in rows:
                    if _is_over(body, before):
                        copy.write_row((lane, key))


def _is_over(body: bytes, before: Instant) -> bool:
    parcel = bodies.PARCEL.decode(body)
    idle = idle_since(parcel)
    return idle is not None and idle < before and not parcel.cases


def _set_aside(db: psycopg.Connection, day: date, *, expected: int) -> None:
    """Copy what stays of a day, which nobody can write to from here on; everybody may still read and write the log."""
    db.execute(sql.SQL("LOCK TABLE {} IN SHARE MODE").format(_table(day)))
    row = db.execute(sql.SQL("SELECT count(*) FROM {}").format(_table(day))).fetchone()
    assert row is not None
    if row[0] != expected:
        raise psycopg.errors.SerializationFailure(f"{day}: {row[0]} events, but {expected} were exported")
    db.execute(
        sql.SQL(
            "CREATE TEMP TABLE staying ON COMMIT DROP AS SELECT d.* FROM {} d"
            " LEFT JOIN retiring r ON r.lane = d.lane AND r.id = d.subject WHERE r.id IS NULL"
        ).format(_table(day))
    )


def _drop(db: psycopg.Connection, day: date, *, seen: Sequence[tuple[Any, ...]]) -> dict[Lane, int]:
    """Take a day out of the log, put what stays back, and drop it; how many events stayed, by lane.

    Batches wait meanwhile, so no more is done than has to be: whose parcel has moved since it was judged is told by the
    events after the heads that were ``seen`` before.
    """
    db.execute("SET LOCAL lock_timeout = '2s'")
    db.execute("LOCK TABLE event IN ACCESS EXCLUSIVE MODE")
    lanes, heads = [lane for lane, _ in seen], [head for _, head in seen]
    db.execute(
        sql.SQL(
            "INSERT INTO staying SELECT d.* FROM ("
            " SELECT DISTINCT e.lane, e.subject FROM unnest(%s::int[], %s::bigint[]) h (lane, head)"
            " JOIN event e ON e.lane = h.lane AND e.seq > h.head"
            " JOIN retiring r ON r.lane = e.lane AND r.id = e.subject) m"
            " JOIN {} d ON d.lane = m.lane AND d.subject = m.subject"
        ).format(_table(day)),
        [lanes, heads],
    )
    db.execute(sql.SQL("ALTER TABLE event DETACH PARTITION {}").format(_table(day)))
    db.execute("INSERT INTO event SELECT * FROM staying")
    db.execute(sql.SQL("DROP TABLE {}").format(_table(day)))
    return {
        Lane(lane): kept for lane, kept in db.execute("SELECT lane, count(*) FROM staying GROUP BY lane").fetchall()
    }
