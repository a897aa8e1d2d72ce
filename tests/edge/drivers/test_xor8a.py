"""What the 8A/80 driver makes of status bits, of several boards, and of a line that is not there."""

import asyncio
import logging
import os
import pty
from pathlib import Path

import pytest

from restante.edge.boards.emulated import LiveBoard
from restante.edge.boards.steel import Deed, board_of
from restante.edge.boards.xor8a import PtyXor8aBoard, WireKnobs
from restante.edge.drivers.port import Accepted, Door, NoAck
from restante.edge.drivers.xor8a import ByteOrder, Feedback, Xor8aDriver, XorBoard, XorBus, doors_in, doors_of
from restante.edge.drivers.xor8a_frames import QUERY, QUERY_MARK, OpenOne, sealed

C, O, U = Door.CLOSED, Door.OPEN, Door.UNKNOWN  # noqa: E741  # one letter a reading keeps the rows readable


@pytest.mark.parametrize(
    ("status", "feedback", "order", "doors"),
    [
        ("01 02", Feedback.OPENING, ByteOrder.MSB_FIRST, {2: O, 9: O}),
        ("01 02", Feedback.OPENING, ByteOrder.LSB_FIRST, {1: O, 10: O}),
        ("FE FF", Feedback.CLOSING, ByteOrder.LSB_FIRST, {1: O}),
        ("FF FE", Feedback.CLOSING, ByteOrder.MSB_FIRST, {1: O}),
    ],
)
def test_bits_become_doors(status: str, feedback: Feedback, order: ByteOrder, doors: dict[int, Door]) -> None:
    """Given status bytes and the settings learned at commissioning, then exactly these doors are open."""
    board = XorBoard(address=1, locks=16, status_bytes=2, feedback=feedback, byte_order=order)
    seen = dict(enumerate(doors_in(bytes.fromhex(status), board), 1))
    assert seen == {door: doors.get(door, C) for door in range(1, 17)}


@pytest.mark.parametrize("status", ["", "FF", "FF FF FF"])
def test_a_reply_of_the_wrong_length_tells_nothing(status: str) -> None:
    """Given fewer or more status bytes than learned, then every door is unknown and none is closed."""
    board = XorBoard(address=1, locks=12, status_bytes=2)
    assert list(doors_in(bytes.fromhex(status), board)) == [U] * 12


def test_locks_beyond_the_status_bits_are_unknown() -> None:
    """Given ten locks and one status byte, then the last two are unknown, never closed."""
    board = XorBoard(address=1, locks=10, status_bytes=1)
    assert list(doors_in(b"\xff", board)) == [C] * 8 + [U] * 2


def test_doors_are_numbered_through_the_boards() -> None:
    """Given two boards of two locks, then door 3 is the first lock of the second."""
    boards = (XorBoard(address=4, locks=2, status_bytes=1), XorBoard(address=2, locks=2, status_bytes=1))
    assert doors_of(boards) == {1: OpenOne(4, 1), 2: OpenOne(4, 2), 3: OpenOne(2, 1), 4: OpenOne(2, 2)}


async def test_one_dead_board_does_not_blind_the_others() -> None:
    """Given a bus whose first board is dead, when all doors are read, then its doors alone are unknown."""
    dead = XorBoard(address=1, locks=2, status_bytes=1)
    alive = XorBoard(address=2, locks=2, status_bytes=1)
    far_end = PtyXor8aBoard(LiveBoard(board_of(2)), alive)
    far_end.live.touch(1, Deed.FORCE)
    bus = XorBus(path=far_end.path, boards=(dead, alive), answer_ms=250, silence_ms=5, quiet_ms=20)
    driver = Xor8aDriver(bus)
    assert [reading.door for reading in (await driver.read_all()).values()] == [U, U, O, C]
    assert await driver.unlock(4) == Accepted()
    await driver.close()
    far_end.close()


