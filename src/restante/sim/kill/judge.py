"""Whether a bank that was killed lost nothing and did nothing twice, as book, hub, people and steel tell it."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing

import msgspec

from restante.core import events as ev
from restante.core.facts import AnyFact, IntentRecorded
from restante.core.ids import SourceId
from restante.core.refusals import Refusal
from restante.edge.book import open_book
from restante.hub.fleet.reading import fact_of
from restante.sim.kill.machine import Pulse
from restante.sim.kill.patience import patiently
from restante.sim.kill.story import Story
from restante.store.ledger import JournalRow
from restante.store.postgres import PostgresLedger, open_ledger
from restante.wire.journal import Entry, parse_entry

MOST_ENTRIES = 100_000


class Verdict(msgspec.Struct, frozen=True):
    """What a story came to: acknowledged work that is gone, effects that came twice, and whatever else is wrong."""

    lost: tuple[str, ...] = ()
    doubled: tuple[str, ...] = ()
    wrong: tuple[str, ...] = ()
    entries: int = 0
    pulses: int = 0


async def judge(story: Story) -> Verdict:
    """Compare all witnesses; the bank's program has stopped. Faults: those of the database."""
    return await patiently(lambda: _judge(story))


async def _judge(story: Story) -> Verdict:
    async with open_ledger(story.network.dsn, writers=1, readers=1) as ledger:
        rows = await journal_of(ledger, story)
        lost = [*missing(written(story), rows), *await _not_kept(ledger, story)]
        doubled = [*pulsed_twice(story, rows), *await _told_twice(ledger, story)]
        wrong = [*story.breaches, *await _misplaced(ledger, story)]
    return Verdict(tuple(lost), tuple(doubled), tuple(wrong), len(rows), len(story.machine.steel.pulses))


async def journal_of(ledger: PostgresLedger, story: Story) -> list[JournalRow]:
    """All that the hub has adopted of the source, epoch by epoch."""
    source, found = SourceId(story.machine.source), list[JournalRow]()
    for epoch in range(1, story.machine.steel.controller + 1):
        found += await ledger.journal(source, epoch, range(1, MOST_ENTRIES))
    return found


def missing(books: Mapping[tuple[int, int], str], rows: Sequence[JournalRow]) -> Iterator[str]:
    """Entries of the books that the hub does not hold hash for hash, and gaps in what it holds."""
    held = {(row.epoch, row.seq): row.hash for row in rows}
    for (epoch, seq), hash_ in books.items():
        if held.get((epoch, seq)) != hash_:
            yield f"entry {epoch}/{seq} of the book is not at the hub"
    for epoch in {row.epoch for row in rows}:
        numbers = [row.seq for row in rows if row.epoch == epoch]
        if numbers != list(range(1, len(numbers) + 1)):
            yield f"the hub's journal of epoch {epoch} has a gap"


def written(story: Story) -> dict[tuple[int, int], str]:
    """The hash of every entry in the bank's books, by epoch and number."""
    found = dict[tuple[int, int], str]()
    for controller in range(1, story.machine.steel.controller + 1):
        with closing(open_book(story.machine.path_of(controller), source=story.machine.source)) as book:
            for log in book.extents():
                entries = book.entries_from(1, MOST_ENTRIES, epoch=log.epoch)
                found |= {(log.epoch, entry.seq): entry.hash for entry in entries}
    return found


async def _not_kept(ledger: PostgresLedger, story: Story) -> list[str]:
    """What the screen promised to people and the hub does not know."""
    kinds = {"in": ev.ParcelDeposited, "out": ev.ParcelWithdrawn}
    gone = []
    for way, parcel in sorted(story.promised):
        if not any(isinstance(row.event, kinds[way]) for row in await ledger.history(parcel)):
            gone.append(f"{parcel} was promised to be {way}")
    return gone


def pulsed_twice(story: Story, rows: Sequence[JournalRow]) -> Iterator[str]:
    """Pulses beyond the intents of the same start: each lock was told at most once for each flushed intent."""
    intents = Counter(pulse for row in rows if (pulse := _intended(row)) is not None)
    for pulse, count in Counter(story.machine.steel.pulses).items():
        if count > intents[pulse]:
            yield f"door {pulse.door} was pulsed {count} times on {intents[pulse]} intents in start {pulse.boot}"


def _intended(row: JournalRow) -> Pulse | None:
    entry, fact = entry_in(row), fact_in(row)
    return Pulse(row.epoch, entry.boot, fact.door) if isinstance(fact, IntentRecorded) else None


def entry_in(row: JournalRow) -> Entry:
    """An adopted entry as its source wrote it."""
    entry = parse_entry(row.entry)
    assert not isinstance(entry, Refusal), "it was read when it was adopted"
    return entry


def fact_in(row: JournalRow) -> AnyFact:
    """What an adopted entry says."""
    return fact_of(entry_in(row))


async def _told_twice(ledger: PostgresLedger, story: Story) -> list[str]:
    """Deposits and withdrawals that the hub adopted more than once."""
    found = []
    for parcel in story.parcels:
        told = Counter(type(row.event) for row in await ledger.history(parcel.id))
        found += [
            f"{parcel.id}: {told[kind]} times {kind.__name__}"
            for kind in (ev.ParcelDeposited, ev.ParcelWithdrawn)
            if told[kind] > 1
        ]
    return found


async def _misplaced(ledger: PostgresLedger, story: Story) -> list[str]:
    """Parcels that lie elsewhere than the hub believes."""
    known = await ledger.parcels(parcel.id for parcel in story.parcels)
    believed = {parcel.id: stay.door for parcel in known.values() for stay in parcel.stays if stay.is_open}
    ground = story.machine.ground
    return [] if believed == ground else [f"the hub believes {believed}, there lie {ground}"]
