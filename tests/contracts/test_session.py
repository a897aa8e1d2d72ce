"""Both ends of a session, the source's and the hub's, talking over a line that loses everything in flight when cut."""

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from restante.core.commands import AdoptFact, ReportFork
from restante.core.facts import Unknown
from restante.core.ids import PointId
from restante.core.refusals import Refusal
from restante.core.world import SourceHead
from restante.edge import sync
from restante.hub.engine import Accepted
from restante.hub.fleet import session as hub
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
        self.source(sync.Connected(hello, self.rig.book.acknowledged()))

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
                return [hub.Found(self.head, False, 1, seal.to_text(SOURCE_KEY), MANIFEST_KEY)]
            case hub.Compare(span=span):
                return [hub.Compared(self.head, {one.seq: one.hash for one in self.entries if one.seq in span})]
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
        if isinstance(command, AdoptFact):
            assert command.seq == self.head.seq + 1
            entry = journal.parse_entry(command.entry)
            assert isinstance(entry, journal.Entry)
            self.entries.append(entry)
            self.adopted.append(command)
            self.head = SourceHead(SOURCE, POINT, command.epoch, command.seq, command.hash)
        return Accepted()

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
