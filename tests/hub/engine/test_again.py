"""The engine where something comes again: an entry, a fault after another, a batch as large as the one before."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from itertools import pairwise
from typing import Any

import msgspec
import pytest

from restante.core import commands as cmd
from restante.core.commands import Keys
from restante.core.events import ParcelEvent
from restante.core.ids import CommandId, Lane
from restante.core.refusals import Fault, Refusal
from restante.hub.engine import Accepted, Draft, Engine, keys_of_all
from restante.sim.rows import RowBatch, RowLedger
from restante.store.ledger import Changes, OutcomeUnknown, RowsRefused, StoreDown
from tests.fixtures.ledgers import accepted, town
from tests.fixtures.lives import NOW


def engine_over(rows: RowLedger, *, max_batch: int = 64) -> Engine:
    """An engine whose clock stands."""
    return Engine(rows, lambda: NOW, max_batch=max_batch, queue_limit=100_000)


class Failing(RowLedger):
    """Rows that cannot be had as often as faults are laid out."""

    def __init__(self) -> None:
        super().__init__()
        self.faults: list[Fault] = []

    @asynccontextmanager
    async def transact(
        self, keys: Keys, receipts: Mapping[CommandId, Lane], *, ahead: bool = False
    ) -> AsyncIterator[RowBatch]:
        """A batch, or the next fault."""
        if self.faults:
            raise self.faults.pop(0)
        async with super().transact(keys, receipts, ahead=ahead) as batch:
            yield batch


@pytest.mark.parametrize(
    ("first", "second", "told"),
    [
        (StoreDown, StoreDown, StoreDown),
        (StoreDown, RowsRefused, RowsRefused),
        (RowsRefused, StoreDown, StoreDown),
        (OutcomeUnknown, StoreDown, OutcomeUnknown),
        (StoreDown, OutcomeUnknown, OutcomeUnknown),
        (OutcomeUnknown, RowsRefused, RowsRefused),
    ],
)
async def test_of_two_faults_the_one_that_says_most_is_told(
    first: type[Fault], second: type[Fault], told: type[Fault]
) -> None:
    """Given two faults in a row, then the later one, but not "nothing was stored" where that is not known."""
    rows = Failing()
    await rows.ensure_lanes(1)
    load = await town(rows, points=1)
    rows.faults = [first(), second()]
    [command] = load.commands(1, 1)[:1]
    with pytest.raises(told):
        await engine_over(rows).submit(command)
    assert rows.faults == []
    assert isinstance(await engine_over(rows).submit(command), Accepted), "and once it is back, the same is done"


async def test_an_entry_that_comes_again_is_not_written_again() -> None:
    """Given entries that were adopted, when they come again, then the journal and the log are as before."""
    rows = RowLedger()
    await rows.ensure_lanes(1)
    load = await town(rows, points=1)
    commands = load.commands(2, 2)
    await accepted(rows, commands)
    facts = [command for command in commands if isinstance(command, cmd.AdoptFact)]
    assert facts
    changes = await _decided(rows, facts)
    assert (changes.journal, changes.events, changes.sources) == ([], [], {})


async def _decided(rows: RowLedger, commands: list[Any]) -> Changes:
    async with rows.transact(keys_of_all(commands), {}) as batch:
        draft = Draft(batch, NOW)
        for command in commands:
            draft.take(command)
        return draft.finish()


@pytest.mark.parametrize(("max_batch", "sizes"), [(4, [4, 4, 2]), (5, [4, 4, 2]), (6, [6, 4]), (2, [2] * 5)])
async def test_a_batch_is_filled_to_its_bound(
    monkeypatch: pytest.MonkeyPatch, max_batch: int, sizes: list[int]
) -> None:
    """Given five callers of two commands each, when they come at once, then batches are as large as may be."""
    rows = RowLedger()
    await rows.ensure_lanes(1)
    load = await town(rows, points=1)
    commands = load.commands(10, 10)[:10]
    engine = engine_over(rows, max_batch=max_batch)
    run = engine._run
    pairs = [commands[at : at + 2] for at in range(0, 10, 2)]
    found = list[int]()

    async def counted(batch: Any) -> Any:
        found.append(len(batch))
        return await run(batch)

    monkeypatch.setattr(engine, "_run", counted)
    await asyncio.gather(*(engine.submit_all(pair) for pair in pairs))
    assert found == sizes
    assert engine.queued == {}


async def test_who_asks_a_moment_later_is_still_in_the_batch() -> None:
    """Given a caller who asks one turn of the loop after another, then both are in one batch, and nobody waited."""
    rows = RowLedger()
    await rows.ensure_lanes(1)
    load = await town(rows, points=1)
    first, second = load.commands(2, 2)[:2]
    engine = engine_over(rows)

    async def later() -> None:
        await asyncio.sleep(0)
        await engine.submit(second)

    await asyncio.gather(engine.submit(first), later())
    assert sum(engine.measured.sizes[0].counts) == 1


async def test_rooms_and_parcels_count_their_changes_and_points_do_not() -> None:
    """Given commands of a whole life, then events of parcels are numbered and room versions rise."""
    rows = RowLedger()
    await rows.ensure_lanes(1)
    load = await town(rows, points=1)
    seen = [max((room.version for room in rows.kept_rooms.values()), default=0)]
    for command in load.commands(2, 2):
        await accepted(rows, [command])
        seen.append(max(room.version for room in rows.kept_rooms.values()))
    assert all(0 <= after - before <= 1 for before, after in pairwise(seen))
    assert seen[-1] > seen[0]
    for row in rows.logs[Lane(0)]:
        is_of_a_parcel = isinstance(row.event, ParcelEvent)
        assert (row.version > 0) == is_of_a_parcel
        assert (row.org is not None) == is_of_a_parcel


async def test_an_id_with_another_body_is_refused_by_its_name() -> None:
    """Given an id that was used, when another command has it, then the refusal names the field and what it was for."""
    rows = RowLedger()
    await rows.ensure_lanes(1)
    load = await town(rows, points=1)
    one, other = load.commands(2, 2)[:2]
    engine = engine_over(rows)
    await engine.submit(msgspec.structs.replace(one, id=CommandId("k")))
    refused = await engine.submit(msgspec.structs.replace(other, id=CommandId("k")))
    assert isinstance(refused, Refusal)
    assert (refused.code, refused.field, refused.detail) == ("key-reused", "id", "k")
