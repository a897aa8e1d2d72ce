"""The engine and a database that fails: lost answers, a killed server, two hubs on one database."""

import asyncio
import time
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

import msgspec
import psycopg
import pytest
from psycopg.conninfo import make_conninfo

from restante.core import commands as cmd
from restante.core.ids import CommandId, Lane
from restante.core.refusals import Fault
from restante.core.reservation import Window
from restante.hub.engine import Accepted, Engine, Outcome, _was_stored, run_batch
from restante.sim.rows import Break, RowLedger
from restante.store import embedded, migrate
from restante.store.check import check
from restante.store.ledger import LaneStalled, Ledger, OutcomeUnknown, Recorded, StoreDown
from restante.store.postgres import PostgresLedger, open_ledger
from restante.store.programs import Programs
from tests.fixtures.cutting import cutting
from tests.fixtures.ledgers import accepted, town
from tests.fixtures.lives import LANES, NOW, Load
from tests.fixtures.standing import standing_hub


def engine_over(ledger: Ledger, *, max_batch: int = 16) -> Engine:
    """An engine whose clock stands."""
    return Engine(ledger, lambda: NOW, max_batch=max_batch, queue_limit=100_000)


@pytest.mark.parametrize("where", list(Break))
@pytest.mark.parametrize("after_commits", [0, 1, 4])
async def test_a_broken_commit_is_done_exactly_once(where: Break, after_commits: int) -> None:
    """Given a commit that breaks before or after its effect, when the engine goes on, then each is done once."""
    whole, rows = RowLedger(), RowLedger()
    for ledger in (whole, rows):
        await ledger.ensure_lanes(1)
    load = await town(whole, points=2)
    await town(rows, points=2)
    commands = load.commands(12, 4)
    await accepted(whole, commands, batch=16)
    rows.plant(where, after_commits=after_commits)
    outcomes = await engine_over(rows).submit_all(commands)
    assert all(isinstance(outcome, Accepted) for outcome in outcomes)
    assert [row.event for row in rows.logs[Lane(0)]] == [row.event for row in whole.logs[Lane(0)]]
    assert await check(rows) == []


async def test_an_outcome_that_stays_unknown_is_said_to_be_so() -> None:
    """Given an answer lost and then no database, when the caller is answered, then not with 'nothing was stored'."""
    rows = RowLedger()
    await rows.ensure_lanes(1)
    load = await town(rows, points=1)
    announce = load.commands(1, 1)[0]
    assert isinstance(announce, cmd.AnnounceParcel)
    rows.plant(Break.UNSEEN)
    rows.plant(Break.BEFORE, after_commits=1)
    with pytest.raises(OutcomeUnknown):
        await engine_over(rows).submit(announce)
    assert isinstance(await engine_over(rows).submit(announce), Accepted)
    assert len(await rows.history(announce.parcel)) == 1


async def test_a_lost_answer_is_learnt_from_the_log() -> None:
    """Given commits whose answers are lost, when the log is read, then they count as stored, the first event too."""
    rows = RowLedger()
    await rows.ensure_lanes(1)
    load = await town(rows, points=1)
    for command in load.commands(2, 2)[:2]:
        rows.plant(Break.AFTER)
        [outcome] = await run_batch(rows, [command], NOW)
        assert isinstance(outcome, Accepted)
        assert not outcome.replayed


async def test_a_lost_answer_is_learnt_though_others_went_on() -> None:
    """Given batches that followed in the lane, when asked whether one is stored, then it is; another event is not."""
    rows = RowLedger()
    await rows.ensure_lanes(1)
    load = await town(rows, points=1)
    await accepted(rows, load.commands(2, 2))
    log = rows.logs[Lane(0)]
    assert all([await _was_stored(rows, row) for row in log])
    for row, follows in pairwise(log):
        assert not await _was_stored(rows, msgspec.structs.replace(follows, seq=row.seq))


async def test_a_lost_answer_to_a_refusal_stays_unknown() -> None:
    """Given a batch of a refusal alone, when its answer is lost, then no event tells whether its receipt is stored."""
    rows = RowLedger()
    await rows.ensure_lanes(1)
    load = await town(rows, points=1)
    announce = load.commands(1, 1)[0]
    await accepted(rows, [announce])
    rows.plant(Break.AFTER)
    with pytest.raises(OutcomeUnknown):
        await run_batch(rows, [msgspec.structs.replace(announce, id=CommandId("again"))], NOW)


async def test_a_database_that_stays_away_is_said_to_be_away() -> None:
    """Given no database at both attempts, when the caller is answered, then with that: nothing was stored."""
    rows = RowLedger()
    await rows.ensure_lanes(1)
    load = await town(rows, points=1)
    rows.plant(Break.BEFORE)
    rows.plant(Break.BEFORE, after_commits=1)
    with pytest.raises(StoreDown):
        await engine_over(rows).submit(load.commands(1, 1)[0])


