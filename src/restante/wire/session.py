"""The messages of a session between a source and its hub, one JSON object a text frame.

The source dials, says ``hello`` and waits for ``welcome``, ``pending`` or ``rejected``. From then on the hub sends
manifests and acknowledgements, the source journal entries; both ping. Answers are matched by number, never by order.
"""

from typing import Final, TypeVar

import msgspec

from restante.core.ids import SourceId
from restante.core.refusals import Refusal
from restante.core.time import Instant

VERSIONS: Final = (1,)
"""Wire versions spoken here, newest first."""

SUBPROTOCOL: Final = "restante-session.v1"
MAX_MESSAGE_BYTES: Final = 4 << 20
PING_SECONDS: Final = 30
JOURNAL_BATCH: Final = 100


class SourceClock(msgspec.Struct, frozen=True):
    """Where the source's time comes from and how far it may be off."""

    source: str
    uncertainty_ms: int


class Hello(msgspec.Struct, frozen=True, tag_field="type", tag="hello"):
    """Who dials, how far its journal goes, and which manifest is in force there."""

    source: SourceId
    versions: tuple[int, ...]
    log_epoch: int
    last_seq: int
    last_hash: str
    boot: int
    software: str
    hub_epoch: int
    generation: int
    manifest_digest: str
    clock: SourceClock
    abilities: tuple[str, ...] = ()


class Tail(msgspec.Struct, frozen=True):
    """An earlier log epoch whose entries the hub takes as well, and the first number it does not have."""

    epoch: int
    from_seq: int


class Welcome(msgspec.Struct, frozen=True, tag_field="type", tag="welcome"):
    """The session is open: ``resume_from`` is the first entry the hub does not have.

    ``source_key`` (base64url) keys the verifiers of codes at this source and epoch; it travels inside TLS only.
    ``manifest_key`` is the public key manifests are signed with; a source keeps the first one it was enrolled with.
    ``tails`` names every earlier epoch. Their entries come before those of ``log_epoch``, the oldest epoch's first,
    and from a source's first one that is not acknowledged, where that is earlier: so another history shows itself.
    """

    session: str
    version: int
    hub_epoch: int
    hub_time: Instant
    log_epoch: int
    resume_from: int
    source_key: str
    manifest_key: str
    forked: bool = False
    tails: tuple[Tail, ...] = ()


class Pending(msgspec.Struct, frozen=True, tag_field="type", tag="pending"):
    """Known but not yet to be served; try again after so many seconds."""

    retry_after: float
    why: str = ""


class Rejected(msgspec.Struct, frozen=True, tag_field="type", tag="rejected"):
    """No session: the code of a refusal; try again after so many seconds."""

    code: str
    retry_after: float
    detail: str = ""


class ManifestSent(msgspec.Struct, frozen=True, tag_field="type", tag="manifest"):
    """A signed manifest: ``document`` is its canonical text, of a full one or of a difference."""

    document: str
    signature: str
    full: bool


class ManifestFresh(msgspec.Struct, frozen=True, tag_field="type", tag="manifest-fresh"):
    """The manifest of this digest was still in force at ``as_of``; signed over its canonical text."""

    document: str
    signature: str


class ManifestWanted(msgspec.Struct, frozen=True, tag_field="type", tag="manifest-wanted"):
    """A difference did not fit: send the whole."""

    why: str


class JournalSent(msgspec.Struct, frozen=True, tag_field="type", tag="journal"):
    """Entries of one epoch in order, each as its canonical text; at most ``JOURNAL_BATCH``."""

    number: int
    entries: tuple[str, ...]


class Ack(msgspec.Struct, frozen=True, tag_field="type", tag="ack"):
    """Everything up to ``seq`` is committed at the hub: adopted, or of an earlier epoch perhaps set aside."""

    epoch: int
    seq: int
    head_hash: str
    number: int = 0


class Nack(msgspec.Struct, frozen=True, tag_field="type", tag="nack"):
    """Entries are missing or broken: send again from ``from_seq``."""

    epoch: int
    from_seq: int
    code: str
    number: int = 0


class Forked(msgspec.Struct, frozen=True, tag_field="type", tag="forked"):
    """Another journal claims to be this source's: no deposits and no live commands until it is settled."""

    epoch: int
    seq: int


class Ping(msgspec.Struct, frozen=True, tag_field="type", tag="ping"):
    """Are you there?"""

    number: int


class Pong(msgspec.Struct, frozen=True, tag_field="type", tag="pong"):
    """I am; the hub adds its time."""

    number: int
    time: Instant | None = None


FromSource = Hello | JournalSent | ManifestWanted | Ping | Pong
FromHub = Welcome | Pending | Rejected | ManifestSent | ManifestFresh | Ack | Nack | Forked | Ping | Pong

T = TypeVar("T")

_FROM_SOURCE: Final[msgspec.json.Decoder[FromSource]] = msgspec.json.Decoder(FromSource)
_FROM_HUB: Final[msgspec.json.Decoder[FromHub]] = msgspec.json.Decoder(FromHub)


def encode(message: FromSource | FromHub) -> str:
    """A message as the text of one frame."""
    return msgspec.json.encode(message).decode()


def read_from_source(frame: str | bytes) -> FromSource | Refusal:
    """A source's message. Refusals: ``message-malformed``."""
    return _read(_FROM_SOURCE, frame)


def read_from_hub(frame: str | bytes) -> FromHub | Refusal:
    """A hub's message. Refusals: ``message-malformed``."""
    return _read(_FROM_HUB, frame)


def _read(decoder: "msgspec.json.Decoder[T]", frame: str | bytes) -> T | Refusal:
    if len(frame) > MAX_MESSAGE_BYTES:
        return Refusal("message-malformed", "frame", f"{len(frame)} bytes, at most {MAX_MESSAGE_BYTES}")
    try:
        return decoder.decode(frame)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as broken:
        return Refusal("message-malformed", "frame", str(broken)[:120])


def agreed_version(theirs: tuple[int, ...]) -> int | None:
    """The newest wire version both sides speak; None when there is none."""
    return next((version for version in VERSIONS if version in theirs), None)
