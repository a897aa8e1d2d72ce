"""A replica of the program's own server: made, started, made anew, and promoted when it is to lead.

Theory of operation. A replica is a server over a state folder of its own, on the same machine and with the same
password, that follows the leader's log through a replication slot. Each folder notes which one leads (``kinship``). A
promotion shuts the old leader out before the new one may write: under both folders' locks the old one is seen to be
dead, or is stopped, and noted as a follower, which the supervisor then refuses to start. So no two of them lead at
once, as long as both folders can be reached. The old leader becomes a replica again by winding it back to where the two
parted, or by a fresh copy.
"""

import re
import shutil
from collections.abc import Callable, Mapping
from contextlib import nullcontext, suppress
from decimal import Decimal
from pathlib import Path
from typing import Final, Literal

import msgspec
import psycopg
from psycopg.conninfo import make_conninfo

from restante.core.refusals import Fault
from restante.store import kinship, places, processes
from restante.store.embedded import DATABASE, Server, last_line
from restante.store.programs import Programs

CATCH_UP_S: Final = 60.0
_PROMOTE_S: Final = 60
# Where a replica stands that receives nothing and has applied all that it could read.
_RESTS_AT: Final = (
    b"SELECT pg_last_wal_replay_lsn()::text FROM pg_stat_activity WHERE backend_type = 'startup'"
    b" AND wait_event IN ('RecoveryWalStream', 'RecoveryRetrieveRetryInterval')"
    b" AND NOT EXISTS (SELECT FROM pg_stat_wal_receiver WHERE status = 'streaming')"
)
_RECORD: Final = re.compile(r"\blsn: ([0-9A-F]+/[0-9A-F]+), .*?\bdesc: (\w+)")

Made = Literal["copied", "wound back", "started"]


class ReplicaFailed(Fault):
    """The replica could not be made or promoted; the leader is as it was."""

    retryable = True


class FolderTaken(Fault):
    """The folder named for a replica holds something else."""


class CommitsLacking(Fault):
    """The replica has not received all that the leader may have acknowledged."""


class PrimaryAnswers(Fault):
    """The leader still runs: two of them would each take commands that the other one never hears of."""


class Parting(msgspec.Struct, frozen=True):
    """Where a replica stands beside its leader.

    ``commits_lost`` are those the leader's log holds and the replica has not received; None if that log is out of
    reach. What the leader had not yet written to its log (``synchronous_commit = off``) nobody can count.
    """

    received: str
    commits_lost: int | None


class Follower(msgspec.Struct, frozen=True):
    """A replica as its leader sees it: how many bytes of log it has yet to apply, and whether commits wait for it."""

    folder: str
    streams: bool
    behind_bytes: int | None
    sync: str


_ABSENT: Final = Follower("", streams=False, behind_bytes=None, sync="")


def make(leader: Server, folder: Path, *, anew: bool = False) -> Made:
    """Have a running replica of ``leader`` over ``folder``: made if there is none, else started.

    ``anew`` agrees that what ``folder`` holds is thrown away: an old leader is wound back, if it can be, else copied.
    The leader must run. Faults: ``ReplicaFailed``, those of ``Server``.
    """
    replica = _member(leader, folder)
    with replica.alone():
        made: Made = "started"
        if not replica.data.exists():
            made = _copy(leader, replica)
        elif anew:
            made = _again(leader, replica)
        elif not (replica.is_replica() and kinship.followed(replica.state) == leader.state):
            raise FolderTaken(f"{replica.state} holds another database: to throw that away, add --anew")
        kinship.follow(replica.state, leader.state)
        replica.ensure()
    kinship.set_replicas(leader.state, (*kinship.replicas(leader.state), replica.state))
    _reconfigure(leader, {})
    return made


def _member(leader: Server, folder: Path) -> Server:
    """The server over ``folder``, with the leader's password if it is a new one."""
    state = places.private(folder.resolve())
    if state == leader.state:
        raise FolderTaken(f"{state} holds the database that leads: name another folder")
    if not (state / "password").exists():
        places.write(state / "password", leader.password)
    replica = leader.over(state)
    if replica.password != leader.password or replica.account != leader.account:
        raise FolderTaken(f"{state} belongs to another database or account: name an empty folder")
    return replica


