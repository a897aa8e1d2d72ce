"""Whole sessions without sockets, over both ledgers: entries up, manifests down, and what may go wrong between."""

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from restante.core.commands import StartEpoch
from restante.core.ids import CommandId, SourceId
from restante.core.refusals import Refusal
from restante.hub.fleet import session as s
from restante.hub.fleet.session import Now
from restante.sim.rows import Break, RowLedger
from restante.store.check import check
from restante.store.ledger import Credential, Ledger
from restante.wire import journal
from restante.wire import manifest as wm
from restante.wire import session as wire
from tests.fixtures.lives import LANES
from tests.hub.fleet.town import (
    BANK,
    FIRST_PROMISE,
    NOW,
    POINT,
    Book,
    Hub,
    applied,
    parcel_id,
    pinned,
    promised,
    provisioning,
    ran,
)


async def put_up(ledger: Ledger, parcels: int = 3) -> None:
    """A bank with room promised to some parcels."""
    await ran(ledger, provisioning())
    for number in range(parcels):
        await ran(ledger, promised(number))
        await ledger.put_credential(Credential(POINT, parcel_id(number), 1, f"verifier-{number}"))


async def test_a_deposit_made_while_cut_off_arrives_and_the_manifest_follows(ledger: Ledger) -> None:
    """Given a bank with its manifest, when a deposit comes up, then a difference names its stay."""
    await put_up(ledger)
    hub, book = Hub(ledger), Book()
    session = hub.line()
    messages = await session.say(book.hello())
    first = applied(None, messages)
    assert f"{parcel_id(0)}/{FIRST_PROMISE}/collect" in first.manifest.grants
    book.put_in(0, door=4)
    [ack] = await session.say(book.batch())
    assert ack == wire.Ack(1, 1, book.head.hash, 1)
    await session.line.take(s.Stirred(), Now(NOW, 0.0))
    [difference] = session.link.take()
    assert isinstance(difference, wire.ManifestSent)
    assert not difference.full
    second = applied(first, [difference])
    assert second.manifest.grants[f"{parcel_id(0)}/{BANK}/1/1/collect"].door == 4
    assert f"{parcel_id(0)}/{FIRST_PROMISE}/deposit" not in second.manifest.grants
    assert await check(ledger) == []


async def test_a_batch_of_a_hundred_is_one_call_and_one_acknowledgement(ledger: Ledger) -> None:
    """Given 150 entries, when sent in two batches, then the engine is called once for each."""
    await put_up(ledger)
    hub, book = Hub(ledger), Book()
    for door in range(150):
        book.write("door-shut", {"door": door})
    session = hub.line()
    await session.welcome(book.hello())
    assert await session.say(book.batch()) == [wire.Ack(1, 100, book.entries[99].hash, 1)]
    assert await session.say(book.batch(101, 2)) == [wire.Ack(1, 150, book.head.hash, 2)]
    assert [len(commands) for commands in hub.submitted] == [100, 50]
    rows = await ledger.journal(BANK, 1, range(1, 200))
    assert [row.entry for row in rows] == [journal.write_entry(entry) for entry in book.entries]


async def test_resending_is_harmless(ledger: Ledger) -> None:
    """Given entries whose acknowledgement was lost, when sent again with more, then each is kept once."""
    await put_up(ledger)
    hub, book = Hub(ledger), Book()
    book.put_in(0)
    session = hub.line()
    await session.welcome(book.hello())
    await session.say(book.batch())
    book.put_in(1, door=2)
    again = hub.line()
    welcome = await again.welcome(book.hello())
    assert welcome.resume_from == 2
    assert await again.say(book.batch(1, 5)) == [wire.Ack(1, 2, book.head.hash, 5)]
    assert await again.say(book.batch(1, 6)) == [wire.Ack(1, 2, book.head.hash, 6)]
    parcels = await ledger.parcels([parcel_id(0), parcel_id(1)])
    assert [len(parcel.stays) for parcel in parcels.values()] == [1, 1]
    assert len(await ledger.journal(BANK, 1, range(1, 9))) == 2


@pytest.mark.parametrize("where", list(Break))
async def test_a_hub_that_dies_between_commit_and_acknowledgement_loses_nothing(where: Break) -> None:
    """Given a commit that breaks before or after its effect, when the bank sends again, then each fact stands once."""
    ledger = RowLedger()
    await ledger.ensure_lanes(LANES)
    await put_up(ledger)
    hub, book = Hub(ledger), Book()
    book.put_in(0)
    session = hub.line()
    await session.welcome(book.hello())
    ledger.plant(where)
    ledger.plant(where)
    await session.say(book.batch())
    again = Hub(ledger).line()
    await again.welcome(book.hello())
    assert (await again.say(book.batch(1, 9)))[-1] == wire.Ack(1, 1, book.head.hash, 9)
    assert len((await ledger.parcels([parcel_id(0)]))[parcel_id(0)].stays) == 1
    assert await check(ledger) == []


