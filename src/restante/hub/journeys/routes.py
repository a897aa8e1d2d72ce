"""Routes of parcels: looking at them, steering them, and the feed. Another partner's parcel is unknown."""

import time
from collections.abc import AsyncIterator, Iterator
from typing import Annotated

import msgspec
from litestar import Router, delete, get, post
from litestar.openapi.datastructures import ResponseSpec
from litestar.params import FromPath, HeaderParameter, JSONBody, QueryParameter
from litestar.response import ServerSentEvent, ServerSentEventMessage

from restante.core.refusals import Refusal
from restante.hub.callers import SENDERS_ONLY, Call, Callers, KeyHeader, begin_attempt, part
from restante.hub.journeys.feed import Feed
from restante.hub.journeys.schemas import Done, EventPage, FeedPage, Later, ParcelPage, ParcelShown, Recall, RoomWanted
from restante.hub.journeys.service import Journeys, known_stage
from restante.hub.paging import LONGEST_CURSOR, CursorText, Limit
from restante.hub.problems import Refused, problems

LONGEST_WAIT_S = 30
PING_S = 15
STREAM_PAGE = 200

Lane = Annotated[int | None, QueryParameter(ge=0, le=65_535, description="Only this lane.")]

_LOOKS = problems(400, 401, 404)
_STEERS = problems(400, 401, 403, 404, 409, 413, 422)


@get("/", responses=problems(400, 401, 404), summary="The caller's parcels")
async def list_parcels(
    request: Call,
    *,
    point: Annotated[
        str | None, QueryParameter(max_length=36, description="Only those promised or lying here.")
    ] = None,
    stage: Annotated[str | None, QueryParameter(max_length=40, description="Only those at this stage.")] = None,
    cursor: CursorText = "",
    limit: Limit = 50,
) -> ParcelPage:
    """In the order they were announced in; with a point, those that are promised there or lie there."""
    return await part(request, Journeys).page(
        request.user, point=point, stage=known_stage(stage), cursor=cursor, limit=limit
    )


@get("/{parcel:str}", responses=_LOOKS, summary="One parcel")
async def get_parcel(request: Call, *, parcel: FromPath[str]) -> ParcelShown:
    """The parcel's stage and what it means, its promise, and where it lies."""
    journeys = part(request, Journeys)
    return (await journeys.show([await journeys.own(parcel, request.user)], request.user))[0]


@get("/by-reference", responses=_LOOKS, summary="A parcel by the caller's reference")
async def get_by_reference(
    request: Call,
    *,
    reference: Annotated[str, QueryParameter(min_length=1, max_length=100)],
) -> ParcelShown:
    """The parcel that the caller announced under this reference."""
    journeys = part(request, Journeys)
    return (await journeys.show([await journeys.by_reference(reference, request.user)], request.user))[0]


@get("/by-code/{code:str}", responses=_LOOKS, summary="A parcel by its parcel code")
async def get_by_code(request: Call, *, code: FromPath[str]) -> ParcelShown:
    """The parcel whose code people read; spaces, dashes and small letters are understood."""
    journeys = part(request, Journeys)
    return (await journeys.show([await journeys.by_code(code, request.user)], request.user))[0]


@get("/{parcel:str}/events", responses=_LOOKS, summary="What happened to a parcel")
async def list_events(
    request: Call,
    *,
    parcel: FromPath[str],
    cursor: CursorText = "",
    limit: Limit = 50,
) -> EventPage:
    """Every event of the parcel, in order."""
    journeys = part(request, Journeys)
    return await journeys.events(await journeys.check_own(parcel, request.user), cursor=cursor, limit=limit)


@post("/{parcel:str}/reservation", opt=SENDERS_ONLY, status_code=200, responses=_STEERS, summary="Reserve room")
async def reserve_room(
    request: Call,
    *,
    idempotency_key: KeyHeader = None,
    parcel: FromPath[str],
    data: JSONBody[RoomWanted],
) -> Done:
    """Have room promised at a point; where there is none, the nearest points that have some are named."""
    attempt = await begin_attempt(request, idempotency_key)
    return await part(request, Journeys).reserve(parcel, data, request.user, attempt=attempt)


@delete("/{parcel:str}/reservation", opt=SENDERS_ONLY, status_code=200, responses=_STEERS, summary="Give room back")
async def release_room(request: Call, *, idempotency_key: KeyHeader = None, parcel: FromPath[str]) -> Done:
    """Give promised room back; the parcel stays announced."""
    attempt = await begin_attempt(request, idempotency_key)
    return await part(request, Journeys).give_room_back(parcel, request.user, attempt=attempt)


@post("/{parcel:str}/extension", opt=SENDERS_ONLY, status_code=200, responses=_STEERS, summary="Extend the hold")
async def extend_hold(
    request: Call,
    *,
    idempotency_key: KeyHeader = None,
    parcel: FromPath[str],
    data: JSONBody[Later],
) -> Done:
    """Move the end of the hold later, up to the longest hold of the network."""
    attempt = await begin_attempt(request, idempotency_key)
    return await part(request, Journeys).extend(parcel, data.ends_at, request.user, attempt=attempt)


