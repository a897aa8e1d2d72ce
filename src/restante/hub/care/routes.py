"""Routes of cases: partners see and settle those of their own parcels, the operator all, and those of points."""

from litestar import Router, get, post
from litestar.params import FromPath, JSONBody

from restante.hub.callers import OPERATOR_ONLY, SENDERS_ONLY, Call, KeyHeader, begin_attempt, part
from restante.hub.care.schemas import CaseList, EntryAsidePage, Settled, Settlement
from restante.hub.care.service import Care
from restante.hub.paging import CursorText, Limit
from restante.hub.problems import or_refused, problems

_SETTLES = problems(400, 401, 403, 404, 409, 413, 422)


@get("/parcels/{parcel:str}/cases", responses=problems(401, 404), summary="Open cases of a parcel")
async def list_parcel_cases(request: Call, *, parcel: FromPath[str]) -> CaseList:
    """What about the parcel waits for somebody to settle it, the oldest first."""
    return or_refused(await part(request, Care).of_parcel(parcel, request.user))


@post(
    "/parcels/{parcel:str}/cases/{case:str}/settlement",
    opt=SENDERS_ONLY,
    status_code=200,
    responses=_SETTLES,
    summary="Settle a case of a parcel",
)
async def settle_parcel_case(
    request: Call,
    *,
    idempotency_key: KeyHeader = None,
    parcel: FromPath[str],
    case: FromPath[str],
    data: JSONBody[Settlement],
) -> Settled:
    """Close a case and say how it was settled. That changes nothing about where the parcel is."""
    attempt = await begin_attempt(request, idempotency_key)
    settled = part(request, Care).settle_of_parcel(parcel, case, data.how, caller=request.user, attempt=attempt)
    return or_refused(await settled)


@get("/points/{point:str}/cases", opt=OPERATOR_ONLY, responses=problems(401, 403, 404), summary="Open cases of a point")
async def list_point_cases(request: Call, *, point: FromPath[str]) -> CaseList:
    """What about the point, its doors or its controller waits for somebody to settle it."""
    return or_refused(await part(request, Care).of_point(point))


@post(
    "/points/{point:str}/cases/{case:str}/settlement",
    opt=OPERATOR_ONLY,
    status_code=200,
    responses=_SETTLES,
    summary="Settle a case of a point",
)
async def settle_point_case(
    request: Call,
    *,
    idempotency_key: KeyHeader = None,
    point: FromPath[str],
    case: FromPath[str],
    data: JSONBody[Settlement],
) -> Settled:
    """Close a case and say how it was settled. A fork is not ended by that: replace the controller."""
    attempt = await begin_attempt(request, idempotency_key)
    settled = part(request, Care).settle_of_point(point, case, data.how, caller=request.user, attempt=attempt)
    return or_refused(await settled)


@get(
    "/points/{point:str}/entries-aside",
    opt=OPERATOR_ONLY,
    responses=problems(400, 401, 403, 404),
    summary="Journal entries set aside",
)
async def list_entries_aside(
    request: Call, *, point: FromPath[str], cursor: CursorText = "", limit: Limit = 50
) -> EntryAsidePage:
    """What came of an ended log epoch of this point's source and does not follow from what was adopted."""
    return or_refused(await part(request, Care).aside(point, cursor=cursor, limit=limit))


router = Router(
    "/",
    route_handlers=[list_parcel_cases, settle_parcel_case, list_point_cases, settle_point_case, list_entries_aside],
    tags=["cases"],
)
