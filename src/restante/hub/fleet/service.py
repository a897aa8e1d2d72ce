"""What an operator does to the fleet: invite, revoke and replace controllers, and hand out couriers' codes."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Final

import msgspec

from restante.core.access import code_from
from restante.core.commands import AnyCommand, StartEpoch
from restante.core.ids import CommandId, OrgId, PointId, SourceId, is_laned_id
from restante.core.refusals import Fault, Refusal
from restante.core.time import Instant, millis
from restante.core.world import SourceHead
from restante.hub.engine import Outcome
from restante.hub.fleet.authority import Authority
from restante.hub.fleet.enrol import MIN_CHANCE_BYTES
from restante.hub.fleet.enrol import invite as new_invitation
from restante.hub.fleet.keys import FleetKeys, verifier_of
from restante.hub.fleet.manifests import ORG_SUBJECT
from restante.hub.fleet.records import Records
from restante.hub.settings import Settings
from restante.store.ledger import Credential, Ledger
from restante.wire.enrol import Invitation, SourceName

COURIER_CODE_LIFE: Final = timedelta(hours=24)
_DRAWS: Final = 8
_UNNAMED: Final = CommandId("")

Chance = Callable[[int], bytes]
"""So many bytes of chance: ``secrets.token_bytes`` in a program."""


class CodesUsedUp(Fault):
    """Eight codes in a row were taken already; the point has far more live codes than it has doors."""


class CourierCode(msgspec.Struct, frozen=True):
    """A code that opens rounds for an organisation's couriers at one point; shown once and stored nowhere."""

    code: str
    expires_at: Instant

    def __repr__(self) -> str:
        return f"CourierCode(…, expires_at={self.expires_at!r})"


class Fleet(msgspec.Struct, frozen=True):
    """What the services of the fleet work with; ``hub_url`` is how sources reach the listener, ``wss://host:port``."""

    ledger: Ledger
    submit: Callable[[AnyCommand], Awaitable[Outcome]]
    records: Records
    authority: Authority
    keys: FleetKeys
    settings: Settings
    hub_url: str


async def invite(fleet: Fleet, source: SourceId, *, now: Instant, chance: Chance) -> Invitation | Refusal:
    """A new invitation for an installed source; earlier ones stop working. Refuses ``source-unknown``."""
    head = await _head(fleet, source)
    if isinstance(head, Refusal):
        return head
    name = SourceName(fleet.settings.network, source)
    invitation, code = new_invitation(fleet.hub_url, fleet.authority, name, chance=chance(MIN_CHANCE_BYTES), now=now)
    await fleet.records.put_code(code)
    return invitation


async def revoke(fleet: Fleet, source: SourceId, *, now: Instant) -> int | Refusal:
    """End every certificate, invitation and session of a source; how many certificates. Refuses ``source-unknown``."""
    head = await _head(fleet, source)
    return head if isinstance(head, Refusal) else await fleet.records.revoke(source, now)


async def replace_controller(
    fleet: Fleet, source: SourceId, *, actor: str, epoch: int, now: Instant, chance: Chance,
    command: CommandId = _UNNAMED,
) -> Invitation | Refusal:  # fmt: skip
    """Shut the old controller out, begin log epoch ``epoch``, and invite the new one, which inherits the open stays.

    Settles a fork as well. Verifiers are bound to the epoch, so every code at the point has to be put there anew.
    Refuses ``source-unknown``, ``busy``.
    """
    head = await _head(fleet, source)
    if isinstance(head, Refusal):
        return head
    await fleet.records.revoke(source, now)
    started = await fleet.submit(StartEpoch(command, actor, now, head.point, source, epoch))
    if isinstance(started, Refusal) and started.code != "epoch-not-later":
        return started
    return await invite(fleet, source, now=now, chance=chance)


async def issue_courier_code(
    fleet: Fleet, point: PointId, org: OrgId, *, now: Instant, chance: Chance
) -> CourierCode | Refusal:
    """A code for an organisation's couriers at a point, in place of its last one there. Refuses ``source-unknown``.

    Fault: ``CodesUsedUp``.
    """
    view = await fleet.ledger.view(point) if is_laned_id(point) else None
    if view is None:
        return Refusal("source-unknown", "point", point)
    source, expires_at = view.head.source, now + COURIER_CODE_LIFE
    for _ in range(_DRAWS):
        if (code := code_from(chance(32))) is None:
            continue
        verifier = await asyncio.to_thread(
            verifier_of, code, fleet.keys, source=source, epoch=view.head.epoch, settings=fleet.settings
        )
        credential = Credential(point, ORG_SUBJECT + org, millis(now), verifier, expires_at)
        if await fleet.ledger.put_credential(credential):
            await fleet.records.stir(point)
            return CourierCode(code, expires_at)
    raise CodesUsedUp


async def _head(fleet: Fleet, source: SourceId) -> SourceHead | Refusal:
    head = await fleet.ledger.source(source) if is_laned_id(source) else None
    return head or Refusal("source-unknown", "source", source)
