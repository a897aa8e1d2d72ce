"""A source at work: its book, its doors and its line each hear what the others did, on one event loop."""

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any, Self, cast

import pytest

from restante.core.bank import SourceKind
from restante.core.refusals import Refusal
from restante.edge import link, moments, sync
from restante.edge.book import Book
from restante.edge.book_file import BookFull, BookUnreadable
from restante.edge.drivers.evidence import Evidence, Unknown
from restante.edge.drivers.port import Accepted, Answer, Door, DoorReading, Item, LockBoard, NoAck
from restante.edge.inputs import CodeEntered, DoorsSeen, ForkTold, OpeningEnded, ParcelScanned, Ticked
from restante.edge.running import Running, Wall
from restante.edge.screens import OUT_OF_SERVICE
from restante.edge.state import Stage
from restante.wire import journal, seal
from restante.wire import session as wire
from restante.wire.journal import Head
from restante.wire.manifest import difference, sign
from tests.edge.rig import COURIER, KEY, MANIFEST_KEY, SOURCE, SOURCE_KEY, START, Rig, at_work, deposit

PATIENCE_SECONDS = 10.0


class Line:
    """The far end of a line that a source has dialled: what it said, and what it is to hear."""

    def __init__(self) -> None:
        self.said: asyncio.Queue[str] = asyncio.Queue()
        self.frames: asyncio.Queue[str | None] = asyncio.Queue()
        self.is_closed = asyncio.Event()

    async def send(self, frame: str, *, text: bool) -> None:
        """The source says something."""
        assert text, "a frame of a session is text"
        self.said.put_nowait(frame)

    async def close(self) -> None:
        """The source hangs up."""
        self.is_closed.set()
        self.frames.put_nowait(None)

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> str:
        frame = await self.frames.get()
        if frame is None:
            raise StopAsyncIteration
        return frame

    def say(self, message: wire.FromHub) -> None:
        """The hub says something."""
        self.frames.put_nowait(wire.encode(message))

    async def heard(self) -> wire.FromSource | Refusal:
        """The next thing that the source says."""
        return wire.read_from_source(await asyncio.wait_for(self.said.get(), PATIENCE_SECONDS))


class Lines:
    """The hub's address: a line for each time it is dialled."""

    def __init__(self) -> None:
        self.dialled: list[tuple[str, Any]] = []
        self.opened: asyncio.Queue[Line] = asyncio.Queue()

    @asynccontextmanager
    async def open(self, url: str, context: Any) -> AsyncIterator[Line]:
        """In place of `link.line`."""
        self.dialled.append((url, context))
        line = Line()
        self.opened.put_nowait(line)
        yield line

    async def next(self) -> Line:
        """The line that is dialled next."""
        return await asyncio.wait_for(self.opened.get(), PATIENCE_SECONDS)


@pytest.fixture
def lines(monkeypatch: pytest.MonkeyPatch) -> Lines:
    """What is dialled comes here."""
    lines = Lines()
    monkeypatch.setattr(link, "line", lines.open)
    return lines


def at(rig: Rig, board: object = None) -> Running:
    """The rig's source at work, with a hub to dial."""
    made = Running(rig.agent, cast("Book", rig.book), board=cast("LockBoard", board), where=lambda: ("ws://hub", None))
    made.boot = rig.boot
    return made


def installed(*, kind: SourceKind = SourceKind.BANK) -> Rig:
    """A source with a manifest and two parcels that may be put in; its line is down."""
    rig = Rig(kind=kind)
    rig.install(d1=deposit(1), d2=deposit(2))
    return rig


def welcome(resume_from: int, **more: Any) -> wire.Welcome:
    """What the hub answers to hello."""
    key = seal.to_text(SOURCE_KEY)
    return wire.Welcome("s", 1, 1, START, 1, resume_from, key, MANIFEST_KEY, **more)


