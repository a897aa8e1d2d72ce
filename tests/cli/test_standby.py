"""The commands of a second server and of backups, as an operator types them, over a hub's real ledger."""

import asyncio
import json
import os
import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psycopg
import pytest

from restante.cli import main
from restante.cli.database import database, database_folder
from restante.cli.ending import FAILED, REFUSED
from restante.core.commands import AdoptFact, AnyCommand
from restante.core.ids import Lane
from restante.hub.engine import Accepted, Outcome, run_batch
from restante.store.check import check
from restante.store.embedded import Server, discard
from restante.store.postgres import open_ledger
from tests.fixtures.lives import Load

pytestmark = pytest.mark.postgres


@pytest.fixture
def place(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder for an installation that archives its log; its servers are stopped at the end."""
    for name in [name for name in os.environ if name.startswith("RESTANTE_")]:
        monkeypatch.delenv(name)
    monkeypatch.delenv("DATABASE_URL", raising=False)
    with tempfile.TemporaryDirectory(prefix="restante-test-", ignore_cleanup_errors=True) as closed:
        place = Path(closed)
        place.chmod(0o711)
        monkeypatch.setenv("RESTANTE_STATE", str(place / "state"))
        monkeypatch.setenv("RESTANTE_DATABASE_ARCHIVE", str(place / "archive"))
        (place / "state").mkdir(mode=0o711)
        yield place
        for folder in ("state/database", "before", "second"):
            discard(place / folder)


def typed(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str, str]:
    """Type a command: its exit code, and what it says where."""
    capsys.readouterr()
    with pytest.raises(SystemExit) as left:
        main([*words])
    return int(left.value.code or 0), *capsys.readouterr()


def say(capsys: pytest.CaptureFixture[str], *words: str) -> Any:
    """Type a command that succeeds and answers in JSON."""
    code, out, err = typed(capsys, *words, "--json")
    assert code == 0, err
    return json.loads(out)


def refused(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str]:
    """Type a command that does not succeed: its exit code, and what it says."""
    code, _, err = typed(capsys, *words)
    return code, err


async def put_through(dsn: str, commands: list[AnyCommand]) -> list[Outcome]:
    """What an engine answers."""
    async with open_ledger(dsn, writers=1, readers=1) as ledger:
        await ledger.ensure_lanes(1)
        return await run_batch(ledger, commands, datetime.now(UTC))


async def look(dsn: str) -> tuple[int, list[Any]]:
    """How many events there are, and what does not agree."""
    async with open_ledger(dsn, writers=1, readers=1) as ledger:
        return (await ledger.lane_heads())[Lane(0)], list(await check(ledger))


def epoch_of(dsn: str) -> int:
    """The epoch of the hub."""
    with psycopg.connect(dsn) as db:
        ((epoch,),) = db.execute("SELECT max(epoch) FROM hub_epoch").fetchall()
    return int(epoch)


@pytest.mark.slow(seconds=15)
def test_a_mistake_is_undone_and_sources_tell_again(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Given work and a mistake after a backup, when restored to before it, then counts agree and facts come again."""
    load = Load(Lane(0), points=2, seed=5)
    commands = load.commands(12, 3)
    assert typed(capsys, "db", "start")[0] == typed(capsys, "db", "migrate")[0] == 0
    with database(os.environ) as dsn:
        asyncio.run(put_through(dsn, [*load.provision(), *commands[:24]]))
        say(capsys, "db", "backup", str(place / "backup"))
        asyncio.run(put_through(dsn, commands[24:48]))
        before = asyncio.run(look(dsn))
        with psycopg.connect(dsn) as db:
            ((mistake,),) = db.execute("SELECT clock_timestamp()").fetchall()
        asyncio.run(put_through(dsn, commands[48:]))
        epoch = epoch_of(dsn)
    assert typed(capsys, "db", "stop")[0] == 0
    folder = database_folder(os.environ)
    assert refused(capsys, "db", "restore", str(place / "backup"))[0] == FAILED
    folder.rename(place / "before")
    told = say(capsys, "db", "restore", str(place / "backup"), "--until", mistake.isoformat())
    dsn = Server(folder).dsn
    assert asyncio.run(look(dsn)) == before
    assert before[1] == []
    assert epoch_of(dsn) == told["epoch"] > epoch
    again = asyncio.run(put_through(dsn, [one for one in commands if isinstance(one, AdoptFact)]))
    assert all(isinstance(outcome, Accepted) for outcome in again)
    assert asyncio.run(look(dsn))[1] == []


@pytest.mark.slow(seconds=15)
def test_a_replica_is_made_shown_and_promoted(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Given a replica, when looked at, then status shows it, and it leads only once the leader is dead."""
    assert typed(capsys, "db", "start")[0] == typed(capsys, "db", "migrate")[0] == 0
    second = str(place / "second")
    assert say(capsys, "db", "replica", second)["made"] == "copied"
    (shown,) = say(capsys, "db", "status")["replicas"]
    assert shown["folder"] == second
    assert typed(capsys, "db", "stop")[0] == 0
    assert Server(Path(second)).pid is None
    assert typed(capsys, "db", "start")[0] == 0
    assert Server(Path(second)).pid is not None
    code, words = refused(capsys, "db", "promote", second)
    assert (code, words.split(":")[0]) == (FAILED, "PrimaryAnswers")
    leader = Server(database_folder(os.environ))
    epoch = epoch_of(leader.dsn)
    leader.kill_hard()
    assert say(capsys, "db", "promote", second)["commits_lost"] == 0
    assert epoch_of(Server(Path(second)).dsn) == epoch, "nothing was lost, so no manifest is in doubt"
    assert say(capsys, "db", "replica", str(leader.state), "--anew")["made"] in {"wound back", "copied"}
    Server(Path(second)).kill_hard()
    leader.state.joinpath("follows").unlink()
    code, words = refused(capsys, "db", "promote", str(leader.state))
    assert (code, words.split(":")[0]) == (FAILED, "CommitsLacking")
    told = say(capsys, "db", "promote", str(leader.state), "--accept-loss")
    assert told["commits_lost"] is None
    assert told["epoch"] > epoch


def test_a_database_elsewhere_is_replicated_and_restored_there(
    place: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Given DATABASE_URL, when a replica or a backup of it is asked for, then it is refused by name."""
    monkeypatch.setenv("DATABASE_URL", "postgresql://h/d")
    for words in (["replica", "f"], ["promote", "f"], ["backup", "f"], ["restore", "f"]):
        code, said = refused(capsys, "db", *words)
        assert (code, said.split(" ")[0]) == (REFUSED, "database-foreign")
