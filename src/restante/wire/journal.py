"""The journal: what happened at a source, numbered without gaps and chained by hashes, and how the hub checks it.

Theory of operation. An entry is its own audit record. Its hash covers the canonical form of every other field, the hash
of the entry before it among them, so the hash of the last entry (the head) vouches for the whole log. The first entry
of a log epoch follows a hash made of the source and the epoch: no log can pass for another's.

`check_batch` compares uploaded entries with the head already held. It is pure and total, and answers one of four:

* `Accepted`: these follow; entries known before are dropped (resending is harmless).
* `Gap`: something is missing; nothing of the batch counts, send again from there.
* `Fork`: two histories claim the same numbers: a disk was cloned or restored, or a past was rewritten.
* `Broken`: an entry does not agree with itself or its neighbour: it was changed or damaged.

A log cut short at its end still chains; only a signed head that says how long it was gives that away: `check_head`.
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Annotated, Any, Final

import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from restante.core.refusals import Refusal
from restante.wire import codec, seal

MAX_BATCH: Final = 100
MAX_ENTRY_BYTES: Final = 8_192  # so that a full batch fits one document

Count = Annotated[int, msgspec.Meta(ge=0, le=codec.MAX_INTEGER)]
Number = Annotated[int, msgspec.Meta(ge=1, le=codec.MAX_INTEGER)]
Digest = Annotated[str, msgspec.Meta(pattern=r"\A[0-9a-f]{64}\Z")]
Name = Annotated[str, msgspec.Meta(min_length=1, max_length=128)]
UtcTime = Annotated[datetime, msgspec.Meta(tz=True)]


class Clock(msgspec.Struct, frozen=True):
    """What the wall clock was set by, and how far it may be off."""

    source: Name
    uncertainty_ms: Count
    extra: dict[str, Any] = msgspec.field(default_factory=dict)


class Stamp(msgspec.Struct, frozen=True):
    """When, as well as the source can tell: its count of starts, wall time in UTC, and milliseconds of steady clock."""

    boot: Count
    wall_time: UtcTime
    monotonic_ms: Count
    clock: Clock


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """One fact of one source; `extra`, here and in the clock, holds fields that this version does not know."""

    source: Name
    log_epoch: Number
    seq: Number
    previous_hash: Digest
    boot: Count
    wall_time: UtcTime
    monotonic_ms: Count
    clock: Clock
    kind: Name
    data: dict[str, Any]
    hash: Digest
    extra: dict[str, Any] = msgspec.field(default_factory=dict)


class Head(msgspec.Struct, frozen=True):
    """How far a log goes: epoch, number and hash of its last entry; number 0 before the first."""

    epoch: Number
    seq: Count
    hash: Digest


class Extent(msgspec.Struct, frozen=True):
    """How far the log of one epoch goes in its book, and up to which number the hub was known to hold it."""

    epoch: int
    seq: int
    acked: int


class SignedHead(msgspec.Struct, frozen=True):
    """A source's word, under its own key, on how far its log goes; the signature is base64url."""

    source: Name
    head: Head
    signature: str


class Accepted(msgspec.Struct, frozen=True, tag="accepted"):
    """The entries that are new, oldest first, and the head they lead to."""

    entries: tuple[Entry, ...]
    head: Head


class Gap(msgspec.Struct, frozen=True, tag="gap"):
    """Number `missing_seq` is not there; nothing was taken, so the source sends again from `expected_seq`."""

    expected_seq: int
    missing_seq: int


class Fork(msgspec.Struct, frozen=True, tag="fork"):
    """Two histories of one source differ at this number."""

    at_seq: int
    why: str


class Broken(msgspec.Struct, frozen=True, tag="broken"):
    """The entry of this number is not what its source wrote, or not where it wrote it."""

    seq: int
    why: str


Finding = Gap | Fork | Broken

_KNOWN: Final = frozenset(Entry.__struct_fields__) - {"extra"}


def first_head(source: str, epoch: int) -> Head:
    """The head of a log that has no entries yet."""
    start = _canonical({"epoch": epoch, "purpose": "restante-journal", "source": source})
    return Head(epoch=epoch, seq=0, hash=codec.digest(start))


def head_after(entry: Entry) -> Head:
    """The head of the log that ends with this entry."""
    return Head(epoch=entry.log_epoch, seq=entry.seq, hash=entry.hash)


