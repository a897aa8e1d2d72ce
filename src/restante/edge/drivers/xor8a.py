"""The driver of 8A/80 XOR lock boards on one serial line.

A reply carries no number, so a late one looks just like the next one. After every question that was not answered in
time the port is closed, and opened again only with a quiet period in which whatever still arrives is thrown away.
"""

import asyncio
import logging
import termios
from collections.abc import Callable, Iterator, Mapping
from enum import StrEnum
from typing import Annotated, Literal

from msgspec import Meta, Struct

from restante.edge.drivers.bus import MONOTONIC, Bus, Clock, Listeners
from restante.edge.drivers.pacing import Pacing
from restante.edge.drivers.port import (
    UNSEEN,
    Accepted,
    Answer,
    Door,
    DoorChanged,
    DoorReading,
    Listener,
    NoAck,
    Rejected,
)
from restante.edge.drivers.serial_port import SerialPort
from restante.edge.drivers.xor8a_frames import (
    BOARD_MAX,
    LOCK_MAX,
    STATUS_BYTES_MAX,
    AllStatus,
    LockMoved,
    OpenAnswered,
    OpenOne,
    QueryAll,
    Reply,
    Request,
    encode,
    parse,
)

_log = logging.getLogger(__name__)


class Feedback(StrEnum):
    """How the lock's switch is wired, hence what a set bit means. Learned by opening one door and watching its bit."""

    CLOSING = "closing"
    OPENING = "opening"


class ByteOrder(StrEnum):
    """Whether locks 1-8 stand in the last status byte (most boards) or in the first."""

    MSB_FIRST = "msb_first"
    LSB_FIRST = "lsb_first"


class XorBoard(Struct, frozen=True, kw_only=True):
    """One board as found at commissioning. Public sources disagree on the last three, so none of them is guessed."""

    address: Annotated[int, Meta(ge=1, le=BOARD_MAX)]
    locks: Annotated[int, Meta(ge=1, le=LOCK_MAX)]
    status_bytes: Annotated[int, Meta(ge=1, le=STATUS_BYTES_MAX)]
    feedback: Feedback = Feedback.CLOSING
    byte_order: ByteOrder = ByteOrder.MSB_FIRST


class XorBus(Struct, frozen=True, kw_only=True):
    """One serial line. Doors are numbered through the boards in the order given here, from 1."""

    path: str
    boards: tuple[XorBoard, ...]
    baud: Literal[9600, 19200, 38400, 57600, 115200] = 9600
    answer_ms: Annotated[int, Meta(ge=20, le=2_000)] = 500
    silence_ms: Annotated[int, Meta(ge=5, le=200)] = 20
    quiet_ms: Annotated[int, Meta(ge=20, le=5_000)] = 300


def doors_of(boards: tuple[XorBoard, ...]) -> dict[int, OpenOne]:
    """Which lock of which board each door number means."""
    wires = (OpenOne(board.address, lock) for board in boards for lock in range(1, board.locks + 1))
    return dict(enumerate(wires, 1))


def door_of_bit(bit: bool, feedback: Feedback) -> Door:
    """What one status bit says."""
    return Door.CLOSED if bit == (feedback is Feedback.CLOSING) else Door.OPEN


def doors_in(status: bytes, board: XorBoard) -> Iterator[Door]:
    """Door 1, 2, … of a board from its status bytes; all unknown if their number is not the learned one.

    With locks 1-8 in the last byte a lost byte would shift every door by eight, so a wrong length tells nothing.
    """
    in_order = status[::-1] if board.byte_order is ByteOrder.MSB_FIRST else status
    bits = int.from_bytes(in_order, "little")
    for index in range(board.locks):
        is_present = len(status) == board.status_bytes and index < 8 * len(status)
        yield door_of_bit(bool(bits >> index & 1), board.feedback) if is_present else Door.UNKNOWN


