"""Routes of points: finding them is open to every partner, provisioning to the operator."""

from typing import Annotated

from litestar import Router, get, post, put
from litestar.params import FromPath, FromQuery, JSONBody, QueryParameter

from restante.core.bank import Ability, PointStatus
from restante.core.ids import PointId
from restante.core.refusals import Refusal
from restante.hub.callers import OPERATOR_ONLY, Call, KeyHeader, begin_attempt, part
from restante.hub.network.schemas import ModuleGiven, PointGiven, PointPage, PointShown, SourceGiven, SourceMade
from restante.hub.network.schemas import StatusGiven as Status
from restante.hub.network.service import Filters, Found, Network
from restante.hub.paging import CursorText, Limit
from restante.hub.problems import Refused, or_refused, problems


@get("/", responses=problems(400, 401, 422), summary="Find points")
async def list_points(
    request: Call,
    *,
    latitude: Annotated[float | None, QueryParameter(ge=-90, le=90, description="Degrees north.")] = None,
    longitude: Annotated[float | None, QueryParameter(ge=-180, le=180, description="Degrees east.")] = None,
    kind: Annotated[str | None, QueryParameter(max_length=200)] = None,
    ability: FromQuery[Ability | None] = None,
    size: Annotated[
        str | None, QueryParameter(max_length=40, description="Only points with room for this size.")
    ] = None,
    open_now: FromQuery[bool] = False,
    status: FromQuery[PointStatus | None] = None,
    cursor: CursorText = "",
    limit: Limit = 50,
) -> PointPage:
    """The nearest first if latitude and longitude are given, else in the order they joined the network."""
    network = part(request, Network)
    if (latitude is None) != (longitude is None):
        raise Refused(Refusal("field-malformed", "longitude" if longitude is None else "latitude", "missing"))
    rank = network.rank(size)
    here = None if latitude is None or longitude is None else (latitude, longitude)
    filters = Filters(here, kind, ability, rank=rank, open_now=open_now, status=status)
    return await network.page(request.user, filters, cursor=cursor, limit=limit)


@get("/{point:str}", responses=problems(401, 404), summary="One point")
async def get_point(request: Call, *, point: FromPath[str]) -> PointShown:
    """One point with its face, its modules and the room it has."""
    network = part(request, Network)
    return network.show(await network.one(PointId(point)), request.user, whole=True)


@post("/", opt=OPERATOR_ONLY, responses=problems(400, 401, 403, 409, 413, 422), summary="Provision a point")
async def provision_point(
    request: Call, *, idempotency_key: KeyHeader = None, data: JSONBody[PointGiven]
) -> PointShown:
    """Take a point into the network. What stands there is installed afterwards."""
    attempt = await begin_attempt(request, idempotency_key)
    network = part(request, Network)
    made = or_refused(await network.provision(data, request.user, attempt))
    return network.show(await network.one(made), request.user, whole=True)


@put("/{point:str}/status", opt=OPERATOR_ONLY, responses=problems(400, 401, 403, 404, 409, 413, 422))
async def change_point(
    request: Call,
    *,
    idempotency_key: KeyHeader = None,
    point: FromPath[str],
    data: JSONBody[Status],
) -> PointShown:
    """Open a point, close it for now, or give it up for good."""
    attempt = await begin_attempt(request, idempotency_key)
    network = part(request, Network)
    found = await network.one(PointId(point))
    or_refused(await network.change(found.point.id, data.status, request.user, attempt=attempt))
    return network.show(await network.one(found.point.id), request.user, whole=True)


@post("/{point:str}/source", opt=OPERATOR_ONLY, responses=problems(400, 401, 403, 404, 409, 413, 422))
async def install_source(
    request: Call,
    *,
    idempotency_key: KeyHeader = None,
    point: FromPath[str],
    data: JSONBody[SourceGiven],
) -> SourceMade:
    """Put up a locker bank or a counter at a point, with its modules or shelves."""
    attempt = await begin_attempt(request, idempotency_key)
    network = part(request, Network)
    found: Found = await network.one(PointId(point))
    made = or_refused(await network.install(found.point.id, data, request.user, attempt=attempt))
    return SourceMade(found.point.id, made)


@post("/{point:str}/modules", opt=OPERATOR_ONLY, responses=problems(400, 401, 403, 404, 409, 413, 422))
async def add_module(
    request: Call,
    *,
    idempotency_key: KeyHeader = None,
    point: FromPath[str],
    data: JSONBody[ModuleGiven],
) -> PointShown:
    """Take one more module into service while the bank goes on working."""
    attempt = await begin_attempt(request, idempotency_key)
    network = part(request, Network)
    found = await network.one(PointId(point))
    or_refused(await network.add_module(found, data, request.user, attempt=attempt))
    return network.show(await network.one(found.point.id), request.user, whole=True)


router = Router(
    "/points",
    route_handlers=[list_points, get_point, provision_point, change_point, install_source, add_module],
    tags=["points"],
)
