"""The manifest: what a source may do, as a signed document that replaces or amends the one before it.

Theory of operation. A manifest is full, or a difference against a named base. Manifests are ordered by (hub epoch,
generation) and never applied backwards; the digest names the whole state after applying, so that a difference which
does not lead there is noticed and a full manifest asked for. Revocations are applied first. A grant says what may
happen, not at which door.

A source keeps the document itself, with the fields it does not know, so that the digest stays the hub's; what it goes
by is read out of it, and a grant of an unknown kind or form is kept out by name.
"""

from enum import StrEnum
from typing import Any, Final, TypeVar

import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from restante.core import access
from restante.core.bank import RoomClass
from restante.core.ids import ParcelId, SourceId, StayKey
from restante.core.refusals import Refusal
from restante.core.time import Instant
from restante.wire import seal
from restante.wire.codec import Document, canonical, decode, digest
from restante.wire.session import ManifestFresh, ManifestSent

MAX_MANIFEST_BYTES: Final = 2 << 20

_T = TypeVar("_T")


class GrantKind(StrEnum):
    """What a grant permits."""

    DEPOSIT = "deposit"
    COLLECT = "collect"
    RECALL = "recall"
    RETURN = "return"
    SERVICE = "service"


class Offline(StrEnum):
    """Whether a grant may be used while the source has no network."""

    ALWAYS = "always"
    ALLOWED = "allowed"
    ONLINE_ONLY = "online_only"


class Grant(msgspec.Struct, frozen=True, omit_defaults=True):
    """One permission.

    ``deposit``: a courier in an open round puts in the parcel of this code; with a ``verifier`` the sender does so with
    an eight-digit code. ``collect``: whoever has the code takes out the parcel's open stay, once there is one.
    ``recall``: a courier in an open round takes out the stay. ``service``: an eight-digit code opens a round for the
    couriers of ``org``. ``holder`` is the same, meaningless text for all parcels of one collector.
    """

    kind: GrantKind
    org: str
    parcel: ParcelId | None = None
    parcel_code: str = ""
    room_class: RoomClass | None = None
    stay: StayKey | None = None
    door: int | None = None
    verifier: str = ""
    not_before: Instant | None = None
    expires_at: Instant | None = None
    max_uses: int = 1
    offline: Offline = Offline.ALWAYS
    checks: tuple[str, ...] = ()
    holder: str = ""


class ListedCompartment(msgspec.Struct, frozen=True, omit_defaults=True):
    """One compartment as the hub knows it."""

    door: int
    module: int
    size: int
    reach_height_mm: int
    abilities: tuple[str, ...] = ()
    capacity: int = 1


class Settings(msgspec.Struct, frozen=True, omit_defaults=True):
    """What a source goes by; ages in hours, the cost of one code attempt as scrypt's n, r, p."""

    unannounced_age_hours: int = 72
    deposit_age_hours: int = 168
    kdf_n: int = 16384
    kdf_r: int = 8
    kdf_p: int = 1
    zone: str = "UTC"
    name: str = ""


class Manifest(msgspec.Struct, frozen=True):
    """A full manifest. Grants that name a stay and its door let a new controller inherit the stays it never saw."""

    source: SourceId
    hub_epoch: int
    generation: int
    issued_at: Instant
    log_epoch: int
    settings: Settings
    compartments: tuple[ListedCompartment, ...] = ()
    grants: dict[str, Grant] = {}


class Difference(msgspec.Struct, frozen=True):
    """What changes from the manifest ``base`` (its digest) to the next one."""

    source: SourceId
    hub_epoch: int
    generation: int
    issued_at: Instant
    base_generation: int
    base: str
    digest: str
    revoke: tuple[str, ...] = ()
    grants: dict[str, Grant] = {}
    settings: Settings | None = None
    compartments: tuple[ListedCompartment, ...] | None = None


def document_of(manifest: Manifest | Difference) -> bytes:
    """The canonical bytes that are signed and sent."""
    return _canonical(msgspec.to_builtins(manifest))


def digest_of(manifest: Manifest) -> str:
    """The name of the whole state a source is in once it has applied this manifest."""
    return digest(document_of(manifest))


def code_verifier(code: str, *, source_key: bytes, source: SourceId, log_epoch: int, settings: Settings) -> str:
    """What a grant holds in place of its code, as base64url: one scrypt, then the HMAC of `core.access.verifier`."""
    cost = access.KdfCost(n=settings.kdf_n, r=settings.kdf_r, p=settings.kdf_p)
    stretched = access.stretch(code, source=source, epoch=log_epoch, cost=cost)
    return seal.to_text(access.verifier(source_key, stretched, source=source, epoch=log_epoch))


