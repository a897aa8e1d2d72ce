"""How an agent's state stands in its book: one row a value, only what changed, in one transaction with the facts.

`KeptAgent` is the agent as programs run it: restored from the book, fed one input at a time, and never ahead of what is
flushed. The book is the bank's file, or one in memory for virtual time; both are used through the same few calls.
"""

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any, Final, Protocol

import msgspec

from restante.core import facts
from restante.core.access import Lockout, WakingClock
from restante.core.bank import Condition, SourceKind
from restante.core.facts import Known
from restante.core.ids import SourceId
from restante.core.refusals import Refusal
from restante.core.time import Instant
from restante.edge.agent import step
from restante.edge.book_file import BookDamaged
from restante.edge.clock import Now, SteadyClock, stamp
from restante.edge.inputs import Effect, EpochBegun, Input, Outward, Recorded, Woke
from restante.edge.moments import Moment, reached
from restante.edge.state import Installed, Opening, OpenStay, Spent, State
from restante.wire import codec, journal, manifest
from restante.wire.journal import Entry, Extent, Head

CLOCK_KEPT_MS: Final = 300_000
"""How often the clocks are kept when nothing else is: what a loss of power may set them back by."""

_MAPS: Final[dict[str, Any]] = {
    "conditions": dict[int, Condition],
    "stays": dict[str, OpenStay],
    "spent": dict[str, Spent],
    "inherited": dict[str, bool],
    "ended": dict[str, Instant],
    "lockouts": dict[str, Lockout],
    "openings": dict[int, Opening],
}
_VALUES: Final[dict[str, Any]] = {
    "clock": SteadyClock,
    "waking": WakingClock,
    "installed": Installed | None,
    "forked": bool,
}
_CLOCKS: Final = frozenset({"clock", "waking"})
# What a flush is about, for its moments: the first kind in this order that it holds, and else the state alone.
_FLUSHES: Final[Mapping[type, tuple[Moment, Moment]]] = {
    EpochBegun: (Moment.BEFORE_EPOCH, Moment.AFTER_EPOCH),
    facts.ManifestApplied: (Moment.BEFORE_MANIFEST, Moment.AFTER_MANIFEST),
    facts.Started: (Moment.BEFORE_STARTED, Moment.AFTER_STARTED),
    facts.IntentRecorded: (Moment.BEFORE_INTENT, Moment.AFTER_INTENT),
    facts.ParcelPutIn: (Moment.BEFORE_DEPOSIT, Moment.AFTER_DEPOSIT),
    facts.ParcelTakenOut: (Moment.BEFORE_WITHDRAWAL, Moment.AFTER_WITHDRAWAL),
    facts.CodeRefused: (Moment.BEFORE_CODE, Moment.AFTER_CODE),
    Recorded: (Moment.BEFORE_DOOR, Moment.AFTER_DOOR),
    object: (Moment.BEFORE_STATE, Moment.AFTER_STATE),
}


class KeptManifest(msgspec.Struct, frozen=True):
    """A manifest as it is kept: the document, and the hub's last word that it stands."""

    document: str
    as_of: Instant


class WritingStep(Protocol):
    """One transaction of a book."""

    def append(self, stamp: journal.Stamp, kind: str, data: dict[str, Any]) -> Entry:
        """See `book.Step.append`."""

    def put(self, name: str, value: bytes) -> None:
        """See `book.Step.put`."""

    def drop(self, name: str) -> None:
        """See `book.Step.drop`."""

    def start_epoch(self, epoch: int) -> Refusal | None:
        """See `book.Step.start_epoch`."""

    def acknowledge(self, head: Head) -> Refusal | None:
        """See `book.Step.acknowledge`."""

    def resend_from(self, seq: int, *, epoch: int | None = None) -> int:
        """See `book.Step.resend_from`."""


class Keeps(Protocol):
    """A book: `book.Book`, or `memory.MemoryBook` in virtual time."""

    @property
    def source(self) -> str:
        """Whose book it is."""

    @property
    def head(self) -> Head:
        """The end of the log now written."""

    def step(self) -> AbstractContextManager[WritingStep]:
        """See `book.Book.step`."""

    def values(self, prefix: str = "") -> dict[str, bytes]:
        """See `book.Book.values`."""

    def acknowledged(self, epoch: int | None = None) -> Head:
        """See `book.Book.acknowledged`."""

    def extents(self) -> tuple[Extent, ...]:
        """See `book.Book.extents`."""

    def entries_from(self, seq: int, limit: int = 100, *, epoch: int | None = None) -> tuple[Entry, ...]:
        """See `book.Book.entries_from`."""


