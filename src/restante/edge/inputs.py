"""What an agent is told, and what it asks to be done: the two alphabets of its step."""

from enum import StrEnum

import msgspec

from restante.core.facts import Known
from restante.core.time import Instant
from restante.edge.attempts import Attempt
from restante.edge.drivers.evidence import Verdict
from restante.edge.drivers.port import DoorReading
from restante.edge.screens import Screen
from restante.wire.session import ManifestFresh, ManifestSent


class Woke(msgspec.Struct, frozen=True):
    """The program has started on what the book kept."""

    software: str


class CodeEntered(msgspec.Struct, frozen=True):
    """Somebody typed or showed a code on a channel (``keypad``, ``qr``, ``desk``).

    ``attempt`` is its slow part, if that was computed beforehand.
    """

    text: str
    channel: str = "keypad"
    attempt: Attempt | None = None


class ParcelScanned(msgspec.Struct, frozen=True):
    """A courier, or staff at a counter, scanned or typed a parcel code."""

    text: str


class Choice(StrEnum):
    """What a person may press."""

    TOO_BIG = "too-big"
    FULL = "full"
    REFUSED = "refused"
    DAMAGED = "damaged"
    ANOTHER_DOOR = "another-door"
    TOGETHER = "together"
    TAKE_BACK = "take-back"
    DONE = "done"
    CLOSE_ROUND = "close-round"


class Chosen(msgspec.Struct, frozen=True):
    """A person pressed something."""

    choice: Choice


class Inspected(msgspec.Struct, frozen=True):
    """In an open round, a person looked into a compartment whose state was in doubt and found it fit for use."""

    door: int


class DoorsSeen(msgspec.Struct, frozen=True):
    """One look at the door sensors, by door; two that agree count."""

    readings: dict[int, DoorReading]


class OpeningEnded(msgspec.Struct, frozen=True):
    """What `Unlock` came to."""

    door: int
    verdict: Verdict


class SessionOpened(msgspec.Struct, frozen=True):
    """The hub said ``welcome``."""

    hub_time: Instant
    log_epoch: int
    source_key: str
    manifest_key: str
    forked: bool = False


class HubTime(msgspec.Struct, frozen=True):
    """The hub named the time over a proven line."""

    at: Instant


class SessionEnded(msgspec.Struct, frozen=True):
    """There is no session any more."""


class ForkTold(msgspec.Struct, frozen=True):
    """The hub holds another journal under this source's name."""


class ManifestCame(msgspec.Struct, frozen=True):
    """The hub sent a manifest, a difference, or its word that the one in force stands."""

    sent: ManifestSent | ManifestFresh


class Ticked(msgspec.Struct, frozen=True):
    """Time passed."""


FromPerson = CodeEntered | ParcelScanned | Chosen | Inspected
"""What a person does."""

Input = (
    Woke
    | FromPerson
    | DoorsSeen
    | OpeningEnded
    | SessionOpened
    | HubTime
    | SessionEnded
    | ForkTold
    | ManifestCame
    | Ticked
)


class Recorded(msgspec.Struct, frozen=True):
    """Write this fact, in one transaction with the state after the step, before anything else is done."""

    fact: Known


class EpochBegun(msgspec.Struct, frozen=True):
    """Begin a later log epoch, before any fact of the same step."""

    epoch: int


class Unlock(msgspec.Struct, frozen=True):
    """Unlock a door, not after ``deadline_ms`` of the steady clock, and answer with `OpeningEnded`."""

    door: int
    deadline_ms: int


class Show(msgspec.Struct, frozen=True):
    """Put this on the screen."""

    screen: Screen


class WholeWanted(msgspec.Struct, frozen=True):
    """Ask the hub for a full manifest."""

    why: str


Outward = Unlock | Show | WholeWanted
Effect = Recorded | EpochBegun | Outward
