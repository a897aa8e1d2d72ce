"""The 8A/80 driver over a bad line: a real pseudo-terminal with noise, splits, flips, losses and lateness."""

import asyncio
import os
from collections.abc import AsyncIterator

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from restante.edge.boards.emulated import LiveBoard
from restante.edge.boards.steel import Deed, board_of
from restante.edge.boards.xor8a import PtyXor8aBoard, WireKnobs, mangled, requests_in
from restante.edge.drivers.port import Accepted, Door, NoAck
from restante.edge.drivers.xor8a import Xor8aDriver, XorBoard, XorBus
from restante.edge.drivers.xor8a_frames import OpenOne, QueryAll, encode

WIRING = XorBoard(address=1, locks=8, status_bytes=3)


@pytest.fixture
async def far_end() -> AsyncIterator[PtyXor8aBoard]:
    """An eight-door board on a pseudo-terminal."""
    board = PtyXor8aBoard(LiveBoard(board_of(8)), WIRING)
    yield board
    board.close()


@pytest.fixture
async def driver(far_end: PtyXor8aBoard) -> AsyncIterator[Xor8aDriver]:
    """A driver at the near end, in real time with short limits."""
    driver = Xor8aDriver(bus_to(far_end))
    yield driver
    await driver.close()


@pytest.fixture
async def patient_driver(far_end: PtyXor8aBoard) -> AsyncIterator[Xor8aDriver]:
    """A driver that takes a pause within a frame for one even on a machine that stops for a while."""
    driver = Xor8aDriver(msgspec.structs.replace(bus_to(far_end), answer_ms=1_000, silence_ms=200))
    yield driver
    await driver.close()


def bus_to(far_end: PtyXor8aBoard) -> XorBus:
    """The line to this board."""
    return XorBus(path=far_end.path, boards=(WIRING,), answer_ms=250, silence_ms=10, quiet_ms=300)


async def doors(driver: Xor8aDriver) -> set[Door]:
    """What the doors read, taken together."""
    return {reading.door for reading in (await driver.read_all()).values()}


@pytest.mark.parametrize(
    "wire",
    [
        WireKnobs(noise=b"\x00\xff\x55"),
        WireKnobs(noise=b"\x8a\x80\x82"),
        WireKnobs(is_split=True),
        WireKnobs(is_doubled=True),
        WireKnobs(late_ms=20),
        WireKnobs(noise=b"\x80\x01", is_split=True, is_doubled=True),
    ],
)
async def test_a_rough_line_is_understood(far_end: PtyXor8aBoard, patient_driver: Xor8aDriver, wire: WireKnobs) -> None:
    """Given noise, splits, doubles or a slow board, when asked, then the answers are right."""
    far_end.wire = wire
    assert await doors(patient_driver) == {Door.CLOSED}
    assert await patient_driver.unlock(3) == Accepted()
    far_end.live.touch(3, Deed.PULL)
    assert [door for door, reading in (await patient_driver.read_all()).items() if reading.door is Door.OPEN] == [3]


@pytest.mark.parametrize("wire", [WireKnobs(loses_requests=True), *(WireKnobs(flipped_bit=bit) for bit in (3, 17, 39))])
async def test_a_broken_line_is_never_guessed_at(far_end: PtyXor8aBoard, driver: Xor8aDriver, wire: WireKnobs) -> None:
    """Given lost requests or flipped bits, when asked, then NoAck and unknown; a mended line works at once."""
    far_end.wire = wire
    assert await driver.unlock(1) == NoAck()
    assert await doors(driver) == {Door.UNKNOWN}
    far_end.wire = WireKnobs()
    far_end.live.touch(1, Deed.FORCE, Deed.PUSH)
    assert await doors(driver) == {Door.CLOSED}


async def test_a_late_reply_never_answers_the_next_question(far_end: PtyXor8aBoard, driver: Xor8aDriver) -> None:
    """Given a reply that says "closed" too late, when the door is open at the next question, then it reads open."""
    assert await doors(driver) == {Door.CLOSED}
    far_end.wire = WireKnobs(late_ms=330)
    assert await doors(driver) == {Door.UNKNOWN}
    far_end.wire = WireKnobs(late_ms=150)
    for door in range(1, 9):
        far_end.live.touch(door, Deed.FORCE)
    assert await doors(driver) == {Door.OPEN}


async def test_nothing_the_driver_sends_opens_more_than_one_door(far_end: PtyXor8aBoard, driver: Xor8aDriver) -> None:
    """Given every call of the port with good and bad doors, then each frame on the wire opens one lock or only asks."""
    for door in (-1, 0, 1, 8, 9, 256):
        await driver.unlock(door)
    await driver.read_all()
    assert list(far_end.heard) == [encode(OpenOne(1, 1)), encode(OpenOne(1, 8)), encode(QueryAll(1))]


async def test_the_board_ignores_what_is_not_for_it(far_end: PtyXor8aBoard) -> None:
    """Given frames for a neighbour, when they come, then no door moves and nobody answers."""
    neighbour = XorBoard(address=2, locks=8, status_bytes=3)
    bus = XorBus(path=far_end.path, boards=(neighbour,), answer_ms=40, silence_ms=10, quiet_ms=20)
    driver = Xor8aDriver(bus)
    assert await driver.unlock(1) == NoAck()
    assert await doors(driver) == {Door.UNKNOWN}
    assert far_end.live.board == board_of(8)
    await driver.close()


@pytest.mark.parametrize("frame", ["8A 01 00 11 9A", "8A 01 09 11 92", "90 01 02 02 02 93", "8A 01 01 33 B9"])
async def test_the_board_obeys_no_frame_we_never_send(far_end: PtyXor8aBoard, frame: str) -> None:
    """Given open-all, a lock beyond the board, open-several or a variant, when it comes, then no door moves."""
    line = os.open(far_end.path, os.O_WRONLY | os.O_NOCTTY)
    os.write(line, bytes.fromhex(frame) + encode(QueryAll(1)))
    os.close(line)
    async with asyncio.timeout(5):
        while encode(QueryAll(1)) not in far_end.heard:  # noqa: ASYNC110  # the board is watched, not told to tell
            await asyncio.sleep(0)
    assert far_end.live.board == board_of(8)


@given(st.binary(max_size=60))
def test_any_bytes_towards_the_board_leave_less_than_a_frame(data: bytes) -> None:
    """For any bytes: no exception, and fewer than five are kept."""
    rest, _ = requests_in(data)
    assert len(rest) < 5
    assert requests_in(data + bytes(5) + encode(QueryAll(1)))[1][-1] == encode(QueryAll(1))


@given(st.binary(min_size=1, max_size=11), st.integers(0, 200))
def test_a_flip_changes_exactly_one_bit(reply: bytes, bit: int) -> None:
    """For any reply: a flipped bit is one bit, and without knobs nothing changes."""
    flipped = mangled(reply, WireKnobs(flipped_bit=bit))
    assert (int.from_bytes(flipped, "big") ^ int.from_bytes(reply, "big")).bit_count() == 1
    assert mangled(reply, WireKnobs()) == reply


def test_only_a_sound_request_counts() -> None:
    """Given a request with a wrong check, or one that is sound and no request, then it is passed over byte by byte."""
    sound = encode(QueryAll(1))
    broken = sound[:-1] + bytes((sound[-1] ^ 1,))
    other = b"\x11\x11\x00\x00\x00"
    assert requests_in(broken + sound) == (b"", (sound,))
    assert requests_in(other + sound) == (b"", (sound,))
    assert requests_in(sound + sound[:3]) == (sound[:3], (sound,))
