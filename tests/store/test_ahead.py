"""Batches that are decided on kept rows and make one trip: as good as those that ask first, or done again with care."""

from collections.abc import AsyncIterator, Callable, Iterable
from typing import Any

import msgspec
import pytest

from restante.core import commands as cmd
from restante.core.facts import DoorOpened
from restante.core.ids import CommandId, Lane, OrgId
from restante.core.refusals import Refusal
from restante.core.stay import Evidence
from restante.hub.engine import Accepted, Draft, keys_of_all, run_batch
from restante.store import trips
from restante.store.check import check
from restante.store.ledger import Unforeseen
from restante.store.postgres import PostgresLedger, open_ledger
from tests.fixtures.cutting import cutting
from tests.fixtures.ledgers import accepted, town
from tests.fixtures.lives import LANES, NOW, Load

pytestmark = pytest.mark.postgres
replace = msgspec.structs.replace

Trips = Callable[[], list[tuple[bytes, ...]]]


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> Trips:
    """The statements of each trip made since it was last asked for."""
    seen: list[tuple[bytes, ...]] = []
    trip = trips.trip

    async def counted(db: Any, asked: Iterable[tuple[trips.Prepared, trips.Given]]) -> list[trips.Rows]:
        statements = list(asked)
        seen.append(tuple(statement.name for statement, _ in statements))
        return await trip(db, statements)

    def taken() -> list[tuple[bytes, ...]]:
        taken = [*seen]
        seen.clear()
        return taken

    monkeypatch.setattr(trips, "trip", counted)
    return taken


@pytest.fixture
async def other(database: str, postgres: PostgresLedger) -> AsyncIterator[PostgresLedger]:
    """Another process's ledger on the same database."""
    async with open_ledger(database, writers=2, readers=1) as ledger:
        yield ledger


async def _own(ledger: PostgresLedger, *, lives: int = 6) -> tuple[Load, list[cmd.AnyCommand]]:
    """A town in a lane that the ledger takes for its own, and what is still to be done there."""
    load = await town(ledger, points=1)
    commands = load.commands(lives, lives)
    await accepted(ledger, commands[:lives], batch=2)
    return load, commands[lives:]


async def test_an_own_lane_costs_one_trip_a_batch(postgres: PostgresLedger, made: Trips) -> None:
    """Given a lane that nobody else writes to, when kept rows are all it takes, then each batch makes one trip."""
    _, commands = await _own(postgres)
    made()
    await accepted(postgres, commands, batch=5)
    batches = made()
    assert len(batches) == len(commands) / 5
    assert {batch[:2] for batch in batches} == {(b"begin", b"hold_lane")}
    assert await check(postgres) == []


