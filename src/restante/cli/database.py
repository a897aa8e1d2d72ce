"""`restante db`: the database that a hub keeps its truth in, started, stopped, brought up to date and checked."""

import asyncio
import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import App, Parameter

from restante.cli.ending import Stop, say

if TYPE_CHECKING:
    from restante.store.embedded import Server

app = App(name="db", help="Start, stop, migrate, copy and check the database.")
app.command("restante.cli.replicas:replica", name="replica", help="Make or start a replica of the database.")
app.command("restante.cli.replicas:promote", name="promote", help="Have a replica lead.")
app.command("restante.cli.backups:backup", name="backup", help="Copy the database while it runs.")
app.command("restante.cli.retiring:retire", name="retire", help="Export and drop old days of the log.")
app.command("restante.cli.backups:restore", name="restore", help="Bring a backup to any instant since.")

Json = Annotated[bool, Parameter(name="--json", negative="", help="Print one JSON document.")]


@app.command
def start() -> None:
    """Start the database server of the state folder, with its replicas, and leave it running.

    With DATABASE_URL there is none to start.
    """
    server = own_server()
    server.start()
    for replica in _replicas(server):
        replica.start()
    print(f"The database runs (process {server.pid}). Its data: {server.home}")


@app.command
def stop() -> None:
    """Stop the database server of the state folder, and its replicas, whoever uses it. What is committed is safe."""
    server = own_server()
    server.stop()
    for replica in _replicas(server):
        replica.stop()
    print("The database is stopped.")


@app.command
def status(*, json: Json = False) -> None:
    """Say whether the database answers, and which migrations it has."""
    found = _status()
    if json:
        say(found)
    else:
        print(*(f"{name:12}{value}" for name, value in found.items()), sep="\n")
    if not found["answers"]:
        raise Stop("database-down", rule="The database does not answer.", detail="Start it: restante db start")


@app.command
def migrate() -> None:
    """Bring the database up to this version; harmless to repeat, and several programs may try at once."""
    from restante.store.migrate import migrate_at

    def tell(awaited: str, waited_s: int) -> None:
        print(f"Waits for {awaited}, {waited_s} s so far.", file=sys.stderr)

    with database(os.environ) as dsn:
        applied = migrate_at(dsn, tell=tell)
    print(f"Applied {len(applied)}: {', '.join(each.name for each in applied)}" if applied else "Nothing to apply.")


@app.command
def check(*, json: Json = False) -> None:
    """Compute everything that is stored twice again and compare; best while nothing is written. Exit 1 on findings."""
    with database(os.environ) as dsn:
        findings = asyncio.run(_findings(dsn))
    if json:
        say([{"what": one.what, "key": one.key, "detail": one.detail} for one in findings])
    for one in () if json else findings:
        print(f"{one.what}: {one.key} {one.detail}")
    if findings:
        raise Stop(
            "ledger-disagrees", rule="The ledger does not agree with itself.", detail=f"{len(findings)} findings"
        )
    if not json:
        print("The ledger agrees with itself.")


@app.command
def restored() -> None:
    """Say that the database was put back from a backup, before a hub starts on it: sources take its manifests again.

    Manifests are ordered by the hub's epoch first; a later one leads, whatever was issued after the backup was made.
    """
    with database(os.environ) as dsn:
        epoch = asyncio.run(later_epoch(dsn))
    print(f"Epoch {epoch} of this hub has begun. Start the hub: restante hub")


@contextmanager
def database(environ: Mapping[str, str]) -> Iterator[str]:
    """The address of the database that the settings name, running for as long as this lasts. Faults: ``resolve``'s."""
    from restante.store.embedded import resolve

    kept, settings = archive_folder(environ), server_settings(environ)
    with resolve(environ, database_folder(environ), settings=settings, archive=kept) as dsn:
        yield dsn


def database_folder(environ: Mapping[str, str]) -> Path:
    """Where the program's own database server keeps its data."""
    from restante.hub.settings import read_settings, state_folder

    return state_folder(read_settings(environ)) / "database"


def archive_folder(environ: Mapping[str, str]) -> Path | None:
    """Where the program's own database server archives its log, if it is told to."""
    from restante.hub.settings import read_settings

    named = read_settings(environ).database_archive
    return Path(named).expanduser().absolute() if named else None


def server_settings(environ: Mapping[str, str]) -> Mapping[str, str]:
    """What the settings tell the program's own database server."""
    from restante.hub.settings import read_settings

    return {"synchronous_commit": read_settings(environ).database_commit}


def own_server() -> "Server":
    """The program's own database server: of those that belong together, the one that leads."""
    from restante.store import kinship
    from restante.store.embedded import Server

    if os.environ.get("DATABASE_URL"):
        raise Stop("database-foreign", field="DATABASE_URL", rule="That database is started and stopped where it runs.")
    leader = kinship.leading(database_folder(os.environ))
    return Server(leader, settings=server_settings(os.environ), archive=archive_folder(os.environ))


def _replicas(leader: "Server") -> list["Server"]:
    """Those replicas whose folders are there, and that have not begun to lead."""
    from restante.store import kinship

    here = [leader.over(folder) for folder in kinship.present(leader.state)]
    return [one for one in here if one.is_replica()]


def _status() -> dict[str, Any]:
    import msgspec

    from restante.store.connect import DatabaseUnreachable
    from restante.store.migrate import status_at
    from restante.store.replica import followers

    given = os.environ.get("DATABASE_URL", "")
    server = None if given else own_server()
    told: dict[str, Any] = {"where": "DATABASE_URL" if server is None else str(server.home)}
    if server is not None and not server.is_alive():
        return told | {"answers": False}
    try:
        found = status_at(given if server is None else server.dsn)
    except DatabaseUnreachable as fault:
        return told | {"answers": False, "why": str(fault)}
    kin = {"replicas": [msgspec.to_builtins(each) for each in followers(server)]} if server else {}
    pending, ahead = ([each.name for each in some] for some in (found.pending, found.ahead))
    return told | {"answers": True, "applied": len(found.applied), "pending": pending, "ahead": ahead} | kin


async def _findings(dsn: str) -> list[Any]:
    from restante.store.check import check as check_ledger
    from restante.store.postgres import open_ledger

    async with open_ledger(dsn) as ledger:
        return list(await check_ledger(ledger, await ledger.cuts()))


async def later_epoch(dsn: str) -> int:
    """Begin a later epoch of the hub; which one."""
    from datetime import UTC, datetime

    from restante.hub.fleet.shelf import begin_hub_epoch
    from restante.store.tables import open_tables

    async with open_tables(dsn, name="restante db") as tables:
        return await begin_hub_epoch(tables, datetime.now(UTC))
