"""The HTTP API put together: every part is made here, from explicit arguments, and served."""

import asyncio
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AbstractContextManager, asynccontextmanager, nullcontext, suppress
from pathlib import Path
from typing import Any, Final

import msgspec
import uvicorn
from litestar import Litestar, Router, get
from litestar._openapi.schema_generation import SchemaCreator
from litestar._openapi.schema_generation.plugins.struct import StructSchemaPlugin
from litestar.datastructures import State
from litestar.middleware import DefineMiddleware
from litestar.openapi import OpenAPIConfig
from litestar.openapi.plugins import JsonRenderPlugin
from litestar.openapi.spec import Components, License, Schema, SecurityScheme
from litestar.types import ControllerRouterHandler
from litestar.typing import FieldDefinition

from restante import __version__
from restante.core.bank import RoomClass
from restante.core.ids import PointId
from restante.core.refusals import Refusal
from restante.core.reservation import Window
from restante.core.time import Instant
from restante.hub.callers import (
    OPEN,
    OPERATOR_FILE,
    Attempts,
    Authenticated,
    Call,
    Callers,
    first_operator,
    kept_secret,
    part,
)
from restante.hub.care import routes as care_routes
from restante.hub.care.service import Care
from restante.hub.direct import DirectApp
from restante.hub.engine import Engine
from restante.hub.fleet import routes as fleet_routes
from restante.hub.fleet.routes import Desk
from restante.hub.fleet.service import Fleet
from restante.hub.intake import routes as intake_routes
from restante.hub.intake.service import Checks, Intake
from restante.hub.journeys import routes as journeys_routes
from restante.hub.journeys.feed import Feed
from restante.hub.journeys.service import Journeys
from restante.hub.light import LightAnswer, LightRequest, OneWriteProtocol, StrictBody
from restante.hub.measures import Measures
from restante.hub.network import routes as network_routes
from restante.hub.network.service import Network
from restante.hub.notices.address import check_address
from restante.hub.partners import routes as partners_routes
from restante.hub.partners.service import Partners
from restante.hub.problems import ANSWERS, NearPoint, Refused, problems
from restante.hub.readiness import Readiness
from restante.hub.settings import Settings, state_folder
from restante.store.directory import Directory, open_directory
from restante.store.ledger import Ledger, StoreDown
from restante.store.tables import Tables, open_tables
from restante.store.vault import Vault

LARGEST_BODY_BYTES: Final = 256 * 1024
REFERENCE_KEY_FILE: Final = "reference.key"
STOP_S: Final = 5

Served = Callable[[Any, Any, Any], Awaitable[None]]
"""An application as the server calls it: with what a connection is, what receives and what sends."""


class Parts(msgspec.Struct, frozen=True):
    """What the API is made over. ``dsn`` is the migrated database that the ledger lives in."""

    dsn: str
    settings: Settings
    engine: Engine
    ledger: Ledger
    vault: Vault
    fleet: Fleet
    now: Callable[[], Instant]
    measures: Measures = msgspec.field(default_factory=Measures)


class Health(msgspec.Struct, frozen=True):
    """Whether the hub can work: its version, and whether the database answers."""

    status: str
    version: str
    network: str


class ClosedBodies(StructSchemaPlugin):
    """Says of types that take no unknown fields that they take none."""

    def to_openapi_schema(self, field_definition: FieldDefinition, schema_creator: SchemaCreator) -> Schema:
        """The schema of a struct."""
        schema = super().to_openapi_schema(field_definition, schema_creator)
        if field_definition.annotation.__struct_config__.forbid_unknown_fields:
            schema.additional_properties = False
        return schema


@get("/health", opt={OPEN: True}, security=[{}], responses=problems(), tags=["health"], summary="Whether the hub works")
async def health(request: Call) -> Health:
    """Open to everybody; 503 while the database does not answer."""
    await part(request, Feed).check()
    return Health("ok", __version__, part(request, Settings).network)


@get(
    "/alive",
    opt={OPEN: True},
    status_code=204,
    security=[{}],
    responses=problems(),
    tags=["health"],
    summary="Whether the program runs",
)
async def alive(request: Call) -> None:
    """Open to everybody, for whoever restarts programs that hang: answered without looking at anything."""


@get(
    "/ready",
    opt={OPEN: True},
    status_code=204,
    security=[{}],
    responses=problems(),
    tags=["health"],
    summary="Whether the program can be given work",
)
async def ready(request: Call) -> None:
    """Open to everybody, for load balancers: 503 while the database does not answer or lacks a migration."""
    if not await part(request, Readiness).check():
        raise StoreDown


def build(parts: Parts, *, reads: Tables, writes: Tables, directory: Directory) -> Litestar:
    """The API over open pools of connections."""
    callers = Callers(writes, parts.now)
    given = _services(parts, reads, writes, directory=directory, callers=callers)
    handlers: list[ControllerRouterHandler] = [
        health,
        alive,
        ready,
        network_routes.router,
        fleet_routes.router,
        intake_routes.router,
        journeys_routes.parcels_router,
        journeys_routes.feed_router,
        partners_routes.router,
        care_routes.router,
    ]
    return DirectApp(
        [Router("/v1", route_handlers=handlers)],
        callers=callers,
        answers=parts.measures.answers,
        state=State({kind.__name__: one for kind, one in given.items()}),
        middleware=[DefineMiddleware(Authenticated, callers=callers)],
        request_class=LightRequest,
        response_class=LightAnswer,
        dto=StrictBody,
        return_dto=None,
        exception_handlers=ANSWERS,
        openapi_config=_openapi(),
        plugins=[ClosedBodies()],
        request_max_body_size=LARGEST_BODY_BYTES,
        logging_config=None,
        debug=False,
    )


