"""The alphabets of a session's step at the hub: its states, what it is told, and what it asks to be done."""

from collections.abc import Mapping, Sequence

import msgspec

from restante.core.commands import AdoptFact, AnyCommand
from restante.core.ids import PointId, SourceId
from restante.core.refusals import Refusal
from restante.core.time import Instant
from restante.core.world import SourceHead
from restante.hub.engine import Outcome
from restante.hub.fleet.manifests import Held
from restante.store.ledger import JournalRow
from restante.wire import journal
from restante.wire import session as wire
from restante.wire.manifest import Difference, Manifest


class Now(msgspec.Struct, frozen=True):
    """What time it is: on the wall, and on the session's steady clock in seconds."""

    at: Instant
    steady_s: float


# --- states


class Greeting(msgspec.Struct, frozen=True):
    """Nobody has said ``hello`` yet.

    ``named`` is the source in the certificate, None on a plain line; ``ends_at`` is the certificate's end. ``session``
    is 128 bits of chance from the shell.
    """

    session: str
    began_s: float
    named: SourceId | None = None
    ends_at: Instant | None = None


class Placing(msgspec.Struct, frozen=True):
    """A ``hello`` was heard; what the hub holds of the source is being looked up."""

    session: str
    hello: wire.Hello
    version: int
    ends_at: Instant | None


class Batch(msgspec.Struct, frozen=True):
    """Entries of one epoch, and their texts, that came and are being compared or committed.

    ``is_all`` unless more of the batch is to be sent again. Those from index ``apart`` on are being set aside.
    """

    number: int
    epoch: int
    entries: tuple[journal.Entry, ...]
    texts: tuple[str, ...]
    adopting: tuple[AdoptFact, ...] = ()
    is_all: bool = True
    apart: int | None = None


class Open(msgspec.Struct, frozen=True):
    """The session is open; ``held`` is the manifest the source has, as far as the hub knows.

    ``gap`` is the epoch and first number of the tail's batch that came last, if something was missing before it.
    """

    session: str
    source: SourceId
    point: PointId
    epoch: int
    held: Held
    heard_s: float
    pinged_s: float
    ends_at: Instant | None = None
    forked: bool = False
    seq: int = 0
    misses: int = 0
    pings: int = 0
    batch: Batch | None = None
    whole: bool = False
    confirmed_s: float | None = None
    gap: tuple[int, int] | None = None


class Ended(msgspec.Struct, frozen=True):
    """The session is over, and why."""

    why: str


State = Greeting | Placing | Open | Ended


# --- inputs


class Heard(msgspec.Struct, frozen=True):
    """A message came, or something that is none."""

    message: wire.FromSource | Refusal


class Found(msgspec.Struct, frozen=True):
    """What the hub holds of the source that said ``hello``; ``head`` is None when it is not installed.

    ``aside`` has the last number set aside of each ended epoch.
    """

    head: SourceHead | None
    lost: bool = False
    hub_epoch: int = 0
    source_key: str = ""
    manifest_key: str = ""
    aside: Mapping[int, int] = {}


class Compared(msgspec.Struct, frozen=True):
    """The head of the source's journal just now, and the hashes of entries below it that came again.

    ``aside`` has the hashes set aside under these numbers and the one before.
    """

    head: SourceHead
    known: Mapping[int, str]
    aside: frozenset[str] = frozenset()


class WasSetAside(msgspec.Struct, frozen=True):
    """The entries are kept; the first number set aside of their epoch, and how many are by now."""

    first_seq: int
    count: int


class Submitted(msgspec.Struct, frozen=True):
    """What the engine made of the commands handed in."""

    outcomes: Sequence[Outcome]


class Shelved(msgspec.Struct, frozen=True):
    """The manifests kept for the source, newest first; ``lost`` when the point is held to be out of contact."""

    manifests: tuple[Manifest, ...]
    lost: bool = False


class Ticked(msgspec.Struct, frozen=True):
    """Time passed."""


class Stirred(msgspec.Struct, frozen=True):
    """The point's manifest may have to change."""


class Crowded(msgspec.Struct, frozen=True):
    """Too many others are being welcomed: the source is to come again."""


class Ousted(msgspec.Struct, frozen=True):
    """The session must end: ``displaced`` by a newer one, ``certificate-revoked``, ``hub-stopping``, ``store-down``."""

    why: str


Input = Heard | Found | Compared | WasSetAside | Submitted | Shelved | Ticked | Stirred | Crowded | Ousted


# --- effects


class Send(msgspec.Struct, frozen=True):
    """Send a message."""

    message: wire.FromHub


class Seal(msgspec.Struct, frozen=True):
    """Sign a manifest or a difference, and send it."""

    document: Manifest | Difference


class Confirm(msgspec.Struct, frozen=True):
    """Sign the word that this manifest is still in force, and send it."""

    manifest: Manifest


class Find(msgspec.Struct, frozen=True):
    """Look up the source; answered by ``Found``."""

    source: SourceId


class Enter(msgspec.Struct, frozen=True):
    """Record that this is the source's session now, which ends any other, in whatever hub process it is."""

    source: SourceId
    point: PointId
    session: str


class Compare(msgspec.Struct, frozen=True):
    """Read the journal's head and the hashes of a span of numbers; answered by ``Compared``."""

    source: SourceId
    epoch: int
    span: range


class SetAside(msgspec.Struct, frozen=True):
    """Keep entries of an ended epoch that cannot be adopted; answered by ``WasSetAside``."""

    rows: tuple[JournalRow, ...]


class Submit(msgspec.Struct, frozen=True):
    """Hand commands to the engine in one call; answered by ``Submitted``."""

    commands: tuple[AnyCommand, ...]


class Shelve(msgspec.Struct, frozen=True):
    """Bring the point's manifest up to date; answered by ``Shelved``."""

    point: PointId
    held: Held


class Close(msgspec.Struct, frozen=True):
    """Close the line."""

    why: str


Effect = Send | Seal | Confirm | Find | Enter | Compare | SetAside | Submit | Shelve | Close
Step = tuple[State, list[Effect]]
