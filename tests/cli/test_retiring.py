"""`restante db retire` as an operator types it."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psycopg
import pytest

from restante.cli import main
from restante.cli.ending import REFUSED
from restante.hub.paging import write_cursor
from restante.store import upkeep

pytestmark = pytest.mark.postgres


@pytest.fixture
async def old(database: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """A database whose log has a lane and empty days of long ago, as an operator's environment names it."""
    monkeypatch.setenv("DATABASE_URL", database)
    async with await psycopg.AsyncConnection.connect(database, autocommit=True) as db:
        await upkeep.make_days(db, (datetime.now(UTC) - timedelta(days=500)).date())
        await db.execute("INSERT INTO lane (lane, head) VALUES (0, 9)")
        await db.execute("UPDATE hub_epoch SET began_at = '2026-01-01'")
    return database


def run(*arguments: str) -> int:
    """The exit code of a command."""
    with pytest.raises(SystemExit) as ended:
        main(["db", "retire", *arguments])
    return int(ended.value.code or 0)


def test_days_go_into_files(old: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Given days of long ago, when retired with a reader that is far along, then each is told of and has its file."""
    cursor = write_cursor("feed", {0: 9})
    assert run("--to", str(tmp_path / "old"), "--reader", cursor, "--json") == 0
    told = json.loads(capsys.readouterr().out)
    assert len(told) == upkeep.DAYS_AHEAD + 1
    assert all(Path(one["file"]).exists() and one["events"] == 0 for one in told)
    assert run("--to", str(tmp_path / "old")) == 0
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize(
    ("arguments", "field"), [(("--keep-days", "29"), "--keep-days"), (("--reader", "no cursor"), "--reader")]
)
def test_what_cannot_be_meant_is_refused(
    old: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], arguments: tuple[str, str], field: str
) -> None:
    """Given a period that is too short or a cursor that is none, then the option is named and nothing is done."""
    assert run("--to", str(tmp_path / "old"), *arguments) == REFUSED
    assert field in capsys.readouterr().err
    assert not (tmp_path / "old").exists()
