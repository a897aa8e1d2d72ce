"""Start, share and stop the PostgreSQL server that belongs to a state directory.

The directory given stays the caller's: it holds the password (0600) and two lock files. The cluster, its log and its
socket lie in ``cluster`` below it, owned by the account the server runs under and closed to everyone else. As root that
account is another user, who cannot reach a directory below root's home; then the cluster lies below
``/var/lib/restante`` and the file ``cluster-at`` tells where. There is no TCP listener, and every connection needs the
password.

Several programs may use one server. Each holds a shared file lock while it does, and the last one out stops the server.
The kernel drops the lock of a program that was killed, so no count can go stale; a server left running by a killed
program is joined by the next.
"""

import contextlib
import fcntl
import hashlib
import os
import secrets
import shutil
import signal
import stat
from collections.abc import Iterator, Mapping
from pathlib import Path
from urllib.parse import quote

import psycopg
from psycopg import sql

from restante.core.refusals import Fault
from restante.store import connect, processes, programs
from restante.store.programs import Account, Programs, binaries

__all__ = ["ClusterBroken", "Server", "ServerFailed", "binaries", "discard", "resolve", "server"]

DATABASE = "restante"
"""The name of the database and of its owner."""

START_S = 60
CHILDREN_S = 5.0
_SOCKET_PATH_BYTES = 107
_SETTINGS: Mapping[str, str] = {
    # Timers and tasks come and go all day, so more often than each minute; every 5 s took a fifth of the server's time.
    "autovacuum_naptime": "15s",
    "fsync": "on",
    "jit": "off",
    "lc_messages": "C",
    "listen_addresses": "",
    # No statement, parameter or row value reaches the log: they may hold personal data.
    "log_error_verbosity": "terse",
    "log_min_error_statement": "panic",
    "log_parameter_max_length": "0",
    "log_parameter_max_length_on_error": "0",
    "log_timezone": "UTC",
    "max_connections": "100",
    "password_encryption": "scram-sha-256",
    "shared_buffers": "256MB",
    "timezone": "UTC",
    "unix_socket_permissions": "0700",
    # One log file per day of the week, so the log never outgrows a week.
    "logging_collector": "on",
    "log_filename": "postgresql-%a.log",
    "log_rotation_age": "1d",
    "log_truncate_on_rotation": "on",
}
_HBA = "local all all scram-sha-256\nlocal replication all scram-sha-256\n"


class ServerFailed(Fault):
    """The PostgreSQL server did not start."""

    retryable = True


class ClusterBroken(Fault):
    """The place where the database lies is not as it was left."""


