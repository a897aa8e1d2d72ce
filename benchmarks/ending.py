"""What every benchmark here does alike: a server of its own, options, a report for people or machines, an exit code."""

import argparse
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol, TypeVar

import msgspec
import psycopg
from rich.console import Console

from restante.store import embedded, migrate

SETTINGS: Mapping[str, str] = {"max_wal_size": "2GB", "shared_buffers": "512MB"}


class Judged(Protocol):
    """A report that can fail: ``wrong`` makes its figures worthless, ``missed`` names floors that were not reached."""

    @property
    def wrong(self) -> Sequence[str]:
        """Why the figures do not count."""

    @property
    def missed(self) -> Sequence[str]:
        """Floors that were missed."""


R = TypeVar("R", bound=Judged)


@contextmanager
def own_server(settings: Mapping[str, str] = SETTINGS) -> Iterator[tuple[embedded.Server, Path]]:
    """A migrated server with ``fsync`` as in production and a state folder, both thrown away afterwards."""
    with tempfile.TemporaryDirectory(prefix="restante-bench-", ignore_cleanup_errors=True) as closed:
        Path(closed).chmod(0o711)
        folder = Path(closed) / "state"
        try:
            with embedded.server(folder, settings=settings) as server:
                with psycopg.connect(server.dsn, autocommit=True) as db:
                    migrate.migrate(db)
                yield server, folder
        finally:
            embedded.discard(folder)


def options(about: str | None) -> argparse.ArgumentParser:
    """The options that all benchmarks take."""
    made = argparse.ArgumentParser(description=about, formatter_class=argparse.RawDescriptionHelpFormatter)
    made.add_argument("--scale", type=float, default=1.0, help="how much work, relative to the standard amount")
    made.add_argument("--json", action="store_true", help="print the report as JSON")
    made.add_argument("--no-floors", action="store_true", help="do not fail when a floor is missed")
    return made


def tell(report: R, given: argparse.Namespace, show: Callable[[R, Console], None]) -> int:
    """Print a report; 0 when its figures count and every floor was reached."""
    if given.json:
        sys.stdout.write(msgspec.json.encode(report).decode() + "\n")
    else:
        console = Console()
        show(report, console)
        for word in (*report.wrong, *report.missed):
            console.print(f"[red]✗ {word}[/red]")
    return exit_code(report, floors=not given.no_floors)


def exit_code(report: Judged, *, floors: bool) -> int:
    """0 when nothing is wrong and, if ``floors`` count, none was missed."""
    return 1 if report.wrong or (floors and report.missed) else 0