def _copy(leader: Server, replica: Server) -> Made:
    slot = _slot(replica)
    _drop_slot(leader, slot)

    def fill(tools: Programs, fresh: Path) -> None:
        options = ["-R", "-C", "-S", slot, *(["--no-sync"] if leader.is_careless else [])]
        done = replica.account.run(base_backup(leader, tools, fresh, *options), timeout_s=None, secret=leader.password)
        if done.returncode != 0:
            shutil.rmtree(fresh, ignore_errors=True)
            # Left there it would keep the leader's log for a replica that does not exist.
            _drop_slot(leader, slot)
            raise ReplicaFailed(f"The leader could not be copied: {last_line(done.stderr)}")

    replica.fill(fill)
    return "copied"


def base_backup(leader: Server, tools: Programs, fresh: Path, *options: str) -> list[str | Path]:
    """The command that copies a running server's files, with the log they need."""
    command: list[str | Path] = [tools.path("pg_basebackup"), "-D", fresh, "-d", leader.conninfo()]
    return [*command, "-X", "stream", "-c", "fast", "--manifest-checksums=SHA256", *options]


def _again(leader: Server, replica: Server) -> Made:
    """Wind a former leader back to where it parted from the present one, or copy afresh if it cannot be."""
    replica.halt()
    if replica.is_replica() or not _wind_back(leader, replica):
        shutil.rmtree(replica.data)
        return _copy(leader, replica)
    return "wound back"


def _wind_back(leader: Server, replica: Server) -> bool:
    replica.bury()
    _tell(leader, "CHECKPOINT")  # it tells its timeline by its last checkpoint
    command: list[str | Path] = [replica.tools().path("pg_rewind"), "-D", replica.data, "-R"]
    command += ["--source-server", leader.conninfo()]
    done = replica.account.run(command, timeout_s=None, secret=leader.password)
    if done.returncode != 0 or not replica.is_replica():
        return False
    slot = _slot(replica)
    _drop_slot(leader, slot)
    _tell(leader, "SELECT pg_create_physical_replication_slot(%s, true)", slot)
    auto = replica.data / "postgresql.auto.conf"
    places.write(auto, f"{auto.read_text()}primary_slot_name = '{slot}'\n", owner=replica.account)
    return True


def parting(replica: Server, leader: Server | None) -> Parting:
    """Where a replica stands that has applied all it received, and what of the leader's log it lacks."""
    with psycopg.connect(replica.address(DATABASE), autocommit=True) as db:
        row = db.execute(
            "SELECT pg_last_wal_replay_lsn()::text,"
            " (SELECT timeline_id FROM pg_control_checkpoint()), pg_size_bytes(current_setting('wal_segment_size'))"
        ).fetchone()
    assert row is not None, "one row comes of it"
    received, timeline, segment = row
    log = leader.data / "pg_wal" if leader else None
    if log is None or not log.is_dir():
        return Parting(received, None)
    here = _place(received)
    start = (here - 1) // segment * segment
    begin = f"{start >> 32:X}/{start & 0xFFFFFFFF:X}"
    command: list[str | Path] = [replica.tools().path("pg_waldump"), "-p", log, "-t", str(timeline), "-s", begin]
    # It ends with a complaint that the log ends, and so tells nothing by its exit code.
    return Parting(received, commits_after(here, replica.account.run(command, timeout_s=None).stdout))


def commits_after(received: int, log: str) -> int | None:
    """How many commits stand in a log, as ``pg_waldump`` prints it, from a place on; None if it begins only there."""
    seen, commits = False, 0
    for line in log.splitlines():
        if found := _RECORD.search(line):
            later = _place(found[1]) >= received
            seen = seen or not later
            commits += later and found[2].startswith("COMMIT")
    return commits if seen else None


def _place(lsn: str) -> int:
    high, low = lsn.split("/")
    return (int(high, 16) << 32) + int(low, 16)


