"""One suite for the ledger port, run against PostgreSQL and against the simulator's rows."""

import asyncio
from contextlib import aclosing
from datetime import timedelta
from itertools import count

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from restante.core.commands import AdoptFact, AnnounceParcel, Keys
from restante.core.events import ParcelAnnounced, ParcelDeposited
from restante.core.ids import CommandId, Lane, ParcelId, PointId, SourceId
from restante.core.reactions import IssueCode, RefreshManifest, SendNotice
from restante.core.timers import TimerKind
from restante.core.world import SourceHead
from restante.store.check import check
from restante.store.ledger import Changes, Credential, Ledger, Receipt, RowsMoved, RowsRefused, Signal
from tests.fixtures.ledgers import accepted, town
from tests.fixtures.lives import NOW

LANE = Lane(0)
NOBODY = ParcelId("00000000-0000-8000-8000-000000000000")
NOWHERE = ParcelId("00000000-0000-8000-8000-00000000ffff")
LATER = NOW + timedelta(days=30)


async def test_what_is_committed_is_loaded_whole(ledger: Ledger) -> None:
    """Given a parcel's six steps in one batch, when its rows are read, then they are those the rules gave."""
    load = await town(ledger)
    commands = load.commands(1, 1)
    await accepted(ledger, commands)
    announced = commands[0]
    assert isinstance(announced, AnnounceParcel)
    parcel = (await ledger.parcels([announced.parcel, NOBODY]))[announced.parcel]
    point = parcel.stays[0].point
    assert parcel.stays[0].withdrawn is not None
    assert parcel.version == len(await ledger.history(parcel.id))
    assert (await ledger.rooms([point]))[point].in_use == {}
    async with ledger.transact(Keys(parcels=frozenset({parcel.id}), rooms=frozenset({point})), {}) as batch:
        assert batch.world.parcels == {parcel.id: parcel}
        assert batch.world.rooms == dict(await ledger.rooms([point]))
    assert await check(ledger) == []


async def test_the_feed_is_gapless_and_pages_join(ledger: Ledger) -> None:
    """Given events of two batches, when read in pages of any size, then the pages join to positions 1 … head."""
    load = await town(ledger)
    await accepted(ledger, load.commands(5, 2), batch=7)
    head = (await ledger.lane_heads())[LANE]
    for size in (1, 3, head, head + 5):
        seqs: list[int] = []
        while page := await ledger.feed(LANE, seqs[-1] if seqs else 0, size):
            seqs += [row.seq for row in page]
        assert seqs == list(range(1, head + 1))
    assert list(await ledger.feed(LANE, head, 10)) == []
    assert await ledger.cuts() == {}
    assert list(await ledger.feed(Lane(9), 0, 10)) == []


async def test_an_event_comes_back_as_it_was_recorded(ledger: Ledger) -> None:
    """Given an accepted command, when its event is read from the feed, then every column is as the engine gave it."""
    load = await town(ledger)
    (announce, *_) = load.commands(1, 1)
    assert isinstance(announce, AnnounceParcel)
    ((position,),) = [outcome.positions for outcome in await accepted(ledger, [announce])]
    (row,) = await ledger.feed(Lane(position[0]), position[1] - 1, 1)
    assert isinstance(row.event, ParcelAnnounced)
    assert (row.at, row.recorded_at, row.actor, row.command) == (announce.at, NOW, announce.actor, announce.id)
    assert (row.version, row.org, row.schema) == (1, announce.org, 1)


async def test_leaving_a_batch_without_commit_changes_nothing(ledger: Ledger) -> None:
    """Given an open batch, when it is left by an exception, then nothing was written and the lane is free again."""
    load = await town(ledger)
    before = await ledger.lane_heads()
    keys = Keys(rooms=frozenset({load.banks[0].point}))
    with pytest.raises(ZeroDivisionError):
        async with ledger.transact(keys, {}):
            raise ZeroDivisionError
    async with asyncio.timeout(2), ledger.transact(keys, {}):
        pass
    assert await ledger.lane_heads() == before


