"""Rows kept between batches: as good as read, and let go when another process had the lane or the database was lost."""

from collections.abc import AsyncIterator
from contextlib import suppress
from random import Random

import psycopg
import pytest

from restante.core.commands import Keys
from restante.core.facts import DoorOpened
from restante.core.ids import Lane, ParcelId
from restante.core.stay import Evidence
from restante.core.world import World
from restante.hub.engine import Accepted, Draft, keys_of_all, run_batch
from restante.store.kept import KeptRows, Stand
from restante.store.ledger import Changes, RowsMoved, StoreDown
from restante.store.postgres import PostgresLedger, open_ledger
from tests.fixtures.ledgers import accepted, town
from tests.fixtures.lives import NOW, Load

HERE, THERE = Lane(1), Lane(2)


def _id(number: int, lane: Lane = HERE) -> str:
    return f"00000000-0000-8000-8000-{number:08x}{lane:04x}"


def _kept(numbers: range, *, limit: int = 4, turn: int = 5) -> KeptRows:
    kept = KeptRows(limit)
    kept.keep(HERE, _stands(turn - 1, turn), {"rooms": {_id(number): (1, number) for number in numbers}}, age=0)
    return kept


def _stands(before: int, after: int) -> tuple[Stand, Stand]:
    return Stand(10 * before, before), Stand(10 * after, after)


def test_what_was_kept_is_found_with_the_turn_it_was_left_at() -> None:
    """Given kept rows, when some are wanted, then those are found, and their lane's turn tells whether they hold."""
    seen = _kept(range(3)).find((HERE, THERE), {"rooms": {_id(1), _id(9), _id(1, THERE)}, "points": {_id(1)}})
    assert seen.rows == {"rooms": {_id(1): (1, 1)}, "points": {}}
    assert seen.stale({HERE: 5}) == {}
    assert seen.stale({HERE: 6}) == {"rooms": [_id(1)]}
    assert seen.stale({}) == {"rooms": [_id(1)]}


def test_only_the_latest_rows_are_kept() -> None:
    """Given more rows than are kept, when an old one is used again, then the one used longest ago goes."""
    kept = _kept(range(4))
    kept.keep(HERE, _stands(5, 6), {"rooms": {_id(0): (2, 0)}}, age=0)
    kept.keep(HERE, _stands(6, 6), {"rooms": {_id(7): (1, 7)}}, age=0)
    found = kept.find((HERE,), {"rooms": {_id(number) for number in range(8)}})
    assert sorted(found.rows["rooms"]) == [_id(0), _id(2), _id(3), _id(7)]


@pytest.mark.parametrize(
    ("turns", "left"),
    [((5, 6), {0, 1, 9}), ((7, 8), {9}), ((3, 4), {0, 1})],
    ids=["next", "another process in between", "heard of late"],
)
def test_rows_of_a_turn_that_does_not_follow_are_not_mixed(turns: tuple[int, int], left: set[int]) -> None:
    """Given kept rows, when a batch ends that began at another turn, then old rows never pass for new ones."""
    kept = _kept(range(2))
    kept.keep(HERE, _stands(*turns), {"rooms": {_id(9): (1, 9)}}, age=0)
    assert {row for _, row in kept.find((HERE,), {"rooms": set(map(_id, range(10)))}).rows["rooms"].values()} == left


def test_what_is_let_go_is_not_found() -> None:
    """Given kept rows, when they are let go, then none is found."""
    kept = _kept(range(2))
    kept.let_go()
    assert kept.find((HERE,), {"rooms": {_id(0)}}).rows == {"rooms": {}}


def test_a_batch_that_was_under_way_when_all_was_let_go_leaves_nothing() -> None:
    """Given a batch that began before everything was let go, when it ends, then nothing of it is kept."""
    kept = _kept(range(2))
    age = kept.find((HERE,), {}).age
    kept.let_go()
    kept.keep(HERE, _stands(5, 6), {"rooms": {_id(0): (2, 0)}}, age=age)
    assert kept.find((HERE,), {"rooms": {_id(0)}}).rows == {"rooms": {}}
    kept.keep(HERE, _stands(6, 7), {"rooms": {_id(0): (3, 0)}}, age=kept.find((HERE,), {}).age)
    assert kept.find((HERE,), {"rooms": {_id(0)}}).rows == {"rooms": {_id(0): (3, 0)}}


