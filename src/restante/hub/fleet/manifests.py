"""What a source may do: its manifest as a pure function of what the hub holds, and when a new one is due.

Theory of operation. A promise to deliver gives two grants: couriers of its organisation may deposit, and whoever has
the parcel's code may collect, so that a deposit made while the source is cut off can be collected while it still is. An
open stay has one grant that names its door: to collect until it is recalled, from then on to recall; a hold that has
merely lapsed changes nothing here. What ended leaves nothing behind. Grants are named after what they stand for, so
that building them again changes no name.

A manifest is new when it says something new: its generation and its date say nothing.
"""

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

import msgspec

from restante.core.ids import OrgId, PointId
from restante.core.parcel import Direction
from restante.core.time import Instant
from restante.hub.settings import Settings
from restante.store.ledger import Credential, OpenPromise, OpenStay, PointView
from restante.wire import manifest as wire
from restante.wire.manifest import Difference, Grant, GrantKind, ListedCompartment, Manifest

KEPT: Final = 8
"""How many manifests of a source are kept, as bases that a difference may start from."""

ORG_SUBJECT: Final = "org:"
"""What leads the subject of a credential that opens rounds for an organisation's couriers."""

MAX_GENERATION: Final = 2**52

Grants = Iterator[tuple[str, Grant]]


class Held(msgspec.Struct, frozen=True):
    """Which manifest a source says is in force there."""

    hub_epoch: int = 0
    generation: int = 0
    digest: str = ""


def manifest_for(view: PointView, settings: Settings, now: Instant, *, generation: int, hub_epoch: int) -> Manifest:
    """Everything the source at this point may do, issued at ``now``."""
    return Manifest(
        source=view.head.source,
        hub_epoch=hub_epoch,
        generation=generation,
        issued_at=now,
        log_epoch=view.head.epoch,
        settings=wire.Settings(kdf_n=settings.kdf_n, zone=view.point.calendar.zone, name=view.point.name),
        compartments=tuple(_compartments(view)),
        grants=dict(sorted(_grants(view))),
    )


def next_manifest(draft: Manifest, kept: Sequence[Manifest], held: Held) -> Manifest | None:
    """The manifest to issue, if ``draft`` says something that the newest of ``kept`` does not.

    One is also due when the source holds a later one than was ever issued here, as after a restore of the hub: it would
    take no other. ``kept`` is newest first.
    """
    newest = kept[0] if kept else None
    ahead = 0
    if held.hub_epoch == draft.hub_epoch and held.generation < MAX_GENERATION and not _is_known(held, kept):
        ahead = held.generation
    latest = newest.generation if newest else 0
    if newest is not None and _said(newest) == _said(draft) and ahead < latest:
        return None
    return msgspec.structs.replace(draft, generation=max(latest, ahead) + 1)


def step_to(newest: Manifest, kept: Iterable[Manifest], held: Held) -> Manifest | Difference | None:
    """What to send to a source that holds the manifest ``held``: nothing, a difference, or the whole.

    Numbers are compared before digests, which cost a rendering of the whole document each.
    """
    if _is_same(newest, held):
        return None
    base = next((one for one in kept if _is_base(one, newest) and _is_same(one, held)), None)
    return newest if base is None else wire.difference(base, newest)


def holder_of(contact: str, point: PointId) -> str:
    """The same text for all parcels of one recipient at one point, which says nothing about the recipient."""
    return hashlib.sha256(f"restante-holder:{point}:{contact}".encode()).hexdigest()[:16] if contact else ""


def _is_known(held: Held, kept: Sequence[Manifest]) -> bool:
    return any(_is_same(one, held) for one in kept)


def _is_same(manifest: Manifest, held: Held) -> bool:
    return manifest.generation == held.generation and wire.digest_of(manifest) == held.digest


def _is_base(older: Manifest, newest: Manifest) -> bool:
    """Whether a difference may lead from one to the other."""
    same = (older.source, older.hub_epoch, older.log_epoch) == (newest.source, newest.hub_epoch, newest.log_epoch)
    return same and older.generation < newest.generation


def _said(manifest: Manifest) -> Manifest:
    return msgspec.structs.replace(manifest, generation=0, issued_at=_ANY_TIME)


_ANY_TIME: Final = Instant.min


def _compartments(view: PointView) -> Iterable[ListedCompartment]:
    source = view.point.source
    for module in source.modules if source else ():
        for one in module.compartments:
            abilities = tuple(sorted(ability.value for ability in one.abilities))
            yield ListedCompartment(
                one.door, module.number, one.size, one.reach_height_mm, abilities, capacity=one.capacity
            )


def _grants(view: PointView) -> Grants:
    credentials = {credential.subject: credential for credential in view.credentials}
    behind_doors = {stay.parcel for stay in view.stays}
    for row in view.promises:
        # A forked source takes no deposits; and a parcel that lies here already is not promised a second place.
        if view.head.forked_at is None and row.parcel not in behind_doors:
            yield from _of_promise(row, credentials.get(row.parcel))
    for stay in view.stays:
        yield from _of_stay(stay, credentials.get(stay.parcel), view.point.id)
    for credential in view.credentials:
        if credential.subject.startswith(ORG_SUBJECT):
            yield _round(credential)


def _of_promise(row: OpenPromise, credential: Credential | None) -> Grants:
    name = f"{row.parcel}/{row.number}"
    verifier = credential.verifier if credential else ""
    by_sender = row.direction == Direction.DROP_OFF
    promise = row.promise
    deposit = Grant(
        GrantKind.DEPOSIT,
        promise.org,
        parcel=row.parcel,
        parcel_code=row.code,
        room_class=promise.room_class,
        verifier=verifier if by_sender else "",
        not_before=promise.window.opens_at,
        expires_at=promise.until,
        holder=holder_of(row.holder, promise.point),
    )
    if verifier or not by_sender:
        yield f"{name}/deposit", deposit
    if by_sender:
        yield f"{name}/recall", _taking(row, GrantKind.RECALL)
    elif verifier:
        yield f"{name}/collect", _taking(row, GrantKind.COLLECT, verifier)


def _taking(row: OpenPromise, kind: GrantKind, verifier: str = "") -> Grant:
    """What may be done with a parcel once it has been put in; no age of the list ends it."""
    holder = holder_of(row.holder, row.promise.point)
    return Grant(kind, row.promise.org, row.parcel, row.code, verifier=verifier, holder=holder)


def _of_stay(stay: OpenStay, credential: Credential | None, point: PointId) -> Grants:
    by_courier = stay.recall is not None or stay.direction == Direction.DROP_OFF
    verifier = credential.verifier if credential else ""
    kind = GrantKind.RECALL if by_courier else GrantKind.COLLECT
    grant = Grant(
        kind,
        stay.org,
        stay.parcel,
        stay.code,
        stay=stay.key,
        door=stay.door,
        verifier="" if by_courier else verifier,
        holder=holder_of(stay.holder, point),
    )
    yield f"{stay.parcel}/{stay.key}/{kind}", grant


def _round(credential: Credential) -> tuple[str, Grant]:
    """A courier's code is good for any number of rounds until it ends: 0 uses sets no bound."""
    org = OrgId(credential.subject.removeprefix(ORG_SUBJECT))
    grant = Grant(GrantKind.SERVICE, org, verifier=credential.verifier, expires_at=credential.expires_at, max_uses=0)
    return f"{credential.subject}/{credential.number}/service", grant