def promote(
    replica: Server,
    leader: Server | None,
    *,
    stop_leader: bool = False,
    accept_loss: bool = False,
    first: Callable[[str], None] = lambda _: None,
) -> Parting:
    """Have a replica lead in its leader's place; ``leader`` is None when its folder is out of reach.

    With ``stop_leader`` one that runs is stopped first, and the replica gets all of its log. If commits may be lost,
    ``accept_loss`` must agree, and ``first`` is called with the address before anybody else may write. Faults:
    ``PrimaryAnswers``, ``CommitsLacking``, ``ReplicaFailed``.
    """
    replica.start()
    with leader.alone() if leader else nullcontext():
        if leader is not None and leader.pid is not None:
            if not stop_leader:
                raise PrimaryAnswers(f"The database in {leader.home} runs (process {leader.pid})")
            leader.halt()
        if not _ask(replica, "SELECT pg_is_in_recovery()"):
            raise ReplicaFailed(f"The database in {replica.home} leads already")
        _apply_all(replica)
        found = parting(replica, leader)
        if found.commits_lost != 0 and not accept_loss:
            raise CommitsLacking(_lacking(found, leader))
        if leader is not None:
            kinship.follow(leader.state, replica.state)
        _lead(replica, first if found.commits_lost != 0 else None)
        return found


def _lacking(found: Parting, leader: Server | None) -> str:
    if found.commits_lost is None:
        what = "What the replica lacks of the leader's log cannot be told, for that log is out of reach"
    else:
        what = f"The replica lacks {found.commits_lost} commits of the leader's log"
    home = leader.home if leader else "its folder"
    return f"{what}: start the leader in {home} again, or promote with --accept-loss, and they are gone"


def _lead(replica: Server, first: Callable[[str], None] | None) -> None:
    """Promote; until ``first`` is done the new leader takes no writes."""
    kinship.lead(replica.state)
    closed = {"default_transaction_read_only": "on"} if first else {}
    _reconfigure(replica, closed)
    if not _ask(replica, "SELECT pg_promote(true, %s)", _PROMOTE_S):
        raise ReplicaFailed(f"The database in {replica.home} was not promoted in {_PROMOTE_S} s: look at its log there")
    if first:
        first(make_conninfo(replica.dsn, options="-c default_transaction_read_only=off"))
        _reconfigure(replica, {})


def _reconfigure(server: Server, more: Mapping[str, str]) -> None:
    with server.alone():
        server.configure(more)
    _tell(server, "SELECT pg_reload_conf()")


def _apply_all(replica: Server) -> None:
    """Wait until nothing more comes, and what came is applied: the last of it may be half a record, which never is."""
    seen = list[str | None]()

    def rests() -> bool:
        with psycopg.connect(replica.address(DATABASE), connect_timeout=5, autocommit=True) as db:
            row = db.execute(_RESTS_AT).fetchone()
        seen.append(row[0] if row else None)
        return seen[-1] is not None and seen[-2:-1] == seen[-1:]

    if not processes.wait_until(rests, limit_s=CATCH_UP_S):
        raise PrimaryAnswers("The replica still receives the log of a leader that runs: stop that one first")


def leader_of(replica: Server) -> Server | None:
    """The server that a replica follows; None if its folder is out of reach."""
    state = kinship.followed(replica.state)
    if state is None or not state.is_dir():
        return None
    with suppress(places.ClusterBroken):
        return replica.over(state)
    return None


def followers(leader: Server) -> tuple[Follower, ...]:
    """The replicas of a running server, as it sees them."""
    with psycopg.connect(leader.dsn, autocommit=True) as db:
        rows = db.execute(
            "SELECT s.slot_name, r.state = 'streaming', pg_current_wal_lsn() - r.replay_lsn, r.sync_state"
            " FROM pg_replication_slots s LEFT JOIN pg_stat_replication r ON r.pid = s.active_pid"
        ).fetchall()
    seen = {name: Follower("", bool(streams), _number(behind), sync or "") for name, streams, behind, sync in rows}
    here = kinship.present(leader.state)
    return tuple(
        msgspec.structs.replace(seen.get(_slot(leader.over(folder)), _ABSENT), folder=str(folder)) for folder in here
    )


def _number(bytes_behind: Decimal | None) -> int | None:
    return None if bytes_behind is None else int(bytes_behind)


def _slot(replica: Server) -> str:
    return places.mark(replica.home).replace("-", "_")


def _drop_slot(leader: Server, slot: str) -> None:
    _tell(leader, "SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots WHERE slot_name = %s", slot)


def _ask(server: Server, question: str, *given: object) -> bool:
    with psycopg.connect(server.address(DATABASE), connect_timeout=5, autocommit=True) as db:
        return db.execute(question.encode(), given).fetchone() == (True,)


def _tell(server: Server, statement: str, *given: object) -> None:
    with psycopg.connect(server.dsn, connect_timeout=5, autocommit=True) as db:
        db.execute(statement.encode(), given)