async def test_rows_that_do_not_exist_load_as_none(ledger: Ledger) -> None:
    """Given ids of no row and of no lane, when loaded, then each is None and the missing lane has no head."""
    point, source = PointId(NOBODY), SourceId(NOBODY)
    keys = Keys(frozenset({NOBODY, NOWHERE}), frozenset({point}), frozenset({source}), frozenset({point}))
    async with ledger.transact(keys, {CommandId("c"): LANE}) as batch:
        assert batch.world.parcels == {NOBODY: None, NOWHERE: None}
        assert (batch.world.rooms, batch.world.sources, batch.world.points) == (
            {point: None},
            {source: None},
            {point: None},
        )
        assert dict(batch.heads) == {LANE: 0}
        assert dict(batch.receipts) == {}
    assert await ledger.source(source) is None
    assert await ledger.view(point) is None


async def test_one_that_asks_for_no_id_spoils_nobody_elses_answer(ledger: Ledger) -> None:
    """Given several who ask at once, when one asks for what is no id, then the others are answered all the same."""
    load = await town(ledger)
    bank = load.banks[0]
    answers = await asyncio.gather(
        ledger.source(bank.source), ledger.source(SourceId("no-id")), ledger.source(bank.source), return_exceptions=True
    )
    assert isinstance(answers[0], SourceHead)
    assert answers[2] == answers[0]
    assert answers[1] is None or isinstance(answers[1], RowsRefused)


async def test_a_lane_is_held_by_one_batch_at_a_time(ledger: Ledger) -> None:
    """Given a batch in a lane, when a second one begins there, then it waits and sees what the first one committed."""
    load = await town(ledger)
    bank = load.banks[0]
    keys = Keys(rooms=frozenset({bank.point}))
    order: list[str] = []
    started = asyncio.Event()

    async def second() -> int:
        started.set()
        async with ledger.transact(keys, {}) as batch:
            order.append("second")
            return batch.heads[LANE]

    async with ledger.transact(keys, {}) as batch:
        waiting = asyncio.create_task(second())
        await started.wait()
        await asyncio.sleep(0)
        order.append("first")
        head = batch.heads[LANE]
        await batch.commit(Changes())
    assert await waiting == head
    assert order == ["first", "second"]


async def test_batches_over_the_same_lanes_never_deadlock(ledger: Ledger) -> None:
    """Given callers whose batches each need lanes 0 and 1, when run at once, then all finish and nothing is lost."""

    async def one(seed: int) -> None:
        here, there = await town(ledger, 0, seed=seed), await town(ledger, 1, seed=seed)
        pairs = zip(here.commands(6, 3), there.commands(6, 3), strict=True)
        ordered = [command for pair in pairs for command in (pair if seed % 2 else pair[::-1])]
        await accepted(ledger, ordered, batch=8)

    async with asyncio.timeout(20):
        await asyncio.gather(*(one(seed) for seed in range(4)))
    assert await check(ledger) == []


async def test_receipts_are_found_again_until_they_are_old(ledger: Ledger) -> None:
    """Given a receipt, when its command comes again, then it is loaded; after its days it is forgotten."""
    receipt = Receipt(LANE, CommandId('it\'s "quoted", \\ {and} more'), b"\x00print", b"outcome", NOW)
    async with ledger.transact(Keys(parcels=frozenset({NOBODY})), {}) as batch:
        await batch.commit(Changes(receipts=[receipt]))
    asked = {receipt.command: LANE, CommandId("other"): LANE}
    async with ledger.transact(Keys(parcels=frozenset({NOBODY})), asked) as batch:
        assert dict(batch.receipts) == {receipt.command: receipt}
    await ledger.upkeep(NOW + timedelta(days=6))
    async with ledger.transact(Keys(parcels=frozenset({NOBODY})), asked) as batch:
        assert dict(batch.receipts) == {receipt.command: receipt}
    await ledger.upkeep(NOW + timedelta(days=8))
    async with ledger.transact(Keys(parcels=frozenset({NOBODY})), asked) as batch:
        assert dict(batch.receipts) == {}


async def test_a_receipt_is_written_once(ledger: Ledger) -> None:
    """Given a command's receipt, when a batch that did not see it writes another, then nothing of that batch stays."""
    receipt = Receipt(LANE, CommandId("c"), b"", b"", NOW)
    for attempt in range(2):
        async with ledger.transact(Keys(parcels=frozenset({NOBODY})), {}) as batch:
            if attempt == 0:
                await batch.commit(Changes(receipts=[receipt]))
            else:
                with pytest.raises(RowsMoved):
                    await batch.commit(Changes(receipts=[msgspec.structs.replace(receipt, outcome=b"x")]))


