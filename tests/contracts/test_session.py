"""Both ends of a session, the source's and the hub's, talking over a line that loses everything in flight when cut."""

from typing import Any

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from restante.core.commands import AdoptFact, OpenPointCase, ReportFork
from restante.core.facts import Unknown
from restante.core.ids import PointId
from restante.core.refusals import Refusal
from restante.core.world import Reached, SourceHead
from restante.edge import sync
from restante.edge.boards.steel import Deed
from restante.edge.inputs import Choice
from restante.hub.engine import Accepted
from restante.hub.fleet import session as hub
from restante.store.ledger import JournalRow
from restante.wire import journal, seal
from restante.wire import manifest as lists
from restante.wire import session as wire
from tests.edge.rig import KEY, MANIFEST_KEY, SOURCE, SOURCE_KEY, Rig, collect, deposit, service

POINT = PointId("00000000-0000-8000-8000-0000000a0001")


class TwoEnds:
    """A bank with its sync, a hub's session with what it keeps, and the frames between them."""

    def __init__(self) -> None:
        self.rig = Rig()
        self.now_ms = 0
        self.sync: sync.State = sync.Resting()
        self.hub: hub.State = hub.Ended("not begun")
        self.head = SourceHead(SOURCE, POINT)
        self.entries: list[journal.Entry] = []
        self.adopted: list[AdoptFact] = []
        self.forks: list[ReportFork] = []
        self.cases: list[OpenPointCase] = []
        self.aside: dict[tuple[int, int, str], JournalRow] = {}
        self.manifests: list[lists.Manifest] = []
        self.up: list[wire.FromSource] = []
        self.down: list[wire.FromHub] = []

    # --- the source

    def source(self, given: sync.Input) -> None:
        """One input of the source's end, with what follows."""
        self.sync, effects = sync.step(self.sync, given, self.now_ms)
        for effect in effects:
            self.perform(effect)

    def perform(self, effect: sync.Effect) -> None:
        """What the program does for the source's end."""
        book = self.rig.book
        match effect:
            case sync.Dial():
                self.dial()
            case sync.Send(message):
                self.up.append(message)
            case sync.SendEntries(number, epoch, first, last):
                entries = book.entries_from(first, last - first + 1, epoch=epoch)
                self.up.append(wire.JournalSent(number, tuple(journal.write_entry(one).decode() for one in entries)))
            case sync.Acknowledge(head):
                with book.step() as writing:
                    assert writing.acknowledge(head) is None
            case sync.ResendFrom(epoch, seq):
                with book.step() as writing:
                    writing.resend_from(seq, epoch=epoch)
            case sync.Tell(told):
                self.rig.feed(told)
                for wanted in self.rig.wanted:
                    self.source(sync.WholeWanted(wanted.why))
                self.rig.wanted.clear()
                self.source(sync.JournalGrew(book.head))
            case sync.CloseLine():
                self.cut()

    def dial(self) -> None:
        """A new line: a new session at the hub, and the source's hello."""
        self.up, self.down = [], []
        self.hub = hub.Greeting("0" * 32, self.now_ms / 1000, SOURCE)
        head, applied = self.rig.book.head, self.rig.agent.state.manifest
        hello = wire.Hello(
            SOURCE,
            wire.VERSIONS,
            head.epoch,
            head.seq,
            head.hash,
            self.rig.boot,
            "test",
            applied.manifest.hub_epoch if applied else 0,
            applied.manifest.generation if applied else 0,
            applied.digest if applied else "",
            wire.SourceClock("system", 1_000),
        )
        self.source(sync.Connected(hello, self.rig.book.acknowledged(), self.rig.book.extents()))

    def cut(self) -> None:
        """The line is lost with all that was on it."""
        self.up, self.down = [], []
        self.source(sync.LineLost(0.5))

    # --- the hub

    def feed_hub(self, given: hub.Input) -> None:
        """One input of the hub's end, with the answers to all it asks for."""
        inputs = [given]
        while inputs:
            now = hub.Now(self.rig.hub_time, self.now_ms / 1000)
            self.hub, effects = hub.step(self.hub, inputs.pop(0), now)
            for effect in effects:
                inputs += self.answer(effect)

    def answer(self, effect: hub.Effect) -> list[hub.Input]:
        """What the store and the keys of a hub do."""
        match effect:
            case hub.Send(message):
                self.down.append(message)
            case hub.Seal(document):
                self.down.append(lists.sign(document, KEY))
            case hub.Confirm(manifest):
                self.down.append(lists.sign_fresh(manifest, self.rig.hub_time, KEY))
            case hub.Find():
                last = {epoch: seq for epoch, seq, _ in sorted(self.aside)}
                return [hub.Found(self.head, False, 1, seal.to_text(SOURCE_KEY), MANIFEST_KEY, last)]
            case hub.Compare(epoch=epoch, span=span):
                known = {one.seq: one.hash for one in self.entries if one.log_epoch == epoch and one.seq in span}
                nearby = range(span.start - 1, span.stop)
                aside = frozenset(digest for at, seq, digest in self.aside if at == epoch and seq in nearby)
                return [hub.Compared(self.head, known, aside)]
            case hub.SetAside(rows):
                self.aside |= {(row.epoch, row.seq, row.hash): row for row in rows}
                kept = sorted(seq for epoch, seq, _ in self.aside if epoch == rows[0].epoch)
                return [hub.WasSetAside(kept[0], len(kept))]
            case hub.Submit(commands):
                return [hub.Submitted([self.commit(command) for command in commands])]
            case hub.Shelve():
                return [hub.Shelved(tuple(reversed(self.manifests)))]
            case hub.Enter() | hub.Close():
                pass
        return []

    def commit(self, command: Any) -> Accepted:
        """Adopt an entry, as the engine would."""
        if isinstance(command, ReportFork):
            self.forks.append(command)
        if isinstance(command, OpenPointCase):
            self.cases.append(command)
        if isinstance(command, AdoptFact):
            reached = self.head.reached(command.epoch)
            assert reached is not None
            assert command.seq == reached.seq + 1
            entry = journal.parse_entry(command.entry)
            assert isinstance(entry, journal.Entry)
            self.entries.append(entry)
            self.adopted.append(command)
            self.head = self.head.moved(command.epoch, Reached(command.seq, command.hash))
        return Accepted()

    def begin_epoch(self) -> None:
        """A person settles what was found: the old controller is shut out, and a new epoch begins."""
        epoch = self.rig.epoch = self.head.epoch + 1
        past = {**self.head.past, self.head.epoch: Reached(self.head.seq, self.head.hash)}
        self.head = SourceHead(SOURCE, POINT, epoch, past=past)
        self.rig.generation += 1
        self.manifests = [self.rig.manifest()]
        self.hub = hub.Ended("revoked")
        self.cut()

    def list_now(self, **grants: lists.Grant) -> None:
        """The hub's list changes."""
        self.rig.generation += 1
        self.rig.grants |= grants
        self.manifests.append(self.rig.manifest())
        self.feed_hub(hub.Stirred())

    # --- time

    def carry(self, frames: int = 1_000) -> None:
        """Carry so many frames, the source's first; each as text, for that is how they travel."""
        while frames and (self.up or self.down):
            frames -= 1
            if self.up:
                self.feed_hub(hub.Heard(wire.read_from_source(wire.encode(self.up.pop(0)))))
            else:
                heard = wire.read_from_hub(wire.encode(self.down.pop(0)))
                assert not isinstance(heard, Refusal)
                self.source(sync.Heard(heard))

    def settle(self) -> None:
        """Let time pass until a line is open and nothing is left to say."""
        for _ in range(400):
            self.now_ms += 1_000
            self.source(sync.Ticked())
            self.carry()
            if isinstance(self.sync, sync.Live) and self.rig.book.acknowledged() == self.rig.book.head:
                return
        raise AssertionError((self.sync, self.rig.book.acknowledged(), self.rig.book.head))

    def visit(self, number: int) -> None:
        """A parcel goes in, whatever the line does."""
        self.rig.put_in(number)
        self.source(sync.JournalGrew(self.rig.book.head))


