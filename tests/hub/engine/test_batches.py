"""The engine on both ledgers: one path for one command and many, exactly once, and nobody pays for a neighbour."""

import asyncio
import gc
from datetime import timedelta
from time import perf_counter

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from restante.core import commands as cmd
from restante.core.custody import Decision
from restante.core.decide import execute
from restante.core.ids import CommandId, Lane, OrgId, ParcelId, SourceId, lane_of, laned_id
from restante.core.refusals import Refusal
from restante.core.reservation import Window
from restante.core.world import World
from restante.hub.engine import Accepted, CommandBroken, Draft, Engine, keys_of_all, run_batch, settle_memory
from restante.sim.rows import RowLedger
from restante.store.check import check
from restante.store.ledger import Changes, LaneMissing, Ledger, RowsRefused
from tests.fixtures.ledgers import accepted, town
from tests.fixtures.lives import NOW

replace = msgspec.structs.replace


def engine_over(ledger: Ledger, *, max_batch: int = 64, queue_limit: int = 100_000) -> Engine:
    """An engine whose clock stands."""
    return Engine(ledger, lambda: NOW, max_batch=max_batch, queue_limit=queue_limit)


async def events_of(ledger: Ledger) -> list[object]:
    """What happened in lane 0, without positions' instants of recording."""
    return [(row.seq, row.version, row.event) for row in await ledger.feed(Lane(0), 0, 1_000_000)]


@pytest.mark.no_cover  # few commands tread the same lines
async def test_one_command_and_ten_thousand_take_the_same_path() -> None:
    """Given 10,000 commands, when handed in one by one or all at once, then the log and the rows are the same."""
    alone, together = RowLedger(), RowLedger()
    for ledger in (alone, together):
        await ledger.ensure_lanes(1)
    load = await town(alone, points=40)
    await town(together, points=40)
    commands = load.commands(1667, 50)
    assert len(commands) > 10_000
    one, many = engine_over(alone, max_batch=1), engine_over(together, max_batch=512)
    singly = [await one.submit(command) for command in commands]
    assert await many.submit_all(commands) == singly
    assert all(isinstance(outcome, Accepted) for outcome in singly)
    assert await events_of(alone) == await events_of(together)
    assert alone.kept_parcels == together.kept_parcels
    assert await check(together) == []


async def test_callers_at_the_same_time_share_batches(ledger: Ledger) -> None:
    """Given many callers of one command each, when they come at once, then all are answered in far fewer commits."""
    load = await town(ledger, points=4)
    announced = load.commands(60, 60)[:60]
    engine = engine_over(ledger)
    before = len(await ledger.feed(Lane(0), 0, 10_000))
    outcomes = await asyncio.gather(*(engine.submit(command) for command in announced))
    assert all(isinstance(outcome, Accepted) for outcome in outcomes)
    assert len({row.recorded_at for row in await ledger.feed(Lane(0), before, 1000)}) == 1
    await engine.close()


async def test_a_batch_never_outgrows_its_bound() -> None:
    """Given callers of two commands each, when they come at once, then no batch has more than may be in one."""
    rows = RowLedger()
    await rows.ensure_lanes(1)
    load = await town(rows, points=1)
    commands = load.commands(10, 10)[:10]
    engine = engine_over(rows, max_batch=5)
    await asyncio.gather(*(engine.submit_all(commands[at : at + 2]) for at in range(0, 10, 2)))
    sizes = engine.measured.sizes[0]
    assert (sum(sizes.counts), sizes.total) == (3, 10), "4, 4 and 2"
    assert sum(sizes.counts[: sizes.bounds.index(4) + 1]) == 3


async def test_a_batch_took_no_longer_than_it_was_waited_for() -> None:
    """Given a batch, when its seconds are counted, then they are not more than passed for the caller."""
    rows = RowLedger()
    await rows.ensure_lanes(1)
    load = await town(rows, points=1)
    engine = engine_over(rows)
    begun_s = perf_counter()
    await engine.submit(load.commands(1, 1)[0])
    assert 0 < engine.measured.seconds[0].total <= perf_counter() - begun_s


async def test_closing_waits_for_the_batches_under_way() -> None:
    """Given commands in the queue, when the engine is closed, then they are decided and stored before it is."""
    rows = RowLedger()
    await rows.ensure_lanes(1)
    load = await town(rows, points=1)
    engine = engine_over(rows, max_batch=1)
    waiting = asyncio.create_task(engine.submit_all(load.commands(4, 4)[:4]))
    await asyncio.sleep(0)
    await engine.close()
    assert not engine.queued
    assert all(isinstance(outcome, Accepted) for outcome in await waiting)


