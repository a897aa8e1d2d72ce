"""The manifest: what a source may do, as a signed document that replaces or amends the one before it.

Theory of operation. A manifest is full, or a difference against a named base. Manifests are ordered by (hub epoch,
generation) and never applied backwards; the digest names the whole state after applying, so that a difference which
does not lead there is noticed and a full manifest asked for. Revocations are applied first. A grant says what may
happen, not at which door.
"""

from enum import StrEnum

import msgspec

from restante.core.bank import RoomClass
from restante.core.ids import ParcelId, SourceId, StayKey
from restante.core.time import Instant
from restante.wire.codec import canonical, digest

CONTEXT = b"restante manifest v1"


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
    """A full manifest. ``stays`` are those the hub holds to be open there: a new controller inherits them."""

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
    written = canonical(msgspec.to_builtins(manifest))
    assert isinstance(written, bytes), written
    return written


def digest_of(manifest: Manifest) -> str:
    """The name of the whole state a source is in once it has applied this manifest."""
    return digest(document_of(manifest))


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