@contextlib.contextmanager
def server(
    state: Path, *, settings: Mapping[str, str] | None = None, programs: Programs | None = None
) -> Iterator["Server"]:
    """A running server over ``state``, joined if another program started it; the last one out stops it.

    ``settings`` are added to the configuration when this call is the one that starts the server. Faults:
    ``ServerMissing``, ``AccountMissing``, ``ClusterBroken``, ``ServerFailed``.
    """
    one = Server(state, settings=settings or {}, programs=programs)
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
def resolve(environ: Mapping[str, str], state: Path, *, settings: Mapping[str, str] | None = None) -> Iterator[str]:
    """The address of the database: ``DATABASE_URL`` if set, else that of the server over ``state``.

    The address holds a password: hand it on by environment, never by command line or log. Faults as for ``server``, and
    ``DatabaseUnreachable`` or ``DatabaseTooOld`` for the database named in ``DATABASE_URL``.
    """
    given = environ.get("DATABASE_URL", "")
    if given:
        connect.probe(given)
        yield given
        return
    with server(state, settings=settings) as one:
        yield one.dsn


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
        self, state: Path, *, settings: Mapping[str, str] | None = None, programs: Programs | None = None
    ) -> None:
        self.state = _private(state.resolve())
        self._settings = settings or {}
        self._wanted = programs
        with self.alone():
            self.home, self._account = _settle(self.state)
            self._password = _password(self.state, is_new=not self._data.exists())
        self.sockets = _socket_place(self.home, self._account)

    @property
    def _data(self) -> Path:
        return self.home / "data"

    @property
    def dsn(self) -> str:
        """The address of the database as a ``postgresql://`` URL, password included."""
        return self._address(DATABASE)

    def _address(self, database: str) -> str:
        host = quote(str(self.sockets), safe="")
        return f"postgresql://{DATABASE}:{self._password}@{host}:5432/{database}"

    @property
    def pid(self) -> int | None:
        """The process id of the live postmaster, or ``None``; a stale or reused id never counts."""
        return processes.postmaster(self._data, self._account.uid)

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
        serving = sorted(processes.titled(f"postgres: {_mark(self.home)}: {DATABASE} "))
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
            tools = self._tools()
            self._initialise(tools)
            self._configure()
            self._launch(tools)
        self._await_answer()

    def halt(self) -> None:
        """Stop the server if it runs; the lock must be held."""
        if not self._runs():
            return
        tool = self._tools().path("pg_ctl")
        for mode in ("fast", "immediate"):
            self._account.run([tool, "stop", "-D", self._data, "-m", mode, "-t", str(START_S), "-w", "-s"])
            if not self._runs():
                return
        raise ServerFailed(f"The PostgreSQL server in {self.home} does not stop: look at its log there")

    def _tools(self) -> Programs:
        written = _written_by(self._data)
        tools = self._wanted or binaries(major=written)
        if written not in {None, tools.major}:
            raise ClusterBroken(f"The database was written by PostgreSQL {written}, not {tools.major}")
        return programs.reachable(tools, self._account)

    def _initialise(self, tools: Programs) -> None:
        """Make the cluster under another name and rename it when it is whole: a crash leaves no half of one."""
        if self._data.exists():
            return
        for left in self.home.glob("data.*.new"):
            shutil.rmtree(left, ignore_errors=True)
        # A name of its own: the initdb of a program killed meanwhile may still be writing to the old one.
        fresh, secret = self.home / f"data.{secrets.token_hex(4)}.new", self.home / "password.new"
        _write(secret, self._password, owner=self._account)
        options = ["--username", DATABASE, "--auth", "scram-sha-256", "--encoding", "UTF8", "--locale", "C"]
        if tools.major >= 17:
            options += ["--locale-provider", "builtin", "--builtin-locale", "C.UTF-8"]
        if self._settings.get("fsync") == "off":
            options.append("--no-sync")
        try:
            done = self._account.run(
                [tools.path("initdb"), "-D", fresh, "--pwfile", secret, "--data-checksums", *options]
            )
        finally:
            secret.unlink()
        if done.returncode != 0:
            raise ServerFailed(f"PostgreSQL could not make a database in {self.home}: {_last(done.stderr)}")
        fresh.rename(self._data)
        _sync(self.home)

    def _configure(self) -> None:
        own = {
            "cluster_name": _mark(self.home),
            "unix_socket_directories": f'"{self.sockets}"',
            "log_directory": str(self.home / "log"),
        }
        lines = [f"{name} = {_quoted(value)}\n" for name, value in {**_SETTINGS, **self._settings, **own}.items()]
        _write(self._data / "postgresql.conf", "".join(lines), owner=self._account)
        _write(self._data / "pg_hba.conf", _HBA, owner=self._account)

    def _launch(self, tools: Programs) -> None:
        self._bury_children()
        self._drop_foreign_pids()
        _private(self.sockets, owner=self._account)
        log = self.home / "start.log"
        log.unlink(missing_ok=True)
        self._account.run(
            [tools.path("pg_ctl"), "start", "-D", self._data, "-l", log, "-t", str(START_S), "-w", "-s"],
            timeout_s=START_S + 30,
        )
        if not self._runs():
            raise ServerFailed(f"The PostgreSQL server in {self.home} did not start: {self._last_words()}")

    def _bury_children(self) -> None:
        """Children of a dead postmaster end by themselves; wait for them, as they still hold its shared memory."""
        mark = f"postgres: {_mark(self.home)}: "
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
        for path in (self._data / "postmaster.pid", self.sockets / ".s.PGSQL.5432.lock"):
            pid = processes.noted(path)
            if pid is not None and processes.owner(pid) is not None and processes.is_stranger(pid, self._data):
                path.unlink(missing_ok=True)

    def _await_answer(self) -> None:
        problem = ""

        def answers() -> bool:
            nonlocal problem
            if not self._runs():
                return True
            try:
                _make_database(self._address("postgres"))
            except psycopg.OperationalError as error:
                problem = str(error)
                return "password authentication failed" in problem
            problem = ""
            return True

        in_time = processes.wait_until(answers, limit_s=START_S)
        if not self._runs():
            raise ServerFailed(f"The PostgreSQL server in {self.home} ended: {self._last_words()}")
        if "password authentication failed" in problem:
            raise ClusterBroken(f"{self.state / 'password'} is not this database's password: bring back the right file")
        if problem or not in_time:
            raise ServerFailed(f"The PostgreSQL server in {self.home} runs but does not answer yet: {_last(problem)}")

    def _last_words(self) -> str:
        logs = [self.home / "start.log", *sorted((self.home / "log").glob("*.log"), key=lambda p: p.stat().st_mtime)]
        for log in reversed(logs):
            with contextlib.suppress(FileNotFoundError):
                fatal = [line for line in log.read_text(errors="replace").splitlines() if "FATAL" in line]
                if fatal:
                    return fatal[-1]
        return f"see {self.home / 'start.log'}"