async def test_what_a_batch_did_not_change_is_not_written() -> None:
    """Given commands that are refused or change a parcel alone, when decided, then rows that differ are written."""
    rows = RowLedger()
    await rows.ensure_lanes(1)
    load = await town(rows, points=1)
    [announce, reserve] = load.commands(1, 1)[:2]
    again = [replace(command, id=CommandId(f"again-{at}")) for at, command in enumerate((announce, reserve))]
    written = list[Changes]()

    async def decides(*commands: cmd.AnyCommand) -> None:
        async with rows.transact(keys_of_all(commands), {}) as batch:
            draft = Draft(batch, NOW)
            for command in commands:
                draft.take(command)
            written.append(draft.finish())
            await batch.commit(written[-1])

    await decides(announce)
    await decides(reserve)
    await decides(*again)
    announced, reserved, refused = written
    assert [len(receipt.fingerprint) for receipt in announced.receipts] == [16]
    assert (len(announced.parcels), len(announced.rooms)) == (1, 0)
    assert (len(reserved.parcels), len(reserved.rooms), len(reserved.sources), len(reserved.points)) == (1, 1, 0, 0)
    assert (refused.parcels, refused.rooms, refused.sources, refused.points) == ({}, {}, {}, {})


async def test_a_fact_of_a_source_nobody_knows_is_refused(ledger: Ledger) -> None:
    """Given no such source, when its entry comes, then the refusal says so, and it is not a fault."""
    load = await town(ledger, points=1)
    told = next(command for command in load.commands(1, 1) if isinstance(command, cmd.AdoptFact))
    stranger = SourceId(laned_id(NOW, b"stranger", lane_of(told.source)))
    outcome = await engine_over(ledger).submit(replace(told, source=stranger))
    assert isinstance(outcome, Refusal)
    assert (outcome.code, outcome.field) == ("source-unknown", "source")


def test_the_garbage_collector_leaves_alone_what_lives_on() -> None:
    """Given a program that is up, when its memory is settled, then what is there is not walked over again."""
    before = gc.get_threshold()
    try:
        settle_memory()
        assert gc.get_freeze_count() > 1000
        assert gc.get_threshold() == (50_000, 20, 20)
    finally:
        gc.unfreeze()
        gc.set_threshold(*before)


async def test_the_same_command_again_is_answered_and_not_done_twice(ledger: Ledger) -> None:
    """Given commands that were done, when they come again to a new engine, then their receipts answer."""
    load = await town(ledger, points=2)
    commands = load.commands(4, 2)
    first = await engine_over(ledger).submit_all(commands)
    log = await events_of(ledger)
    again = await engine_over(ledger).submit_all(commands)
    assert await events_of(ledger) == log
    for command, before, after in zip(commands, first, again, strict=True):
        assert isinstance(before, Accepted)
        assert isinstance(after, Accepted)
        assert after.replayed is bool(command.id)
        if command.id:
            assert after.positions == before.positions


async def test_a_refusal_is_replayed_too(ledger: Ledger) -> None:
    """Given a refused command, when its cause is gone and it comes again, then the first answer stands."""
    load = await town(ledger, points=1)
    announce, reserve = load.commands(1, 1)[:2]
    engine = engine_over(ledger)
    refused = await engine.submit(reserve)
    assert isinstance(refused, Refusal)
    assert refused.code == "parcel-unknown"
    await engine.submit(announce)
    assert await engine.submit(reserve) == refused
    fresh = await engine.submit(replace(reserve, id=CommandId("another")))
    assert isinstance(fresh, Accepted)


async def test_an_id_with_another_body_is_refused(ledger: Ledger) -> None:
    """Given a command's id, when it comes with another body, in the same batch or later, then it is refused."""
    load = await town(ledger, points=1)
    announce = load.commands(1, 1)[0]
    assert isinstance(announce, cmd.AnnounceParcel)
    forged = replace(announce, weight_grams=1)
    engine = engine_over(ledger)
    first, second = await engine.submit_all([announce, forged])
    assert isinstance(first, Accepted)
    assert isinstance(second, Refusal)
    third = await engine.submit(forged)
    assert isinstance(third, Refusal)
    assert (second.code, third.code) == ("key-reused", "key-reused")
    later = await engine.submit(replace(announce, at=announce.at + timedelta(hours=1)))
    assert isinstance(later, Accepted), "when a retry arrives makes no difference"


