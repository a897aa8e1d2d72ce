"""Routes that bring controllers into the network and out of it, and give couriers their codes."""

from collections.abc import Callable
from datetime import datetime
from typing import Final

import msgspec
from litestar import Router, delete, post
from litestar.params import FromPath

from restante.core.ids import PointId, SourceId, is_laned_id
from restante.core.refusals import Refusal
from restante.core.time import Instant
from restante.hub.callers import OPERATOR_ONLY, SENDERS_ONLY, Attempt, Attempts, Call, KeyHeader, once, part
from restante.hub.fleet import service
from restante.hub.fleet.service import Fleet
from restante.hub.problems import Refused, or_refused, problems
from restante.wire.enrol import Invitation

_KNOWN: Final = problems(401, 403, 404)
_MADE: Final = problems(400, 401, 403, 404, 409, 413, 422)


class InvitationShown(msgspec.Struct, frozen=True):
    """What a technician brings to a machine, once; ``text`` is all of it in one line, to print or show as a QR."""

    source: SourceId
    text: str
    hub_url: str

    def __repr__(self) -> str:
        return f"<InvitationShown {self.source}>"


class Revoked(msgspec.Struct, frozen=True):
    """How many certificates were revoked."""

    source: SourceId
    certificates: int


class CourierCodeShown(msgspec.Struct, frozen=True):
    """A code for the couriers of the caller's organisation at one point; shown here and nowhere else."""

    point: PointId
    code: str
    expires_at: datetime

    def __repr__(self) -> str:
        return f"<CourierCodeShown {self.point}>"


class Desk(msgspec.Struct, frozen=True):
    """The fleet, and what time it is."""

    fleet: Fleet
    now: Callable[[], Instant]

    async def source_at(self, point: str) -> SourceId:
        """What stands at a point. Refused with ``source-unknown``."""
        view = await self.fleet.ledger.view(PointId(point)) if is_laned_id(point) else None
        if view is None:
            raise Refused(Refusal("source-unknown", "point", point[:80]))
        return view.head.source

    async def epoch_of(self, source: SourceId) -> int:
        """The log epoch of a source that stands at a point."""
        head = await self.fleet.ledger.source(source)
        assert head is not None
        return head.epoch


@post("/{point:str}/invitations", opt=OPERATOR_ONLY, responses=_MADE, summary="Invite a controller")
async def invite_controller(
    request: Call, *, idempotency_key: KeyHeader = None, point: FromPath[str]
) -> InvitationShown:
    """An invitation for the machine at this point to enrol with, once; earlier ones stop working."""
    desk = part(request, Desk)
    source = await desk.source_at(point)

    async def invite(attempt: Attempt) -> InvitationShown:
        chance = attempt.draws("invitation")
        return _shown(source, or_refused(await service.invite(desk.fleet, source, now=attempt.at, chance=chance)))

    return await once(request, idempotency_key, invite, kind=InvitationShown)


@post("/{point:str}/replacement", opt=OPERATOR_ONLY, responses=_MADE, summary="Replace it")
async def replace_controller(
    request: Call, *, idempotency_key: KeyHeader = None, point: FromPath[str]
) -> InvitationShown:
    """Shut the controller at this point out, begin a new log epoch, and invite the one that takes its place."""
    desk = part(request, Desk)
    source = await desk.source_at(point)

    async def replace(attempt: Attempt) -> InvitationShown:
        # Whatever the epoch is by now, an attempt that was cut off goes on with the one that it meant to begin.
        epoch = await part(request, Attempts).pin(attempt, str(await desk.epoch_of(source) + 1))
        invited = await service.replace_controller(
            desk.fleet, source, command=attempt.command_id("epoch"), actor=request.user.actor, epoch=int(epoch),
            now=attempt.at, chance=attempt.draws("invitation"),
        )  # fmt: skip
        return _shown(source, or_refused(invited))

    return await once(request, idempotency_key, replace, kind=InvitationShown)


@delete(
    "/{point:str}/certificates",
    opt=OPERATOR_ONLY,
    status_code=200,
    responses=_KNOWN,
    summary="Shut a controller out",
)
async def revoke_certificates(request: Call, point: FromPath[str]) -> Revoked:
    """End every certificate, invitation and session of the machine at this point."""
    desk = part(request, Desk)
    source = await desk.source_at(point)
    return Revoked(source, or_refused(await service.revoke(desk.fleet, source, now=desk.now())))


@post("/{point:str}/courier-codes", opt=SENDERS_ONLY, responses=_MADE, summary="A code for couriers")
async def issue_courier_code(
    request: Call, *, idempotency_key: KeyHeader = None, point: FromPath[str]
) -> CourierCodeShown:
    """A code with which the caller's couriers open their rounds at this point, in place of the last one."""
    fleet, org = part(request, Desk).fleet, request.user.org

    async def issue(attempt: Attempt) -> CourierCodeShown:
        chance = attempt.draws("courier-code")
        made = or_refused(await service.issue_courier_code(fleet, PointId(point), org, now=attempt.at, chance=chance))
        return CourierCodeShown(PointId(point), made.code, made.expires_at)

    return await once(request, idempotency_key, issue, kind=CourierCodeShown)


def _shown(source: SourceId, invitation: Invitation) -> InvitationShown:
    return InvitationShown(source, invitation.text, invitation.hub_url)


router = Router(
    "/points",
    route_handlers=[invite_controller, replace_controller, revoke_certificates, issue_courier_code],
    tags=["fleet"],
)
