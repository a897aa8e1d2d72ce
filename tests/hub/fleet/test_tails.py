"""The end of an ended epoch's log at the hub: adopted, asked for, or set aside, in the database and in memory."""

from collections.abc import AsyncIterator, Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from restante.core.commands import StartEpoch
from restante.core.events import CaseKind
from restante.core.ids import CommandId
from restante.core.world import Reached, SourceHead
from restante.hub.fleet import session as s
from restante.hub.fleet import tails
from restante.hub.fleet.aside import Aside, MemoryAside, PostgresAside
from restante.store.ledger import JournalRow, Ledger
from restante.store.tables import open_tables
from restante.wire import journal
from restante.wire import session as wire
from tests.hub.fleet.town import BANK, NOW, POINT, Book, Hub, Session, parcel_id, promised, provisioning, ran


@pytest.fixture(params=["memory", pytest.param("postgres", marks=pytest.mark.postgres)])
async def aside(request: pytest.FixtureRequest) -> AsyncIterator[Aside]:
    """Every place where entries are set aside."""
    if request.param == "memory":
        yield MemoryAside()
        return
    async with open_tables(request.getfixturevalue("database"), name="test", size=2) as tables:
        yield PostgresAside(tables)


def a_row(seq: int, digest: str = "h", epoch: int = 1) -> JournalRow:
    """An entry set aside."""
    return JournalRow(BANK, epoch, seq, f"{digest}{seq}", b'{"kind":"\xc3\xa4"}')


async def test_what_is_set_aside_is_kept_once_and_byte_for_byte(aside: Aside) -> None:
    """Given entries, when set aside twice and another history's too, then each is there once, and is told apart."""
    rows = [a_row(9), a_row(10)]
    assert await aside.keep(rows, NOW) == (9, 2)
    assert await aside.keep(rows, NOW) == (9, 2)
    assert await aside.keep([a_row(10, "other"), a_row(11, "other")], NOW) == (9, 4)
    assert await aside.keep([a_row(4, epoch=2)], NOW) == (4, 1)
    found = await aside.entries(BANK)
    assert sorted(found, key=repr) == sorted(
        [*rows, a_row(10, "other"), a_row(11, "other"), a_row(4, epoch=2)], key=repr
    )
    assert dict(await aside.last(BANK)) == {1: 11, 2: 4}
    assert await aside.hashes(BANK, 1, range(10, 12)) == {"h10", "other10", "other11"}


def a_book(count: int, epoch: int = 1) -> Book:
    """A book of so many entries."""
    book = Book(epoch=epoch)
    for number in range(count):
        book.write("door-shut", {"door": number % 12 + 1})
    return book


def judged(book: Book, held: Book, *, start: int, stop: int, is_stuck: bool = False) -> tails.Verdict:
    """What a hub that holds one book makes of a batch of another."""
    at = held.head
    entries = [entry for entry in book.entries if start <= entry.seq < stop]
    known = {entry.seq: entry.hash for entry in held.entries}
    return tails.judge(at, entries, source=BANK, known=known, aside=(), is_stuck=is_stuck)


@settings(max_examples=80, deadline=None)
@given(st.integers(0, 8), st.integers(0, 5), st.integers(0, 5), st.data())
def test_every_batch_gets_on(common: int, ours: int, theirs: int, data: st.DataObject) -> None:
    """Given two books that part somewhere, when a batch comes, then it is adopted, asked from earlier, or set aside."""
    held = a_book(common)
    book = held.copy()
    for _ in range(ours):
        held.write("door-shut", {"door": 1})
    for _ in range(theirs):
        book.write("door-opened", {"door": 2, "evidence": "sensor"})
    if not book.entries:
        return
    start = data.draw(st.integers(1, len(book.entries)))
    stop = data.draw(st.integers(start + 1, len(book.entries) + 1))
    match judged(book, held, start=start, stop=stop):
        case tails.Follows(entries, is_all):
            assert is_all
            assert [one.seq for one in entries] == list(range(max(start, len(held.entries) + 1), stop))
            assert not entries or ours == 0 or theirs == 0
        case tails.Missing(from_seq):
            assert from_seq == len(held.entries) + 1 < start
            assert judged(book, held, start=start, stop=stop, is_stuck=True) == tails.Apart(0)
        case tails.Apart(index):
            assert ours
            assert theirs
            assert start + index == max(start, common + 1)


