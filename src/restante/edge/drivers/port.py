"""The driver port: what a bank may ask of any family of lock boards, and how much of the answer it may believe.

A door is a number, 1 upwards, unique on its bus; which compartment it belongs to is the bank's affair.
An answer to `unlock` says what the board *said*; only `restante.edge.drivers.evidence` says what the door *did*.
"""

from collections.abc import Callable, Mapping
from enum import StrEnum
from typing import Literal, Protocol

from msgspec import Struct


class Door(StrEnum):
    """What a door sensor says. A missing or doubtful bit is `UNKNOWN`, never `CLOSED`."""

    CLOSED = "closed"
    OPEN = "open"
    UNKNOWN = "unknown"


class Item(StrEnum):
    """What an infrared sensor says about the content; `UNKNOWN` where the board has none."""

    YES = "yes"
    NO = "no"
    UNKNOWN = "unknown"


class DoorReading(Struct, frozen=True):
    """One look at one door."""

    door: Door = Door.UNKNOWN
    item: Item = Item.UNKNOWN


UNSEEN = DoorReading()


class DoorChanged(Struct, frozen=True):
    """A board said, unasked, that a door moved. A hint: the next `read_all` is the truth."""

    door: int
    reading: DoorReading


class Accepted(Struct, frozen=True):
    """The board acknowledged the pulse. No proof that a door opened."""


class NoAck(Struct, frozen=True):
    """The board said nothing in time. The door may have opened all the same."""


RejectedCode = Literal["unknown-door", "lock-cooling", "deadline-passed", "bus-full", "bus-closed"]


class Rejected(Struct, frozen=True):
    """No pulse was sent, for the reason in `code`; `retry_after_ms` where waiting would help."""

    code: RejectedCode
    retry_after_ms: int = 0


Answer = Accepted | NoAck | Rejected
Listener = Callable[[DoorChanged], None]


class LockBoard(Protocol):
    """All lock boards of one bus, asked one question at a time. No method raises for what a wire or a board does."""

    async def unlock(self, door: int, *, before_ms: int | None = None) -> Answer:
        """Pulse one lock when its paced turn comes: never after `before_ms` on the driver's clock.

        Cancelled while it waits for its turn, it never pulses.
        """

    async def read_all(self) -> Mapping[int, DoorReading]:
        """Every configured door, `UNSEEN` where the board did not answer or did not say."""

    def changes(self, listener: Listener) -> Callable[[], None]:
        """Call `listener` for every unsolicited change; the returned function ends that."""

    async def close(self) -> None:
        """Let go of the bus; waiting and later unlocks are rejected with `bus-closed`."""