async def greeted(source: Running, lines: Lines) -> tuple[Line, wire.Hello]:
    """A line that was dialled, and the hello on it."""
    source.tick()
    line = await lines.next()
    hello = await line.heard()
    assert isinstance(hello, wire.Hello)
    return line, hello


async def sent(line: Line) -> tuple[int, list[int]]:
    """The next batch of entries: its number, and theirs."""
    batch = await line.heard()
    assert isinstance(batch, wire.JournalSent), batch
    entries = [journal.parse_entry(text.encode()) for text in batch.entries]
    return batch.number, [entry.seq for entry in entries if isinstance(entry, journal.Entry)]


async def until(is_so: Callable[[], bool]) -> None:
    """Let the loop go on until things are so."""
    async with asyncio.timeout(PATIENCE_SECONDS):
        while not is_so():  # noqa: ASYNC110  # the program is watched, not told to tell
            await asyncio.sleep(0)


# --- the line


@pytest.mark.parametrize(("kind", "ability"), [(SourceKind.BANK, "doors"), (SourceKind.COUNTER, "staff")])
async def test_hello_says_who_dials_and_how_far_it_is(lines: Lines, kind: SourceKind, ability: str) -> None:
    """Given an installed source, when it dials, then hello tells its journal's end, its list, its start and kind."""
    rig = installed(kind=kind)
    source = at(rig)
    _, hello = await greeted(source, lines)
    applied = rig.agent.state.manifest
    assert applied is not None
    assert (hello.source, hello.versions, hello.boot, hello.software) == (SOURCE, (1,), 1, "test")
    assert Head(hello.log_epoch, hello.last_seq, hello.last_hash) == rig.book.head
    assert (hello.hub_epoch, hello.generation, hello.manifest_digest) == (1, 1, applied.digest)
    assert hello.abilities == (ability,)
    assert hello.clock == wire.SourceClock("system", 1_000)
    assert lines.dialled == [("ws://hub", None)]
    await source.stop()


async def test_a_source_out_of_its_box_names_no_list(lines: Lines) -> None:
    """Given a source without a manifest, when it dials, then hello names generation 0 of no hub."""
    source = at(Rig())
    _, hello = await greeted(source, lines)
    assert (hello.hub_epoch, hello.generation, hello.manifest_digest, hello.last_seq) == (0, 0, "", 0)
    await source.stop()


async def test_facts_go_up_as_they_happen_and_what_is_held_is_known(lines: Lines) -> None:
    """Given a session, when facts are written, then they go up at once, and an acknowledgement is kept in the book."""
    rig = installed()
    source = at(rig)
    line, hello = await greeted(source, lines)
    line.say(welcome(1))
    assert await sent(line) == (1, [1, 2])
    line.say(wire.Ack(1, 2, hello.last_hash, 1))
    await until(lambda: source.acknowledged == 2)
    assert rig.agent.state.online
    source.take(CodeEntered("00000000"))
    assert await sent(line) == (2, [3])
    assert rig.book.acknowledged().seq == 2
    await source.stop()


async def test_a_hub_restored_from_a_backup_gets_entries_again(lines: Lines) -> None:
    """Given entries that the hub held, when it asks from an earlier one, then the book goes back and they go up."""
    rig = installed()
    with rig.book.step() as step:
        assert step.acknowledge(rig.book.head) is None
    source = at(rig)
    line, _ = await greeted(source, lines)
    line.say(welcome(2))
    assert await sent(line) == (1, [2])
    assert source.acknowledged == rig.book.acknowledged().seq == 1
    await source.stop()


async def test_a_hub_that_holds_another_history_is_a_fork(lines: Lines) -> None:
    """Given an acknowledgement of a hash that the book does not have, then the source takes nothing in any more."""
    rig = installed()
    source = at(rig)
    line, _ = await greeted(source, lines)
    line.say(welcome(1))
    await sent(line)
    line.say(wire.Ack(1, 2, "0" * 64, 1))
    await until(lambda: rig.agent.state.forked)
    assert source.acknowledged == 0
    await source.stop()