def append_to(head: Head, stamp: Stamp, *, source: str, kind: str, data: Mapping[str, Any]) -> Entry:
    """The next entry of the log. `data` is the source's own: a value JSON cannot hold there is a bug."""
    assert stamp.wall_time.tzinfo is not None, "wall time names its zone"
    draft = Entry(
        source=source,
        log_epoch=head.epoch,
        seq=head.seq + 1,
        previous_hash=head.hash,
        boot=stamp.boot,
        wall_time=_whole_ms(stamp.wall_time),
        monotonic_ms=stamp.monotonic_ms,
        clock=stamp.clock,
        kind=kind,
        data=dict(data),
        hash="",
    )
    body = entry_body(draft)
    assert len(body) <= MAX_ENTRY_BYTES - 128, "an entry with its hash stays within its size"
    return msgspec.structs.replace(draft, hash=codec.digest(body))


def entry_body(entry: Entry) -> bytes:
    """The canonical form of all of an entry but its hash: what the hash is made of."""
    return _canonical(_body(entry))


def entry_hash(entry: Entry) -> str:
    """The hash an entry ought to bear: SHA-256 with the leaf prefix over its canonical form without `hash`."""
    return codec.digest(entry_body(entry))


def entry_to(entry: Entry) -> codec.Document:
    """The entry as the JSON object that travels."""
    return _body(entry) | {"hash": entry.hash}


def write_entry(entry: Entry) -> bytes:
    """The canonical bytes of an entry with its hash: what is sent, or carried by a telephone."""
    return _canonical(entry_to(entry))


def entry_from(document: Mapping[str, Any]) -> Entry | Refusal:
    """Read an entry from a decoded object; whether its hash is right is for `check_batch` to say.

    Refused: `entry-malformed`.
    """
    known, extra = codec.split_unknown(document, _KNOWN)
    clock = known.get("clock")
    if isinstance(clock, dict):
        mine, other = codec.split_unknown(clock, ("source", "uncertainty_ms"))
        known["clock"] = mine | {"extra": other}
    try:
        entry = msgspec.convert(known | {"extra": extra}, Entry)
        exact = _time_text(entry.wall_time) == known["wall_time"]
    except (msgspec.ValidationError, OverflowError) as broken:  # a time near year 1 or 9999 may not exist in UTC
        return Refusal(code="entry-malformed", detail=str(broken)[:160])
    if not exact:
        return Refusal(code="entry-malformed", field="wall_time", detail="RFC 3339 in UTC, milliseconds, Z")
    if codec.flaw(dict(document)) is not None:
        return Refusal(code="entry-malformed", field="data", detail="a value JSON cannot hold")
    return entry


def parse_entry(raw: bytes) -> Entry | Refusal:
    """Read what `write_entry` wrote. Refused: as `codec.decode`, and `entry-malformed`."""
    document = codec.decode(raw, max_bytes=MAX_ENTRY_BYTES)
    return document if isinstance(document, Refusal) else entry_from(document)


def check_batch(
    head: Head,
    entries: Sequence[Entry],
    *,
    source: str,
    known: Mapping[int, str] | None = None,
    limit: int = MAX_BATCH,
) -> Accepted | Finding:
    """Say what an upload adds to the log that ends at `head`; the whole batch counts or nothing of it.

    `known` gives hashes of entries accepted before, by number, for the part of the batch not beyond `head`. A number
    that is neither there nor proven by the chain of the batch itself leads to a `Gap` from the head on: sent again
    from there, another history shows as a `Fork` in its first entry.
    """
    if len(entries) > limit:
        return Broken(seq=entries[0].seq, why=f"more than {limit} entries at once")
    for entry in entries:
        problem = _misfit(entry, source, head.epoch)
        if problem is not None:
            return problem
    past = [entry for entry in entries if entry.seq <= head.seq]
    problem = _compare(past, {head.seq: head.hash} | dict(known or {}), head)
    return problem or _extend(head, [entry for entry in entries if entry.seq > head.seq])


def sign_head(private_key: Ed25519PrivateKey, source: str, head: Head) -> SignedHead:
    """The source's signature over how far its log goes."""
    signature = seal.sign(private_key, seal.JOURNAL_HEAD, _head_document(source, head))
    return SignedHead(source=source, head=head, signature=seal.to_text(signature))


def is_head_genuine(signed: SignedHead, public_key: Ed25519PublicKey) -> bool:
    """Whether the holder of the key signed exactly this head of this source."""
    signature = seal.from_text(signed.signature)
    document = _head_document(signed.source, signed.head)
    return signature is not None and seal.verify(public_key, signature, context=seal.JOURNAL_HEAD, document=document)


