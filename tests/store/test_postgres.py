"""What only the ledger in PostgreSQL must bear: strangers, stalls, cut connections, days of the log."""

import asyncio
from datetime import datetime, timedelta
from pathlib import Path
from uuid import UUID

import psycopg
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from psycopg.conninfo import make_conninfo

from restante.core.commands import AnnounceParcel, Keys
from restante.core.ids import Lane, ParcelId, lane_of
from restante.hub.engine import Draft
from restante.store import arrays, trips, upkeep
from restante.store.check import check
from restante.store.ledger import Changes, LaneStalled, OutcomeUnknown, RowsMoved, RowsRefused, StoreDown
from restante.store.postgres import PostgresLedger, open_ledger
from restante.store.writers import Writers
from tests.fixtures.cutting import cutting
from tests.fixtures.ledgers import accepted, town
from tests.fixtures.lives import LANES, NOW

pytestmark = pytest.mark.postgres


async def _announced(ledger: PostgresLedger) -> tuple[list[ParcelId], list[AnnounceParcel]]:
    load = await town(ledger, points=1)
    done, *more = [one for one in load.commands(3, 3)[:3] if isinstance(one, AnnounceParcel)]
    await accepted(ledger, [done])
    return [done.parcel], more


async def test_a_strangers_change_is_found_and_nothing_is_written(database: str, postgres: PostgresLedger) -> None:
    """Given a row changed behind the engine's back, when the batch commits, then it fails whole and can be retried."""
    load = await town(postgres, points=1)
    announce, reserve = load.commands(1, 1)[:2]
    assert isinstance(announce, AnnounceParcel)
    await accepted(postgres, [announce])
    heads = await postgres.lane_heads()
    keys = Keys(parcels=frozenset({announce.parcel}), rooms=frozenset({load.banks[0].point}))
    async with postgres.transact(keys, {}) as batch:
        draft = Draft(batch, NOW)
        draft.take(reserve)
        with psycopg.connect(database) as stranger:
            stranger.execute("UPDATE parcel SET version = version + 1")
        with pytest.raises(RowsMoved):
            await batch.commit(draft.finish())
    assert await postgres.lane_heads() == heads
    view = await postgres.view(load.banks[0].point)
    assert view is not None
    assert view.promises == ()


async def test_a_lane_that_somebody_keeps_is_stalled(database: str) -> None:
    """Given a stranger who holds a lane's row, when a batch begins there, then it is told so within the lock limit."""
    impatient = make_conninfo(database, options="-c lock_timeout=40ms")
    async with open_ledger(impatient) as ledger:
        await ledger.ensure_lanes(LANES)
        with psycopg.connect(database) as stranger:
            stranger.execute("SELECT FROM lane WHERE lane = 0 FOR UPDATE")
            with pytest.raises(LaneStalled):
                async with ledger.transact(Keys(parcels=frozenset({_id(0)})), {}):
                    pass
            async with ledger.transact(Keys(parcels=frozenset({_id(1)})), {}) as batch:
                await batch.commit(Changes())
        async with ledger.transact(Keys(parcels=frozenset({_id(0)})), {}) as batch:
            assert batch.heads == {0: 0}


async def test_a_cut_before_the_commit_leaves_nothing(database: str, tmp_path: Path) -> None:
    """Given a connection cut before the second trip arrives, then its outcome is unknown, and in truth none."""
    async with cutting(database, tmp_path) as scissors, open_ledger(scissors.dsn) as ledger:
        await ledger.ensure_lanes(LANES)
        _, (announce, _) = await _announced(ledger)
        heads = await ledger.lane_heads()
        async with ledger.transact(Keys(parcels=frozenset({announce.parcel})), {}) as batch:
            draft = Draft(batch, NOW)
            draft.take(announce)
            scissors.before_words = True
            with pytest.raises(OutcomeUnknown):
                await batch.commit(draft.finish())
        assert scissors.cuts == 1
        assert await ledger.lane_heads() == heads
        await accepted(ledger, [announce])


async def test_a_cut_in_the_first_trip_is_a_store_that_is_down(database: str, tmp_path: Path) -> None:
    """Given a connection cut while loading, when it fails, then nothing is unknown, and the next batch reconnects."""
    async with (
        cutting(database, tmp_path) as scissors,
        open_ledger(scissors.dsn, writers=1, readers=1) as ledger,
    ):
        await ledger.ensure_lanes(LANES)
        await ledger.lane_heads()  # so that no connection is still being made: its words would be the ones cut
        scissors.before_words = True
        with pytest.raises(StoreDown):
            async with ledger.transact(Keys(parcels=frozenset({_id(0)})), {}):
                pass
        async with ledger.transact(Keys(parcels=frozenset({_id(0)})), {}) as batch:
            assert batch.heads == {0: 0}


