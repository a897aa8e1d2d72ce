"""What one round of figures costs on a database that is stuck: milliseconds a statement, with long queues.

Run as ``python -m benchmarks.figures``. The database is filled with plain rows: lanes, tasks with the events they
follow from, timers that are due, sessions of banks, and open cases.
"""

import asyncio
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path
from statistics import median

import psycopg

from restante.hub.metrics.figures import AGES, MOST
from restante.store import embedded, migrate, statements
from restante.store.tables import open_tables

ROUNDS = 9

COUNTS = {"lanes": 8, "tasks": 300_000, "timers": 300_000, "banks": 50_000, "cases": 50_000}
FILL = """
INSERT INTO lane (lane) SELECT generate_series(0, %(lanes)s - 1);
INSERT INTO event (lane, seq, recorded_at, at, subject, version, schema, actor, command, body)
SELECT n %% %(lanes)s, n / %(lanes)s, now(), now(), gen_random_uuid(), 1, 1, 'a', 'c', 'b'
FROM generate_series(1, %(tasks)s) n;
INSERT INTO task (lane, seq, ordinal, body)
SELECT n %% %(lanes)s, n / %(lanes)s, 0, '{"task":"send-notice","parcel":"00000000-0000-7000-8000-000000000000"}'
FROM generate_series(1, %(tasks)s) n;
INSERT INTO timer (lane, parcel, kind, org, due)
SELECT n %% %(lanes)s, gen_random_uuid(), 'remind', 'o', now() - n * interval '1 ms'
FROM generate_series(1, %(timers)s) n;
INSERT INTO source_session (lane, source, point, session, heard_at)
SELECT n %% %(lanes)s, gen_random_uuid(), gen_random_uuid(), md5(n::text), now() - n * interval '1 s'
FROM generate_series(1, %(banks)s) n;
INSERT INTO open_case
SELECT n %% %(lanes)s, gen_random_uuid(), gen_random_uuid(), 'door-stuck', now() - n * interval '1 s'
FROM generate_series(1, %(cases)s) n;
ANALYZE;
"""


async def _measure(dsn: str) -> None:
    asked = {"now": datetime.now(UTC), "most": MOST, "bounds": list(AGES.values())[1:]}
    async with open_tables(dsn, name="benchmark", size=1, read_only=True) as tables:
        for name, statement in statements.load("restante.hub.metrics").items():
            took_ms = []
            for _ in range(ROUNDS):
                begun_s = time.perf_counter()
                await tables.rows(statement.text.encode(), asked)
                took_ms.append((time.perf_counter() - begun_s) * 1e3)
            print(f"{name:8} {median(took_ms):7.1f} ms (up to {max(took_ms):.1f})")


def main() -> None:
    """Fill a database and measure."""
    with tempfile.TemporaryDirectory(prefix="restante-figures-") as folder:
        Path(folder).chmod(0o711)
        with embedded.server(Path(folder) / "state", settings={"fsync": "off"}) as server:
            migrate.migrate_at(server.dsn)
            with psycopg.connect(server.dsn, autocommit=True) as db:
                for statement in FILL.split(";")[:-1]:
                    db.execute(statement.encode(), COUNTS)
            asyncio.run(_measure(server.dsn))
        embedded.discard(Path(folder) / "state")


if __name__ == "__main__":
    main()
