"""Frames of the 8A/80 XOR lock boards: 9600 8N1, boards 1-31, locks from 1, last byte the XOR of those before it.

    to the board                          from the board
    8A BB LL 11 BCC   open one lock       8A BB LL ST BCC   acknowledged
    80 BB 00 33 BCC   read all locks      80 BB S… 33 BCC   one bit a lock
                                          82 BB LL ST BCC   a door moved, unasked (some firmware)

Source: captures and vendor tables collected in the design notes on lock boards; nothing here was tried on hardware yet.
The boards also know a frame that opens every door (lock 0) and one that opens several (90); neither can be built here.
The length of a read-all reply cannot be told from the number of locks, so its end is silence on the wire, which the
caller reports with `is_silent`.
"""

from functools import reduce
from operator import xor
from typing import assert_never

from msgspec import Struct

OPEN, QUERY, CHANGED = 0x8A, 0x80, 0x82
OPEN_MARK, QUERY_MARK = 0x11, 0x33
FIXED_LENGTH = 5
BOARD_MAX = 31
LOCK_MAX = 50
STATUS_BYTES_MAX = 7
LONGEST = STATUS_BYTES_MAX + 4


class OpenOne(Struct, frozen=True):
    """Ask `board` to pulse one lock."""

    board: int
    lock: int


class QueryAll(Struct, frozen=True):
    """Ask `board` for all its door bits."""

    board: int


class OpenAnswered(Struct, frozen=True):
    """The board echoed an `OpenOne`; `status` is the door bit of that moment, which proves nothing."""

    board: int
    lock: int
    status: int


class AllStatus(Struct, frozen=True):
    """The door bits of a board, as they came."""

    board: int
    status: bytes


class LockMoved(Struct, frozen=True):
    """A door moved and the board said so unasked."""

    board: int
    lock: int
    status: int


Request = OpenOne | QueryAll
Reply = OpenAnswered | AllStatus | LockMoved


def bcc(body: bytes) -> int:
    """The XOR of all bytes; 0 over a whole sound frame."""
    return reduce(xor, body, 0)


def sealed(*body: int) -> bytes:
    """`body` with its check byte."""
    return bytes((*body, bcc(bytes(body))))


def encode(request: Request) -> bytes:
    """The frame of a request. A board or lock out of range is a bug, and lock 0 (every door) above all."""
    if not 1 <= request.board <= BOARD_MAX:
        raise AssertionError(f"board {request.board} is not within 1-{BOARD_MAX}")
    match request:
        case OpenOne(board, lock):
            if not 1 <= lock <= LOCK_MAX:  # spelled out, because `assert` is silent under -O
                raise AssertionError(f"lock {lock} is not within 1-{LOCK_MAX}")
            return sealed(OPEN, board, lock, OPEN_MARK)
        case QueryAll(board):
            return sealed(QUERY, board, 0, QUERY_MARK)
        case _:
            assert_never(request)


def parse(buffer: bytes, *, is_silent: bool) -> tuple[bytes, tuple[Reply, ...]]:
    """Take every sound reply out of `buffer`; what is left (fewer than `LONGEST` bytes) waits for more.

    Any byte string ends in replies, a wait or a skip to the next header; after silence nothing is left to wait for.
    """
    replies: list[Reply] = []
    while buffer:
        taken = _take(buffer, is_silent=is_silent)
        if taken is None:
            break
        length, reply = taken
        buffer = buffer[length:]
        if reply is not None:
            replies.append(reply)
    return buffer, tuple(replies)


def _take(buffer: bytes, *, is_silent: bool) -> tuple[int, Reply | None] | None:
    """How many bytes to take off the front and what they said; None to wait."""
    if buffer[0] == QUERY:
        return _take_all_status(buffer, is_silent=is_silent)
    if buffer[0] not in (OPEN, CHANGED):
        return 1, None
    if len(buffer) < FIXED_LENGTH:
        return (1, None) if is_silent else None
    return (FIXED_LENGTH, _fixed(buffer)) if _is_fixed(buffer[:FIXED_LENGTH]) else (1, None)


def _take_all_status(buffer: bytes, *, is_silent: bool) -> tuple[int, Reply | None] | None:
    if len(buffer) < LONGEST and not is_silent:
        return None
    # The longest first: status bytes may look like the end of a shorter frame, and silence has ruled out a longer one.
    for length in range(min(LONGEST, len(buffer)), FIXED_LENGTH - 1, -1):
        frame = buffer[:length]
        if frame[-2] == QUERY_MARK and bcc(frame) == 0 and 1 <= frame[1] <= BOARD_MAX:
            return length, AllStatus(frame[1], frame[2:-2])
    return 1, None


def _is_fixed(frame: bytes) -> bool:
    _, board, lock, status, _ = frame
    return bcc(frame) == 0 and 1 <= board <= BOARD_MAX and 1 <= lock <= LOCK_MAX and status in (0x00, 0x11)


def _fixed(buffer: bytes) -> Reply:
    head, board, lock, status = buffer[:4]
    return OpenAnswered(board, lock, status) if head == OPEN else LockMoved(board, lock, status)