def installed() -> TwoEnds:
    """Both ends after their first session."""
    ends = TwoEnds()
    ends.manifests.append(ends.rig.manifest())
    ends.settle()
    ends.list_now(service=service(), d1=deposit(1), d2=deposit(2), c1=collect(1, "12345678"))
    ends.settle()
    return ends


def same_entries(ends: TwoEnds) -> bool:
    """Invariant 4: hub and bank hold the same entries, gap-free, hash for hash."""
    return [one.hash for one in ends.entries] == [one.hash for one in ends.rig.facts()]


def test_manifests_come_down_and_facts_go_up() -> None:
    """Given both ends, when a list comes and a parcel goes in, then it is in force, and the facts are read."""
    ends = installed()
    ends.visit(1)
    ends.settle()
    assert ends.rig.agent.state.manifest is not None
    assert ends.rig.agent.state.manifest.manifest == ends.manifests[-1]
    assert same_entries(ends)
    assert not any(isinstance(command.fact, Unknown) for command in ends.adopted)


def test_a_new_controller_learns_its_epoch_from_the_welcome() -> None:
    """Given a hub that has begun epoch 2, when a blank controller dials, then its journal begins there."""
    ends = TwoEnds()
    ends.head = SourceHead(SOURCE, POINT, epoch=2)
    ends.rig.epoch = 2
    ends.manifests.append(ends.rig.manifest())
    ends.settle()
    assert ends.entries[0].log_epoch == 2
    assert ends.forks == []