def check_head(signed: SignedHead, head: Head, *, known: Mapping[int, str] | None = None) -> Finding | None:
    """Compare a genuine signed head with the log held, which ends at `head`; None when they agree.

    A log shorter than was signed has lost its end (`Broken`, named by the first number lost); another hash at the same
    number is a `Fork`. A signed head inside the log is compared if `known` has its number.
    """
    told = signed.head
    if told.epoch != head.epoch:
        return Fork(at_seq=told.seq, why="another log epoch")
    if told.seq > head.seq:
        return Broken(seq=head.seq + 1, why=f"cut short: {told.seq} entries were signed")
    held = {head.seq: head.hash} | dict(known or {})
    if held.get(told.seq, told.hash) != told.hash:
        return Fork(at_seq=told.seq, why="another entry was signed under this number")
    return None


def head_from(document: Mapping[str, Any]) -> SignedHead | Refusal:
    """Read a signed head from a decoded object. Refused: `head-malformed`."""
    try:
        signed = msgspec.convert(document, SignedHead)
    except msgspec.ValidationError as broken:
        return Refusal(code="head-malformed", detail=str(broken)[:160])
    return Refusal(code="head-malformed") if codec.flaw(signed.source) else signed


def _misfit(entry: Entry, source: str, epoch: int) -> Finding | None:
    """What is wrong with an entry looked at by itself; only one that is whole can tell of another history."""
    if entry.source != source:
        return Broken(seq=entry.seq, why="written by another source")
    if entry.hash != entry_hash(entry):
        return Broken(seq=entry.seq, why="its hash is not the hash of what it says")
    if entry.log_epoch != epoch:
        return Fork(at_seq=entry.seq, why="another log epoch")
    return None


def _compare(past: Sequence[Entry], held: dict[int, str], head: Head) -> Finding | None:
    """Compare resent entries with what was accepted; each one that agrees proves the hash of the one before it."""
    for entry in sorted(past, key=lambda one: one.seq, reverse=True):
        expected = held.get(entry.seq)
        if expected is None:
            return Gap(expected_seq=head.seq + 1, missing_seq=head.seq + 1)
        if entry.hash != expected:
            return Fork(at_seq=entry.seq, why="another entry holds this number")
        held.setdefault(entry.seq - 1, entry.previous_hash)
    return None


def _extend(head: Head, entries: Sequence[Entry]) -> Accepted | Finding:
    """Chain entries that are beyond the head to it, dropping those that come twice."""
    fresh: dict[int, Entry] = {}
    at = head
    for entry in entries:
        twin = fresh.get(entry.seq)
        if twin is not None and twin.hash != entry.hash:
            return Fork(at_seq=entry.seq, why="two entries of one batch hold this number")
        if twin is not None:
            continue
        if entry.seq != at.seq + 1:
            return Gap(expected_seq=head.seq + 1, missing_seq=at.seq + 1)
        if entry.previous_hash != at.hash:
            return _wrong_previous(entry, head)
        at = head_after(entry)
        fresh[entry.seq] = entry
    return Accepted(entries=tuple(fresh.values()), head=at)


def _wrong_previous(entry: Entry, head: Head) -> Finding:
    """An entry that follows another than the one held tells of another past; inside a batch, of damage."""
    if entry.seq == head.seq + 1 and head.seq > 0:
        return Fork(at_seq=head.seq, why="the next entry follows another one than the one held")
    return Broken(seq=entry.seq, why="it does not follow the entry before it")


def _body(entry: Entry) -> codec.Document:
    return {
        **entry.extra,
        "source": entry.source,
        "log_epoch": entry.log_epoch,
        "seq": entry.seq,
        "previous_hash": entry.previous_hash,
        "boot": entry.boot,
        "wall_time": _time_text(entry.wall_time),
        "monotonic_ms": entry.monotonic_ms,
        "clock": {
            **entry.clock.extra,
            "source": entry.clock.source,
            "uncertainty_ms": entry.clock.uncertainty_ms,
        },
        "kind": entry.kind,
        "data": entry.data,
    }


def _head_document(source: str, head: Head) -> bytes:
    return _canonical({"epoch": head.epoch, "hash": head.hash, "seq": head.seq, "source": source})


def _canonical(document: codec.Document) -> bytes:
    raw = codec.canonical(document)
    assert isinstance(raw, bytes), f"checked before it came here: {raw}"
    return raw


def _whole_ms(at: datetime) -> datetime:
    utc = at.astimezone(UTC)
    return utc.replace(microsecond=utc.microsecond // 1000 * 1000)


def _time_text(at: datetime) -> str:
    utc = at.astimezone(UTC).replace(tzinfo=None)
    return utc.isoformat(timespec="milliseconds") + "Z"