async def test_what_cannot_be_read_ends_the_line(lines: Lines, caplog: pytest.LogCaptureFixture) -> None:
    """Given a session, when a frame is no message, then the line is closed, and dialled again after a while."""
    rig = installed()
    source = at(rig)
    line, _ = await greeted(source, lines)
    line.say(welcome(3))
    await until(lambda: rig.agent.state.online)
    line.frames.put_nowait("what?")
    await asyncio.wait_for(line.is_closed.wait(), PATIENCE_SECONDS)
    await until(lambda: not rig.agent.state.online)
    assert "message-unreadable" in caplog.messages
    source.set_link(up=True)
    assert (await (await lines.next()).heard()).__class__ is wire.Hello, "nothing left over from the line before"
    await source.stop()


async def test_a_line_that_is_cut_is_dialled_again_when_it_may_be(lines: Lines) -> None:
    """Given a cut line, when time passes, then nobody dials; once it may be, it is dialled at once, and only once."""
    rig = installed()
    source = at(rig)
    line, _ = await greeted(source, lines)
    line.say(welcome(3))
    await until(lambda: rig.agent.state.online)
    source.set_link(up=False)
    await asyncio.wait_for(line.is_closed.wait(), PATIENCE_SECONDS)
    await until(lambda: not rig.agent.state.online)
    source._sync = sync.Resting()
    source.tick()
    await until(lambda: isinstance(source._sync, sync.Resting))
    assert len(lines.dialled) == 1
    source.set_link(up=True)
    source.set_link(up=True)
    await lines.next()
    assert len(lines.dialled) == 2
    await source.stop()


async def test_what_is_forbidden_to_dial_is_told_and_tried_later(
    lines: Lines, caplog: pytest.LogCaptureFixture
) -> None:
    """Given an address that may not be dialled, or nobody at it, when time comes, then words in the log and a rest."""
    for fault, said in ((link.LineUnsafe(), "line-refused"), (ConnectionRefusedError(), "no-line")):

        def where(fault: Exception = fault) -> Any:
            raise fault

        rig = installed()
        source = Running(rig.agent, cast("Book", rig.book), board=None, where=where)
        with caplog.at_level(logging.INFO):
            source.tick()
            await until(partial(_is_at_rest, source))
        told = next(vars(record) for record in caplog.records if record.message == said)
        assert told["fault"] == type(fault).__name__
        assert told.get("words") == (str(fault) if said == "line-refused" else None)
        assert cast("sync.Resting", source._sync).attempts == 1
        await source.stop()
    assert lines.dialled == []


def _is_at_rest(source: Running) -> bool:
    return isinstance(source._sync, sync.Resting)


async def test_a_list_that_does_not_fit_is_asked_for_whole(lines: Lines) -> None:
    """Given a session, when a difference against another list comes, then the source asks for the whole."""
    rig = installed()
    source = at(rig)
    line, _ = await greeted(source, lines)
    line.say(welcome(1))
    await sent(line)
    rig.generation += 5
    odd = rig.manifest()
    rig.generation += 1
    line.say(sign(difference(odd, rig.manifest()), KEY))
    assert await line.heard() == wire.ManifestWanted("manifest-base")
    await source.stop()


# --- doors


class OneDoor:
    """A board of one door that does as it is told."""

    def __init__(self, *, answer: Answer | None = None, door: Door = Door.OPEN) -> None:
        self.unlocked: list[tuple[int, int | None]] = []
        self.looks = 0
        self._answer = answer or Accepted()
        self._door = door

    async def unlock(self, door: int, *, before_ms: int | None = None) -> Answer:
        """Note who was unlocked."""
        self.unlocked.append((door, before_ms))
        return self._answer

    async def read_all(self) -> Mapping[int, DoorReading]:
        """Shut until it was unlocked."""
        self.looks += 1
        return {1: DoorReading(self._door if self.unlocked else Door.CLOSED, Item.NO)}