async def test_a_second_disk_of_one_bank_is_found(ledger: Ledger) -> None:
    """Given a cloned disk, when both copies write and report, then the second is a fork and takes no deposits."""
    await put_up(ledger)
    hub, book = Hub(ledger), Book()
    book.write("door-shut", {"door": 1})
    session = hub.line()
    await session.say(book.hello())
    await session.say(book.batch())
    clone = book.copy()
    book.put_in(0, door=1)
    clone.put_in(1, door=2)
    await session.say(book.batch(2, 2))
    twin = hub.line()
    messages = await twin.say(clone.hello())
    assert wire.Forked(1, 2) in messages
    assert [message.forked for message in messages if isinstance(message, wire.Welcome)] == [True]
    assert not [g for g in applied(None, messages).manifest.grants.values() if g.kind is wm.GrantKind.DEPOSIT]
    [nack] = await twin.say(clone.batch(2, 3))
    assert nack == wire.Nack(1, 3, "source-forked", 3)
    book.put_in(2, door=3)
    nack, told = await session.say(book.batch(3, 4))
    assert isinstance(nack, wire.Nack)
    assert isinstance(told, wire.Forked)
    assert (await ledger.source(BANK)).forked_at == 2  # type: ignore[union-attr]
    assert (await ledger.parcels([parcel_id(1)]))[parcel_id(1)].stays == ()


async def test_a_clone_that_ran_ahead_is_found_by_its_first_entry(ledger: Ledger) -> None:
    """Given a clone that claims more entries than the hub has, when they come, then the first to differ is the fork."""
    await put_up(ledger)
    hub, book = Hub(ledger), Book()
    clone = book.copy()
    book.put_in(0)
    session = hub.line()
    await session.say(book.hello())
    await session.say(book.batch())
    for number in (1, 2):
        clone.put_in(number, door=number)
    twin = hub.line()
    await twin.welcome(clone.hello())
    nack, forked = await twin.say(clone.batch(2))
    assert (nack, forked) == (wire.Nack(1, 2, "journal-fork", 1), wire.Forked(1, 1))


async def test_gaps_and_altered_entries_are_not_taken(ledger: Ledger, caplog: pytest.LogCaptureFixture) -> None:
    """Given a gap, an altered entry, another source's or none, when sent, then it is refused and nothing kept."""
    await put_up(ledger)
    hub, book = Hub(ledger), Book()
    for door in range(3):
        book.write("door-shut", {"door": door})
    session = hub.line()
    await session.welcome(book.hello())
    good = book.batch().entries
    other = Book(SourceId(parcel_id(9)))
    other.write("door-shut", {"door": 1})
    cases = {
        "journal-gap": (good[1:], (good[0], good[2])),
        "journal-broken": ((good[0].replace('"door":0', '"door":7'),), other.batch().entries, ()),
        "entry-malformed": (("{}",),),
        "document-malformed": (("no JSON",), ("\x00",)),
        "document-too-large": (("x" * 9000,),),
    }
    for code, attempts in cases.items():
        for entries in attempts:
            assert await session.say(wire.JournalSent(4, entries)) == [wire.Nack(1, 1, code, 4)], code
    assert len([record for record in caplog.records if vars(record).get("source") == BANK]) == 9
    assert await session.say(wire.JournalSent(5, good)) == [wire.Ack(1, 3, book.head.hash, 5)]
    assert len(await ledger.journal(BANK, 1, range(1, 9))) == 3


async def test_a_kind_nobody_knows_and_data_of_no_form_are_kept_and_open_a_case(ledger: Ledger) -> None:
    """Given such entries between good ones, when sent, then all are acknowledged and the strange ones open cases."""
    await put_up(ledger)
    hub, book = Hub(ledger), Book()
    book.write("door-sang", {"song": [1, None, "\x00"]})
    book.write("parcel-put-in", {"parcel": 3})
    book.put_in(0)
    session = hub.line()
    await session.welcome(book.hello())
    assert await session.say(book.batch()) == [wire.Ack(1, 3, book.head.hash, 1)]
    assert len((await ledger.rooms([POINT]))[POINT].cases) == 2
    assert len(await ledger.journal(BANK, 1, range(1, 9))) == 3


async def test_a_new_controller_inherits_the_open_stays(ledger: Ledger) -> None:
    """Given an open stay, when a later epoch begins, then the session ends and the new manifest names the stay."""
    await put_up(ledger)
    hub, book = Hub(ledger), Book()
    book.put_in(0, door=5)
    session = hub.line()
    await session.say(book.hello())
    await session.say(book.batch())
    await ran(ledger, [StartEpoch(CommandId(""), "operator", NOW, POINT, BANK, 2)])
    await session.line.take(s.Stirred(), Now(NOW, 0.0))
    assert session.link.closed == "journal-epoch"
    fresh = hub.line()
    messages = await fresh.say(Book().hello())
    [welcome] = [one for one in messages if isinstance(one, wire.Welcome)]
    assert (welcome.log_epoch, welcome.resume_from, welcome.forked) == (2, 1, False)
    grants = applied(None, messages, pinned(2)).manifest.grants
    assert grants[f"{parcel_id(0)}/{BANK}/1/1/collect"].door == 5
    old = await fresh.say(book.batch(1, 3))
    assert old == [wire.Ack(1, 1, book.entries[0].hash, 3)]
    replaced = Book(epoch=2)
    replaced.write("stay-inherited", {"parcel": parcel_id(0), "stay": [BANK, 1, 1], "door": 5})
    assert await fresh.say(replaced.batch(1, 4)) == [wire.Ack(2, 1, replaced.head.hash, 4)]


