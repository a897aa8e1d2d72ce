"""One suite for the lock board port, run against every implementation: in process, and over a real pseudo-terminal."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from msgspec import Struct

from restante.edge.boards.emulated import EmulatedBoard, LiveBoard
from restante.edge.boards.steel import Board, Deed, Knobs, Open, board_of
from restante.edge.boards.xor8a import PtyXor8aBoard
from restante.edge.drivers.bus import Clock
from restante.edge.drivers.evidence import NoChange, NotPulsed, Opened
from restante.edge.drivers.opening import open_door
from restante.edge.drivers.port import Accepted, Door, DoorChanged, LockBoard, NoAck, Rejected
from restante.edge.drivers.xor8a import ByteOrder, Feedback, Xor8aDriver, XorBoard, XorBus

DOORS = 12


class LeapingTime:
    """A clock on which every sleep is over at once and leaps ahead by its length."""

    def __init__(self) -> None:
        self.now_ms = 0
        self.clock = Clock(lambda: self.now_ms, self._sleep_ms)

    async def _sleep_ms(self, duration_ms: int) -> None:
        await asyncio.sleep(0)
        self.now_ms += duration_ms


class Bench(Struct):
    """A driver, the steel behind it, and their common clock."""

    driver: LockBoard
    steel: LiveBoard
    time: LeapingTime


XOR_WIRINGS = [
    XorBoard(address=1, locks=DOORS, status_bytes=3),
    XorBoard(address=31, locks=DOORS, status_bytes=2, feedback=Feedback.OPENING, byte_order=ByteOrder.LSB_FIRST),
]


@pytest.fixture(params=["emulated", *XOR_WIRINGS], ids=["emulated", "xor8a-closing-msb", "xor8a-opening-lsb"])
async def bench(request: pytest.FixtureRequest) -> AsyncIterator[Bench]:
    """Every implementation of the port in turn."""
    time = LeapingTime()
    steel = LiveBoard(board_of(DOORS), time.clock)
    if request.param == "emulated":
        emulated = EmulatedBoard(steel, clock=time.clock)
        yield Bench(emulated, steel, time)
        await emulated.close()
    else:
        far_end = PtyXor8aBoard(steel, request.param)
        bus = XorBus(path=far_end.path, boards=(request.param,), answer_ms=250, silence_ms=5, quiet_ms=20)
        driver = Xor8aDriver(bus, clock=time.clock)
        yield Bench(driver, steel, time)
        await driver.close()
        far_end.close()


def open_doors(board: Board) -> set[int]:
    """The doors that really stand open."""
    return {door for door, lock in enumerate(board.locks, 1) if isinstance(lock.leaf, Open)}


async def test_every_door_is_read(bench: Bench) -> None:
    """Given two open doors, when all are read, then exactly those read open and every door is named."""
    bench.steel.touch(1, Deed.FORCE)
    bench.steel.touch(11, Deed.FORCE)
    readings = await bench.driver.read_all()
    assert {door: reading.door for door, reading in readings.items()} == {
        door: Door.OPEN if door in (1, 11) else Door.CLOSED for door in range(1, DOORS + 1)
    }


@pytest.mark.parametrize("door", [1, 8, 9, 12])
async def test_the_right_door_opens_and_no_other(bench: Bench, door: int) -> None:
    """Given closed doors, when one is opened, then that one alone is open and the verdict rests on its sensor."""
    deadline_ms = bench.time.now_ms + 10_000
    verdict = await open_door(bench.driver, door, deadline_ms=deadline_ms, clock=bench.time.clock)
    assert verdict == Opened()
    assert open_doors(bench.steel.board) == {door}


async def test_an_acknowledgement_is_not_an_open_door(bench: Bench) -> None:
    """Given a jammed lock, when it is unlocked, then the board accepts but the verdict is that nothing moved."""
    bench.steel.touch(3, Deed.JAM)
    assert await bench.driver.unlock(3) == Accepted()
    verdict = await open_door(bench.driver, 3, deadline_ms=bench.time.now_ms + 10_000, clock=bench.time.clock)
    assert verdict == NoChange()
    assert open_doors(bench.steel.board) == set()


async def test_a_silent_board_gives_no_ack_and_unknown_doors(bench: Bench) -> None:
    """Given a board without power, when asked, then unlock is NoAck, every door is unknown, and power heals it."""
    bench.steel.put(Knobs(powered=False))
    assert await bench.driver.unlock(1) == NoAck()
    assert {reading.door for reading in (await bench.driver.read_all()).values()} == {Door.UNKNOWN}
    bench.steel.put(Knobs())
    assert {reading.door for reading in (await bench.driver.read_all()).values()} == {Door.CLOSED}
    assert open_doors(bench.steel.board) == set()


async def test_a_board_that_obeys_without_a_word_is_believed_by_its_sensor(bench: Bench) -> None:
    """Given a board that never acknowledges, when a door is opened, then the sensor is evidence enough."""
    bench.steel.put(Knobs(acknowledges=False))
    assert await open_door(bench.driver, 5, deadline_ms=10_000, clock=bench.time.clock) == Opened()


@pytest.mark.parametrize("door", [-1, 0, DOORS + 1, 256])
async def test_a_door_that_is_not_there_is_rejected(bench: Bench, door: int) -> None:
    """Given twelve doors, when another number is unlocked, then it is rejected and nothing moves."""
    assert await bench.driver.unlock(door) == Rejected("unknown-door")
    assert open_doors(bench.steel.board) == set()


async def test_pulses_are_paced(bench: Bench) -> None:
    """Given four doors unlocked at once, when all are accepted, then at least three gaps of 700 ms went by."""
    answers = await asyncio.gather(*(bench.driver.unlock(door) for door in (1, 2, 3, 4)))
    assert answers == [Accepted()] * 4
    assert bench.time.now_ms >= 3 * 700


async def test_a_lock_is_not_hammered(bench: Bench) -> None:
    """Given two pulses on one lock, when a third follows within five seconds, then it is told how long to wait."""
    bench.steel.touch(2, Deed.JAM)
    assert [await bench.driver.unlock(2), await bench.driver.unlock(2)] == [Accepted(), Accepted()]
    third = await bench.driver.unlock(2)
    assert isinstance(third, Rejected)
    assert third.code == "lock-cooling"
    bench.time.now_ms += third.retry_after_ms
    assert await bench.driver.unlock(2) == Accepted()


async def test_no_pulse_after_its_deadline(bench: Bench) -> None:
    """Given a gap that outlasts a deadline, when its turn comes, then the unlock is rejected and the door shut."""
    first, second = await asyncio.gather(
        bench.driver.unlock(1), bench.driver.unlock(2, before_ms=bench.time.now_ms + 600)
    )
    assert (first, second) == (Accepted(), Rejected("deadline-passed"))
    late = await open_door(bench.driver, 3, deadline_ms=bench.time.now_ms, clock=bench.time.clock)
    assert late == NotPulsed("deadline-passed")
    assert open_doors(bench.steel.board) <= {1}


async def test_a_cancelled_unlock_never_pulses(bench: Bench) -> None:
    """Given an unlock that waits for its turn, when its caller gives up, then that door is never pulsed."""
    first = asyncio.ensure_future(bench.driver.unlock(1))
    second = asyncio.ensure_future(bench.driver.unlock(2))
    await asyncio.sleep(0)
    second.cancel()
    assert await first == Accepted()
    assert await bench.driver.unlock(3) == Accepted()
    bench.time.now_ms += 10_000
    assert open_doors(bench.steel.board) == {1, 3}


async def test_a_person_at_a_door_is_heard_unasked(bench: Bench) -> None:
    """Given a listener, when a person shuts a door, then it hears so; when it stops listening, it hears no more."""
    await bench.driver.read_all()
    heard: asyncio.Queue[DoorChanged] = asyncio.Queue()
    forget = bench.driver.changes(heard.put_nowait)
    bench.steel.touch(9, Deed.FORCE, Deed.PUSH)
    changes = [await asyncio.wait_for(heard.get(), 5) for _ in range(2)]
    assert [(change.door, change.reading.door) for change in changes] == [(9, Door.OPEN), (9, Door.CLOSED)]
    forget()
    forget()
    bench.steel.touch(9, Deed.FORCE)
    await bench.driver.read_all()
    assert heard.empty()


async def test_a_closed_driver_moves_nothing(bench: Bench) -> None:
    """Given a closed driver, when asked, then it rejects unlocks and knows nothing of its doors."""
    await bench.driver.close()
    assert await bench.driver.unlock(1) == Rejected("bus-closed")
    assert {reading.door for reading in (await bench.driver.read_all()).values()} == {Door.UNKNOWN}


async def test_those_who_wait_are_told_when_the_driver_closes(bench: Bench) -> None:
    """Given an unlock waiting behind another, when the driver closes, then the waiting one is rejected."""
    first = asyncio.ensure_future(bench.driver.unlock(1))
    second = asyncio.ensure_future(bench.driver.unlock(2))
    await asyncio.sleep(0)
    await bench.driver.close()
    assert await second == Rejected("bus-closed")
    assert await first in (Accepted(), NoAck())
    assert 2 not in open_doors(bench.steel.board)
