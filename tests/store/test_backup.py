"""A backup is whole or is none, and with the archive of the log it leads to any instant since."""

import os
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import psycopg
import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as told
from hypothesis import strategies as st

from restante.store import archive
from restante.store.backup import BackupBroken, BackupFailed, RestoreFailed, back_up, restore
from restante.store.embedded import Server, discard
from restante.store.places import ClusterBroken
from restante.store.programs import Account, Programs, service_account

pytestmark = pytest.mark.postgres

FAST = {"shared_buffers": "16MB", "max_connections": "40", "fsync": "off"}


@pytest.fixture
def running(state: Path, postgres_programs: Programs) -> Iterator[Server]:
    """A server that archives its log, into a folder with an awkward name."""
    one = Server(state / "first", settings=FAST, archive=state / "it's 100% kept", programs=postgres_programs)
    try:
        one.start()
        yield one
    finally:
        for name in ("first", "before", "again"):
            discard(state / name)


def test_a_mistake_is_undone_to_the_instant(running: Server, state: Path) -> None:
    """Given rows, a backup, more rows and a mistake, when restored to just before it, then all rows are there."""
    kept = state / "it's 100% kept"
    with psycopg.connect(running.dsn, autocommit=True) as db:
        db.execute("CREATE TABLE kept AS SELECT generate_series(1, 100)")
        assert back_up(running, state / "backup") > 10_000_000
        db.execute("INSERT INTO kept VALUES (101)")
        ((mistake,),) = db.execute("SELECT clock_timestamp()").fetchall()
        db.execute("DELETE FROM kept")
    with pytest.raises(BackupFailed, match="exists"):
        back_up(running, state / "backup")
    with pytest.raises(RestoreFailed, match="move that folder away"):
        restore(state / "backup", running.state, kept=kept, until=mistake, settings=FAST)
    running.stop()
    running.state.rename(state / "before")
    with pytest.raises(RestoreFailed, match="recovery ended before"):
        restore(state / "backup", state / "again", kept=kept, until=mistake + timedelta(days=1), settings=FAST)
    assert not (state / "again").exists()
    restored = restore(state / "backup", state / "again", kept=kept, until=mistake, settings=FAST)
    with psycopg.connect(restored.dsn, autocommit=True) as db:
        assert db.execute("SELECT count(*) FROM kept").fetchone() == (101,)
        assert db.execute("SELECT current_setting('recovery_target_time'), pg_is_in_recovery()").fetchone() == (
            "",
            False,
        )
        db.execute("INSERT INTO kept VALUES (102)")
    restored.stop()
    assert (kept / "00000002.history").exists(), "a later backup is told from which one it descends"


def test_a_backup_that_was_touched_is_refused(running: Server, state: Path) -> None:
    """Given a backup with one byte changed, or a folder that is none, when restored, then nothing is."""
    back_up(running, state / "backup")
    touched = state / "backup" / "data" / "global" / "pg_filenode.map"
    touched.write_bytes(touched.read_bytes()[:-1] + b"?")
    with pytest.raises(BackupBroken, match="not as its manifest says"):
        restore(state / "backup", state / "again", kept=None, until=None, settings=FAST)
    assert not (state / "again").exists()
    with pytest.raises(BackupBroken, match="is no backup"):
        restore(state / "first", state / "again", kept=None, until=None, settings=FAST)


def keep(account: Account, folder: Path, segment: Path) -> int:
    """Run the archive's command as a server would; its exit code."""
    command = archive.keeping(folder).replace("%%", "%%%").replace("%p", str(segment)).replace("%f", segment.name)
    return account.run(["/bin/sh", "-c", command.replace("%%%", "%")]).returncode


@pytest.fixture
def lent(state: Path) -> tuple[Account, Path]:
    """An account for servers, and a folder of its own."""
    account = service_account()
    state.mkdir(mode=0o755)
    archive.settings(state / "kept", account)
    return account, state / "kept"


def test_a_segment_is_never_replaced(lent: tuple[Account, Path], tmp_path_factory: pytest.TempPathFactory) -> None:
    """Given an archived segment, when it comes again, then it counts as kept; with other bytes it is refused."""
    account, folder = lent
    segment = folder.parent / "000000010000000000000001"
    segment.write_bytes(b"first")
    segment.chmod(0o644)
    assert [keep(account, folder, segment) for _ in range(2)] == [0, 0]
    segment.write_bytes(b"other")
    assert keep(account, folder, segment) != 0
    assert (folder / segment.name).read_bytes() == b"first"
    (folder / segment.name).unlink()
    assert keep(account, folder, segment) == 0, "what an interrupted copy left behind is no hindrance"
    assert [path.name for path in folder.iterdir()] == [segment.name]


@told(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=20)
@given(name=st.text(st.characters(exclude_characters="/\0", exclude_categories=["Cs"]), min_size=1, max_size=40))
def test_no_folder_name_breaks_the_command(lent: tuple[Account, Path], name: str) -> None:
    """Given a folder of any name, when a segment is kept there, then it is, and nowhere else."""
    account, _ = lent
    command = archive.fetching(Path("/x") / name)
    asked = command.replace("%p", "to").replace("%f", "segment").replace("%%", "%")
    shown = account.run(["/bin/sh", "-c", asked.replace("cp ", "printf %s ", 1)])
    # What a program prints is read as text, in which every end of a line is the same.
    printed = f"/x/{name}/segmentto".replace("\r\n", "\n").replace("\r", "\n")
    assert shown.stdout == printed or name in {".", ".."}


def test_a_folder_out_of_the_accounts_reach_is_named(lent: tuple[Account, Path], tmp_path: Path) -> None:
    """Given an archive below a closed folder, when another account would write it, then it is refused by name."""
    account, _ = lent
    if account.uid == os.geteuid():
        pytest.skip("one account for all")
    tmp_path.chmod(0o700)
    with pytest.raises(ClusterBroken, match="name another folder"):
        archive.settings(tmp_path / "kept", account)
