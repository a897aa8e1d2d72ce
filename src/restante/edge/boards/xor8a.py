"""An emulated 8A/80 XOR board on a pseudo-terminal, with a wire that can be made as bad as a real one.

The wire format is described in `restante.edge.drivers.xor8a_frames`; here it is spoken from the board's side.
"""

import asyncio
import os
import pty
import tty
from collections import deque

from msgspec import Struct

from restante.edge.boards.emulated import LiveBoard
from restante.edge.boards.steel import Unlock, sense
from restante.edge.drivers.port import Accepted, Door, DoorChanged
from restante.edge.drivers.xor8a import ByteOrder, Feedback, XorBoard
from restante.edge.drivers.xor8a_frames import (
    CHANGED,
    FIXED_LENGTH,
    OPEN,
    OPEN_MARK,
    QUERY,
    QUERY_MARK,
    bcc,
    sealed,
)

_HEARD_AT_MOST = 1_000


class WireKnobs(Struct, frozen=True, kw_only=True):
    """What the line does to requests and replies. `flipped_bit` counts from the first bit of the reply, 0 upwards."""

    noise: bytes = b""
    is_split: bool = False
    flipped_bit: int | None = None
    loses_requests: bool = False
    late_ms: int = 0
    is_doubled: bool = False


def requests_in(buffer: bytes) -> tuple[bytes, tuple[bytes, ...]]:
    """The sound requests in `buffer` and the unfinished rest (under five bytes)."""
    found: list[bytes] = []
    while len(buffer) >= FIXED_LENGTH:
        frame = buffer[:FIXED_LENGTH]
        is_sound = frame[0] in (OPEN, QUERY) and bcc(frame) == 0
        if is_sound:
            found.append(frame)
        buffer = buffer[FIXED_LENGTH if is_sound else 1 :]
    return buffer, tuple(found)


def mangled(reply: bytes, knobs: WireKnobs) -> bytes:
    """A reply as the line delivers it."""
    if knobs.flipped_bit is not None:
        at, bit = divmod(knobs.flipped_bit % (8 * len(reply)), 8)
        reply = reply[:at] + bytes((reply[at] ^ 1 << bit,)) + reply[at + 1 :]
    return knobs.noise + reply * (2 if knobs.is_doubled else 1)


class PtyXor8aBoard:
    """One board at the far end of a pseudo-terminal; a driver opens `path`. `heard` keeps the latest requests."""

    def __init__(self, live: LiveBoard, wiring: XorBoard) -> None:
        self.live = live
        self.wire = WireKnobs()
        self.heard: deque[bytes] = deque(maxlen=_HEARD_AT_MOST)
        self._wiring = wiring
        self._buffer = b""
        self._writing: set[asyncio.Task[None]] = set()
        self._one_frame_at_a_time = asyncio.Lock()
        # The board keeps the driver's end open too: otherwise a driver that closes it hangs up the line.
        self._line, self._far_end = pty.openpty()
        for descriptor in (self._line, self._far_end):
            tty.setraw(descriptor)
        os.set_blocking(self._line, False)
        self.path = os.ttyname(self._far_end)
        self._forget = live.listeners.add(self._tell)
        asyncio.get_running_loop().add_reader(self._line, self._hear)

    def close(self) -> None:
        """Unplug the board."""
        asyncio.get_running_loop().remove_reader(self._line)
        for task in self._writing:
            task.cancel()
        self._forget()
        self.live.close()
        os.close(self._line)
        os.close(self._far_end)

    def _hear(self) -> None:
        self._buffer, requests = requests_in(self._buffer + os.read(self._line, 4_096))
        for request in requests:
            self.heard.append(request)
            reply = None if self.wire.loses_requests else self._obey(request)
            if reply is not None:
                self._send(mangled(reply, self.wire))

    def _obey(self, request: bytes) -> bytes | None:
        head, address, lock, mark, _ = request
        if address != self._wiring.address or not self.live.board.knobs.powered:
            return None
        if (head, lock, mark) == (QUERY, 0, QUERY_MARK):
            return sealed(QUERY, address, *self._status(), QUERY_MARK)
        if (head, mark) == (OPEN, OPEN_MARK) and 1 <= lock <= self._wiring.locks:
            is_acknowledged = self.live.put(Unlock(lock)) == Accepted()
            return sealed(OPEN, address, lock, self._status_of(lock)) if is_acknowledged else None
        return None

    def _status(self) -> bytes:
        bits = sum(bool(self._status_of(lock)) << lock - 1 for lock in range(1, self._wiring.locks + 1))
        order = self._wiring.byte_order
        return bits.to_bytes(self._wiring.status_bytes, "big" if order is ByteOrder.MSB_FIRST else "little")

    def _status_of(self, lock: int) -> int:
        is_closed = sense(self.live.board)[lock].door is Door.CLOSED
        return 0x11 if is_closed == (self._wiring.feedback is Feedback.CLOSING) else 0x00

    def _tell(self, change: DoorChanged) -> None:
        is_closed = change.reading.door is Door.CLOSED
        status = 0x11 if is_closed == (self._wiring.feedback is Feedback.CLOSING) else 0x00
        self._send(sealed(CHANGED, self._wiring.address, change.door, status))

    def _send(self, frame: bytes) -> None:
        task = asyncio.get_running_loop().create_task(self._write(frame, self.wire))
        self._writing.add(task)
        task.add_done_callback(self._writing.discard)

    async def _write(self, frame: bytes, knobs: WireKnobs) -> None:
        await asyncio.sleep(knobs.late_ms / 1000)
        async with self._one_frame_at_a_time:
            for start in range(len(frame)) if knobs.is_split else (0,):
                os.write(self._line, frame[start : start + 1] if knobs.is_split else frame)
                await asyncio.sleep(0)
