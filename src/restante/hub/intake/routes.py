"""Routes that take announcements in, one or up to a thousand at a time."""

from litestar import Router, post
from litestar.openapi.datastructures import ResponseSpec
from litestar.params import JSONBody

from restante.core.refusals import Refusal
from restante.hub.callers import SENDERS_ONLY, Call, KeyHeader, begin_attempt, part
from restante.hub.intake.schemas import Announcement, Bulk, BulkAnswer, ParcelAccepted
from restante.hub.intake.service import Intake, bulk_answer
from restante.hub.light import LightAnswer
from restante.hub.problems import Refused, problems

LARGEST_BULK_BYTES = 4 * 1024 * 1024


@post(
    "/",
    opt=SENDERS_ONLY,
    responses={
        **problems(400, 401, 403, 404, 409, 413, 422),
        200: ResponseSpec(ParcelAccepted, description="Announced before, in the same words.", generate_examples=False),
    },
    summary="Announce a parcel",
)
async def announce_parcel(
    request: Call, *, idempotency_key: KeyHeader = None, data: JSONBody[Announcement]
) -> LightAnswer[ParcelAccepted]:
    """With a point, room is promised at once; if there is none, the parcel is known all the same and is told where."""
    attempt = await begin_attempt(request, idempotency_key)
    answer = (await part(request, Intake).announce([data], request.user, attempt))[0]
    if isinstance(answer, Refusal):
        raise Refused(answer)
    return LightAnswer(answer, status_code=200 if answer.replayed else 201)


@post(
    "/bulk",
    opt=SENDERS_ONLY,
    status_code=200,
    request_max_body_size=LARGEST_BULK_BYTES,
    responses=problems(400, 401, 403, 413, 422),
    summary="Announce up to 1,000 parcels",
)
async def announce_parcels(request: Call, *, idempotency_key: KeyHeader = None, data: JSONBody[Bulk]) -> BulkAnswer:
    """Each item is answered by itself: one that is refused keeps no other one out."""
    attempt = await begin_attempt(request, idempotency_key)
    return bulk_answer(await part(request, Intake).announce(data.items, request.user, attempt))


router = Router("/parcels", route_handlers=[announce_parcel, announce_parcels], tags=["parcels"])
