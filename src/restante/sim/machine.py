"""A controller in a story: the real agent and session steps on a book, in front of steel, behind a link.

What survives a loss of power is the book; what does not is everything else here. Clocks are the machine's own: the
steady one counts from each start, the wall clock may be off by as much as the story wants.
"""

from collections.abc import Callable, Sequence
from datetime import timedelta
from random import Random
from typing import Final, assert_never

from restante.core.bank import SourceKind
from restante.core.ids import ParcelId, SourceId
from restante.core.refusals import Refusal
from restante.core.time import EPOCH
from restante.edge import inputs as told
from restante.edge import sync
from restante.edge.book_file import BookFault
from restante.edge.clock import Now
from restante.edge.drivers.evidence import Verdict
from restante.edge.drivers.port import UNSEEN
from restante.edge.inputs import DoorsSeen, Input, OpeningEnded, Outward, Show, Ticked, Unlock, WholeWanted, Woke
from restante.edge.keeping import Keeps, KeptAgent, next_boot
from restante.edge.screens import OUT_OF_SERVICE, Screen
from restante.edge.state import Taking
from restante.sim.clock import SECOND_MS, Clock, Story
from restante.sim.hubside import TICK_MS
from restante.sim.links import Link
from restante.sim.power import Fuse, FusedBook, PowerLost
from restante.sim.steelwork import Steelwork
from restante.wire import session as wire
from restante.wire.journal import Entry, Head, write_entry

_BUSY_TICK_MS: Final = 5 * SECOND_MS
_SOFTWARE: Final = "story"

Dial = Callable[[], Link | None]