def test_a_disk_put_back_is_a_fork_at_both_ends() -> None:
    """Given a bank whose disk is put back to an earlier day, when it dials, then both know and nothing is sent."""
    ends = installed()
    before = (ends.rig.book.head, dict(ends.rig.book.kept), {1: list(ends.rig.book.entries[1])})
    ends.visit(1)
    ends.settle()
    ends.rig.book.head, ends.rig.book.kept, ends.rig.book.entries = before
    ends.rig.book.acked[1] = before[0]
    held = len(ends.entries)
    ends.cut()
    ends.rig.wake()
    ends.now_ms += 60_000
    ends.source(sync.Ticked())
    ends.carry()
    assert ends.rig.agent.state.forked
    assert ends.forks
    assert len(ends.entries) == held


def forked() -> tuple[TwoEnds, journal.Head]:
    """A bank held to be two, with a parcel behind each of two doors; and the end of what the hub holds of it."""
    ends = installed()
    ends.list_now(c2=collect(2, "87654321"))
    ends.settle()
    ends.visit(1)
    ends.visit(2)
    ends.rig.choose(Choice.CLOSE_ROUND)
    ends.settle()
    held = ends.rig.book.head
    ends.head = msgspec.structs.replace(ends.head, forked_at=held.seq)
    ends.cut()
    for _ in range(70):
        ends.now_ms += 1_000
        ends.source(sync.Ticked())
        ends.carry()
    assert ends.rig.agent.state.forked
    return ends, held


def taken(ends: TwoEnds, code: str, number: int) -> None:
    """A recipient takes a parcel out."""
    door = next(one.door for one in ends.rig.agent.state.stays.values() if one.key == ends.rig.stay(number))
    ends.rig.code(code)
    ends.rig.do(door, Deed.TAKE, Deed.PUSH)
    ends.source(sync.JournalGrew(ends.rig.book.head))


def all_entries(ends: TwoEnds) -> list[str]:
    """The hashes of the book, oldest epoch first."""
    return [one.hash for epoch in sorted(ends.rig.book.entries) for one in ends.rig.book.entries[epoch]]


