"""Bytes that nobody meant: what lines bring beside frames, and what becomes of frames on the bus of a lock board.

Messages that are altered and still messages are not among them: TLS keeps those out, and `altering` has entries.
"""

from collections.abc import Callable, Sequence
from random import Random
from typing import Final

from restante.edge.boards.xor8a import requests_in
from restante.edge.drivers import xor8a_frames as frames
from restante.edge.drivers.xor8a_frames import AllStatus, OpenAnswered, Reply, Request

READERS: Final = "9: no bytes upset a reader"
BYTE_MS: Final = 10 * 1000 / 9600
"""What one byte takes on a bus of 9600 baud, with a start and a stop bit."""

SILENCE_MS: Final = 20
_BOARD: Final = 1
_DEEP: Final = 20_000

Breach = Callable[[str, str], None]


def noise_like(frame: str, chance: Random) -> str | bytes:
    """Something that is no message, and looks like one for a while."""
    return chance.choice(_WAYS)(frame, chance)


def _cut_short(frame: str, chance: Random) -> str | bytes:
    return frame[: chance.randrange(len(frame))]


def _torn(frame: str, chance: Random) -> str | bytes:
    """Cut within a character, or followed by bytes that are none."""
    return frame.encode()[: chance.randrange(len(frame))] + chance.choice((b"\xff", b"\xc3", b"\xed\xa0\x80", b"\x00"))


def _twice(frame: str, _chance: Random) -> str | bytes:
    return frame + frame


def _of_no_kind(frame: str, chance: Random) -> str | bytes:
    return frame.replace('"type":"', f'"type":"{chance.choice(("x", "no-such-", " "))}', 1)


def _of_wrong_types(_frame: str, chance: Random) -> str | bytes:
    kind = chance.choice(("ack", "journal", "ping", "manifest", "hello", "welcome"))
    field = chance.choice(("number", "epoch", "seq", "document", "entries", "versions", "source"))
    return f'{{"type":"{kind}","{field}":{chance.choice(("-1e999", "[[]]", "{}", "1.5", "true"))}}}'


def _deep(_frame: str, chance: Random) -> str | bytes:
    return chance.choice(("[", '{"type":')) * _DEEP


def _any_bytes(_frame: str, chance: Random) -> str | bytes:
    return chance.randbytes(chance.randrange(200))


_WAYS: Final[Sequence[Callable[[str, Random], str | bytes]]] = (
    _cut_short,
    _torn,
    _twice,
    _of_no_kind,
    _of_wrong_types,
    _deep,
    _any_bytes,
)


class Wire:
    """The bus between a controller and its lock board, both ends read by the product's own readers.

    Every exchange asks rule 9: a reader takes all that it is given, keeps fewer bytes than its longest frame, and after
    silence none.
    """

    def __init__(self, chance: Random, *, breach: Breach, asked: Callable[[], None]) -> None:
        self.is_noisy = False
        self._chance = chance
        self._breach = breach
        self._asked = asked

    def fall_silent(self) -> None:
        """Nothing disturbs the bus any more."""
        self.is_noisy = False

    def ask_to_open(self, lock: int) -> bool:
        """Whether the board hears a request to open this lock; it may be lost in noise, and never be another one."""
        request = frames.OpenOne(_BOARD, lock)
        self._asked()
        left, heard = requests_in(self._carried(frames.encode(request)))
        if len(left) >= frames.FIXED_LENGTH:
            self._breach(READERS, f"a board keeps {len(left)} bytes and waits")
        return frames.encode(request) in heard

    def answer_opening(self, lock: int) -> bool:
        """Whether the controller hears the board's answer."""
        answer = frames.sealed(frames.OPEN, _BOARD, lock, 0x11)
        return OpenAnswered(_BOARD, lock, 0x11) in self.heard(self._carried(answer))

    def tell_all(self, status: bytes) -> bool:
        """Whether the controller hears what the sensors of all doors say."""
        answer = frames.sealed(frames.QUERY, _BOARD, *status, frames.QUERY_MARK)
        return AllStatus(_BOARD, status) in self.heard(self._carried(answer))

    def heard(self, stream: bytes) -> list[Reply]:
        """What the controller's reader makes of bytes that come in pieces, and of the silence after them."""
        self._asked()
        replies: list[Reply] = []
        left = b""
        while stream:
            size = self._chance.randrange(1, 9) if self.is_noisy else len(stream)
            left, found = frames.parse(left + stream[:size], is_silent=False)
            stream = stream[size:]
            replies += found
            self._judge(left, frames.LONGEST - 1)
        left, found = frames.parse(left, is_silent=True)
        self._judge(left, 0)
        return [*replies, *found]

    def _judge(self, left: bytes, most: int) -> None:
        if len(left) > most:
            self._breach(READERS, f"the reader of a bus keeps {len(left)} bytes, and at most {most} make sense")

    def _carried(self, frame: bytes) -> bytes:
        if not self.is_noisy:
            return frame
        chance = self._chance
        if chance.random() < 0.3:
            at = chance.randrange(len(frame))
            frame = frame[:at] + bytes((frame[at] ^ 1 << chance.randrange(8),)) + frame[at + 1 :]
        return chance.randbytes(chance.randrange(12)) + frame + chance.randbytes(chance.randrange(12))


def exchange_ms(request: Request, answer_bytes: int) -> int:
    """What a question on the bus takes, with the silence that ends its answer."""
    return round((len(frames.encode(request)) + answer_bytes) * BYTE_MS) + SILENCE_MS