def test_a_lane_found_as_it_was_left_is_the_processs_own() -> None:
    """Given kept rows, when the next batch finds the lane as it was left, then it is taken for this process's own."""
    kept = _kept(range(1))
    assert (kept.own(HERE), kept.own(THERE)) == (None, None)
    kept.keep(HERE, _stands(5, 6), {}, age=0)
    assert (kept.own(HERE), kept.own(THERE)) == (Stand(60, 6), None)


@pytest.mark.parametrize("stands", [_stands(7, 8), (Stand(61, 6), Stand(70, 7))], ids=["turn", "head"])
def test_a_lane_found_elsewhere_is_nobodys_own(stands: tuple[Stand, Stand]) -> None:
    """Given an own lane, when it is found where another process left it, then it is asked about again."""
    kept = _kept(range(1))
    kept.keep(HERE, _stands(5, 6), {}, age=0)
    kept.keep(HERE, stands, {}, age=0)
    assert kept.own(HERE) is None
    kept.keep(HERE, (stands[1], Stand(99, 9)), {}, age=0)
    assert kept.own(HERE) == Stand(99, 9)
    kept.let_go()
    assert kept.own(HERE) is None


def test_who_guessed_in_vain_guesses_less() -> None:
    """Given guesses in vain, then a lane must be found as it was left ever more often to be an own one again."""
    kept, turn, waited = KeptRows(), 0, list[int]()
    for _ in range(9):
        kept.let_go()
        waited.append(0)
        while kept.own(HERE) is None:
            kept.keep(HERE, _stands(turn, turn + 1), {}, age=kept.find((HERE,), {}).age)
            turn, waited[-1] = turn + 1, waited[-1] + 1
        kept.doubt(HERE)
    assert waited == [2, 3, 5, 9, 17, 33, 65, 65, 65], "the first batch finds nothing to compare with"


def test_doubts_go_when_guesses_come_true() -> None:
    """Given a lane that was doubted, when it stays an own one for some batches, then one more is enough again."""
    kept = _kept(range(1), turn=1)
    for _ in range(3):
        kept.doubt(HERE)
    for turn in range(1, 12):
        kept.keep(HERE, _stands(turn, turn + 1), {}, age=0)
    kept.let_go()
    for turn in range(20, 22):
        kept.keep(HERE, _stands(turn, turn + 1), {}, age=1)
    assert kept.own(HERE) == _stands(0, 22)[1]


@pytest.fixture
async def other(database: str, postgres: PostgresLedger) -> AsyncIterator[PostgresLedger]:
    """Another process's ledger on the same database."""
    async with open_ledger(database, writers=2, readers=1) as ledger:
        yield ledger


async def _world(ledger: PostgresLedger, keys: Keys) -> World:
    async with ledger.transact(keys, {}) as batch:
        return batch.world


@pytest.mark.postgres
async def test_two_processes_see_each_others_rows(postgres: PostgresLedger, other: PostgresLedger) -> None:
    """Given two hubs that take turns in one lane, when each goes on where the other stopped, then all is accepted."""
    load = await town(postgres, points=2)
    commands, dice = load.commands(12, 3), Random(7)
    while commands:
        cut = dice.randint(1, 7)
        await accepted(dice.choice([postgres, other]), commands[:cut])
        commands = commands[cut:]
    keys = keys_of_all([*Load(Lane(0), points=2, seed=1).provision(), *Load(Lane(0), points=2, seed=1).commands(12, 3)])
    kept, read = await _world(postgres, keys), await _world(other, keys)
    async with open_ledger(postgres._dsn, writers=1, readers=1) as fresh:
        assert kept == read == await _world(fresh, keys)