def test_what_leads_up_to_damage_is_taken_first() -> None:
    """Given a damaged entry within a batch, when judged, then those before it follow, and next it is set aside."""
    book = a_book(6)
    broken = book.copy()
    broken.entries[3] = journal.append_to(
        journal.head_after(book.entries[2]), journal.Stamp(1, NOW, 3, journal.Clock("ntp", 20)),
        source=BANK, kind="other", data={},
    )  # fmt: skip
    empty = Book()
    first = judged(broken, empty, start=1, stop=7)
    assert first == tails.Follows(tuple(broken.entries[:4]), is_all=False)
    held = Book()
    held.entries, held.head = list(broken.entries[:4]), journal.head_after(broken.entries[3])
    assert judged(broken, held, start=5, stop=7) == tails.Apart(0)


def test_earlier_epochs_are_asked_for_by_what_is_adopted_and_set_aside() -> None:
    """Given a head with a past, then each earlier epoch is named with the first number the hub does not have."""
    head = SourceHead(BANK, POINT, 4, 7, "h", past={2: Reached(), 1: Reached(10, "h"), 3: Reached(5, "h")})
    assert tails.tails_of(head, {3: 9, 1: 4}) == (wire.Tail(1, 11), wire.Tail(2, 1), wire.Tail(3, 10))
    assert tails.tails_of(SourceHead(BANK, POINT), {}) == ()
    assert tails.log_head(head, 5) is None


# --- over lines, on every ledger


async def replaced(ledger: Ledger, hub: Hub, book: Book, *, adopted: int) -> Session:
    """A bank of which the hub holds some entries when a new epoch begins; the line of its new controller."""
    await ran(ledger, [*provisioning(), *promised(0), *promised(1)])
    session = hub.line()
    await session.say(book.hello())
    await session.say(wire.JournalSent(1, book.batch().entries[:adopted]))
    await ran(ledger, [StartEpoch(CommandId(""), "operator", NOW, POINT, BANK, 2)])
    fresh = hub.line()
    welcome = await fresh.welcome(Book(epoch=2).hello())
    assert welcome.tails == (wire.Tail(1, adopted + 1),)
    return fresh


async def cases_of(ledger: Ledger) -> Sequence[str]:
    """The open cases about the bank's point."""
    return sorted((await ledger.rooms([POINT]))[POINT].cases)


async def test_an_old_tail_is_adopted_after_the_new_epoch_began(ledger: Ledger) -> None:
    """Given an old controller's unsent deposit, when it comes late, then it is adopted and acknowledged."""
    hub, book = Hub(ledger), Book()
    book.put_in(0, door=5)
    book.put_in(1, door=6)
    fresh = await replaced(ledger, hub, book, adopted=1)
    begun = Book(epoch=2)
    begun.write("started", {"software": "test"})
    assert await fresh.say(begun.batch(1, 1)) == [wire.Ack(2, 1, begun.head.hash, 1)]
    assert wire.Ack(1, 2, book.head.hash, 2) in await fresh.say(book.batch(2, 2))
    parcel = (await ledger.parcels([parcel_id(1)]))[parcel_id(1)]
    assert [(stay.key.epoch, stay.key.seq, stay.door) for stay in parcel.stays] == [(1, 2, 6)]
    head = await ledger.source(BANK)
    assert head is not None
    assert (head.epoch, head.seq, head.past) == (2, 1, {1: Reached(2, book.head.hash)})
    assert [row.entry for row in await ledger.journal(BANK, 1, range(1, 9))] == [
        journal.write_entry(one) for one in book.entries
    ]
    welcome = await hub.line().welcome(begun.hello())
    assert (welcome.tails, welcome.forked) == ((wire.Tail(1, 3),), False)