class Machine:
    """One controller, from its first start on."""

    def __init__(
        self, steel: Steelwork, book: Keeps, clock: Clock, *, kind: SourceKind, story: Story, chance: Random, dial: Dial
    ) -> None:
        self.source = SourceId(book.source)
        self.steel = steel
        self.book = book
        self.fuse = Fuse()
        self.is_taken = False
        self.off_ms = 0
        self.is_out_of_service = False
        self.starts = 0
        self.agent: KeptAgent | None = None
        self.on_power_lost: Callable[[], None] = _stay_dark
        self.on_entry: Callable[[str], None] = _nobody_counts
        self._kind = kind
        self._clock = clock
        self._story = story
        self._chance = chance
        self._dial = dial
        self._sync: sync.State = sync.Resting()
        self._link: Link | None = None
        self.boot = 0
        self._started_ms = 0
        self._is_ticking_fast = False
        self._drift = (0, 0)
        self._held: list[Input] = []
        self._was_in_round = False
        self._looks_again = False
        steel.on_change = self._look_twice

    # --- power

    def start(self) -> None:
        """Power comes, and the program starts on what the book kept."""
        assert self.agent is None
        self.fuse.mend()
        self.starts += 1
        self.boot = next_boot(self.book)
        self._started_ms = self._clock.now_ms
        self.is_out_of_service = False
        self._held.clear()
        self.agent = KeptAgent(FusedBook(self.book, self.fuse), kind=self._kind)
        self._sync = sync.Resting()
        self.give(Woke(_SOFTWARE))
        self._look_twice()
        self._sync_step(sync.Ticked())
        self._tick_later(self.boot)

    def lose_power(self) -> None:
        """Everything that was not flushed is gone; half of the times the hub does not even see the line close."""
        if self.agent is None:
            return
        self._story.tell(f"{self.source[-6:]} loses power")
        self.agent = None
        if self._link is not None:
            link, self._link = self._link, None
            if self._chance.random() < 0.5:
                link.drop(by_hub=False)
            link.is_open = False
        self.on_power_lost()

    @property
    def screen(self) -> Screen | None:
        """What the screen shows; None while it is dark."""
        if self.agent is None:
            return None
        return OUT_OF_SERVICE if self.is_out_of_service else self.agent.state.screen

    @property
    def was_in_round(self) -> bool:
        """Whether a round was open before the last thing that somebody did there."""
        return self._was_in_round

    @property
    def is_on(self) -> bool:
        """Whether the program runs."""
        return self.agent is not None

    def listed(self, door: int) -> list[ParcelId]:
        """The parcels that an opening is to hand out."""
        if self.agent is None:
            return []
        state = self.agent.state
        opening = state.openings.get(door)
        if opening is None or not isinstance(opening.task, Taking):
            return []
        return [state.stays[str(key)].parcel for key in opening.task.stays if str(key) in state.stays]

    def has_handed_out(self, parcel: ParcelId) -> bool:
        """Whether its book says that this parcel was taken out."""
        entries = (entry for first in range(1, self.book.head.seq + 1, 100) for entry in self.book.entries_from(first))
        return any(entry.kind == "parcel-taken-out" and entry.data["parcel"] == parcel for entry in entries)

    def take_book(self, book: Keeps) -> None:
        """Another machine stands here, on a book of its own; starts are counted on, so that old timers find nobody."""
        with book.step() as writing:
            writing.put("boot", str(self.boot).encode())
        self.book = book

    def drift(self, a_second_ms: int) -> None:
        """From now on the wall clock gains so many milliseconds a second, or loses them."""
        self._drift = (self._clock.now_ms, a_second_ms)

    def set_clock(self) -> None:
        """The wall clock is right again, and stays so."""
        self.off_ms, self._drift = 0, (0, 0)

    # --- the agent

    def give(self, given: Input) -> None:
        """Feed the agent, flush, and carry out what follows; power may fail at every boundary on the way.

        While the disk is full only the start and verdicts of doors wait, as in `edge.running`.
        """
        if self.agent is None:
            return
        if self.is_out_of_service:
            self._hold(given)
            return
        self._was_in_round = self.agent.state.round is not None
        try:
            self._feed(given)
        except PowerLost:
            self.lose_power()
        except BookFault:
            self._go_out_of_service()
            self._hold(given)

    def _hold(self, given: Input) -> None:
        if isinstance(given, Woke | OpeningEnded):
            self._held.append(given)

    def _go_out_of_service(self) -> None:
        """Nothing can be written down, so nothing is done, and the line is closed so that nothing said is lost."""
        self._story.tell(f"{self.source[-6:]} is out of service")
        self.is_out_of_service = True
        self._close_line()

    def make_space(self) -> None:
        """The disk can be written again: what waited comes first."""
        self.fuse.make_space()
        if not self.is_out_of_service:
            return
        self.is_out_of_service = False
        held, self._held = self._held, []
        for given in held:
            self.give(given)
        self._look_twice()
        self._sync_step(sync.Ticked())

    def _feed(self, given: Input) -> None:
        assert self.agent is not None
        before = self.agent.book.head
        for effect in self.agent.feed(given, self._now()):
            self._carry_out(effect)
            self.fuse.burn()
        for entry in self._entries_since(before):
            self.on_entry(entry.kind)
        if self.agent.book.head != before:
            self._sync_step(sync.JournalGrew(self.agent.book.head))
        if self.is_on and self.agent.state.openings:
            self._tick_fast()

    def _entries_since(self, before: Head) -> Sequence[Entry]:
        """What was written down since the book ended there."""
        head = self.book.head
        first = before.seq + 1 if head.epoch == before.epoch else 1
        return self.book.entries_from(first, head.seq - first + 1) if head.seq >= first else ()

    def _carry_out(self, effect: Outward) -> None:
        match effect:
            case Unlock(door, deadline_ms):
                self.fuse.work_begins()
                boot = self.boot
                at_ms = deadline_ms + self._started_ms
                self.steel.unlock(
                    door,
                    deadline_ms=at_ms,
                    told=lambda verdict: self._ended(boot, door, verdict),
                    is_alive=lambda: boot == self.boot and self.agent is not None,
                )
            case WholeWanted(why):
                self._sync_step(sync.WholeWanted(why))
            case Show():
                pass
            case _:
                assert_never(effect)

    def _ended(self, boot: int, door: int, verdict: Verdict) -> None:
        if boot == self.boot:
            self.give(OpeningEnded(door, verdict))

    def _look_twice(self) -> None:
        """Two agreeing looks settle what a door is."""
        self._look()
        self._clock.after(300, self._look)

    def _look(self) -> None:
        """Look at the doors; what was not seen for noise on the bus is looked at again."""
        if self.agent is None:
            return
        readings = self.steel.readings()
        if UNSEEN in readings.values() and not self._looks_again:
            self._looks_again = True
            self._clock.after(SECOND_MS, self._look_again)
        self.give(DoorsSeen(readings))

    def _look_again(self) -> None:
        self._looks_again = False
        self._look_twice()

    def _now(self) -> Now:
        since_ms, a_second_ms = self._drift
        drifted_ms = a_second_ms * (self._clock.now_ms - since_ms) // SECOND_MS
        wall = max(self._clock.now + timedelta(milliseconds=self.off_ms + drifted_ms), EPOCH)
        return Now(wall, self.steady_ms(), self.boot)

    def steady_ms(self) -> int:
        """What the steady clock reads: milliseconds since the program started."""
        return self._clock.now_ms - self._started_ms

    def _tick_fast(self) -> None:
        """While a door is being dealt with, time is told every few seconds."""
        if self._is_ticking_fast:
            return
        self._is_ticking_fast = True

        def tick() -> None:
            self._is_ticking_fast = False
            self.give(Ticked())
            if self.agent is not None and self.agent.state.openings:
                self._tick_fast()

        self._clock.after(_BUSY_TICK_MS, tick)

    def _tick_later(self, boot: int) -> None:
        """Time is told at rest a moment after each tick of the hub, whose ping has been heard by then."""

        def tick() -> None:
            if boot == self.boot and self.agent is not None:
                self.give(Ticked())
                self._sync_step(sync.Ticked())
                self._tick_later(boot)

        self._clock.at(self._clock.now_ms // TICK_MS * TICK_MS + TICK_MS + 2 * SECOND_MS, tick)

    # --- the session

    def _sync_step(self, given: sync.Input) -> None:
        if self.agent is None or (self.is_out_of_service and isinstance(given, sync.Ticked)):
            return
        self._sync, effects = sync.step(self._sync, given, self.steady_ms())
        try:
            for effect in effects:
                self._sync_effect(effect)
                self.fuse.burn()
        except PowerLost:
            self.lose_power()
            return
        except BookFault:
            self._go_out_of_service()
            return
        self._wake_sync()

    def _sync_effect(self, effect: sync.Effect) -> None:
        if self.agent is None:
            return
        match effect:
            case sync.Dial():
                self._dial_hub()
            case sync.CloseLine():
                self._close_line()
            case sync.Send(message):
                self._send(message)
            case sync.SendEntries(number, epoch, first, last):
                entries = self.agent.book.entries_from(first, last - first + 1, epoch=epoch)
                self._send(wire.JournalSent(number, tuple(write_entry(entry).decode() for entry in entries)))
            case sync.Acknowledge(head):
                with self.agent.book.step() as writing:
                    refused = writing.acknowledge(head)
                if isinstance(refused, Refusal):
                    self.give(told.ForkTold())
            case sync.ResendFrom(epoch, seq):
                with self.agent.book.step() as writing:
                    writing.resend_from(seq, epoch=epoch)
            case sync.Tell(given):
                self.give(given)
                if self.agent is not None:
                    self._sync_step(sync.JournalGrew(self.agent.book.head))
            case _:
                assert_never(effect)

    def _dial_hub(self) -> None:
        link = self._dial()
        if link is None:
            self._sync_step(sync.LineLost(self._chance.random()))
            return
        self._link = link
        link.to_source = lambda frame: self._hear(link, frame)
        link.source_hears_end = lambda: self._line_lost(link)
        assert self.agent is not None
        self._sync_step(
            sync.Connected(self._hello(self.agent), self.agent.book.acknowledged(), self.agent.book.extents())
        )

    def _hello(self, agent: KeptAgent) -> wire.Hello:
        head, applied = agent.book.head, agent.state.manifest
        return wire.Hello(
            source=self.source,
            versions=wire.VERSIONS,
            log_epoch=head.epoch,
            last_seq=head.seq,
            last_hash=head.hash,
            boot=self.boot,
            software=_SOFTWARE,
            hub_epoch=applied.manifest.hub_epoch if applied else 0,
            generation=applied.manifest.generation if applied else 0,
            manifest_digest=applied.digest if applied else "",
            clock=wire.SourceClock("system", 1_000),
        )

    def _hear(self, link: Link, frame: str | bytes) -> None:
        """A line on which something unreadable comes is closed, as in `edge.running`."""
        if link is not self._link or self.is_out_of_service:
            return
        message = wire.read_from_hub(frame)
        if isinstance(message, Refusal):
            self._close_line()
            return
        self._sync_step(sync.Heard(message))

    def _close_line(self) -> None:
        if self._link is not None:
            self._link.drop(by_hub=False)
        self._line_lost(self._link)

    def _line_lost(self, link: Link | None) -> None:
        if link is self._link:
            self._link = None
            self._sync_step(sync.LineLost(self._chance.random()))

    def _send(self, message: wire.FromSource) -> None:
        if self._link is not None:
            self._link.up(wire.encode(message))

    def _wake_sync(self) -> None:
        """Tell the session the time again when it has something to do then."""
        state, boot = self._sync, self.boot
        match state:
            case sync.Resting(until_ms=until_ms):
                at_ms = until_ms
            case sync.Greeting(since_ms=since_ms):
                at_ms = since_ms + sync.GREETING_MS
            case sync.Live(resume_ms=resume_ms) if resume_ms > self.steady_ms():
                at_ms = resume_ms
            case _:
                return

        def wake() -> None:
            if self._sync is state and boot == self.boot:
                self._sync_step(sync.Ticked())

        self._clock.at(max(self._started_ms + at_ms, self._clock.now_ms + 1), wake)


def _nobody_counts(_kind: str) -> None:
    """Nobody counts entries."""


def _stay_dark() -> None:
    """Nobody sees to it that power comes again."""
