"""Start, share and stop the PostgreSQL server that belongs to a state directory.

The directory given stays the caller's: it holds the password (0600) and two lock files. The cluster, its log and its
socket lie in ``cluster`` below it, owned by the account the server runs under and closed to everyone else. As root that
account is another user, who cannot reach a directory below root's home; then the cluster lies below
``/var/lib/restante`` and the file ``cluster-at`` tells where. There is no TCP listener, and every connection needs the
password.

A server over a folder that notes another one as its leader (``kinship``) starts as that one's replica or not at all,
and whoever asks for the database is given the leader's.

Several programs may use one server. Each holds a shared file lock while it does, and the last one out stops the server.
The kernel drops the lock of a program that was killed, so no count can go stale; a server left running by a killed
program is joined by the next.
"""

import contextlib
import fcntl
import os
import secrets
import shutil
import signal
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from urllib.parse import quote

import psycopg
from psycopg import sql
from psycopg.conninfo import make_conninfo

from restante.core.refusals import Fault
from restante.store import archive, configuration, connect, kinship, places, processes, programs
from restante.store.places import ClusterBroken
from restante.store.programs import Programs, binaries

__all__ = ["ClusterBroken", "Server", "ServerFailed", "binaries", "discard", "resolve", "server"]

DATABASE = "restante"
"""The name of the database and of its owner."""

START_S = 60
CHILDREN_S = 5.0
_TURNED_AWAY = "the database system is"


class ServerFailed(Fault):
    """The PostgreSQL server did not start."""

    retryable = True


@contextlib.contextmanager
def server(
    state: Path,
    *,
    settings: Mapping[str, str] | None = None,
    archive: Path | None = None,
    programs: Programs | None = None,
) -> Iterator["Server"]:
    """A running server over ``state``, joined if another program started it; the last one out stops it.

    ``settings`` and ``archive`` are added to the configuration when this call is the one that starts the server.
    Faults: ``ServerMissing``, ``AccountMissing``, ``ClusterBroken``, ``ClusterBehind``, ``ServerFailed``.
    """
    one = Server(state, settings=settings or {}, archive=archive, programs=programs)
    with (one.state / "users").open("a") as users:
        try:
            with one.alone():
                fcntl.flock(users, fcntl.LOCK_SH)
                one.ensure()
            yield one
        finally:
            with one.alone():
                if _is_last(users.fileno()):
                    one.halt()