async def test_the_journal_is_kept_byte_for_byte(ledger: Ledger) -> None:
    """Given adopted entries, when a span of numbers is read, then exactly those entries come, as they came."""
    load = await town(ledger, points=1)
    commands = load.commands(4, 1)
    await accepted(ledger, commands)
    bank = load.banks[0]
    entries = {command.seq: command.entry for command in commands if isinstance(command, AdoptFact)}
    rows = await ledger.journal(bank.source, 1, range(3, 6))
    assert [(row.seq, row.entry) for row in rows] == [(seq, entries[seq]) for seq in (3, 4, 5)]
    head = await ledger.source(bank.source)
    assert head is not None
    assert (head.seq, head.hash) == (8, bank.hash)
    assert list(await ledger.journal(bank.source, 2, range(99))) == []


async def test_a_view_shows_what_a_manifest_needs(ledger: Ledger) -> None:
    """Given one parcel promised and one behind a door, when the point is viewed, then both show with their codes."""
    load = await town(ledger, points=1)
    commands = load.commands(2, 1)
    bank = load.banks[0]
    await accepted(ledger, commands[:5])
    known = Credential(bank.point, "subject", 1, "verifier", LATER)
    assert await ledger.put_credential(known)
    view = await ledger.view(bank.point)
    assert view is not None
    assert (view.point.id, view.room.point, view.head.source) == (bank.point, bank.point, bank.source)
    assert len(view.stays) == 1
    assert len(view.promises) == 1
    assert view.stays[0].parcel != view.promises[0].parcel
    assert view.credentials == (known,)


async def test_a_verifier_is_one_subjects_at_a_point(ledger: Ledger) -> None:
    """Given a stored code, when another subject's code has the same verifier, then it is told to draw again."""
    load = await town(ledger, points=2)
    point, other = (bank.point for bank in load.banks)
    one = Credential(point, "one", 1, "same")
    assert await ledger.put_credential(one)
    assert await ledger.put_credential(msgspec.structs.replace(one, number=2)), "the subject's own, renewed"
    assert not await ledger.put_credential(Credential(point, "two", 1, "same"))
    assert await ledger.put_credential(Credential(other, "two", 1, "same")), "another point, another code"
    await ledger.drop_credential(point, "one")
    assert await ledger.put_credential(Credential(point, "two", 1, "same"))


async def test_tasks_are_leased_finished_and_given_back(ledger: Ledger) -> None:
    """Given tasks, when claimed, then nobody else has them until the lease ends, they are finished or given back."""
    load = await town(ledger, points=1)
    await accepted(ledger, load.commands(1, 1)[:3])
    claimed = await ledger.claim_tasks(NOW, 100, 30, codes=100)
    assert [row.seq for row in claimed] == sorted(row.seq for row in claimed)
    assert any(isinstance(row.task, SendNotice) for row in claimed)
    assert any(isinstance(row.task, RefreshManifest) for row in claimed)
    assert list(await ledger.claim_tasks(NOW + timedelta(seconds=29), 100, 30, codes=100)) == []
    first, second, *rest = claimed
    await ledger.finish_tasks([first, *rest])
    await ledger.postpone_task(second, NOW + timedelta(minutes=5))
    assert list(await ledger.claim_tasks(NOW + timedelta(minutes=4), 100, 30, codes=100)) == []
    (again,) = await ledger.claim_tasks(NOW + timedelta(minutes=5), 100, 30, codes=100)
    assert again == msgspec.structs.replace(second, attempts=1)
    (run_out,) = await ledger.claim_tasks(NOW + timedelta(minutes=6), 100, 30, codes=100)
    assert run_out == again


async def test_claims_stop_at_their_limit_and_reach_every_lane(ledger: Ledger) -> None:
    """Given tasks in two lanes, when claimed two at a time, then each task comes once and no lane is left out."""
    for lane in (0, 1):
        load = await town(ledger, lane, points=1)
        await accepted(ledger, load.commands(3, 1)[:6])
    seen: list[tuple[int, int, int]] = []
    lanes: list[set[int]] = []
    while claimed := await ledger.claim_tasks(NOW, 1, 30, codes=1):
        assert len(claimed) <= 2
        seen += [(row.lane, row.seq, row.ordinal) for row in claimed]
        lanes.append({row.lane for row in claimed})
    assert len(seen) == len(set(seen)) > 4
    assert set().union(*lanes[:3]) == {0, 1}


