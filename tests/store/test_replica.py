"""A replica takes the leader's place with everything it acknowledged, and two of them never lead at once."""

import asyncio
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path

import psycopg
import pytest
from hypothesis import given
from hypothesis import strategies as st

from restante.core.ids import Lane
from restante.hub.engine import Accepted, Engine
from restante.store import kinship, migrate, processes, replica
from restante.store.check import check
from restante.store.embedded import Server, address_of, discard, resolve, server
from restante.store.ledger import StoreDown
from restante.store.postgres import open_ledger
from restante.store.programs import Programs
from restante.store.replica import CommitsLacking, FolderTaken, PrimaryAnswers, commits_after
from restante.store.tables import open_tables
from tests.fixtures.lives import Load

pytestmark = pytest.mark.postgres

FAST = {"shared_buffers": "16MB", "max_connections": "40", "fsync": "off"}


@pytest.fixture(scope="module")
def rested(postgres_programs: Programs) -> Iterator[Path]:
    """The state folder of a server that was made and stopped, to copy from."""
    with tempfile.TemporaryDirectory(prefix="restante-test-", ignore_cleanup_errors=True) as closed:
        Path(closed).chmod(0o711)
        folder = Path(closed) / "rested"
        with server(folder, settings=FAST, programs=postgres_programs):
            pass
        yield folder
        discard(folder)


def begun(state: Path, rested: Path, *, told: Mapping[str, str], programs: Programs) -> Server:
    """A server of the test's own that runs, in the folder ``first``."""
    state.mkdir(mode=0o711)
    subprocess.run(["cp", "-a", rested, state / "first"], check=True)
    one = Server(state / "first", settings=told, programs=programs)
    one.start()
    return one


@pytest.fixture
def leader(state: Path, rested: Path, postgres_programs: Programs) -> Iterator[Server]:
    """A running server with a replica in the folder ``second`` beside its own."""
    try:
        one = begun(state, rested, told=FAST, programs=postgres_programs)
        assert replica.make(one, state / "second") == "copied"
        yield one
    finally:
        for name in ("first", "second"):
            discard(state / name)


@pytest.fixture
def second(leader: Server) -> Server:
    """Its replica."""
    return leader.over(leader.state.parent / "second")


def rows(dsn: str) -> int:
    """How many rows were kept."""
    with psycopg.connect(dsn) as db:
        ((found,),) = db.execute("SELECT count(*) FROM kept").fetchall()
    return int(found)


def keep(dsn: str, number: int = 1, *, make: bool = False) -> None:
    """Commit some rows, one by one."""
    with psycopg.connect(dsn, autocommit=True) as db:
        if make:
            db.execute("CREATE TABLE kept (id int)")
        for _ in range(number):
            db.execute("INSERT INTO kept VALUES (1)")


def test_leaders_come_and_go_and_nothing_is_lost(leader: Server, second: Server) -> None:
    """Given leader and replica, when killed, promoted, wound back and switched over, then one leads, with every row."""
    both = address_of(leader, second)
    keep(both, make=True)
    (seen,) = replica.followers(leader)
    assert (seen.folder, seen.streams) == (str(second.state), True)
    with pytest.raises(PrimaryAnswers, match="runs"):
        replica.promote(second, replica.leader_of(second))
    leader.kill_hard()
    assert replica.promote(second, replica.leader_of(second)).commits_lost == 0
    keep(both)
    with pytest.raises(kinship.ClusterBehind, match="--anew"):
        leader.start()
    with resolve({}, leader.state) as dsn:
        assert rows(dsn) == 2
    second.start()
    with pytest.raises(FolderTaken, match="--anew"):
        replica.make(second, leader.state)
    assert replica.make(second, leader.state, anew=True) == "wound back"
    keep(both)
    assert replica.promote(leader, replica.leader_of(leader), stop_leader=True).commits_lost == 0
    assert (second.pid, rows(both)) == (None, 3)
    assert kinship.leading(second.state) == leader.state


def test_what_a_replica_lacks_is_told_first_and_nobody_writes_before_the_epoch(leader: Server, second: Server) -> None:
    """Given commits the replica never got, when promoted, then it is refused; if agreed, others write only after us."""
    both = address_of(leader, second)
    keep(both, make=True)
    assert processes.wait_until(lambda: replica.followers(leader)[0].behind_bytes == 0, limit_s=30)
    second.stop()
    keep(leader.dsn, 7)
    leader.kill_hard()
    with pytest.raises(CommitsLacking, match="lacks 7 commits"):
        replica.promote(second, replica.leader_of(second))
    tried = list[str]()

    def first(dsn: str) -> None:
        keep(dsn)
        try:
            keep(both)
        except psycopg.OperationalError as turned_away:
            tried.append(str(turned_away))

    found = replica.promote(second, replica.leader_of(second), accept_loss=True, first=first)
    assert found.commits_lost == 7
    assert "read-only" in tried[0]
    keep(both)
    assert rows(both) == 3