async def test_a_shared_lane_is_asked_about_first(postgres: PostgresLedger, other: PostgresLedger, made: Trips) -> None:
    """Given two processes that take turns in a lane, when one finds it moved, then it guesses no more."""
    _, commands = await _own(postgres, lives=12)
    guesses = 0
    for at in range(0, len(commands), 3):
        made()
        await accepted([postgres, other][at // 3 % 2], commands[at : at + 3])
        guesses += sum(batch[:2] == (b"begin", b"hold_lane") for batch in made())
    assert guesses == 2
    assert await check(postgres) == []


async def test_a_lane_that_another_writes_to_now_and_then_is_left_to_the_asking(
    postgres: PostgresLedger, other: PostgresLedger, made: Trips
) -> None:
    """Given a worker who writes in each third batch, when a hub guesses in vain, then ever less often."""
    _, commands = await _own(postgres, lives=24)
    vain = list[int]()
    for at in range(0, len(commands), 3):
        made()
        await accepted(other if at % 9 == 6 else postgres, commands[at : at + 3])
        batches = made()
        vain += [at] if len(batches) > 1 and batches[0][:2] == (b"begin", b"hold_lane") else []
    assert 1 <= len(vain) <= 2
    assert await check(postgres) == []


async def test_what_another_process_did_is_decided_on(postgres: PostgresLedger, other: PostgresLedger) -> None:
    """Given an own lane, when another process calls a parcel off there, then room for it is refused all the same."""
    _, (reserve, *_) = await _own(postgres, lives=1)
    assert isinstance(reserve, cmd.ReserveRoom)
    await accepted(postgres, [reserve])
    [gone] = await run_batch(other, [_cancel(reserve, "away")], NOW)
    assert isinstance(gone, Accepted)
    [again] = await run_batch(postgres, [replace(reserve, id=CommandId("once more"))], NOW)
    assert isinstance(again, Refusal)
    assert again.code == "parcel-ended"


async def test_a_refusal_is_not_founded_on_what_was(postgres: PostgresLedger, other: PostgresLedger) -> None:
    """Given an own lane, when another process made a promise there, then it can be released and is not unknown."""
    _, (reserve, *_) = await _own(postgres, lives=1)
    assert isinstance(reserve, cmd.ReserveRoom)
    release = cmd.ReleaseRoom(CommandId("release"), "carrier", NOW, reserve.parcel, reserve.point)
    [refused] = await run_batch(postgres, [replace(release, id=CommandId("too soon"))], NOW)
    assert isinstance(refused, Refusal)
    await accepted(other, [reserve])
    await accepted(postgres, [release])


async def test_a_batch_that_changes_nothing_looks_too(
    postgres: PostgresLedger, other: PostgresLedger, made: Trips
) -> None:
    """Given an entry that is known already, when it comes again in an own lane, then the lane is looked at."""
    load, commands = await _own(postgres)
    await accepted(postgres, commands)
    entry = load._entry(load.banks[0], DoorOpened(1, Evidence.SENSOR), NOW)
    await accepted(postgres, [entry])
    made()
    assert await run_batch(postgres, [entry], NOW) == [Accepted(())]
    assert made() == [(b"begin", b"hold_lane", b"commit")]
    following = load._entry(load.banks[0], DoorOpened(2, Evidence.SENSOR), NOW)
    await accepted(other, [following])
    assert await run_batch(postgres, [following], NOW) == [Accepted(())]
    assert len(await postgres.journal(load.banks[0].source, 1, range(1, 99))) == following.seq


async def test_a_command_done_before_is_answered_from_its_receipt(postgres: PostgresLedger) -> None:
    """Given an own lane, when a command comes again, then its receipt answers; with another body it is refused."""
    _, commands = await _own(postgres)
    reserve = commands[0]
    assert isinstance(reserve, cmd.ReserveRoom)
    [first] = await accepted(postgres, [reserve])
    assert await run_batch(postgres, [reserve], NOW) == [replace(first, replayed=True)]
    await accepted(postgres, commands[1:3], batch=1)
    [reused] = await run_batch(postgres, [replace(reserve, until=NOW)], NOW)
    assert reused == Refusal("key-reused", "id", reserve.id)


async def test_a_parcel_announced_elsewhere_is_not_announced_again(
    postgres: PostgresLedger, other: PostgresLedger
) -> None:
    """Given a parcel that another process announced, when it is announced in an own lane, then it exists already."""
    load = await town(other, points=1)
    announced = load.commands(3, 3)[:3]
    await accepted(other, announced[:1])
    await accepted(postgres, announced[1:], batch=1)
    [again] = await run_batch(postgres, [replace(announced[0], id=CommandId("again"))], NOW)
    assert isinstance(again, Refusal)
    assert again.code == "parcel-exists"


async def test_a_refusal_that_needs_an_absence_is_looked_up(postgres: PostgresLedger, made: Trips) -> None:
    """Given an own lane, when an announcement is refused, then not before the parcel was looked for."""
    await _own(postgres)
    (announce,) = Load(Lane(0), points=1, seed=9).commands(1, 1)[:1]
    assert isinstance(announce, cmd.AnnounceParcel)
    made()
    [outcome] = await run_batch(postgres, [replace(announce, room_class="no class")], NOW)
    assert isinstance(outcome, Refusal)
    assert [b"load_parcels" in batch for batch in made()] == [True, False]


async def test_a_batch_over_two_lanes_asks_first(postgres: PostgresLedger, made: Trips) -> None:
    """Given two own lanes, when a batch names both, then it locks them in order before anything else."""
    near, far = await town(postgres, 0, points=1), await town(postgres, 1, points=1)
    commands = [*near.commands(2, 2)[:2], *far.commands(2, 2)[:2]]
    for command in commands:
        await accepted(postgres, [command])
    made()
    again = [replace(command, id=CommandId(f"again {at}")) for at, command in enumerate(commands)]
    assert all(isinstance(outcome, Refusal) for outcome in await run_batch(postgres, again, NOW))
    assert [batch[1] for batch in made()][:1] == [b"lock_lanes"]


async def test_who_does_not_ask_ahead_sees_what_is_stored(postgres: PostgresLedger) -> None:
    """Given an own lane, when a batch is begun without leave to guess, then it has the receipts of its commands."""
    _, commands = await _own(postgres)
    await accepted(postgres, commands[:1])
    keys, receipts = keys_of_all(commands[:1]), {commands[0].id: Lane(0)}
    async with postgres.transact(keys, receipts) as batch:
        assert set(batch.receipts) == {commands[0].id}
    async with postgres.transact(keys, receipts, ahead=True) as guess:
        assert not guess.receipts
        draft = Draft(guess, NOW)
        draft.take(commands[0])
        with pytest.raises(Unforeseen):
            await guess.commit(draft.finish())


async def test_an_own_lanes_lost_commit_is_made_once(database: str, tmp_path: Any, made: Trips) -> None:
    """Given an own lane and a connection cut before or after the only trip, then the batch is stored once."""
    async with cutting(database, tmp_path) as scissors, open_ledger(scissors.dsn, writers=1, readers=1) as ledger:
        await ledger.ensure_lanes(LANES)
        _, commands = await _own(ledger)
        scissors.before_answer = True
        assert isinstance((await run_batch(ledger, commands[:1], NOW))[0], Accepted)
        assert scissors.cuts == 1
        await accepted(ledger, commands[1:3], batch=1)
        assert [len(await ledger.history(parcel)) for parcel in keys_of_all(commands[:3]).parcels] == [2, 2, 2]
        assert await check(ledger) == []


def _cancel(reserve: cmd.ReserveRoom, name: str) -> cmd.CancelParcel:
    return cmd.CancelParcel(
        id=CommandId(name), actor="carrier", at=NOW, parcel=reserve.parcel, point=reserve.point, owner=OrgId("nordpost")
    )