async def test_what_makes_codes_is_claimed_beside_everything_else(ledger: Ledger) -> None:
    """Given tasks of both shares, when claimed, then each share is bounded alone, and neither takes from the other."""
    load = await town(ledger, points=1)
    await accepted(ledger, load.commands(4, 1)[:12])
    for others, codes in ((0, 2), (3, 0), (2, 1)):
        makes_code = [isinstance(row.task, IssueCode) for row in await ledger.claim_tasks(NOW, others, 30, codes=codes)]
        assert sorted(makes_code) == [False] * others + [True] * codes


async def test_due_timers_are_leased_until_their_parcel_moves(ledger: Ledger) -> None:
    """Given a held parcel, when its timers are due, then they come once a lease, and go with the parcel."""
    load = await town(ledger, points=1)
    commands = load.commands(1, 1)
    await accepted(ledger, commands[:4])
    assert list(await ledger.claim_timers(NOW, 100, 30)) == []
    due = await ledger.claim_timers(LATER, 100, 30)
    assert [row.kind for row in due] == [TimerKind.REMIND, TimerKind.LAPSE_HOLD]
    assert list(await ledger.claim_timers(LATER, 100, 30)) == []
    await accepted(ledger, commands[4:5])
    assert len(await ledger.claim_timers(LATER, 100, 30)) == 2, "moved timers are nobody's"
    assert len(await ledger.claim_timers(LATER + timedelta(seconds=31), 1, 30)) == 1
    await accepted(ledger, commands[5:])
    assert list(await ledger.claim_timers(LATER + timedelta(days=1), 100, 30)) == []


async def test_a_commit_with_tasks_gives_a_signal(ledger: Ledger) -> None:
    """Given a listener, when a batch leaves tasks, then a signal names the points whose manifests changed."""
    load = await town(ledger, points=1)
    async with asyncio.timeout(5), aclosing(ledger.signals()) as signals:  # type: ignore[type-var]
        assert await anext(signals) == Signal()
        await accepted(ledger, load.commands(1, 1)[:3])
        assert await anext(signals) == Signal((load.banks[0].point,))


async def test_lanes_are_made_once(ledger: Ledger) -> None:
    """Given lanes with events, when lanes are ensured again, then heads stay and the missing ones begin at zero."""
    await town(ledger)
    head = (await ledger.lane_heads())[LANE]
    await ledger.ensure_lanes(5)
    assert dict(await ledger.lane_heads()) == {0: head, 1: 0, 2: 0, 3: 0, 4: 0}


async def test_the_checker_finds_what_does_not_agree(ledger: Ledger) -> None:
    """Given a counter, a promise and a timer written wrongly, when checked, then each is found."""
    load = await town(ledger, points=1)
    await accepted(ledger, load.commands(1, 1)[:3])
    assert await check(ledger) == []
    point = load.banks[0].point
    room = (await ledger.rooms([point]))[point]
    (deposited,) = [row for row in await ledger.feed(LANE, 0, 100) if isinstance(row.event, ParcelDeposited)]
    assert isinstance(deposited.event, ParcelDeposited)
    parcel = (await ledger.parcels([deposited.event.parcel]))[deposited.event.parcel]
    async with ledger.transact(Keys(rooms=frozenset({point}), parcels=frozenset({parcel.id})), {}) as batch:
        await batch.commit(
            Changes(
                parcels={parcel.id: parcel},
                rooms={point: msgspec.structs.replace(room, in_use={}, promised={"1": {"1": 1}})},
                stays={deposited.event.stay: None},
                timers={(parcel.id, TimerKind.REMIND): NOW},
            )
        )
    assert {finding.what for finding in await check(ledger)} == {"in use", "promised", "stay", "timer"}


_SEEDS = count(100)
_STORABLE = st.characters(exclude_categories=["Cs"], exclude_characters="\0")


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    text=st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=40), size=st.integers(1, 9)
)
async def test_any_text_and_any_batch_size_are_kept(ledger: Ledger, text: str, size: int) -> None:
    """Given any actor and command id that is text, and any batch size, when stored, then the log gives them back."""
    load = await town(ledger, 2, points=1, seed=next(_SEEDS))
    commands = [
        msgspec.structs.replace(command, actor=text, id=CommandId(command.id and f"{text}{command.id}"))
        for command in load.commands(3, 1)
    ]
    before = (await ledger.lane_heads())[Lane(2)]
    await accepted(ledger, commands, batch=size)
    rows = await ledger.feed(Lane(2), before, 1000)
    assert {row.actor for row in rows} == {text}
    assert {row.command for row in rows} == {command.id for command in commands}