def test_a_leader_out_of_reach_counts_as_loss(leader: Server, second: Server) -> None:
    """Given a leader whose folder is gone, when its replica is promoted, then the loss is unknown and to be agreed."""
    keep(leader.dsn, make=True)
    leader.stop()
    leader.state.rename(leader.state.with_name("away"))
    try:
        assert replica.leader_of(second) is None
        with pytest.raises(CommitsLacking, match="cannot be told"):
            replica.promote(second, None)
        assert replica.promote(second, None, accept_loss=True).commits_lost is None
        assert rows(second.dsn) == 1
    finally:
        leader.state.with_name("away").rename(leader.state)


def test_commits_wait_for_a_replica_only_while_there_is_one(
    state: Path, rested: Path, postgres_programs: Programs
) -> None:
    """Given commits that await a replica, when there is one, then they wait for it; before and after, for none."""
    told = {**FAST, "synchronous_commit": "remote_apply"}
    try:
        one = begun(state, rested, told=told, programs=postgres_programs)
        keep(one.dsn, make=True)
        replica.make(one, state / "second")
        two = one.over(state / "second")
        keep(one.dsn)
        assert [each.sync for each in replica.followers(one)] == ["sync"]
        assert rows(two.dsn) == 2
        one.kill_hard()
        replica.promote(two, one)
        keep(two.dsn)
        assert rows(two.dsn) == 3
    finally:
        for name in ("first", "second"):
            discard(state / name)


def test_folders_of_others_are_left_alone(leader: Server, state: Path) -> None:
    """Given a folder that leads, or holds another database, when a replica is asked for there, then it is refused."""
    with pytest.raises(FolderTaken, match="that leads"):
        replica.make(leader, leader.state, anew=True)
    (state / "other").mkdir(mode=0o700)
    (state / "other" / "password").write_text("another")
    with pytest.raises(FolderTaken, match="another database"):
        replica.make(leader, state / "other", anew=True)
    leader.over(state / "second").stop()
    (state / "second").rename(state / "away")
    with resolve({}, leader.state) as dsn:
        assert dsn == leader.dsn, "a lost replica keeps nobody from the leader"
    assert not (state / "second").exists()
    (state / "away").rename(state / "second")
    kinship.follow(leader.state, leader.state)
    with pytest.raises(kinship.ClusterBehind, match="leads nowhere"):
        kinship.leading(leader.state)


async def test_a_hub_goes_on_by_itself(leader: Server, second: Server) -> None:
    """Given a hub that knows both, when its leader is killed and the other promoted, then each of its parts goes on."""
    both = address_of(leader, second)
    migrate.migrate_at(both)
    load = Load(Lane(0), points=2, seed=1)
    commands = load.commands(20, 4)
    async with open_ledger(both) as ledger, open_tables(both, name="test") as tables:
        await ledger.ensure_lanes(1)
        engine = Engine(ledger, lambda: datetime.now(UTC), max_batch=16, queue_limit=1000)
        done = [await engine.submit(one) for one in (*load.provision(), *commands[:60])]
        signals = ledger.signals()
        await anext(signals)
        leader.kill_hard()
        with pytest.raises(StoreDown):
            await anext(signals)
        with pytest.raises(StoreDown):
            await engine.submit(commands[60])
        await asyncio.to_thread(replica.promote, second, leader)
        done += [await engine.submit(one) for one in commands[60:]]
        again = await engine.submit(commands[0])
        assert isinstance(again, Accepted)
        assert again.replayed
        assert all(isinstance(one, Accepted) for one in done)
        await anext(ledger.signals())
        assert await tables.rows(b"SELECT pg_is_in_recovery()", {}) == [(False,)]
        assert await check(ledger) == []


LINE = "rmgr: {rmgr} len (rec/tot): 1/ 2, tx: 0, lsn: {high:X}/{low:08X}, prev 0/0, desc: {desc}"


@given(st.lists(st.tuples(st.integers(0, 2**40), st.sampled_from(["COMMIT 1", "ABORT 1", "INSERT off 1"]))))
def test_commits_are_counted_from_a_place_on(records: list[tuple[int, str]]) -> None:
    """Given a log as it is printed, when counted from a place on, then earlier commits and other records are not."""
    here = 2**39
    log = "\n".join(LINE.format(rmgr="X", high=lsn >> 32, low=lsn & 0xFFFFFFFF, desc=desc) for lsn, desc in records)
    later = sum(lsn >= here and desc.startswith("COMMIT") for lsn, desc in records)
    assert commits_after(here, log) == (later if any(lsn < here for lsn, _ in records) else None)


@given(st.text())
def test_a_log_that_cannot_be_read_proves_nothing(text: str) -> None:
    """Given words that are no log, when counted, then it cannot be told what is lost."""
    assert commits_after(0, text) is None