def difference(before: Manifest, after: Manifest) -> Difference:
    """What leads from one manifest to a later one of the same source and hub epoch."""
    assert (before.source, before.hub_epoch, before.log_epoch) == (after.source, after.hub_epoch, after.log_epoch)
    changed = {name: grant for name, grant in after.grants.items() if before.grants.get(name) != grant}
    return Difference(
        source=after.source,
        hub_epoch=after.hub_epoch,
        generation=after.generation,
        issued_at=after.issued_at,
        base_generation=before.generation,
        base=digest_of(before),
        digest=digest_of(after),
        revoke=tuple(sorted(before.grants.keys() - after.grants.keys())),
        grants=changed,
        settings=after.settings if after.settings != before.settings else None,
        compartments=after.compartments if after.compartments != before.compartments else None,
    )


# --- the hub's side: seals


class Fresh(msgspec.Struct, frozen=True):
    """The hub's word that the manifest of this digest was still in force at ``as_of``."""

    source: SourceId
    hub_epoch: int
    generation: int
    digest: str
    as_of: Instant


def sign(manifest: Manifest | Difference, private_key: Ed25519PrivateKey) -> ManifestSent:
    """A manifest or a difference as it is sent: its canonical text and the signature over it."""
    document = document_of(manifest)
    signature = seal.to_text(seal.sign(private_key, seal.MANIFEST, document))
    return ManifestSent(document=document.decode(), signature=signature, full=isinstance(manifest, Manifest))


def sign_fresh(manifest: Manifest, as_of: Instant, private_key: Ed25519PrivateKey) -> ManifestFresh:
    """The word that this manifest is still in force, as it is sent."""
    fresh = Fresh(manifest.source, manifest.hub_epoch, manifest.generation, digest_of(manifest), as_of)
    document = _canonical(msgspec.to_builtins(fresh))
    signature = seal.to_text(seal.sign(private_key, seal.MANIFEST_FRESH, document))
    return ManifestFresh(document=document.decode(), signature=signature)


# --- the source's side: what is in force


class Pinned(msgspec.Struct, frozen=True):
    """What a source holds a manifest against: itself, its log epoch, and the public key it was enrolled with."""

    source: SourceId
    log_epoch: int
    manifest_key: str


class Applied(msgspec.Struct, frozen=True):
    """The manifest in force: its document and digest, what was read out of it, and the hub's last word that it stands.

    ``kept_out`` names grants of a kind or form that this version does not know: they permit nothing.
    """

    document: str
    digest: str
    manifest: Manifest
    as_of: Instant
    kept_out: tuple[str, ...] = ()


def apply(current: Applied | None, sent: ManifestSent, pinned: Pinned) -> Applied | Refusal:
    """The manifest in force after this message; the same one again changes nothing.

    Refusals: ``manifest-malformed``, ``manifest-unsigned``, ``manifest-foreign``, ``manifest-epoch``,
    ``manifest-older``, and for differences ``manifest-base`` and ``manifest-digest``: these two ask for the whole.
    """
    document = _genuine(sent.document, sent.signature, context=seal.MANIFEST, pinned=pinned)
    if isinstance(document, Refusal):
        return document
    return _apply_full(current, document, pinned) if sent.full else _apply_difference(current, document)


def apply_fresh(current: Applied | None, sent: ManifestFresh, pinned: Pinned) -> Applied | Refusal:
    """The manifest in force with the hub's newer word that it stands.

    Refusals: ``manifest-malformed``, ``manifest-unsigned``, ``manifest-foreign``, and ``manifest-base`` when it is
    about another manifest than the one in force.
    """
    document = _genuine(sent.document, sent.signature, context=seal.MANIFEST_FRESH, pinned=pinned)
    fresh = document if isinstance(document, Refusal) else _read(document, Fresh)
    if isinstance(fresh, Refusal):
        return fresh
    if current is None or fresh.digest != current.digest:
        return Refusal("manifest-base", "digest")
    return msgspec.structs.replace(current, as_of=max(current.as_of, fresh.as_of))


def wants_full(refusal: Refusal) -> bool:
    """Whether ``ManifestWanted`` answers this refusal: signed for this source, but not fitting what it holds."""
    return refusal.code in {"manifest-base", "manifest-digest"}