def _is_last(users: int) -> bool:
    try:
        fcntl.flock(users, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


@contextlib.contextmanager
def resolve(
    environ: Mapping[str, str],
    state: Path,
    *,
    settings: Mapping[str, str] | None = None,
    archive: Path | None = None,
) -> Iterator[str]:
    """The address of the database: ``DATABASE_URL`` if set, else that of the server over ``state`` or of its leader.

    With replicas it names them all, so that whoever has it finds the one that leads, also later.

    The address holds a password: hand it on by environment, never by command line or log. Faults as for ``server``, and
    ``DatabaseUnreachable`` or ``DatabaseTooOld`` for the database named in ``DATABASE_URL``.
    """
    given = environ.get("DATABASE_URL", "")
    if given:
        connect.probe(given)
        yield given
        return
    with server(kinship.leading(state.resolve()), settings=settings, archive=archive) as one:
        yield address_of(one, *map(one.over, kinship.present(one.state)))


def address_of(*servers: "Server") -> str:
    """The address of whichever of these servers leads; they have one password."""
    if len(servers) == 1:
        return servers[0].dsn
    hosts = ",".join(f"{quote(str(one.sockets), safe='')}:5432" for one in servers)
    return f"postgresql://{DATABASE}:{servers[0].password}@{hosts}/{DATABASE}?target_session_attrs=read-write"


def discard(state: Path) -> None:
    """Stop the server over ``state`` and delete its data, log and password for good."""
    if not state.is_dir():
        return
    one = Server(state)
    with one.alone():
        one.halt()
        for place in (one.home, one.sockets):
            shutil.rmtree(place, ignore_errors=True)
    shutil.rmtree(one.state, ignore_errors=True)


class Server:
    """One PostgreSQL server and the state directory it belongs to; made by ``server``."""

    def __init__(
        self,
        state: Path,
        *,
        settings: Mapping[str, str] | None = None,
        archive: Path | None = None,
        programs: Programs | None = None,
    ) -> None:
        self.state = places.private(state.resolve())
        self._settings = settings or {}
        self._archive = archive
        self._wanted = programs
        with self.alone():
            self.home, self.account = places.settle(self.state)
            self.password = places.password(self.state, is_new=not self.data.exists())
        self.sockets = places.socket_place(self.home, self.account)

    def over(self, state: Path) -> "Server":
        """A server over another folder that is told the same."""
        return Server(state, settings=self._settings, archive=self._archive, programs=self._wanted)

    @property
    def data(self) -> Path:
        """Where PostgreSQL keeps its files."""
        return self.home / "data"

    @property
    def dsn(self) -> str:
        """The address of the database as a ``postgresql://`` URL, password included."""
        return self.address(DATABASE)

    def address(self, database: str) -> str:
        """The address of another database of the server."""
        host = quote(str(self.sockets), safe="")
        return f"postgresql://{DATABASE}:{self.password}@{host}:5432/{database}"

    def conninfo(self, database: str = "postgres") -> str:
        """The same as key words without the password, for PostgreSQL's programs, whose command lines all can read."""
        return make_conninfo("", host=str(self.sockets), port=5432, user=DATABASE, dbname=database)

    @property
    def pid(self) -> int | None:
        """The process id of the live postmaster, or ``None``; a stale or reused id never counts."""
        return processes.postmaster(self.data, self.account.uid)

    def _runs(self) -> bool:
        return self.pid is not None

    def is_alive(self) -> bool:
        """Whether the server runs and answers a query now."""
        if not self._runs():
            return False
        try:
            with psycopg.connect(self.dsn, connect_timeout=5) as db:
                return db.execute("SELECT 1").fetchone() == (1,)
        except psycopg.OperationalError:
            return False

    def start(self) -> None:
        """Make sure that the server runs: start it again if it was stopped, killed or lost in a reboot."""
        with self.alone():
            self.ensure()

    def stop(self) -> None:
        """Stop the server now, whoever else uses it: what is committed is safe."""
        with self.alone():
            self.halt()

    def kill_hard(self) -> None:
        """Kill the postmaster as a crash would (SIGKILL) and return once it and its children are gone."""
        pid = self.pid
        if pid is not None:
            os.kill(pid, signal.SIGKILL)
            processes.wait_until(lambda: not self._runs(), limit_s=10)
            self._bury_children()

    def kill_backend(self, number: int) -> None:
        """Kill the process of one connection (SIGKILL), as the system does when memory is short; all others end too."""
        serving = sorted(processes.titled(f"postgres: {places.mark(self.home)}: {DATABASE} "))
        if serving:
            os.kill(serving[number % len(serving)], signal.SIGKILL)

    @contextlib.contextmanager
    def alone(self) -> Iterator[None]:
        """Hold the state directory's lock: one program at a time starts, stops or looks."""
        with (self.state / "lock").open("a") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def ensure(self) -> None:
        """Start the server unless it runs, and wait until it answers; the lock must be held."""
        if not self._runs():
            self._check_leads()
            tools = self.tools()
            if not self.data.exists():
                self.fill(self._initialise)
            self.configure()
            self._launch(tools)
        self._await_answer()

    def halt(self) -> None:
        """Stop the server if it runs; the lock must be held."""
        if not self._runs():
            return
        tool = self.tools().path("pg_ctl")
        for mode in ("fast", "immediate"):
            self.account.run([tool, "stop", "-D", self.data, "-m", mode, "-t", str(START_S), "-w", "-s"])
            if not self._runs():
                return
        raise ServerFailed(f"The PostgreSQL server in {self.home} does not stop: look at its log there")

    def is_replica(self) -> bool:
        """Whether the cluster follows another one, or will once it is started."""
        return (self.data / "standby.signal").exists()

    def _check_leads(self) -> None:
        leader = kinship.followed(self.state)
        if leader is not None and self.data.exists() and not self.is_replica():
            raise kinship.ClusterBehind(
                f"The database in {self.home} was replaced by the one in {leader}: start that one, and make this one "
                f"its replica with restante db replica {self.state} --anew"
            )

    def tools(self) -> Programs:
        """PostgreSQL's programs of the version that wrote the cluster, where the account can run them."""
        wrote = written_by(self.data)
        tools = self._wanted or binaries(major=wrote)
        if wrote not in {None, tools.major}:
            raise ClusterBroken(f"The database was written by PostgreSQL {wrote}, not {tools.major}")
        return programs.reachable(tools, self.account)

    def fill(self, make: Callable[[Programs, Path], None]) -> None:
        """Have ``make`` write a cluster under another name and rename it when it is whole: a crash leaves no half.

        The lock must be held, and there must be no cluster.
        """
        for left in self.home.glob("data.*.new"):
            shutil.rmtree(left, ignore_errors=True)
        # A name of its own: what a program killed meanwhile has started may still be writing to the old one.
        fresh = self.home / f"data.{secrets.token_hex(4)}.new"
        make(self.tools(), fresh)
        fresh.rename(self.data)
        places.sync(self.home)

    def _initialise(self, tools: Programs, fresh: Path) -> None:
        secret = self.home / "password.new"
        places.write(secret, self.password, owner=self.account)
        options = ["--username", DATABASE, "--auth", "scram-sha-256", "--encoding", "UTF8", "--locale", "C"]
        if tools.major >= 17:
            options += ["--locale-provider", "builtin", "--builtin-locale", "C.UTF-8"]
        if self.is_careless:
            options.append("--no-sync")
        try:
            done = self.account.run(
                [tools.path("initdb"), "-D", fresh, "--pwfile", secret, "--data-checksums", *options]
            )
        finally:
            secret.unlink()
        if done.returncode != 0:
            raise ServerFailed(f"PostgreSQL could not make a database in {self.home}: {last_line(done.stderr)}")

    @property
    def is_careless(self) -> bool:
        """Whether it was told not to wait for the disk, as tests do."""
        return self._settings.get("fsync") == "off"

    def configure(self, more: Mapping[str, str] | None = None) -> None:
        """Write the configuration, which a running server reads when told to; the lock must be held."""
        own = {
            "cluster_name": places.mark(self.home),
            "unix_socket_directories": f'"{self.sockets}"',
            "log_directory": str(self.home / "log"),
        }
        kept = archive.settings(self._archive, self.account) if self._archive else {}
        told = {**configuration.SETTINGS, **kept, **self._settings, **own, **(more or {})}
        if kinship.replicas(self.state) and told.get("synchronous_commit") in configuration.AWAITS_REPLICA:
            told["synchronous_standby_names"] = "*"
        places.write(self.data / "postgresql.conf", configuration.written(told), owner=self.account)
        places.write(self.data / "pg_hba.conf", configuration.HBA, owner=self.account)

    def _launch(self, tools: Programs) -> None:
        self.bury()
        places.private(self.sockets, owner=self.account)
        log = self.home / "start.log"
        log.unlink(missing_ok=True)
        self.account.run(
            [tools.path("pg_ctl"), "start", "-D", self.data, "-l", log, "-t", str(START_S), "-w", "-s"],
            timeout_s=START_S + 30,
        )
        if not self._runs():
            raise ServerFailed(f"The PostgreSQL server in {self.home} did not start: {self.last_words()}")

    def bury(self) -> None:
        """Clear away what a killed server left behind; the lock must be held."""
        self._bury_children()
        self._drop_foreign_pids()

    def _bury_children(self) -> None:
        """Children of a dead postmaster end by themselves; wait for them, as they still hold its shared memory."""
        mark = f"postgres: {places.mark(self.home)}: "
        if not processes.wait_until(lambda: not processes.titled(mark), limit_s=CHILDREN_S):
            for pid in processes.titled(mark):
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            processes.wait_until(lambda: not processes.titled(mark), limit_s=CHILDREN_S)

    def _drop_foreign_pids(self) -> None:
        """Remove lock files whose number now belongs to another program, or to a dead one nobody has reaped.

        PostgreSQL clears the files of an ended process itself, but takes anything else with that number for a second
        server. A live ``postgres`` is left to that check: someone may have started it by hand.
        """
        for path in (self.data / "postmaster.pid", self.sockets / ".s.PGSQL.5432.lock"):
            pid = processes.noted(path)
            if pid is not None and processes.owner(pid) is not None and processes.is_stranger(pid, self.data):
                path.unlink(missing_ok=True)

    def _await_answer(self) -> None:
        problem = ""

        def answers() -> bool:
            nonlocal problem
            if not self._runs():
                return True
            try:
                _make_database(self.address("postgres"))
            except psycopg.OperationalError as error:
                problem = str(error)
                return "password authentication failed" in problem
            problem = ""
            return True

        in_time = processes.wait_until(answers, limit_s=START_S)
        if not self._runs():
            raise ServerFailed(f"The PostgreSQL server in {self.home} ended: {self.last_words()}")
        if "password authentication failed" in problem:
            raise ClusterBroken(f"{self.state / 'password'} is not this database's password: bring back the right file")
        if problem or not in_time:
            raise ServerFailed(
                f"The PostgreSQL server in {self.home} runs but does not answer yet: {last_line(problem)}"
            )

    def last_words(self) -> str:
        """What the server's log says of why it ended."""
        logs = [self.home / "start.log", *sorted((self.home / "log").glob("*.log"), key=lambda p: p.stat().st_mtime)]
        for log in reversed(logs):
            with contextlib.suppress(FileNotFoundError):
                fatal = [
                    line
                    for line in log.read_text(errors="replace").splitlines()
                    if "FATAL" in line and _TURNED_AWAY not in line
                ]
                if fatal:
                    return fatal[-1]
        with contextlib.suppress(FileNotFoundError):
            return f"{last_line(logs[0].read_text(errors='replace'))} (see {logs[0]})"
        return "it left no log"


def _make_database(address: str) -> None:
    with psycopg.connect(address, connect_timeout=5, autocommit=True) as db:
        exists = "SELECT pg_is_in_recovery() OR EXISTS (SELECT FROM pg_database WHERE datname = %s)"
        if db.execute(exists, [DATABASE]).fetchone() == (False,):
            db.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(DATABASE)))


def last_line(text: str) -> str:
    """The last words of a program that failed."""
    lines = [line for line in text.splitlines() if line.strip()]
    return lines[-1] if lines else "no reason given"


def written_by(data: Path) -> int | None:
    """The major version that made the cluster; fault ``ClusterBroken`` if there is data but no version."""
    if not data.exists():
        return None
    try:
        return int((data / "PG_VERSION").read_text())
    except (OSError, ValueError) as error:
        raise ClusterBroken(f"{data} is not a whole PostgreSQL database: bring it back from a backup") from error
