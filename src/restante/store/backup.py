"""Backups of the program's own server, and its state at any instant since, from a backup and the archive of its log.

A backup is a folder with the copied files in ``data``, their manifest among them, and the server's password. It is
checked against the manifest when it is made, and named only then; and again before anything is restored from it.
"""

import os
import shutil
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Final

import psycopg

from restante.core.refusals import Fault
from restante.store import archive, places, processes, replica
from restante.store.embedded import Server, ServerFailed, discard, last_line, written_by
from restante.store.programs import Account, Programs, binaries

RESTORE_S: Final = 24 * 3600.0
"""The longest that applying an archive may take."""

_FOLDERS: Final = ("data", "password")


class BackupFailed(Fault):
    """No backup was made; the database is as it was."""

    retryable = True


class BackupBroken(Fault):
    """The backup is not whole, or is none; nothing was restored."""


class RestoreFailed(Fault):
    """The instant asked for could not be reached; nothing is left of the attempt."""


def back_up(server: Server, folder: Path) -> int:
    """Copy the running server over into ``folder``, which must not exist, and check it; how many bytes it takes.

    Faults: ``BackupFailed``, ``ClusterBroken``.
    """
    folder = folder.absolute()
    if os.path.lexists(folder):
        raise BackupFailed(f"{folder} exists: name a new folder")
    fresh = places.lent(folder.with_name(f"{folder.name}.part"), server.account)
    try:
        tools = server.tools()
        command = replica.base_backup(server, tools, fresh / "data", *(["--no-sync"] if server.is_careless else []))
        done = server.account.run(command, timeout_s=None, secret=server.password)
        if done.returncode != 0:
            raise BackupFailed(f"The database could not be copied: {last_line(done.stderr)}")
        _verify(tools, server.account, fresh / "data")
        places.write(fresh / "password", server.password, owner=server.account)
        fresh.rename(folder)
        places.sync(folder.parent)
    finally:
        shutil.rmtree(fresh, ignore_errors=True)
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def _verify(tools: Programs, account: Account, data: Path) -> None:
    """Compare copied files with their manifest, their log included. Fault: ``BackupBroken``."""
    done = account.run([tools.path("pg_verifybackup"), "-q", data], timeout_s=None)
    if done.returncode != 0:
        raise BackupBroken(f"The backup is not as its manifest says: {last_line(done.stderr)}")


def restore(
    folder: Path, state: Path, *, kept: Path | None, until: datetime | None, settings: Mapping[str, str] | None = None
) -> Server:
    """Bring a backup to the state just before ``until``, or to the end of the archive ``kept``, as a running server.

    ``state`` must hold no database. Without an archive it is the backup's own moment. Faults: ``BackupBroken``,
    ``RestoreFailed``, those of ``Server``.
    """
    folder = folder.absolute()
    if not all((folder / part).exists() for part in _FOLDERS):
        raise BackupBroken(f"{folder} is no backup of this program")
    if (state / "password").exists() or (state / "cluster").exists():
        raise RestoreFailed(f"{state} holds a database: stop it and move that folder away first")
    # Only programs of the version that wrote a backup can read it.
    tools = binaries(major=written_by(folder / "data"))
    places.write(places.private(state) / "password", (folder / "password").read_text())
    server = Server(state, settings=settings, archive=kept, programs=tools)
    recovering = Server(state, settings={**(settings or {}), **_target(kept, until)}, archive=kept, programs=tools)
    try:
        with server.alone():
            server.fill(lambda tools, fresh: _unpack(tools, server.account, folder=folder, fresh=fresh))
            places.write(server.data / "recovery.signal", "", owner=server.account)
            _recover(recovering)
            server.halt()
            server.ensure()
    except Fault:
        discard(state)
        raise
    return server


def _unpack(tools: Programs, account: Account, *, folder: Path, fresh: Path) -> None:
    done = account.run(["/bin/cp", "-a", "--reflink=auto", folder / "data", fresh], timeout_s=None)
    if done.returncode != 0:
        raise BackupBroken(f"{folder} cannot be read by the account of the database: {last_line(done.stderr)}")
    _verify(tools, account, fresh)


def _target(kept: Path | None, until: datetime | None) -> Mapping[str, str]:
    """The settings of a recovery that ends by itself. It stops before ``until``: what was done then was the mistake."""
    fetch = archive.fetching(kept) if kept else "false"
    told = {"restore_command": fetch, "recovery_target_action": "promote"}
    if until is None:
        return told | ({} if kept else {"recovery_target": "immediate"})
    return told | {"recovery_target_time": until.isoformat(), "recovery_target_inclusive": "off"}


def _recover(server: Server) -> None:
    """Start a server that has log to apply, and wait until it has and takes writes; its lock must be held."""
    try:
        server.ensure()
    except ServerFailed as failed:
        if server.pid is None:
            raise RestoreFailed(f"The archive does not lead to that instant: {failed}") from failed
    ended = processes.wait_until(lambda: server.pid is None or _takes_writes(server), limit_s=RESTORE_S)
    if server.pid is None or not ended:
        raise RestoreFailed(f"The archive does not lead to that instant: {server.last_words()}")


def _takes_writes(server: Server) -> bool:
    try:
        with psycopg.connect(server.address("postgres"), connect_timeout=5, autocommit=True) as db:
            return db.execute("SELECT NOT pg_is_in_recovery()").fetchone() == (True,)
    except psycopg.OperationalError:
        return False