async def test_another_disks_tail_is_set_aside_and_a_case_names_it(ledger: Ledger) -> None:
    """Given a clone that wrote on by itself, when its end comes late, then it is kept, named, and asked no more."""
    hub, book = Hub(ledger), Book()
    book.put_in(0, door=5)
    clone = book.copy()
    book.write("door-shut", {"door": 1})
    clone.put_in(1, door=6)
    clone.write("door-shut", {"door": 6})
    fresh = await replaced(ledger, hub, book, adopted=2)
    assert await fresh.say(clone.batch(2, 1)) == [wire.Ack(1, 3, clone.head.hash, 1)]
    kept = [row.entry for row in await hub.aside.entries(BANK)]
    assert kept == [journal.write_entry(one) for one in clone.entries[1:]]
    assert await cases_of(ledger) == [f"{CaseKind.ENTRIES_SET_ASIDE}:epoch 1: 2 entries, the first is number 2"]
    assert not (await ledger.parcels([parcel_id(1)]))[parcel_id(1)].stays
    clone.write("door-shut", {"door": 7})
    again = hub.line()
    assert (await again.welcome(Book(epoch=2).hello())).tails == (wire.Tail(1, 4),)
    assert await again.say(clone.batch(4, 2)) == [wire.Ack(1, 4, clone.head.hash, 2)]
    assert len(await hub.aside.entries(BANK)) == 3
    assert len(await cases_of(ledger)) == 1
    begun = Book(epoch=2)
    begun.write("started", {"software": "test"})
    assert await again.say(begun.batch(1, 3)) == [wire.Ack(2, 1, begun.head.hash, 3)], "nobody is stopped"


async def test_a_tail_that_lacks_its_begin_is_asked_for_it_and_then_set_aside(ledger: Ledger) -> None:
    """Given a book whose begin is gone, when its end comes twice, then it is asked for the begin, and then kept."""
    hub, book = Hub(ledger), a_book(4)
    fresh = await replaced(ledger, hub, book, adopted=1)
    assert await fresh.say(book.batch(3, 1)) == [wire.Nack(1, 2, "journal-gap", 1)]
    assert await fresh.say(book.batch(3, 2)) == [wire.Ack(1, 4, book.head.hash, 2)]
    assert [row.seq for row in await hub.aside.entries(BANK)] == [3, 4]


async def test_epochs_never_begun_and_mixed_batches_are_refused(ledger: Ledger) -> None:
    """Given entries of two epochs at once, or of one that was never begun, when they come, then nothing is taken."""
    hub, book = Hub(ledger), a_book(2)
    fresh = await replaced(ledger, hub, book, adopted=1)
    mixed = wire.JournalSent(1, book.batch(2).entries + a_book(1, epoch=2).batch().entries)
    assert await fresh.say(mixed) == [wire.Nack(2, 1, "journal-epoch", 1)]
    await ran(ledger, [StartEpoch(CommandId(""), "operator", NOW, POINT, BANK, 4)])
    later = hub.line()
    await later.welcome(Book(epoch=4).hello())
    assert await later.say(a_book(1, epoch=3).batch(1, 2)) == [wire.Nack(4, 1, "journal-epoch", 2)]
    assert await hub.aside.entries(BANK) == []


async def test_a_broken_entry_of_the_present_opens_a_case_once(ledger: Ledger) -> None:
    """Given a damaged entry that is sent again and again, when it comes, then it is refused, and one case is open."""
    await ran(ledger, provisioning())
    hub, book = Hub(ledger), a_book(1)
    session = hub.line()
    await session.say(book.hello())
    text = book.batch().entries[0].replace('"door":1', '"door":2')
    for number in (1, 2):
        assert await session.say(wire.JournalSent(number, (text,))) == [wire.Nack(1, 1, "journal-broken", number)]
    assert [case.partition(": ")[0] for case in await cases_of(ledger)] == ["journal-broken:epoch 1 number 1"]
    assert (await session.say(wire.JournalSent(3, ("{}",))))[0] == wire.Nack(1, 1, "entry-malformed", 3)
    assert len(await cases_of(ledger)) == 2
    assert isinstance(session.line.state, s.Open)