@post("/{parcel:str}/redirection", opt=SENDERS_ONLY, status_code=200, responses=_STEERS, summary="Redirect")
async def redirect_parcel(
    request: Call,
    *,
    idempotency_key: KeyHeader = None,
    parcel: FromPath[str],
    data: JSONBody[RoomWanted],
) -> Done:
    """Send the parcel to another point; one that lies in a compartment is recalled from it."""
    attempt = await begin_attempt(request, idempotency_key)
    return await part(request, Journeys).redirect(parcel, data, request.user, attempt=attempt)


@post("/{parcel:str}/cancellation", opt=SENDERS_ONLY, status_code=200, responses=_STEERS, summary="Cancel")
async def cancel_parcel(request: Call, *, idempotency_key: KeyHeader = None, parcel: FromPath[str]) -> Done:
    """Call the parcel off before it is put in."""
    attempt = await begin_attempt(request, idempotency_key)
    return await part(request, Journeys).cancel(parcel, request.user, attempt=attempt)


@post("/{parcel:str}/release", opt=SENDERS_ONLY, status_code=200, responses=_STEERS, summary="Release")
async def release_parcel(request: Call, *, idempotency_key: KeyHeader = None, parcel: FromPath[str]) -> Done:
    """Let the parcel leave the network: its carrier has it."""
    attempt = await begin_attempt(request, idempotency_key)
    return await part(request, Journeys).release(parcel, request.user, attempt=attempt)


@post("/{parcel:str}/recall", opt=SENDERS_ONLY, status_code=200, responses=_STEERS, summary="Recall")
async def recall_parcel(
    request: Call,
    *,
    idempotency_key: KeyHeader = None,
    parcel: FromPath[str],
    data: JSONBody[Recall],
) -> Done:
    """Have a courier take the parcel out."""
    attempt = await begin_attempt(request, idempotency_key)
    return await part(request, Journeys).recall(parcel, data.reason, request.user, attempt=attempt)


@get("/feed", responses=problems(400, 401, 410), tags=["feed"], summary="Events, waiting for them")
async def read_feed(
    request: Call,
    *,
    cursor: CursorText = "",
    lane: Lane = None,
    limit: Annotated[int, QueryParameter(ge=1, le=1000)] = 100,
    wait: Annotated[float, QueryParameter(ge=0, le=LONGEST_WAIT_S, description="Seconds to wait for an event.")] = 0,
) -> FeedPage:
    """Every event the caller may see, in the order of each lane; keep the cursor together with what was read."""
    feed = part(request, Feed)
    return await feed.read(request.user, await feed.begin(cursor), lane=lane, limit=limit, wait_s=wait)


@get(
    "/feed/stream",
    tags=["feed"],
    summary="Events as they happen",
    responses={
        200: ResponseSpec(
            str, description="Server-sent events.", media_type="text/event-stream", generate_examples=False
        ),
        **problems(400, 401, 410),
    },
)
async def stream_feed(
    request: Call,
    *,
    cursor: CursorText = "",
    lane: Lane = None,
    seconds: Annotated[float, QueryParameter(ge=0, le=86_400, description="After how long the stream ends.")] = 3600,
    last_event_id: Annotated[str, HeaderParameter(name="Last-Event-ID", max_length=LONGEST_CURSOR)] = "",
) -> ServerSentEvent:
    """Server-sent events whose ids are cursors, so that a browser that lost the connection goes on where it was."""
    feed = part(request, Feed)
    shown = request.headers.get("authorization", "")
    begun = await feed.begin(last_event_id or cursor)
    # Read here, since a stream that has begun can no longer be refused.
    first = await feed.read(request.user, begun, lane=lane, limit=STREAM_PAGE, wait_s=0)

    async def events() -> AsyncIterator[ServerSentEventMessage]:
        page, end_s = first, time.monotonic() + seconds
        for message in _messages(page):
            yield message
        while (left_s := end_s - time.monotonic()) > 0:
            if isinstance(caller := await part(request, Callers).identify(shown), Refusal):
                return
            after = feed.positions(page.cursor)
            try:
                page = await feed.read(caller, after, lane=lane, limit=STREAM_PAGE, wait_s=min(PING_S, left_s))
            except Refused:
                return
            for message in _messages(page):
                yield message

    return ServerSentEvent(events())


def _messages(page: FeedPage) -> Iterator[ServerSentEventMessage]:
    """A page as events of a stream, the last of which bears the cursor."""
    told = [msgspec.json.encode(item).decode() for item in page.items]
    for data in told[:-1]:
        yield ServerSentEventMessage(data=data, event="event")
    if told:
        yield ServerSentEventMessage(data=told[-1], event="event", id=page.cursor)
    else:
        yield ServerSentEventMessage(data=None, comment="still here", id=page.cursor)


parcels_router = Router(
    "/parcels",
    route_handlers=[
        list_parcels,
        get_parcel,
        get_by_reference,
        get_by_code,
        list_events,
        reserve_room,
        release_room,
        extend_hold,
        redirect_parcel,
        cancel_parcel,
        release_parcel,
        recall_parcel,
    ],
    tags=["parcels"],
)
feed_router = Router("/", route_handlers=[read_feed, stream_feed])