async def test_a_door_is_unlocked_and_what_it_did_is_recorded() -> None:
    """Given a parcel to put in, when it is scanned, then the lock is told in time and the open door is on record."""
    rig, board = installed(), OneDoor()
    source = at(rig, board)
    source.take(CodeEntered(COURIER))
    source.take(ParcelScanned("P1"))
    await until(lambda: bool(rig.facts("door-opened")))
    [(door, before_ms)] = board.unlocked
    assert door == 1
    assert before_ms is not None
    assert 0 < before_ms - rig.agent.state.openings[1].since_ms + 1_000 <= 11_000
    assert rig.words.startswith("Door 1 is open.")
    await source.stop()


async def test_doors_are_looked_at_again_and_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """Given a bank, when nobody is there, then doors are looked at now and then; with a courier there, four times."""
    rig, board, waits = installed(), OneDoor(), list[float]()
    source = at(rig, board)
    looked = asyncio.sleep

    async def wait(seconds: float) -> None:
        waits.append(seconds)
        if len(waits) == 2:
            source.take(CodeEntered(COURIER))
        if len(waits) == 4:
            raise EOFError
        await looked(0)

    monkeypatch.setattr(asyncio, "sleep", wait)
    with pytest.raises(EOFError):
        await source.look_for_ever()
    assert waits == [1.0, 1.0, 0.25, 0.25]
    assert board.looks == 4
    assert rig.agent.state.seen[1].settled == DoorReading(Door.CLOSED, Item.NO)


async def test_a_counter_looks_at_no_doors() -> None:
    """Given a counter, when it is to look, then it has nothing to look at, and that is soon done."""
    rig = installed(kind=SourceKind.COUNTER)
    source = at_work(rig)
    await asyncio.wait_for(source.look_for_ever(), PATIENCE_SECONDS)
    before = rig.agent.state
    await source.look()
    assert rig.agent.state is before


# --- time


async def test_time_passes_for_agent_and_session_once_a_second(lines: Lines, monkeypatch: pytest.MonkeyPatch) -> None:
    """Given a source at work, when it ticks, then the agent's clock goes on, a hub is dialled, and a second waited."""
    rig, waits = installed(), list[float]()
    source = at(rig)

    async def wait(seconds: float) -> None:
        waits.append(seconds)
        raise EOFError

    before = rig.agent.state.waking
    with monkeypatch.context() as quick:
        quick.setattr(asyncio, "sleep", wait)
        with pytest.raises(EOFError):
            await source.tick_for_ever()
    assert waits == [1.0]
    assert rig.agent.state.waking != before
    await lines.next()
    await source.stop()


async def test_old_entries_are_trimmed_once_an_hour(monkeypatch: pytest.MonkeyPatch) -> None:
    """Given a source at work, when an hour has passed, then what is old is forgotten, and an hour later again."""
    rig, at_seconds, trims = installed(), [1_000.0], list[int]()
    monkeypatch.setattr(time, "monotonic", lambda: at_seconds[0])
    monkeypatch.setattr(rig.book, "trim", lambda days, _now: trims.append(days), raising=False)
    source = Running(rig.agent, cast("Book", rig.book), board=None, where=lambda: ("", None))
    source._sync = sync.Resting(1 << 60)
    for seconds, count in ((3_600, 0), (3_601, 1), (3_602, 1), (7_202, 2)):
        at_seconds[0] = 1_000.0 + seconds
        source.tick()
        assert len(trims) == count, seconds
    assert trims == [30, 30]


