"""Old days of the log: exported whole, dropped as whole, and nothing that anybody still needs goes with them."""

import asyncio
import os
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import date, datetime, timedelta
from pathlib import Path

import msgspec
import psycopg
import pytest

from restante.core.bank import RoomClass
from restante.core.commands import AdoptFact, AnnounceParcel, AnyCommand
from restante.core.facts import ParcelPutIn
from restante.core.ids import CommandId, Lane, ParcelId
from restante.core.stay import By, Evidence
from restante.core.time import Instant
from restante.hub.engine import Accepted, run_batch
from restante.store import retention, upkeep
from restante.store.check import check
from restante.store.ledger import Ledger
from restante.store.postgres import PostgresLedger, open_ledger
from restante.store.retention import Kept, Retired, read_lines, retire
from tests.fixtures.lives import LANES, NOW, Load

pytestmark = pytest.mark.postgres

FIRST, SECOND = NOW.date(), NOW.date() + timedelta(days=1)
LATER = NOW + timedelta(days=60)
LANE = Lane(1)
READERS: list[Mapping[Lane, int]] = [{Lane(lane): 10_000 for lane in range(LANES)}]


async def done(ledger: Ledger, commands: list[AnyCommand], at: Instant) -> None:
    """Commands at an instant, all of them accepted."""
    for outcome in await run_batch(ledger, commands, at):
        assert isinstance(outcome, Accepted), outcome


class Log:
    """A log of two days: on the first a parcel came and went, another lies to the end; on the second a third came."""

    def __init__(self, ledger: PostgresLedger, dsn: str) -> None:
        self.ledger = ledger
        self.dsn = dsn
        self.load = Load(LANE, points=1, seed=1)
        self.extension: AnyCommand | None = None

    async def fill(self) -> tuple[ParcelId, ParcelId, ParcelId]:
        """The log, and the three parcels. Tasks are done, and the epoch of the hub is old."""
        async with await psycopg.AsyncConnection.connect(self.dsn, autocommit=True) as db:
            await upkeep.make_days(db, FIRST)
        other = Load(LANE, points=1, seed=2)
        await done(self.ledger, [*self.load.provision(), *other.provision()], NOW)
        first, last, waiting = self.load.commands(1, 1), self.load.commands(1, 1), other.commands(1, 1)
        await done(self.ledger, [*first, *waiting[:4]], NOW)
        self.extension = waiting[4]
        await done(self.ledger, last, NOW + timedelta(days=1))
        self.tell("DELETE FROM task")
        self.tell("UPDATE hub_epoch SET began_at = '2026-01-01'")
        return tuple(  # type: ignore[return-value]
            next(one.parcel for one in life if isinstance(one, AnnounceParcel)) for life in (first, waiting, last)
        )

    def tell(self, statement: str) -> None:
        """Have the database do something."""
        with psycopg.connect(self.dsn, autocommit=True) as db:
            db.execute(statement.encode())

    def run(
        self, folder: Path, *, now: datetime = LATER, readers: list[Mapping[Lane, int]] | None = None
    ) -> list[Retired | Kept]:
        """Retire what may go."""
        told = READERS if readers is None else readers
        return list(retire(self.dsn, folder, keep_days=30, now=now, readers=told))


@pytest.fixture
def log(postgres: PostgresLedger, database: str) -> Log:
    """A log that is not filled yet."""
    return Log(postgres, database)


async def test_a_day_goes_and_what_is_open_stays(log: Log, tmp_path: Path) -> None:
    """Given parcels that are over and one that lies behind a door, when their day is retired, then the file has every
    event, the history of the open parcel and of points is whole, and the ledger agrees with itself.
    """
    over, waiting, last = await log.fill()
    before = {one: await log.ledger.history(one) for one in (over, waiting, last, log.load.banks[0].point)}
    everything = await log.ledger.feed(LANE, 0, 1_000)
    day = [row for row in everything if row.recorded_at.date() == FIRST]
    found = log.run(tmp_path / "old", now=LATER - timedelta(days=29))
    assert [(type(one), one.day) for one in found] == [(Retired, FIRST)]
    retired = found[0]
    assert isinstance(retired, Retired)
    assert (retired.events, retired.kept) == (len(day), len(day) - len(before[over]))
    with (tmp_path / "old" / f"events-{FIRST}.jsonl.gz").open("rb") as file:
        told = list(read_lines(file))
    assert [(one["seq"], one["version"], one["command"]) for one in told] == [
        (row.seq, row.version, row.command) for row in day
    ]
    assert await log.ledger.history(over) == []
    for one in (waiting, last, log.load.banks[0].point):
        assert await log.ledger.history(one) == before[one]
    assert await log.ledger.feed(LANE, day[-1].seq, 1_000) == everything[len(day) :]
    assert await log.ledger.cuts() == {LANE: day[-1].seq}
    assert await check(log.ledger, await log.ledger.cuts()) == []
    assert {one.what for one in await check(log.ledger)} >= {"head"}


