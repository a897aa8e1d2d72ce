"""What PostgreSQL does without batches: pgbench with the best single statement we know for one transition.

One data-modifying statement a transaction, prepared, sixteen clients, on the hub's own tables: it updates the parcel
and the room's counter, and inserts the event, the task and the receipt. Positions come from a sequence, because a lock
on the lane would make it wait for every commit in turn: so it is spared the order that the engine's log has.
"""

import os
import re
import resource
import subprocess
import tempfile
from pathlib import Path
from typing import Final

import psycopg
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from benchmarks.cpu import server_seconds
from restante.store import migrate
from restante.store.programs import Programs

CLIENTS: Final = 16

_SEED: Final = """
    CREATE SEQUENCE position;
    INSERT INTO parcel
    SELECT 0, lpad(to_hex(n), 32, '0')::uuid, 'nordpost', 'CODE', 1, convert_to(repeat('p', 700), 'UTF8')
    FROM generate_series(1, 50000) n;
    INSERT INTO room SELECT 0, lpad(to_hex(n), 32, '0')::uuid, 1, convert_to(repeat('r', 450), 'UTF8')
    FROM generate_series(1, 200) n;
"""
_TRANSITION: Final = """
\\set parcel random(1, 50000)
\\set room random(1, 200)
WITH moved AS (
    UPDATE parcel SET version = version + 1, body = convert_to(repeat('q', 700), 'UTF8')
    WHERE lane = 0 AND id = lpad(to_hex(:parcel::int), 32, '0')::uuid RETURNING id, version, org
), counted AS (
    UPDATE room SET version = version + 1, body = convert_to(repeat('s', 450), 'UTF8')
    WHERE lane = 0 AND point = lpad(to_hex(:room::int), 32, '0')::uuid RETURNING point
), logged AS (
    INSERT INTO event (lane, seq, recorded_at, at, subject, version, org, schema, actor, command, body)
    SELECT 0, nextval('position'), now(), now(), id, version, org, 1, 'carrier', gen_random_uuid()::text,
        convert_to(repeat('e', 250), 'UTF8')
    FROM moved RETURNING seq, command, org
), owed AS (
    INSERT INTO task (lane, seq, ordinal, org, body)
    SELECT 0, seq, 0, org, convert_to(repeat('t', 120), 'UTF8') FROM logged
)
INSERT INTO receipt (lane, command, fingerprint, outcome, at)
SELECT 0, command, '\\x00112233445566778899aabbccddeeff', convert_to(repeat('o', 40), 'UTF8'), now() FROM logged;
"""


class PlainSql:
    """A database of its own on the server under test, and pgbench to run against it."""

    def __init__(self, server_dsn: str, programs: Programs, *, postmaster: int) -> None:
        self._postmaster = postmaster
        self._program = programs.path("pgbench")
        with psycopg.connect(server_dsn, autocommit=True) as db:
            db.execute("CREATE DATABASE plain_sql")
        self._dsn = make_conninfo(server_dsn, dbname="plain_sql")
        with psycopg.connect(self._dsn, autocommit=True) as db:
            migrate.migrate(db)
            db.execute(_SEED)
            db.execute("VACUUM ANALYZE")

    def run(self, seconds: int) -> tuple[float, float]:
        """Transitions per second, and processor seconds per transition of server and pgbench.

        Fails when a transaction failed or one of its five rows was not written.
        """
        before, cpu = self._written(), self._cpu_seconds()
        given = conninfo_to_dict(self._dsn)
        with tempfile.TemporaryDirectory() as place:
            script = Path(place) / "transition.sql"
            script.write_text(_TRANSITION)
            options = ["-n", "-M", "prepared", "-c", str(CLIENTS), "-j", "2", "-T", str(seconds), "-f", str(script)]
            done = subprocess.run(
                [str(self._program), *options],
                env={
                    **os.environ,
                    "PGHOST": str(given["host"]),
                    "PGPORT": str(given.get("port", 5432)),
                    "PGUSER": str(given["user"]),
                    "PGPASSWORD": str(given["password"]),
                    "PGDATABASE": str(given["dbname"]),
                },
                capture_output=True,
                text=True,
                check=False,
            )
        if done.returncode != 0:
            raise RuntimeError(f"pgbench failed: {done.stderr[-400:]}")
        processed = int(_found(r"transactions actually processed: (\d+)", done.stdout))
        rows = [after - then for after, then in zip(self._written(), before, strict=True)]
        if rows != [processed] * len(rows):
            raise RuntimeError(f"pgbench counts {processed} transactions, the tables {rows}")
        return float(_found(r"tps = ([\d.]+)", done.stdout)), (self._cpu_seconds() - cpu) / processed

    def _cpu_seconds(self) -> float:
        ended = resource.getrusage(resource.RUSAGE_CHILDREN)
        return server_seconds(self._postmaster) + ended.ru_utime + ended.ru_stime

    def _written(self) -> list[int]:
        with psycopg.connect(self._dsn) as db:
            row = db.execute(
                "SELECT (SELECT sum(version) FROM parcel), (SELECT sum(version) FROM room),"
                " (SELECT count(*) FROM event), (SELECT count(*) FROM task), (SELECT count(*) FROM receipt)"
            ).fetchone()
        assert row is not None
        return [int(number) for number in row]


def _found(pattern: str, text: str) -> str:
    match = re.search(pattern, text)
    if match is None:
        raise RuntimeError(f"pgbench said nothing of {pattern!r}: {text}")
    return match[1]