class KeptAgent:
    """An agent on its book."""

    def __init__(self, book: Keeps, *, kind: SourceKind = SourceKind.BANK) -> None:
        self.book = book
        self.state = restore(book, kind)
        self._clock_kept_ms = 0

    def feed(self, given: Input, now: Now) -> tuple[Outward, ...]:
        """Take one input and flush what follows; what the caller must now do outwardly, in order.

        Faults: as `Book.step`; then nothing has happened, and the same input may be fed again.
        """
        after, effects = step(self.state, given, now)
        is_due = now.monotonic_ms - self._clock_kept_ms > CLOCK_KEPT_MS or isinstance(given, Woke)
        if commit(self.book, self.state, after, effects=effects, now=now, is_clock_due=is_due):
            self._clock_kept_ms = now.monotonic_ms
        self.state = after
        return tuple(effect for effect in effects if not isinstance(effect, Recorded | EpochBegun))


def next_boot(book: Keeps) -> int:
    """Count one more start, flushed."""
    before = book.values("boot").get("boot")
    boot = 1 if before is None else int(before) + 1
    with book.step() as writing:
        writing.put("boot", str(boot).encode())
        reached(Moment.BEFORE_BOOT)
    reached(Moment.AFTER_BOOT)
    return boot


def restore(book: Keeps, kind: SourceKind) -> State:
    """The state as the book kept it. Faults: `BookDamaged` when a value cannot be read."""
    rows = book.values("agent/")
    try:
        fields: dict[str, Any] = {
            name: msgspec.json.decode(rows[f"agent/{name}"], type=kind_of)
            for name, kind_of in _VALUES.items()
            if f"agent/{name}" in rows
        }
        fields |= {name: _map(name, rows) for name in _MAPS}
        kept = rows.get("agent/manifest")
        if kept is not None:
            fields["manifest"] = _manifest(msgspec.json.decode(kept, type=KeptManifest))
    except msgspec.MsgspecError as broken:
        raise BookDamaged from broken
    head = book.head
    return State(source=SourceId(book.source), kind=kind, log_epoch=head.epoch, head_seq=head.seq, **fields)


def commit(
    book: Keeps, before: State, after: State, *, effects: tuple[Effect, ...], now: Now, is_clock_due: bool = False
) -> bool:
    """Put the facts and the changes of one step into the book, flushed; whether there were any."""
    changes = changed_rows(before, after)
    told = [effect for effect in effects if isinstance(effect, Recorded | EpochBegun)]
    if not told and not is_clock_due and changes.keys() <= {f"agent/{name}" for name in _CLOCKS}:
        return False
    before_flush, after_flush = _moments(told)
    with book.step() as writing:
        for effect in told:
            if isinstance(effect, EpochBegun):
                refused = writing.start_epoch(effect.epoch)
                assert refused is None, refused
            else:
                kind, data = entry_parts(effect.fact)
                writing.append(stamp(after.clock, now), kind, data)
        for name, value in changes.items():
            writing.drop(name) if value is None else writing.put(name, value)
        reached(before_flush)
    reached(after_flush)
    assert (book.head.epoch, book.head.seq) == (after.log_epoch, after.head_seq), "the step knew its numbers"
    return True


def _moments(told: Sequence[Recorded | EpochBegun]) -> tuple[Moment, Moment]:
    kinds = {object, *map(type, told), *(type(effect.fact) for effect in told if isinstance(effect, Recorded))}
    return next(moments for kind, moments in _FLUSHES.items() if kind in kinds)


def entry_parts(fact: Known) -> tuple[str, codec.Document]:
    """A fact as the kind and the data of its entry."""
    document: codec.Document = msgspec.json.decode(msgspec.json.encode(fact))
    kind = document.pop("kind")
    assert isinstance(kind, str)
    return kind, document


def changed_rows(before: State, after: State) -> dict[str, bytes | None]:
    """The rows that differ between two states, by name; None for those that go."""
    rows: dict[str, bytes | None] = {}
    for name in _VALUES:
        value = getattr(after, name)
        if value != getattr(before, name):
            rows[f"agent/{name}"] = msgspec.json.encode(value)
    for name in _MAPS:
        old, new = getattr(before, name), getattr(after, name)
        if old is not new:
            rows |= _changed_map(name, old, new)
    if after.manifest is not before.manifest and after.manifest is not None:
        kept = KeptManifest(after.manifest.document, after.manifest.as_of)
        rows["agent/manifest"] = msgspec.json.encode(kept)
    return rows


def _changed_map(name: str, old: Mapping[Any, Any], new: Mapping[Any, Any]) -> dict[str, bytes | None]:
    put: dict[str, bytes | None] = {
        f"agent/{name}/{key}": msgspec.json.encode(value) for key, value in new.items() if old.get(key) != value
    }
    return put | {f"agent/{name}/{key}": None for key in old.keys() - new.keys()}


def _map(name: str, rows: Mapping[str, bytes]) -> Any:
    prefix = f"agent/{name}/"
    found = {row.removeprefix(prefix): msgspec.json.decode(rows[row]) for row in rows if row.startswith(prefix)}
    return msgspec.convert(found, _MAPS[name], strict=False)


def _manifest(kept: KeptManifest) -> manifest.Applied:
    applied = manifest.restored(kept.document, kept.as_of)
    if isinstance(applied, Refusal):
        raise BookDamaged(f"the manifest in the book cannot be read: {applied.code}")
    return applied