async def test_a_command_is_the_same_whoever_may_ask(ledger: Ledger) -> None:
    """Given a command that was accepted, when it comes again only for its owner's parcels, then it is replayed."""
    load = await town(ledger, points=1)
    announce = load.commands(1, 1)[0]
    assert isinstance(announce, cmd.AnnounceParcel)
    cancel = cmd.CancelParcel(CommandId("c"), "carrier", announce.at, announce.parcel)
    engine = engine_over(ledger)
    assert isinstance(await engine.submit(announce), Accepted)
    others = await engine.submit(replace(cancel, id=CommandId("d"), owner=OrgId("nobody")))
    assert isinstance(others, Refusal)
    assert others.code == "parcel-unknown"
    first = await engine.submit(cancel)
    assert isinstance(first, Accepted)
    assert await engine.submit(replace(cancel, owner=announce.org)) == replace(first, replayed=True)


async def test_nothing_is_kept_of_a_lane_where_nobody_waits(ledger: Ledger) -> None:
    """Given parcels that callers made up, in many lanes, when they are refused, then no queue is left behind."""
    load = await town(ledger, points=1)
    engine = engine_over(ledger)
    for lane in range(7, 70, 9):
        parcel = ParcelId(laned_id(load.start, b"made-up!", Lane(lane)))
        refused = await engine.submit(cmd.CancelParcel(CommandId(""), "carrier", load.start, parcel))
        assert isinstance(refused, Refusal)
        assert refused.code == "parcel-unknown"
    assert engine.queued == {}


async def test_a_refusal_in_the_middle_disturbs_nobody(ledger: Ledger) -> None:
    """Given a batch with refusals between its commands, when run, then the others come to what they would alone."""
    load = await town(ledger, points=2)
    commands = load.commands(6, 3)
    wrong = [replace(command, id=CommandId(f"wrong-{n}")) for n, command in enumerate(commands[:1] * 12)]
    mixed = [command for pair in zip(commands, wrong * 3, strict=False) for command in pair]
    outcomes = await engine_over(ledger, max_batch=1000).submit_all(mixed)
    assert all(isinstance(outcome, Accepted) for outcome in outcomes[::2])
    assert all(isinstance(outcome, Refusal) for outcome in outcomes[1::2])
    assert await check(ledger) == []


async def test_a_command_for_a_lane_that_does_not_exist_stands_alone(ledger: Ledger) -> None:
    """Given a command whose id names no lane among good ones, when run, then it alone gets the fault."""
    load = await town(ledger, points=1)
    good = load.commands(9, 9)[:9]
    announce = good[0]
    assert isinstance(announce, cmd.AnnounceParcel)
    lost = replace(announce, id=CommandId("lost"), parcel=ParcelId(announce.parcel[:-4] + "0009"))
    outcomes = await engine_over(ledger).try_all([*good[:4], lost, *good[4:]])
    assert isinstance(outcomes[4], LaneMissing)
    assert all(isinstance(outcome, Accepted) for n, outcome in enumerate(outcomes) if n != 4)
    assert await check(ledger) == []


async def test_a_row_the_database_refuses_is_one_callers_fault(postgres: Ledger) -> None:
    """Given a text that PostgreSQL cannot hold among good commands, when run, then only its caller has a fault."""
    load = await town(postgres, points=1)
    *good, last = load.commands(10, 10)[:10]
    assert isinstance(last, cmd.AnnounceParcel)
    poison = replace(last, org=OrgId("nul\0"))
    engine = engine_over(postgres)
    outcomes = await asyncio.gather(*(engine.try_all([command]) for command in [*good[:4], poison, *good[4:]]))
    assert isinstance(outcomes[4][0], RowsRefused)
    assert all(isinstance(one[0], Accepted) for n, one in enumerate(outcomes) if n != 4)
    with pytest.raises(RowsRefused):
        await engine.submit(poison)
    assert await check(postgres) == []