@pytest.mark.postgres
async def test_an_entry_that_makes_no_event_is_seen_by_the_other_process(
    postgres: PostgresLedger, other: PostgresLedger
) -> None:
    """Given an entry adopted without an event, when the next one comes in at another hub, then it follows from it."""
    load = await town(postgres, points=1)
    await accepted(other, load.commands(1, 1))
    opened = [load._entry(load.banks[0], DoorOpened(1, Evidence.SENSOR), NOW) for _ in range(4)]
    for ledger, command in zip([postgres, other, postgres, other], opened, strict=True):
        (outcome,) = await run_batch(ledger, [command], NOW)
        assert outcome == Accepted(()), outcome


@pytest.mark.postgres
async def test_a_row_changed_behind_the_engine_is_read_anew_after_the_fault(
    database: str, postgres: PostgresLedger
) -> None:
    """Given a kept row that a stranger changed, when a batch fails on it, then the next one has what is stored."""
    load = await town(postgres, points=1)
    announce, reserve = load.commands(1, 1)[:2]
    await accepted(postgres, [announce])
    keys = keys_of_all([reserve])
    with psycopg.connect(database, autocommit=True) as db:
        db.execute("UPDATE parcel SET version = 2, body = replace(body::text, '\"version\":1', '\"version\":2')::bytea")
    async with postgres.transact(keys, {}) as batch:
        draft = Draft(batch, NOW)
        draft.take(reserve)
        with pytest.raises(RowsMoved):
            await batch.commit(draft.finish())
    await accepted(postgres, [reserve])


@pytest.mark.postgres
async def test_nothing_kept_outlives_the_connections_it_came_by(database: str, postgres: PostgresLedger) -> None:
    """Given a kept row, when the database comes back as another one at the same turn, then the row is read anew.

    The loss is met outside of any batch; the server that answers then may be one that was a little behind.
    """
    load = await town(postgres, points=1)
    announce = load.commands(1, 1)[0]
    await accepted(postgres, [announce])
    keys = keys_of_all([announce])
    with psycopg.connect(database, autocommit=True) as db:
        _hang_up(db)
        _rename(db)
    with suppress(StoreDown):
        await postgres.drop_credential(load.banks[0].point, "nobody")
    assert (await _world(postgres, keys)).parcels == await postgres.parcels(keys.parcels)


@pytest.mark.postgres
async def test_events_of_a_hub_that_counts_no_turns_are_seen(database: str, postgres: PostgresLedger) -> None:
    """Given a kept row, when a hub of the version before turns changes it, then the row is read anew."""
    load = await town(postgres, points=1)
    announce = load.commands(1, 1)[0]
    await accepted(postgres, [announce])
    keys = keys_of_all([announce])
    with psycopg.connect(database, autocommit=True) as db:
        _rename(db)
        db.execute("UPDATE lane SET head = head + 1")
    assert (await _world(postgres, keys)).parcels == await postgres.parcels(keys.parcels)


def _rename(db: psycopg.Connection) -> None:
    """Give the only parcel another code past the engine, which leaves its version and the lane's turn as they are."""
    done = db.execute(
        "UPDATE parcel SET body = convert_to(replace(convert_from(body, 'UTF8'), code, 'XXXX-XXXX'), 'UTF8')"
    )
    assert done.rowcount == 1


def _hang_up(db: psycopg.Connection) -> None:
    """End every other connection to the database, and wait until each is gone."""
    db.execute(
        "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity"
        " WHERE datname = current_database() AND pid <> pg_backend_pid() AND backend_type = 'client backend'"
    )


@pytest.mark.postgres
async def test_rows_of_several_lanes_are_kept_apart(postgres: PostgresLedger) -> None:
    """Given a batch over two lanes, when another changes one of them, then the other lane's rows are still found."""
    near, far = await town(postgres, lane=0, points=1), await town(postgres, lane=1, points=1)
    both = Keys(rooms=frozenset(bank.point for load in (near, far) for bank in load.banks))
    async with postgres.transact(both, {}) as batch:
        await batch.commit(Changes())
    await accepted(postgres, near.commands(1, 1))
    world = await _world(postgres, both)
    assert {room.point for room in world.rooms.values() if room} == set(both.rooms)
    assert await postgres.rooms(both.rooms) == world.rooms
    assert ParcelId(_id(1)) not in world.parcels