def test_collections_made_while_forked_reach_the_hub_once_a_new_epoch_began() -> None:
    """Given a fork, when two parcels are collected and a new epoch begins on the same book, then the hub has both."""
    ends, held = forked()
    taken(ends, "12345678", 1)
    taken(ends, "87654321", 2)
    ends.carry()
    assert ends.head.seq == held.seq, "nothing is adopted before it is settled"
    ends.begin_epoch()
    ends.settle()
    assert [one.hash for one in ends.entries] == all_entries(ends), "hash for hash, and the old epoch's end first"
    kinds = [command.fact.__struct_config__.tag for command in ends.adopted if command.seq > held.seq]
    assert kinds.count("parcel-taken-out") == 2
    assert (ends.head.epoch, ends.aside, ends.cases) == (2, {}, [])
    assert ends.rig.agent.state.forked is False
    assert ends.rig.facts("stay-inherited") == []


@settings(max_examples=25, deadline=None)
@given(st.lists(st.integers(1, 8), max_size=6), st.booleans())
def test_the_end_of_an_old_epoch_survives_any_cuts(frames: list[int], is_woken: bool) -> None:
    """Given an old epoch's end on its way, when the line or the power is cut after any frames, then nothing is lost."""
    ends, _ = forked()
    taken(ends, "12345678", 1)
    ends.begin_epoch()
    for count in frames:
        ends.now_ms += 301_000
        ends.source(sync.Ticked())
        ends.carry(count)
        ends.cut()
        if is_woken:
            ends.rig.wake()
    taken(ends, "87654321", 2)
    ends.settle()
    assert [one.hash for one in ends.entries] == all_entries(ends)
    assert (ends.aside, ends.forks) == ({}, [])


def test_a_cloned_disks_own_end_is_set_aside_and_named() -> None:
    """Given two disks of which the hub adopted one, when an epoch begins on the other, then its end is set aside."""
    ends, held = forked()
    clone = (ends.rig.book.head, dict(ends.rig.book.kept), {1: list(ends.rig.book.entries[1])})
    acked = ends.rig.book.acked[1]
    taken(ends, "12345678", 1)
    for entry in ends.rig.facts()[held.seq :]:  # the hub came to know one disk ...
        ends.head = msgspec.structs.replace(ends.head, seq=entry.seq, hash=entry.hash)
        ends.entries.append(entry)
    ends.rig.book.head, ends.rig.book.kept, ends.rig.book.entries = clone
    ends.rig.book.acked[1] = acked
    ends.rig.wake()  # ... and a person put the other one in
    taken(ends, "87654321", 2)
    apart = [journal.write_entry(one) for one in ends.rig.facts()[held.seq :]]
    adopted = len(ends.entries)
    ends.begin_epoch()
    ends.settle()
    assert [row.entry for row in ends.aside.values()] == apart, "byte for byte"
    assert [one.log_epoch for one in ends.entries[adopted:]] == [2] * (len(ends.entries) - adopted)
    assert {case.about for case in ends.cases} == {"epoch 1"}
    assert ends.cases[-1].told == f"{len(apart)} entries, the first is number {held.seq + 1}"
    known = len(ends.aside)
    ends.cut()
    ends.settle()
    assert len(ends.aside) == known
    assert len(ends.cases) == 1, "what is set aside is not asked for again"


ACTS = st.lists(
    st.tuples(st.sampled_from(["visit", "cut", "wake", "list", "carry"]), st.integers(1, 6)), min_size=1, max_size=14
)


@settings(max_examples=60, deadline=None)
@given(ACTS)
def test_after_any_cuts_both_ends_hold_the_same(acts: list[tuple[str, int]]) -> None:
    """Given cuts, restarts, lists and visits in any order, when the line holds, then the same entries and list."""
    ends = installed()
    ends.list_now(**{f"d{number}": deposit(number) for number in range(3, 7)})
    for act, number in acts:
        match act:
            case "visit":
                ends.rig.code("0000000" + str(number))
                ends.source(sync.JournalGrew(ends.rig.book.head))
            case "cut":
                ends.cut()
            case "wake":
                ends.cut()
                ends.rig.wake()
            case "list":
                ends.list_now(**{f"x{number}": deposit(number)})
            case _:
                ends.carry(number)
    ends.cut()
    ends.settle()
    ends.carry()
    assert same_entries(ends)
    assert ends.forks == []
    assert ends.rig.agent.state.manifest is not None
    assert ends.rig.agent.state.manifest.manifest == ends.manifests[-1]