class Deaf(RowLedger):
    """Rows whose log cannot be read: the database went down with the answer to a commit."""

    async def feed(self, lane: Lane, after: int, limit: int) -> Sequence[Recorded]:
        """Nobody answers."""
        raise StoreDown


async def test_an_outcome_that_nobody_can_be_asked_about_is_unknown() -> None:
    """Given an answer lost and no database to ask, when the caller is answered, then not with 'nothing was stored'."""
    rows = Deaf()
    await rows.ensure_lanes(1)
    load = await town(rows, points=1)
    announce = load.commands(1, 1)[0]
    rows.plant(Break.AFTER)
    with pytest.raises(OutcomeUnknown):
        await run_batch(rows, [announce], NOW)
    again = await engine_over(rows).submit(announce)
    assert isinstance(again, Accepted)
    assert again.replayed


@pytest.mark.postgres
async def test_a_commit_that_never_arrived_is_made_once(database: str, tmp_path: Path) -> None:
    """Given a connection cut before the commit reached the server, when the engine tries again, then it is stored."""
    async with cutting(database, tmp_path) as scissors, open_ledger(scissors.dsn) as ledger:
        await ledger.ensure_lanes(LANES)
        load = await town(ledger, points=1)
        commands = load.commands(4, 2)
        await accepted(ledger, commands[:1])
        scissors.before_commit = True
        outcomes = await engine_over(ledger).submit_all(commands[1:])
        assert scissors.cuts == 1
        assert all(isinstance(outcome, Accepted) and not outcome.replayed for outcome in outcomes)
        assert await check(ledger) == []


@pytest.mark.postgres
async def test_a_lane_that_somebody_keeps_stalls_its_own_callers_alone(database: str) -> None:
    """Given a lane's row held by a stranger, then its callers may try again, others go on, and all is well after."""
    async with open_ledger(make_conninfo(database, options="-c lock_timeout=40ms")) as ledger:
        await ledger.ensure_lanes(LANES)
        here, there = await town(ledger, 0, points=1), await town(ledger, 1, points=1)
        engine, commands = engine_over(ledger, max_batch=2), here.commands(3, 3)
        with psycopg.connect(database) as stranger:
            stranger.execute("SELECT FROM lane WHERE lane = 0 FOR UPDATE")
            stalled, fine = await asyncio.gather(engine.try_all(commands), engine.try_all(there.commands(3, 3)))
        assert all(isinstance(outcome, LaneStalled) and outcome.retryable for outcome in stalled)
        assert all(isinstance(outcome, Accepted) for outcome in fine)
        again = await engine.submit_all(commands)
        assert all(isinstance(outcome, Accepted) and not outcome.replayed for outcome in again)
        assert await check(ledger) == []


@pytest.mark.postgres
async def test_a_hub_that_stood_still_in_its_batch_holds_nobody_up(database: str) -> None:
    """Given a hub stopped with a lane locked, when it goes on, then others had the lane and nothing is done twice."""
    limited = make_conninfo(database, options="-c lock_timeout=40ms -c idle_in_transaction_session_timeout=150ms")
    async with open_ledger(limited) as ledger, standing_hub(limited) as other:
        await ledger.ensure_lanes(LANES)
        load = await town(ledger, points=1)
        announce, *others = load.commands(4, 2)
        assert isinstance(announce, cmd.AnnounceParcel)
        await other.hold([announce])
        engine = engine_over(ledger)
        for command in (announce, *others):
            assert await _accepted_at_last(engine, command)
        assert await other.go_on() == "OutcomeUnknown"
        assert await other.go_on() == "replayed"
        kinds = [type(row.event).__name__ for row in await ledger.history(announce.parcel)]
        assert kinds.count("ParcelAnnounced") == 1
        assert await check(ledger) == []


@pytest.mark.postgres
@pytest.mark.parametrize("with_id", [True, False])
async def test_a_lost_answer_is_learnt_from_the_lanes_log(database: str, tmp_path: Path, with_id: bool) -> None:
    """Given a connection cut when the server had committed, when the engine looks at the log, then it was accepted."""
    async with cutting(database, tmp_path) as scissors, open_ledger(scissors.dsn) as ledger:
        await ledger.ensure_lanes(LANES)
        load = await town(ledger, points=1)
        commands = load.commands(1, 1)[:3]
        command = commands[0] if with_id else commands[2]
        await accepted(ledger, [] if with_id else commands[:2])
        before = (await ledger.lane_heads())[Lane(0)]
        scissors.before_answer = True
        outcome = await engine_over(ledger).submit(command)
        assert scissors.cuts == 1
        assert isinstance(outcome, Accepted)
        assert not outcome.replayed
        assert [seq for _, seq in outcome.positions] == list(
            range(before + 1, (await ledger.lane_heads())[Lane(0)] + 1)
        )
        assert await check(ledger) == []