async def test_a_cancelled_batch_gives_its_connection_back_clean(postgres: PostgresLedger) -> None:
    """Given batches cancelled at any moment, when as many more run, then none meets a leftover transaction."""
    keys = Keys(parcels=frozenset({_id(0)}))

    async def one() -> None:
        async with postgres.transact(keys, {}) as batch:
            await batch.commit(Changes())

    for turns in range(12):
        task = asyncio.create_task(one())
        for _ in range(turns):
            await asyncio.sleep(0)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    async with asyncio.timeout(5):
        await asyncio.gather(*(one() for _ in range(8)))


async def test_a_connection_whose_borrower_left_while_it_was_made_ready_is_closed(
    database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Given a batch cancelled while its connection prepares statements, then that connection is closed."""
    seen, reached = list[psycopg.AsyncConnection](), asyncio.Event()

    async def never(db: psycopg.AsyncConnection, _: object) -> None:
        seen.append(db)
        reached.set()
        await asyncio.Event().wait()

    monkeypatch.setattr(trips, "prepare", never)
    writers = Writers(database, limit=1, statements=[trips.BEGIN])
    async with asyncio.timeout(5):
        task = asyncio.create_task(writers.one().__aenter__())
        await reached.wait()
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    assert [db.closed for db in seen] == [True]


async def test_connections_that_the_server_ended_while_idle_are_not_lent(database: str) -> None:
    """Given idle connections that all broke with the server's restart, when one is wanted, then a fresh one is lent."""
    writers = Writers(database, limit=3)
    async with writers.one() as first, writers.one() as second, writers.one() as third:
        old = [first, second, third]
    with psycopg.connect(database, autocommit=True) as db:
        for one in old:
            db.execute("SELECT pg_terminate_backend(%s, 5000)", [one.info.backend_pid])
    async with writers.one() as db:
        assert db not in old
        await db.execute("SELECT 1")
    await writers.close()
    assert [one.closed for one in old] == [True] * 3


async def test_no_database_is_a_store_that_is_down(tmp_path: Path) -> None:
    """Given nothing that listens, when the ledger is opened, then the fault says that the store is down."""
    with pytest.raises(StoreDown):
        async with open_ledger(f"host={tmp_path} dbname=none"):
            pass


async def test_words_that_no_row_can_hold_are_refused(postgres: PostgresLedger) -> None:
    """Given a reader's id that is no UUID, when asked, then the fault is not one to try again."""
    with pytest.raises(RowsRefused) as refused:
        await postgres.parcels([ParcelId("not-a-uuid-0000")])
    assert not refused.value.retryable
    assert "not-a-uuid" not in str(refused.value)


async def test_days_are_made_ahead_and_events_move_into_theirs(database: str, postgres: PostgresLedger) -> None:
    """Given events recorded before their day's partition stood, when days are made, then they move and none is lost."""
    load = await town(postgres, points=1)
    await accepted(postgres, load.commands(2, 1))
    before = await postgres.feed(Lane(0), 0, 1000)
    with psycopg.connect(database, autocommit=True) as db:
        assert _count(db, "event_other_days") == len(before)
        await asyncio.gather(postgres.upkeep(NOW), postgres.upkeep(NOW))
        assert _count(db, "event_other_days") == 0
        assert _count(db, f"event_{NOW:%Y_%m_%d}") == len(before)
        days = db.execute("SELECT count(*) FROM pg_inherits WHERE inhparent = 'event'::regclass").fetchone()
    assert days == (upkeep.DAYS_AHEAD + 2,)
    assert await postgres.feed(Lane(0), 0, 1000) == before
    await postgres.upkeep(NOW + timedelta(days=1))
    await accepted(postgres, load.commands(1, 1)[:1])
    assert await check(postgres) == []


async def test_a_batch_that_waits_for_a_new_day_is_stored_in_it(database: str, postgres: PostgresLedger) -> None:
    """Given a batch that waits while its day is made, when the day stands, then the batch is stored, and in its day."""
    load = await town(postgres, points=1)
    with psycopg.connect(database) as reader, psycopg.connect(database, autocommit=True) as db:
        reader.execute("LOCK TABLE event_other_days IN ACCESS SHARE MODE")
        days = asyncio.create_task(postgres.upkeep(NOW))
        await _until_waiting(db, 1)
        batch = asyncio.create_task(accepted(postgres, load.commands(1, 1)[:1]))
        await _until_waiting(db, 2)
        reader.rollback()
        await asyncio.gather(days, batch)
        assert _count(db, "event_other_days") == 0
    assert await check(postgres) == []


async def test_claims_stop_at_their_limit_whatever_the_server_believes_of_the_table(database: str) -> None:
    """Given statistics of a time when nothing was to be done, when much is claimed, then no more than was asked for."""
    async with open_ledger(database) as ledger:
        await ledger.ensure_lanes(LANES)
        load = await town(ledger, points=2)
        await accepted(ledger, load.commands(20, 20))
    with psycopg.connect(database, autocommit=True) as db:
        for table in ("task", "timer"):
            db.execute(f"CREATE TEMPORARY TABLE kept_{table} AS TABLE {table}".encode())
            db.execute(f"DELETE FROM {table}".encode())
            db.execute(f"ANALYZE {table}".encode())
            db.execute(f"INSERT INTO {table} TABLE kept_{table}".encode())
    async with open_ledger(database) as ledger:
        later = NOW + timedelta(days=30)
        for others, codes in ((3, 1), (2, 0)):
            claimed = await ledger.claim_tasks(later, others, 60, codes=codes)
            assert len(claimed) <= others + codes
        assert len(await ledger.claim_timers(later, 2, 60)) <= 2


async def _until_waiting(db: psycopg.Connection, count: int) -> None:
    async with asyncio.timeout(10):
        while True:
            row = db.execute("SELECT count(DISTINCT pid) FROM pg_locks WHERE NOT granted").fetchone()
            if row is not None and row[0] >= count:
                return
            await asyncio.sleep(0.01)


def _count(db: psycopg.Connection, table: str) -> int:
    row = db.execute(f"SELECT count(*) FROM {table}".encode()).fetchone()
    assert row is not None
    return int(row[0])


def _id(lane: int) -> ParcelId:
    return ParcelId(f"00000000-0000-8000-8000-00000000{lane:04x}")


def test_arrays_say_what_was_meant(database: str) -> None:
    """Given any texts, byte strings, instants, ids and counts, when sent as arrays, then the server has the same."""

    @settings(max_examples=60, deadline=None)
    @given(
        words=st.lists(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"))),
        holes=st.lists(st.one_of(st.none(), st.sampled_from(["", "NULL", '"', "\\", "{}", "a,b"]))),
        heaps=st.lists(st.binary(max_size=50)),
        times=st.lists(st.datetimes(timezones=st.just(NOW.tzinfo or None))),
        ids=st.lists(st.uuids()),
        counts=st.lists(st.integers(-(2**31), 2**31 - 1)),
        positions=st.lists(st.integers(-(2**63), 2**63 - 1)),
    )
    def same(
        *,
        words: list[str],
        holes: list[str | None],
        heaps: list[bytes],
        times: list[datetime],
        ids: list[UUID],
        counts: list[int],
        positions: list[int],
    ) -> None:
        row = db.execute(
            b"SELECT %s::text[], %s::text[], %s::bytea[], %s::timestamptz[],"
            b" %s::uuid[], %s::int[], %s::int[], %s::bigint[]",
            [
                arrays.texts(words),
                arrays.texts_or_null(holes),
                arrays.blobs(heaps),
                arrays.instants(times),
                arrays.uuids(map(str, ids)),
                arrays.lanes(map(str, ids)),
                arrays.numbers(counts),
                arrays.big_numbers(positions),
            ],
        ).fetchone()
        lanes = [lane_of(str(one)) for one in ids]
        assert row == (words, holes, heaps, times, ids, lanes, counts, positions)

    with psycopg.connect(database, autocommit=True) as db:
        arrays.register(db)
        same()


@pytest.mark.parametrize("wrong", ["", "aino", "0" * 31, "0" * 34, "00000000-0000-8000-8000-00000000000g"])
def test_what_is_no_uuid_is_refused_before_it_is_sent(wrong: str) -> None:
    """Given a text that is no UUID among some that are, when packed, then it is refused."""
    with pytest.raises(psycopg.DataError):
        arrays.uuids([_id(1), wrong, _id(2)])


def test_texts_that_are_as_long_together_as_uuids_are_refused() -> None:
    """Given one id too short by as much as the next is too long, when packed, then they are refused."""
    with pytest.raises(psycopg.DataError):
        arrays.uuids(["0" * 30, "0" * 34])