def restored(document: str, as_of: Instant) -> Applied | Refusal:
    """The manifest in force as a source kept it; it was checked when it came. Refusals: ``manifest-malformed``."""
    parsed = _parse(document)
    return parsed if isinstance(parsed, Refusal) else _taken(parsed, as_of)


def _genuine(text: str, signature: str, *, context: bytes, pinned: Pinned) -> Document | Refusal:
    """The document, if the pinned key signed it for this use and it is for this source."""
    key, sealed = seal.public_key_from_text(pinned.manifest_key), seal.from_text(signature)
    raw = text.encode("utf-8", "replace")
    if key is None or sealed is None or not seal.verify(key, sealed, context=context, document=raw):
        return Refusal("manifest-unsigned", "signature")
    document = _parse(text)
    if isinstance(document, Refusal):
        return document
    return document if document.get("source") == pinned.source else Refusal("manifest-foreign", "source")


def _parse(text: str) -> Document | Refusal:
    document = decode(text.encode("utf-8", "replace"), max_bytes=MAX_MANIFEST_BYTES)
    return Refusal("manifest-malformed", detail=document.code) if isinstance(document, Refusal) else document


def _apply_full(current: Applied | None, document: Document, pinned: Pinned) -> Applied | Refusal:
    applied = _taken(document)
    if isinstance(applied, Refusal):
        return applied
    if applied.manifest.log_epoch != pinned.log_epoch:
        return Refusal("manifest-epoch", "log_epoch", str(applied.manifest.log_epoch))
    if current is None or _order(applied.manifest) > _order(current.manifest):
        return applied
    return current if applied.digest == current.digest else Refusal("manifest-older", "generation")


def _apply_difference(current: Applied | None, document: Document) -> Applied | Refusal:
    change = _read({**document, "grants": {}}, Difference)
    if isinstance(change, Refusal) or not isinstance(document.get("grants", {}), dict):
        return change if isinstance(change, Refusal) else Refusal("manifest-malformed", "grants")
    if current is None:
        return Refusal("manifest-base", "base")
    if change.digest == current.digest:
        return current
    if _order(change) <= _order(current.manifest):
        return Refusal("manifest-older", "generation")
    if change.base != current.digest or change.hub_epoch != current.manifest.hub_epoch:
        return Refusal("manifest-base", "base")
    applied = _taken(_amended(current, document, change))
    if isinstance(applied, Refusal):
        return applied
    return applied if applied.digest == change.digest else Refusal("manifest-digest", "digest")


def _amended(current: Applied, document: Document, change: Difference) -> Document:
    """The whole document after a difference: what it does not speak of stays as it was, revocations come first."""
    before = _parse(current.document)
    assert not isinstance(before, Refusal), "it was read when it was applied"
    left = {name: grant for name, grant in before.get("grants", {}).items() if name not in change.revoke}
    parts = {name: document[name] for name in ("settings", "compartments") if document.get(name) is not None}
    rest = {name: document[name] for name in ("generation", "issued_at")}
    return {**before, **parts, **rest, "grants": {**left, **document.get("grants", {})}}


def _taken(document: Document, as_of: Instant | None = None) -> Applied | Refusal:
    """What a whole document permits here; unknown fields stay in it, unknown grants are named and permit nothing."""
    grants = document.get("grants", {})
    if not isinstance(grants, dict):
        return Refusal("manifest-malformed", "grants")
    read = {name: _read(grant, Grant) for name, grant in grants.items()}
    known = {name: grant for name, grant in read.items() if not isinstance(grant, Refusal)}
    frame = _read({**document, "grants": {}}, Manifest)
    if isinstance(frame, Refusal):
        return frame
    manifest = msgspec.structs.replace(frame, grants=known)
    written = _canonical(document)
    kept_out = tuple(sorted(read.keys() - known.keys()))
    return Applied(written.decode(), digest(written), manifest, as_of or manifest.issued_at, kept_out)


def _read(document: Any, kind: type[_T]) -> _T | Refusal:
    try:
        return msgspec.convert(document, kind)
    except (msgspec.ValidationError, OverflowError) as broken:
        return Refusal("manifest-malformed", detail=str(broken)[:120])


def _order(manifest: Manifest | Difference) -> tuple[int, int]:
    return manifest.hub_epoch, manifest.generation


def _canonical(document: Document) -> bytes:
    written = canonical(document)
    assert isinstance(written, bytes), written
    return written