async def test_all_old_days_go_and_new_ones_are_made(log: Log, tmp_path: Path) -> None:
    """Given two old days, when retired, then both go, empty ones too; days can still be made, and parcels moved."""
    await log.fill()
    assert [one.day for one in log.run(tmp_path)][:2] == [FIRST, SECOND]
    assert all(isinstance(one, Retired) for one in log.run(tmp_path))
    async with await psycopg.AsyncConnection.connect(log.dsn, autocommit=True) as db:
        assert f"event_{FIRST:%Y_%m_%d}" in await upkeep.make_days(db, FIRST)
    assert log.extension is not None
    await done(log.ledger, [log.extension], LATER)
    assert await check(log.ledger, await log.ledger.cuts()) == []


@pytest.mark.parametrize(
    ("statement", "readers", "why"),
    [
        ("INSERT INTO task (lane, seq, ordinal, body) VALUES (1, 3, 0, '{}')", READERS, "task-owed"),
        ("UPDATE hub_epoch SET began_at = '2026-04-28'", READERS, "epoch-young"),
        ("SELECT 1", [{LANE: 4}], "reader-behind"),
        ("SELECT 1", [*READERS, {}], "reader-behind"),
    ],
)
async def test_a_day_that_somebody_needs_stays(
    log: Log, tmp_path: Path, statement: str, readers: list[Mapping[Lane, int]], why: str
) -> None:
    """Given a task, a reader or a restored hub that has not come past a day, then it stays, and every day after it."""
    await log.fill()
    log.tell(statement)
    before = await log.ledger.feed(LANE, 0, 1_000)
    assert log.run(tmp_path, readers=readers) == [Kept(FIRST, why)]
    assert await log.ledger.feed(LANE, 0, 1_000) == before
    assert os.listdir(tmp_path) == []


async def test_a_day_within_the_period_stays(log: Log, tmp_path: Path) -> None:
    """Given a day that ended just less than the period ago, then it is not even looked at."""
    await log.fill()
    assert log.run(tmp_path, now=NOW + timedelta(days=30)) == []
    assert date.fromisoformat("2026-03-02") == FIRST


async def test_a_parcel_that_moves_meanwhile_keeps_its_history(
    log: Log, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Given a parcel judged over, when its bank tells that it lies there again, then its events stay."""
    over, _, _ = await log.fill()
    bank = log.load.banks[0]
    entry = msgspec.json.encode({"seq": bank.seq + 1})
    again = ParcelPutIn(over, "g", 9, RoomClass("1+seated"), By.COURIER, Evidence.SENSOR)
    adopted = AdoptFact(
        CommandId(""), "bank", NOW, bank.source, bank.point, 1, bank.seq + 1, bank.hash, "f" * 64, again, entry
    )
    before, choose = await log.ledger.history(over), retention._choose

    def choose_and_move(db: psycopg.Connection, day: date, limit: Instant) -> None:
        choose(db, day, limit)
        # The ledger is this thread's, so another one adopts the entry over a ledger of its own.
        with ThreadPoolExecutor(1) as threads:
            threads.submit(asyncio.run, elsewhere(log.dsn, adopted)).result()

    monkeypatch.setattr(retention, "_choose", choose_and_move)
    log.run(tmp_path, now=LATER - timedelta(days=29))
    after = await log.ledger.history(over)
    assert len(after) > len(before)
    assert list(after[: len(before)]) == list(before)
    assert await check(log.ledger, await log.ledger.cuts()) == []


async def elsewhere(dsn: str, command: AnyCommand) -> None:
    """A command that another hub takes."""
    async with open_ledger(dsn) as ledger:
        await done(ledger, [command], NOW + timedelta(days=40))


async def test_a_day_that_changed_since_its_export_is_not_dropped(
    log: Log, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Given events that appear in a day after it was exported, then nothing goes; the next run exports them too."""
    await log.fill()
    export = retention._export

    def export_less(db: psycopg.Connection, day: date, path: Path) -> tuple[int, str]:
        count, digest = export(db, day, path)
        return count - 1, digest

    with monkeypatch.context() as broken:
        broken.setattr(retention, "_export", export_less)
        with pytest.raises(psycopg.errors.SerializationFailure):
            log.run(tmp_path)
    assert await log.ledger.cuts() == {}
    assert await check(log.ledger) == []
    assert [one.day for one in log.run(tmp_path)][:2] == [FIRST, SECOND]