class Xor8aDriver:
    """The driver port in front of a serial line; the port opens with the first question."""

    def __init__(self, bus: XorBus, *, pacing: Pacing | None = None, clock: Clock = MONOTONIC) -> None:
        assert len({board.address for board in bus.boards}) == len(bus.boards), "two boards with one address"
        self._settings = bus
        self._doors = doors_of(bus.boards)
        self._bus = Bus(pacing or Pacing(), clock)
        self._wire = _Wire(bus, self._moved)
        self._listeners = Listeners()

    async def unlock(self, door: int, *, before_ms: int | None = None) -> Answer:
        """See `LockBoard.unlock`."""
        request = self._doors.get(door)
        if request is None:
            return Rejected("unknown-door")
        async with self._bus.unlock_turn(door, before_ms) as rejected:
            if rejected is not None:
                return rejected
            return NoAck() if await self._wire.exchange(request) is None else Accepted()

    async def read_all(self) -> Mapping[int, DoorReading]:
        """See `LockBoard.read_all`. Each board is a turn of its own: an unlock never waits for a whole round."""
        readings = [reading for board in self._settings.boards for reading in await self._read(board)]
        return dict(enumerate(readings, 1))

    def changes(self, listener: Listener) -> Callable[[], None]:
        """See `LockBoard.changes`."""
        return self._listeners.add(listener)

    async def close(self) -> None:
        """See `LockBoard.close`."""
        self._bus.close()
        self._wire.drop()

    async def _read(self, board: XorBoard) -> list[DoorReading]:
        async with self._bus.poll_turn() as rejected:
            reply = None if rejected else await self._wire.exchange(QueryAll(board.address))
        if not isinstance(reply, AllStatus):
            return [UNSEEN] * board.locks
        return [DoorReading(door) for door in doors_in(reply.status, board)]

    def _moved(self, moved: LockMoved) -> None:
        feedback = {board.address: board.feedback for board in self._settings.boards}
        for door, wire in self._doors.items():
            if (wire.board, wire.lock) == (moved.board, moved.lock):
                reading = DoorReading(door_of_bit(bool(moved.status), feedback[moved.board]))
                self._listeners.tell(DoorChanged(door, reading))


class _Wire:
    """One question at a time over one serial port that is dropped whenever it disappoints."""

    def __init__(self, settings: XorBus, on_moved: Callable[[LockMoved], None]) -> None:
        self._settings = settings
        self._on_moved = on_moved
        self._port: SerialPort | None = None
        self._buffer = b""
        self._silence: asyncio.TimerHandle | None = None
        self._asked: Request | None = None
        self._reply: Reply | None = None
        self._answered = asyncio.Event()

    async def exchange(self, request: Request) -> Reply | None:
        """Send `request` and wait for its own reply and the silence after it; None if there was none."""
        reply = None
        try:
            port = self._port or await self._open()
            self._asked, self._reply = request, None
            self._answered.clear()
            port.write(encode(request))
            async with asyncio.timeout(self._settings.answer_ms / 1000):
                await self._answered.wait()
            reply = self._reply
        except TimeoutError:
            _log.info("board-silent", extra={"asked": type(request).__name__})
        except (OSError, termios.error) as fault:
            _log.warning("serial-port-failed", extra={"path": self._settings.path, "fault": str(fault)})
        finally:  # also when cancelled: the reply we no longer wait for must not answer the next question
            self._asked = None
            if reply is None:
                self.drop()
        return reply

    def drop(self) -> None:
        """Close the port and forget what came in; the next question opens it afresh."""
        if self._silence is not None:
            self._silence.cancel()
        if self._port is not None:
            self._port.close()
        self._port, self._silence, self._buffer = None, None, b""

    async def _open(self) -> SerialPort:
        port = SerialPort(self._settings.path, baud=self._settings.baud, on_bytes=self._on_bytes, on_lost=self.drop)
        self._port = port
        await asyncio.sleep(self._settings.quiet_ms / 1000)
        if self._port is not port:
            raise OSError("the serial port was lost while it was opened")
        return port

    def _on_bytes(self, chunk: bytes) -> None:
        self._take(self._buffer + chunk, is_silent=False)
        if self._silence is not None:
            self._silence.cancel()
        loop = asyncio.get_running_loop()
        self._silence = loop.call_later(self._settings.silence_ms / 1000, self._on_silence)

    def _on_silence(self) -> None:
        self._take(self._buffer, is_silent=True)
        if self._reply is not None:
            self._answered.set()

    def _take(self, buffer: bytes, *, is_silent: bool) -> None:
        self._buffer, replies = parse(buffer, is_silent=is_silent)
        for reply in replies:
            if isinstance(reply, LockMoved):
                self._on_moved(reply)
            elif self._asked is not None and self._reply is None and _answers(reply, self._asked):
                self._reply = reply


def _answers(reply: Reply, request: Request) -> bool:
    match request, reply:
        case OpenOne(board, lock), OpenAnswered():
            return (reply.board, reply.lock) == (board, lock)
        case QueryAll(board), AllStatus():
            return reply.board == board
        case _:
            return False
