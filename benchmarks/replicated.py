"""What each choice of ``synchronous_commit`` costs: durable custody transitions per second with one replica.

Leader, replica and one writer share the machine. Runs are interleaved and repeated; medians stand with their extremes.
"""

import argparse
import asyncio
import statistics
import sys
import tempfile
from pathlib import Path
from typing import Final

import psycopg
from psycopg.conninfo import make_conninfo
from rich.console import Console
from rich.progress import track

from benchmarks import custody
from benchmarks.writer import Order
from restante.sim.failover import CHOICES
from restante.store import embedded, migrate, replica

COMMANDS: Final = {1: 600, 256: 12_000}
"""Commands per run, by size of batch."""


def run(repeats: int, console: Console) -> dict[tuple[str, int], list[float]]:
    """Transitions per second of each run, by choice and size of batch."""
    with tempfile.TemporaryDirectory(prefix="restante-bench-", ignore_cleanup_errors=True) as closed:
        place = Path(closed)
        place.chmod(0o711)
        leader = embedded.Server(place / "first", settings={"synchronous_commit": "on"})
        try:
            leader.start()
            with psycopg.connect(leader.dsn, autocommit=True) as db:
                migrate.migrate(db)
            asyncio.run(custody._prepare(leader.dsn))
            replica.make(leader, place / "second")
            return _measured(leader, repeats, console)
        finally:
            for name in ("first", "second"):
                embedded.discard(place / name)


def _measured(leader: embedded.Server, repeats: int, console: Console) -> dict[tuple[str, int], list[float]]:
    assert leader.pid is not None
    rates = dict[tuple[str, int], list[float]]()
    plan = [(repeat, choice, batch) for repeat in range(repeats) for choice in CHOICES for batch in COMMANDS]
    for number, (_, choice, batch) in enumerate(track(plan, console=console, description="runs")):
        dsn = make_conninfo(leader.dsn, options=f"-c synchronous_commit={choice}")
        stints = custody._run([Order(dsn, leader.pid, 0, number, batch, COMMANDS[batch])])
        assert not any(stint.refused for stint in stints), stints
        rates.setdefault((choice, batch), []).append(custody._rate(stints))
    return rates


def main() -> int:
    """Run from a command line."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--repeats", type=int, default=3, help="how often each choice is measured")
    given = options.parse_args()
    for (choice, batch), rates in run(given.repeats, Console(stderr=True)).items():
        spread = f"{min(rates):,.0f} – {max(rates):,.0f}"
        sys.stdout.write(f"{choice}, batches of {batch}: {statistics.median(rates):,.0f} a second ({spread})\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