def _make_database(address: str) -> None:
    with psycopg.connect(address, connect_timeout=5, autocommit=True) as db:
        if db.execute("SELECT 1 FROM pg_database WHERE datname = %s", [DATABASE]).fetchone() is None:
            db.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(DATABASE)))


def _settle(state: Path) -> tuple[Path, Account]:
    """Where the cluster lies, or shall lie, and the account it runs under: the owner of one that exists."""
    here, pointer = state / "cluster", state / "cluster-at"
    home = Path(pointer.read_text()) if pointer.exists() else here
    if home.exists():
        owner = home.lstat()
        if os.geteuid() not in {0, owner.st_uid}:
            raise ClusterBroken(f"{home} belongs to user {owner.st_uid}: start as that user, or name another directory")
        return home, Account(owner.st_uid, owner.st_gid)
    if pointer.exists():
        raise ClusterBroken(f"{pointer} names {home}, which is gone: bring the database back, or remove {state}")
    account = programs.service_account()
    if account.uid != os.geteuid():
        home = _lend(state, account)
    return _private(home, owner=account), account


def _lend(state: Path, account: Account) -> Path:
    """The cluster's place when another account runs it: below ``state`` if its parents let that account through."""
    if account.can("x", state.parent):
        os.chown(state, -1, account.gid)
        state.chmod(0o710)
        return state / "cluster"
    home = programs.SERVICE_ROOT / secrets.token_hex(8)
    programs.make_open(home.parent)
    _write(state / "cluster-at", str(home))
    _private(home, owner=account)
    return home


def _password(state: Path, *, is_new: bool) -> str:
    path = state / "password"
    if not path.exists():
        if not is_new:
            raise ClusterBroken(f"{path} is gone: bring back the file, the database opens with that password only")
        _write(path, secrets.token_urlsafe(32))
    return path.read_text()


def _socket_place(home: Path, account: Account) -> Path:
    """A directory whose socket path fits the 107 bytes the system allows, below ``home`` if that is short enough."""
    near = home / "socket"
    if len(os.fsencode(near / ".s.PGSQL.5432")) <= _SOCKET_PATH_BYTES:
        return near
    return Path("/tmp") / f"restante-{account.uid}-{_mark(home)[-12:]}"  # noqa: S108 -- its owner and mode are checked


def _mark(home: Path) -> str:
    """A name for this cluster's processes, which shows in the process list."""
    return f"restante-{hashlib.sha256(os.fsencode(home)).hexdigest()[:12]}"


def _private(place: Path, *, owner: Account | None = None) -> Path:
    """Make the directory ``place`` if need be, closed to others; fault ``ClusterBroken`` if it is someone else's."""
    owner = owner or Account(os.geteuid(), os.getegid())
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        if not os.path.lexists(place):
            place.mkdir(mode=0o700)
            os.chown(place, owner.uid, owner.gid, follow_symlinks=False)
    except OSError as error:
        if not place.is_dir():  # else another program was quicker
            raise ClusterBroken(f"{place} cannot be made: {error.strerror}") from error
    found = place.lstat()
    if found.st_uid != owner.uid or not stat.S_ISDIR(found.st_mode):
        raise ClusterBroken(f"{place} is not a directory of user {owner.uid}: move it away")
    return place


def _write(path: Path, text: str, *, owner: Account | None = None) -> None:
    """Replace the file at ``path``, readable by its owner alone; never through a link someone else has put there."""
    fresh = path.with_name(path.name + ".tmp")
    fresh.unlink(missing_ok=True)
    handle = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    with os.fdopen(handle, "w") as file:
        if owner is not None:
            os.fchown(handle, owner.uid, owner.gid)
        file.write(text)
        file.flush()
        os.fsync(handle)
    fresh.replace(path)
    _sync(path.parent)


def _sync(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _quoted(value: str) -> str:
    return "'" + value.replace("\\", "\\\\").replace("'", "''") + "'"


def _last(text: str) -> str:
    lines = [line for line in text.splitlines() if line.strip()]
    return lines[-1] if lines else "no reason given"


def _written_by(data: Path) -> int | None:
    """The major version that made the cluster; fault ``ClusterBroken`` if there is data but no version."""
    if not data.exists():
        return None
    try:
        return int((data / "PG_VERSION").read_text())
    except (OSError, ValueError) as error:
        raise ClusterBroken(f"{data} is not a whole PostgreSQL database: bring it back from a backup") from error
