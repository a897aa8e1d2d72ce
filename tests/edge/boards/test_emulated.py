"""What is particular to the board in this process: late replies, and doors that spring open on a clock."""

import asyncio

from restante.edge.boards.emulated import EmulatedBoard, LiveBoard
from restante.edge.boards.steel import Deed, Knobs, Unlock, board_of
from restante.edge.drivers.bus import Clock
from restante.edge.drivers.port import UNSEEN, Accepted, Door, DoorChanged, DoorReading, Item, NoAck

OPEN_EMPTY = DoorReading(Door.OPEN, Item.NO)


async def test_a_reply_that_comes_too_late_counts_as_none() -> None:
    """Given a board that answers after a second, when asked, then NoAck and unknown, although the door does open."""
    now_ms = 0

    async def leap(duration_ms: int) -> None:
        nonlocal now_ms
        now_ms += duration_ms

    clock = Clock(lambda: now_ms, leap)
    live = LiveBoard(board_of(1), clock)
    driver = EmulatedBoard(live, clock=clock)
    live.put(Knobs(reply_delay_ms=1_000))
    assert await driver.unlock(1) == NoAck()
    assert await driver.read_all() == {1: UNSEEN}
    live.put(Knobs(reply_delay_ms=500))
    assert await driver.read_all() == {1: UNSEEN}
    live.put(Knobs(reply_delay_ms=499))
    assert await driver.read_all() == {1: OPEN_EMPTY}
    live.touch(1, Deed.PUT)
    assert await driver.read_all() == {1: DoorReading(Door.OPEN, Item.YES)}
    await driver.close()


async def test_a_door_springs_open_by_itself_in_real_time() -> None:
    """Given a listener and nobody who asks, when a door is unlocked, then the listener hears it spring open."""
    live = LiveBoard(board_of(2))
    live.put(Knobs(opening_ms=5))
    driver = EmulatedBoard(live)
    heard: asyncio.Queue[DoorChanged] = asyncio.Queue()
    driver.changes(heard.put_nowait)
    assert await driver.unlock(2) == Accepted()
    assert await asyncio.wait_for(heard.get(), 5) == DoorChanged(2, OPEN_EMPTY)
    await driver.close()


async def test_two_doors_spring_open_each_in_its_time() -> None:
    """Given one door about to spring, when another is unlocked meanwhile, then both open, one after the other."""
    now_ms, waits = 0, asyncio.Queue[tuple[int, asyncio.Event]]()

    async def wait(duration_ms: int) -> None:
        over = asyncio.Event()
        waits.put_nowait((duration_ms, over))
        await over.wait()

    live = LiveBoard(board_of(2), Clock(lambda: now_ms, wait))
    heard = list[int]()
    live.listeners.add(lambda change: heard.append(change.door))
    live.put(Unlock(1))
    first_ms, first = await asyncio.wait_for(waits.get(), 5)
    now_ms = 50
    live.put(Unlock(2))
    await asyncio.sleep(0)
    assert (first_ms, waits.empty()) == (120, True), "one alarm at a time"
    now_ms = 120
    first.set()
    second_ms, second = await asyncio.wait_for(waits.get(), 5)
    assert (heard, second_ms) == ([1], 50)
    now_ms = 170
    second.set()
    async with asyncio.timeout(5):
        while heard != [1, 2]:  # noqa: ASYNC110  # the board is watched, not told to tell
            await asyncio.sleep(0)
    live.close()


async def test_a_door_whose_time_has_passed_springs_open_at_once() -> None:
    """Given a loop that comes late to a door about to spring, when it comes, then it waits for nothing more."""
    now_ms, waited = 0, list[int]()

    async def wait(duration_ms: int) -> None:
        waited.append(duration_ms)

    live = LiveBoard(board_of(1), Clock(lambda: now_ms, wait))
    heard: asyncio.Queue[DoorChanged] = asyncio.Queue()
    live.listeners.add(heard.put_nowait)
    live.put(Unlock(1))
    now_ms = 1_000
    assert await asyncio.wait_for(heard.get(), 5) == DoorChanged(1, OPEN_EMPTY)
    assert waited == [0]
    live.close()


async def test_a_board_that_is_closed_springs_no_more() -> None:
    """Given a door about to spring, when the board is closed, then its clockwork ends, and once more does no harm."""
    ended = asyncio.Event()

    async def wait(_duration_ms: int) -> None:
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()

    live = LiveBoard(board_of(1), Clock(lambda: 0, wait))
    live.put(Unlock(1))
    await asyncio.sleep(0)
    live.close()
    live.close()
    await asyncio.wait_for(ended.wait(), 5)