async def test_a_line_that_is_not_there_is_said_so_and_tried_again(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Given no device, when asked, then doors are unknown and the log says why; given one later, then it is used."""
    path = tmp_path / "line"
    wiring = XorBoard(address=1, locks=1, status_bytes=1)
    driver = Xor8aDriver(XorBus(path=str(path), boards=(wiring,), answer_ms=250, silence_ms=5, quiet_ms=20))
    with caplog.at_level(logging.WARNING):
        assert await driver.unlock(1) == NoAck()
        assert (await driver.read_all())[1].door is U
    assert any("No such file" in vars(record).get("fault", "") for record in caplog.records)
    assert {vars(record)["path"] for record in caplog.records} == {str(path)}
    far_end = PtyXor8aBoard(LiveBoard(board_of(1)), wiring)
    path.symlink_to(far_end.path)
    assert (await driver.read_all())[1].door is C
    await driver.close()
    far_end.close()


async def test_a_line_is_left_quiet_as_long_as_was_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """Given a line that was just opened, when a question is to go out, then first what may still arrive arrives."""
    wiring = XorBoard(address=1, locks=1, status_bytes=1)
    far_end = PtyXor8aBoard(LiveBoard(board_of(1)), wiring)
    driver = Xor8aDriver(XorBus(path=far_end.path, boards=(wiring,), quiet_ms=300))
    slept, sleep = list[float](), asyncio.sleep

    async def at_once(seconds: float) -> None:
        slept.append(seconds)
        await sleep(0)

    with monkeypatch.context() as hurried:
        hurried.setattr(asyncio, "sleep", at_once)
        await driver.read_all()
    assert slept[0] == 0.3
    await driver.close()
    far_end.close()


async def test_a_line_that_is_no_terminal_is_refused(tmp_path: Path) -> None:
    """Given a plain file for a serial line, when asked, then nothing is written to it and the answer is NoAck."""
    path = tmp_path / "line"
    path.touch()
    wiring = XorBoard(address=1, locks=1, status_bytes=1)
    driver = Xor8aDriver(XorBus(path=str(path), boards=(wiring,)))
    assert await driver.unlock(1) == NoAck()
    assert path.read_bytes() == b""


async def test_a_cable_pulled_while_idle_is_noticed(caplog: pytest.LogCaptureFixture) -> None:
    """Given a working line, when the far end vanishes, then the next answers are NoAck and unknown."""
    wiring = XorBoard(address=1, locks=1, status_bytes=1)
    far_end = PtyXor8aBoard(LiveBoard(board_of(1)), wiring)
    driver = Xor8aDriver(XorBus(path=far_end.path, boards=(wiring,), answer_ms=250, silence_ms=5, quiet_ms=20))
    assert (await driver.read_all())[1].door is C
    far_end.close()
    assert (await driver.read_all())[1].door is U
    assert await driver.unlock(1) == NoAck()
    await driver.close()


async def test_a_cable_pulled_in_mid_question_is_no_answer() -> None:
    """Given a question on the wire, when the far end vanishes, then the doors are unknown."""
    wiring = XorBoard(address=1, locks=1, status_bytes=1)
    far_end = PtyXor8aBoard(LiveBoard(board_of(1)), wiring)
    far_end.wire = WireKnobs(loses_requests=True)
    driver = Xor8aDriver(XorBus(path=far_end.path, boards=(wiring,), answer_ms=250, silence_ms=5, quiet_ms=20))
    reading = asyncio.ensure_future(driver.read_all())
    async with asyncio.timeout(5):
        while not far_end.heard:  # noqa: ASYNC110  # the board is watched, not told to tell
            await asyncio.sleep(0)
    far_end.close()
    assert (await reading)[1].door is U
    await driver.close()


async def test_an_answer_of_another_board_is_none() -> None:
    """Given a question to board 1, when board 2 answers, then nothing is known of board 1."""
    far, near = pty.openpty()
    loop = asyncio.get_running_loop()

    def answer_for_another() -> None:
        os.read(far, 99)
        os.write(far, sealed(QUERY, 2, 0xFF, QUERY_MARK))

    loop.add_reader(far, answer_for_another)
    wiring = XorBoard(address=1, locks=1, status_bytes=1)
    bus = XorBus(path=os.ttyname(near), boards=(wiring,), answer_ms=100, silence_ms=5, quiet_ms=20)
    driver = Xor8aDriver(bus)
    assert (await driver.read_all())[1].door is U
    loop.remove_reader(far)
    await driver.close()
    os.close(far)
    os.close(near)
