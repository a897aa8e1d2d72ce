"""The loopback door of a source: what its own screen, and the people of the demo, say to it and are answered.

One websocket on 127.0.0.1; the file ``loopback.json`` in the state directory (mode 0600) names its port and a token,
which stands in the path of the address: ``ws://127.0.0.1:<port>/<token>``. Each text frame is one request, JSON with a
``type``; each is answered by one `Status`, or by `NotDone` with words for developers. ``Watch`` is answered once the
screen is another than the one of that number, or after some seconds.
"""

from pathlib import Path
from typing import Final

import msgspec

from restante.core.refusals import Fault
from restante.edge.boards.steel import Deed
from restante.edge.inputs import Choice
from restante.edge.screens import Screen

LOOPBACK_FILE: Final = "loopback.json"
MAX_REQUEST_BYTES: Final = 8_192
WATCH_SECONDS: Final = 10.0


class Address(msgspec.Struct, frozen=True):
    """Where the loopback door is, and the token it asks for."""

    port: int
    token: str

    def __repr__(self) -> str:
        return f"Address(port={self.port}, token=…)"

    @property
    def url(self) -> str:
        """The address to dial."""
        return f"ws://127.0.0.1:{self.port}/{self.token}"


class LoopbackClosed(Fault):
    """The source's program does not answer on its loopback door: start it, or wait until it is ready."""

    retryable = True
    blame = "bank"


class EnterCode(msgspec.Struct, frozen=True, tag_field="type", tag="enter-code"):
    """Type or show a code."""

    text: str
    channel: str = "keypad"


class ScanParcel(msgspec.Struct, frozen=True, tag_field="type", tag="scan-parcel"):
    """Scan or type a parcel code."""

    text: str


class Choose(msgspec.Struct, frozen=True, tag_field="type", tag="choose"):
    """Press what the screen offers (its ``choices``), or close the round."""

    choice: Choice


class Inspect(msgspec.Struct, frozen=True, tag_field="type", tag="inspect"):
    """Say that a compartment in doubt was looked into and is fit for use."""

    door: int


class TouchDoor(msgspec.Struct, frozen=True, tag_field="type", tag="touch-door"):
    """Do things to a door of an emulated bank, one after another: push, put, take, jam, …"""

    door: int
    deeds: tuple[Deed, ...]


class SetLink(msgspec.Struct, frozen=True, tag_field="type", tag="set-link"):
    """Cut the line to the hub, or let it be dialled again at once; for demo and tests."""

    up: bool


class AskStatus(msgspec.Struct, frozen=True, tag_field="type", tag="status"):
    """How things are."""


class Watch(msgspec.Struct, frozen=True, tag_field="type", tag="watch"):
    """How things are once the screen is another than the one of this number."""

    after: int


Request = EnterCode | ScanParcel | Choose | Inspect | TouchDoor | SetLink | AskStatus | Watch


class SeenAt(msgspec.Struct, frozen=True):
    """What two agreeing looks say of a door: closed, open or unknown; and its content: yes, no or unknown."""

    door: str
    item: str


class Status(msgspec.Struct, frozen=True, tag_field="type", tag="status"):
    """How things are: the screen with its number and sentences, the line, the list in force, the journal, the doors.

    ``acknowledged`` is how far the hub holds the journal; ``stays`` how many parcels lie here.
    """

    source: str
    boot: int
    screen: Screen
    screen_number: int
    texts: tuple[str, ...]
    online: bool
    is_link_up: bool
    forked: bool
    log_epoch: int
    head: int
    acknowledged: int
    generation: int | None
    stays: int
    doors: dict[int, SeenAt]
    fault: str = ""


class NotDone(msgspec.Struct, frozen=True, tag_field="type", tag="not-done"):
    """The request was not one, or cannot be done here."""

    why: str


Answer = Status | NotDone

_REQUEST: Final[msgspec.json.Decoder[Request]] = msgspec.json.Decoder(Request)
_ANSWER: Final[msgspec.json.Decoder[Answer]] = msgspec.json.Decoder(Answer)


def read_request(frame: str | bytes) -> Request | NotDone:
    """What somebody asks; anything that is no request is answered, never raised."""
    if len(frame) > MAX_REQUEST_BYTES:
        return NotDone("too long")
    try:
        return _REQUEST.decode(frame)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as broken:
        return NotDone(str(broken)[:160])


def read_answer(frame: str | bytes) -> Answer:
    """What the source answered. Raises `msgspec.DecodeError` when it is none."""
    return _ANSWER.decode(frame)


def find_address(state_directory: Path) -> Address:
    """Where the running source's loopback door is. Faults: `LoopbackClosed`."""
    try:
        return msgspec.json.decode((state_directory / LOOPBACK_FILE).read_bytes(), type=Address)
    except (OSError, msgspec.DecodeError) as missing:
        raise LoopbackClosed from missing