async def test_a_bug_met_by_one_command_is_that_commands_fault(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    """Given a decision that trips over an assertion, when its batch runs, then its neighbours are stored anyway."""
    load = await town(ledger, points=1)
    good = load.commands(8, 8)[:8]
    broken = good[3]

    def tripping(command: cmd.AnyCommand, world: World) -> Decision:
        assert command is not broken, "a mistake in a rule"
        return execute(command, world)

    monkeypatch.setattr("restante.hub.engine.execute", tripping)
    engine = engine_over(ledger)
    outcomes = await engine.try_all(good)
    assert isinstance(outcomes[3], CommandBroken)
    assert isinstance(outcomes[3].__cause__, AssertionError)
    assert sum(isinstance(outcome, Accepted) for outcome in outcomes) == 7
    assert isinstance(await engine.submit(replace(good[0], id=CommandId("after"))), Refusal), "the lane goes on"


async def test_a_full_queue_says_busy(ledger: Ledger) -> None:
    """Given a queue of ten, when eleven commands come, then they are refused at once; when it is empty, taken."""
    load = await town(ledger, points=1)
    commands = load.commands(11, 11)[:11]
    engine = engine_over(ledger, queue_limit=10)
    assert [getattr(outcome, "code", "") for outcome in await engine.submit_all(commands)] == ["busy"] * 11
    assert engine.measured.refusals == {"busy": 11}
    waiting = asyncio.create_task(engine.submit_all(commands[:10]))
    await asyncio.sleep(0)
    assert (sum(engine.queued.values()), engine.queue_limit) == (10, 10)
    busy = await engine.submit(commands[10])
    assert isinstance(busy, Refusal)
    assert busy.code == "busy"
    assert all(isinstance(outcome, Accepted) for outcome in await waiting)
    assert isinstance(await engine.submit(commands[10]), Accepted)
    assert (engine.measured.accepted, sum(engine.queued.values())) == (11, 0)
    assert [spread.total for spread in engine.measured.sizes.values()] == [11]


async def test_a_cancelled_writer_leaves_nobody_waiting() -> None:
    """Given callers in the queue, when the engine's work is cancelled, then so are they and the queue is free."""
    rows = RowLedger()
    await rows.ensure_lanes(1)
    load = await town(rows, points=1)
    commands = load.commands(6, 6)[:6]
    engine = engine_over(rows, max_batch=1, queue_limit=6)
    keys = keys_of_all(commands)
    async with rows.transact(keys, {}):
        calls = [asyncio.create_task(engine.submit(command)) for command in commands]
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        for task in asyncio.all_tasks() - {asyncio.current_task(), *calls}:
            task.cancel()
        done = await asyncio.gather(*calls, return_exceptions=True)
    assert all(isinstance(outcome, asyncio.CancelledError) for outcome in done)
    assert isinstance(await engine.submit(commands[0]), Accepted)


async def test_a_redirected_parcel_keeps_its_lane_and_its_order(ledger: Ledger) -> None:
    """Given parcels sent to another lane's point and back, when batches cross, then each one's events are in order."""
    here, there = await town(ledger, 0, points=1), await town(ledger, 1, points=1)
    announced = [command for command in here.commands(6, 6)[:6] if isinstance(command, cmd.AnnounceParcel)]
    window = Window(NOW, NOW + timedelta(days=2))
    redirected = [
        cmd.RedirectParcel(
            CommandId(f"r{n}"), "carrier", one.at, one.parcel, there.banks[0].point, window, NOW + timedelta(days=3)
        )
        for n, one in enumerate(announced)
    ]
    back = [
        replace(command, id=CommandId(f"b{n}"), to_point=here.banks[0].point, from_point=there.banks[0].point)
        for n, command in enumerate(redirected)
    ]
    first, second = engine_over(ledger), engine_over(ledger)
    await first.submit_all([*announced])
    async with asyncio.timeout(20):
        outcomes = await asyncio.gather(first.submit_all([*redirected]), second.submit_all([*there.commands(3, 1)]))
        assert all(isinstance(outcome, Accepted) for some in outcomes for outcome in some)
        outcomes = await asyncio.gather(first.submit_all([*back[:3]]), second.submit_all([*back[3:]]))
    assert all(isinstance(outcome, Accepted) for some in outcomes for outcome in some)
    assert await check(ledger) == []
    for one in announced:
        history = await ledger.history(one.parcel)
        assert {row.lane for row in history} == {0}
        assert [row.version for row in history] == list(range(1, len(history) + 1))


async def test_every_command_names_all_it_touches(ledger: Ledger) -> None:
    """Given a life's commands, when each runs in a batch of its own, then none asks for a row it has not named."""
    load = await town(ledger, points=1)
    for command in load.commands(3, 1):
        (outcome,) = await run_batch(ledger, [command], NOW)
        assert isinstance(outcome, Accepted)


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(cuts=st.lists(st.integers(1, 40), min_size=1, max_size=8), repeats=st.lists(st.integers(0, 35), max_size=6))
async def test_any_cut_into_batches_with_any_repeats_ends_the_same(cuts: list[int], repeats: list[int]) -> None:
    """Given a load cut anywhere, with some commands sent twice, when run, then rows are those of one batch."""
    plain, cut = RowLedger(), RowLedger()
    for ledger in (plain, cut):
        await ledger.ensure_lanes(1)
    load = await town(plain, points=2)
    await town(cut, points=2)
    commands = load.commands(6, 2)
    await accepted(plain, commands, batch=1000)
    position, turn = 0, 0
    while position < len(commands):
        size = cuts[turn % len(cuts)]
        batch = commands[position : position + size]
        again = [commands[n] for n in repeats if n < position]
        await run_batch(cut, [*again, *batch], NOW)
        position, turn = position + size, turn + 1
    assert cut.kept_parcels == plain.kept_parcels
    assert await events_of(cut) == await events_of(plain)
    assert await check(cut) == []