@pytest.mark.postgres
async def test_two_hubs_share_one_database(database: str, postgres: PostgresLedger) -> None:
    """Given two hubs whose batches cross lanes both ways, when they work at once, then no gap, inversion or drift."""
    async with open_ledger(database) as other, asyncio.timeout(30):
        loads = [await town(postgres, lane, points=3, seed=seed) for lane, seed in ((0, 1), (1, 2), (0, 3), (1, 4))]
        hubs = [engine_over(postgres), engine_over(other), engine_over(other), engine_over(postgres)]
        # Announced in one lane, sent on to the next load's point in the other.
        crossing = [_redirects(Load(Lane(n % 2), points=1, seed=10 + n), loads[n - 1]) for n in range(4)]
        done = await asyncio.gather(
            *(hub.submit_all(load.commands(30, 8)) for hub, load in zip(hubs, loads, strict=True)),
            *(_one_by_one(hub, commands) for hub, commands in zip(reversed(hubs), crossing, strict=True)),
        )
    assert all(isinstance(outcome, Accepted) for outcomes in done for outcome in outcomes)
    assert await check(postgres) == []


def _redirects(here: Load, there: Load) -> list[cmd.AnyCommand]:
    """Parcels of one lane that are sent to the other lane's point at once."""
    announced = [one for one in here.commands(8, 8)[:8] if isinstance(one, cmd.AnnounceParcel)]
    window = Window(NOW, NOW.replace(hour=20))
    point = there.banks[0].point
    sent = [
        cmd.RedirectParcel(CommandId(f"r-{one.id}"), "carrier", one.at, one.parcel, point, window, window.closes_at)
        for one in announced
    ]
    return [*announced, *sent]


async def _one_by_one(engine: Engine, commands: list[cmd.AnyCommand]) -> list[Outcome]:
    return [await engine.submit(command) for command in commands]


@pytest.mark.postgres
@pytest.mark.slow
async def test_a_killed_server_loses_nothing_acknowledged(state: Path, postgres_programs: Programs) -> None:
    """Given a server killed amid the load and started again, when all is done, then each command was done once."""
    with embedded.server(state, programs=postgres_programs) as server:
        with psycopg.connect(server.dsn, autocommit=True) as db:
            migrate.migrate(db)
        async with open_ledger(server.dsn, readers=2) as ledger:
            await ledger.ensure_lanes(LANES)
            loads = [await town(ledger, lane, points=2) for lane in (0, 1)]
            started, stop = asyncio.Event(), asyncio.Event()
            callers = [
                asyncio.create_task(_insistent(ledger, load.commands(40, 8), started=started, stop=stop))
                for load in loads
            ]
            await started.wait()
            await asyncio.to_thread(server.kill_hard)
            await asyncio.to_thread(server.start)
            stop.set()
            acknowledged = [positions for caller in callers for positions in await caller]
            found = {(lane, row.seq) for lane in (0, 1) for row in await ledger.feed(Lane(lane), 0, 100_000)}
            assert set(acknowledged) <= found
            assert await check(ledger) == []
            for row in await ledger.standing(Lane(0)), await ledger.standing(Lane(1)):
                assert {len(parcel.stays) for parcel in row.parcels} == {1}
                assert not row.stays


async def _insistent(
    ledger: Ledger, commands: list[cmd.AnyCommand], *, started: asyncio.Event, stop: asyncio.Event
) -> list[tuple[int, int]]:
    """Hand commands in one after the other until each is accepted; from the tenth on the server may be killed."""
    engine = engine_over(ledger)
    positions = list[tuple[int, int]]()
    for number, command in enumerate(commands):
        if number == 10:
            started.set()
        if number == len(commands) // 2:
            # So that the server is killed while some commands are still to come, however fast this machine is.
            await stop.wait()
        positions += await _accepted_at_last(engine, command)
    return positions


async def _accepted_at_last(engine: Engine, command: cmd.AnyCommand) -> tuple[tuple[int, int], ...]:
    deadline = time.monotonic() + 30
    while True:
        (outcome,) = await engine.try_all([command])
        if isinstance(outcome, Accepted):
            return outcome.positions
        assert isinstance(outcome, Fault), outcome
        assert outcome.retryable
        assert time.monotonic() < deadline, outcome
        await asyncio.sleep(0.02)