async def test_replayed_and_altered_manifests_are_not_applied(ledger: Ledger) -> None:
    """Given manifests the hub sent, when replayed, altered or shown to another bank, then none is put in force."""
    await put_up(ledger)
    hub, book = Hub(ledger), Book()
    session = hub.line()
    [_, sent] = await session.say(book.hello())
    assert isinstance(sent, wire.ManifestSent)
    first = applied(None, [sent])
    book.put_in(0)
    await session.say(book.batch())
    await session.line.take(s.Stirred(), Now(NOW, 0.0))
    [difference] = session.link.take()
    second = applied(first, [difference])
    assert wm.apply(second, sent, pinned()) == Refusal("manifest-older", "generation")
    altered = msgspec.structs.replace(sent, document=sent.document.replace("collect", "service", 1))
    assert isinstance(wm.apply(None, altered, pinned()), Refusal)
    foreign = wm.apply(None, sent, pinned(source=SourceId(parcel_id(9))))
    assert isinstance(foreign, Refusal)
    assert foreign.code == "manifest-foreign"
    again = hub.line()
    [_, confirmed] = await again.say(book.hello(second))
    assert isinstance(confirmed, wire.ManifestFresh)
    [whole] = await again.say(wire.ManifestWanted("manifest-digest"))
    assert isinstance(whole, wire.ManifestSent)
    assert whole.full


async def test_sessions_of_one_bank_move_between_two_hubs(ledger: Ledger) -> None:
    """Given two hub processes, when a bank's sessions alternate between them, then its log goes on without a break."""
    await put_up(ledger)
    book, hubs = Book(), (Hub(ledger), Hub(ledger))
    for turn in range(6):
        session = hubs[turn % 2].line()
        book.write("door-shut", {"door": turn})
        welcome = await session.welcome(book.hello())
        assert welcome.resume_from == turn + 1
        assert not welcome.forked
        [ack] = await session.say(book.batch(welcome.resume_from))
        assert ack == wire.Ack(1, turn + 1, book.head.hash, 1)
    assert [row.hash for row in await ledger.journal(BANK, 1, range(1, 9))] == [entry.hash for entry in book.entries]


async def test_a_store_that_is_down_ends_the_session_and_not_the_hub() -> None:
    """Given a store that fails, when an entry comes, then the line closes and the source may come again."""
    ledger = RowLedger()
    await ledger.ensure_lanes(LANES)
    await put_up(ledger)
    book = Book()
    book.put_in(0)
    session = Hub(ledger).line()
    await session.welcome(book.hello())
    for _ in range(4):
        ledger.plant(Break.BEFORE)
    assert await session.say(book.batch()) == []
    assert session.link.closed == "store-down"


async def test_a_plain_line_believes_hello_and_takes_no_nonsense_for_a_source() -> None:
    """Given a line without a certificate, when a name of no form or of nobody is said, then it is pending."""
    ledger = RowLedger()
    await ledger.ensure_lanes(LANES)
    await put_up(ledger)
    for name in ("", "x", "\x00", parcel_id(77), "a" * 5000):
        session = Hub(ledger).line(named=None)
        [pending] = await session.say(Book().hello(source=SourceId(name)))
        assert isinstance(pending, wire.Pending)
    welcome = await Hub(ledger).line(named=None).welcome(Book().hello())
    assert welcome.resume_from == 1


FRAMES = st.text(max_size=80) | st.builds(
    wire.encode,
    st.builds(wire.JournalSent, st.integers(0, 2**53), st.lists(st.text(max_size=40), max_size=3).map(tuple))
    | st.builds(wire.Ping, st.integers(0, 2**53))
    | st.builds(wire.ManifestWanted, st.text(max_size=9)),
)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.booleans(), st.lists(FRAMES, max_size=6))
async def test_random_frames_never_raise(greeted: bool, frames: list[str]) -> None:
    """Given any frames, when heard before or after the welcome, then the line answers or closes, and keeps nothing."""
    ledger = RowLedger()
    await ledger.ensure_lanes(LANES)
    await put_up(ledger, 0)
    session = Hub(ledger).line()
    if greeted:
        await session.welcome(Book().hello())
    for frame in frames:
        await session.say(frame)
    assert (await ledger.source(BANK)).seq == 0  # type: ignore[union-attr]