def test_a_demo_has_a_wall_clock_of_its_own() -> None:
    """Given a wall clock that runs a thousand times faster since a moment long ago, then it is far ahead of that."""
    since = START
    assert Wall(since, 1.0).now() < Wall(since, 1_000.0).now()
    rig = installed()
    slow, quick = (Running(rig.agent, cast("Book", rig.book), board=None, where=lambda: ("", None), wall=wall).now()
                   for wall in (None, Wall(since, 60.0)))  # fmt: skip
    assert (slow.pace, quick.pace) == (1.0, 60.0)
    assert quick.wall > slow.wall


# --- a book that cannot be written


def full(rig: Rig, monkeypatch: pytest.MonkeyPatch, fault: Exception | None = None) -> None:
    """No step can be kept from now on."""
    monkeypatch.setattr(rig.book, "step", lambda: (_ for _ in ()).throw(fault or BookFull()))


async def test_a_full_book_puts_the_source_out_of_service_and_hangs_up(
    lines: Lines, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Given a session, when a fact cannot be written, then the screen says so, the line ends and the hub is unheard."""
    rig = installed()
    source = at(rig)
    line, _ = await greeted(source, lines)
    line.say(welcome(3))
    await until(lambda: rig.agent.state.online)
    shown = source.screen_number
    with monkeypatch.context() as space:
        full(rig, space)
        source.take(CodeEntered("00000000"))
        assert (source.screen, source.screen_number, source.acknowledged) == (OUT_OF_SERVICE, shown + 1, 0)
        assert caplog.messages == ["out-of-service"]
        generation = rig.generation
        rig.generation += 1
        line.say(sign(rig.manifest(), KEY))
        await asyncio.wait_for(line.is_closed.wait(), PATIENCE_SECONDS)
        source.tick()
        assert source.screen == OUT_OF_SERVICE, "it was tried, and still there is no space"
    source.tick()
    assert source.screen != OUT_OF_SERVICE
    assert source.screen_number >= shown + 2
    assert rig.agent.state.manifest is not None
    assert rig.agent.state.manifest.manifest.generation == generation
    await source.stop()


def stages(rig: Rig) -> list[Stage]:
    """How far the openings are."""
    return [opening.stage for opening in rig.agent.state.openings.values()]


async def test_what_doors_did_waits_for_the_book_and_people_do_not(monkeypatch: pytest.MonkeyPatch) -> None:
    """Given a full book, when a verdict, a look and a code come, then the verdict alone is made up for later."""
    rig = installed()
    rig.code(COURIER)
    monkeypatch.setattr(rig, "_unlock", lambda _effect: None)
    rig.scan(1)
    source = at_work(rig)
    source.boot = rig.boot
    source._sync = sync.Resting(1 << 60)
    with monkeypatch.context() as space:
        full(rig, space)
        source.take(OpeningEnded(1, Unknown(Evidence.NONE)))
        source.take(DoorsSeen({1: DoorReading(Door.OPEN)}))
        source.take(CodeEntered("00000000"))
        assert stages(rig) == [Stage.PULSED]
    source.tick()
    assert stages(rig) == [Stage.DOUBTFUL]
    assert rig.facts("code-refused") == []
    assert rig.book.kept["written"] == str(rig.boot).encode()


async def test_a_book_that_fails_while_the_hub_is_heard_ends_the_line(
    lines: Lines, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Given a session, when an acknowledgement cannot be kept, then out of service, and nothing breaks."""
    rig = installed()
    source = at(rig)
    line, hello = await greeted(source, lines)
    line.say(welcome(1))
    await sent(line)
    full(rig, monkeypatch)
    line.say(wire.Ack(1, 2, hello.last_hash, 1))
    await asyncio.wait_for(line.is_closed.wait(), PATIENCE_SECONDS)
    assert source.screen == OUT_OF_SERVICE
    await source.stop()


async def test_a_disk_that_fails_while_old_entries_go_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """Given a disk that fails, when old entries are to go, then the source is out of service."""
    rig = installed()
    source = at_work(rig)

    def fail(_days: int, _now: object) -> int:
        raise BookUnreadable

    monkeypatch.setattr(rig.book, "trim", fail, raising=False)
    source.trim()
    assert isinstance(source.fault, BookUnreadable)


# --- the screen and the end


async def test_who_watches_the_screen_is_told_when_it_changes() -> None:
    """Given somebody who watches, when the screen changes, then it is told at once; and of the past without a wait."""
    rig = installed()
    source = at_work(rig)
    watching = asyncio.create_task(source.screen_after(source.screen_number, seconds=3_600))
    await asyncio.sleep(0)
    assert not watching.done()
    source.take(CodeEntered("nothing"))
    await asyncio.wait_for(watching, PATIENCE_SECONDS)
    assert source.screen_number == 1
    await asyncio.wait_for(source.screen_after(0, seconds=3_600), PATIENCE_SECONDS)
    await asyncio.wait_for(source.screen_after(1, seconds=0.0), PATIENCE_SECONDS)


async def test_the_hub_hears_only_of_a_journal_that_grew(monkeypatch: pytest.MonkeyPatch) -> None:
    """Given a step that writes no fact, then the session is told nothing; given one that does, then its new end."""
    rig = installed()
    source, told = at_work(rig), list[object]()
    monkeypatch.setattr(source, "_step", told.append)
    source.take(Ticked())
    assert told == []
    source.take(ForkTold())
    assert told == []
    source.take(CodeEntered("00000000"))
    source.take(Ticked())
    assert told == [sync.JournalGrew(rig.book.head)]


async def test_the_end_ends_all_that_is_under_way(lines: Lines) -> None:
    """Given a line and a door that is dealt with, when the program stops, then both have ended."""
    rig, board = installed(), OneDoor(answer=NoAck(), door=Door.UNKNOWN)
    source = at(rig, board)
    await greeted(source, lines)
    source.take(CodeEntered(COURIER))
    source.take(ParcelScanned("P1"))
    await until(lambda: board.looks > 0)
    under_way = tuple(source._tasks)
    assert len(under_way) == 2
    await source.stop()
    assert all(task.done() for task in under_way)
    assert source._tasks == set()


async def test_a_bug_in_what_runs_beside_is_told_and_an_end_is_not(caplog: pytest.LogCaptureFixture) -> None:
    """Given a task that breaks, one that ends and one that is ended, then the log has the first alone."""
    source = at_work(installed())

    async def breaks() -> None:
        raise ZeroDivisionError

    async def ends() -> None:
        await asyncio.sleep(0)

    async def goes_on() -> None:
        await asyncio.Event().wait()

    for work in (breaks(), ends(), goes_on()):
        source._spawn(work)
    await until(lambda: len(source._tasks) == 1)
    await source.stop()
    assert [(record.getMessage(), record.levelname) for record in caplog.records] == [("bug", "CRITICAL")]


async def test_what_a_session_does_is_a_moment_each(lines: Lines, tmp_path: Path) -> None:
    """Given a proof that takes notes, when a session passes, then sending, keeping and trying are noted."""
    (tmp_path / moments.NOTES_FILE).touch()
    moments.arm({moments.VARIABLE: moments.NOWHERE}, tmp_path)
    try:
        rig = installed()
        with rig.book.step() as step:
            assert step.acknowledge(rig.book.head) is None
        source = at(rig)
        line, hello = await greeted(source, lines)
        line.say(welcome(2))
        await sent(line)
        line.say(wire.Ack(1, 2, hello.last_hash, 1))
        await until(lambda: source.acknowledged == 2)
        source.take(CodeEntered("nothing"))
        source._try_the_book()
        await source.stop()
        [found] = moments.noted(tmp_path)
    finally:
        moments.disarm()
    for deed in ("sending", "resending", "acknowledged", "try"):
        at_deed = [moment.value.partition("-")[0] for moment in found if moment.value.endswith(f"-{deed}")]
        assert at_deed[:2] == ["before", "after"], deed
    assert moments.Moment.BEFORE_SCREEN in found