def _services(
    parts: Parts, reads: Tables, writes: Tables, *, directory: Directory, callers: Callers
) -> Mapping[type[Any], Any]:
    """What routes ask for by type."""
    settings, now = parts.settings, parts.now
    attempts = Attempts(directory, now)
    network = Network(parts.engine, reads, writes, settings=settings, now=now)

    async def find_room(point: PointId, wanted: RoomClass, window: Window) -> list[NearPoint]:
        return await network.nearest_with_room(point, wanted, window=window)

    async def is_point(point: PointId) -> bool:
        return await network.place_of(point) is not None

    checks = Checks(_address, is_point, find_room)
    return {
        Settings: settings,
        Attempts: attempts,
        Callers: callers,
        Network: network,
        Desk: Desk(parts.fleet, now),
        Partners: Partners(writes, callers, now),
        Feed: Feed(parts.ledger, parts.measures.readers),
        Readiness: Readiness(reads),
        Care: Care(parts.engine, parts.ledger, reads),
        Intake: Intake(parts.engine, parts.ledger, directory, vault=parts.vault, settings=settings, checks=checks),
        Journeys: Journeys(
            parts.engine,
            parts.ledger,
            reads,
            directory=directory,
            vault=parts.vault,
            settings=settings,
            attempts=attempts,
            find_room=find_room,
        ),
    }


def _address(text: str) -> str | Refusal:
    address = check_address(text)
    return address if isinstance(address, Refusal) else str(address)


def _only_the_document(request: Call) -> None:
    """Refuse other addresses below the document's, which the framework would answer with a page of its own."""
    if request.path_params:
        raise Refused(Refusal("route-unknown"))


def _openapi() -> OpenAPIConfig:
    return OpenAPIConfig(
        title="Restante",
        version=__version__,
        summary="Parcel lockers and staffed pick-up points.",
        license=License(name="Apache-2.0", identifier="Apache-2.0"),
        openapi_router=Router(
            "/v1/openapi.json",
            route_handlers=[],
            before_request=_only_the_document,
            opt={OPEN: True},
            include_in_schema=False,
        ),
        render_plugins=[JsonRenderPlugin(path="/")],
        use_handler_docstrings=True,
        components=Components(
            security_schemes={"key": SecurityScheme(type="http", scheme="bearer", description="An API key, 'rst_…'.")}
        ),
        security=[{"key": []}],
    )


@asynccontextmanager
async def open_app(parts: Parts) -> AsyncIterator[Litestar]:
    """The API with its connections open; makes the operator's first key if there is none. Fault: ``StoreDown``."""
    folder = state_folder(parts.settings)
    async with (
        open_tables(parts.dsn, name="restante api reads", size=8, read_only=True) as reads,
        open_tables(parts.dsn, name="restante api writes") as writes,
        open_directory(parts.dsn, key=kept_secret(folder / REFERENCE_KEY_FILE)) as directory,
    ):
        await first_operator(writes, folder, parts.now())
        yield build(parts, reads=reads, writes=writes, directory=directory)


@asynccontextmanager
async def serving(app: Served, host: str, port: int) -> AsyncIterator[int]:
    """An application on its port until the block is left; gives the port, which matters when 0 was asked for."""
    listener = _bound(host, port)
    server = uvicorn.Server(
        uvicorn.Config(
            app,
            log_config=None,
            access_log=False,
            lifespan="on",
            http=OneWriteProtocol,
            server_header=False,
            proxy_headers=False,
            timeout_graceful_shutdown=STOP_S,
            ws="none",
        )
    )
    server.capture_signals = _no_signals  # type: ignore[assignment,method-assign]  # whoever serves handles signals
    running = asyncio.create_task(server.serve(sockets=[listener]))
    try:
        while not server.started and not running.done():  # noqa: ASYNC110 uvicorn tells of its start by this alone
            await asyncio.sleep(0.01)
        if running.done():
            await running
        yield int(listener.getsockname()[1])
    finally:
        server.should_exit = True
        with suppress(asyncio.CancelledError):
            await running
        listener.close()


@asynccontextmanager
async def serve(parts: Parts) -> AsyncIterator[int]:
    """The whole API, from connections to its port; gives the port. Faults: ``StoreDown``, ``OSError``."""
    settings = parts.settings
    async with open_app(parts) as app, serving(app, settings.http_host, settings.http_port) as port:
        yield port


def _bound(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
    except OSError:
        listener.close()
        raise
    listener.setblocking(False)
    return listener


def _no_signals() -> AbstractContextManager[None]:
    return nullcontext()


def operator_key(folder: Path) -> str:
    """The first operator's key, as the start of the program left it in the state folder."""
    return (folder / OPERATOR_FILE).read_text(encoding="ascii").strip()
